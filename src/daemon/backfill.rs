//! Matches stored items against rules that are new, beside the event loop and a step at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::{Id, JoinSet};
use tracing::{error, info, warn};

use crate::backfill;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Step, Store, StoreError};
use crate::text::count;

/// Hits of a rule that are kept of items older than it; the newest items are looked at first.
const MOST_HITS: usize = 10_000;
/// How often the log says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// The work on new rules; nothing when there are none.
#[derive(Debug, Default)]
pub(super) struct Backfill {
    /// There are rules that stored items have not all been matched against.
    wanted: bool,
    /// Polls that match what they bring against rules that have been replaced since.
    old_polls: HashSet<Id>,
    task: JoinSet<bool>,
    halt: Arc<AtomicBool>,
}

impl Backfill {
    /// Takes note that so many rules are new while these polls are under way.
    pub(super) fn want(&mut self, new_rules: usize, polls: impl Iterator<Item = Id>) {
        self.wanted = new_rules > 0;
        self.old_polls = polls.collect();
    }

    /// Starts the work, or goes on with it, when there is any and no poll still brings items that
    /// are matched against old rules.
    pub(super) fn go_on(
        &mut self,
        store: &Arc<Store>,
        config: &Arc<Config>,
        clock: &Clock,
        is_under_way: impl Fn(&Id) -> bool,
    ) {
        if !self.wanted {
            return;
        }
        while let Some(ended) = self.task.try_join_next() {
            self.wanted &= !matches!(ended, Ok(true));
        }
        self.old_polls.retain(is_under_way);
        if self.wanted && self.task.is_empty() && self.old_polls.is_empty() {
            self.halt = Arc::default();
            let (store, config, clock) = (store.clone(), config.clone(), clock.clone());
            let halt = self.halt.clone();
            self.task.spawn(async move {
                match work(&store, &config, &clock, &halt).await {
                    Ok(()) => true,
                    // The heartbeat says so, once.
                    Err(error) if is_from_outside(&error) => false,
                    Err(error) => {
                        error!("failed to match stored items against new rules: {error:#}");
                        false
                    }
                }
            });
        }
    }

    /// Waits until all is done.
    pub(super) async fn finish(&mut self) {
        while self.task.join_next().await.is_some() {}
    }

    /// Stops after the step under way; what is left is done after the next start or reload.
    pub(super) async fn stop(&mut self) {
        self.halt.store(true, Ordering::Relaxed);
        self.finish().await;
    }
}

fn is_from_outside(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(StoreError::is_from_outside)
}

async fn work(
    store: &Arc<Store>,
    config: &Arc<Config>,
    clock: &Clock,
    halt: &AtomicBool,
) -> anyhow::Result<()> {
    let (mut items, mut hits) = (0, 0);
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut said = Instant::now();
    while !halt.load(Ordering::Relaxed) {
        let (reading, known) = (store.clone(), counts.keys().cloned().collect::<HashSet<_>>());
        let read = move || {
            reading.read(|reader| {
                let Some(step) = reader.next_step()? else { return Ok(None) };
                let unknown = step.rules.iter().filter(|rule| !known.contains(*rule));
                let counts = unknown.map(|rule| Ok((rule.clone(), reader.backfilled(rule)?)));
                let counts = counts.collect::<Result<Vec<_>, StoreError>>()?;
                Ok(Some((step, counts)))
            })
        };
        let Some((step, more)) = tokio::task::spawn_blocking(read).await?? else { break };
        if items == 0 {
            let rules = step.rules.join(", ");
            info!(%rules, "matching stored items against new rules: {rules}");
        }
        counts.extend(more);
        items += step.items.len();
        hits += take(store, config, clock, step, &mut counts).await?;
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            say(items, hits, "so far");
        }
    }
    if items > 0 {
        say(items, hits, "in all");
    }
    Ok(())
}

/// Says how many stored items were matched, and how often something was found.
fn say(items: usize, hits: usize, when: &str) {
    let (matched, found) = (count(items, "stored item"), count(hits, "hit"));
    info!(items, hits, "matched {matched} against new rules: {found} {when}");
}

/// Matches the items of a step and writes what was found.
async fn take(
    store: &Arc<Store>,
    config: &Arc<Config>,
    clock: &Clock,
    step: Step,
    counts: &mut HashMap<String, usize>,
) -> anyhow::Result<usize> {
    let now = clock.now();
    let Step { rules, items, below } = step;
    let (matching, wanted) = (config.clone(), rules.clone());
    let found = tokio::task::spawn_blocking(move || {
        backfill::hits(items, &wanted, &matching, &mut matching.rules.matcher(), now)
    });
    let mut found = found.await.context("matching failed")?;
    let mut full = Vec::new();
    found.retain(|past| {
        let count = counts.entry(past.rule.clone()).or_default();
        *count += 1;
        if *count == MOST_HITS {
            full.push(past.rule.clone());
        }
        *count <= MOST_HITS
    });
    for rule in &full {
        warn!(%rule, "{rule} hits {MOST_HITS} stored items; older ones are not looked at");
    }
    let rest = rules.into_iter().filter(|rule| !full.contains(rule)).collect();
    let stored = store.backfill(found, rest, below, now).await?;
    if !full.is_empty() {
        store.backfill(Vec::new(), full, None, now).await?;
    }
    Ok(stored)
}
