//! The types of alert records, each with the one fixed id that the systemd journal knows it by.
//!
//! docs/alert-record.md lists them for those who receive alerts. A type that is here keeps its
//! name, its id and its meaning.

/// The type of a rule's alert on one item.
pub const HIT: &str = "newswatch.hit";

/// Every type, with its `MESSAGE_ID` (systemd.journal-fields(7)).
pub const TYPES: [(&str, &str); 16] = [
    (HIT, "3c7c2f0a9be14f0d8d3a6f0e5b7a91c4"),
    ("newswatch.feed.broken", "3619a316698f470783df84924d0f28bd"),
    ("newswatch.feed.blocked", "fcdf221a8fde4bd39c58a344cb6a16cf"),
    ("newswatch.feed.gone", "2378da7a56ef4e3c933a62484a068a2e"),
    ("newswatch.feed.certificate", "79eb469aa2ca48eeacd9a48351788096"),
    ("newswatch.feed.quiet", "9b98f5ee3fff4271b573fba4125357db"),
    ("newswatch.feed.gap", "471d9f210aa04e02b8c86989c2e121c3"),
    ("newswatch.feed.moved", "f9ec5ce1e29b4b77b11dd2dc5f3f0d09"),
    ("newswatch.feed.migrated", "e5e933d09708479f8ad8ebd21342bce0"),
    ("newswatch.feed.recovered", "fdd80182580540a5b732fd5d5cf3b316"),
    ("newswatch.network.offline", "cb0e832e1e7d4404a561a28bfe8ea316"),
    ("newswatch.network.online", "ad8e75c438234771849de17117d204f3"),
    ("newswatch.delivery.dead", "5884b3dbadb24bf1ba4ea9b4aa2cf3ba"),
    ("newswatch.config.refused", "75b89c7fcf6644f3814addbd38b6c777"),
    ("newswatch.silence.ended", "77db3f62469cdc751d95534d5a2914ce"),
    ("newswatch.heartbeat", "47968021085e4174a0a553413454280f"),
];

/// The `MESSAGE_ID` of a type.
pub fn message_id(kind: &str) -> Option<&'static str> {
    TYPES.into_iter().find(|(name, _)| *name == kind).map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_type_has_an_id_of_its_own_and_stands_in_the_documentation() {
        let docs = include_str!("../../docs/alert-record.md");
        for (kind, id) in TYPES {
            assert!(docs.contains(&format!("| `{kind}` | `{id}` |")), "{kind} {id}");
        }
        let ids: HashSet<&str> = TYPES.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), TYPES.len());
        assert!(ids.iter().all(|id| id.len() == 32 && u128::from_str_radix(id, 16).is_ok()));
    }
}
