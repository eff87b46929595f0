//! Watch rules: from rule files to a compiled [`RuleSet`], and from an item to its matches.

mod ast;
mod code;
mod compile;
mod definitions;
mod describe;
mod dictionary;
mod explain;
mod files;
mod index;
mod lint;
mod matcher;
mod near;
mod nearmiss;
mod parse;
#[cfg(test)]
mod tests;
mod tests_inside;

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;

pub use self::explain::Explanation;
pub(crate) use self::files::no_language;
pub use self::matcher::Matcher;
pub use self::nearmiss::{NearMiss, NearMisses};
pub use self::tests_inside::TestReport;

use self::code::{Code, MOST_EXPECTED};
use self::definitions::{Definitions, RuleSource};
use self::index::Index;
use crate::config::toml_file::Problems;
use crate::diagnostic::{Gravity, Located, Problem, SourceFile};
use crate::hit::Severity;
use crate::item::Item;

/// A watch rule, as lists, routes and alerts need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The stable name, unique over all files.
    pub id: Box<str>,
    /// What a reader sees.
    pub title: Box<str>,
    /// How much it matters.
    pub severity: Severity,
    /// For routes and lists.
    pub tags: Box<[String]>,
    /// Links for the reader of an alert.
    pub references: Box<[String]>,
    /// A digest of what the rule itself says; changes when its query, exclusions or filters do.
    pub version: RuleVersion,
    /// Items published longer ago than this are stored and marked, not alerted.
    pub max_age: Option<SignedDuration>,
    /// Receivers by name; empty: the routes decide.
    pub notify: Box<[String]>,
    /// How its hits are told.
    pub telling: Telling,
}

/// How the hits of a rule are told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Telling {
    /// Which of them are told.
    pub mode: StoryMode,
    /// From when on a story counts as corroborated; absent: by its severity.
    pub corroborate: Option<Corroborate>,
    /// How far a thread reaches.
    pub group: Group,
    /// How often somebody is told that a story goes on; absent: never.
    pub throttle: Option<Throttle>,
    /// When the rule's hits are many.
    pub surge: SurgeSettings,
    /// Every edit of an item that it has hit is told.
    pub on_update: bool,
}

/// From when on a story counts as corroborated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corroborate {
    /// Independent origins.
    pub origins: usize,
    /// The time within which they came.
    pub within: SignedDuration,
    /// What must differ.
    pub distinct: Distinct,
}

/// What makes origins independent enough for [`Corroborate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distinct {
    /// That they are different ones.
    #[default]
    Origin,
    /// That they stand in different camps.
    Alignment,
}

/// How far a thread reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// It ends after a gap of this.
    pub window: SignedDuration,
    /// It is no longer than this.
    pub max_age: SignedDuration,
}

impl Default for Group {
    fn default() -> Self {
        Self { window: SignedDuration::from_hours(36), max_age: SignedDuration::from_hours(7 * 24) }
    }
}

/// How often somebody is told that a story goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Not before the story was last told so long ago.
    pub cooldown: SignedDuration,
    /// Updates of all stories of the rule in 24 hours, at most.
    pub max_per_day: u32,
}

/// When a rule's hits are so many that it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurgeSettings {
    /// So many lineages in a day are unlikelier than this.
    pub p: f64,
    /// And so many at least.
    pub min_count: u32,
}

impl Default for SurgeSettings {
    fn default() -> Self {
        Self { p: 0.001, min_count: 5 }
    }
}

/// Which hits of a rule are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoryMode {
    /// As stories: reports that read alike are told once.
    #[default]
    Text,
    /// The first, and then no other for this time.
    Cooldown(SignedDuration),
    /// One by one.
    Off,
}

/// A digest of what a rule says: the first six bytes of a BLAKE3 hash, `blake3:` and twelve
/// hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleVersion([u8; 6]);

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blake3:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// From so many rules on [`RuleSet::learn`] pays.
pub const WORTH_LEARNING: usize = 1_000;
/// Items to learn from.
pub const ITEMS_TO_LEARN_FROM: usize = 2_000;

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
}

/// What the rules were compiled from: for their own tests and for explanations. Matching does
/// without, so the daemon lets go of it.
#[derive(Debug, Default)]
pub struct Sources {
    definitions: Definitions,
    /// The positions in `definitions.rules` of the rules of the set: those that are enabled.
    enabled: Vec<usize>,
}

/// What compiling rule files yields.
#[derive(Debug, Default)]
pub struct Compiled {
    /// What matches; absent when a problem is an error.
    pub set: Option<RuleSet>,
    /// What could be read of the files.
    pub sources: Sources,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

impl RuleSet {
    /// The enabled rules in the order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A matcher with its own scratch memory, for one thread.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self)
    }

    /// Files every rule anew, under the clauses that are rarest in `items`: without them rarity is a
    /// guess from how terms are written. [`ITEMS_TO_LEARN_FROM`] recent ones will do. What matches
    /// does not change, only how fast.
    pub fn learn<'i>(&mut self, items: impl IntoIterator<Item = &'i Item>) {
        let mut counts = vec![0_u32; self.code.labels.len()];
        let mut matcher = self.matcher();
        for item in items {
            for atom in matcher.atoms(item) {
                counts[*atom as usize] += 1;
            }
        }
        for (count, expected) in counts.iter_mut().zip(&self.code.expected) {
            *count = count.saturating_mul(MOST_EXPECTED + 1).saturating_add(*expected);
        }
        self.code.index = Index::build(&self.code, &counts);
    }
}

impl Sources {
    /// How many entities the files define.
    pub fn entity_count(&self) -> usize {
        self.definitions.entities.len()
    }

    /// The names of those, without `@`.
    pub fn entity_names(&self) -> impl Iterator<Item = &str> {
        self.definitions.entities.iter().map(|entity| entity.id.text.as_str())
    }

    /// How many rules the files define, broken ones included.
    pub fn rule_count(&self) -> usize {
        self.definitions.rule_count
    }

    /// The source of a rule of the set.
    fn rule(&self, index: usize) -> &RuleSource {
        &self.definitions.rules[self.enabled[index]]
    }

    /// The receivers that rules name, with their places, for the configuration to check.
    pub(crate) fn notified(&self) -> impl Iterator<Item = &Located> {
        self.definitions.rules.iter().flat_map(|rule| &rule.notify)
    }

    /// The feeds that rules ask for, with their places.
    pub(crate) fn feeds(&self) -> impl Iterator<Item = &Located> {
        self.definitions.rules.iter().flat_map(|rule| &rule.feeds)
    }

    /// The regions that rules ask for, with their places.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Located> {
        self.definitions.rules.iter().flat_map(|rule| &rule.regions)
    }
}

/// Reads and compiles rule files.
pub fn compile(files: &[Arc<SourceFile>]) -> Compiled {
    let problems = Problems::default();
    let definitions = files::read(files, &problems);
    lint::lint(&definitions, &problems);
    build(definitions, problems)
}

/// Compiles one rule of the files as the only one: what else they look for costs nothing then.
pub fn compile_rule(rule: &str, files: &[Arc<SourceFile>]) -> Compiled {
    let problems = Problems::default();
    let mut definitions = files::read(files, &problems);
    definitions.rules.retain(|known| known.id.text == rule);
    build(definitions, problems)
}

/// Compiles one query, given on the spot, as the only rule, with the entities and macros of files.
pub fn compile_query(query: &str, files: &[Arc<SourceFile>]) -> Compiled {
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
    build(definitions, problems)
}

fn build(definitions: Definitions, problems: Problems) -> Compiled {
    let code = compile::compile(&definitions, &problems);
    let problems = problems.take();
    let refused = problems.iter().any(|problem| problem.gravity == Gravity::Error);
    let rules = definitions.rules.iter().enumerate().filter(|(_, rule)| rule.enabled);
    let (enabled, mut rules): (_, Vec<Rule>) =
        rules.map(|(index, rule)| (index, rule.listed())).unzip();
    rules.shrink_to_fit();
    let set = (!refused).then_some(RuleSet { rules, code });
    Compiled { set, sources: Sources { definitions, enabled }, problems }
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
            feeds: Vec::new(),
            regions: Vec::new(),
            notify: Vec::new(),
            telling: Telling::default(),
            tests: Vec::new(),
        }
    }

    fn listed(&self) -> Rule {
        Rule {
            id: self.id.text.as_str().into(),
            title: self.title.as_str().into(),
            severity: self.severity,
            tags: self.tags.as_slice().into(),
            references: self.references.as_slice().into(),
            version: self.version(),
            max_age: self.max_age,
            notify: self.notify.iter().map(|name| name.text.clone()).collect(),
            telling: self.telling,
        }
    }

    fn version(&self) -> RuleVersion {
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
        let mut version = [0; 6];
        version.copy_from_slice(&hasher.finalize().as_bytes()[..6]);
        RuleVersion(version)
    }
}
