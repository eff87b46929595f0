//! Watch rules: from rule files to a compiled [`RuleSet`], and from an item to its matches.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::diagnostic::{Problem, SourceFile};
use crate::hit::{Match, Severity};
use crate::item::Item;

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
    /// A digest of everything that decides what the rule matches; changes when the meaning does.
    pub version: String,
    /// Items published longer ago than this are stored and marked, not alerted.
    pub max_age: Option<SignedDuration>,
    /// Receivers by name; empty: the routes decide.
    pub notify: Vec<String>,
}

/// What a rule may ask about the feed an item came from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The feed's name.
    pub feed: &'a str,
    /// The feed's region, where the configuration names one.
    pub region: Option<&'a str>,
}

/// All rules, compiled. Cheap to share, never changed.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules in the order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many entities the files define.
    pub fn entity_count(&self) -> usize {
        0
    }

    /// A matcher with its own scratch memory, for one thread.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher { _rules: self }
    }
}

/// Matches items against a [`RuleSet`]; reuse it from item to item.
#[derive(Debug)]
pub struct Matcher<'a> {
    _rules: &'a RuleSet,
}

impl Matcher<'_> {
    /// The rules that match `item`, in the order of the rule set, with their evidence.
    pub fn matches(&mut self, _item: &Item, _origin: Origin<'_>) -> Vec<Match> {
        Vec::new()
    }
}

/// How the tests that stand inside the rules went.
#[derive(Debug, Default)]
pub struct TestReport {
    /// Tests whose outcome was the expected one.
    pub passed: usize,
    /// The others, each a problem at the test's place in its file.
    pub failures: Vec<Problem>,
}

/// Reads and compiles rule files. The rule set is there only when no problem is an error.
pub fn compile(_files: &[Arc<SourceFile>]) -> (Option<RuleSet>, Vec<Problem>) {
    (Some(RuleSet::default()), Vec::new())
}

impl RuleSet {
    /// Runs every test that stands inside a rule.
    pub fn run_tests(&self) -> TestReport {
        TestReport::default()
    }
}
