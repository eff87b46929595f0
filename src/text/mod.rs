//! Text as rules see it: normalised, cut into tokens and sentences, with a way back to the
//! original.
//!
//! Queries and items go through the same `Tokens::read`, so that they can only agree.

pub(crate) mod clean;
mod count;
mod fold;
pub(crate) mod inflect;
pub(crate) mod mojibake;
mod tokens;

pub(crate) use count::count;
pub(crate) use fold::{fold, holds};
pub(crate) use tokens::{Gap, Joined, Script, Token, Tokens};
