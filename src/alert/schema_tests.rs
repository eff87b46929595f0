//! docs/alert-record.schema.json held against the records that the code makes, and against
//! docs/alert-record.md.

mod samples;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::samples::{hit, samples};
use super::catalogue::{ITEM_REVISED, RULE_TYPES, STORY_OPENED, STORY_SURGE, TYPES};
use super::operator::tests::broken;
use super::record::AlertRecord;
use super::silence::tests::summed;
use crate::story::desk::Kind;

const TEXT: &str = include_str!("../../docs/alert-record.schema.json");
const DOCS: &str = include_str!("../../docs/alert-record.md");

struct Schema {
    document: Value,
    compiled: boon::Schemas,
    root: boon::SchemaIndex,
}

impl Schema {
    fn read() -> Self {
        let document: Value = serde_json::from_str(TEXT).unwrap();
        let id = document["$id"].as_str().unwrap().to_owned();
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(&id, document.clone()).unwrap();
        let mut compiled = boon::Schemas::new();
        let root = compiler.compile(&id, &mut compiled).unwrap();
        Self { document, compiled, root }
    }

    fn problem(&self, record: &Value) -> Option<String> {
        self.compiled.validate(record, self.root).err().map(|error| error.to_string())
    }

    #[track_caller]
    fn accepts(&self, record: &Value) {
        if let Some(problem) = self.problem(record) {
            panic!("{problem}\n{:.4000}", record.to_string());
        }
    }

    /// What a part of the schema says, with what it refers to.
    fn keyword<'a>(&'a self, node: &'a Value, keyword: &str) -> Option<&'a Value> {
        let referred = || {
            let pointer = node.get("$ref")?.as_str()?.strip_prefix('#')?;
            self.document.pointer(pointer)?.get(keyword)
        };
        node.get(keyword).or_else(referred)
    }

    /// Every field that the schema describes, by its path.
    fn fields(&self) -> BTreeMap<String, &Value> {
        let mut fields = BTreeMap::new();
        collect(&self.document, "", &mut fields);
        fields
    }
}

/// The fields below a part of the schema. Of a list, `[]` stands for its entries.
fn collect<'a>(node: &'a Value, path: &str, fields: &mut BTreeMap<String, &'a Value>) {
    for (name, child) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = joined(path, name);
        collect(child, &path, fields);
        fields.insert(path, child);
    }
    if let Some(child) = node.get("items") {
        let path = format!("{path}[]");
        collect(child, &path, fields);
        fields.insert(path, child);
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Every value of a record that is not null, by the path of its field.
fn values<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    if !path.is_empty() {
        found.push((path.to_owned(), value));
    }
    for (name, child) in value.as_object().into_iter().flatten() {
        values(child, &joined(path, name), found);
    }
    for child in value.as_array().into_iter().flatten() {
        values(child, &format!("{path}[]"), found);
    }
}

fn json_of(record: &AlertRecord) -> Value {
    serde_json::to_value(record).unwrap()
}

/// The values of each field in all samples.
fn seen(samples: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut seen: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let mut found = Vec::new();
    for sample in samples {
        values(sample, "", &mut found);
    }
    for (path, value) in found {
        seen.entry(path).or_default().push(value);
    }
    seen
}

#[test]
fn a_record_is_no_larger_than_receivers_bear() {
    let worst = samples::samples().iter().map(|record| record.to_string().len()).max().unwrap();
    assert!(worst < 28_000, "{worst} bytes");
}

#[test]
fn records_of_every_type_keep_to_the_schema_whatever_text_is_in_them() {
    let schema = Schema::read();
    for sample in samples() {
        schema.accepts(sample);
    }
    let types: BTreeSet<&str> =
        samples().iter().map(|sample| sample["type"].as_str().unwrap()).collect();
    assert_eq!(types, TYPES.iter().map(|(kind, _)| *kind).collect::<BTreeSet<_>>());
}

#[test]
fn the_schema_has_the_types_of_the_catalogue() {
    let schema = Schema::read();
    let listed = |name: &str| -> BTreeSet<&str> {
        let list = schema.document["$defs"][name]["enum"].as_array().unwrap();
        list.iter().map(|kind| kind.as_str().unwrap()).collect()
    };
    assert_eq!(listed("rule_type"), RULE_TYPES.into());
    let service = TYPES.iter().map(|(kind, _)| *kind).filter(|kind| !RULE_TYPES.contains(kind));
    assert_eq!(listed("service_type"), service.collect::<BTreeSet<_>>());
    let stories = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Hit).map(Kind::alert_type);
    assert_eq!(listed("story_type"), stories.collect::<BTreeSet<_>>());
}

/// The record with one field put in, or taken out where there is none to put in.
fn with(record: &Value, field: &str, value: Option<Value>) -> Value {
    let mut broken = record.clone();
    let (parent, name) = field.rsplit_once('/').unwrap();
    let parent = broken.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(name.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(name).unwrap()),
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().unwrap()] = value,
        (parent, _) => panic!("{field} is in {parent}"),
    }
    broken
}

#[test]
fn a_record_that_is_broken_is_refused() {
    let schema = Schema::read();
    let of_type = |kind| samples().iter().find(|sample| sample["type"] == kind).unwrap();
    let [story, surge, revised] = [STORY_OPENED, STORY_SURGE, ITEM_REVISED].map(of_type);
    let (hit, event, silence) =
        (json_of(&hit("News")), json_of(&broken("503")), json_of(&summed(1, "News")));
    for record in [story, surge, revised, &hit, &event, &silence] {
        schema.accepts(record);
    }
    for (record, field, value) in [
        (&hit, "/specversion", json!("0.3")),
        (&hit, "/id", json!("")),
        (&hit, "/id", json!("3c7c2f0a-9be1-4f0d-8d3a-6f0e5b7a91c4")),
        (&hit, "/source", json!("https://example.org")),
        (&hit, "/type", json!("newswatch.hits")),
        (&hit, "/type", json!("newswatch.feed.broken")),
        (&hit, "/type", json!(STORY_OPENED)),
        (&hit, "/subject", json!("feed/alpha")),
        (&hit, "/time", json!("yesterday")),
        (&hit, "/time", json!("2023-11-14T22:13:20+01:00")),
        (&hit, "/time", Value::Null),
        (&hit, "/recordedtime", json!(1_700_000_000)),
        (&hit, "/sequence", json!(12)),
        (&hit, "/sequence", json!("12")),
        (&hit, "/severitytext", json!("CRITICAL")),
        (&hit, "/severitytext", json!("high")),
        (&hit, "/severitynumber", json!(10)),
        (&hit, "/severitynumber", json!("13")),
        (&hit, "/data/event/severity", json!(30)),
        (&hit, "/data/event/kind", json!("event")),
        (&hit, "/data/event/reason", json!("held")),
        (&hit, "/dataschema", json!("urn:newswatch:schema:alert:2")),
        (&hit, "/data", json!([])),
        (&hit, "/data/rule", json!("arms")),
        (&hit, "/data/rule", Value::Null),
        (&hit, "/data/rule/version", json!("1")),
        (&hit, "/data/tags", json!("dprk")),
        (&hit, "/data/tags", json!([1])),
        (&hit, "/data/item", Value::Null),
        (&hit, "/data/item/url", json!("https://example.org")),
        (&hit, "/data/item/title", json!("x".repeat(501))),
        (&hit, "/data/item/published", json!("14 November 2023")),
        (&hit, "/data/item/revision", json!(0)),
        (&hit, "/data/item/highlights/0/field", json!("body")),
        (&hit, "/data/item/highlights/0/start", json!(-1)),
        (
            &hit,
            "/data/item/highlights",
            json!(vec![hit["data"]["item"]["highlights"][0].clone(); 25]),
        ),
        (&hit, "/data/operator", event["data"]["operator"].clone()),
        (&hit, "/data/silence", silence["data"]["silence"].clone()),
        (&hit, "/data/silenced_by", json!("anna")),
        (&hit, "/data/claim_cues", json!({ "denied": 0, "note": "", "quotes": [] })),
        (story, "/correlationid", hit["correlationid"].clone()),
        (story, "/data/story", Value::Null),
        (story, "/data/story/state", json!("closed")),
        (story, "/data/story/label", json!("confirmed")),
        (story, "/data/story/items", json!(1.5)),
        (story, "/data/story/first/title", json!("x".repeat(201))),
        (story, "/data/story/first/outlet", Value::Null),
        (story, "/data/story/origins/0/alignment", json!(1)),
        (story, "/data/story/denied_at", json!(true)),
        (&event, "/type", json!("newswatch.hit")),
        (&event, "/subject", json!("rule/arms")),
        (&event, "/data/rule", hit["data"]["rule"].clone()),
        (&event, "/data/item", hit["data"]["item"].clone()),
        (&event, "/data/story", story["data"]["story"].clone()),
        (&event, "/data/tags", json!(["dprk"])),
        (&event, "/data/operator", Value::Null),
        (&event, "/data/operator/state", json!("unwell")),
        (&event, "/data/operator/feed_count", json!(-1)),
        (&event, "/data/event/reason", json!("first-hit")),
        (surge, "/data/surge", Value::Null),
        (surge, "/data/surge/p", json!(1.5)),
        (surge, "/data/surge/lineages", json!(2.5)),
        (surge, "/data/item", Value::Null),
        (&hit, "/data/surge", surge["data"]["surge"].clone()),
        (revised, "/data/revised", Value::Null),
        (revised, "/data/revised/at", json!("now")),
        (revised, "/data/revised/matches", json!("yes")),
        (&hit, "/data/revised", revised["data"]["revised"].clone()),
        (&silence, "/data/silence", Value::Null),
        (&silence, "/data/silence/alerts", json!(0)),
        (&silence, "/data/silence/rules/0/severity", json!("HIGH")),
    ] {
        let broken = with(record, field, Some(value));
        assert!(
            schema.problem(&broken).is_some(),
            "{field} is {:.80}",
            broken.pointer(field).unwrap().to_string()
        );
    }
    assert!(schema.problem(&with(story, "/data/event/reason", None)).is_some());
    assert!(schema.problem(&with(&silence, "/data/silence", None)).is_some());
}

#[test]
fn a_record_without_a_field_that_is_required_is_refused() {
    let schema = Schema::read();
    let mut objects = schema.fields();
    objects.insert(String::new(), &schema.document);
    objects.retain(|_, node| node.get("required").is_some());
    for sample in samples() {
        let mut found = vec![(String::new(), sample)];
        values(sample, "", &mut found);
        for (path, _) in found.iter().filter(|(_, value)| value.is_object()) {
            let Some(node) = objects.remove(path) else { continue };
            let parts = path.split('.').filter(|part| !part.is_empty());
            let pointer: String =
                parts.map(|part| format!("/{}", part.replace("[]", "/0"))).collect();
            for name in node["required"].as_array().unwrap() {
                let without = with(sample, &format!("{pointer}/{}", name.as_str().unwrap()), None);
                assert!(schema.problem(&without).is_some(), "{path} without {name}");
            }
        }
    }
    assert!(objects.is_empty(), "no sample has {:?}", objects.keys());
}

#[test]
fn fields_may_be_added_anywhere() {
    fn extend(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(extend);
                fields.insert("added_later".to_owned(), json!({ "x": 1 }));
            }
            Value::Array(list) => list.iter_mut().for_each(extend),
            _ => {}
        }
    }
    let schema = Schema::read();
    for sample in samples() {
        let mut sample = sample.clone();
        extend(&mut sample);
        schema.accepts(&sample);
    }
}

#[test]
fn every_field_of_a_record_is_described_and_every_field_described_is_in_a_record() {
    let schema = Schema::read();
    let (fields, seen) = (schema.fields(), seen(samples()));
    let described = |path: &str| {
        let text = fields.get(path)?.get("description")?.as_str()?;
        (text.ends_with('.') && text.len() > 5).then_some(())
    };
    let undescribed: Vec<&String> = seen.keys().filter(|path| described(path).is_none()).collect();
    assert!(
        undescribed.is_empty(),
        "docs/alert-record.schema.json does not describe {undescribed:?}"
    );
    let valued = |path: &str| seen.get(path).is_some_and(|all| all.iter().any(|it| !it.is_null()));
    let idle: Vec<&String> = fields.keys().filter(|path| !valued(path)).collect();
    assert!(idle.is_empty(), "no record has {idle:?}");
}

#[test]
fn the_limits_and_the_choices_are_those_of_the_code() {
    let schema = Schema::read();
    let seen = seen(samples());
    let (mut limits, mut wrong) = (0, Vec::new());
    for (path, node) in schema.fields() {
        let values = seen.get(&path).map_or(&[][..], Vec::as_slice);
        // The limits of what is no whole number, as a probability, are those of its nature.
        let whole = node["type"] != "number";
        for (keyword, size) in [
            ("maxLength", length as fn(&Value) -> Option<u64>),
            ("maxItems", |value| Some(value.as_array()?.len() as u64)),
            ("maximum", Value::as_u64),
        ] {
            let Some(limit) = schema.keyword(node, keyword).filter(|_| whole) else { continue };
            let most = values.iter().filter_map(|value| size(value)).max();
            if most != limit.as_u64() {
                wrong.push(format!("{keyword} of {path} is {limit}, a record has {most:?}"));
            }
            limits += 1;
        }
        for choice in schema.keyword(node, "enum").and_then(Value::as_array).into_iter().flatten() {
            if !values.contains(&choice) {
                wrong.push(format!("{path} is never {choice}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(limits > 20, "{limits}");
}

fn length(value: &Value) -> Option<u64> {
    Some(value.as_str()?.chars().count() as u64)
}

/// The names in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_field_stands_in_the_documentation() {
    // The first cell names fields in full, or by their ends after one in full; the second cell may
    // name what is in them.
    let mut named: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in DOCS.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (fields, meaning) = row.split_once(" | ").unwrap_or((row, ""));
        let fields = format!("`{fields}");
        let first = quoted(&fields)[0].to_owned();
        for field in quoted(&fields) {
            let whole = match (field.strip_prefix('.'), first.rsplit_once('.')) {
                (Some(end), Some((parent, _))) => format!("{parent}.{end}"),
                _ => field.to_owned(),
            };
            named.entry(whole).or_default().extend(quoted(meaning));
        }
    }
    let stands = |path: &str| {
        let leaf = path.rsplit('.').next().unwrap();
        named.iter().any(|(field, parts)| {
            field == path
                || field.starts_with(&format!("{path}."))
                || (path.starts_with(&format!("{field}.")) && parts.contains(&leaf))
        })
    };
    let schema = Schema::read();
    let fields = schema.fields();
    let paths = fields.keys().filter(|path| !path.ends_with("[]") && *path != "data");
    let missing: Vec<String> =
        paths.map(|path| path.replace("[]", "")).filter(|path| !stands(path)).collect();
    assert!(missing.is_empty(), "docs/alert-record.md does not say {missing:?}");
    assert!(DOCS.contains("(alert-record.schema.json)"));
}
