//! Silences: what a person mutes for a while, with an end and a reason, and the summary of what was
//! held back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::operator::{self, Event, EventType};
use super::record::{AlertRecord, OperatorInfo, severity_numbers, shortened};
use crate::hit::Severity;
use crate::text::count;

/// Rules that a summary names, those with the worst alerts.
const MOST_RULES: usize = 20;
/// Headlines that a summary gives.
pub const MOST_HEADLINES: usize = 10;
/// The longest headline of a summary, in characters. With all there may be it stays under 20 kB.
const LONGEST_HEADLINE: usize = 200;

/// Which alerts a silence mutes: of every list that is not empty one entry must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// Ids of rules.
    pub rule: Vec<String>,
    /// Tags of rules.
    pub tag: Vec<String>,
    /// Names of feeds.
    pub feed: Vec<String>,
    /// Names of entities, without `@`.
    pub entity: Vec<String>,
    /// Severities.
    pub severity: Vec<Severity>,
}

/// What a silence looks at in an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// Its tags.
    pub tags: &'a [String],
    /// The feed.
    pub feed: Option<&'a str>,
    /// The entities of the rule whose names stand in the item, without `@`.
    pub entities: Vec<&'a str>,
    /// How much it matters.
    pub severity: Severity,
}

impl<'a> Subject<'a> {
    /// What a silence looks at in a record; nothing for an event of the service, which is never
    /// muted.
    pub fn of(record: &'a AlertRecord, severity: Severity) -> Option<Self> {
        let spans = record.data.item.iter().flat_map(|item| &item.highlights);
        Some(Self {
            rule: record.rule()?,
            tags: &record.data.tags,
            feed: record.feed(),
            entities: spans.filter_map(|span| span.term.strip_prefix('@')).collect(),
            severity,
        })
    }
}

impl Matcher {
    /// Whether it asks for nothing, so that it would mute everything.
    pub fn is_empty(&self) -> bool {
        let Self { rule, tag, feed, entity, severity } = self;
        [rule, tag, feed, entity].iter().all(|list| list.is_empty()) && severity.is_empty()
    }

    /// Whether an alert is muted.
    pub fn takes(&self, subject: &Subject<'_>) -> bool {
        fits(&self.rule, [subject.rule])
            && fits(&self.tag, subject.tags.iter().map(String::as_str))
            && fits(&self.feed, subject.feed)
            && fits(&self.entity, subject.entities.iter().copied())
            && (self.severity.is_empty() || self.severity.contains(&subject.severity))
    }

    /// `rule arms, tag dprk or iran`.
    pub fn describe(&self) -> String {
        let severity: Vec<String> = self.severity.iter().map(Severity::to_string).collect();
        let lists = [
            ("rule", &self.rule),
            ("tag", &self.tag),
            ("feed", &self.feed),
            ("entity", &self.entity),
            ("severity", &severity),
        ];
        let named = lists.iter().filter(|(_, list)| !list.is_empty());
        named
            .map(|(what, list)| format!("{what} {}", list.join(" or ")))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Whether an entry of the list is found; an empty one asks for nothing.
fn fits<'a>(list: &[String], found: impl IntoIterator<Item = &'a str>) -> bool {
    list.is_empty() || found.into_iter().any(|found| list.iter().any(|entry| entry == found))
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number.
    pub id: i64,
    /// What it mutes.
    pub matcher: Matcher,
    /// When it was made.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub why: String,
    /// When somebody ended it before that, and who.
    pub ended: Option<(Timestamp, String)>,
}

/// The silence that mutes an alert: of several the one that lasts longest, so that nothing is summed
/// up while it is still muted.
pub fn holding<'s>(silences: &'s [Silence], subject: &Subject<'_>) -> Option<&'s Silence> {
    let holding = silences.iter().filter(|silence| silence.matcher.takes(subject));
    holding.max_by_key(|silence| (silence.until, -silence.id))
}

/// What a silence held back, as its summary tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SilenceInfo {
    /// Its number.
    pub id: i64,
    /// What it muted.
    #[serde(flatten)]
    pub matcher: Matcher,
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub why: String,
    /// Who ended it, where somebody did.
    pub ended_by: Option<String>,
    /// Alerts that it held back.
    pub alerts: u64,
    /// The rules of those, worst first; not all of many.
    pub rules: Vec<HeldRule>,
    /// The headlines of the worst, oldest first among equals; not all of many.
    pub headlines: Vec<Headline>,
}

/// A rule whose alerts were held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRule {
    /// Its id.
    pub id: String,
    /// How many.
    pub alerts: u64,
    /// The worst severity of those.
    pub severity: Severity,
}

/// An alert that was held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// Its id.
    pub alert: String,
    /// Its rule.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The headline.
    pub title: String,
    /// Where to read it.
    pub url: Option<String>,
}

/// What a silence held back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Every rule.
    pub rules: Vec<HeldRule>,
    /// The worst [`MOST_HEADLINES`].
    pub headlines: Vec<Headline>,
}

impl Held {
    /// The worst severity; nothing where nothing was held back.
    pub fn worst(&self) -> Option<Severity> {
        self.rules.iter().map(|rule| rule.severity).max()
    }
}

/// The summary that is told at `now`, as a silence has ended; nothing where it held nothing back.
pub fn summary(
    silence: &Silence,
    mut held: Held,
    instance: &str,
    now: Timestamp,
) -> Option<AlertRecord> {
    let worst = held.worst()?;
    let alerts: u64 = held.rules.iter().map(|rule| rule.alerts).sum();
    held.rules.sort_by(|a, b| (b.severity, b.alerts, &a.id).cmp(&(a.severity, a.alerts, &b.id)));
    held.rules.truncate(MOST_RULES);
    for headline in &mut held.headlines {
        headline.title = shortened(&headline.title, LONGEST_HEADLINE);
        headline.url =
            headline.url.take().filter(|url| url.chars().count() <= 2 * LONGEST_HEADLINE);
    }
    let rules: Vec<String> = held
        .rules
        .iter()
        .map(|rule| format!("{} {} ({})", rule.id, rule.alerts, rule.severity))
        .collect();
    let (until, ended_by) = match silence.ended.clone() {
        Some((at, by)) => (at, Some(by)),
        None => (silence.until, None),
    };
    let event = Event {
        kind: EventType::SilenceEnded,
        subject: format!("silence/{}", silence.id),
        info: OperatorInfo {
            title: format!("silence {} has ended", silence.id),
            feeds: Vec::new(),
            feed_count: 0,
            receiver: None,
            state: "ended".to_owned(),
            since: Some(silence.since),
            why: Some(format!(
                "{} {} held back, the worst {worst}: {}",
                count(alerts, "alert"),
                if alerts == 1 { "was" } else { "were" },
                rules.join(", ")
            )),
            next: None,
            advice: Some(format!("`newswatch alerts --silence {}` lists them", silence.id)),
            url: None,
        },
    };
    let mut record = operator::record(&event, instance, now);
    let (number, ecs) = severity_numbers(worst);
    record.severitytext = worst.as_str().to_uppercase();
    record.severitynumber = number;
    record.data.event.severity = ecs;
    let message = record.data.message.split_once("] ").map_or("", |(_, message)| message);
    record.data.message = format!("[{worst}] {message}");
    record.data.silence = Some(SilenceInfo {
        id: silence.id,
        matcher: silence.matcher.clone(),
        since: silence.since,
        until,
        author: silence.author.clone(),
        why: silence.why.clone(),
        ended_by,
        alerts,
        rules: held.rules,
        headlines: held.headlines,
    });
    Some(record)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::alert::operator::tests::broken;
    use crate::alert::record::tests::record;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_silence_mutes_what_fits_each_of_its_lists() {
        use Severity::{High, Low};
        let mut record = record("Arms shipped");
        record.data.item.as_mut().unwrap().highlights[0].term = "@kim".into();
        let subject = Subject::of(&record, High).unwrap();
        let none = Matcher::default;
        for (matcher, muted) in [
            (Matcher { rule: texts(&["arms"]), ..none() }, true),
            (Matcher { rule: texts(&["talks"]), ..none() }, false),
            (Matcher { rule: texts(&["talks", "arms"]), ..none() }, true),
            (Matcher { tag: texts(&["dprk"]), ..none() }, true),
            (Matcher { tag: texts(&["iran"]), rule: texts(&["arms"]), ..none() }, false),
            (Matcher { feed: texts(&["example"]), ..none() }, true),
            (Matcher { feed: texts(&["tass"]), ..none() }, false),
            (Matcher { entity: texts(&["kim"]), ..none() }, true),
            (Matcher { entity: texts(&["xi"]), ..none() }, false),
            (Matcher { severity: vec![High], rule: texts(&["arms"]), ..none() }, true),
            (Matcher { severity: vec![Low], rule: texts(&["arms"]), ..none() }, false),
        ] {
            assert_eq!(matcher.takes(&subject), muted, "{}", matcher.describe());
        }
    }

    #[test]
    fn an_event_of_the_service_is_never_muted() {
        assert_eq!(Subject::of(&broken("503"), Severity::Medium), None);
    }

    fn silence(id: i64, until: i64) -> Silence {
        let matcher = Matcher { rule: texts(&["arms"]), ..Matcher::default() };
        let (author, why) = ("anna".to_owned(), "known".to_owned());
        Silence { id, matcher, since: time(0), until: time(until), author, why, ended: None }
    }

    #[test]
    fn of_several_silences_the_one_that_lasts_longest_holds_an_alert() {
        let record = record("Arms shipped");
        let subject = Subject::of(&record, Severity::High).unwrap();
        let silences = [silence(1, 10), silence(2, 30), silence(3, 30), silence(4, 20)];
        assert_eq!(holding(&silences, &subject).map(|silence| silence.id), Some(2));
        assert_eq!(holding(&[], &subject), None);
    }

    /// The summary of a silence that held back this many alerts, with a title of the test's choice.
    pub(crate) fn summed(rules: usize, title: &str) -> AlertRecord {
        let rule = |number: usize| HeldRule {
            id: format!("rule-{number}"),
            alerts: number as u64 + 1,
            severity: if number == 1 { Severity::Critical } else { Severity::Medium },
        };
        let headline = Headline {
            alert: "1".to_owned(),
            rule: "arms".to_owned(),
            severity: Severity::High,
            title: title.to_owned(),
            url: Some("https://example.org/1".to_owned()),
        };
        let held = Held {
            rules: (0..rules).map(rule).collect(),
            headlines: vec![headline; MOST_HEADLINES],
        };
        summary(&silence(3, 10), held, "test", time(11)).unwrap()
    }

    #[test]
    fn a_summary_counts_by_rule_and_is_as_severe_as_the_worst_it_tells_of() {
        let summary = summed(3, "Arms shipped");
        assert_eq!(
            summary.data.message,
            "[critical] newswatch: silence 3 has ended: 6 alerts were held back, the worst critical: \
             rule-1 2 (critical), rule-2 3 (medium), rule-0 1 (medium)"
        );
        assert_eq!((summary.severitytext.as_str(), summary.severitynumber), ("CRITICAL", 18));
        assert_eq!(summary.data.silence.as_ref().unwrap().headlines.len(), MOST_HEADLINES);
    }

    #[test]
    fn a_silence_that_held_nothing_back_has_no_summary() {
        assert_eq!(summary(&silence(3, 10), Held::default(), "test", time(11)), None);
    }

    #[test]
    fn a_summary_of_much_reads_back_as_it_was_written_and_stays_small() {
        let summary = summed(10_000, &"王".repeat(2_000_000));
        let line = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<AlertRecord>(&line).unwrap(), summary);
        assert!(line.len() < 20_000, "{}", line.len());
    }
}
