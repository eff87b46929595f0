//! From a pile of hits to what is worth reading: copies of one text ([`lineage`]), who a report
//! rests on ([`origin`]), stories as reports that read alike and the decision whom to tell when
//! ([`desk`]), cues of denial and confirmation ([`claims`]), and surges ([`surge`]).
//!
//! Nothing here judges what is true. Texts that read alike are called alike, never the same event.

mod alike;
pub mod claims;
pub mod desk;
pub mod edit;
pub mod lineage;
pub mod message;
pub mod origin;
pub mod reading;
pub mod surge;
mod terms;
#[cfg(test)]
mod tests;
mod watch;
pub(crate) mod words;

pub use desk::Desk;
pub use reading::Reading;
