//! Turns events of the service into alerts for those who run it, within the limit that keeps many
//! of one type from becoming as many messages.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use crate::alert::operator::{
    self, Budget, Event, EventType, MOST_HELD, OutgoingEvent, Summary, WINDOW,
};
use crate::config::Config;
use crate::store::{Store, StoreError};

/// The fact that says when the last heartbeat was told.
const HEARTBEAT: &str = "operator-heartbeat";

/// What everybody needs who has something to tell; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    config: Arc<Config>,
    budget: Arc<Mutex<Budget>>,
}

impl Teller {
    /// A teller that knows what was told before.
    pub(crate) fn new(
        config: &Arc<Config>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let told = store.read(|reader| reader.events_told(now - WINDOW))?;
        let known = told.iter().filter_map(|(name, at)| {
            let kind = name.strip_prefix("newswatch.").and_then(EventType::from_name)?;
            Some((kind, *at))
        });
        let budget = Arc::new(Mutex::new(Budget::new(known)));
        Ok(Self { config: config.clone(), budget })
    }

    /// The same after a reload.
    pub(crate) fn with(&self, config: &Arc<Config>) -> Self {
        Self { config: config.clone(), budget: self.budget.clone() }
    }

    /// Whether anybody is told of events of this type.
    pub(crate) fn tells(&self, kind: EventType) -> bool {
        self.config.operator.tells(kind)
    }

    /// The alert that tells of an event; nothing when the configuration wants none of its type.
    pub(crate) fn tell(&self, event: &Event, now: Timestamp) -> Option<OutgoingEvent> {
        let mut budget = self.budget.lock().expect("nobody panics while counting");
        OutgoingEvent::new(event, &self.config, &mut budget, now)
    }

    /// Sums up what has waited long enough, and says that the service is alive when that is due;
    /// whether anything is told.
    pub(crate) async fn look(
        &self,
        store: &Arc<Store>,
        summary: Summary,
        now: Timestamp,
    ) -> anyhow::Result<bool> {
        let reading = store.clone();
        let read = move || {
            reading.read(|reader| Ok((reader.events_held(MOST_HELD)?, reader.fact(HEARTBEAT)?)))
        };
        let (held, last) =
            tokio::task::spawn_blocking(read).await?.context("failed to read events")?;
        let mut events = operator::summaries(&held, &self.config, now);
        let every = self.config.operator.heartbeat.map(SignedDuration::try_from);
        let every = every.map(|every| every.unwrap_or(SignedDuration::MAX));
        // A time ahead of now is one from before the clock was set back.
        let due = every
            .filter(|every| last.is_none_or(|last| now.duration_since(last.at).abs() >= *every));
        events.extend(due.and_then(|every| self.tell(&operator::heartbeat(summary, every), now)));
        if events.is_empty() {
            return Ok(false);
        }
        let note = due.map(|_| (HEARTBEAT.to_owned(), String::new()));
        store.raise(events, note, now).await.context("failed to store events")?;
        Ok(true)
    }
}
