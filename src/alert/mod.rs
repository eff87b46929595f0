//! From a hit to an alert that is worth telling: the decision and its named reason, the record
//! that receivers get, the route it takes, and when a failed delivery is tried again.

pub mod ack;
pub mod catalogue;
pub mod decide;
pub mod id;
pub(crate) mod notice;
pub mod operator;
pub(crate) mod pace;
pub mod record;
pub mod render;
pub mod retry;
pub mod revision;
pub mod route;
pub mod silence;
pub mod story;

#[cfg(test)]
mod schema_tests;
