//! Who is told, and when: a flat list of routes, the first that matches decides.
//!
//! When a delivery is due is decided when its alert is raised and stored with it, so that a restart
//! or another configuration changes nothing about what already waits.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::config::{Mode, Quiet, Receiver, Route};
use crate::hit::Severity;
use crate::rules::Rule;

/// No delivery waits longer for a digest: the next one is a day away at most, the end of quiet hours
/// after it another, and each of those days may have an hour more, when summer time ends.
pub const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(2 * 25);

/// What routes look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// Its tags.
    pub tags: &'a [String],
    /// The receivers that the rule itself names; empty: the routes decide.
    pub notify: &'a [String],
    /// How much the alert matters.
    pub severity: Severity,
}

impl<'a> Subject<'a> {
    /// An alert of a rule.
    pub fn of(rule: &'a Rule, severity: Severity) -> Self {
        Self { rule: &rule.id, tags: &rule.tags, notify: &rule.notify, severity }
    }
}

/// When a delivery is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Not before this.
    pub at: Timestamp,
    /// Why it waits; it is then part of the digest of that time. Nothing when it does not.
    pub held: Option<Held>,
}

/// Why a delivery waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Its route collects alerts for a digest.
    Digest,
    /// Its route has quiet hours.
    Quiet,
    /// It is told together with other stories of its rule, now.
    Bulletin,
}

/// A receiver that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned<'a> {
    /// Its name.
    pub receiver: &'a str,
    /// When.
    pub due: Due,
    /// The position of the route that says so; nothing where a rule's own `notify` does, or where
    /// there is no route.
    pub route: Option<usize>,
}

/// The receivers that an alert raised at `now` goes to, each once and at the earliest time that a
/// route gives it. A rule's own `notify` comes before all routes; where there is no route, everybody
/// is told at once.
pub fn plan<'a>(
    routes: &'a [Route],
    all: &'a [Receiver],
    subject: &Subject<'a>,
    now: Timestamp,
) -> Vec<Planned<'a>> {
    let mut planned: Vec<Planned<'a>> = Vec::new();
    let mut add = |receiver: &'a str, due: Due, route| match planned
        .iter_mut()
        .find(|planned| planned.receiver == receiver)
    {
        None => planned.push(Planned { receiver, due, route }),
        Some(before) if due.at < before.due.at => (before.due, before.route) = (due, route),
        Some(_) => {}
    };
    let at_once = Due { at: now, held: None };
    if !subject.notify.is_empty() {
        subject.notify.iter().for_each(|receiver| add(receiver, at_once, None));
    } else if routes.is_empty() {
        all.iter().for_each(|receiver| add(&receiver.name, at_once, None));
    } else {
        for (index, route) in routes.iter().enumerate().filter(|(_, route)| takes(route, subject)) {
            let due = due(route, subject.severity, now);
            route.receivers.iter().for_each(|receiver| add(receiver, due, Some(index)));
            if !route.continues {
                break;
            }
        }
    }
    planned
}

fn takes(route: &Route, subject: &Subject<'_>) -> bool {
    (route.severity.is_empty() || route.severity.contains(&subject.severity))
        && (route.tags.is_empty() || route.tags.iter().any(|tag| subject.tags.contains(tag)))
        && (route.rule.is_empty() || route.rule.iter().any(|id| id == subject.rule))
}

/// When an alert of that severity, raised at `now`, is due by a route.
pub fn due(route: &Route, severity: Severity, now: Timestamp) -> Due {
    let zone = &route.timezone;
    let due = match &route.mode {
        Mode::Immediate => Due { at: now, held: None },
        Mode::Digest { at } => Due { at: next(at, zone, now), held: Some(Held::Digest) },
    };
    let quiet = route.quiet.as_ref().filter(|quiet| !quiet.except.contains(&severity));
    match quiet.and_then(|quiet| quiet_until(quiet, zone, due.at)) {
        Some(at) => Due { at, held: Some(Held::Quiet) },
        None => due,
    }
}

/// The next moment after `now` at which a clock in `zone` shows one of `times`. A time that is left
/// out when summer time begins comes as much later as the clock was moved; one that comes twice when
/// it ends counts the first time.
fn next(times: &[Time], zone: &TimeZone, now: Timestamp) -> Timestamp {
    days(zone, now)
        .flat_map(|day| times.iter().filter_map(move |time| moment(day, *time, zone)))
        .filter(|at| *at > now)
        .min()
        .unwrap_or(now)
}

/// When the quiet hours end in which `at` lies; nothing when it lies in none.
fn quiet_until(quiet: &Quiet, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    days(zone, at).find_map(|day| {
        let last = if quiet.to > quiet.from { day } else { day.tomorrow().ok()? };
        let (start, end) = (moment(day, quiet.from, zone)?, moment(last, quiet.to, zone)?);
        (start <= at && at < end).then_some(end)
    })
}

/// The days around a moment, where clocks show `zone`.
fn days(zone: &TimeZone, at: Timestamp) -> impl Iterator<Item = Date> {
    let today = zone.to_datetime(at).date();
    (-1..=2).filter_map(move |days| today.checked_add(i64::from(days).days()).ok())
}

fn moment(day: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(day.to_datetime(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ReceiverKind;

    fn rule(notify: &[&str]) -> Rule {
        Rule {
            id: "arms".into(),
            title: "Arms".into(),
            severity: Severity::High,
            tags: vec!["dprk".to_owned()].into(),
            references: Box::default(),
            version: Default::default(),
            max_age: None,
            notify: notify.iter().map(|name| (*name).to_owned()).collect(),
            telling: crate::rules::Telling::default(),
        }
    }

    fn route(receivers: &[&str], severity: &[Severity], tags: &[&str], continues: bool) -> Route {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Route {
            severity: severity.to_vec(),
            tags: owned(tags),
            receivers: owned(receivers),
            continues,
            ..Route::default()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn told(routes: &[Route], notify: &[&str]) -> Vec<(String, Option<usize>, bool)> {
        let all = ["log", "pager"].map(|name| Receiver {
            name: name.to_owned(),
            kind: ReceiverKind::Stdout,
            max_per_minute: None,
        });
        let rule = rule(notify);
        let subject = Subject::of(&rule, Severity::High);
        plan(routes, &all, &subject, at("2023-09-18T12:00:00Z"))
            .into_iter()
            .map(|planned| (planned.receiver.to_owned(), planned.route, planned.due.held.is_some()))
            .collect()
    }

    #[track_caller]
    fn check(routes: &[Route], notify: &[&str], expected: &[&str]) {
        let names: Vec<_> = told(routes, notify).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn the_first_route_that_matches_decides_unless_it_continues() {
        check(&[], &[], &["log", "pager"]);
        check(
            &[route(&["log"], &[], &[], false), route(&["pager"], &[], &[], false)],
            &[],
            &["log"],
        );
        check(
            &[route(&["log"], &[], &[], true), route(&["pager", "log"], &[], &[], false)],
            &[],
            &["log", "pager"],
        );
        check(&[route(&["log"], &[Severity::Critical], &[], false)], &[], &[]);
        check(&[route(&["log"], &[], &["dprk"], false)], &[], &["log"]);
        check(&[route(&["log"], &[], &["china"], false)], &[], &[]);
    }

    #[test]
    fn a_rule_that_names_receivers_overrides_the_routes() {
        check(&[route(&["log"], &[], &[], false)], &["pager"], &["pager"]);
    }

    #[test]
    fn a_receiver_of_several_routes_is_told_once_and_at_the_earliest_time() {
        let digest = Route { mode: digest(&["07:00"]), ..route(&["log", "pager"], &[], &[], true) };
        let routes = [digest, route(&["log"], &[], &[], false)];
        let expected = [("log".to_owned(), Some(1), false), ("pager".to_owned(), Some(0), true)];
        assert_eq!(told(&routes, &[]), expected);
    }

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn digest(times: &[&str]) -> Mode {
        Mode::Digest { at: times.iter().map(|text| time(text)).collect() }
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[track_caller]
    fn check_due(route: &Route, now: &str, expected: &str, held: Option<Held>) {
        let now = at(now);
        let due = due(route, Severity::High, now);
        assert_eq!(due, Due { at: at(expected), held });
        assert!(due.at.duration_since(now) <= LONGEST_HOLD);
    }

    #[test]
    fn a_digest_goes_at_the_next_of_its_times() {
        let route = Route { mode: digest(&["07:00", "17:00"]), ..Route::default() };
        let held = Some(Held::Digest);
        check_due(&route, "2023-09-18T06:59:59Z", "2023-09-18T07:00:00Z", held);
        check_due(&route, "2023-09-18T07:00:00Z", "2023-09-18T17:00:00Z", held);
        check_due(&route, "2023-09-18T23:00:00Z", "2023-09-19T07:00:00Z", held);
        let tokyo = Route { timezone: zone("Asia/Tokyo"), ..route };
        check_due(&tokyo, "2023-09-18T21:30:00Z", "2023-09-18T22:00:00Z", held);
    }

    #[test]
    fn a_digest_comes_once_a_day_though_summer_time_begins_or_ends() {
        let berlin =
            Route { mode: digest(&["02:30"]), timezone: zone("Europe/Berlin"), ..Route::default() };
        let held = Some(Held::Digest);
        // 26 March 2023: 02:00 to 03:00 is left out. 29 October: it comes twice.
        check_due(&berlin, "2023-03-25T12:00:00Z", "2023-03-26T01:30:00Z", held);
        check_due(&berlin, "2023-03-26T01:30:00Z", "2023-03-27T00:30:00Z", held);
        check_due(&berlin, "2023-10-28T12:00:00Z", "2023-10-29T00:30:00Z", held);
        check_due(&berlin, "2023-10-29T00:30:00Z", "2023-10-30T01:30:00Z", held);
    }

    fn quiet(from: &str, to: &str) -> Option<Quiet> {
        Some(Quiet { from: time(from), to: time(to), except: vec![Severity::Critical] })
    }

    #[test]
    fn quiet_hours_hold_all_but_the_excepted_until_they_end() {
        let route = Route { quiet: quiet("22:00", "06:00"), ..Route::default() };
        let held = Some(Held::Quiet);
        check_due(&route, "2023-09-18T21:59:59Z", "2023-09-18T21:59:59Z", None);
        check_due(&route, "2023-09-18T22:00:00Z", "2023-09-19T06:00:00Z", held);
        check_due(&route, "2023-09-19T05:59:59Z", "2023-09-19T06:00:00Z", held);
        check_due(&route, "2023-09-19T06:00:00Z", "2023-09-19T06:00:00Z", None);
        let now = at("2023-09-18T23:00:00Z");
        assert_eq!(due(&route, Severity::Critical, now), Due { at: now, held: None });
        let noon = Route { quiet: quiet("12:00", "13:00"), ..Route::default() };
        check_due(&noon, "2023-09-18T12:30:00Z", "2023-09-18T13:00:00Z", held);
        check_due(&noon, "2023-09-18T11:30:00Z", "2023-09-18T11:30:00Z", None);
    }

    #[test]
    fn quiet_hours_follow_the_clock_of_their_zone_when_summer_time_begins_or_ends() {
        let berlin = Route {
            quiet: quiet("22:00", "06:00"),
            timezone: zone("Europe/Berlin"),
            ..Route::default()
        };
        let held = Some(Held::Quiet);
        check_due(&berlin, "2023-03-25T21:30:00Z", "2023-03-26T04:00:00Z", held);
        check_due(&berlin, "2023-10-28T20:30:00Z", "2023-10-29T05:00:00Z", held);
        // Quiet until the first 02:30; the second is an hour later.
        let short = Route { quiet: quiet("22:00", "02:30"), ..berlin };
        check_due(&short, "2023-10-29T00:10:00Z", "2023-10-29T00:30:00Z", held);
        check_due(&short, "2023-10-29T01:10:00Z", "2023-10-29T01:10:00Z", None);
        check_due(&short, "2023-03-26T00:50:00Z", "2023-03-26T01:30:00Z", held);
    }

    #[test]
    fn a_digest_that_falls_into_quiet_hours_goes_when_they_end() {
        let route =
            Route { mode: digest(&["23:00"]), quiet: quiet("22:00", "06:00"), ..Route::default() };
        check_due(&route, "2023-09-18T12:00:00Z", "2023-09-19T06:00:00Z", Some(Held::Quiet));
    }
}
