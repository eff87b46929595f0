//! What systemd is told (sd_notify(3)); nothing where it does not listen.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often to call [`alive`]: a third of what systemd allows, when it watches at all.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|allowed| allowed / 3)
}

/// Start-up or a reload is over.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload has begun. `MONOTONIC_USEC` must come in the same datagram, else systemd from 253 on
/// waits for ever for a `Type=notify-reload` service.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    tell(&states);
}

/// The event loop and the writer are alive.
pub(super) fn alive(status: &str) {
    tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

/// How things are. When this is all that it hears, systemd ends and restarts the daemon.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The daemon has begun to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}
