//! What an alert says of the story that it tells: the record of a hit, completed with what the
//! reports of the story say together.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::id;
use super::record::{AlertRecord, severity_numbers, shortened};
use crate::story::desk::{Kind, Line, SeenOrigin, Story};
use crate::story::{claims, message};

/// Origins in a record, the first.
const MOST_ORIGINS: usize = 24;
/// Entities in a record, the first.
const MOST_ENTITIES: usize = 32;
/// Languages in a record, the first.
const MOST_LANGUAGES: usize = 16;
/// Quotes of claim cues in a record, the first.
const MOST_QUOTES: usize = 6;
/// Characters of a name in a record.
const LONGEST_NAME: usize = 100;

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
    pub fn of(story: &Story, left_out: usize, now: Timestamp) -> Self {
        let names = |names: &[std::sync::Arc<str>], most| {
            names.iter().take(most).map(|name| shortened(name, LONGEST_NAME)).collect()
        };
        Self {
            id: story.id.to_string(),
            thread: story.thread.to_string(),
            state: story.state(now).to_owned(),
            first_seen: story.first_seen,
            last_seen: story.last_seen,
            items: story.items,
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
    data.event.action = kind.trim_start_matches("newswatch.").replace(['.', '_'], "-");
    data.event.reason = Some(line.reason.as_str().to_owned());
    data.event.severity = ecs;
    data.event.created = now;
    let title = data.item.as_ref().map_or("", |item| item.title.as_str());
    let name = data.rule.as_ref().map_or("", |rule| rule.name.as_str());
    data.message = message::notice(
        story.severity,
        name,
        &[message::Line { title, outlet, kind: line.kind, story: Some(story) }],
        left_out,
    );
    data.story = Some(StoryInfo::of(story, left_out, now));
    data.claim_cues = claim_cues(story);
    record
}

/// The cues of a story as its record has them.
fn claim_cues(story: &Story) -> Option<Value> {
    if story.cues.is_empty() {
        return None;
    }
    let mut cues: Map<String, Value> =
        story.cues.iter().map(|(class, count)| (class.as_str().to_owned(), json!(count))).collect();
    let quotes: Vec<Value> = story
        .quotes
        .iter()
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
