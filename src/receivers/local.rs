//! Receivers that write on this system: they are held up for as long as a disk or a terminal takes, and
//! hold nothing else up.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Delivery, Outgoing, atom, journald, jsonl, stdout};

/// One of them.
#[derive(Debug)]
pub(super) enum Local {
    Stdout(stdout::Stdout),
    Jsonl(jsonl::Jsonl),
    Journald(journald::Journald),
    Atom(atom::Atom),
}

impl Local {
    fn write(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        match self {
            Local::Stdout(stdout) => stdout.deliver(alerts),
            Local::Jsonl(jsonl) => jsonl.deliver(alerts),
            Local::Journald(journald) => journald.deliver(alerts),
            Local::Atom(atom) => atom.deliver(alerts, now),
        }
    }

    /// Opens a file again that was moved away; false where there is none.
    pub(super) fn reopen(&self) -> std::io::Result<bool> {
        match self {
            Local::Jsonl(jsonl) => jsonl.reopen().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Delivers on a thread for such work.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        alerts: &[Outgoing<'_>],
        now: Timestamp,
    ) -> Delivery {
        let owned = |alert: &Outgoing<'_>| (alert.record.clone(), alert.line.to_owned());
        let (local, alerts) = (self.clone(), alerts.iter().map(owned).collect::<Vec<_>>());
        let work = move || {
            let alerts = alerts.iter().map(|(record, line)| Outgoing { record, line });
            local.write(&alerts.collect::<Vec<_>>(), now)
        };
        let delivered = tokio::task::spawn_blocking(work).await;
        delivered.unwrap_or_else(|panic| Delivery::again(format!("writing failed: {panic}")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::process::Command;

    use super::*;
    use crate::alert::record::tests::record;
    use crate::config;

    #[tokio::test]
    async fn a_file_that_hangs_holds_up_nothing_but_its_receiver() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.atom");
        let settings = config::Atom { path: path.clone(), entries: 1, title: String::new() };
        let local = Arc::new(Local::Atom(atom::Atom::open("feed", &settings).unwrap()));
        // Whoever opens it to read waits for one who writes.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let record = record("Arms shipped");
        let alerts = [Outgoing { record: &record, line: "" }];
        let mut delivery = std::pin::pin!(local.deliver(&alerts, Timestamp::UNIX_EPOCH));
        tokio::select! {
            biased;
            _ = &mut delivery => panic!("it does not hang"),
            () = tokio::task::yield_now() => {}
        }
        let write = move || OpenOptions::new().write(true).open(path).map(drop);
        let written = tokio::task::spawn_blocking(write);
        assert_eq!(delivery.await, Delivery::Delivered);
        written.await.unwrap().unwrap();
    }
}
