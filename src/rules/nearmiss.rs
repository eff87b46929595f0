//! Near misses: items that lack exactly one thing that a rule asks for.

use std::sync::Arc;

use super::ast::{Kind, Node};
use super::code::{NONE, Op, OpId};
use super::matcher::{self, Evidence, Label, Matcher, Scope};
use super::{Origin, RuleSet, Sources};
use crate::hit::Span;
use crate::item::{Field, Item};

/// Alternatives of a rule that are looked at; an OR of more counts as one thing.
const MOST_ALTERNATIVES: usize = 64;
/// The longest gap that is shown, in characters.
const LONGEST_GAP: usize = 160;
/// The longest clause that is shown, in characters.
const LONGEST_CLAUSE: usize = 120;

/// An item that misses one clause of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The position of the clause in [`NearMisses::clauses`].
    pub clause: usize,
    /// What stands between two words that are too far apart, or where each of them stands.
    pub gap: Option<String>,
    /// The words that were found; those that kept the item out, when it was kept out.
    pub spans: Vec<Span>,
}

/// Holds items against the clauses of one rule.
#[derive(Debug)]
pub struct NearMisses<'r> {
    set: &'r RuleSet,
    matcher: Matcher<'r>,
    rule: u32,
    clauses: Vec<Arc<str>>,
    /// The same in full.
    texts: Vec<String>,
    parts: Vec<Part>,
    alternatives: Vec<Vec<usize>>,
    exclude: usize,
    filter: usize,
}

/// What a clause asks.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// That a part of the query holds.
    Holds(OpId),
    /// That it does not.
    Fails(OpId),
    /// That its two sides stand near each other; asked only where both are there.
    Near { near: OpId, left: OpId, right: OpId },
}

impl Sources {
    /// Prepares to look for the near misses of a rule of the set that was compiled from these
    /// sources; `None` when there is no such rule.
    pub fn near_misses<'r>(&self, set: &'r RuleSet, rule: &str) -> Option<NearMisses<'r>> {
        let index = set.rules.iter().position(|known| *known.id == *rule)?;
        let (source, compiled) = (self.rule(index), &set.code.rules[index]);
        let mut misses = NearMisses {
            set,
            matcher: set.matcher(),
            rule: u32::try_from(index).expect("rules are numbered so"),
            clauses: Vec::new(),
            texts: Vec::new(),
            parts: Vec::new(),
            alternatives: Vec::new(),
            exclude: 0,
            filter: 0,
        };
        misses.alternative(&source.query.node, compiled.query);
        misses.exclude = misses.clauses.len();
        let exclude = source.exclude.as_ref().map(|exclude| exclude.node.to_string());
        let exclude = shortened(&exclude.unwrap_or_default(), LONGEST_CLAUSE);
        misses.clauses.push(format!("exclude: {exclude}").into());
        misses.filter = misses.clauses.len();
        misses.clauses.push("langs, feeds, exclude_feeds, regions".into());
        Some(misses)
    }
}

impl<'r> NearMisses<'r> {
    /// What the rule asks, a clause each.
    pub fn clauses(&self) -> &[Arc<str>] {
        &self.clauses
    }

    /// The one clause that an item misses. `None` when it matches, or misses more than one.
    pub fn check(&mut self, item: &Item, origin: Origin<'_>) -> Option<NearMiss> {
        let code = &self.set.code;
        self.matcher.scan.read(code, item);
        let compiled = &code.rules[self.rule as usize];
        let scan = &mut self.matcher.scan;
        if scan.truth(code, compiled.query, Scope::ITEM) {
            if compiled.exclude != NONE && scan.truth(code, compiled.exclude, Scope::ITEM) {
                let spans = self.words(compiled.exclude, item);
                return Some(NearMiss { clause: self.exclude, gap: None, spans });
            }
            let filter = code.filters.get(&self.rule)?;
            let kept_out = !matcher::passes(filter, item, origin);
            return kept_out.then(|| NearMiss {
                clause: self.filter,
                gap: None,
                spans: self.words(compiled.query, item),
            });
        }
        // What another thing would keep out anyway misses more than one.
        if compiled.exclude != NONE && scan.truth(code, compiled.exclude, Scope::ITEM) {
            return None;
        }
        if code.filters.get(&self.rule).is_some_and(|filter| !matcher::passes(filter, item, origin))
        {
            return None;
        }
        let (alternative, clause) = self.closest()?;
        let (gap, spans) = match self.parts[clause] {
            Part::Near { left, right, .. } => {
                (self.gap(left, right, item), self.held(alternative, item))
            }
            Part::Fails(part) => (None, self.words(part, item)),
            Part::Holds(_) => (None, self.held(alternative, item)),
        };
        Some(NearMiss { clause, gap, spans })
    }

    /// The alternative that misses exactly one clause, the longest of several, and the clause.
    fn closest(&mut self) -> Option<(usize, usize)> {
        let code = &self.set.code;
        let scan = &mut self.matcher.scan;
        let mut best: Option<(usize, usize, usize)> = None;
        for (number, clauses) in self.alternatives.iter().enumerate() {
            let (mut missed, mut held) = (None, 0);
            let mut misses_two = false;
            for clause in clauses {
                let holds = match self.parts[*clause] {
                    Part::Holds(part) => {
                        let holds = scan.truth(code, part, Scope::ITEM);
                        held += usize::from(holds);
                        holds
                    }
                    Part::Fails(part) => !scan.truth(code, part, Scope::ITEM),
                    Part::Near { near, left, right } => {
                        let sides = scan.truth(code, left, Scope::ITEM)
                            && scan.truth(code, right, Scope::ITEM);
                        !sides || scan.truth(code, near, Scope::ITEM)
                    }
                };
                if !holds && missed.replace(*clause).is_some() {
                    misses_two = true;
                    break;
                }
            }
            if let Some(clause) = missed
                && !misses_two
                && held > best.map_or(0, |(_, _, held)| held)
            {
                best = Some((number, clause, held));
            }
        }
        best.map(|(number, clause, _)| (number, clause))
    }

    /// The words that the clauses of an alternative found.
    fn held(&mut self, alternative: usize, item: &Item) -> Vec<Span> {
        let mut evidence = Vec::new();
        for clause in &self.alternatives[alternative] {
            if let Part::Holds(part) = self.parts[*clause] {
                self.matcher.scan.evidence(
                    &self.set.code,
                    part,
                    Scope::ITEM,
                    &Label::Own,
                    &mut evidence,
                );
            }
        }
        matcher::spans(&self.set.code, &self.matcher.scan, item, &evidence)
    }

    fn words(&mut self, part: OpId, item: &Item) -> Vec<Span> {
        let evidence = self.evidence(part);
        matcher::spans(&self.set.code, &self.matcher.scan, item, &evidence)
    }

    fn evidence(&mut self, part: OpId) -> Vec<Evidence<'r>> {
        let mut evidence = Vec::new();
        let code = &self.set.code;
        self.matcher.scan.evidence(code, part, Scope::ITEM, &Label::Own, &mut evidence);
        evidence
    }

    /// The text between the two sides where they come closest.
    fn gap(&mut self, left: OpId, right: OpId, item: &Item) -> Option<String> {
        let places = |misses: &mut Self, part| -> Vec<(u8, u32, u32)> {
            let occurrences: Vec<u32> =
                misses.evidence(part).iter().map(|found| found.occurrence).collect();
            let all = &misses.matcher.scan.occurrences;
            let found = occurrences.iter().map(|index| &all[*index as usize]);
            found.map(|found| (found.place.field, found.start, found.end)).collect()
        };
        let (lefts, rights) = (places(self, left), places(self, right));
        let mut closest: Option<(u8, u32, u32)> = None;
        for l in &lefts {
            for r in rights.iter().filter(|r| r.0 == l.0) {
                let (first, second) = if l.1 <= r.1 { (l, r) } else { (r, l) };
                let (from, to) = (first.2, second.1.max(first.2));
                if closest.is_none_or(|(_, best_from, best_to)| to - from < best_to - best_from) {
                    closest = Some((l.0, from, to));
                }
            }
        }
        let Some((field, from, to)) = closest else {
            let name = |places: &[(u8, u32, u32)]| {
                places.first().map(|place| Field::ALL[place.0 as usize].as_str())
            };
            return Some(format!("one in the {}, one in the {}", name(&lefts)?, name(&rights)?));
        };
        let text = matcher::field_text(item, Field::ALL[field as usize]);
        Some(shortened(text[from as usize..to as usize].trim(), LONGEST_GAP))
    }

    // Taking the query apart.

    fn alternative(&mut self, node: &Node, op: OpId) {
        if let (Kind::Or(nodes), Op::Or { first, count, .. }) = (&node.kind, self.set.code.op(op))
            && self.alternatives.len() + nodes.len() <= MOST_ALTERNATIVES
        {
            let parts = self.set.code.list(first, count);
            for (node, part) in nodes.iter().zip(parts) {
                self.alternative(node, *part);
            }
            return;
        }
        let mut clauses = Vec::new();
        self.clauses_of(node, op, &mut clauses);
        // What asks for one thing only is missed by every other item.
        if clauses.len() > 1 {
            self.alternatives.push(clauses);
        }
    }

    fn clauses_of(&mut self, node: &Node, op: OpId, clauses: &mut Vec<usize>) {
        match (&node.kind, self.set.code.op(op)) {
            (Kind::And(nodes), Op::And { first, count }) => {
                let parts = self.set.code.list(first, count);
                for (node, part) in nodes.iter().zip(parts) {
                    self.clauses_of(node, *part, clauses);
                }
            }
            (Kind::Near { left: l, right: r, .. }, Op::Near { left, right, .. }) => {
                self.clauses_of(l, left, clauses);
                self.clauses_of(r, right, clauses);
                clauses.push(self.clause(node, Part::Near { near: op, left, right }));
            }
            (Kind::Not(_), Op::Not(part)) => clauses.push(self.clause(node, Part::Fails(part))),
            _ => clauses.push(self.clause(node, Part::Holds(op))),
        }
    }

    /// The number of a clause; two that are the same are one.
    fn clause(&mut self, node: &Node, part: Part) -> usize {
        let text = node.to_string();
        if let Some(known) = self.texts.iter().position(|known| *known == text) {
            return known;
        }
        self.clauses.push(shortened(&text, LONGEST_CLAUSE).into());
        self.texts.push(text);
        self.parts.push(part);
        self.clauses.len() - 1
    }
}

/// A text with its middle left out when it is too long.
fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let half = most / 2 - 1;
    let start: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(count - half).collect();
    format!("{start} … {end}")
}
