//! Edits of items that rules had hit: what an edit changed, and the record that tells of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{AlertRecord, LONGEST_TITLE, shortened};
use super::{catalogue, id, story};
use crate::item::Item;
use crate::story::message::headline;
use crate::text;

/// Characters of what is new in a text.
const LONGEST_NEW: usize = 200;

/// Edits of an item that has had very many texts that are told in a day, and one that takes the last of
/// them back.
pub const MOST_IN_A_DAY: usize = 24;

/// Edits of an item after which a rule that does not ask for every edit matches no more or again that are
/// told in a day, and one that takes the last of them back.
pub const MOST_TURNS_IN_A_DAY: usize = 4;

/// What a rule that had hit an item makes of it when it was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matches {
    /// It matches, as it did before.
    Still,
    /// It matches, and did not before.
    Again,
    /// It matches no more.
    #[default]
    NoMore,
}

impl Matches {
    /// The same in words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Matches::Still => "edited, still matches",
            Matches::Again => "edited, matches again",
            Matches::NoMore => "edited, matches no more",
        }
    }
}

/// What became of an item that its publisher edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisedInfo {
    /// What the rule makes of it now.
    #[serde(default)]
    pub matches: Matches,
    /// Its headline now.
    pub title: String,
    /// Its headline before the edit; absent where it was not kept, or the rule does not ask for edits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What is new in its text, where the rule matches it; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it was found edited.
    pub at: Timestamp,
}

impl RevisedInfo {
    /// What is said of the edit of an item beside its headline, in lines for a person.
    pub(super) fn lines(&self, told: &str) -> Vec<String> {
        let now = (self.matches == Matches::NoMore).then_some(self.title.as_str());
        let was = self.was.as_deref().filter(|was| *was != self.title && *was != told);
        let lines = [
            now.map(|now| format!("its headline now: {now}")),
            was.map(|was| format!("its headline before: {was}")),
            self.text.as_ref().map(|text| format!("new in its text: “{text}”")),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// An edit of an item that a rule had hit.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// What the rule makes of it.
    pub matches: Matches,
    /// Which of the item's texts it made.
    pub revision: u32,
    /// The headline now; empty where there is none.
    pub title: &'a str,
    /// The headline before, where that is told.
    pub was: Option<&'a str>,
    /// What is new in the text, where that is told.
    pub text: Option<&'a str>,
    /// Who published the item.
    pub outlet: &'a str,
    /// The story of the hit.
    pub story: Option<&'a str>,
}

/// The record that tells of an edit. `draft` is the record of what matches now; where nothing does,
/// that of the hit as it was.
pub fn revised(draft: AlertRecord, edit: &Edit<'_>, now: Timestamp) -> AlertRecord {
    let mut record = story::of_type(draft, catalogue::ITEM_REVISED, now);
    let rule = record.rule().unwrap_or_default();
    record.id = id::revised_alert_id(rule, &record.causationid, edit.revision, now);
    if let Some(story) = edit.story {
        record.correlationid = story.to_owned();
    }
    let data = &mut record.data;
    let name = data.rule.as_ref().map_or("", |rule| rule.name.as_str());
    let told = data.item.as_ref().map_or("", |item| item.title.as_str());
    let title = shortened(edit.title, LONGEST_TITLE);
    let was = edit.was.map(|was| shortened(was, LONGEST_TITLE));
    let text = edit.text.map(|text| shortened(text, LONGEST_NEW));
    let outlet = edit.outlet;
    let change = match edit.matches {
        Matches::NoMore => {
            let before = was.as_deref().unwrap_or(told);
            if title == before || title.is_empty() {
                format!("{before} ({outlet})")
            } else {
                format!("{before} ({outlet}), now: {title}")
            }
        }
        Matches::Still | Matches::Again => {
            let was = was.as_ref().filter(|was| !read_the_same(was, &title));
            let was = was.map(|was| format!(", before: {was}"));
            let new = || text.as_ref().map(|text| format!(", new: “{text}”"));
            format!("{told} ({outlet}){}", was.or_else(new).unwrap_or_default())
        }
    };
    let severity = record.severitytext.to_lowercase();
    data.message = format!("[{severity}] {name}: {}: {change}", edit.matches.describe());
    data.revised = Some(RevisedInfo { matches: edit.matches, title, was, text, at: now });
    record
}

/// Whether one more edit of an item is told to those who hear of a rule, where not each is. `lately` is what
/// they were told of its edits in the last day, newest first, `most` how many those may be.
pub fn is_told(edit: &Edit<'_>, lately: &[Matches], most: usize) -> bool {
    match edit.matches {
        // A page that shows the time of day.
        Matches::Still if !has_another_headline(edit) => lately.is_empty(),
        // It may be another item under the same link.
        Matches::Still | Matches::Again => lately.len() < most,
        // Their last word must not be that it matches.
        Matches::NoMore => lately.first() != Some(&Matches::NoMore),
    }
}

/// Whether the headline before is known and reads otherwise now, not only by its figures.
fn has_another_headline(edit: &Edit<'_>) -> bool {
    let words = |title: &str| text::fold(title).replace(char::is_numeric, " ");
    let is_another =
        |was: &str| !words(was).split_whitespace().eq(words(edit.title).split_whitespace());
    edit.was.is_some_and(is_another)
}

/// Whether an edit changed nothing that a reader would call other news: letters' case, accents, white
/// space, marks that nobody sees.
pub fn is_no_news(before: &Item, now: &Item) -> bool {
    texts(before).into_iter().zip(texts(now)).all(|(before, now)| read_the_same(before, now))
}

/// The headline of an item, unless nothing of its texts was kept.
pub fn headline_kept(item: &Item) -> Option<&str> {
    texts(item).iter().any(|text| !text.is_empty()).then(|| headline(item))
}

/// What an edit put into the texts of an item beside the title: of the first that reads otherwise now,
/// from its first new word to its last; nothing where words were only taken out.
pub fn new_text(before: &Item, now: &Item) -> Option<String> {
    let texts = [(&before.summary, &now.summary), (&before.content, &now.content)];
    let (before, now) = texts.into_iter().find(|(before, now)| !read_the_same(before, now))?;
    let new = new_words(before, now);
    (!new.is_empty()).then_some(new)
}

/// The words of a text without those at its start and its end that the text before had there.
fn new_words(before: &str, now: &str) -> String {
    let before: Vec<&str> = before.split_whitespace().collect();
    let now: Vec<&str> = now.split_whitespace().collect();
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = before.iter().zip(&now).take_while(same).count();
    let (before, now) = (&before[start..], &now[start..]);
    let end = before.iter().rev().zip(now.iter().rev()).take_while(same).count();
    now[..now.len() - end].join(" ")
}

fn texts(item: &Item) -> [&str; 3] {
    [&item.title, &item.summary, &item.content]
}

fn read_the_same(one: &str, other: &str) -> bool {
    one == other || text::fold(one).split_whitespace().eq(text::fold(other).split_whitespace())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::alert::record::tests::record;
    use crate::item::ItemKey;

    const TOLD: &str = "Kim arrives at Vostochny";

    fn item(title: &str, summary: &str) -> Item {
        let mut item = Item::titled(ItemKey::of("guid", &["1"]), title);
        item.summary = summary.to_owned();
        item
    }

    fn edit<'a>(matches: Matches, title: &'a str, was: Option<&'a str>) -> Edit<'a> {
        let (text, story) = (None, Some("story-1"));
        Edit { matches, revision: 2, title, was, text, outlet: "ant", story }
    }

    /// The record of an edit, for tests of how it is shown.
    pub(in crate::alert) fn edited(
        draft: AlertRecord,
        matches: Matches,
        title: &str,
        was: Option<&str>,
    ) -> AlertRecord {
        let now = draft.recordedtime;
        revised(draft, &edit(matches, title, was), now)
    }

    /// The message of an edit of an item that was told as [`TOLD`].
    #[track_caller]
    fn check(matches: Matches, was: Option<&str>, now: &str, text: Option<&str>, message: &str) {
        let told = if matches == Matches::NoMore { TOLD } else { now };
        let edit = Edit { text, ..edit(matches, now, was) };
        let record = revised(record(told), &edit, Timestamp::UNIX_EPOCH);
        assert_eq!(record.data.message, format!("[high] Arms: edited, {message}"));
        assert_eq!(record.data.revised.unwrap().matches, matches);
        assert_eq!(record.correlationid, "story-1");
    }

    #[test]
    fn a_message_of_an_edit_says_first_whether_it_matches_and_what_has_changed() {
        use Matches::{Again, NoMore, Still};
        const NOW: &str = "Kim and Putin sign";
        check(
            NoMore,
            None,
            "Rain",
            None,
            "matches no more: Kim arrives at Vostochny (ant), now: Rain",
        );
        check(NoMore, None, TOLD, None, "matches no more: Kim arrives at Vostochny (ant)");
        check(NoMore, None, "", None, "matches no more: Kim arrives at Vostochny (ant)");
        check(
            NoMore,
            Some(NOW),
            "Rain",
            None,
            "matches no more: Kim and Putin sign (ant), now: Rain",
        );
        let before = "still matches: Kim and Putin sign (ant), before: Kim arrives at Vostochny";
        check(Still, Some(TOLD), NOW, Some("a pact"), before);
        let again = "matches again: Kim and Putin sign (ant), before: Rain";
        check(Again, Some("Rain"), NOW, None, again);
        let new = "still matches: Kim and Putin sign (ant), new: “a pact”";
        check(Still, Some("KIM and Putin sign"), NOW, Some("a pact"), new);
        check(Still, None, NOW, None, "still matches: Kim and Putin sign (ant)");
    }

    #[test]
    fn what_was_told_before_this_was_told_apart_matches_no_more() {
        let old = r#"{"title": "Rain", "at": "2023-11-14T22:13:20Z"}"#;
        let revised: RevisedInfo = serde_json::from_str(old).unwrap();
        assert_eq!((revised.matches, revised.was), (Matches::NoMore, None));
    }

    #[test]
    fn of_very_many_edits_those_are_told_that_may_make_another_item() {
        use Matches::{Again, NoMore, Still};
        let told = |matches, lately: &[Matches]| {
            is_told(&edit(matches, TOLD, Some(TOLD)), lately, MOST_IN_A_DAY)
        };
        for matches in [Still, Again, NoMore] {
            assert!(told(matches, &[]), "{matches:?}");
            assert!(!told(Still, &[matches]), "{matches:?}");
            assert!(told(Again, &[matches; MOST_IN_A_DAY - 1]), "{matches:?}");
            assert!(!told(Again, &[matches; MOST_IN_A_DAY]), "{matches:?}");
        }
        assert!(told(NoMore, &[Again; MOST_IN_A_DAY]));
        assert!(told(NoMore, &[Still, NoMore]));
        assert!(!told(NoMore, &[NoMore, Still]));
        for (was, now, another) in [
            (Some(TOLD), "Kim leaves", true),
            (Some("Live: Kim, 9:55"), "LIVE:  Kim, 10:05", false),
            (Some("Ким прибыл в 9"), "Ким отбыл в 9", true),
            (None, "Kim leaves", false),
        ] {
            let edit = edit(Still, now, was);
            assert_eq!(
                is_told(&edit, &[Still; MOST_IN_A_DAY - 1], MOST_IN_A_DAY),
                another,
                "{was:?} {now}"
            );
            assert!(!is_told(&edit, &[Still; MOST_IN_A_DAY], MOST_IN_A_DAY), "{was:?} {now}");
        }
    }

    #[test]
    fn letters_case_and_space_are_no_news() {
        let before = item("Kim arrives", "He came by train.");
        for (title, summary, no_news) in [
            ("KIM  ARRIVES ", "He came\u{a0}by\ntrain.", true),
            ("Kim arrivés", "He\u{ad} came by train.", true),
            ("Kim arrives?", "He came by train.", false),
            ("Kim arrives", "He came by plane.", false),
            ("Kim arrives", "", false),
        ] {
            assert_eq!(is_no_news(&before, &item(title, summary)), no_news, "{title} {summary}");
        }
    }

    #[test]
    fn what_is_new_in_a_text_is_quoted_without_what_stood_there() {
        let new = |before, now| new_text(&item("a", before), &item("b", now));
        for (before, now, expected) in [
            ("He came by train.", "He came by armoured train.", Some("armoured")),
            ("He came.", "He came. They signed a pact.", Some("They signed a pact.")),
            ("He came by train. They met.", "They met.", None),
            ("a a", "a a a", Some("a")),
            ("", "They met.", Some("They met.")),
            ("They met.", "THEY  met.", None),
        ] {
            assert_eq!(new(before, now).as_deref(), expected, "{before} {now}");
        }
    }
}
