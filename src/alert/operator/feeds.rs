//! What is told of a feed after a poll.

use std::collections::btree_map::Entry;

use jiff::{SignedDuration, Timestamp};

use super::{Event, EventType};
use crate::alert::record::{OperatorInfo, UrlInfo};
use crate::alert::render::minute;
use crate::config::Feed;
use crate::poll::FailureKind;
use crate::schedule::health::BROKEN_AFTER;
use crate::schedule::trouble::{Trouble, Troubles};
use crate::schedule::{FeedState, State};

/// A feed that brings nothing new is never called quiet before this.
const QUIET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// It is quiet after so many times the longest pause that it usually makes.
const QUIET_PAUSES: i32 = 2;
/// It is quiet after this when too little is known of its pauses.
const QUIET_UNKNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Pauses are learnt from the items of so long before the newest. A week is too short: it has one
/// weekend.
const LEARN_FROM: SignedDuration = SignedDuration::from_hours(28 * 24);
/// Or from so many items, when those are older.
const LEARN_FROM_ITEMS: usize = 20;
/// With fewer pauses than this nothing is known.
const FEWEST_PAUSES: usize = 5;
/// What is a moment and no condition, as a gap, is told again after this at the earliest.
const MOMENT_AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a person can do about a feed that is quiet.
pub const ADVICE_QUIET: &str = "look at the site: it may have a new feed, or have stopped; where such \
                               a silence is usual, set expected_every for the feed";

/// A poll that has ended, as far as the operator cares.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The feed.
    pub feed: &'a Feed,
    /// What was known of it before.
    pub before: &'a FeedState,
    /// What is known of it now.
    pub after: &'a FeedState,
    /// When its items came, newest first; needed where [`needs_times`] says so.
    pub times: &'a [Timestamp],
    /// When.
    pub now: Timestamp,
}

/// The troubles of the feed from now on, and what is told. `tells` says which types are wanted: the
/// end of a trouble is told where its beginning was.
pub fn events(look: &Look<'_>, tells: impl Fn(EventType) -> bool) -> (Troubles, Vec<Event>) {
    let mut troubles = look.before.troubles.clone();
    let mut events = Vec::new();
    let found = match look.after.failure {
        Some(failure) => {
            let since = *troubles.failing_since.get_or_insert(look.now);
            failing(look, failure, since)
        }
        None => {
            let over = end(look, &mut troubles);
            let told: Vec<Trouble> = over.into_iter().filter(|it| tells(kind(*it))).collect();
            events.extend((!told.is_empty()).then(|| recovered(look, &told)));
            troubles.failing_since = None;
            well(look)
        }
    };
    for trouble in found {
        if let Entry::Vacant(slot) = troubles.found.entry(trouble) {
            slot.insert(look.now);
            events.push(began(look, trouble, troubles.failing_since));
        }
    }
    (troubles, events)
}

/// Whether [`events`] needs to know when the feed's items came.
pub fn needs_times(feed: &Feed, before: &FeedState, after: &FeedState, now: Timestamp) -> bool {
    !before.troubles.found.contains_key(&Trouble::Quiet)
        && feed.expected_every.is_none()
        && silence(before, after, now).is_some_and(|silence| silence > QUIET_AFTER)
}

/// What is wrong with a feed that fails.
fn failing(look: &Look<'_>, failure: FailureKind, since: Timestamp) -> Vec<Trouble> {
    let known = |trouble| look.before.troubles.found.contains_key(&trouble);
    let explained = [Trouble::Blocked, Trouble::Gone, Trouble::Certificate].into_iter().any(known);
    match look.after.state {
        State::Gone => vec![Trouble::Gone],
        // Once may be a whim.
        State::Blocked if look.before.state == State::Blocked => vec![Trouble::Blocked],
        State::Blocked => Vec::new(),
        _ if failure == FailureKind::Certificate => vec![Trouble::Certificate],
        _ if !explained && look.now.duration_since(since) >= BROKEN_AFTER => vec![Trouble::Broken],
        _ => Vec::new(),
    }
}

/// What is wrong with a feed that can be read.
fn well(look: &Look<'_>) -> Vec<Trouble> {
    let Look { feed, before, after, now, .. } = *look;
    let mut found = Vec::new();
    let moments = [
        (Trouble::Gap, before.gap_at, after.gap_at),
        (Trouble::Moved, before.moved_at, after.moved_at),
        (Trouble::Migrated, before.migrated_at, after.migrated_at),
    ];
    let fresh = moments.iter().filter(|(_, before, after)| after.is_some() && before != after);
    found.extend(fresh.map(|(trouble, ..)| *trouble));
    // What was not asked for cannot have been missed: silence counts up to a good poll only.
    let silent = silence(before, after, now);
    if silent.is_some_and(|silent| silent > quiet_after(feed, look.times)) {
        found.push(Trouble::Quiet);
    }
    found
}

/// Takes out the troubles that are over; those that are told.
fn end(look: &Look<'_>, troubles: &mut Troubles) -> Vec<Trouble> {
    let news = look.after.last_new_item != look.before.last_new_item;
    let mut over = Vec::new();
    troubles.found.retain(|trouble, found| {
        if trouble.is_moment() {
            return look.now.duration_since(*found) < MOMENT_AGAIN;
        }
        let stays = *trouble == Trouble::Quiet && !news;
        over.extend((!stays).then_some(*trouble));
        stays
    });
    over
}

/// For how long a feed has brought nothing new; `None` when this poll did.
fn silence(before: &FeedState, after: &FeedState, now: Timestamp) -> Option<SignedDuration> {
    let since = after.last_new_item.or(after.baseline_at)?;
    (after.last_new_item == before.last_new_item).then(|| now.duration_since(since))
}

/// After how long without a new item a feed is quiet.
fn quiet_after(feed: &Feed, times: &[Timestamp]) -> SignedDuration {
    if let Some(every) = feed.expected_every {
        return SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    }
    let limit = usual_pause(times).map_or(QUIET_UNKNOWN, |pause| pause * QUIET_PAUSES);
    limit.max(QUIET_AFTER)
}

/// The pause between two items that only one in a hundred exceeds; of few the longest.
fn usual_pause(times: &[Timestamp]) -> Option<SignedDuration> {
    let mut times = times.to_vec();
    times.sort_unstable_by(|a, b| b.cmp(a));
    let newest = *times.first()?;
    let recent = times.iter().take_while(|time| newest.duration_since(**time) <= LEARN_FROM);
    times.truncate(recent.count().max(LEARN_FROM_ITEMS));
    let mut pauses: Vec<SignedDuration> =
        times.windows(2).map(|pair| pair[0].duration_since(pair[1])).collect();
    if pauses.len() < FEWEST_PAUSES {
        return None;
    }
    pauses.sort_unstable();
    let place = (pauses.len() * 99).div_ceil(100) - 1;
    Some(pauses[place])
}

fn kind(trouble: Trouble) -> EventType {
    match trouble {
        Trouble::Broken => EventType::FeedBroken,
        Trouble::Blocked => EventType::FeedBlocked,
        Trouble::Gone => EventType::FeedGone,
        Trouble::Certificate => EventType::FeedCertificate,
        Trouble::Quiet => EventType::FeedQuiet,
        Trouble::Gap => EventType::FeedGap,
        Trouble::Moved => EventType::FeedMoved,
        Trouble::Migrated => EventType::FeedMigrated,
    }
}

/// What is told when a trouble begins.
fn began(look: &Look<'_>, trouble: Trouble, failing_since: Option<Timestamp>) -> Event {
    let Look { feed, after, now, .. } = *look;
    let name = &feed.name;
    let fails = || (failing_since, after.why.clone());
    let (title, state, (since, why)) = match trouble {
        Trouble::Broken => (format!("feed {name} is broken"), "broken", fails()),
        Trouble::Blocked => (format!("the server keeps feed {name} out"), "blocked", fails()),
        Trouble::Gone => (format!("feed {name} is gone"), "gone", fails()),
        Trouble::Certificate => {
            (format!("the certificate of feed {name} is not accepted"), "broken", fails())
        }
        Trouble::Quiet => {
            let since = after.last_new_item.or(after.baseline_at);
            let silent = since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
            let limit = quiet_after(feed, look.times);
            let why = format!(
                "no new item for {}; it never takes more than {}",
                in_words(silent),
                in_words(limit)
            );
            (format!("feed {name} is quiet"), "quiet", (since, Some(why)))
        }
        Trouble::Gap => {
            let why = format!("all {} items were new at one poll", after.window);
            (format!("feed {name} may have lost items"), "ok", (Some(now), Some(why)))
        }
        Trouble::Moved => {
            let why = format!("permanent redirects led to {} and have proven true", address(look));
            (format!("feed {name} has moved"), "ok", (Some(now), Some(why)))
        }
        Trouble::Migrated => {
            let title = format!("feed {name} has changed the ids of its items");
            let why = "most of them were known again by their addresses or headlines".to_owned();
            (title, "ok", (Some(now), Some(why)))
        }
    };
    let advice = match trouble {
        Trouble::Gap if look.feed.interval.is_some() => "set a shorter interval for it".to_owned(),
        Trouble::Gap => "set a shorter min_interval for it, or an interval".to_owned(),
        Trouble::Quiet => ADVICE_QUIET.to_owned(),
        Trouble::Moved => format!("write url = {:?} for the feed", address(look)),
        Trouble::Migrated => {
            "see in `newswatch items` whether what counts as new is new".to_owned()
        }
        Trouble::Broken | Trouble::Blocked | Trouble::Gone | Trouble::Certificate => {
            advice(after.state, after.failure)
        }
    };
    let next = format!("it is asked again at {}", minute(after.next_due));
    event(look, kind(trouble), title, state, since, why, Some(next), Some(advice))
}

/// The address that is asked.
fn address<'a>(look: &Look<'a>) -> &'a str {
    look.after.effective_url.as_deref().unwrap_or(look.feed.url.as_str())
}

/// What is told when troubles are over.
fn recovered(look: &Look<'_>, over: &[Trouble]) -> Event {
    let Look { feed, before, now, .. } = *look;
    let mut parts = Vec::new();
    if over.iter().any(|trouble| *trouble != Trouble::Quiet)
        && let Some(since) = before.troubles.failing_since
    {
        parts.push(format!("it failed for {}", in_words(now.duration_since(since))));
    }
    if over.contains(&Trouble::Quiet)
        && let Some(since) = before.last_new_item.or(before.baseline_at)
    {
        parts.push(format!("it brought nothing new for {}", in_words(now.duration_since(since))));
    }
    let why = (!parts.is_empty()).then(|| parts.join(", "));
    let title = format!("feed {} is well again", feed.name);
    event(look, EventType::FeedRecovered, title, "ok", Some(now), why, None, None)
}

#[expect(clippy::too_many_arguments, reason = "each is a field of the record")]
fn event(
    look: &Look<'_>,
    kind: EventType,
    title: String,
    state: &str,
    since: Option<Timestamp>,
    why: Option<String>,
    next: Option<String>,
    advice: Option<String>,
) -> Event {
    let name = look.feed.name.to_string();
    Event {
        kind,
        subject: format!("feed/{name}"),
        info: OperatorInfo {
            title,
            feeds: vec![name],
            feed_count: 1,
            receiver: None,
            state: state.to_owned(),
            since,
            why,
            next,
            advice,
            url: Some(UrlInfo { full: look.feed.url.to_string() }),
        },
    }
}

/// What a person can do about a feed that fails.
pub fn advice(state: State, failure: Option<FailureKind>) -> String {
    let advice = match (state, failure) {
        (State::Gone, _) | (_, Some(FailureKind::Gone | FailureKind::NotFound)) => {
            "look for its new address: `newswatch feeds add URL` finds the feeds of a page; or set \
             enabled = false"
        }
        (State::Blocked, _) | (_, Some(FailureKind::Blocked)) => {
            "open the address in a browser. If it wants a password, set username and password_file; \
             if it keeps robots out, set poll.user_agent_contact and ask the site to let newswatch \
             in, go by a proxy, or take another feed of the site"
        }
        (State::Throttled, _) | (_, Some(FailureKind::Throttled)) => {
            "ask less often: a longer interval of the feed or in [poll], where one is set, else a longer \
             min_interval; a longer poll.host_gap; fewer feeds of this host"
        }
        (_, Some(FailureKind::Certificate)) => {
            "is this machine's clock right, and are its certificates of authorities up to date? Name \
             an authority of your own with ca_file; else the site must renew its certificate"
        }
        (_, Some(FailureKind::Dns)) => {
            "is the host's name right? Look it up from this machine; if the site has moved, change \
             the address"
        }
        (_, Some(FailureKind::Connect)) => {
            "is the server up, and may this machine reach it? A firewall or a proxy may be in the way"
        }
        (_, Some(FailureKind::Timeout | FailureKind::Broken)) => {
            "is the line to the server good? If others can read it, it may slow robots down"
        }
        (_, Some(FailureKind::TooLarge)) => {
            "take a smaller feed of the site: this one is over the limits of size"
        }
        (_, Some(FailureKind::Forbidden)) => {
            "if a private address is meant, set allow_private = true for the feed"
        }
        (_, Some(FailureKind::Redirect)) => {
            "open the address in a browser, and put the one at which it ends into the configuration"
        }
        (_, Some(FailureKind::Settings)) => {
            "mend the file that the configuration names for the feed: newswatch must be able to read it"
        }
        (_, Some(FailureKind::Server)) => "wait, or write to the site: the fault is the server's",
        (_, Some(FailureKind::Parse | FailureKind::Protocol)) => {
            "`newswatch feeds poll --force NAME` shows what it gives; where it is a web page that names a feed, \
             put that address into the configuration"
        }
        (_, None) => "`newswatch feeds poll --force NAME` shows what it gives",
    };
    advice.to_owned()
}

/// A duration for a person: its two largest units.
pub(super) fn in_words(duration: SignedDuration) -> String {
    let minutes = duration.as_mins().max(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) if minutes > 0 => format!("{hours} h {minutes} min"),
        (0, _) => format!("{hours} h"),
        (_, 0) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::record::tests::feed;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// A feed through some polls, and what was told after each.
    struct History {
        feed: Feed,
        state: FeedState,
        /// When its items came.
        times: Vec<Timestamp>,
        muted: Vec<EventType>,
        last: Vec<Event>,
    }

    impl History {
        /// A feed that was well at 0 s and brought its newest item then, one every six hours.
        fn new() -> Self {
            let mut state = FeedState::new(at(0), at(0));
            state.state = State::Active;
            state.baseline_at = Some(at(-10 * DAY));
            state.last_new_item = Some(at(0));
            let times = (0..40).map(|count| at(-6 * HOUR * count)).collect();
            Self { feed: feed(), state, times, muted: Vec::new(), last: Vec::new() }
        }

        fn poll(&mut self, seconds: i64, change: impl FnOnce(&mut FeedState)) -> Vec<&'static str> {
            let mut after = self.state.clone();
            change(&mut after);
            let now = at(seconds);
            let needed = operator_times(&self.feed, &self.state, &after, now);
            let times = if needed { self.times.as_slice() } else { &[] };
            let look = Look { feed: &self.feed, before: &self.state, after: &after, times, now };
            let (troubles, events) = events(&look, |kind| !self.muted.contains(&kind));
            after.troubles = troubles;
            self.state = after;
            self.last = events;
            self.last.iter().map(|event| event.kind.as_str()).collect()
        }

        fn fails(&mut self, hour: i64, state: State, kind: FailureKind) -> Vec<&'static str> {
            self.poll(hour * HOUR, |feed| {
                feed.state = state;
                feed.failure = Some(kind);
                feed.failures += 1;
                feed.why = Some("why".to_owned());
            })
        }

        fn server_fails(&mut self, hour: i64) -> Vec<&'static str> {
            self.fails(hour, State::Retry, FailureKind::Server)
        }

        /// A good poll that brings nothing, or something.
        fn is_well(&mut self, hour: i64, news: bool) -> Vec<&'static str> {
            self.poll(hour * HOUR, |feed| {
                feed.state = State::Active;
                (feed.failure, feed.why, feed.failures) = (None, None, 0);
                if news {
                    feed.last_new_item = Some(at(hour * HOUR));
                }
            })
        }
    }

    fn operator_times(feed: &Feed, before: &FeedState, after: &FeedState, now: Timestamp) -> bool {
        after.failure.is_none() && needs_times(feed, before, after, now)
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn a_feed_is_broken_after_a_day_and_its_recovery_is_told_each_once() {
        let mut history = History::new();
        assert_eq!(history.server_fails(1), NOTHING);
        assert_eq!(history.server_fails(24), NOTHING);
        assert_eq!(history.server_fails(25), ["feed.broken"]);
        let info = &history.last[0].info;
        assert_eq!((info.since, info.why.as_deref()), (Some(at(HOUR)), Some("why")));
        assert_eq!(history.server_fails(31), NOTHING);
        assert_eq!(history.fails(60, State::Retry, FailureKind::Dns), NOTHING);
        assert_eq!(history.is_well(61, true), ["feed.recovered"]);
        assert_eq!(history.last[0].info.why.as_deref(), Some("it failed for 2 d 12 h"));
        assert_eq!(history.is_well(62, false), NOTHING);
        assert_eq!(history.state.troubles, Troubles::default());
    }

    #[test]
    fn a_trouble_that_passes_before_it_is_told_leaves_nothing_to_tell() {
        let mut history = History::new();
        history.server_fails(1);
        assert_eq!(history.is_well(20, true), NOTHING);
        assert_eq!(history.server_fails(40), NOTHING, "the first failure of another trouble");
    }

    #[test]
    fn a_host_that_asks_for_patience_all_day_is_as_blind_a_spot_as_one_that_fails() {
        let mut history = History::new();
        history.fails(1, State::Throttled, FailureKind::Throttled);
        let told = history.fails(26, State::Throttled, FailureKind::Throttled);
        assert_eq!(told, ["feed.broken"]);
        assert!(history.last[0].info.advice.as_deref().unwrap().contains("less often"));
    }

    #[test]
    fn a_feed_is_blocked_when_it_happens_twice_and_not_broken_beside() {
        let mut history = History::new();
        assert_eq!(history.fails(1, State::Blocked, FailureKind::Blocked), NOTHING);
        assert_eq!(history.fails(5, State::Blocked, FailureKind::Blocked), ["feed.blocked"]);
        assert_eq!(history.fails(30, State::Blocked, FailureKind::Blocked), NOTHING);
        assert_eq!(history.server_fails(50), NOTHING);
        assert_eq!(history.is_well(51, true), ["feed.recovered"]);
    }

    #[test]
    fn a_feed_that_was_broken_and_then_turns_out_to_be_gone_is_told_as_both() {
        let mut history = History::new();
        history.server_fails(1);
        assert_eq!(history.server_fails(26), ["feed.broken"]);
        assert_eq!(history.fails(30, State::Gone, FailureKind::Gone), ["feed.gone"]);
        assert_eq!(history.fails(200, State::Gone, FailureKind::Gone), NOTHING);
        assert_eq!(history.is_well(201, true), ["feed.recovered"], "once for both");
    }

    #[test]
    fn a_certificate_that_is_not_accepted_is_told_at_once() {
        let mut history = History::new();
        let kind = FailureKind::Certificate;
        assert_eq!(history.fails(1, State::Retry, kind), ["feed.certificate"]);
        assert!(history.last[0].info.advice.as_deref().unwrap().contains("clock"));
        assert_eq!(history.fails(40, State::Retry, kind), NOTHING);
    }

    #[test]
    fn a_feed_is_quiet_after_twice_its_longest_usual_pause_and_never_within_a_day() {
        let mut history = History::new();
        assert_eq!(history.is_well(24, false), NOTHING);
        assert_eq!(history.is_well(25, false), ["feed.quiet"], "it brings one every six hours");
        assert_eq!(history.is_well(60, false), NOTHING);
        assert_eq!(history.is_well(61, true), ["feed.recovered"]);
        let mut rare = History::new();
        rare.times = (0..10).map(|week| at(-7 * DAY * week)).collect();
        assert_eq!(rare.is_well(14 * 24, false), NOTHING);
        assert_eq!(rare.is_well(14 * 24 + 1, false), ["feed.quiet"]);
        let mut unknown = History::new();
        unknown.times.truncate(3);
        assert_eq!(unknown.is_well(30 * 24, false), NOTHING);
        assert_eq!(unknown.is_well(30 * 24 + 1, false), ["feed.quiet"]);
    }

    #[test]
    fn expected_every_says_when_a_feed_is_quiet() {
        let mut history = History::new();
        history.feed.expected_every = Some(Duration::from_secs(2 * 3600));
        assert_eq!(history.is_well(2, false), NOTHING);
        assert_eq!(history.is_well(3, false), ["feed.quiet"]);
    }

    #[test]
    fn a_feed_that_fails_is_not_called_quiet_as_nobody_can_know() {
        let mut history = History::new();
        for hour in 1..24 {
            assert_eq!(history.server_fails(hour), NOTHING);
        }
        assert_eq!(history.server_fails(100), ["feed.broken"]);
    }

    #[test]
    fn a_silence_that_is_the_hundredth_part_does_not_stretch_what_is_usual() {
        let hours = SignedDuration::from_hours;
        let mut times: Vec<Timestamp> = (0..150).map(|count| at(-HOUR * count)).collect();
        times.push(at(-HOUR * 149 - 3 * DAY));
        assert_eq!(usual_pause(&times), Some(hours(1)));
        assert_eq!(usual_pause(&times[140..]), Some(hours(72)));
        assert_eq!(usual_pause(&times[..5]), None);
    }

    #[test]
    fn a_gap_is_told_once_a_week_and_has_no_recovery() {
        let mut history = History::new();
        let mut gap = |hour: i64| {
            history.poll(hour * HOUR, |feed| {
                feed.last_new_item = Some(at(hour * HOUR));
                feed.gap_at = Some(at(hour * HOUR));
            })
        };
        assert_eq!(gap(1), ["feed.gap"]);
        assert_eq!(gap(2), NOTHING);
        assert_eq!(gap(7 * 24 + 1), ["feed.gap"]);
        assert_eq!(history.is_well(7 * 24 + 2, true), NOTHING);
        assert_eq!(history.is_well(20 * 24, true), NOTHING);
    }

    #[test]
    fn a_gap_advises_what_the_feed_does_not_have_yet() {
        let advice = |interval| {
            let mut history = History::new();
            history.feed.interval = interval;
            history.poll(HOUR, |feed| feed.gap_at = Some(at(HOUR)));
            history.last[0].info.advice.clone().unwrap()
        };
        assert_eq!(advice(None), "set a shorter min_interval for it, or an interval");
        assert_eq!(advice(Some(Duration::from_secs(3600))), "set a shorter interval for it");
    }

    #[test]
    fn a_feed_that_has_moved_is_told_with_its_new_address() {
        let mut history = History::new();
        let told = history.poll(HOUR, |feed| {
            feed.effective_url = Some("https://new.example/feed".to_owned());
            feed.moved_at = Some(at(HOUR));
        });
        assert_eq!(told, ["feed.moved"]);
        assert!(history.last[0].info.advice.as_deref().unwrap().contains("https://new.example"));
        assert_eq!(history.is_well(2, true), NOTHING);
    }

    #[test]
    fn a_feed_that_changes_its_ids_again_and_again_is_told_once_a_week() {
        let mut history = History::new();
        let mut migrate = |hour: i64| {
            history.poll(hour * HOUR, |feed| {
                feed.last_new_item = Some(at(hour * HOUR));
                feed.migrated_at = Some(at(hour * HOUR));
            })
        };
        assert_eq!(migrate(1), ["feed.migrated"]);
        assert_eq!(migrate(2), NOTHING);
        assert_eq!(migrate(7 * 24 + 1), ["feed.migrated"]);
        assert_eq!(history.is_well(7 * 24 + 2, true), NOTHING);
    }

    #[test]
    fn the_end_of_a_trouble_is_told_only_where_its_beginning_was() {
        let mut history = History::new();
        history.muted = vec![EventType::FeedBroken];
        history.server_fails(1);
        history.server_fails(26);
        assert_eq!(history.is_well(27, true), NOTHING);
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let words = |minutes| in_words(SignedDuration::from_mins(minutes));
        assert_eq!(
            [5, 60, 61, 1440, 1501].map(words),
            ["5 min", "1 h", "1 h 1 min", "1 d", "1 d 1 h"]
        );
        assert_eq!(words(-5), "0 min");
    }
}
