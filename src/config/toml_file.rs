//! Reading a TOML file so that every problem is found and every value knows its place.
//!
//! Deserialising with serde stops at the first mistake of a table. Here each key is asked for by
//! name; what has the wrong type is reported and taken for absent, and what nobody asked for is an
//! unknown key.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Located, Problem, SourceFile};

/// How alike two words must be for "did you mean" (Jaro–Winkler similarity).
const SIMILAR: f64 = 0.75;

/// The problems found so far, shared by the sections of all files.
pub(crate) type Problems = Rc<RefCell<Vec<Problem>>>;

/// A table of a TOML file, read key by key.
#[derive(Debug)]
pub(crate) struct Section<'f> {
    file: &'f Arc<SourceFile>,
    /// How messages name it: `[[feed]]`.
    what: String,
    span: Range<usize>,
    values: Vec<(Spanned<String>, Spanned<DeValue<'f>>)>,
    known: Vec<String>,
    problems: Problems,
}

/// Reads a file; what is not TOML is reported, and the rest is read all the same.
pub(crate) fn read<'f>(file: &'f Arc<SourceFile>, problems: &Problems) -> Section<'f> {
    if let Some(at) = file.not_utf8 {
        let span = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
        problems.borrow_mut().push(
            Problem::error(file, span, "the file is not UTF-8").with_hint("save it as UTF-8"),
        );
    }
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let skipped = file.text.len() - text.len();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let span = span.start + skipped..span.end + skipped;
        problems.borrow_mut().push(Problem::error(file, span, error.message().trim().to_owned()));
    }
    let span = table.span();
    // A byte order mark would shift every span.
    let mut section = Section::new(file, "the file".to_owned(), span, table.into_inner(), problems);
    if skipped > 0 {
        problems.borrow_mut().push(
            Problem::error(file, 0..skipped, "the file starts with a byte order mark")
                .with_hint("save it as UTF-8 without BOM"),
        );
        section.values.clear();
    }
    section
}

impl<'f> Section<'f> {
    fn new(
        file: &'f Arc<SourceFile>,
        what: String,
        span: Range<usize>,
        table: DeTable<'f>,
        problems: &Problems,
    ) -> Self {
        let values = table
            .into_iter()
            .map(|(key, value)| {
                let span = key.span();
                (Spanned::new(span, key.into_inner().into_owned()), value)
            })
            .collect();
        Self { file, what, span, values, known: Vec::new(), problems: problems.clone() }
    }

    /// The file.
    pub(crate) fn file(&self) -> &'f Arc<SourceFile> {
        self.file
    }

    /// The place of the whole table, for what is missing from it.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Reports an error at a place of the file.
    pub(crate) fn error(&self, span: Range<usize>, message: impl Into<String>) {
        self.report(Problem::error(self.file, span, message));
    }

    /// Reports a problem.
    pub(crate) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Whether the key is there, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Takes the value of a key.
    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'f>>> {
        self.known.push(key.to_owned());
        let index = self.values.iter().position(|(name, _)| name.get_ref() == key)?;
        Some(self.values.swap_remove(index).1)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(value.span(), format!("{key} is {found}, but must be {expected}"));
    }

    fn located(&self, value: &Spanned<DeValue<'_>>, text: &str) -> Located {
        Located::new(self.file, value.span(), text)
    }

    /// A text, when the key is there.
    pub(crate) fn text(&mut self, key: &str) -> Option<Located> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.located(&value, text)),
            _ => {
                self.wrong_type(key, &value, "text in quotes");
                None
            }
        }
    }

    /// A text that must be there and must not be empty.
    pub(crate) fn required_text(&mut self, key: &str) -> Option<Located> {
        let there = self.has(key);
        let text = self.text(key);
        match &text {
            None if !there => {
                self.error(self.header(), format!("{} has no {key}", self.what));
                None
            }
            Some(text) if text.text.trim().is_empty() => {
                self.error(text.span.clone(), format!("{key} is empty"));
                None
            }
            _ => text,
        }
    }

    /// The first line of the table: enough to point at.
    fn header(&self) -> Range<usize> {
        let rest = &self.file.text[self.span.start.min(self.file.text.len())..];
        self.span.start..self.span.start + rest.find('\n').unwrap_or(rest.len())
    }

    /// A list of texts; empty when the key is not there.
    pub(crate) fn texts(&mut self, key: &str) -> Vec<Located> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(values) => values
                .iter()
                .filter_map(|value| match value.get_ref() {
                    DeValue::String(text) => Some(self.located(value, text)),
                    _ => {
                        self.wrong_type(&format!("an entry of {key}"), value, "text in quotes");
                        None
                    }
                })
                .collect(),
            DeValue::String(text) => {
                self.report(
                    Problem::error(
                        self.file,
                        value.span(),
                        format!("{key} is text, but must be a list"),
                    )
                    .with_hint(format!("write {key} = [{:?}]", text)),
                );
                Vec::new()
            }
            _ => {
                self.wrong_type(key, &value, "a list of texts");
                Vec::new()
            }
        }
    }

    /// True or false, when the key is there.
    pub(crate) fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(key, &value, "true or false, without quotes");
        }
        boolean
    }

    /// A whole number within a range, when the key is there.
    pub(crate) fn integer(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.take(key)?;
        let (low, high) = (*range.start(), *range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, &value, "a whole number");
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if number.is_none_or(|number| !range.contains(&number)) {
            self.error(value.span(), format!("{key} must lie between {low} and {high}"));
            return None;
        }
        number
    }

    /// A number, when the key is there.
    pub(crate) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Option<f64> {
        let value = self.take(key)?;
        let number: Option<f64> = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => integer.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(key, &value, "a number");
        } else if number.is_some_and(|number| !range.contains(&number)) {
            let (low, high) = (range.start(), range.end());
            self.error(value.span(), format!("{key} must lie between {low} and {high}"));
            return None;
        }
        number
    }

    /// A table, when the key is there.
    pub(crate) fn table(&mut self, key: &str) -> Option<Section<'f>> {
        let value = self.take(key)?;
        let what = format!("{}.{key}", self.what);
        let what = if self.what == "the file" { format!("[{key}]") } else { what };
        self.section(key, value, what)
    }

    /// The tables `[[key]]`; empty when there are none.
    pub(crate) fn tables(&mut self, key: &str) -> Vec<Section<'f>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(values) => values
                .into_iter()
                .filter_map(|value| self.section(key, value, format!("[[{key}]]")))
                .collect(),
            other => {
                let value = Spanned::new(span, other);
                self.wrong_type(key, &value, &format!("written as [[{key}]] tables"));
                Vec::new()
            }
        }
    }

    /// The entries of a list whose elements are texts or tables.
    pub(crate) fn entries(&mut self, key: &str) -> Vec<Entry<'f>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(values) => values
                .into_iter()
                .filter_map(|value| match value.get_ref() {
                    DeValue::String(text) => Some(Entry::Text(self.located(&value, text))),
                    _ => {
                        let what = format!("an entry of {key}");
                        self.section(&what, value, what.clone()).map(Entry::Table)
                    }
                })
                .collect(),
            other => {
                self.wrong_type(key, &Spanned::new(span, other), "a list");
                Vec::new()
            }
        }
    }

    /// The keys that are left, whatever they are called, each with its place.
    pub(crate) fn keys(&self) -> Vec<(String, Range<usize>)> {
        let mut keys: Vec<_> =
            self.values.iter().map(|(key, _)| (key.get_ref().clone(), key.span())).collect();
        keys.sort_by_key(|(_, span)| span.start);
        keys
    }

    fn section(&self, key: &str, value: Spanned<DeValue<'f>>, what: String) -> Option<Section<'f>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                Some(Section::new(self.file, what, span, table, &self.problems))
            }
            other => {
                self.wrong_type(key, &Spanned::new(span, other), "a table");
                None
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in &self.values {
            let name = key.get_ref();
            let problem =
                Problem::error(self.file, key.span(), format!("{} has no key {name:?}", self.what));
            let known = || self.known.iter().map(String::as_str);
            let hint = match nearest(name, known()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known keys: {}", known().collect::<Vec<_>>().join(", ")),
            };
            self.report(problem.with_hint(hint));
        }
    }
}

/// An entry of a list that may be a text or a table.
#[derive(Debug)]
pub(crate) enum Entry<'f> {
    Text(Located),
    Table(Section<'f>),
}

/// The candidate most like `word`, when one is like it at all.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (similarity(&word, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// How like two words are, 0 to 1. In a short word a slip weighs too much for Jaro and Winkler.
fn similarity(a: &str, b: &str) -> f64 {
    let one_slip = strsim::osa_distance(a, b) == 1 && a.chars().count() >= 3;
    strsim::jaro_winkler(a, b).max(if one_slip { 0.95 } else { 0.0 })
}

/// Reports each name that another before it has, with the other's place.
pub(crate) fn unique<'a>(
    names: impl Iterator<Item = &'a Located>,
    what: &str,
    problems: &Problems,
) {
    let mut first: HashMap<&str, &Located> = HashMap::new();
    for name in names {
        if let Some(first) = first.get(name.text.as_str()) {
            let (line, _) = first.file.line_column(first.span.start);
            problems.borrow_mut().push(
                Problem::error(
                    &name.file,
                    name.span.clone(),
                    format!("{what} {:?} is named twice", name.text),
                )
                .with_hint(format!("the other one is at {}:{line}", first.file.path.display())),
            );
        } else {
            first.insert(&name.text, name);
        }
    }
}
