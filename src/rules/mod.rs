//! Watch rules: from rule files to a compiled [`RuleSet`], and from an item to its matches.

mod ast;
mod code;
mod compile;
mod definitions;
mod explain;
mod files;
mod matcher;
mod parse;
#[cfg(test)]
mod tests;
mod tests_inside;

use std::sync::Arc;

use jiff::SignedDuration;

pub use self::explain::Explanation;
pub use self::matcher::Matcher;
pub use self::tests_inside::TestReport;

use self::code::Code;
use self::definitions::{Definitions, RuleSource};
use crate::config::toml_file::Problems;
use crate::diagnostic::{Gravity, Located, Problem, SourceFile};
use crate::hit::Severity;

/// A watch rule, as lists, routes and alerts need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The stable name, unique over all files.
    pub id: String,
    /// What a reader sees.
    pub title: String,
    /// How much it matters.
    pub severity: Severity,
    /// For routes and lists.
    pub tags: Vec<String>,
    /// Links for the reader of an alert.
    pub references: Vec<String>,
    /// A digest of what the rule itself says; changes when its query, exclusions or filters do.
    pub version: String,
    /// Items published longer ago than this are stored and marked, not alerted.
    pub max_age: Option<SignedDuration>,
    /// Receivers by name; empty: the routes decide.
    pub notify: Vec<String>,
}

/// What a rule may ask about the feed an item came from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The feed's name; empty when there is none.
    pub feed: &'a str,
    /// The feed's region, where the configuration names one.
    pub region: Option<&'a str>,
}

/// All rules, compiled. Cheap to share, never changed.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) code: Code,
    definitions: Definitions,
    /// The positions of `rules` in `definitions.rules`: those that are enabled.
    sources: Vec<usize>,
}

impl RuleSet {
    /// The enabled rules in the order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many entities the files define.
    pub fn entity_count(&self) -> usize {
        self.definitions.entities.len()
    }

    /// A matcher with its own scratch memory, for one thread.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self)
    }

    /// The receivers that rules name, with their places, for the configuration to check.
    pub(crate) fn notified(&self) -> impl Iterator<Item = &Located> {
        self.definitions.rules.iter().flat_map(|rule| &rule.notify)
    }
}

/// Reads and compiles rule files. The rule set is there only when no problem is an error.
pub fn compile(files: &[Arc<SourceFile>]) -> (Option<RuleSet>, Vec<Problem>) {
    let problems = Problems::default();
    let definitions = files::read(files, &problems);
    let set = build(definitions, &problems);
    let problems = problems.take();
    let refused = problems.iter().any(|problem| problem.gravity == Gravity::Error);
    ((!refused).then_some(set), problems)
}

/// Compiles one query, given on the spot, as the only rule, with the entities and macros of files.
pub fn compile_query(query: &str, files: &[Arc<SourceFile>]) -> (Option<RuleSet>, Vec<Problem>) {
    let problems = Problems::default();
    let mut definitions = files::read(files, &problems);
    definitions.rules.clear();
    let file = SourceFile::new("--query", query);
    let source = Located::bare(&file, 0..query.len());
    match parse::parse(query) {
        Ok(node) => definitions.rules.push(RuleSource::anonymous(source, node)),
        Err(errors) => problems.borrow_mut().extend(errors.into_iter().map(|error| {
            let mut problem = Problem::error(&file, error.at, error.message);
            problem.hint = error.hint;
            problem
        })),
    }
    let set = build(definitions, &problems);
    let problems = problems.take();
    let refused = problems.iter().any(|problem| problem.gravity == Gravity::Error);
    ((!refused).then_some(set), problems)
}

fn build(definitions: Definitions, problems: &Problems) -> RuleSet {
    let code = compile::compile(&definitions, problems);
    let enabled = definitions.rules.iter().enumerate().filter(|(_, rule)| rule.enabled);
    let (sources, rules) = enabled.map(|(index, rule)| (index, rule.listed())).unzip();
    RuleSet { rules, code, definitions, sources }
}

impl RuleSource {
    /// A rule without a file, for a query given on the spot.
    fn anonymous(source: Located, node: ast::Node) -> Self {
        Self {
            id: source.renamed("query"),
            title: "query".to_owned(),
            severity: Severity::Medium,
            tags: Vec::new(),
            references: Vec::new(),
            enabled: true,
            query: definitions::Query { source, node },
            exclude: None,
            escalate: Vec::new(),
            filter: definitions::Filter::default(),
            max_age: None,
            notify: Vec::new(),
            tests: Vec::new(),
        }
    }

    fn listed(&self) -> Rule {
        Rule {
            id: self.id.text.clone(),
            title: self.title.clone(),
            severity: self.severity,
            tags: self.tags.clone(),
            references: self.references.clone(),
            version: self.version(),
            max_age: self.max_age,
            notify: self.notify.iter().map(|name| name.text.clone()).collect(),
        }
    }

    fn version(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let exclude = self.exclude.as_ref().map(|exclude| exclude.node.to_string());
        for part in [self.query.node.to_string(), exclude.unwrap_or_default()] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        for (when, severity) in &self.escalate {
            hasher.update(format!("{} {severity}\0", when.node).as_bytes());
        }
        hasher.update(format!("{:?}", self.filter).as_bytes());
        format!("blake3:{}", &hasher.finalize().to_hex()[..12])
    }
}
