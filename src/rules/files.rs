//! Rule files: from TOML to [`Definitions`], with every problem of every file.

use std::sync::Arc;

use jiff::SignedDuration;

use super::definitions::{
    Ambiguous, Definitions, Entity, Filter, Macro, Name, Query, RuleSource, Test,
};
use super::parse::{is_empty, is_long_enough, parse, parted};
use super::{Corroborate, Distinct, Group, StoryMode, SurgeSettings, Telling, Throttle};
use crate::config::duration;
use crate::config::toml_file::{self, Entry, Problems, Section, nearest};
use crate::diagnostic::{Located, Problem, SourceFile};
use crate::hit::Severity;

/// Languages that names may be given in: those whose inflection is known, and those without.
const LANGUAGES: &[&str] = &[
    "en", "ru", "uk", "be", "pl", "cs", "sk", "bg", "sr", "de", "fr", "es", "it", "pt", "nl", "sv",
    "fi", "tr", "ar", "fa", "he", "hi", "zh", "ja", "ko", "vi", "id", "mn", "kk", "el", "hu", "ro",
];
/// What an entity may be.
const TYPES: &[&str] = &["person", "state", "org", "place", "role", "thing"];

/// Reads all rule files.
pub(crate) fn read(files: &[Arc<SourceFile>], problems: &Problems) -> Definitions {
    let mut definitions = Definitions::default();
    for file in files {
        let mut section = toml_file::read(file, problems);
        if let Some(schema) = section.integer("schema", 1..=1) {
            debug_assert_eq!(schema, 1);
        }
        if let Some(table) = section.table("entity") {
            each(table, |id, section| entity(id, section, &mut definitions.entities));
        }
        if let Some(mut table) = section.table("macro") {
            for (id, span) in table.keys() {
                check_id(&table, &id, span.clone(), "macro");
                let query = table.text(&id).and_then(|text| query(&table, text));
                let id = Located::new(table.file(), span, &id);
                definitions.macros.extend(query.map(|query| Macro { id, query }));
            }
        }
        for table in section.tables("rule") {
            definitions.rule_count += 1;
            rule(table, &mut definitions.rules);
        }
        for scenario in section.tables("scenario") {
            scenario.error(scenario.span(), "scenarios cannot be run by this version");
        }
        section.finish();
    }
    toml_file::unique(definitions.entities.iter().map(|entity| &entity.id), "entity", problems);
    toml_file::unique(
        definitions.macros.iter().map(|definition| &definition.id),
        "macro",
        problems,
    );
    toml_file::unique(definitions.rules.iter().map(|rule| &rule.id), "rule", problems);
    definitions
}

/// Reads each sub-table of a table whose keys are ids.
fn each<'f>(mut table: Section<'f>, mut read: impl FnMut(Located, Section<'f>)) {
    for (id, span) in table.keys() {
        check_id(&table, &id, span.clone(), "entity");
        let located = Located::new(table.file(), span, &id);
        if let Some(section) = table.table(&id) {
            read(located, section);
        }
    }
}

fn check_id(section: &Section<'_>, id: &str, span: std::ops::Range<usize>, what: &str) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !id.chars().all(good) || id.is_empty() || id.len() > 64 {
        section.report(
            Problem::error(section.file(), span, format!("{id:?} is no name for a {what}"))
                .with_hint("use letters, digits, - and _, at most 64"),
        );
    }
}

fn entity(id: Located, mut section: Section<'_>, entities: &mut Vec<Entity>) {
    section.text("title");
    if let Some(kind) = section.text("type") {
        one_of(&section, &kind, TYPES, "type");
    }
    let names = names(&mut section, "names");
    let not_in = self::names(&mut section, "not_in");
    let include = section.texts("include");
    let mut ambiguous = Vec::new();
    for mut block in section.tables("ambiguous") {
        let same_sentence = match block.text("within") {
            Some(within) => {
                one_of(&block, &within, &["s", "item"], "within");
                within.text == "s"
            }
            None => false,
        };
        let needs = block.required_text("needs").and_then(|needs| query(&block, needs));
        let names = self::names(&mut block, "names");
        if names.is_empty() {
            block.error(block.span(), "an ambiguous block without names");
        }
        ambiguous.extend(needs.map(|needs| Ambiguous { names, same_sentence, needs }));
        block.finish();
    }
    if names.is_empty() && ambiguous.is_empty() && include.is_empty() {
        section.report(
            Problem::error(
                section.file(),
                id.span.clone(),
                format!("entity {} has no names", id.text),
            )
            .with_hint("add names.en = [\"…\"]"),
        );
    }
    section.finish();
    entities.push(Entity { id, names, ambiguous, include, not_in });
}

/// The names under a key, by language.
fn names(section: &mut Section<'_>, key: &str) -> Vec<Name> {
    let Some(mut table) = section.table(key) else { return Vec::new() };
    let mut names = Vec::new();
    for (language, span) in table.keys() {
        if !LANGUAGES.contains(&language.as_str()) {
            let problem =
                Problem::error(table.file(), span, format!("{language:?} is no language code"));
            table.report(problem.with_hint(language_hint(&language)));
        }
        for text in table.texts(&language) {
            match wrong_name(&text.text) {
                None => names.push(Name { language: language.clone(), text }),
                Some((message, hint)) => table.report(
                    Problem::error(table.file(), text.span.clone(), message).with_hint(hint),
                ),
            }
        }
    }
    names
}

/// What is wrong with a name, and what to write instead.
fn wrong_name(name: &str) -> Option<(String, String)> {
    let words = name.trim().trim_start_matches('=').trim_matches(['"', '\'']);
    if is_empty(words) {
        return Some(("an empty name".to_owned(), "write a name between the quotes".to_owned()));
    }
    let prefix = words.strip_suffix('*').unwrap_or(words);
    if prefix.contains('*') || (prefix.len() < words.len() && name.trim().starts_with(['=', '\'']))
    {
        let message = format!("{name:?} has a * that is not the end of a plain name");
        return Some((message, "* stands last: Lavrov*".to_owned()));
    }
    if prefix.len() < words.len() && !is_long_enough(prefix) {
        let message = format!("{name:?} would match too many words");
        return Some((message, "write at least three letters before *".to_owned()));
    }
    parted(prefix)
        .map(|(message, _)| (message, "leave the mark out, or write two names".to_owned()))
}

/// Parses a query; its mistakes are reported at their places in the file.
fn query(section: &Section<'_>, source: Located) -> Option<Query> {
    match parse(&source.text) {
        Ok(node) => Some(Query { source, node }),
        Err(errors) => {
            for error in errors {
                let problem = source.error(error.at, error.message);
                section.report(match error.hint {
                    Some(hint) => problem.with_hint(hint),
                    None => problem,
                });
            }
            None
        }
    }
}

fn rule(mut section: Section<'_>, rules: &mut Vec<RuleSource>) {
    let id = section.required_text("id");
    if let Some(id) = &id {
        check_id(&section, &id.text, id.span.clone(), "rule");
    }
    let title = section.required_text("title");
    let severity = section
        .text("severity")
        .map_or(Some(Severity::Medium), |name| self::severity(&section, &name));
    let text = section.required_text("query");
    let query = text.and_then(|text| self::query(&section, text));
    let exclude = section.text("exclude").and_then(|text| self::query(&section, text));
    let escalate = escalate(&mut section);
    let max_age = section.text("max_age").and_then(|text| age(&section, &text));
    let (feeds, regions) = (section.texts("feeds"), section.texts("regions"));
    let filter = Filter {
        langs: langs(&mut section),
        feeds: values(feeds.clone()),
        exclude_feeds: values(section.texts("exclude_feeds")),
        regions: values(regions.clone()),
    };
    let tags = values(section.texts("tags"));
    let references = values(section.texts("references"));
    let notify = section.texts("notify");
    let enabled = section.boolean("enabled").unwrap_or(true);
    let telling = telling(&mut section);
    let mut tests = Vec::new();
    if let Some(mut table) = section.table("test") {
        for (key, matches) in [("match", true), ("no_match", false)] {
            tests.extend(table.entries(key).into_iter().filter_map(|entry| test(entry, matches)));
        }
        table.finish();
    }
    if let Some(id) = &id {
        for (matches, key) in [(true, "match"), (false, "no_match")] {
            if !tests.iter().any(|test| test.matches == matches) {
                section.report(
                    Problem::warning(
                        section.file(),
                        id.span.clone(),
                        format!("rule {} has no test.{key}", id.text),
                    )
                    .with_hint(format!("add test.{key} = [\"a headline\"]: it is run by `check` and before every reload")),
                );
            }
        }
    }
    section.finish();
    if let (Some(id), Some(title), Some(severity), Some(query)) = (id, title, severity, query) {
        let title = title.text;
        rules.push(RuleSource {
            id,
            title,
            severity,
            tags,
            references,
            enabled,
            query,
            exclude,
            escalate,
            filter,
            max_age,
            feeds,
            regions,
            notify,
            telling,
            tests,
        });
    }
}

/// The languages that a rule asks for: two letters each, as items are asked by those alone.
fn langs(section: &mut Section<'_>) -> Vec<String> {
    let texts = section.texts("langs");
    for text in &texts {
        if !LANGUAGES.contains(&text.text.as_str()) {
            let primary = text.text.to_lowercase();
            let primary = primary.split(['-', '_']).next().unwrap_or_default().to_owned();
            let problem = Problem::error(
                section.file(),
                text.span.clone(),
                format!("{:?} is no language code", text.text),
            );
            section.report(problem.with_hint(language_hint(&primary)));
        }
    }
    values(texts)
}

/// What to write for the language of a feed that is none: a name, or the code of a country. Rules know
/// not every language that a feed may have.
pub(crate) fn no_language(text: &str) -> Option<String> {
    let primary = text.to_lowercase();
    let primary = primary.split(['-', '_']).next().unwrap_or_default();
    let is_code = (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && MISTAKEN.iter().all(|(mistake, _)| *mistake != primary);
    (!is_code).then(|| language_hint(primary))
}

/// Codes of countries, and names, that are taken for those of languages.
const MISTAKEN: [(&str, &str); 14] = [
    ("ua", "uk"),
    ("jp", "ja"),
    ("cn", "zh"),
    ("kr", "ko"),
    ("gb", "en"),
    ("us", "en"),
    ("cz", "cs"),
    ("gr", "el"),
    ("english", "en"),
    ("russian", "ru"),
    ("chinese", "zh"),
    ("korean", "ko"),
    ("japanese", "ja"),
    ("german", "de"),
];

/// What to write for what is no language code.
fn language_hint(code: &str) -> String {
    let mistaken = MISTAKEN.iter().find(|(mistake, _)| *mistake == code).map(|(_, code)| *code);
    let known = LANGUAGES.contains(&code).then_some(code);
    match mistaken.or(known).or_else(|| nearest(code, LANGUAGES.iter().copied())) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", LANGUAGES.join(", ")),
    }
}

fn values(texts: Vec<Located>) -> Vec<String> {
    texts.into_iter().map(|text| text.text).collect()
}

/// How the rule's hits are told.
fn telling(section: &mut Section<'_>) -> Telling {
    Telling {
        mode: story_mode(section),
        corroborate: corroborate(section),
        group: group(section),
        throttle: throttle(section),
        surge: surge(section),
        on_update: section.boolean("on_update").unwrap_or(false),
    }
}

/// Which of them.
fn story_mode(section: &mut Section<'_>) -> StoryMode {
    let Some(text) = section.text("story") else { return StoryMode::default() };
    match text.text.split_once(' ') {
        Some(("cooldown", time)) => match duration(time.trim()) {
            Ok(time) => SignedDuration::try_from(time)
                .map_or_else(|_| StoryMode::default(), StoryMode::Cooldown),
            Err(why) => {
                section.error(text.span.clone(), why);
                StoryMode::default()
            }
        },
        _ => match text.text.as_str() {
            "text" => StoryMode::Text,
            "off" => StoryMode::Off,
            _ => {
                let problem = Problem::error(
                    section.file(),
                    text.span.clone(),
                    format!("{:?} is no way to tell stories", text.text),
                );
                section.report(
                    problem.with_hint("one of text, off, or a time such as \"cooldown 6h\""),
                );
                StoryMode::default()
            }
        },
    }
}

/// Origins that corroborate a story within this time, where a rule names none.
const CORROBORATE_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Updates of a rule in a day, where it names no other number.
const UPDATES_A_DAY: u32 = 20;
/// The pause between two updates of a story, where a rule names none.
const UPDATE_AFTER: SignedDuration = SignedDuration::from_hours(6);

fn corroborate(section: &mut Section<'_>) -> Option<Corroborate> {
    let mut table = section.table("corroborate")?;
    let origins = table.integer("origins", 1..=20).and_then(|count| usize::try_from(count).ok());
    let within = table.text("within").and_then(|text| age(&table, &text));
    let distinct = match table.text("distinct") {
        Some(text) => {
            one_of(&table, &text, &["origin", "alignment"], "distinct");
            if text.text == "alignment" { Distinct::Alignment } else { Distinct::Origin }
        }
        None => Distinct::Origin,
    };
    table.finish();
    Some(Corroborate {
        origins: origins.unwrap_or(2),
        within: within.unwrap_or(CORROBORATE_WITHIN),
        distinct,
    })
}

fn group(section: &mut Section<'_>) -> Group {
    let usual = Group::default();
    let Some(mut table) = section.table("group") else { return usual };
    let window = table.text("window").and_then(|text| age(&table, &text));
    let max_age = table.text("max_age").and_then(|text| age(&table, &text));
    table.finish();
    Group { window: window.unwrap_or(usual.window), max_age: max_age.unwrap_or(usual.max_age) }
}

fn throttle(section: &mut Section<'_>) -> Option<Throttle> {
    let mut table = section.table("throttle")?;
    let cooldown = table.text("cooldown").and_then(|text| age(&table, &text));
    let most = table.integer("max_per_day", 1..=10_000).and_then(|most| u32::try_from(most).ok());
    table.finish();
    Some(Throttle {
        cooldown: cooldown.unwrap_or(UPDATE_AFTER),
        max_per_day: most.unwrap_or(UPDATES_A_DAY),
    })
}

fn surge(section: &mut Section<'_>) -> SurgeSettings {
    let usual = SurgeSettings::default();
    let Some(mut table) = section.table("surge") else { return usual };
    // The statistic is made for days and four weeks.
    for (key, only) in [("window", "24h"), ("baseline", "28d")] {
        if let Some(text) = table.text(key) {
            one_of(&table, &text, &[only], key);
        }
    }
    let p = table.number("p", 1e-9..=0.04);
    let least = table.integer("min_count", 1..=100_000).and_then(|count| u32::try_from(count).ok());
    table.finish();
    SurgeSettings { p: p.unwrap_or(usual.p), min_count: least.unwrap_or(usual.min_count) }
}

fn escalate(section: &mut Section<'_>) -> Vec<(Query, Severity)> {
    section
        .entries("escalate")
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Text(text) => {
                section.report(
                    Problem::error(&text.file, text.span.clone(), "escalate is a list of tables")
                        .with_hint(
                            "write escalate = [{ when = '''query''', severity = \"critical\" }]",
                        ),
                );
                None
            }
            Entry::Table(mut table) => {
                let when = table.required_text("when").and_then(|text| query(&table, text));
                let severity =
                    table.required_text("severity").and_then(|name| severity(&table, &name));
                table.finish();
                Some((when?, severity?))
            }
        })
        .collect()
}

fn test(entry: Entry<'_>, matches: bool) -> Option<Test> {
    let empty = |title| Test {
        matches,
        title,
        summary: String::new(),
        content: String::new(),
        lang: None,
        feed: None,
        region: None,
        spans: Vec::new(),
    };
    match entry {
        Entry::Text(title) => Some(empty(title)),
        Entry::Table(mut table) => {
            let title = table.required_text("title");
            let mut text = |key| table.text(key).map(|text| text.text);
            let (summary, content) = (text("summary"), text("content"));
            let (lang, feed, region) = (text("lang"), text("feed"), text("region"));
            text("because");
            let spans = table.texts("spans");
            table.finish();
            Some(Test {
                summary: summary.unwrap_or_default(),
                content: content.unwrap_or_default(),
                lang,
                feed,
                region,
                spans,
                ..empty(title?)
            })
        }
    }
}

fn severity(section: &Section<'_>, name: &Located) -> Option<Severity> {
    one_of(section, name, &Severity::ALL.map(Severity::as_str), "severity");
    Severity::from_name(&name.text)
}

fn age(section: &Section<'_>, text: &Located) -> Option<SignedDuration> {
    match duration(&text.text) {
        Ok(duration) => SignedDuration::try_from(duration).ok(),
        Err(why) => {
            section.error(text.span.clone(), why);
            None
        }
    }
}

/// Reports a text that is none of the known ones.
fn one_of(section: &Section<'_>, text: &Located, known: &[&str], what: &str) {
    if !known.contains(&text.text.as_str()) {
        let hint = match nearest(&text.text, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("one of {}", known.join(", ")),
        };
        section.report(
            Problem::error(
                section.file(),
                text.span.clone(),
                format!("{:?} is no {what}", text.text),
            )
            .with_hint(hint),
        );
    }
}
