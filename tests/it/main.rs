//! The one integration binary: the layers, the daemon against real sockets and a real database,
//! and the program as its users call it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod access;
mod backfill;
mod crash;
mod daemon;
mod delivery;
mod edits;
mod feeds_commands;
mod gaps;
mod kills;
mod layers;
mod metrics;
mod names;
mod old_stores;
mod operator;
mod poll_log;
mod polling;
mod program;
mod proxy;
mod receivers;
mod retold;
mod routing;
mod rules_doc;
mod scenarios;
mod schema;
mod server;
mod service;
mod shipped;
mod smtp;
mod stories;
mod story_history;
mod webhooks;
mod world;
