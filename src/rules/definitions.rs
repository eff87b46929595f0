//! What rule files say, checked one by one: entities, macros and rules, before they are compiled
//! together.

use jiff::SignedDuration;

use super::Telling;
use super::ast::Node;
use crate::diagnostic::Located;
use crate::hit::Severity;

/// A named thing of the world, with its names in every language.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    /// How queries call it: `@id`.
    pub(crate) id: Located,
    /// The names that mean it wherever they stand.
    pub(crate) names: Vec<Name>,
    /// The names that mean it only in company.
    pub(crate) ambiguous: Vec<Ambiguous>,
    /// The entities whose names stand for this one too.
    pub(crate) include: Vec<Located>,
    /// Longer names in which its own do not count: 俄 in 白俄罗斯.
    pub(crate) not_in: Vec<Name>,
}

/// A name of an entity.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    /// The language whose inflection it takes.
    pub(crate) language: String,
    /// The name as the file writes it.
    pub(crate) text: Located,
}

/// Names that count only where something else holds.
#[derive(Debug, Clone)]
pub(crate) struct Ambiguous {
    pub(crate) names: Vec<Name>,
    /// The company must be in the same sentence, not just in the same item.
    pub(crate) same_sentence: bool,
    pub(crate) needs: Query,
}

/// A named sub-query.
#[derive(Debug, Clone)]
pub(crate) struct Macro {
    /// How queries call it: `$id`.
    pub(crate) id: Located,
    pub(crate) query: Query,
}

/// A query and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) source: Located,
    pub(crate) node: Node,
}

/// A rule as its file has it.
#[derive(Debug, Clone)]
pub(crate) struct RuleSource {
    pub(crate) id: Located,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) tags: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) query: Query,
    pub(crate) exclude: Option<Query>,
    pub(crate) escalate: Vec<(Query, Severity)>,
    pub(crate) filter: Filter,
    /// The feeds and the regions that the filter asks for, with their places.
    pub(crate) feeds: Vec<Located>,
    pub(crate) regions: Vec<Located>,
    pub(crate) max_age: Option<SignedDuration>,
    pub(crate) notify: Vec<Located>,
    pub(crate) telling: Telling,
    pub(crate) tests: Vec<Test>,
}

/// The filters of a rule outside its query. An empty list lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) langs: Vec<String>,
    pub(crate) feeds: Vec<String>,
    pub(crate) exclude_feeds: Vec<String>,
    pub(crate) regions: Vec<String>,
}

/// A test that stands inside a rule.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    /// The rule must match, or must not.
    pub(crate) matches: bool,
    pub(crate) title: Located,
    pub(crate) summary: String,
    pub(crate) content: String,
    pub(crate) lang: Option<String>,
    pub(crate) feed: Option<String>,
    pub(crate) region: Option<String>,
    /// Words that the evidence must hold.
    pub(crate) spans: Vec<Located>,
}

/// All that rule files define.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    pub(crate) entities: Vec<Entity>,
    pub(crate) macros: Vec<Macro>,
    pub(crate) rules: Vec<RuleSource>,
    /// How many rules there are, with those that are too broken to be in `rules`.
    pub(crate) rule_count: usize,
}
