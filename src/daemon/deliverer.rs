//! Works the outbox off: one task a receiver, so that a stuck one delays no other.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use super::SET_BACK;
use super::teller::Teller;
use crate::alert::operator::{self, OutgoingEvent};
use crate::alert::pace::Pace;
use crate::alert::record::AlertRecord;
use crate::alert::retry::{self, Next};
use crate::clock::Clock;
use crate::receivers::{Delivery, Outgoing, Pauses, Receiver};
use crate::store::{DueDelivery, Settled, Store, StoreError};

/// Deliveries that are read at a time.
const BATCH: u32 = 64;
/// Alerts of one digest in one message; what is more comes in further ones.
const MOST_IN_DIGEST: u32 = 200;
/// After an attempt that failed a receiver is left alone for so long at most: the next delivery may
/// fare better.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The outbox is looked into at least this often: `deliveries retry` makes rows due from outside.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// How long files of receivers may take to be opened, all together.
pub(crate) const OPENING: Duration = Duration::from_secs(10);
/// How long to wait when the store cannot be read or written.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The tasks that deliver.
#[derive(Debug)]
pub(crate) struct Deliverer {
    receivers: Vec<Arc<Receiver>>,
    tasks: JoinSet<()>,
    signal: watch::Sender<Signal>,
}

/// What the tasks are told.
#[derive(Debug, Clone, Copy, Default)]
struct Signal {
    /// Changes whenever there may be something new to deliver.
    round: u64,
    /// Whether the tasks shall end.
    end: Option<End>,
}

/// When a task ends that shall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// When all is delivered that is due.
    Drained,
    /// After the attempt that is under way.
    Now,
}

impl Deliverer {
    /// Starts a task for each receiver.
    pub(crate) fn start(
        receivers: Vec<Receiver>,
        store: &Arc<Store>,
        clock: &Clock,
        teller: &Teller,
    ) -> Self {
        let receivers: Vec<_> = receivers.into_iter().map(Arc::new).collect();
        let signal = watch::Sender::new(Signal::default());
        let mut tasks = JoinSet::new();
        for receiver in &receivers {
            let outbox = Outbox {
                receiver: receiver.clone(),
                store: store.clone(),
                clock: clock.clone(),
                teller: teller.clone(),
                signal: signal.subscribe(),
                paused_until: None,
                pace: receiver.max_per_minute().map(Pace::new),
                failing: false,
                takes: false,
                gone: None,
            };
            tasks.spawn(outbox.run());
        }
        Self { receivers, tasks, signal }
    }

    /// The receivers, as they are open.
    pub(crate) fn receivers(&self) -> &[Arc<Receiver>] {
        &self.receivers
    }

    /// Says that there may be something new.
    pub(crate) fn wake(&self) {
        self.signal.send_modify(|signal| signal.round += 1);
    }

    /// Has the receivers that write files open them again, each on a thread of its own.
    pub(crate) fn reopen(&self) {
        let reopening = self.receivers.iter().cloned().map(|receiver| {
            let opened = tokio::task::spawn_blocking({
                let receiver = receiver.clone();
                move || receiver.reopen()
            });
            (receiver, tokio::time::timeout(OPENING, opened))
        });
        let reopening: Vec<_> = reopening.collect();
        tokio::spawn(async move {
            let mut reopened = Vec::new();
            for (receiver, opened) in reopening {
                let name = receiver.name();
                let why = match opened.await {
                    Ok(Ok(Ok(true))) => {
                        reopened.push(name.to_owned());
                        continue;
                    }
                    Ok(Ok(Ok(false))) => continue,
                    Ok(Ok(Err(error))) => error.to_string(),
                    Ok(Err(panic)) => panic.to_string(),
                    Err(_) => format!("it takes longer than {OPENING:?}"),
                };
                error!(receiver = name, "reopening {name} failed: {why}");
            }
            match reopened.as_slice() {
                [] => info!("no receiver writes a log that could be opened again now"),
                names => info!("opened the logs of {} again", names.join(", ")),
            }
        });
    }

    /// Delivers what is due now and ends, or gives up after `deadline`. What is left stays in the
    /// outbox.
    pub(crate) async fn drain(mut self, deadline: Duration) {
        self.end(End::Drained, deadline).await;
    }

    /// Lets the attempts end that are under way, at the latest after `deadline`, and makes no more:
    /// what follows takes over, and no receiver is told by two at once. A write on this system cannot be
    /// called off: who follows waits for it.
    pub(crate) async fn halt(&mut self, deadline: Duration) {
        self.end(End::Now, deadline).await;
        self.tasks.shutdown().await;
    }

    async fn end(&mut self, end: End, deadline: Duration) {
        self.signal.send_modify(|signal| signal.end = Some(end));
        let ended = tokio::time::timeout(deadline, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            warn!("some deliveries were not finished; they stay in the outbox");
        }
    }
}

/// The deliveries to one receiver.
struct Outbox {
    receiver: Arc<Receiver>,
    store: Arc<Store>,
    clock: Clock,
    teller: Teller,
    signal: watch::Receiver<Signal>,
    paused_until: Option<Timestamp>,
    /// How fast the receiver may be told; as fast as it takes when absent.
    pace: Option<Pace>,
    /// The last attempt failed in a way that may pass.
    failing: bool,
    /// It has taken something since the start, and has not failed since.
    takes: bool,
    /// The receiver has said that it is there no more, in these words. It is not asked again before
    /// the next start or reload.
    gone: Option<String>,
}

impl Outbox {
    async fn run(mut self) {
        loop {
            let end = self.signal.borrow_and_update().end;
            if end == Some(End::Now) {
                return;
            }
            let looked_at = self.clock.now();
            let worked = match self.work(looked_at).await {
                Ok(worked) => worked,
                Err(error) => {
                    error!(receiver = self.receiver.name(), "the outbox failed: {}", chain(&error));
                    self.paused_until = Some(self.clock.now() + STORE_PAUSE);
                    false
                }
            };
            if worked {
                continue;
            }
            // What only its pace holds up is still delivered.
            let paced = self.not_before(self.clock.now()).is_some();
            if end.is_some() && !paced {
                return;
            }
            if self.wait(looked_at).await.is_err() {
                return;
            }
        }
    }

    /// Delivers a batch of what is due; false when nothing was.
    async fn work(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        if self.paused_until.is_some_and(|until| lasts(until, now)) {
            return Ok(false);
        }
        let (store, receiver, most) = (self.store.clone(), self.receiver.clone(), self.room(now));
        let messages = blocking(move || {
            store.read(|reader| {
                // A file takes all or nothing, and shows in which order.
                let until = now + retry::LONGEST_OF_FILE + SET_BACK;
                if receiver.pauses() == Pauses::File
                    && reader.waits_until(receiver.name(), now, until)?
                {
                    return Ok(Vec::new());
                }
                let mut single = reader.due_deliveries(receiver.name(), now, most)?;
                let digest = reader.due_digest(receiver.name(), now, MOST_IN_DIGEST)?;
                // What is told together goes before later alerts of its stories.
                if let Some(first) = digest.first() {
                    single.retain(|delivery| delivery.alert < first.alert);
                }
                if single.is_empty() {
                    return Ok(Vec::from_iter((!digest.is_empty()).then_some(digest)));
                }
                Ok(single.into_iter().map(|delivery| vec![delivery]).collect())
            })
        })
        .await?;
        let any = !messages.is_empty();
        for message in messages {
            let ending = self.signal.borrow().end == Some(End::Now);
            if ending || self.not_before(self.clock.now()).is_some() {
                return Ok(false);
            }
            if !self.deliver(message).await? {
                return Ok(false);
            }
        }
        Ok(any)
    }

    /// Makes one attempt to deliver an alert, or those of a digest, and writes it down; false when
    /// the receiver needs a pause.
    async fn deliver(&mut self, due: Vec<DueDelivery>) -> Result<bool, StoreError> {
        let name = self.receiver.name();
        if let Some(why) = &self.gone {
            let why = format!("not sent, as {name} is gone: {why}; reload to ask it again");
            let ids: Vec<i64> = due.iter().map(|delivery| delivery.id).collect();
            error!(receiver = name, "deliveries {ids:?} are given up: {why}");
            self.store.settle(ids, Settled::Unsent { at: self.clock.now(), why }).await?;
            return Ok(true);
        }
        let (mut sent, mut records) = (Vec::new(), Vec::new());
        for delivery in &due {
            match serde_json::from_str::<AlertRecord>(&delivery.line) {
                Ok(record) => {
                    sent.push(delivery);
                    records.push(record);
                }
                Err(error) => {
                    let why = format!("the record is unreadable: {error}");
                    error!(receiver = name, "delivery {} is given up: {why}", delivery.id);
                    let dead = Settled::Dead { at: self.clock.now(), why };
                    self.store.settle(vec![delivery.id], dead).await?;
                }
            }
        }
        let (Some(first), Some(record)) = (sent.first(), records.first()) else {
            return Ok(true);
        };
        let alerts: Vec<Outgoing<'_>> = sent
            .iter()
            .zip(&records)
            .map(|(delivery, record)| Outgoing { record, line: &delivery.line })
            .collect();
        let started = self.clock.now();
        let outcome = self.receiver.deliver(&alerts, started).await;
        if let Some(pace) = &mut self.pace {
            pace.sent(started);
        }
        if let Delivery::Gone { why } = &outcome {
            self.gone = Some(why.clone());
        }
        let now = self.clock.now();
        let attempts = first.attempts + 1;
        let seed =
            first.id.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(attempts);
        let alert = &record.id;
        let what = match records.len() {
            1 => format!("alert {alert}"),
            several => format!("{several} alerts, the first {alert},"),
        };
        let (settled, carry_on) =
            match retry::next(outcome, attempts, self.receiver.pauses(), now, seed) {
                Next::Done => {
                    debug!(receiver = name, alert, attempts, "delivered {what} to {name}");
                    (Settled::Sent { at: now }, true)
                }
                Next::TryAt { at, why } => {
                    self.paused_until = Some(at.min(now + LONGEST_PAUSE));
                    warn!(receiver = name, alert, attempts, next_attempt = %at,
                    "delivering {what} to {name} failed: {why}");
                    (Settled::Again { at, failed: now, why }, false)
                }
                Next::Dead { why } => {
                    error!(
                        receiver = name,
                        alert, attempts, "{what} could not be delivered to {name}; given up: {why}"
                    );
                    (Settled::Dead { at: now, why }, true)
                }
            };
        let taken = matches!(settled, Settled::Sent { .. });
        if taken && !self.takes && (self.failing || attempts > 1) {
            info!(receiver = name, alert, attempts, "{name} is back: delivered {what}");
        }
        self.takes = taken || carry_on && self.takes;
        self.failing = !carry_on;
        let event = match &settled {
            Settled::Dead { at, why } => self.gave_up(alert, why, *at).await?,
            _ => None,
        };
        let ids = sent.iter().map(|delivery| delivery.id).collect();
        self.store.settle_and_tell(ids, settled, event).await?;
        Ok(carry_on)
    }

    /// What the others are told when an alert was given up: once, until one arrives again.
    async fn gave_up(
        &self,
        alert: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<OutgoingEvent>, StoreError> {
        let (store, receiver) = (self.store.clone(), self.receiver.clone());
        let known = blocking(move || store.read(|reader| reader.gave_up_last(receiver.name())));
        if known.await? {
            return Ok(None);
        }
        let event = operator::delivery_dead(self.receiver.name(), alert, why, now);
        Ok(self.teller.tell(&event, now))
    }

    /// How many deliveries are worth reading: of those that are not made now, one that was tried and
    /// failed may be another by then.
    fn room(&self, now: Timestamp) -> u32 {
        let paced = self.pace.as_ref().map_or(BATCH, |pace| pace.room(now));
        if self.failing { 1 } else { paced.min(BATCH) }
    }

    /// When the receiver's pace lets it have the next message; nothing when it may have it now.
    fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.pace.as_ref().and_then(|pace| pace.not_before(now))
    }

    /// Waits until there may be something to do; an error when the daemon is gone. What was due when
    /// the outbox was looked at has been delivered, or waits for what goes before it.
    async fn wait(&mut self, looked_at: Timestamp) -> Result<(), watch::error::RecvError> {
        let (store, receiver) = (self.store.clone(), self.receiver.clone());
        let next =
            blocking(move || store.read(|reader| reader.next_attempt(receiver.name(), looked_at)))
                .await;
        let now = self.clock.now();
        let paced = self.not_before(now);
        let resting = self.paused_until.filter(|until| lasts(*until, now)).max(paced);
        let next = match (next, resting) {
            (Err(_), _) => now + STORE_PAUSE,
            (Ok(_), Some(until)) => until,
            (Ok(Some(next)), None) => next.min(now + LOOK_EVERY),
            (Ok(None), None) => now + LOOK_EVERY,
        };
        let asleep = self.clock.sleep_until(next);
        tokio::pin!(asleep);
        loop {
            tokio::select! {
                () = &mut asleep => return Ok(()),
                changed = self.signal.changed() => {
                    changed?;
                    // A pause is kept however much arrives meanwhile, but not when stopping.
                    let now = self.clock.now();
                    let resting = resting.is_some_and(|until| lasts(until, now));
                    if !resting || self.signal.borrow().end.is_some() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Whether a pause until then is still to be kept. One that is longer than any is a leftover from
/// before the clock was set back.
fn lasts(until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now + LONGEST_PAUSE
}

/// Runs a query of the store off the event loop.
async fn blocking<T: Send + 'static>(
    query: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(query).await.map_err(|_| StoreError::Stopped)?
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_in_time_or_when_the_clock_is_set_back() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert!(lasts(at(30), at(0)));
        assert!(lasts(at(30), at(29)));
        assert!(!lasts(at(30), at(30)));
        assert!(!lasts(at(3600), at(0)), "no pause is that long");
    }
}
