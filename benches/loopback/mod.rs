//! What the benches of polling share: a web server on loopback, and numbers by chance that are the
//! same in every run.

#![expect(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod chance;
pub(crate) mod server;
