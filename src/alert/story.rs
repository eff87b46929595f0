//! What an alert says of the story that it tells: the record of a hit, completed with what the
//! reports of the story say together.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::decide::Reason;
use super::record::{AlertData, AlertRecord, RuleInfo, severity_numbers, shortened};
use super::revision::RevisedInfo;
use super::{catalogue, id};
use crate::story::claims::Class;
use crate::story::desk::{FirstReport, Kind, Line, Quote, SeenOrigin, Story};
use crate::story::{claims, message, origin};

/// Origins in a record, the first.
const MOST_ORIGINS: usize = 12;
/// Entities in a record, the first.
const MOST_ENTITIES: usize = 16;
/// Languages in a record, the first.
const MOST_LANGUAGES: usize = 8;
/// Quotes of claim cues in a record.
const MOST_QUOTES: usize = 6;
/// Characters of a name in a record.
const LONGEST_NAME: usize = 60;
/// Characters of a quote in a line.
const LONGEST_QUOTE: usize = 120;

/// The story of an alert, as it was when the alert was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoryInfo {
    /// What `stories show` calls it.
    pub id: String,
    /// The run of the rule's stories about overlapping entities that it is part of.
    pub thread: String,
    /// `open` or `corroborated`.
    pub state: String,
    /// When its first report came.
    pub first_seen: Timestamp,
    /// When its last report came.
    pub last_seen: Timestamp,
    /// How many reports it has.
    pub items: usize,
    /// The first of them that stands; absent where its headline was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstReport>,
    /// How many different texts.
    pub lineages: usize,
    /// How many published them.
    pub outlets: usize,
    /// Whom they rest on, and since when; the first ones.
    pub origins: Vec<SeenOrigin>,
    /// `single-origin`, `multi-origin(3)` or `cross-alignment(2)`.
    pub label: String,
    /// The entities that matched.
    pub entities: Vec<String>,
    /// The languages.
    pub languages: Vec<String>,
    /// When it had as many independent origins as its rule asks for.
    pub corroborated_at: Option<Timestamp>,
    /// When a report first had a word of denial.
    pub denied_at: Option<Timestamp>,
    /// When a report first had a word of confirmation.
    pub confirmed_at: Option<Timestamp>,
    /// The story before it in its thread.
    pub previous_id: Option<String>,
    /// Other stories of the rule that waited with this one, and were not told.
    pub left_out: usize,
}

impl StoryInfo {
    /// What a record says of a story.
    pub fn of(story: &Story, left_out: usize) -> Self {
        let names = |names: &[std::sync::Arc<str>], most| {
            names.iter().take(most).map(|name| shortened(name, LONGEST_NAME)).collect()
        };
        Self {
            id: story.id.to_string(),
            thread: story.thread.to_string(),
            state: story.state(story.last_seen).to_owned(),
            first_seen: story.first_seen,
            last_seen: story.last_seen,
            items: story.items,
            first: story.first.as_ref().map(|first| FirstReport {
                title: first.title.clone(),
                outlet: shortened(&first.outlet, LONGEST_NAME).into(),
            }),
            lineages: story.lineages.len(),
            outlets: story.outlets.len(),
            origins: story.origins.iter().take(MOST_ORIGINS).cloned().collect(),
            label: story.label(),
            entities: names(&story.entities, MOST_ENTITIES),
            languages: names(&story.languages, MOST_LANGUAGES),
            corroborated_at: story.corroborated_at,
            denied_at: story.denied_at,
            confirmed_at: story.confirmed_at,
            previous_id: story.previous.as_ref().map(ToString::to_string),
            left_out,
        }
    }
}

/// A rule that has far more news than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurgeInfo {
    /// Different texts in the last 24 hours.
    pub lineages: u32,
    /// How many were to be expected on such a day.
    pub expected: f64,
    /// The probability of so many or more.
    pub p: f64,
    /// Since when.
    pub since: Timestamp,
}

/// The record that tells that a rule has far more news than usual. `draft` is the record of its newest
/// hit.
pub fn surge(draft: AlertRecord, surge: SurgeInfo, outlet: &str, now: Timestamp) -> AlertRecord {
    let mut record = of_type(draft, catalogue::STORY_SURGE, now);
    record.correlationid.clone_from(&record.subject);
    let data = &mut record.data;
    let name = data.rule.as_ref().map_or("", |rule| rule.name.as_str());
    let newest = data.item.as_ref().map_or("", |item| item.title.as_str());
    let severity = record.severitytext.to_lowercase();
    let SurgeInfo { lineages, expected, .. } = surge;
    data.message = format!(
        "[{severity}] {name}: {lineages} reports in 24 h, {expected:.1} were to be expected; the newest: \
         {newest} ({outlet})"
    );
    data.surge = Some(surge);
    record
}

/// The record of a hit as one of another type.
pub(super) fn of_type(mut record: AlertRecord, kind: &str, now: Timestamp) -> AlertRecord {
    let rule = record.rule().unwrap_or_default().to_owned();
    record.id = id::story_alert_id(kind, &rule, &record.causationid, now);
    record.kind = kind.to_owned();
    record.recordedtime = now;
    record.data.event.action = action(kind);
    record.data.event.created = now;
    record
}

/// `story-opened`.
fn action(kind: &str) -> String {
    kind.trim_start_matches("newswatch.").replace(['.', '_'], "-")
}

/// The record that tells a story by one of its reports: `draft` is the record of that hit alone.
/// `left_out` counts the stories that waited with it and are not told.
pub fn tell(
    draft: AlertRecord,
    story: &Story,
    line: &Line,
    outlet: &str,
    left_out: usize,
    now: Timestamp,
) -> AlertRecord {
    let mut record = draft;
    let key = record.causationid.clone();
    let rule = record.rule().unwrap_or_default().to_owned();
    let (number, ecs) = severity_numbers(story.severity);
    let kind = line.kind.alert_type();
    if line.kind != Kind::Hit {
        record.id = id::story_alert_id(kind, &rule, &key, now);
        record.correlationid = story.id.to_string();
    }
    record.kind = kind.to_owned();
    record.recordedtime = now;
    record.severitytext = story.severity.as_str().to_uppercase();
    record.severitynumber = number;
    let data = &mut record.data;
    data.event.action = action(kind);
    data.event.reason = Some(line.reason.as_str().to_owned());
    data.event.severity = ecs;
    data.event.created = now;
    // A hit that is told by itself says of others' reports neither how many they are nor what is in them.
    let by_itself = line.kind == Kind::Hit;
    let cues = if by_itself { hit_cues(data, outlet, now) } else { story.cues.clone() };
    let title = data.item.as_ref().map_or("", |item| item.title.as_str());
    let name = data.rule.as_ref().map_or("", |rule| rule.name.as_str());
    let story_told = (!by_itself).then_some(story);
    data.message = message::notice(
        story.severity,
        name,
        &[message::Line { title, outlet, kind: line.kind, story: story_told, cues: &cues }],
        left_out,
    );
    data.story = Some(StoryInfo::of(story, left_out));
    if !by_itself {
        data.claim_cues = claim_cues(story, line);
    }
    record
}

/// What a message about a rule's alert begins with: the rule's title, and what became of an item that
/// was edited.
pub(crate) fn heading(record: &AlertRecord, rule: &RuleInfo) -> String {
    match record.data.revised {
        Some(RevisedInfo { matches, .. }) => format!("{}: {}", rule.name, matches.describe()),
        None => rule.name.clone(),
    }
}

/// What an alert says of its story, in lines for a person, the most important first: what is new,
/// how many say so, what they deny. Others' text in them is as it came.
pub(crate) fn lines(record: &AlertRecord) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(surge) = &record.data.surge {
        let SurgeInfo { lineages, expected, .. } = surge;
        lines.push(format!("{lineages} reports in 24 h, {expected:.1} were to be expected"));
    }
    if let Some(revised) = &record.data.revised {
        let title = record.data.item.as_ref().map_or("", |item| item.title.as_str());
        lines.extend(revised.lines(title));
    }
    let Some(story) = &record.data.story else { return lines };
    let reason = record.data.event.reason.as_deref().and_then(Reason::from_name);
    lines.extend(reason.map(|reason| reason.describe().to_owned()));
    lines.extend(match record.kind.as_str() {
        catalogue::STORY_CORROBORATED => {
            let time = story.last_seen.duration_since(story.first_seen);
            Some(format!("reported by {} origins in {}", story.origins.len(), message::span(time)))
        }
        catalogue::SEVERITY_RAISED => Some(format!("now {}", record.severitytext.to_lowercase())),
        catalogue::FIRST_DENIED => Some("the first word of denial in the story".to_owned()),
        catalogue::FIRST_CONFIRMED => {
            Some("the first word of confirmation in the story".to_owned())
        }
        catalogue::STORY_UPDATED => Some("more of a story that was told".to_owned()),
        _ => None,
    });
    if record.kind != catalogue::HIT {
        if story.outlets > 1 {
            lines.push(origin::count_line(story.outlets, &story.origins));
        }
        let title = record.data.item.as_ref().map_or("", |item| item.title.as_str());
        let first = story.first.as_ref().filter(|_| story.items > 1);
        lines.extend(first.and_then(|first| first.beside(title)));
    }
    lines.extend(record.data.claim_cues.as_ref().and_then(cue_line));
    if story.left_out > 0 {
        lines.push(format!("and {} more that waited with it", story.left_out));
    }
    lines
}

/// `cues: alleged 4, denied 1 ("Ministry denies…", example.org)`.
fn cue_line(cues: &Value) -> Option<String> {
    let counts = message::COUNTED.iter().filter_map(|class| {
        let count = cues.get(class.as_str())?.as_u64()?;
        let quoted = |quote: &&Value| quote["class"] == class.as_str();
        let quote = cues["quotes"].as_array().and_then(|quotes| quotes.iter().find(quoted));
        let said = quote.and_then(|quote| {
            let text = shortened(quote["text"].as_str()?, LONGEST_QUOTE);
            let outlet = quote["outlet"].as_str();
            let by = outlet.map(|outlet| format!(", {outlet}")).unwrap_or_default();
            Some(format!(" (“{text}”{by})"))
        });
        Some(format!("{} {count}{}", class.as_str(), said.unwrap_or_default()))
    });
    let counts: Vec<String> = counts.collect();
    (!counts.is_empty()).then(|| format!("cues: {}", counts.join(", ")))
}

/// How often each class of cue stands in a story: `alleged 4, denied 1`.
pub(crate) fn cue_counts(cues: &Value) -> String {
    let counts = cues.as_object().into_iter().flatten();
    let counts = counts.filter_map(|(class, count)| Some(format!("{class} {}", count.as_u64()?)));
    counts.collect::<Vec<_>>().join(", ")
}

/// How often each class that messages count stands in a hit, whose quotes now say who published it.
fn hit_cues(data: &mut AlertData, outlet: &str, now: Timestamp) -> Vec<(Class, usize)> {
    let Some(cues) = &mut data.claim_cues else { return Vec::new() };
    for quote in cues["quotes"].as_array_mut().into_iter().flatten() {
        quote["outlet"] = json!(shortened(outlet, LONGEST_NAME));
        quote["at"] = json!(now);
    }
    let count =
        |class: Class| Some((class, usize::try_from(cues.get(class.as_str())?.as_u64()?).ok()?));
    message::COUNTED.into_iter().filter_map(count).collect()
}

/// The cues of a story as its record has them.
fn claim_cues(story: &Story, line: &Line) -> Option<Value> {
    if story.cues.is_empty() {
        return None;
    }
    let mut cues: Map<String, Value> =
        story.cues.iter().map(|(class, count)| (class.as_str().to_owned(), json!(count))).collect();
    let quotes: Vec<Value> = quotes(story, line)
        .take(MOST_QUOTES)
        .map(|quote| {
            json!({
                "class": quote.class.as_str(), "text": quote.text, "item": &*quote.item,
                "outlet": shortened(&quote.outlet, LONGEST_NAME), "at": quote.at,
            })
        })
        .collect();
    cues.insert("note".to_owned(), json!(claims::NOTE));
    cues.insert("quotes".to_owned(), quotes.into());
    Some(Value::Object(cues))
}

/// The quotes of a story: those for which the alert is sent, one of each other class, the rest.
fn quotes<'s>(story: &'s Story, line: &Line) -> impl Iterator<Item = &'s Quote> {
    let class = match line.reason {
        Reason::ToldDenied => Some(Class::Denied),
        Reason::ToldConfirmed => Some(Class::Confirmed),
        _ => None,
    };
    let is_why = |quote: &&Quote| Some(quote.class) == class && quote.item == line.item;
    let (why, others): (Vec<&Quote>, Vec<&Quote>) = story.quotes.iter().partition(is_why);
    let mut shown: Vec<Class> = why.iter().map(|quote| quote.class).collect();
    let (one_each, rest): (Vec<&Quote>, Vec<&Quote>) = others.into_iter().partition(|quote| {
        let is_new = !shown.contains(&quote.class);
        shown.push(quote.class);
        is_new
    });
    why.into_iter().chain(one_each).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::tests::record;
    use crate::hit::Severity;
    use crate::story::origin::Origin;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours)
    }

    /// A story with everything, and names of the test's choice in it.
    pub(crate) fn story(name: &str, count: usize) -> Story {
        let names: Vec<std::sync::Arc<str>> =
            (0..count).map(|number| format!("{name}{number}").into()).collect();
        let mut story = Story::new("story-1".into(), Severity::Critical, at(0));
        story.last_seen = at(5);
        story.items = count;
        story.origins = names
            .iter()
            .map(|id| SeenOrigin {
                origin: Origin { id: id.clone(), alignment: Some("state:xx".into()) },
                since: at(1),
                denies: false,
            })
            .collect();
        story.cues = vec![(Class::Denied, 2), (Class::Attributed, 7)];
        story.quotes = vec![
            Quote {
                class: Class::Denied,
                text: name.chars().take(200).collect(),
                item: "feed/1".into(),
                outlet: names[0].clone(),
                at: at(2),
            };
            12
        ];
        (story.outlets, story.lineages) = (names.clone(), names.clone());
        (story.entities, story.languages) = (names.clone(), names);
        story
    }

    fn line(kind: Kind) -> Line {
        let reason = Reason::ToldCorroborated;
        Line { story: "story-1".into(), item: "feed/1".into(), kind, reason }
    }

    #[test]
    fn a_record_of_a_story_says_who_says_so_since_when_and_who_denies_it() {
        let told =
            tell(record("Arms shipped"), &story("o", 3), &line(Kind::Corroborated), "o1", 0, at(6));
        assert_eq!(told.kind, "newswatch.story.corroborated");
        assert_eq!(
            told.data.message,
            "[critical] Arms: 3 outlets, 3 origins (o0; o1; o2) in 5 h: Arms shipped (o1); cues: denied 2"
        );
        assert_eq!(
            (told.severitytext.as_str(), told.correlationid.as_str()),
            ("CRITICAL", "story-1")
        );
        assert_eq!(
            lines(&told),
            [
                "told at once: the story, told before, has as many origins as its rule asks for",
                "reported by 3 origins in 5 h",
                "3 outlets, 3 origins (o0; o1; o2)",
                "cues: denied 2 (“o”, o0)",
            ]
        );
        assert_eq!(cue_counts(told.data.claim_cues.as_ref().unwrap()), "denied 2, attributed 7");
    }

    #[test]
    fn a_record_and_its_lines_have_the_headline_that_the_story_began_with() {
        let mut story = story("o", 3);
        story.first = Some(FirstReport { title: "Ships sail".into(), outlet: "o0".into() });
        let told = tell(record("Arms shipped"), &story, &line(Kind::Opened), "o1", 0, at(6));
        assert_eq!(told.data.story.as_ref().unwrap().first, story.first);
        assert!(told.data.message.contains("; first: Ships sail (o0); cues"), "{told:#?}");
        assert!(lines(&told).contains(&"first: Ships sail (o0)".to_owned()), "{told:#?}");
    }

    #[test]
    fn a_hit_that_is_told_by_itself_counts_no_reports_of_others() {
        let mut story = story("o", 3);
        story.first = Some(FirstReport { title: "Ships sail".into(), outlet: "o0".into() });
        let told = tell(record("Arms shipped"), &story, &line(Kind::Hit), "o1", 0, at(6));
        assert_eq!(told.data.message, "[critical] Arms: Arms shipped (o1)");
        assert_eq!(lines(&told).len(), 1, "{told:#?}");
        let denied = tell(record("Arms deal denied"), &story, &line(Kind::Hit), "o1", 0, at(6));
        assert_eq!(denied.data.message, "[critical] Arms: Arms deal denied (o1); cues: denied 1");
        assert_eq!(lines(&denied)[1..], ["cues: denied 1 (“Arms deal denied”, o1)"]);
    }

    #[test]
    fn a_record_quotes_first_what_it_is_sent_for_then_one_of_each_class() {
        let quote = |class, text: &str, item: &str| {
            let (text, item) = (text.to_owned(), item.into());
            Quote { class, text, item, outlet: "o".into(), at: at(2) }
        };
        let mut story = story("o", 3);
        story.quotes = (0..4)
            .flat_map(|number| {
                [Class::Attributed, Class::Alleged, Class::Denied].map(|class| (class, number))
            })
            .map(|(class, number)| quote(class, &format!("{class:?} {number}"), "feed/0"))
            .chain([
                quote(Class::Denied, "This", "feed/1"),
                quote(Class::Planned, "That", "feed/1"),
            ])
            .collect();
        let texts = |reason| {
            let line = Line { reason, ..line(Kind::FirstDenied) };
            let told = tell(record("Arms shipped"), &story, &line, "o1", 0, at(6));
            assert!(lines(&told).iter().any(|line| line.contains("denied 2 (“")), "{told:#?}");
            let cues = told.data.claim_cues.unwrap();
            let texts = cues["quotes"].as_array().unwrap().iter();
            texts.map(|quote| quote["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(Reason::ToldDenied),
            ["This", "Attributed 0", "Alleged 0", "That", "Denied 0", "Attributed 1"]
        );
        assert_eq!(
            texts(Reason::ToldUpdate),
            ["Attributed 0", "Alleged 0", "Denied 0", "That", "Attributed 1", "Alleged 1"]
        );
    }

    #[test]
    fn a_record_of_a_huge_story_reads_back_and_stays_small() {
        let title = "王".repeat(2_000_000);
        let told = tell(record(&title), &story("王\n", 128), &line(Kind::Opened), "o", 300, at(6));
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<AlertRecord>(&text).unwrap(), told);
        assert!(text.len() < 20_000, "{}", text.len());
    }
}
