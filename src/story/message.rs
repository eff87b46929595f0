//! The sentence of a notice: who says what, and how many say so. It says no more.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::claims::Class;
use super::desk::{Kind, Story};
use super::origin;
use crate::hit::Severity;
use crate::item::Item;

/// Characters of a headline in a message.
const LONGEST_HEADLINE: usize = 200;
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
    /// Its story.
    pub story: Option<&'a Story>,
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

/// `[high] Arms deal: Minister arrives (example.org); 2 outlets, 1 origin (AP); cues: denied 1`. A
/// bulletin names each of its stories, and how many more there are.
pub fn notice(severity: Severity, rule: &str, lines: &[Line<'_>], more: usize) -> String {
    let mut message = format!("[{severity}] {rule}: ");
    if lines.len() > 1 {
        let _ = write!(message, "{} stories: ", lines.len() + more);
    }
    for (number, line) in lines.iter().enumerate() {
        let separator = if number > 0 { " · " } else { "" };
        let title = match line.title.char_indices().nth(LONGEST_HEADLINE) {
            None => line.title.to_string(),
            Some((end, _)) => format!("{}…", &line.title[..end]),
        };
        let _ = write!(message, "{separator}{}{title} ({})", news(line), line.outlet);
        if let Some(story) = line.story {
            if story.outlets.len() > 1 && line.kind != Kind::Corroborated {
                let _ = write!(message, "; {}", count_line(story));
            }
            let _ = write!(message, "{}", cue_line(story));
        }
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

/// `3 outlets, 2 origins (AP; Yonhap)`.
pub fn count_line(story: &Story) -> String {
    origin::count_line(story.outlets.len(), story.origins.iter().map(|seen| &seen.origin))
}

/// `; cues: alleged 4, denied 1`; nothing where there are none of these.
fn cue_line(story: &Story) -> String {
    let counts = COUNTED.iter().filter_map(|class| {
        let (_, count) = story.cues.iter().find(|(known, _)| known == class)?;
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

    fn line(title: &str) -> Line<'_> {
        Line { title, outlet: "example.org", kind: Kind::Opened, story: None }
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

    #[test]
    fn a_notice_says_what_is_new_about_a_story_that_was_told() {
        let denied = Line { kind: Kind::FirstDenied, ..line("Ministry denies") };
        assert_eq!(
            notice(Severity::High, "Arms", &[denied], 0),
            "[high] Arms: first word of denial: Ministry denies (example.org)"
        );
    }
}
