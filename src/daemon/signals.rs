//! Signals of the operating system, as orders to the daemon.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Control;

/// Orders that may wait; a signal that comes more often than it is obeyed is one order.
const WAITING: usize = 8;

/// Turns SIGTERM, SIGINT, SIGHUP and SIGUSR1 into orders, for as long as somebody takes them.
///
/// SIGHUP reloads and reopens files; SIGUSR1 only reopens files (for logrotate).
pub fn forward() -> anyhow::Result<mpsc::Receiver<Control>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let orders = [
        (SignalKind::terminate(), [Control::Stop].as_slice()),
        (SignalKind::interrupt(), &[Control::Stop]),
        (SignalKind::hangup(), &[Control::Reopen, Control::Reload]),
        (SignalKind::user_defined1(), &[Control::Reopen]),
    ];
    for (kind, controls) in orders {
        let mut signals = signal(kind).context("failed to listen for signals")?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                for control in controls {
                    if sender.send(*control).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
    Ok(receiver)
}
