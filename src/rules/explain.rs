//! Why a rule matches an item, or why not: the query's tree with what each part found.

use std::collections::HashSet;

use super::ast::{Kind, Node};
use super::code::{NONE, Op, OpId};
use super::definitions::Entity;
use super::matcher::{self, Label, Rejected, Scope};
use super::near::Reach;
use super::{Origin, RuleSet, Sources};
use crate::item::{Field, Item};

/// Parts of an OR that are listed when none holds.
const MOST_LISTED: usize = 6;
/// Places that are listed for one part.
const MOST_PLACES: usize = 4;
/// The longest piece of a query that is shown, in characters.
const LONGEST_PIECE: usize = 80;

/// A rule held against an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    rule: String,
    matches: bool,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    depth: usize,
    holds: bool,
    text: String,
}

impl Explanation {
    /// Whether the rule matches.
    pub fn matches(&self) -> bool {
        self.matches
    }

    /// The tree as text, a part a line, each with a tick or a cross.
    pub fn render(&self) -> String {
        let verdict = if self.matches { "matches" } else { "does not match" };
        let mut out = format!("rule {} {verdict}\n", self.rule);
        for line in &self.lines {
            let mark = if line.holds { '✔' } else { '✘' };
            out += &format!("{}{mark} {}\n", "  ".repeat(line.depth), line.text);
        }
        out
    }
}

impl Sources {
    /// Holds a rule of the set that was compiled from these sources against an item; `None` when
    /// there is no such rule.
    pub fn explain(
        &self,
        set: &RuleSet,
        rule: &str,
        item: &Item,
        origin: Origin<'_>,
    ) -> Option<Explanation> {
        let index = set.rules.iter().position(|known| *known.id == *rule)?;
        let (source, compiled) = (self.rule(index), &set.code.rules[index]);
        let mut matcher = set.matcher();
        matcher.scan.read(&set.code, item);
        let entities = &self.definitions.entities;
        let scan = &mut matcher.scan;
        let mut walk = Walk { rules: set, entities, scan, item, lines: Vec::new() };
        let mut matches = walk.part(&source.query.node, compiled.query, Scope::ITEM, 1);
        if let Some(exclude) = &source.exclude
            && compiled.exclude != NONE
        {
            let excluded = walk.scan.truth(&set.code, compiled.exclude, Scope::ITEM);
            let text = if excluded { "excluded, because this holds:" } else { "not excluded by:" };
            walk.lines.push(Line { depth: 1, holds: !excluded, text: text.to_owned() });
            walk.part(&exclude.node, compiled.exclude, Scope::ITEM, 2);
            matches &= !excluded;
        }
        let lines = walk.lines;
        let mut explanation = Explanation { rule: rule.to_owned(), matches, lines };
        if let Some(filter) = set.code.filters.get(&(index as u32)) {
            let passes = matcher::passes(filter, item, origin);
            explanation.matches &= passes;
            let text = if passes {
                "passes the filters"
            } else {
                "kept out by langs, feeds, exclude_feeds or regions"
            };
            explanation.lines.push(Line { depth: 1, holds: passes, text: text.to_owned() });
        }
        Some(explanation)
    }
}

struct Walk<'a> {
    rules: &'a RuleSet,
    entities: &'a [Entity],
    scan: &'a mut matcher::Scan,
    item: &'a Item,
    lines: Vec<Line>,
}

impl Walk<'_> {
    /// Adds the lines of a part, its own first; returns whether it holds. The tree of operations
    /// has the shape of the query's.
    fn part(&mut self, node: &Node, op: OpId, scope: Scope, depth: usize) -> bool {
        let code = &self.rules.code;
        let holds = self.scan.truth(code, op, scope);
        let mut text = piece(node);
        match &node.kind {
            Kind::Term(_) | Kind::Entity(_) | Kind::Macro(_) => {
                let found = self.found(op, scope);
                text += &if holds { format!(": {found}") } else { ": not found".to_owned() };
                if !holds && let Op::Entity(entity) = code.op(op) {
                    text += &self.why_not_named(entity, scope);
                }
            }
            Kind::Or(_) => text = "OR, at least one of:".to_owned(),
            Kind::And(_) => text = "AND, all of:".to_owned(),
            Kind::Count(need, parts) => text = format!("{need} OF {}:", parts.len()),
            Kind::Not(_) => text = "NOT:".to_owned(),
            Kind::Near { .. } if !holds => text += &self.why_not_near(op, scope),
            Kind::Near { .. } | Kind::Field(..) => {}
        }
        self.lines.push(Line { depth, holds, text });
        self.children(node, op, scope, depth + 1, holds);
        holds
    }

    fn children(&mut self, node: &Node, op: OpId, scope: Scope, depth: usize, holds: bool) {
        let code = &self.rules.code;
        match (&node.kind, code.op(op)) {
            (Kind::Or(nodes), Op::Or { first, count, .. }) => {
                let parts: Vec<_> = nodes.iter().zip(code.list(first, count)).collect();
                let mut listed = 0;
                for (node, part) in &parts {
                    if self.scan.truth(code, **part, scope) == holds && listed < MOST_LISTED {
                        self.part(node, **part, scope, depth);
                        listed += 1;
                    }
                }
                if !holds && parts.len() > listed {
                    let text = format!("… and {} more, none found", parts.len() - listed);
                    self.lines.push(Line { depth, holds: false, text });
                }
            }
            (
                Kind::And(nodes) | Kind::Count(_, nodes),
                Op::And { first, count } | Op::Count { first, count, .. },
            ) => {
                for (node, part) in nodes.iter().zip(code.list(first, count)) {
                    self.part(node, *part, scope, depth);
                }
            }
            (Kind::Not(node), Op::Not(part)) => {
                self.part(node, part, scope, depth);
            }
            (Kind::Field(_, node), Op::Field { mask, part }) => {
                self.part(node, part, scope.fields(mask), depth);
            }
            (Kind::Near { left, right, .. }, Op::Near { left: l, right: r, .. }) => {
                self.part(left, l, scope, depth);
                self.part(right, r, scope, depth);
            }
            _ => {}
        }
    }

    /// The words found for a part, with their names and places.
    fn found(&mut self, op: OpId, scope: Scope) -> String {
        let code = &self.rules.code;
        let mut evidence = Vec::new();
        self.scan.evidence(code, op, scope, &Label::Own, &mut evidence);
        let spans = matcher::spans(code, self.scan, self.item, &evidence);
        let mut places: Vec<String> = spans
            .iter()
            .take(MOST_PLACES)
            .map(|span| {
                let alias = span.alias.as_ref().map(|alias| format!(" as {alias}"));
                format!("{} {:?}{}", span.field, span.text, alias.unwrap_or_default())
            })
            .collect();
        if spans.len() > MOST_PLACES {
            places.push(format!("{} more", spans.len() - MOST_PLACES));
        }
        places.join(", ")
    }

    /// The names of an entity that do stand there, and why they do not count.
    fn why_not_named(&mut self, entity: u32, scope: Scope) -> String {
        let code = &self.rules.code;
        let text = |occurrence: &matcher::Occurrence| {
            let field = matcher::field_text(self.item, Field::ALL[occurrence.place.field as usize]);
            field[occurrence.start as usize..occurrence.end as usize].to_owned()
        };
        let mut reasons: Vec<String> = Vec::new();
        let rejected = self.scan.rejected(code, entity, scope);
        for (name, why) in &rejected {
            let name = &self.scan.occurrences[*name as usize];
            let covers = |other: &matcher::Occurrence| {
                other.place.field == name.place.field
                    && (other.start..=other.end).contains(&name.start)
                    && name.end <= other.end
                    && name.end - name.start < other.end - other.start
            };
            // "Wang" in "Wang Yi" lacks what that lacks.
            if rejected.iter().any(|(other, _)| covers(&self.scan.occurrences[*other as usize])) {
                continue;
            }
            let name = text(name);
            reasons.push(match *why {
                Rejected::Inside(longer) => {
                    let longer = text(&self.scan.occurrences[longer as usize]);
                    format!("{name:?} stands inside {longer:?} (not_in)")
                }
                Rejected::Alone { entity, block } => {
                    let block = &self.entities[entity as usize].ambiguous[block];
                    let place = if block.same_sentence { " in its sentence" } else { "" };
                    let needs = piece(&block.needs.node);
                    format!("{name:?} lacks the company it needs{place} (needs {needs})")
                }
            });
        }
        let mut said = HashSet::new();
        reasons.retain(|reason| said.insert(reason.clone()));
        reasons.truncate(MOST_PLACES);
        reasons.iter().map(|reason| format!("; {reason}")).collect()
    }

    fn why_not_near(&mut self, op: OpId, scope: Scope) -> String {
        let code = &self.rules.code;
        let Op::Near { left, right, reach, ordered } = code.op(op) else {
            return String::new();
        };
        if !self.scan.truth(code, left, scope) || !self.scan.truth(code, right, scope) {
            return String::new();
        }
        let near = self.scan.are_near(
            code,
            left,
            right,
            Reach { half_words: reach, ordered: false },
            scope,
        );
        if ordered && near {
            " — both found, but in the other order".to_owned()
        } else if reach == super::code::SENTENCE {
            " — both found, but never in the same sentence".to_owned()
        } else {
            " — both found, but too far apart or in different fields".to_owned()
        }
    }
}

/// A part as it is written, shortened.
fn piece(node: &Node) -> String {
    let text = node.to_string();
    if text.chars().count() <= LONGEST_PIECE {
        return text;
    }
    text.chars().take(LONGEST_PIECE - 1).chain(['…']).collect()
}
