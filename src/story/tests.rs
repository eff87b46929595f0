//! The desk, from reports to notices.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::desk::{BULLETIN_AFTER, Joined, MOST_LINES, Mode, Publisher, Report, Taken};
use super::{Desk, Reading};
use crate::alert::decide::Reason;
use crate::hit::{Match, Severity, Span};
use crate::item::{Field, Item, ItemKey};
use crate::rules::{Rule, StoryMode, Telling};

const DELTA: &str = "Delta ministers sign grain treaty";
const MUSEUM: &str = "Robbery empties museum overnight";
const STRIKE: &str = "Dockers begin strike over pay";
const FLOOD: &str = "Flood closes northern railway";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_mins(minutes)
}

fn rule() -> Rule {
    Rule {
        id: "watch".into(),
        title: "Watch".into(),
        severity: Severity::Medium,
        tags: Box::default(),
        references: Box::default(),
        version: crate::rules::RuleVersion::default(),
        max_age: None,
        notify: Box::default(),
        telling: Telling::default(),
    }
}

fn report(outlet: &str, title: &str) -> Report {
    let mut item = Item::titled(ItemKey::of("test", &[outlet, title]), title);
    item.lang = Some("en".to_owned());
    let span = |term: &str| Span {
        field: Field::Title,
        start: 0,
        end: 5,
        text: title.chars().take(5).collect(),
        term: term.into(),
        alias: None,
    };
    let spans = vec![span("@one"), span("@two"), span("$talks")];
    let found = Match { rule: 0, severity: Severity::Medium, spans };
    let reading = Arc::new(Reading::of(&item, None));
    let publisher = Publisher { feed: outlet, entry: None };
    Report::of(&rule(), &found, (&format!("{outlet}/{title}"), &item), publisher, reading)
}

/// A desk whose rule has just told of something else.
fn busy() -> Desk {
    let mut desk = Desk::default();
    desk.take(&report("a.example", FLOOD), at(-10));
    desk
}

fn take(desk: &mut Desk, outlet: &str, title: &str, minutes: i64) -> Taken {
    desk.take(&report(outlet, title), at(minutes))
}

#[test]
fn the_first_hit_of_a_quiet_rule_is_told_at_once() {
    let mut desk = Desk::default();
    let first = take(&mut desk, "a.example", DELTA, 0);
    assert_eq!(first.reason, Reason::ToldQuiet);
    let notice = first.notice.unwrap();
    assert_eq!((notice.mode, notice.lines.len()), (Mode::Immediate, 1));
    let day_later = take(&mut desk, "a.example", MUSEUM, 24 * 60);
    assert_eq!(day_later.reason, Reason::ToldQuiet);
}

#[test]
fn a_busy_rule_tells_when_another_outlet_comes() {
    let mut desk = busy();
    let first = take(&mut desk, "a.example", DELTA, 0);
    assert_eq!((first.reason, first.notice), (Reason::Held, None));
    let again = take(&mut desk, "a.example", "Ministers of Delta sign treaty on grain", 5);
    assert_eq!(again.reason, Reason::Joined);
    let other = take(&mut desk, "b.example", "Grain treaty signed by Delta ministers", 10);
    assert_eq!((other.reason, &other.story), (Reason::ToldOutlets, &first.story));
    assert!(matches!(other.joined, Joined::Alike { score, .. } if score > 0.18), "{other:?}");
    assert_eq!(desk.due(at(10_000)), [], "nothing is left for the bulletin");
    let late = take(&mut desk, "c.example", "Delta ministers sign the grain treaty", 20);
    assert_eq!((late.reason, late.notice), (Reason::Joined, None));
}

#[test]
fn what_nobody_else_reports_is_told_in_a_bulletin() {
    let mut desk = busy();
    let first = take(&mut desk, "a.example", DELTA, 0);
    let second = take(&mut desk, "b.example", MUSEUM, 30);
    let due = at(0) + BULLETIN_AFTER;
    assert_eq!(desk.next_due(), Some(due));
    assert_eq!(desk.due(due - SignedDuration::from_secs(1)), []);
    let [bulletin] = &desk.due(due)[..] else { panic!("one bulletin is due") };
    assert_eq!((bulletin.mode, bulletin.at), (Mode::Bulletin, due));
    let stories: Vec<_> = bulletin.lines.iter().map(|line| &line.story).collect();
    assert_eq!(stories, [&second.story, &first.story]);
    assert_eq!((desk.next_due(), desk.due(at(100_000))), (None, Vec::new()));
}

#[test]
fn a_full_bulletin_says_what_it_leaves_out() {
    let mut desk = busy();
    for title in [DELTA, MUSEUM, STRIKE] {
        take(&mut desk, "a.example", title, 0);
    }
    take(&mut desk, "a.example", "Ministers of Delta sign treaty on grain", 1);
    let bulletin = desk.due(at(1_000)).remove(0);
    assert_eq!((bulletin.lines.len(), bulletin.left_out.len()), (MOST_LINES, 1));
    let told = &bulletin.lines[0].item;
    assert!(told.ends_with(DELTA), "the story with the most reports is told first: {told}");
}

#[test]
fn who_comments_on_a_report_does_not_report_it() {
    let mut desk = busy();
    let news = take(&mut desk, "a.example", DELTA, 0);
    let why = take(&mut desk, "b.example", "Why did Delta ministers sign the grain treaty?", 5);
    assert_eq!((why.reason, &why.story), (Reason::Commentary, &news.story));
    let story = desk.story("watch", &news.story).unwrap();
    assert_eq!((story.outlets.len(), &*story.label()), (1, "single-origin"));
    let second = take(&mut desk, "b.example", "Grain treaty signed by Delta ministers", 10);
    assert_eq!(second.reason, Reason::ToldOutlets, "its commentator may report it later");
    assert_eq!(desk.story("watch", &news.story).unwrap().outlets.len(), 2);
}

#[test]
fn who_commented_first_is_no_origin_once_somebody_reports() {
    let mut desk = busy();
    let why = take(&mut desk, "b.example", "Why did Delta ministers sign the grain treaty?", 0);
    assert_eq!(desk.story("watch", &why.story).unwrap().outlets.len(), 1);
    take(&mut desk, "c.example", DELTA, 5);
    let story = desk.story("watch", &why.story).unwrap();
    assert_eq!((story.outlets.len(), &*story.label()), (1, "single-origin"));
    assert_eq!(&*story.first.as_ref().unwrap().title, DELTA);
}

#[test]
fn commentary_is_not_told_while_the_rule_is_busy() {
    let mut desk = busy();
    let why = take(&mut desk, "b.example", "Why did Delta ministers sign the grain treaty?", 0);
    assert_eq!((why.reason, desk.next_due()), (Reason::Commentary, None));
    let news = take(&mut desk, "c.example", DELTA, 5);
    assert_eq!((news.reason, news.story), (Reason::Held, why.story));
}

#[test]
fn the_first_word_of_denial_is_quoted_however_much_commentary_denied_before() {
    let mut desk = busy();
    let first = take(&mut desk, "a.example", DELTA, 0);
    for number in 0..6 {
        let outlet = format!("c{number}.example");
        let title = format!("Why Delta denies that ministers sign grain treaty {number}");
        assert_eq!(take(&mut desk, &outlet, &title, 5 + number).story, first.story);
    }
    let denial = "Delta denies: ministers sign no grain treaty";
    assert_eq!(take(&mut desk, "d.example", denial, 20).story, first.story);
    let story = desk.story("watch", &first.story).unwrap();
    assert_eq!(story.denied_at, Some(at(20)));
    assert!(story.quotes.iter().any(|quote| quote.text == denial), "{:?}", story.quotes);
}

#[test]
fn a_copy_does_not_count_as_another_outlet() {
    let mut desk = busy();
    let text = "Ministers of the delta signed a treaty on grain in the port on Monday evening.";
    let first = take(&mut desk, "a.example", text, 0);
    let copy = take(&mut desk, "b.example", text, 10);
    assert_eq!((copy.reason, &copy.story), (Reason::Copy, &first.story));
    let story = desk.story("watch", &first.story).unwrap();
    assert_eq!((story.items, story.outlets.len()), (2, 2));
    assert_eq!((story.lineages.len(), story.origins.len()), (1, 1));
}

#[test]
fn two_reports_of_their_own_are_two_origins() {
    let mut desk = Desk::default();
    let first = take(&mut desk, "a.example", DELTA, 0);
    take(&mut desk, "b.example", "Grain treaty signed by Delta ministers", 10);
    let story = desk.story("watch", &first.story).unwrap();
    assert_eq!((story.origins.len(), &*story.label()), (2, "multi-origin(2)"));
}

#[test]
fn a_story_that_grows_more_severe_is_told_again() {
    let mut desk = Desk::default();
    take(&mut desk, "a.example", DELTA, 0);
    let mut worse = report("a.example", "Delta ministers sign grain treaty, police confirm");
    worse.severity = Severity::Critical;
    assert_eq!(desk.take(&worse, at(5)).reason, Reason::ToldSeverity);
    assert_eq!(desk.take(&worse, at(6)).notice, None);
}

#[test]
fn a_rule_may_tell_every_hit_or_keep_a_cool_down() {
    let (mut desk, mut one) = (Desk::default(), report("a.example", DELTA));
    one.telling.mode = StoryMode::Off;
    assert_eq!(desk.take(&one, at(0)).reason, Reason::FirstHit);
    assert_eq!(desk.take(&one, at(1)).reason, Reason::FirstHit);
    let mut desk = Desk::default();
    one.telling.mode = StoryMode::Cooldown(SignedDuration::from_hours(6));
    let reasons: Vec<_> =
        [0, 100, 359, 360].map(|minutes| desk.take(&one, at(minutes)).reason).into();
    use Reason::{Cooldown, ToldCooldown};
    assert_eq!(reasons, [ToldCooldown, Cooldown, Cooldown, ToldCooldown]);
}

#[test]
fn a_thread_runs_through_stories_of_the_same_entities() {
    let mut desk = Desk::default();
    let first = take(&mut desk, "a.example", DELTA, 0);
    let second = take(&mut desk, "a.example", MUSEUM, 60);
    assert_eq!(first.thread, second.thread);
    assert_ne!(first.story, second.story);
    let story = desk.story("watch", &second.story).unwrap();
    assert_eq!(story.previous.as_ref(), Some(&first.story));
    let later = take(&mut desk, "a.example", STRIKE, 60 + 37 * 60);
    assert_ne!(later.thread, first.thread);
}

#[test]
fn rules_have_their_own_stories() {
    let mut desk = Desk::default();
    let first = take(&mut desk, "a.example", DELTA, 0);
    let mut other = report("b.example", DELTA);
    other.rule = "other".into();
    let other = desk.take(&other, at(1));
    assert_eq!(other.reason, Reason::ToldQuiet);
    assert_ne!(other.story, first.story);
}

#[test]
fn a_rule_that_never_rests_keeps_a_bounded_number_of_stories() {
    let mut desk = Desk::default();
    for number in 0..600 {
        let title = format!("Alpha{number} beta{number} gamma{number}");
        take(&mut desk, "a.example", &title, number);
        desk.due(at(number));
    }
    assert!(desk.open_stories("watch") <= 400);
}

#[test]
fn a_denial_is_quoted_however_much_was_quoted_before() {
    let mut desk = Desk::default();
    for number in 0..20 {
        let outlet = format!("{number}.example");
        take(&mut desk, &outlet, "Delta ministers sign grain treaty, mayor said", number);
    }
    let last = take(&mut desk, "a.example", "Delta ministers sign grain treaty, mayor denies", 20);
    let story = desk.story("watch", &last.story).unwrap();
    assert_eq!(story.items, 21);
    let quotes: Vec<&str> = story.quotes.iter().map(|quote| quote.class.as_str()).collect();
    assert_eq!(quotes, ["attributed", "attributed", "attributed", "attributed", "denied"]);
}

#[test]
fn the_rules_that_were_asked_about_longest_ago_are_forgotten_first() {
    let mut desk = Desk::default();
    for rule in ["one", "two", "three"] {
        let mut report = report("a.example", DELTA);
        report.rule = rule.into();
        desk.take(&report, at(0));
    }
    let mut again = report("b.example", MUSEUM);
    again.rule = "one".into();
    desk.take(&again, at(1));
    desk.make_room("", 3);
    let known = ["one", "two", "three"].map(|rule| desk.knows(rule));
    assert_eq!(known, [true, false, true], "three reports are left");
}
