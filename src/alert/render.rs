//! An alert for a person at a terminal. All text of others is cleaned first.

use super::record::{AlertRecord, ItemInfo, OperatorInfo};
use super::silence::SilenceInfo;
use super::story;
use crate::hit::Span;
use crate::item::Field;
use crate::text::clean::clean;

const BOLD: &str = "\u{1b}[1m";
const MARKED: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

/// A block of lines: what was found, who says it, the words that matched, where to read it.
pub fn block(record: &AlertRecord, colour: bool) -> String {
    let data = &record.data;
    let heading = match (&data.rule, &data.operator) {
        (Some(rule), _) => story::heading(record, rule),
        (None, Some(operator)) => operator.title.clone(),
        (None, None) => data.message.clone(),
    };
    let mut lines = vec![format!(
        "{} {}",
        paint(&format!("[{}]", record.severitytext.to_lowercase()), BOLD, colour),
        paint(&clean(&heading), BOLD, colour)
    )];
    if let Some(item) = &data.item {
        item_lines(item, colour, &mut lines);
    }
    lines.extend(story::lines(record).iter().map(|line| format!("  {}", clean(line))));
    if let Some(operator) = &data.operator {
        operator_lines(operator, &mut lines);
    }
    if let Some(silence) = &data.silence {
        silence_lines(silence, &mut lines);
    }
    if let Some(silence) = &data.silenced_by {
        lines.push(format!("  muted by silence {}", clean(silence)));
    }
    if let Some(by) = &data.acked_by {
        let at = data.acked_at.map(|at| format!(", {}", minute(at))).unwrap_or_default();
        let why = data.acked_why.as_ref().map(|why| format!(": {}", clean(why)));
        lines.push(format!("  acknowledged by {}{at}{}", clean(by), why.unwrap_or_default()));
    }
    let origin = match &data.rule {
        Some(rule) => format!("rule {}", clean(&rule.id)),
        None => clean(&record.kind).into_owned(),
    };
    lines.push(format!("  {origin}, alert {}", clean(&record.id)));
    lines.join("\n")
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("{code}{text}{PLAIN}") } else { text.to_owned() }
}

fn item_lines(item: &ItemInfo, colour: bool, lines: &mut Vec<String>) {
    lines.push(format!("  {}", title(item, colour)));
    let mut source = clean(&item.feed.name).into_owned();
    if let Some(publisher) = &item.source {
        source += &format!(", quoting {}", clean(publisher));
    }
    if let Some(alignment) = &item.feed.alignment {
        source += &format!(" [{}]", clean(alignment));
    }
    let published = item.published.map_or_else(
        || format!("seen {}", minute(item.fetched)),
        |published| format!("published {}", minute(published)),
    );
    lines.push(format!("  {source}, {published}"));
    let word = |span: &Span| {
        let place =
            if span.field == Field::Title { String::new() } else { format!(" in {}", span.field) };
        let text = paint(&clean(&span.text), MARKED, colour);
        format!("{text} ({}{place})", clean(&span.term))
    };
    let words: Vec<String> = item.words().map(word).collect();
    lines.push(format!("  matched: {}", words.join(", ")));
    if let Some(url) = &item.url {
        lines.push(format!("  {}", clean(&url.full)));
    }
}

/// What a person who runs newswatch wants to know of an event: since when, why, what comes next,
/// what to do.
fn operator_lines(operator: &OperatorInfo, lines: &mut Vec<String>) {
    lines.extend(operator.since.map(|since| format!("  since {}", minute(since))));
    let parts = [("", &operator.why), ("next: ", &operator.next), ("to do: ", &operator.advice)];
    for (label, text) in parts {
        lines.extend(text.as_ref().map(|text| format!("  {label}{}", clean(text))));
    }
    lines.extend(operator.url.as_ref().map(|url| format!("  {}", clean(&url.full))));
}

/// Who muted what and why, and the headlines that nobody was told of.
fn silence_lines(silence: &SilenceInfo, lines: &mut Vec<String>) {
    let (author, why) = (clean(&silence.author), clean(&silence.why));
    lines.push(format!("  {author} muted {}: {why}", clean(&silence.matcher.describe())));
    for headline in &silence.headlines {
        let (rule, title) = (clean(&headline.rule), clean(&headline.title));
        lines.push(format!("  [{}] {rule}: {title}", headline.severity));
        lines.extend(headline.url.as_ref().map(|url| format!("    {}", clean(url))));
    }
}

/// The title with the words that matched marked, when colour is wanted.
fn title(item: &ItemInfo, colour: bool) -> String {
    let title = &item.title;
    if !colour {
        return clean(title).into_owned();
    }
    let marked = |place: u32| {
        item.highlights
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

/// A time for a person.
pub(super) fn minute(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::operator;
    use crate::alert::record::tests::record;
    use crate::alert::revision::Matches;
    use crate::alert::revision::tests::edited;
    use crate::alert::silence::tests::summed;

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
    fn an_item_that_was_edited_says_so_in_the_first_line() {
        let told = record("Arms shipped");
        let text = block(&edited(told, Matches::NoMore, "Aid shipped", None), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["[high] Arms: edited, matches no more", "  Arms shipped"]);
        assert!(lines.contains(&"  its headline now: Aid shipped"), "{text}");
    }

    #[test]
    fn a_word_that_is_two_terms_is_named_once() {
        let mut record = record("Arms shipped");
        let highlights = &mut record.data.item.as_mut().unwrap().highlights;
        highlights.push(Span { term: "@arms".into(), ..highlights[0].clone() });
        assert!(block(&record, false).contains("\n  matched: Ar (arms)\n"));
    }

    #[test]
    fn a_hostile_title_forges_no_line_and_drives_no_terminal() {
        let text = block(&record("a\nb\u{1b}[2Jc\u{202e}d"), false);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn an_event_shows_since_when_why_what_comes_next_and_what_to_do() {
        let event = operator::tests::broken("503");
        assert_eq!(
            block(&event, false),
            format!(
                "[medium] feed alpha is broken\n  since 2023-11-13 22:13 UTC\n  503\n  \
                 next: it is asked again at 2023-11-15 04:13 UTC\n  \
                 to do: look at the address in a browser\n  newswatch.feed.broken, alert {}",
                event.id
            )
        );
    }

    #[test]
    fn a_hostile_reason_of_an_event_forges_no_line_and_drives_no_terminal() {
        let text = block(&operator::tests::broken("a\nb\u{1b}[2Jc"), false);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_summary_shows_who_muted_what_and_the_headlines_each_in_its_lines() {
        let text = block(&summed(1, "a\nb\u{1b}[2Jc"), false);
        assert!(text.contains("\n  anna muted rule arms: known\n  [high] arms: a b"), "{text}");
        assert!(text.contains("\n    https://example.org/1\n"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_block_says_what_mutes_the_alert() {
        let mut record = record("Arms shipped");
        record.data.silenced_by = Some("3".to_owned());
        assert!(block(&record, false).contains("\n  muted by silence 3\n"));
        record.data.acked_by = Some("anna".to_owned());
        assert!(block(&record, false).contains("\n  acknowledged by anna\n"));
    }

    #[test]
    fn matched_words_of_the_title_are_marked_in_colour() {
        assert!(block(&record("Arms"), true).contains("\u{1b}[1;33mAr\u{1b}[0mms"));
    }
}
