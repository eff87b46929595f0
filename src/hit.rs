//! What matching yields: a match (a rule and its evidence) and, once stored, a hit.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::item::Field;

/// How much a rule's author cares. Orders, routes and sorts; says nothing about the news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the digest.
    Low,
    /// Worth reading today.
    Medium,
    /// Worth reading now.
    High,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// Every severity, lowest first.
    pub const ALL: [Severity; 4] =
        [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word that configuration, JSON and messages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The words of an item that made a term of a rule true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The field in which the words stand.
    pub field: Field,
    /// Where they start, in Unicode scalar values of the original field.
    pub start: u32,
    /// Where they end (exclusive), in Unicode scalar values of the original field.
    pub end: u32,
    /// The words as they stand there.
    pub text: String,
    /// The term of the rule, as the rule writes it (`@wang-yi`, `$talks`, `"arms deal"`).
    pub term: Arc<str>,
    /// The name of an entity, or the term of a macro, that matched, with its language where it has
    /// one (`ru:Лавров`); absent when the term is itself the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Arc<str>>,
}

/// One rule that matched one item, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The position of the rule in [`crate::rules::RuleSet::rules`].
    pub rule: usize,
    /// The severity for this item, escalation included.
    pub severity: Severity,
    /// What matched, by field and place; never empty.
    pub spans: Vec<Span>,
}
