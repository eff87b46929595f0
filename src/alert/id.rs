//! Ids of hits and alerts: UUIDs of version 7 (RFC 9562 section 5.7) whose bits after the time are
//! a digest of what they name, so that the same hit taken in at the same moment has the same id.

use jiff::Timestamp;

use crate::item::ItemKey;

/// What a hit or an alert is about.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The rule.
    pub rule: &'a str,
    /// The feed.
    pub feed: &'a str,
    /// The item in it.
    pub item: ItemKey,
}

/// The id of a hit.
pub fn hit_id(identity: Identity<'_>, now: Timestamp) -> String {
    uuid("hit", identity, now)
}

/// The id of the alert that tells of a hit.
pub fn alert_id(identity: Identity<'_>, now: Timestamp) -> String {
    uuid("alert", identity, now)
}

/// The id of the alert of a type that tells a story by an item.
pub fn story_alert_id(kind: &str, rule: &str, item: &str, now: Timestamp) -> String {
    of(&ItemKey::of("story-alert", &[kind, rule, item]), now)
}

/// The id of the alert that tells of an edit of an item that a rule had hit: of the text that it made.
pub fn revised_alert_id(rule: &str, item: &str, revision: u32, now: Timestamp) -> String {
    of(&ItemKey::of("revised-alert", &[rule, item, &revision.to_string()]), now)
}

/// The id of the alert that tells of an event of the service: of its type, and of what it is about.
pub fn event_id(kind: &str, subject: &str, now: Timestamp) -> String {
    of(&ItemKey::of("event", &[kind, subject]), now)
}

/// The id of a message that tells of several alerts: the same for the same alerts.
pub(crate) fn message_id<'a>(alerts: impl IntoIterator<Item = &'a str>) -> String {
    let alerts: Vec<&str> = alerts.into_iter().collect();
    let digest = ItemKey::of("message", &alerts);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The id of the story that an item opens under a rule.
pub fn story_id(rule: &str, item: &str, now: Timestamp) -> String {
    format!("story-{}", of(&ItemKey::of("story", &[rule, item]), now))
}

fn uuid(kind: &str, identity: Identity<'_>, now: Timestamp) -> String {
    let Identity { rule, feed, item } = identity;
    of(&ItemKey::of(kind, &[rule, feed, &item.to_string()]), now)
}

fn of(digest: &ItemKey, now: Timestamp) -> String {
    let mut bits = [0; 10];
    bits.copy_from_slice(&digest.as_bytes()[..10]);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bits).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_same_hit_at_the_same_time_and_sorts_by_time() {
        let identity = Identity { rule: "a", feed: "b", item: ItemKey::of("guid", &["1"]) };
        let (now, later) =
            (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).expect("a second is a time"));
        assert_eq!(hit_id(identity, now), hit_id(identity, now));
        assert_ne!(hit_id(identity, now), alert_id(identity, now));
        assert!(hit_id(identity, now) < hit_id(identity, later));
    }
    #[test]
    fn each_edit_of_an_item_has_an_alert_of_its_own() {
        let id = |revision| revised_alert_id("a", "b/1", revision, Timestamp::UNIX_EPOCH);
        assert_eq!(id(2), id(2));
        assert_ne!(id(2), id(3));
    }
}
