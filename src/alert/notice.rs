//! What a message about an alert says, in whatever form a receiver wants: parts that are clean and
//! short, of others' text, but not yet escaped for anything.

use jiff::Timestamp;
use url::Url;

use super::record::{AlertRecord, ItemInfo, OperatorInfo, shortened};
use super::story;
use crate::text::clean::clean;

/// The longest of each part, in characters.
const LONGEST_PART: usize = 500;
/// The longest link that is given; a longer one is left out, as a part of it leads nowhere.
const LONGEST_LINK: usize = 2_048;
/// Matched words that are named.
const MOST_WORDS: usize = 12;

/// What is told of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The alert's id.
    pub(crate) id: String,
    /// `low`, `medium`, `high` or `critical`.
    pub(crate) severity: String,
    /// The rule's title; of an event of the service, what happened.
    pub(crate) heading: String,
    /// The headline of the item.
    pub(crate) headline: Option<String>,
    /// Further lines, most important first: who says it and when, the words that matched; why,
    /// what comes next, what to do.
    pub(crate) details: Vec<String>,
    /// Where to read it: http or https, in ASCII.
    pub(crate) link: Option<String>,
    /// `rule arms`, or the type of the event.
    pub(crate) origin: String,
}

impl Notice {
    /// What is told of a record.
    pub(crate) fn of(record: &AlertRecord) -> Self {
        let data = &record.data;
        let mut notice = Self {
            id: part(&record.id),
            severity: part(&record.severitytext.to_lowercase()),
            heading: part(&data.message),
            headline: None,
            details: Vec::new(),
            link: None,
            origin: part(&record.kind),
        };
        if let Some(operator) = &data.operator {
            notice.take_operator(operator);
        }
        for headline in data.silence.iter().flat_map(|silence| &silence.headlines) {
            let (rule, title) = (part(&headline.rule), part(&headline.title));
            notice.details.push(format!("[{}] {rule}: {title}", headline.severity));
        }
        if let Some(rule) = &data.rule {
            notice.heading = part(&story::heading(record, rule));
            notice.origin = format!("rule {}", part(&rule.id));
        }
        notice.details.extend(story::lines(record).iter().map(|line| part(line)));
        if let Some(item) = &data.item {
            notice.take_item(item);
        }
        notice
    }

    /// `[high] Arms`.
    pub(crate) fn title(&self) -> String {
        format!("[{}] {}", self.severity, self.heading)
    }

    /// One line: `[high] Arms: Arms shipped`.
    pub(crate) fn line(&self) -> String {
        match &self.headline {
            Some(headline) => format!("{}: {headline}", self.title()),
            None => self.title(),
        }
    }

    /// Where it comes from, for whoever looks it up: `rule arms, alert 0192…`.
    pub(crate) fn footer(&self) -> String {
        format!("{}, alert {}", self.origin, self.id)
    }

    fn take_item(&mut self, item: &ItemInfo) {
        self.headline = Some(part(&item.title));
        let mut source = part(&item.feed.name);
        if let Some(publisher) = &item.source {
            source += &format!(", quoting {}", part(publisher));
        }
        if let Some(alignment) = &item.feed.alignment {
            source += &format!(" [{}]", part(alignment));
        }
        let time = item.published.map_or_else(
            || format!("seen {}", minute(item.fetched)),
            |published| format!("published {}", minute(published)),
        );
        self.details.push(format!("{source}, {time}"));
        let mut words: Vec<String> = Vec::new();
        for span in item.words() {
            let word = part(&span.text);
            if !words.contains(&word) && words.len() < MOST_WORDS {
                words.push(word);
            }
        }
        if !words.is_empty() {
            self.details.push(format!("matched: {}", shortened(&words.join(", "), LONGEST_PART)));
        }
        self.link = item.url.as_ref().and_then(|url| link(&url.full));
    }

    fn take_operator(&mut self, operator: &OperatorInfo) {
        self.heading = part(&operator.title);
        self.details.extend(operator.since.map(|since| format!("since {}", minute(since))));
        let parts =
            [("", &operator.why), ("next: ", &operator.next), ("to do: ", &operator.advice)];
        for (label, text) in parts {
            self.details.extend(text.as_ref().map(|text| format!("{label}{}", part(text))));
        }
        self.link = operator.url.as_ref().and_then(|url| link(&url.full));
    }
}

fn part(text: &str) -> String {
    shortened(clean(text).trim(), LONGEST_PART)
}

/// A link that may be offered to click: neither a script nor a file, and written so that no
/// character of it means anything to whoever quotes it.
fn link(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let link = String::from(url.clone()).replace('|', "%7C").replace('\'', "%27");
    (matches!(url.scheme(), "http" | "https") && link.len() <= LONGEST_LINK).then_some(link)
}

fn minute(time: Timestamp) -> String {
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
    fn the_end_of_a_silence_tells_the_headlines_that_nobody_was_told() {
        let notice = Notice::of(&summed(1, "a\nb"));
        assert!(notice.details.contains(&"[high] arms: a b".to_owned()), "{notice:?}");
    }

    #[test]
    fn a_notice_says_what_was_found_who_says_it_and_where() {
        let notice = Notice::of(&record("Arms shipped"));
        assert_eq!(notice.line(), "[high] Arms: Arms shipped");
        assert_eq!(notice.details, ["Example News, seen 2023-11-14 22:13 UTC", "matched: Ar"]);
        assert_eq!(notice.link.as_deref(), Some("https://example.org/1"));
        assert_eq!(notice.footer(), format!("rule arms, alert {}", record("").id));
    }

    #[test]
    fn a_notice_of_an_item_that_was_edited_says_so_in_its_line() {
        let told = record("Arms shipped");
        let notice = Notice::of(&edited(told, Matches::NoMore, "Aid shipped", None));
        assert_eq!(notice.line(), "[high] Arms: edited, matches no more: Arms shipped");
        assert_eq!(notice.details[0], "its headline now: Aid shipped");
        let (title, told) = ("More arms shipped", "Arms shipped");
        let notice = Notice::of(&edited(record(title), Matches::Still, title, Some(told)));
        assert_eq!(notice.line(), "[high] Arms: edited, still matches: More arms shipped");
        assert_eq!(notice.details[0], "its headline before: Arms shipped");
    }

    #[test]
    fn a_notice_of_the_service_says_why_and_what_to_do() {
        let notice = Notice::of(&operator::tests::broken("503"));
        assert_eq!(notice.line(), "[medium] feed alpha is broken");
        assert!(notice.details.contains(&"to do: look at the address in a browser".to_owned()));
    }

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(link(url).as_deref(), expected);
    }

    #[test]
    fn a_link_that_is_no_web_address_is_not_offered() {
        check("https://example.org/a?b=c", Some("https://example.org/a?b=c"));
        check("javascript:alert(1)", None);
        check("file:///etc/passwd", None);
        check("no address", None);
        check(&format!("https://example.org/{}", "x".repeat(3000)), None);
    }

    #[test]
    fn a_link_cannot_end_its_own_quotation() {
        check("https://example.org/\"><b>|x'\n", Some("https://example.org/%22%3E%3Cb%3E%7Cx%27"));
    }
}
