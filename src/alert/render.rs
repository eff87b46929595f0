//! An alert for a person at a terminal. All text of others is cleaned first.

use super::record::AlertRecord;
use crate::item::Field;
use crate::text::clean::clean;

const BOLD: &str = "\u{1b}[1m";
const MARKED: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

/// A block of lines: what was found, who says it, the words that matched, where to read it.
pub fn block(record: &AlertRecord, colour: bool) -> String {
    let data = &record.data;
    let paint = |text: &str, code: &str| {
        if colour { format!("{code}{text}{PLAIN}") } else { text.to_owned() }
    };
    let mut lines = vec![format!(
        "{} {}",
        paint(&format!("[{}]", record.severitytext.to_lowercase()), BOLD),
        paint(&clean(&data.rule.name), BOLD)
    )];
    lines.push(format!("  {}", title(record, colour)));
    let mut source = clean(&data.item.feed.name).into_owned();
    if let Some(publisher) = &data.item.source {
        source += &format!(", quoting {}", clean(publisher));
    }
    if let Some(alignment) = &data.item.feed.alignment {
        source += &format!(" [{}]", clean(alignment));
    }
    let published = data.item.published.map_or_else(
        || format!("seen {}", minute(data.item.fetched)),
        |published| format!("published {}", minute(published)),
    );
    lines.push(format!("  {source}, {published}"));
    let mut words: Vec<String> = Vec::new();
    for span in &data.item.highlights {
        let place =
            if span.field == Field::Title { String::new() } else { format!(" in {}", span.field) };
        let word = format!("{} ({}{place})", paint(&clean(&span.text), MARKED), clean(&span.term));
        if !words.contains(&word) {
            words.push(word);
        }
    }
    lines.push(format!("  matched: {}", words.join(", ")));
    if let Some(url) = &data.item.url {
        lines.push(format!("  {}", clean(&url.full)));
    }
    lines.push(format!("  rule {}, alert {}", clean(&data.rule.id), clean(&record.id)));
    lines.join("\n")
}

/// The title with the words that matched marked, when colour is wanted.
fn title(record: &AlertRecord, colour: bool) -> String {
    let title = &record.data.item.title;
    if !colour {
        return clean(title).into_owned();
    }
    let marked = |place: u32| {
        record
            .data
            .item
            .highlights
            .iter()
            .any(|span| span.field == Field::Title && (span.start..span.end).contains(&place))
    };
    let (mut out, mut on) = (String::new(), false);
    for (place, character) in (0..).zip(title.chars()) {
        if marked(place) != on {
            on = !on;
            out += if on { MARKED } else { PLAIN };
        }
        out += &clean(character.encode_utf8(&mut [0; 4]));
    }
    if on {
        out += PLAIN;
    }
    out
}

fn minute(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::tests::record;

    #[test]
    fn a_block_shows_the_headline_the_source_the_words_and_the_link() {
        assert_eq!(
            block(&record("Arms shipped"), false),
            format!(
                "[high] Arms\n  Arms shipped\n  Example News, seen 2023-11-14 22:13 UTC\n  \
                 matched: Ar (arms)\n  https://example.org/1\n  rule arms, alert {}",
                record("Arms shipped").id
            )
        );
    }

    #[test]
    fn a_hostile_title_forges_no_line_and_drives_no_terminal() {
        let text = block(&record("a\nb\u{1b}[2Jc\u{202e}d"), false);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn matched_words_of_the_title_are_marked_in_colour() {
        assert!(block(&record("Arms"), true).contains("\u{1b}[1;33mAr\u{1b}[0mms"));
    }
}
