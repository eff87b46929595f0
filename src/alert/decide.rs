//! Why a hit is told or not: named reasons that are stored with the hit, so that every silence can be
//! explained. Whether an item is news at all is decided here; the rest by its story
//! ([`crate::story::desk`]).

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use crate::config::FirstRun;

/// An item published longer ago than this, and never seen before, is stored but not told: a feed
/// that suddenly shows its archive is not news.
pub const LATE_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// After an outage, an item published longer ago than this is stored but not told.
pub const NEWS_AFTER_OUTAGE: SignedDuration = SignedDuration::from_hours(72);

/// Why a hit was told, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Told: the rule hit the item for the first time, and its hits are told one by one.
    FirstHit,
    /// Told at once: the rule had been quiet.
    ToldQuiet,
    /// Told at once: another outlet reports the story too.
    ToldOutlets,
    /// Told in the rule's bulletin.
    ToldBulletin,
    /// Told at once: the story's severity has risen since it was told.
    ToldSeverity,
    /// Told at once: the story, told before, has as many origins as its rule asks for.
    ToldCorroborated,
    /// Told at once: a report has a word of denial, the first in a story that was told.
    ToldDenied,
    /// Told at once: a report has a word of confirmation, the first in a story that was told.
    ToldConfirmed,
    /// Told at once: the story goes on, and was last told long enough ago.
    ToldUpdate,
    /// Told at once: the rule's cool-down had passed.
    ToldCooldown,
    /// Not told yet: the story waits for another outlet or the rule's next bulletin.
    Held,
    /// Not told: the bulletin was full.
    LeftOut,
    /// Not told: its publisher edited it so that it matches no more before anybody was told.
    Withdrawn,
    /// Not told by itself: its publisher edited it so that it matched no more before anybody was told, and
    /// later so that it matched again. A rule that asks for edits tells that as one.
    Restored,
    /// Not told: the item reads like a story that waits or was told.
    Joined,
    /// Not told: the item copies a text of a story that waits or was told.
    Copy,
    /// Not told: the headline comments, or stands over many things at once, while the rule is busy.
    Commentary,
    /// Not told: the rule's cool-down had not passed.
    Cooldown,
    /// Not told: the item was there when the feed was first polled.
    Baseline,
    /// Not told: the rule was added after the item had been stored.
    Backfill,
    /// Not told: the item was published more than [`LATE_AFTER`] before it was seen.
    Late,
    /// Not told: the item was published more than [`NEWS_AFTER_OUTAGE`] before it was found, after a
    /// time in which the feed could not be polled.
    Outage,
    /// Not told: the item is older than the rule's `max_age`.
    TooOld,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 23] = [
        Reason::FirstHit,
        Reason::ToldQuiet,
        Reason::ToldOutlets,
        Reason::ToldBulletin,
        Reason::ToldSeverity,
        Reason::ToldCorroborated,
        Reason::ToldDenied,
        Reason::ToldConfirmed,
        Reason::ToldUpdate,
        Reason::ToldCooldown,
        Reason::Held,
        Reason::LeftOut,
        Reason::Withdrawn,
        Reason::Restored,
        Reason::Joined,
        Reason::Copy,
        Reason::Commentary,
        Reason::Cooldown,
        Reason::Baseline,
        Reason::Backfill,
        Reason::Late,
        Reason::Outage,
        Reason::TooOld,
    ];

    /// The word that the store and the lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::FirstHit => "first-hit",
            Reason::ToldQuiet => "told-quiet",
            Reason::ToldOutlets => "told-outlets",
            Reason::ToldBulletin => "told-bulletin",
            Reason::ToldSeverity => "told-severity",
            Reason::ToldCorroborated => "told-corroborated",
            Reason::ToldDenied => "told-denied",
            Reason::ToldConfirmed => "told-confirmed",
            Reason::ToldUpdate => "told-update",
            Reason::ToldCooldown => "told-cooldown",
            Reason::Held => "held",
            Reason::LeftOut => "left-out",
            Reason::Withdrawn => "withdrawn",
            Reason::Restored => "restored",
            Reason::Joined => "joined",
            Reason::Copy => "copy",
            Reason::Commentary => "commentary",
            Reason::Cooldown => "cooldown",
            Reason::Baseline => "baseline",
            Reason::Backfill => "backfill",
            Reason::Late => "late",
            Reason::Outage => "outage",
            Reason::TooOld => "too-old",
        }
    }

    /// The reason of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The same in words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Reason::FirstHit => "told at once: the rule tells its hits one by one",
            Reason::ToldQuiet => "told at once: the rule had been quiet",
            Reason::ToldOutlets => "told at once: another outlet reports it too",
            Reason::ToldBulletin => {
                "told in the rule's bulletin, or along with what was told before it"
            }
            Reason::ToldSeverity => {
                "told at once: the story has become more severe since it was told"
            }
            Reason::ToldCorroborated => {
                "told at once: the story, told before, has as many origins as its rule asks for"
            }
            Reason::ToldDenied => {
                "told at once: the first word of denial in a story that was told before"
            }
            Reason::ToldConfirmed => {
                "told at once: the first word of confirmation in a story that was told before"
            }
            Reason::ToldUpdate => {
                "told at once: the story goes on, and was last told long enough before"
            }
            Reason::ToldCooldown => "told at once: the rule's cool-down had passed",
            Reason::Held => {
                "not told by itself: it waits, or waited, for another outlet or the rule's next bulletin"
            }
            Reason::LeftOut => "not told: the bulletin was full",
            Reason::Withdrawn => "not told: it was edited before, and matches no more",
            Reason::Restored => {
                "not told by itself: edited before so that it matched no more, it later matched again"
            }
            Reason::Joined => "not told: it reads like a story that waited or was told",
            Reason::Copy => "not told: it copies a text of a story that waited or was told",
            Reason::Commentary => {
                "not told: its headline comments, or stands over many things, while the rule is busy"
            }
            Reason::Cooldown => "not told: the rule's cool-down had not passed",
            Reason::Baseline => "not told: it was there when its feed was first polled",
            Reason::Backfill => "not told: it had been stored before the rule was added",
            Reason::Late => "not told: it was a week old or more when it was first seen",
            Reason::Outage => {
                "not told: it was old when it was found, after a time without polls of its feed"
            }
            Reason::TooOld => "not told: it is older than the rule's max_age",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The item was there before the feed was watched.
    pub baseline: bool,
    /// What the configuration wants then.
    pub first_run: FirstRun,
    /// The feed could not be polled for long before this poll.
    pub after_outage: bool,
    /// When the item was published, as far as its publisher says.
    pub published: Option<Timestamp>,
    /// When it was last changed.
    pub updated: Option<Timestamp>,
    /// The rule's own limit of age.
    pub max_age: Option<SignedDuration>,
    /// When the item was seen.
    pub now: Timestamp,
}

/// Why a hit is not told whatever its story says; nothing when its story decides.
pub fn silent(facts: &Facts) -> Option<Reason> {
    let age_since = |time: Option<Timestamp>| time.map(|time| facts.now.duration_since(time));
    let age = age_since(facts.published);
    if let (Some(age), Some(max_age)) = (age, facts.max_age)
        && age > max_age
    {
        return Some(Reason::TooOld);
    }
    if facts.baseline {
        // Whoever asks for the alerts of a first poll asks for old items too.
        match facts.first_run {
            FirstRun::Record => return Some(Reason::Baseline),
            FirstRun::Alert => {}
            FirstRun::AlertRecent(within) => {
                let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
                // Entries of Atom need not say when they were published.
                let age = age.or(age_since(facts.updated));
                if age.is_none_or(|age| age > within) {
                    return Some(Reason::Baseline);
                }
            }
        }
    } else if is_late(facts.published, facts.now) {
        return Some(Reason::Late);
    } else if facts.after_outage && age.is_some_and(|age| age > NEWS_AFTER_OUTAGE) {
        return Some(Reason::Outage);
    }
    None
}

/// Whether an item that is seen `now` for the first time was published long before.
pub fn is_late(published: Option<Timestamp>, now: Timestamp) -> bool {
    published.is_some_and(|published| now.duration_since(published) > LATE_AFTER)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: i64 = 3600;

    #[track_caller]
    fn check(
        first: Option<FirstRun>,
        age_hours: Option<i64>,
        max_age: Option<i64>,
        reason: Option<Reason>,
    ) {
        let now = Timestamp::from_second(1_700_000_000).expect("it is a time");
        let decision = silent(&Facts {
            baseline: first.is_some(),
            first_run: first.unwrap_or(FirstRun::Record),
            after_outage: false,
            published: age_hours.map(|hours| now - SignedDuration::from_secs(hours * HOUR)),
            updated: None,
            max_age: max_age.map(SignedDuration::from_hours),
            now,
        });
        assert_eq!(decision, reason);
    }

    #[test]
    fn a_new_item_is_told_and_an_old_one_only_recorded() {
        check(None, Some(1), None, None);
        check(None, None, None, None);
        check(None, Some(6 * 24), None, None);
        check(None, Some(8 * 24), None, Some(Reason::Late));
        check(None, Some(-5), None, None);
        check(None, Some(3), Some(2), Some(Reason::TooOld));
    }

    #[test]
    fn the_baseline_of_a_feed_tells_what_the_configuration_wants() {
        check(Some(FirstRun::Record), Some(1), None, Some(Reason::Baseline));
        check(Some(FirstRun::Alert), Some(100 * 24), None, None);
        let recent = FirstRun::AlertRecent(Duration::from_secs(6 * 3600));
        check(Some(recent), Some(5), None, None);
        check(Some(recent), Some(7), None, Some(Reason::Baseline));
        check(Some(recent), None, None, Some(Reason::Baseline));
    }

    #[test]
    fn what_was_changed_lately_and_does_not_say_when_it_was_published_is_recent() {
        let now = Timestamp::from_second(1_700_000_000).expect("it is a time");
        for (hours, reason) in [(5, None), (7, Some(Reason::Baseline))] {
            let decision = silent(&Facts {
                baseline: true,
                first_run: FirstRun::AlertRecent(Duration::from_secs(6 * 3600)),
                after_outage: false,
                published: None,
                updated: Some(now - SignedDuration::from_hours(hours)),
                max_age: None,
                now,
            });
            assert_eq!(decision, reason);
        }
    }

    #[test]
    fn after_an_outage_the_news_of_three_days_is_told() {
        let now = Timestamp::from_second(1_700_000_000).expect("it is a time");
        for (hours, reason) in [
            (Some(71), None),
            (Some(73), Some(Reason::Outage)),
            (Some(8 * 24), Some(Reason::Late)),
            (None, None),
        ] {
            let decision = silent(&Facts {
                baseline: false,
                first_run: FirstRun::Record,
                after_outage: true,
                published: hours.map(|hours| now - SignedDuration::from_secs(hours * HOUR)),
                updated: None,
                max_age: None,
                now,
            });
            assert_eq!(decision, reason);
        }
    }
}
