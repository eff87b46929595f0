//! The sentence of a notice: who says what, and how many say so. It says no more.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::claims::Class;
use super::desk::{Kind, Story};
use super::origin;
use crate::alert::record::shortened;
use crate::hit::Severity;
use crate::item::Item;

/// Characters of a headline in a message.
pub(crate) const LONGEST_HEADLINE: usize = 200;
/// The classes of claim cues that a message counts.
pub(crate) const COUNTED: [Class; 3] = [Class::Alleged, Class::Denied, Class::Confirmed];

/// A report in a message.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its headline.
    pub title: &'a str,
    /// Who published it.
    pub outlet: &'a str,
    /// What of the story is told.
    pub kind: Kind,
    /// Its story, when the story is told.
    pub story: Option<&'a Story>,
    /// How often each class of claim cue occurred in what is told.
    pub cues: &'a [(Class, usize)],
}

/// What stands for an item in a line: its title, else the start of its text, else its link.
pub fn headline(item: &Item) -> &str {
    [&item.title, &item.summary, &item.content]
        .into_iter()
        .map(|text| text.trim())
        .find(|text| !text.is_empty())
        .or(item.link.as_deref())
        .unwrap_or("(an item without text)")
}

/// `[high] Arms deal: Minister arrives (example.org); 2 outlets, 1 origin (AP); first: Minister to
/// arrive (example.com); cues: denied 1`. A bulletin names each of its stories, and how many more there
/// are.
pub fn notice(severity: Severity, rule: &str, lines: &[Line<'_>], more: usize) -> String {
    let mut message = format!("[{severity}] {rule}: ");
    if lines.len() > 1 {
        let _ = write!(message, "{} stories: ", lines.len() + more);
    }
    for (number, line) in lines.iter().enumerate() {
        let separator = if number > 0 { " · " } else { "" };
        let title = shortened(line.title, LONGEST_HEADLINE);
        let _ = write!(message, "{separator}{}{title} ({})", news(line), line.outlet);
        if let Some(story) = line.story {
            if story.outlets.len() > 1 && line.kind != Kind::Corroborated {
                let _ = write!(message, "; {}", count_line(story));
            }
            // Others need not say what the headline says that stands beside their number.
            if let Some(first) = first(story, line.title) {
                let _ = write!(message, "; {first}");
            }
        }
        message += &cue_line(line.cues);
    }
    if more > 0 {
        let _ = write!(message, " · and {more} more");
    }
    message
}

/// What is new about a story that was told before.
fn news(line: &Line<'_>) -> String {
    match (line.kind, line.story) {
        (Kind::Corroborated, Some(story)) => {
            let within = story.last_seen.duration_since(story.first_seen);
            format!("{} in {}: ", count_line(story), span(within))
        }
        (Kind::SeverityRaised, Some(story)) => format!("now {}: ", story.severity),
        (Kind::FirstDenied, _) => "first word of denial: ".to_owned(),
        (Kind::FirstConfirmed, _) => "first word of confirmation: ".to_owned(),
        (Kind::Updated, _) => "more: ".to_owned(),
        _ => String::new(),
    }
}

/// `first: Minister arrives (example.org)`, where a story has more than one report and is told by
/// another headline.
fn first(story: &Story, told: &str) -> Option<String> {
    story.first.as_ref().filter(|_| story.items > 1)?.beside(told)
}

/// `3 outlets, 2 origins (AP; Yonhap denies)`.
pub fn count_line(story: &Story) -> String {
    origin::count_line(story.outlets.len(), &story.origins)
}

/// `; cues: alleged 4, denied 1`; nothing where there are none of these.
fn cue_line(cues: &[(Class, usize)]) -> String {
    let counts = COUNTED.iter().filter_map(|class| {
        let (_, count) = cues.iter().find(|(known, _)| known == class)?;
        Some(format!("{} {count}", class.as_str()))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() { String::new() } else { format!("; cues: {}", counts.join(", ")) }
}

/// `5 h`, `40 min`.
pub(crate) fn span(time: SignedDuration) -> String {
    match time.as_mins() {
        ..1 => "less than a minute".to_owned(),
        minutes @ ..120 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::desk::FirstReport;

    fn line(title: &str) -> Line<'_> {
        Line { title, outlet: "example.org", kind: Kind::Opened, story: None, cues: &[] }
    }

    #[test]
    fn a_notice_names_who_says_what() {
        let one = notice(Severity::High, "Arms", &[line("Minister arrives")], 0);
        assert_eq!(one, "[high] Arms: Minister arrives (example.org)");
        let both = [line("Minister arrives"), line("Treaty signed")];
        assert_eq!(
            notice(Severity::Low, "Arms", &both, 1),
            "[low] Arms: 3 stories: Minister arrives (example.org) · Treaty signed (example.org) · and 1 more"
        );
    }

    /// A story of two outlets' reports, of which the first has this headline.
    fn story(first: &str) -> Story {
        let mut story = Story::new("story-1".into(), Severity::High, jiff::Timestamp::UNIX_EPOCH);
        story.items = 2;
        story.first = Some(FirstReport { title: first.into(), outlet: "ant".into() });
        story.outlets = vec!["ant".into(), "example.org".into()];
        story.cues = vec![(Class::Denied, 1)];
        story
    }

    #[track_caller]
    fn check(first: &str, kind: Kind, expected: &str) {
        let story = story(first);
        let told = Line { kind, story: Some(&story), ..line("Minister arrives") };
        assert_eq!(notice(Severity::High, "Arms", &[told], 0), format!("[high] Arms: {expected}"));
    }

    #[test]
    fn a_notice_beside_its_counts_has_the_headline_that_the_story_began_with() {
        check(
            "Minister to come",
            Kind::Opened,
            "Minister arrives (example.org); 2 outlets, 0 origins (); first: Minister to come (ant)",
        );
        check(
            "Minister to come",
            Kind::Corroborated,
            "2 outlets, 0 origins () in less than a minute: Minister arrives (example.org); first: \
             Minister to come (ant)",
        );
        check(
            "Minister arrives",
            Kind::Opened,
            "Minister arrives (example.org); 2 outlets, 0 origins ()",
        );
    }

    #[test]
    fn a_story_of_one_report_has_no_other_headline() {
        let one = Story { items: 1, ..story("Minister to come") };
        let told = Line { story: Some(&one), ..line("Minister arrives") };
        assert!(!notice(Severity::High, "Arms", &[told], 0).contains("first:"));
    }

    #[test]
    fn a_long_headline_is_the_first_one_however_it_was_cut() {
        let long = "x".repeat(300);
        let first = shortened(&long, LONGEST_HEADLINE);
        let kept = FirstReport { title: first.as_str().into(), outlet: "ant".into() };
        assert_eq!(kept.beside(&long), None);
        assert_eq!(kept.beside(&first), None);
    }

    #[test]
    fn a_notice_says_what_is_new_about_a_story_that_was_told() {
        let denied = Line { kind: Kind::FirstDenied, ..line("Ministry denies") };
        assert_eq!(
            notice(Severity::High, "Arms", &[denied], 0),
            "[high] Arms: first word of denial: Ministry denies (example.org)"
        );
    }
}
