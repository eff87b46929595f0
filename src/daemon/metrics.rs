//! What is counted of the daemon's work, in the text that Prometheus reads.
//!
//! Counters start at zero with the daemon. What the store knows is looked up for each scrape, so
//! that it cannot disagree with the store.

use std::fmt;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::poller::Report;
use crate::store::{Census, Reader, StoreError};

/// The bounds of the time from publication to first sight, in seconds: a minute to a week.
const LAGS: [f64; 10] =
    [60.0, 300.0, 900.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0];

/// One label and its value.
type Label = [(&'static str, String); 1];

/// What has been counted since the start.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    polls: Family<Label, Counter>,
    unconditional: Counter,
    received: Counter,
    items: Counter,
    hits: Counter,
    alerts: Family<Label, Counter>,
    repairs: Family<Label, Counter>,
    lag: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("newswatch"),
            polls: Family::default(),
            unconditional: Counter::default(),
            received: Counter::default(),
            items: Counter::default(),
            hits: Counter::default(),
            alerts: Family::default(),
            repairs: Family::default(),
            lag: Histogram::new(LAGS),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("polls", "Polls by result", self.polls.clone());
        registry.register(
            "unconditional_requests",
            "Requests that sent no validators, so that an unchanged feed came whole",
            self.unconditional.clone(),
        );
        registry.register_with_unit(
            "received",
            "Bodies on the wire",
            Unit::Bytes,
            self.received.clone(),
        );
        registry.register("new_items", "Items not seen before", self.items.clone());
        registry.register("hits", "Matches that were kept", self.hits.clone());
        registry.register("alerts", "Alerts raised by rule", self.alerts.clone());
        registry.register(
            "parse_repairs",
            "Documents that had to be mended, by kind of repair",
            self.repairs.clone(),
        );
        registry.register_with_unit(
            "item_lag",
            "From an item's publication, as it says itself, to its first sight",
            Unit::Seconds,
            self.lag.clone(),
        );
        self
    }

    /// Counts a poll that was committed.
    pub(super) fn observe(&self, report: &Report) {
        let sample = &report.sample;
        self.polls.get_or_create(&[("result", sample.result.to_owned())]).inc();
        self.unconditional.inc_by(u64::from(sample.unconditional));
        self.received.inc_by(sample.received_bytes);
        self.items.inc_by(report.new_items as u64);
        self.hits.inc_by(report.hits as u64);
        self.alerted(&sample.alerted);
        for (kind, _) in report.document.iter().flat_map(|document| document.repairs.iter()) {
            self.repairs.get_or_create(&[("kind", kind.to_owned())]).inc();
        }
        for lag in &sample.lags {
            self.lag.observe(lag.as_secs_f64());
        }
    }

    /// Counts alerts by their rules.
    pub(super) fn alerted(&self, rules: &[String]) {
        for rule in rules {
            self.alerts.get_or_create(&[("rule", rule.clone())]).inc();
        }
    }

    /// All of it, and what the store knows at `now`, in the OpenMetrics text format.
    pub(super) fn text(&self, reader: &Reader, now: Timestamp) -> Result<String, StoreError> {
        let known = known(&reader.census(now)?);
        let mut text = String::new();
        let written: fmt::Result = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &known))
            .and_then(|()| encode_eof(&mut text));
        written.expect("writing into a String cannot fail");
        Ok(text)
    }
}

/// What the store knows.
fn known(census: &Census) -> Registry {
    let mut registry = Registry::with_prefix("newswatch");
    let version = env!("CARGO_PKG_VERSION");
    registry.register("build", "The version that runs", Info::new(vec![("version", version)]));
    let by_state = |counts: &[(String, u64)]| {
        let family = Family::<Label, Gauge<f64, AtomicU64>>::default();
        for (state, count) in counts {
            family.get_or_create(&[("state", state.clone())]).set(*count as f64);
        }
        family
    };
    registry.register("feeds", "Feeds by state", by_state(&census.feeds));
    registry.register(
        "deliveries",
        "Deliveries in the outbox by state: due, sent, dead",
        by_state(&census.deliveries),
    );
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: f64| match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, ConstGauge::new(value)),
        None => registry.register(name, help, ConstGauge::new(value)),
    };
    gauge(
        "overdue",
        "How long the enabled feed has waited for its poll that has waited longest",
        Some(Unit::Seconds),
        census.overdue.as_secs_f64(),
    );
    gauge("hosts_throttled", "Hosts that asked to be left alone", None, census.hosts as f64);
    gauge(
        "database",
        "The database file, without its log",
        Some(Unit::Bytes),
        census.database_bytes as f64,
    );
    let mut moment = |name: &str, help: &str, at: Option<Timestamp>| {
        if let Some(at) = at {
            gauge(name, help, Some(Unit::Seconds), at.as_millisecond() as f64 / 1000.0);
        }
    };
    moment("last_write_timestamp", "When the daemon last wrote to the database", census.last_write);
    moment(
        "config_last_reload_timestamp",
        "When the configuration was last read, accepted or not",
        census.configured.as_ref().map(|(at, _)| *at),
    );
    if let Some((_, accepted)) = census.configured {
        gauge(
            "config_last_reload_successful",
            "Whether the configuration that was last read is in force",
            None,
            f64::from(u8::from(accepted)),
        );
    }
    registry
}
