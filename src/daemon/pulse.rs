//! Whether the database can be written, as the heartbeats show.

use jiff::Timestamp;

use crate::store::StoreError;

/// What the last heartbeats came to.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    failing: Option<(Timestamp, String)>,
}

/// What follows from a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// The writer works, or only the disk or another process keeps it from working: the daemon is
    /// alive, and a restart would not help.
    Alive,
    /// The writer is broken in a way that a restart may mend.
    Broken,
}

impl Pulse {
    /// Takes in how a heartbeat at `now` went.
    pub(super) fn take(&mut self, result: Result<(), StoreError>, now: Timestamp) -> Beat {
        let Err(error) = result else {
            self.failing = None;
            return Beat::Alive;
        };
        let beat = if error.is_from_outside() { Beat::Alive } else { Beat::Broken };
        let since = self.failing.take().map_or(now, |(since, _)| since);
        self.failing = Some((since, format!("{:#}", anyhow::Error::from(error))));
        beat
    }

    /// Since when the database cannot be written, and why.
    pub(super) fn failing(&self) -> Option<(Timestamp, &str)> {
        self.failing.as_ref().map(|(since, why)| (*since, why.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: std::ffi::c_int) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn only_what_a_restart_may_mend_counts_as_broken() {
        let now = Timestamp::UNIX_EPOCH;
        for (error, beat) in [
            (failure(ffi::SQLITE_FULL), Beat::Alive),
            (failure(ffi::SQLITE_BUSY), Beat::Alive),
            (failure(ffi::SQLITE_IOERR_WRITE), Beat::Alive),
            (failure(ffi::SQLITE_READONLY), Beat::Alive),
            (failure(ffi::SQLITE_CORRUPT), Beat::Broken),
            (failure(ffi::SQLITE_ERROR), Beat::Broken),
            (StoreError::Stopped, Beat::Broken),
        ] {
            let shown = error.to_string();
            assert_eq!(Pulse::default().take(Err(error), now), beat, "{shown}");
        }
    }

    #[test]
    fn a_database_that_cannot_be_written_is_known_since_the_first_failure_until_it_is_over() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut pulse = Pulse::default();
        pulse.take(Err(failure(ffi::SQLITE_BUSY)), at(20));
        pulse.take(Err(failure(ffi::SQLITE_FULL)), at(40));
        let (since, why) = pulse.failing().unwrap();
        assert_eq!(since, at(20));
        assert!(why.contains("full"), "{why}");
        pulse.take(Ok(()), at(60));
        assert_eq!(pulse.failing(), None);
    }
}
