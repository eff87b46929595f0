//! The alert record: what receivers get and what the alert log holds, one JSON object an alert.
//!
//! The envelope is CloudEvents 1.0 in structured JSON with the extensions `severity`,
//! `correlation`, `recordedtime` and `sequence`; inside `data`, names are those of the Elastic
//! Common Schema where it has one. docs/alert-record.md describes every field.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::catalogue;
use super::id::{self, Identity};
use super::revision::RevisedInfo;
use super::silence::SilenceInfo;
use super::story::{StoryInfo, SurgeInfo};
use crate::config::Feed;
use crate::hit::{Match, Severity, Span};
use crate::item::{Field, Item};
use crate::rules::Rule;
use crate::story::claims;
use crate::story::message::headline;

/// The longest title in a record, in characters.
pub(super) const LONGEST_TITLE: usize = 500;
/// The longest link in a record, in characters.
const LONGEST_LINK: usize = 2_000;
/// The longest matched text in a record, in characters.
const LONGEST_SPAN: usize = 200;
/// Matched texts in a record. With these limits and those of stories a record is a few kilobytes, and
/// under 28 kB whatever text is in it.
const MOST_SPANS: usize = 12;

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// `1.0`, the version of CloudEvents.
    pub specversion: String,
    /// The alert's id, the same on every delivery: receivers drop what they have had.
    pub id: String,
    /// `urn:newswatch:INSTANCE`.
    pub source: String,
    /// What happened: `newswatch.hit`, or an event of the service; see [`super::catalogue`].
    #[serde(rename = "type")]
    pub kind: String,
    /// `rule/ID`; of an event of the service what it is about, as `feed/NAME`.
    pub subject: String,
    /// When the item was published, else seen; never later than `recordedtime`.
    pub time: Timestamp,
    /// When newswatch raised the alert.
    pub recordedtime: Timestamp,
    /// Counts up with every alert of this installation; given at commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    pub severitytext: String,
    /// 9, 10, 13 or 18: orders severities, nothing more.
    pub severitynumber: u8,
    /// What the alert belongs with: the story; where hits are told one by one, the item.
    pub correlationid: String,
    /// The item that caused it.
    pub causationid: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// `urn:newswatch:schema:alert:1`.
    pub dataschema: String,
    /// The alert itself.
    pub data: AlertData,
}

/// What an alert says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertData {
    /// A sentence for a person. It names who says what, and says no more.
    pub message: String,
    /// What kind of event this is.
    pub event: EventInfo,
    /// The rule that matched; null for an event of the service.
    pub rule: Option<RuleInfo>,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// The story that it tells; null for an event of the service.
    pub story: Option<StoryInfo>,
    /// Cues of claims and denials; null where there are none.
    pub claim_cues: Option<serde_json::Value>,
    /// The item and the words that matched; null for an event of the service.
    pub item: Option<ItemInfo>,
    /// What happened to the service itself; null for a hit.
    #[serde(default)]
    pub operator: Option<OperatorInfo>,
    /// What a silence held back that has ended; absent from all other records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<SilenceInfo>,
    /// The surge; null when there is none.
    pub surge: Option<SurgeInfo>,
    /// What became of an item that its publisher edited; absent from all other records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised: Option<RevisedInfo>,
    /// The silence that held it back; null when none did.
    pub silenced_by: Option<String>,
    /// Who acknowledged it; null when nobody has. In an update that is kept from people, who
    /// acknowledged its story.
    pub acked_by: Option<String>,
    /// When; only in lists, as it comes after the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Timestamp>,
    /// Why, where that was said; only in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_why: Option<String>,
    /// The rule's first reference.
    pub runbook: Option<String>,
}

impl AlertRecord {
    /// The rule behind it; absent for an event of the service.
    pub fn rule(&self) -> Option<&str> {
        self.data.rule.as_ref().map(|rule| rule.id.as_str())
    }

    /// The one feed that it is about.
    pub fn feed(&self) -> Option<&str> {
        let item = self.data.item.as_ref().map(|item| item.feed.id.as_str());
        let operator = || match self.data.operator.as_ref()?.feeds.as_slice() {
            [feed] => Some(feed.as_str()),
            _ => None,
        };
        item.or_else(operator)
    }
}

/// `event.*` of the Elastic Common Schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventInfo {
    /// `alert`; of an event of the service `event`.
    pub kind: String,
    /// `hit`; of an event of the service its type, as `feed-broken`.
    pub action: String,
    /// Why the alert was raised, as hits have it; absent from events of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 30, 50, 70 or 90.
    pub severity: u8,
    /// When the alert was raised.
    pub created: Timestamp,
}

/// Something that happened to the service itself, for the person who runs it: what newswatch can
/// no longer see or say, since when, why, and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorInfo {
    /// What happened, in a few words: `feed alpha is broken`.
    pub title: String,
    /// The feeds that it is about, in the order of their names; not all of many.
    pub feeds: Vec<String>,
    /// How many feeds there are in all.
    pub feed_count: usize,
    /// The receiver that it is about.
    pub receiver: Option<String>,
    /// The condition it is in now: `broken`, `ok`, `offline` …
    pub state: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why, with every cause that is known.
    pub why: Option<String>,
    /// What newswatch does next.
    pub next: Option<String>,
    /// What a person can do.
    pub advice: Option<String>,
    /// The address that it is about.
    pub url: Option<UrlInfo>,
}

/// `rule.*` of the Elastic Common Schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleInfo {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub name: String,
    /// What it said at the time.
    pub version: String,
    /// Its first tag.
    pub category: Option<String>,
}

/// The item of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemInfo {
    /// The item in the store: `feed/key`.
    pub key: String,
    /// The id as the feed gave it.
    pub id: Option<String>,
    /// The headline.
    pub title: String,
    /// Where to read it.
    pub url: Option<UrlInfo>,
    /// The language.
    pub lang: Option<String>,
    /// When its publisher says it was published.
    pub published: Option<Timestamp>,
    /// When it was seen.
    pub fetched: Timestamp,
    /// The feed.
    pub feed: FeedRef,
    /// The publisher that an aggregating feed names.
    pub source: Option<String>,
    /// The item whose text this one copies, as `feed/key`.
    pub copy_of: Option<String>,
    /// Which of the item's texts matched, from 1.
    pub revision: u32,
    /// Whether the item was there when its feed was first polled.
    pub backfill: bool,
    /// The words that matched.
    pub highlights: Vec<Span>,
}

impl ItemInfo {
    /// The highlights, of each word the first.
    pub(crate) fn words(&self) -> impl Iterator<Item = &Span> {
        let all = &self.highlights;
        let is_first = |at: &usize| all[..*at].iter().all(|span| span.text != all[*at].text);
        (0..all.len()).filter(is_first).map(|at| &all[at])
    }
}

/// `url.*` of the Elastic Common Schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UrlInfo {
    /// The whole link.
    pub full: String,
}

/// The feed of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedRef {
    /// The feed's name in the configuration.
    pub id: String,
    /// Its title.
    pub name: String,
    /// The group that owns it.
    pub owner: Option<String>,
    /// The camp it stands in.
    pub alignment: Option<String>,
}

/// What a record is made of.
#[derive(Debug, Clone, Copy)]
pub struct HitFacts<'a> {
    /// The rule that matched.
    pub rule: &'a Rule,
    /// The item.
    pub item: &'a Item,
    /// Which of the item's texts matched.
    pub revision: u32,
    /// The feed.
    pub feed: &'a Feed,
    /// What the feed is called.
    pub feed_title: Option<&'a str>,
    /// The item was there before the feed was watched.
    pub baseline: bool,
    /// The match.
    pub found: &'a Match,
    /// When.
    pub now: Timestamp,
    /// Which installation.
    pub instance: &'a str,
}

/// The record of the alert that tells of a hit.
pub fn hit_alert(facts: &HitFacts<'_>) -> AlertRecord {
    let HitFacts { rule, item, feed, found, now, .. } = *facts;
    let key = format!("{}/{}", feed.name, item.key);
    let identity = Identity { rule: &rule.id, feed: feed.name.as_str(), item: item.key };
    let feed_name = facts.feed_title.unwrap_or(feed.name.as_str());
    let feed_name = shortened(feed_name, LONGEST_TITLE);
    let title = shortened(headline(item), LONGEST_TITLE);
    let (number, ecs) = severity_numbers(found.severity);
    AlertRecord {
        specversion: "1.0".to_owned(),
        id: id::alert_id(identity, now),
        source: format!("urn:newswatch:{}", facts.instance),
        kind: catalogue::HIT.to_owned(),
        subject: format!("rule/{}", rule.id),
        time: item.published.unwrap_or(now).min(now),
        recordedtime: now,
        sequence: None,
        severitytext: found.severity.as_str().to_uppercase(),
        severitynumber: number,
        correlationid: key.clone(),
        causationid: key.clone(),
        datacontenttype: "application/json".to_owned(),
        dataschema: "urn:newswatch:schema:alert:1".to_owned(),
        data: AlertData {
            message: format!("[{}] {}: {title} ({feed_name})", found.severity, rule.title),
            event: EventInfo {
                kind: "alert".to_owned(),
                action: "hit".to_owned(),
                reason: None,
                severity: ecs,
                created: now,
            },
            rule: Some(RuleInfo {
                id: rule.id.to_string(),
                name: rule.title.to_string(),
                version: rule.version.to_string(),
                category: rule.tags.first().cloned(),
            }),
            tags: rule.tags.to_vec(),
            story: None,
            claim_cues: claims::record(&claims::cues(item, &found.spans), &key),
            item: Some(ItemInfo {
                key,
                id: item.id.clone(),
                title,
                url: item
                    .link
                    .as_deref()
                    .map(|link| UrlInfo { full: shortened(link, LONGEST_LINK) }),
                lang: item.lang.clone(),
                published: item.published,
                fetched: now,
                feed: FeedRef {
                    id: feed.name.to_string(),
                    name: feed_name,
                    owner: feed.owner.clone(),
                    alignment: feed.alignment.clone(),
                },
                source: item.source.as_ref().and_then(|source| source.title.clone()),
                copy_of: None,
                revision: facts.revision,
                backfill: facts.baseline,
                highlights: highlights(&found.spans),
            }),
            operator: None,
            silence: None,
            surge: None,
            revised: None,
            silenced_by: None,
            acked_by: None,
            acked_at: None,
            acked_why: None,
            runbook: rule.references.first().cloned(),
        },
    }
}

/// Of each term that matched one span, where it can be at a place of its own; then the first of the
/// other places, as far as there is room. In the order of the text.
fn highlights(spans: &[Span]) -> Vec<Span> {
    let mut terms: Vec<(&str, usize)> = Vec::new();
    for span in spans {
        match terms.iter_mut().find(|(term, _)| *term == &*span.term) {
            Some((_, count)) => *count += 1,
            None => terms.push((&span.term, 1)),
        }
    }
    // Who stands in few places chooses first.
    terms.sort_by_key(|(_, count)| *count);
    let mut shown: Vec<usize> = Vec::new();
    let is_free = |shown: &[usize], at: usize| {
        shown.iter().all(|other| place(&spans[*other]) != place(&spans[at]))
    };
    for (term, _) in terms {
        let mut of_term = (0..spans.len()).filter(|at| *spans[*at].term == *term).peekable();
        let first = of_term.peek().copied();
        shown.extend(of_term.find(|at| is_free(&shown, *at)).or(first));
    }
    shown.truncate(MOST_SPANS);
    for at in 0..spans.len() {
        if shown.len() < MOST_SPANS && is_free(&shown, at) {
            shown.push(at);
        }
    }
    shown.sort_unstable();
    let cut = |span: &Span| Span { text: shortened(&span.text, LONGEST_SPAN), ..span.clone() };
    shown.into_iter().map(|at| cut(&spans[at])).collect()
}

/// Where a span stands.
fn place(span: &Span) -> (Field, u32, u32) {
    (span.field, span.start, span.end)
}

pub(crate) fn severity_numbers(severity: Severity) -> (u8, u8) {
    match severity {
        Severity::Low => (9, 30),
        Severity::Medium => (10, 50),
        Severity::High => (13, 70),
        Severity::Critical => (18, 90),
    }
}

/// At most so many characters of a text; an ellipsis says that there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use url::Url;

    use super::*;
    use crate::item::{FeedName, ItemKey};

    /// A feed for tests.
    pub(crate) fn feed() -> Feed {
        Feed {
            name: FeedName::new("example"),
            url: Url::parse("https://example.org/feed").unwrap(),
            title: None,
            owner: None,
            alignment: None,
            lang: None,
            region: None,
            tags: Vec::new(),
            interval: None,
            min_interval: None,
            max_interval: None,
            enabled: true,
            encoding: None,
            utc_offset: None,
            wire: false,
            ignore_cache_lifetime: false,
            fill_gaps: false,
            allow_private: false,
            access: crate::config::access::Access::default(),
            expected_every: None,
        }
    }

    /// A record to deliver in tests, with a title of their choice.
    pub(crate) fn record(title: &str) -> AlertRecord {
        let mut item = Item::titled(ItemKey::of("guid", &["1"]), title);
        item.id = Some("urn:1".to_owned());
        item.link = Some("https://example.org/1".to_owned());
        let rule = Rule {
            id: "arms".into(),
            title: "Arms".into(),
            severity: Severity::High,
            tags: vec!["dprk".to_owned()].into(),
            references: Box::default(),
            version: Default::default(),
            max_age: None,
            notify: Box::default(),
            telling: crate::rules::Telling::default(),
        };
        let feed = feed();
        let text: String = title.chars().take(2).collect();
        let span =
            Span { field: Field::Title, start: 0, end: 2, text, term: "arms".into(), alias: None };
        hit_alert(&HitFacts {
            rule: &rule,
            item: &item,
            revision: 1,
            feed: &feed,
            feed_title: Some("Example News"),
            baseline: false,
            found: &Match { rule: 0, severity: Severity::High, spans: vec![span] },
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            instance: "test",
        })
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let record = record("Кремль denies 武器");
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AlertRecord>(&line).unwrap(), record);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn the_message_names_the_rule_the_headline_and_the_feed() {
        assert_eq!(record("Denied").data.message, "[high] Arms: Denied (Example News)");
    }

    fn span(field: Field, start: u32, term: &str, alias: &str) -> Span {
        let (text, alias) = (format!("word {start}"), Some(alias.into()));
        Span { field, start, end: start + 5, text, term: term.into(), alias }
    }

    /// The fields, places and terms of the highlights that are made of spans.
    fn shown(spans: &[Span]) -> Vec<(Field, u32, String)> {
        let highlights = highlights(spans);
        highlights.iter().map(|span| (span.field, span.start, span.term.to_string())).collect()
    }

    #[test]
    fn a_place_is_highlighted_once_whatever_names_stand_there() {
        let names = ["en:Kim", "ru:Ким", "zh:金", "ko:김"];
        let mut spans: Vec<Span> = (0..20)
            .flat_map(|start| names.map(|name| span(Field::Title, start * 10, "@nk", name)))
            .collect();
        spans.push(span(Field::Summary, 0, "@russia", "en:Russia"));
        let shown = shown(&spans);
        assert_eq!(shown.len(), MOST_SPANS);
        for (number, (field, start, term)) in (0..).zip(&shown[..11]) {
            assert_eq!((*field, *start, term.as_str()), (Field::Title, number * 10, "@nk"));
        }
        assert_eq!(shown[11], (Field::Summary, 0, "@russia".to_owned()));
    }

    #[test]
    fn every_term_has_a_highlight_before_any_has_a_second() {
        // The first place is the only one of @side, so @ukraine is shown where it stands alone.
        let both = [
            span(Field::Title, 0, "@ukraine", "en:Ukraine"),
            span(Field::Title, 0, "@side", "en:Ukraine"),
            span(Field::Title, 9, "@ukraine", "en:Kyiv"),
        ];
        let expected = [(Field::Title, 0, "@side".into()), (Field::Title, 9, "@ukraine".into())];
        assert_eq!(shown(&both), expected);
        // Silences ask which entities matched: none is left out.
        let expected = [(Field::Title, 0, "@ukraine".into()), (Field::Title, 0, "@side".into())];
        assert_eq!(shown(&both[..2]), expected);
    }

    #[test]
    fn a_record_of_a_huge_title_stays_small() {
        let line = serde_json::to_string(&record(&"王".repeat(2_000_000))).unwrap();
        assert!(line.len() < 20_000, "{}", line.len());
    }
}
