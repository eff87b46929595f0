use super::pace::{HOUR, MINUTE};
use super::rate::Limits;
use super::*;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn failure(kind: FailureKind, retry_after: Option<u64>) -> Failure {
    let retry_after = retry_after.map(Duration::from_secs);
    let freshness = Freshness { lifetime: None, retry_after };
    Failure { kind, status: None, message: "why".to_owned(), freshness }
}

/// An answer that says nothing but its validators.
fn answer(validators: &Validators) -> Answer<'_> {
    Answer { validators, freshness: Freshness::default(), moved_to: None }
}

const LIMITS: Limits = Limits { min: Duration::from_secs(900), max: Duration::from_secs(6 * 3600) };
const PACE: Pace =
    Pace { fixed: Some(Duration::from_secs(900)), limits: LIMITS, local: false, heed: Heed::All };
const LEARNT: Pace = Pace { fixed: None, ..PACE };

/// The pauses that follow failures of one kind, one right after the other.
#[track_caller]
fn check_ladder(kind: FailureKind, state: State, pauses: &[i64]) {
    check_ladder_of(PACE, kind, state, pauses);
}

/// The same of a feed that is asked at that pace while all is well.
#[track_caller]
fn check_ladder_of(pace: Pace, kind: FailureKind, state: State, pauses: &[i64]) {
    let mut feed = FeedState::new(time(0), time(0));
    let mut now = time(0);
    for (count, pause) in pauses.iter().enumerate() {
        feed = lease(&feed, pace, now);
        let next = advance(&feed, Polled::Failed(&failure(kind, None)), pace, now, 0);
        feed = next.feed;
        assert_eq!(feed.next_due.duration_since(now).as_secs(), *pause, "{kind:?} {count}");
        now = feed.next_due;
    }
    assert_eq!(feed.state, state);
    assert_eq!(feed.failures as usize, pauses.len());
}

#[test]
fn failures_are_tried_again_less_and_less_often_and_for_ever() {
    let (m, h, d) = (MINUTE, HOUR, DAY);
    check_ladder(
        FailureKind::Server,
        State::Retry,
        &[5 * m, 15 * m, 30 * m, h, 2 * h, 4 * h, 6 * h, 6 * h],
    );
    check_ladder(
        FailureKind::NotFound,
        State::Retry,
        &[30 * m, h, 2 * h, 4 * h, 8 * h, 16 * h, d, d],
    );
    check_ladder(FailureKind::Blocked, State::Blocked, &[4 * h, 8 * h, 16 * h, d, d]);
    check_ladder(FailureKind::Gone, State::Gone, &[d, 7 * d, 7 * d, 7 * d, 7 * d, 30 * d, 30 * d]);
    check_ladder(FailureKind::Throttled, State::Throttled, &[h, 2 * h, 4 * h, 8 * h, 16 * h, d, d]);
}

/// The pace of a feed of that interval.
fn every(seconds: u64) -> Pace {
    Pace { fixed: Some(Duration::from_secs(seconds)), ..PACE }
}

#[test]
fn a_feed_that_is_asked_often_is_tried_again_soon() {
    let (m, h, d) = (MINUTE, HOUR, DAY);
    let usual = [5 * m, 15 * m, 30 * m, h, 2 * h, 4 * h, 6 * h, 6 * h];
    let ladder = |seconds, kind, pauses: &[i64]| {
        check_ladder_of(every(seconds), kind, State::Retry, pauses);
    };
    ladder(
        10,
        FailureKind::Timeout,
        &[10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 6 * h, 6 * h],
    );
    ladder(300, FailureKind::Connect, &[5 * m, 10 * m, 20 * m, 40 * m, 80 * m, 160 * m, 320 * m]);
    for seconds in [450, 900, 3600, 24 * 3600] {
        ladder(seconds, FailureKind::Server, &usual);
    }
    ladder(10, FailureKind::NotFound, &[30 * m, h, 2 * h, 4 * h, 8 * h, 16 * h, d]);
    ladder(10, FailureKind::Settings, &[10, 20, 40, m, m]);
    check_ladder_of(every(10), FailureKind::Blocked, State::Blocked, &[4 * h, 8 * h]);
    check_ladder_of(every(10), FailureKind::Throttled, State::Throttled, &[h, 2 * h]);
}

#[test]
fn a_feed_without_news_differs_only_in_when_it_was_asked() {
    let given = validators();
    let asked = |feed: &FeedState, polled: Polled<'_>, at| {
        advance(&lease(feed, PACE, time(at)), polled, PACE, time(at), 0).feed
    };
    let first = asked(&FeedState::new(time(0), time(0)), Polled::SameBody(answer(&given)), 0);
    let second = asked(&first, Polled::NotModified(answer(&given)), 900);
    let third = asked(&second, Polled::NotModified(answer(&given)), 1800);
    assert_ne!(second, third);
    assert!(second.clone().differs_only_in_times(&third));
    let failed = asked(&second, Polled::Failed(&failure(FailureKind::Dns, None)), 1800);
    assert!(!second.differs_only_in_times(&failed));
}

#[test]
fn what_failed_before_a_refusal_does_not_count_for_it() {
    let mut failing = FeedState::new(time(0), time(0));
    for now in 0..4 {
        let failed = failure(FailureKind::Server, None);
        failing = advance(&failing, Polled::Failed(&failed), PACE, time(now), 0).feed;
    }
    for (kind, pause) in [
        (FailureKind::Throttled, HOUR),
        (FailureKind::Blocked, 4 * HOUR),
        (FailureKind::NotFound, 30 * MINUTE),
    ] {
        let refused = failure(kind, None);
        let mut next = advance(&failing, Polled::Failed(&refused), PACE, time(10), 0).feed;
        assert_eq!(next.next_due, time(10 + pause), "{kind:?}");
        // Somebody asks before its time.
        next = advance(&next, Polled::Failed(&refused), PACE, time(20), 0).feed;
        assert_eq!(next.next_due, time(20 + pause), "{kind:?}");
        next = advance(&next, Polled::Failed(&refused), PACE, time(20 + pause), 0).feed;
        assert_eq!(next.next_due, time(20 + 3 * pause), "{kind:?}");
    }
}

#[test]
fn one_410_is_not_the_end() {
    let feed = FeedState::new(time(0), time(0));
    let gone = failure(FailureKind::Gone, None);
    let once = advance(&feed, Polled::Failed(&gone), PACE, time(0), 0).feed;
    assert_eq!(once.state, State::Retry);
    assert_eq!(advance(&once, Polled::Failed(&gone), PACE, time(DAY), 0).feed.state, State::Gone);
}

#[test]
fn a_host_that_asks_for_patience_is_left_alone_with_all_its_feeds() {
    let feed = FeedState::new(time(0), time(0));
    let asked = failure(FailureKind::Throttled, Some(7200));
    let next = advance(&feed, Polled::Failed(&asked), PACE, time(0), 0);
    assert_eq!(next.host_not_before, Some(time(7200)));
    assert_eq!(next.feed.next_due, time(7200));
}

#[test]
fn success_forgets_failures_and_keeps_the_validators_it_is_given() {
    let mut feed = FeedState::new(time(0), time(0));
    feed = advance(&feed, Polled::Failed(&failure(FailureKind::Dns, None)), PACE, time(0), 0).feed;
    let validators = Validators { etag: Some(b"\"v1\"".to_vec()), ..Validators::default() };
    let polled = Polled::Changed {
        answer: answer(&validators),
        body_hash: [1; 32],
        seen: &Seen { shown: 2, new: vec![None; 2], ..Seen::default() },
    };
    feed = advance(&lease(&feed, PACE, time(10)), polled, PACE, time(12), 0).feed;
    assert_eq!((feed.state, feed.failures, feed.why.as_deref()), (State::Active, 0, None));
    assert_eq!(feed.validators, validators);
    assert_eq!(
        (feed.last_ok, feed.last_new_item, feed.baseline_at),
        (Some(time(12)), Some(time(12)), Some(time(12)))
    );
    assert_eq!(feed.next_due, time(10 + 900));
}

/// Seconds after its last request at which a feed is due that was asked at the pace `before`, once it has
/// the pace `after`.
fn due_after(before: Pace, after: Pace, lifetime: Option<u64>) -> i64 {
    let mut feed = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
    let given = validators();
    let freshness = Freshness { lifetime: lifetime.map(Duration::from_secs), retry_after: None };
    let polled = Polled::NotModified(Answer { freshness, ..answer(&given) });
    feed = advance(&lease(&feed, before, time(DAY)), polled, before, time(DAY + 2), 900).feed;
    due(&feed, after).duration_since(time(DAY)).as_secs()
}

#[test]
fn a_shorter_interval_counts_at_once_and_a_longer_one_from_the_next_poll_on() {
    let jittered = 3600 + 324;
    assert_eq!(due_after(every(3600), every(3600), None), jittered);
    assert_eq!(due_after(every(3600), every(7200), None), jittered);
    assert_eq!(due_after(every(3600), every(600), None), 600);
    assert_eq!(due_after(every(3600), every(10), None), 10);
    assert_eq!(due_after(every(3600), every(600), Some(1800)), 1800, "it stays fresh for so long");
    assert_eq!(due_after(every(3600), every(600), Some(7200)), 7200);
}

#[test]
fn a_longest_interval_that_is_shorter_counts_at_once() {
    let (quiet, max) = (due_after(LEARNT, LEARNT, None), LIMITS.max.as_secs() as i64);
    assert_eq!(quiet, max + max * 9 / 100);
    let at_most = |seconds| Pace {
        limits: Limits { min: Duration::from_secs(1), max: Duration::from_secs(seconds) },
        ..LEARNT
    };
    assert_eq!(due_after(LEARNT, at_most(1800), None), 1800);
    assert_eq!(due_after(LEARNT, at_most(20), None), MINUTE, "nobody wants it that often");
}

#[test]
fn a_feed_that_fails_keeps_its_pause_whatever_its_interval() {
    let feed = lease(&FeedState::new(time(0), time(0)), PACE, time(0));
    let server = failure(FailureKind::Server, None);
    let feed = advance(&feed, Polled::Failed(&server), PACE, time(0), 0).feed;
    assert_eq!(due(&feed, every(10)), feed.next_due);
}

/// The pauses that follow damaged documents, one right after the other.
#[track_caller]
fn check_damaged(pace: Pace, pauses: &[i64]) {
    let validators = Validators { etag: Some(b"\"whole\"".to_vec()), ..Validators::default() };
    let mut feed = FeedState { validators, ..FeedState::new(time(0), time(0)) };
    let before = feed.validators.clone();
    let mut now = time(0);
    for pause in pauses {
        let seen = Seen { shown: 1, new: vec![None], ..Seen::default() };
        let polled = Polled::Damaged { why: "cut off", seen: &seen };
        feed = advance(&lease(&feed, pace, now), polled, pace, now, 0).feed;
        assert_eq!(feed.next_due.duration_since(now).as_secs(), *pause);
        assert_eq!((feed.last_ok, feed.last_new_item), (Some(now), Some(now)));
        now = feed.next_due;
    }
    assert_eq!((feed.state, feed.why.as_deref()), (State::Degraded, Some("cut off")));
    assert_eq!((feed.state_since, feed.baseline_at), (time(0), Some(time(0))));
    assert_eq!(feed.validators, before, "those of the damaged body would hide the rest");
}

#[test]
fn a_feed_that_stays_damaged_is_asked_less_often_and_a_file_as_often_as_ever() {
    let (m, h) = (MINUTE, HOUR);
    check_damaged(PACE, &[5 * m, 15 * m, 30 * m, h, h]);
    let often = Pace { fixed: Some(Duration::from_secs(60)), ..PACE };
    check_damaged(often, &[m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, h, h]);
    check_damaged(Pace { local: true, ..often }, &[m, m, m]);
}

#[test]
fn damaged_documents_count_for_no_failure() {
    let polled = Polled::Damaged {
        why: "cut off",
        seen: &Seen { shown: 0, new: vec![], ..Seen::default() },
    };
    let mut feed = FeedState::new(time(0), time(0));
    for _ in 0..9 {
        feed = advance(&feed, polled, PACE, time(0), 0).feed;
    }
    let gone = failure(FailureKind::Gone, None);
    let once = advance(&feed, Polled::Failed(&gone), PACE, time(0), 0).feed;
    assert_eq!((once.state, once.failures), (State::Retry, 1));
}

#[test]
fn an_answer_that_stays_fresh_is_not_asked_for_before() {
    let feed = lease(&FeedState::new(time(0), time(0)), PACE, time(0));
    let freshness = Freshness { lifetime: Some(Duration::from_secs(43_200)), retry_after: None };
    let none = Validators::default();
    let polled = Polled::NotModified(Answer { freshness, ..answer(&none) });
    let feed = advance(&feed, polled, PACE, time(1), 0).feed;
    assert_eq!(feed.next_due, time(43_200));
    // A 304 that says nothing of it renews what was said; one that wants to be asked ends it.
    let feed = lease(&feed, PACE, time(43_200));
    let feed = advance(&feed, Polled::NotModified(answer(&none)), PACE, time(43_200), 0).feed;
    assert_eq!(feed.next_due, time(2 * 43_200));
    let freshness = Freshness { lifetime: Some(Duration::ZERO), retry_after: None };
    let polled = Polled::NotModified(Answer { freshness, ..answer(&none) });
    let feed = advance(&lease(&feed, PACE, time(90_000)), polled, PACE, time(90_000), 0).feed;
    assert_eq!(feed.next_due, time(90_900));
}

#[test]
fn jitter_only_delays_and_by_a_tenth_at_most() {
    let feed = lease(&FeedState::new(time(0), time(0)), PACE, time(0));
    let none = Validators::default();
    let polled = Polled::NotModified(answer(&none));
    for seed in 0..2000 {
        let due = advance(&feed, polled, PACE, time(0), seed).feed.next_due;
        assert!((time(900)..=time(990)).contains(&due));
    }
}

const WITH_ETAG: &[u8] = b"\"v\"";

fn validators() -> Validators {
    Validators { etag: Some(WITH_ETAG.to_vec()), ..Validators::default() }
}

/// A poll that was answered with a whole body.
fn poll(feed: &FeedState, shown: usize, new: usize, now: Timestamp) -> FeedState {
    let seen = Seen { shown, new: vec![None; new], ..Seen::default() };
    let given = validators();
    let polled = Polled::Changed { answer: answer(&given), body_hash: [1; 32], seen: &seen };
    advance(&lease(feed, LEARNT, now), polled, LEARNT, now, 0).feed
}

#[test]
fn a_feed_without_an_interval_is_asked_as_often_as_it_brings_something() {
    let mut feed = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
    assert_eq!(feed.interval, Some(Duration::from_secs(3600)), "nothing is known of it yet");
    for hour in 1..24 {
        feed = poll(&feed, 30, 1, time(hour * HOUR));
    }
    let interval = feed.interval.unwrap();
    assert!((1800..1900).contains(&interval.as_secs()), "{interval:?}");
    assert_eq!(feed.gap_at, None);
}

#[test]
fn a_feed_that_shows_nothing_known_may_have_lost_items_and_is_asked_twice_as_often() {
    let first = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
    assert_eq!(first.gap_at, None, "the first poll has nothing before it");
    let whole = poll(&first, 30, 29, time(HOUR));
    assert_eq!(whole.gap_at, None);
    let gap = poll(&first, 30, 30, time(HOUR));
    assert_eq!((gap.gap_at, gap.interval), (Some(time(HOUR)), Some(Duration::from_secs(1800))));
    assert_eq!(poll(&first, 4, 4, time(HOUR)).gap_at, None, "it may just be small");
}

#[test]
fn a_server_without_validators_is_asked_once_an_hour_and_less_when_nothing_changes() {
    let mut feed = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
    let without = Validators::default();
    let polled = Polled::SameBody(answer(&without));
    let mut intervals = Vec::new();
    for hour in 1..=48 {
        let now = time(hour * 12 * HOUR);
        feed = advance(&lease(&feed, LEARNT, now), polled, LEARNT, now, 0).feed;
        intervals.push(feed.interval.unwrap().as_secs() / 3600);
    }
    assert_eq!((intervals[22], intervals[23], intervals[47]), (6, 12, 24));
    let changed = poll(&feed, 30, 1, time(600 * HOUR));
    assert_eq!((changed.same_bodies, changed.interval), (0, Some(LIMITS.max)));
}

#[test]
fn a_poll_that_a_crash_cut_off_waits_as_after_a_first_failure() {
    let fresh = FeedState::new(time(0), time(0));
    let feed = lease(&fresh, PACE, time(5));
    assert_eq!((feed.last_request, feed.next_due), (Some(time(5)), time(305)));
    let often = Pace { fixed: Some(Duration::from_secs(20)), ..PACE };
    assert_eq!(lease(&fresh, often, time(5)).next_due, time(25));
}

#[test]
fn what_failed_before_a_410_does_not_count_for_it() {
    let mut feed = FeedState::new(time(0), time(0));
    for hour in 0..5 {
        let server = failure(FailureKind::Server, None);
        feed = advance(&feed, Polled::Failed(&server), PACE, time(hour * HOUR), 0).feed;
    }
    let gone = failure(FailureKind::Gone, None);
    let mut polled = |now| {
        feed = advance(&feed, Polled::Failed(&gone), PACE, now, 0).feed;
        (feed.state, feed.next_due.duration_since(now).as_secs())
    };
    assert_eq!(polled(time(5 * HOUR)), (State::Retry, DAY));
    assert_eq!(polled(time(6 * HOUR)), (State::Retry, DAY), "somebody asked before its time");
    assert_eq!(polled(time(5 * HOUR + DAY)).0, State::Gone);
}

#[test]
fn a_304_that_nobody_asked_for_costs_the_validators() {
    let feed = FeedState { validators: validators(), ..FeedState::new(time(0), time(0)) };
    let unasked = failure(FailureKind::Protocol, None);
    let feed = advance(&feed, Polled::Failed(&unasked), PACE, time(0), 0).feed;
    assert_eq!((feed.state, feed.validators), (State::Retry, Validators::default()));
}

#[test]
fn a_kind_of_failure_is_known_with_its_beginning_until_all_is_well() {
    let mut feed = FeedState::new(time(0), time(0));
    for (now, kind) in
        [(0, FailureKind::Dns), (1, FailureKind::Certificate), (2, FailureKind::Certificate)]
    {
        feed = advance(&feed, Polled::Failed(&failure(kind, None)), PACE, time(now), 0).feed;
    }
    assert_eq!((feed.failure, feed.failure_since), (Some(FailureKind::Certificate), Some(time(1))));
    let feed = advance(&feed, Polled::NotModified(answer(&validators())), PACE, time(3), 0).feed;
    assert_eq!((feed.failure, feed.failure_since), (None, None));
}

#[test]
fn what_a_feed_shows_first_is_old_when_it_was_published_before_its_polls_failed() {
    let mut feed = FeedState::new(time(-100), time(-100));
    for (now, kind) in [(0, FailureKind::Dns), (100, FailureKind::Throttled)] {
        feed = lease(&feed, PACE, time(now));
        assert_eq!(Baseline::of(&feed) == Baseline::All, now == 0);
        feed = advance(&feed, Polled::Failed(&failure(kind, None)), PACE, time(now), 0).feed;
    }
    // Our own network was away.
    feed = postpone(&lease(&feed, PACE, time(200)), time(200));
    let baseline = Baseline::of(&lease(&feed, PACE, time(300)));
    assert_eq!(baseline, Baseline::Until(time(0)));
    let held = [Some(time(-1)), Some(time(0)), None].map(|published| baseline.holds(published));
    assert_eq!(held, [true, false, true]);
}

#[test]
fn a_first_poll_that_was_cut_short_is_the_first_request_all_the_same() {
    let leased = FeedState { last_request: Some(time(0)), ..FeedState::new(time(0), time(300)) };
    let again = lease(&leased, PACE, time(DAY));
    assert_eq!(Baseline::of(&again), Baseline::Until(time(0)));
}

/// The answer to a poll of a feed without an interval that showed ten items, so many of them new.
fn showed(feed: &FeedState, new: usize, now: Timestamp) -> FeedState {
    let given = validators();
    let seen = Seen { shown: 10, new: vec![None; new], ..Seen::default() };
    let polled = Polled::Changed { answer: answer(&given), body_hash: [1; 32], seen: &seen };
    advance(&lease(feed, LEARNT, now), polled, LEARNT, now, 0).feed
}

#[test]
fn a_body_of_which_little_was_known_has_the_feed_asked_twice_as_often() {
    let first = showed(&FeedState::new(time(0), time(0)), 10, time(0));
    assert_eq!(showed(&first, 6, time(HOUR)).interval, Some(Duration::from_secs(3600)));
    let seven = showed(&first, 7, time(HOUR));
    assert_eq!((seven.interval, seven.gap_at), (Some(Duration::from_secs(1800)), None));
}

#[test]
fn bodies_that_bring_nothing_and_no_304_between_have_the_feed_asked_less_often() {
    let mut feed = showed(&FeedState::new(time(0), time(0)), 10, time(0));
    let mut seconds = Vec::new();
    for minute in 1..=5 {
        feed = showed(&feed, 0, time(minute * MINUTE));
        seconds.push(feed.interval.unwrap().as_secs());
    }
    assert_eq!(seconds, [3600, 3600, 3600, 3600, 5400]);
    let given = validators();
    feed = advance(&feed, Polled::NotModified(answer(&given)), LEARNT, time(6 * MINUTE), 0).feed;
    assert_eq!(feed.interval, Some(Duration::from_secs(3600)));
}

/// Seconds until the next poll of a feed that was asked at `now` and has these hints and an answer
/// that is fresh for 30 minutes.
fn wait(hints: Hints, pace: Pace, now: Timestamp) -> i64 {
    let (given, known) = (validators(), Some(Arrivals::new(time(0))));
    let feed = FeedState { arrivals: known, ..FeedState::new(time(0), now) };
    let freshness = Freshness { lifetime: Some(Duration::from_secs(1800)), retry_after: None };
    let seen = Seen { shown: 1, hints, ..Seen::default() };
    let polled = Polled::Changed {
        answer: Answer { freshness, ..answer(&given) },
        body_hash: [1; 32],
        seen: &seen,
    };
    let feed = advance(&lease(&feed, pace, now), polled, pace, now, 0).feed;
    feed.next_due.duration_since(now).as_secs()
}

#[test]
fn what_a_document_asks_for_is_heard_where_the_configuration_says_nothing_else() {
    let often = Limits { min: Duration::from_secs(60), max: Duration::from_secs(60) };
    let often = Pace { limits: often, ..LEARNT };
    let hints = Hints { pause: Duration::from_secs(2400), ..Hints::default() };
    assert_eq!(wait(hints, often, time(0)), 2400);
    assert_eq!(wait(hints, Pace { fixed: Some(often.limits.min), ..often }, time(0)), 1800);
    assert_eq!(wait(hints, Pace { heed: Heed::Server, ..often }, time(0)), 1800);
    assert_eq!(wait(hints, Pace { heed: Heed::Nobody, ..often }, time(0)), 60);
}

#[test]
fn hours_and_days_without_news_are_left_out_unless_they_brought_some() {
    // A Tuesday at 22:00.
    let now: Timestamp = "2023-11-14T22:00:00Z".parse().unwrap();
    let hourly = Limits { min: Duration::from_secs(3600), max: Duration::from_secs(3600) };
    let hourly = Pace { limits: hourly, ..LEARNT };
    let hours = Hints { skip_hours: 1 << 23 | 1 << 0 | 1 << 1, ..Hints::default() };
    assert_eq!(wait(hours, hourly, now), 4 * HOUR, "until 02:00");
    let wednesday = Hints { skip_days: 1 << 2, ..Hints::default() };
    assert_eq!(wait(wednesday, hourly, now), HOUR);
    let tuesday = Hints { skip_days: 1 << 1, ..Hints::default() };
    assert_eq!(wait(tuesday, hourly, now), 2 * HOUR, "until midnight");
    let always = Hints { skip_hours: u32::MAX, ..Hints::default() };
    assert_eq!(wait(always, hourly, now), HOUR + 23 * HOUR);
    let mut arrivals = Arrivals::new(now);
    arrivals
        .record(Some("2023-11-14T23:30:00Z".parse().unwrap()), now + SignedDuration::from_hours(2));
    let feed = FeedState { hints: hours, arrivals: Some(arrivals), ..FeedState::new(now, now) };
    let eleven = now + SignedDuration::from_hours(1);
    assert_eq!(hourly.skip(&feed, eleven), eleven, "something came at that hour");
}

#[test]
fn a_feed_that_was_not_polled_for_a_day_longer_than_usual_had_an_outage() {
    let feed = FeedState {
        last_ok: Some(time(0)),
        interval: Some(Duration::from_secs(3600)),
        ..FeedState::new(time(0), time(0))
    };
    assert_eq!(outage(&feed, time(24 * HOUR)), None);
    assert_eq!(outage(&feed, time(25 * HOUR)), Some(time(0)));
    let patient = FeedState { lifetime: Some(Duration::from_secs(24 * 3600)), ..feed.clone() };
    assert_eq!(outage(&patient, time(47 * HOUR)), None);
    assert_eq!(outage(&FeedState::new(time(0), time(0)), time(DAY)), None, "it was never polled");
}

#[test]
fn what_a_clock_that_was_ahead_has_dated_begins_when_it_is_right_again() {
    let (ahead, now) = (time(365 * 24 * HOUR), time(0));
    let mut feed = FeedState::new(ahead, ahead);
    feed.failure_since = Some(ahead);
    feed.distrusted_at = Some(ahead);
    feed.checked_at = Some(ahead);
    feed.troubles.failing_since = Some(ahead);
    let leased = lease(&feed, PACE, now);
    assert_eq!((leased.state_since, leased.failure_since), (now, Some(now)));
    assert_eq!((leased.distrusted_at, leased.checked_at), (Some(now), None));
    assert_eq!(leased.troubles.failing_since, Some(now));
}

/// What decides when a feed that has been watched for a week is asked after a good poll.
#[track_caller]
fn check_due_by(pace: Pace, change: impl Fn(&mut FeedState), freshness: Freshness, by: DueBy) {
    let validators = Validators { etag: Some(b"\"v1\"".to_vec()), ..Validators::default() };
    let now = time(7 * DAY);
    let mut arrivals = Arrivals::new(time(0));
    (0..7 * 24).for_each(|hour| arrivals.record(Some(time(hour * HOUR)), now));
    let mut feed = FeedState::new(time(0), now);
    (feed.arrivals, feed.window) = (Some(arrivals), 30);
    change(&mut feed);
    let answer = Answer { freshness, ..answer(&validators) };
    let next = advance(&lease(&feed, pace, now), Polled::NotModified(answer), pace, now, 0);
    assert_eq!(next.due_by, by, "{}", next.feed.next_due.duration_since(now));
}

#[test]
fn what_decides_the_next_poll_has_a_name() {
    let silent = Freshness::default();
    let fresh = Freshness { lifetime: Some(Duration::from_secs(7200)), retry_after: None };
    let nothing = |_: &mut FeedState| {};
    check_due_by(PACE, nothing, silent, DueBy::Interval);
    check_due_by(PACE, nothing, fresh, DueBy::Fresh);
    check_due_by(LEARNT, nothing, silent, DueBy::Rate);
    check_due_by(LEARNT, |feed| feed.window = 1, silent, DueBy::Gap);
    check_due_by(LEARNT, |feed| feed.arrivals = None, silent, DueBy::New);
    check_due_by(LEARNT, |feed| feed.hints.pause = Duration::from_secs(7200), silent, DueBy::Asked);
    let every_hour = |feed: &mut FeedState| {
        (feed.hints.skip_hours, feed.arrivals) = (0xff_ffff, Some(Arrivals::new(time(0))));
    };
    check_due_by(LEARNT, every_hour, silent, DueBy::Skip);
}
