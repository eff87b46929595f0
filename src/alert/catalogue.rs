//! The types of alert records, each with the one fixed id that the systemd journal knows it by.
//!
//! docs/alert-record.md lists them for those who receive alerts. A type that is here keeps its
//! name, its id and its meaning.

/// The type of a rule's alert on one item.
pub const HIT: &str = "newswatch.hit";
/// The type of an alert that tells a story.
pub const STORY_OPENED: &str = "newswatch.story.opened";
/// The type of an alert that says no more than that a story goes on.
pub const STORY_UPDATED: &str = "newswatch.story.updated";
/// The type of an alert that a story has as many independent origins as its rule asks for.
pub const STORY_CORROBORATED: &str = "newswatch.story.corroborated";
/// The type of an alert that a story has become more severe.
pub const SEVERITY_RAISED: &str = "newswatch.severity.raised";
/// The type of an alert that a story has its first word of denial.
pub const FIRST_DENIED: &str = "newswatch.claim.first_denied";
/// The type of an alert that a story has its first word of confirmation.
pub const FIRST_CONFIRMED: &str = "newswatch.claim.first_confirmed";
/// The type of an alert that a rule has far more news than usual.
pub const STORY_SURGE: &str = "newswatch.story.surge";
/// The type of an alert that an item which a rule had hit has been edited: it matches no more, or, where
/// the rule asks for every edit, it still matches.
pub const ITEM_REVISED: &str = "newswatch.item.revised";

/// The types of a rule's alerts.
pub const RULE_TYPES: [&str; 9] = [
    HIT,
    STORY_OPENED,
    STORY_UPDATED,
    STORY_CORROBORATED,
    SEVERITY_RAISED,
    FIRST_DENIED,
    FIRST_CONFIRMED,
    STORY_SURGE,
    ITEM_REVISED,
];

/// Every type, with its `MESSAGE_ID` (systemd.journal-fields(7)).
pub const TYPES: [(&str, &str); 24] = [
    (HIT, "3c7c2f0a9be14f0d8d3a6f0e5b7a91c4"),
    (STORY_OPENED, "d98ea23bc1954313b55a15c50ccec5d0"),
    (STORY_UPDATED, "f32a81aad8fa44008d214bfe975aa54e"),
    (STORY_CORROBORATED, "22e87995f0d64caba506a60ac3e600fb"),
    (SEVERITY_RAISED, "de47a4cff1b647879eeeb54ffe91b046"),
    (FIRST_DENIED, "f268ea6661f846508381d746557a7145"),
    (FIRST_CONFIRMED, "68cd109f779b4223855e592026462879"),
    (STORY_SURGE, "8e08d7d4efe14f8884d48a7b3b9498e0"),
    (ITEM_REVISED, "a5be38b47aea4d41bc0dd50ffcd41903"),
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
