//! The sentence of a notice: who says what, and how many say so. It says no more.

use std::fmt::Write as _;

use super::origin;
use super::watch::Story;
use crate::hit::Severity;
use crate::item::Item;

/// Characters of a headline in a message.
const LONGEST_HEADLINE: usize = 200;

/// A report in a message.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its headline.
    pub title: &'a str,
    /// Who published it.
    pub outlet: &'a str,
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

/// `[high] Arms deal: Minister arrives (example.org); 2 outlets, 1 origin (AP)`. A bulletin names
/// each of its stories, and how many more there are.
pub fn notice(severity: Severity, rule: &str, lines: &[Line<'_>], more: usize) -> String {
    let mut message = format!("[{severity}] {rule}: ");
    if lines.len() + more > 1 {
        let _ = write!(message, "{} stories: ", lines.len() + more);
    }
    for (number, Line { title, outlet, story }) in lines.iter().enumerate() {
        let separator = if number > 0 { " · " } else { "" };
        let title = match title.char_indices().nth(LONGEST_HEADLINE) {
            None => title.to_string(),
            Some((end, _)) => format!("{}…", &title[..end]),
        };
        let _ = write!(message, "{separator}{title} ({outlet})");
        if let Some(story) = story.filter(|story| story.outlets.len() > 1) {
            let _ =
                write!(message, "; {}", origin::count_line(story.outlets.len(), &story.origins));
        }
    }
    if more > 0 {
        let _ = write!(message, " · and {more} more");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(title: &str) -> Line<'_> {
        Line { title, outlet: "example.org", story: None }
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
}
