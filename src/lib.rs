//! newswatch polls news feeds, matches every item against watch rules, keeps the hits with their
//! evidence in SQLite, and alerts.
//!
//! Data goes one way: [`fetch`] brings bytes, [`feed`] makes them items, [`rules`] finds matches,
//! [`alert`] decides what is worth telling, [`pipeline`] composes these into a batch, [`store`]
//! commits the batch whole, and [`receivers`] deliver what the store's outbox holds.
//! docs/architecture.md draws the picture and lists the invariants.

// Values.
pub mod diagnostic;
pub mod hit;
pub mod item;
pub mod poll;

// The core: pure and synchronous; the time is an argument.
pub mod alert;
pub mod backfill;
pub mod config;
pub mod feed;
pub mod opml;
pub mod pipeline;
pub mod recognition;
pub mod rules;
pub mod schedule;
pub mod story;
pub mod text;

// The shell.
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod fetch;
pub mod receivers;
mod secret;
pub mod store;
pub mod telemetry;
