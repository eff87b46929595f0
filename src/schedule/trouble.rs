//! What is wrong with a feed for longer than a moment, so that a person is told once when it
//! begins and once when it is over, however often it is polled and the daemon restarted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A trouble that a person is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It has failed for long.
    Broken,
    /// The server keeps us out.
    Blocked,
    /// The server says that it will never come back.
    Gone,
    /// The server's certificate is not accepted.
    Certificate,
    /// It is well, but has brought nothing new for longer than it ever takes.
    Quiet,
    /// It showed nothing but new items: others may have been missed.
    Gap,
    /// It has moved: its new address is asked.
    Moved,
    /// It has changed the ids of most of its items.
    Migrated,
}

impl Trouble {
    /// Whether it is a moment, which has no end that could be told.
    pub fn is_moment(self) -> bool {
        matches!(self, Trouble::Gap | Trouble::Moved | Trouble::Migrated)
    }
}

/// The troubles of a feed; the store keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles {
    /// When the failures in a row began, of whatever kind; absent while it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Those that were found and are not over, and when they were found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<Trouble, Timestamp>,
}

impl Troubles {
    /// The text to store.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("times under names are JSON")
    }

    /// Reads back what [`Troubles::to_json`] wrote; what cannot be read is found anew.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_read_back_as_they_were_written() {
        let troubles = Troubles {
            failing_since: Some(Timestamp::UNIX_EPOCH),
            found: BTreeMap::from([(Trouble::Broken, Timestamp::UNIX_EPOCH)]),
        };
        assert_eq!(Troubles::from_json(&troubles.to_json()), troubles);
        assert_eq!(Troubles::default().to_json(), "{}");
        assert_eq!(Troubles::from_json("{\"found\":{\"unheard-of\":1}}"), Troubles::default());
    }
}
