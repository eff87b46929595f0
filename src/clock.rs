//! The only reader of wall time.
//!
//! The daemon asks a [`Clock`] for the time and sleeps on it, so that a test can move time by
//! hand while real sockets and a real database work at their own pace.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The longest single sleep. A suspended machine's timers stand still, so the time is looked at
/// again at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    System,
    /// A test's.
    Manual(ManualClock),
}

impl Clock {
    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of wall time")]
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => Timestamp::try_from(SystemTime::now())
                .expect("the machine's clock lies between the years -9999 and 9999"),
            Clock::Manual(manual) => manual.now(),
        }
    }

    /// Waits until the time is `until` or later. Returns at once when it already is, and early when
    /// the clock is set back: `until` may have lost its meaning then.
    pub async fn sleep_until(&self, until: Timestamp) {
        match self {
            Clock::System => {
                let mut last = self.now();
                while let Ok(left) = Duration::try_from(until.duration_since(last))
                    && !left.is_zero()
                {
                    tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
                    let now = self.now();
                    if now < last {
                        return;
                    }
                    last = now;
                }
            }
            Clock::Manual(manual) => manual.reach(until).await,
        }
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct ManualClock {
    time: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { time: watch::Sender::new(start) }
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        *self.time.borrow()
    }

    /// Moves the clock by `by`, which may be negative.
    pub fn advance(&self, by: SignedDuration) {
        self.time.send_modify(|time| *time += by);
    }

    async fn reach(&self, until: Timestamp) {
        let start = self.now();
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.time.subscribe().wait_for(|time| *time >= until || *time < start).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_manual_clock_reaches_its_time() {
        let manual = ManualClock::new(Timestamp::UNIX_EPOCH);
        let clock = Clock::Manual(manual.clone());
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
        let sleeper = tokio::spawn(async move { clock.sleep_until(until).await });
        manual.advance(SignedDuration::from_secs(61));
        sleeper.await.expect("the sleeper does not panic");
        assert_eq!(manual.now(), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(61));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_set_back() {
        let manual = ManualClock::new(Timestamp::UNIX_EPOCH);
        let clock = Clock::Manual(manual.clone());
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
        tokio::join!(clock.sleep_until(until), async {
            manual.advance(SignedDuration::from_secs(-1));
        });
        assert!(manual.now() < until);
    }
}
