//! What a rule comes to: its tree with what each term expands to, and how often each part occurs in
//! past items.

use std::fmt::Write as _;

use super::ast::{Kind, Node, Term};
use super::code::{AtomId, OpId};
use super::index::Clauses;
use super::matcher::{Matcher, Scope};
use super::{Origin, RuleSet, Sources, lint};
use crate::diagnostic::Problem;
use crate::item::Item;
use crate::text;

/// Forms of a term, or names of an entity, that are listed.
const MOST_LISTED: usize = 8;
/// Items from which on a share says something.
const ENOUGH_ITEMS: usize = 500;
/// A rule that hits a larger share of all items than one in so many floods its readers.
const ONE_IN: usize = 100;

impl Sources {
    /// Describes a rule of the set that was compiled from these sources; `None` when there is no
    /// such rule. The items, if any, with their feeds, are those in which its parts are counted.
    pub fn describe(&self, set: &RuleSet, rule: &str, items: &[(String, Item)]) -> Option<String> {
        let index = set.rules.iter().position(|known| *known.id == *rule)?;
        let (source, compiled) = (self.rule(index), &set.code.rules[index]);
        let mut walk = Walk { set, items: items.len(), parts: Vec::new() };
        walk.part(&source.query.node, compiled.query, 1);
        if let Some(exclude) = &source.exclude {
            walk.heading("exclude:", 1);
            walk.part(&exclude.node, compiled.exclude, 2);
        }
        let mut hits = 0;
        let mut matcher = set.matcher();
        for (feed, item) in items {
            let matches = matcher.matches(item, Origin { feed, region: None });
            hits += usize::from(matches.iter().any(|found| found.rule == index));
            walk.count(&mut matcher);
        }
        let mut out = format!("rule {rule}, version {}\n", set.rules[index].version);
        if !items.is_empty() {
            let _ = writeln!(out, "would hit {hits} of the {} newest stored items", items.len());
        }
        for part in &walk.parts {
            walk.write(part, &mut out);
        }
        Some(out)
    }

    /// Warns of rules that would hit more than one in a hundred of these items.
    pub fn frequent(&self, set: &RuleSet, items: &[(String, Item)]) -> Vec<Problem> {
        if items.len() < ENOUGH_ITEMS {
            return Vec::new();
        }
        let mut hits = vec![0_usize; set.rules.len()];
        let mut matcher = set.matcher();
        for (feed, item) in items {
            for found in matcher.matches(item, Origin { feed, region: None }) {
                hits[found.rule] += 1;
            }
        }
        let frequent = hits.iter().enumerate().filter(|(_, hits)| **hits * ONE_IN > items.len());
        frequent
            .map(|(index, hits)| {
                let id = &self.rule(index).id;
                let share = *hits as f64 * 100.0 / items.len() as f64;
                let message = format!(
                    "rule {} would hit {hits} of the {} newest stored items ({share:.1} %)",
                    id.text,
                    items.len()
                );
                Problem::warning(&id.file, id.span.clone(), message).with_hint(format!(
                    "newswatch explain {} shows which of its terms are frequent",
                    id.text
                ))
            })
            .collect()
    }
}

/// A line of the description.
struct Part {
    depth: usize,
    text: String,
    /// What is counted: whether it holds, and its atoms.
    counted: Option<(OpId, Vec<AtomId>)>,
    holds: usize,
    /// How many items each of its atoms occurs in.
    occurs: Vec<usize>,
}

struct Walk<'a> {
    set: &'a RuleSet,
    items: usize,
    parts: Vec<Part>,
}

impl Walk<'_> {
    fn heading(&mut self, text: &str, depth: usize) {
        let text = text.to_owned();
        self.parts.push(Part { depth, text, counted: None, holds: 0, occurs: Vec::new() });
    }

    fn part(&mut self, node: &Node, op: OpId, depth: usize) {
        let code = &self.set.code;
        match &node.kind {
            Kind::Or(nodes) | Kind::And(nodes) | Kind::Count(_, nodes) => {
                self.heading(
                    &match &node.kind {
                        Kind::Or(_) => "OR, at least one of:".to_owned(),
                        Kind::Count(need, _) => format!("{need} OF {}:", nodes.len()),
                        _ => "AND, all of:".to_owned(),
                    },
                    depth,
                );
                for (node, part) in nodes.iter().zip(code.parts(op)) {
                    self.part(node, part, depth + 1);
                }
            }
            Kind::Near { left, right, reach, ordered } => {
                self.heading(&format!("{}:", super::ast::operator(*reach, *ordered)), depth);
                let parts = [left, right];
                for (node, part) in parts.into_iter().zip(code.parts(op)) {
                    self.part(node, part, depth + 1);
                }
            }
            Kind::Not(inner) | Kind::Field(_, inner) => {
                self.heading(
                    &match &node.kind {
                        Kind::Field(field, _) => format!("{field}:"),
                        _ => "NOT:".to_owned(),
                    },
                    depth,
                );
                for part in code.parts(op) {
                    self.part(inner, part, depth + 1);
                }
            }
            Kind::Entity(_) | Kind::Macro(_) | Kind::Term(_) => self.leaf(node, op, depth),
        }
    }

    fn leaf(&mut self, node: &Node, op: OpId, depth: usize) {
        let code = &self.set.code;
        let atoms = Clauses::new(code, &code.expected).of(op).unwrap_or_default().to_vec();
        let mut text = node.to_string();
        match &node.kind {
            Kind::Term(term) => text += &forms(term),
            _ => {
                let _ = write!(text, " ({})", text::count(atoms.len(), "term"));
            }
        }
        let occurs = vec![0; atoms.len()];
        self.parts.push(Part { depth, text, counted: Some((op, atoms)), holds: 0, occurs });
    }

    /// Counts the parts in the item that the matcher has just read.
    fn count(&mut self, matcher: &mut Matcher<'_>) {
        for part in &mut self.parts {
            let Some((op, atoms)) = &part.counted else { continue };
            part.holds += usize::from(matcher.scan.truth(&self.set.code, *op, Scope::ITEM));
            for (atom, occurs) in atoms.iter().zip(&mut part.occurs) {
                *occurs += usize::from(matcher.scan.occurs(*atom));
            }
        }
    }

    fn write(&self, part: &Part, out: &mut String) {
        let _ = write!(out, "{}{}", "  ".repeat(part.depth), part.text);
        if let (Some((_, atoms)), true) = (&part.counted, self.items > 0) {
            let _ = write!(out, ": in {}", text::count(part.holds, "item"));
            let mut most: Vec<(usize, AtomId)> =
                part.occurs.iter().copied().zip(atoms.iter().copied()).collect();
            most.retain(|(occurs, _)| *occurs > 0);
            most.sort_by_key(|(occurs, atom)| (std::cmp::Reverse(*occurs), *atom));
            if atoms.len() > 1 && !most.is_empty() {
                let names = most.iter().take(MOST_LISTED).map(|(occurs, atom)| {
                    format!("{} {occurs}", self.set.code.labels[*atom as usize])
                });
                let _ = write!(out, ", most {}", names.collect::<Vec<_>>().join(", "));
            }
        }
        out.push('\n');
    }
}

/// The forms of a term's words, where it has more than one.
fn forms(term: &Term) -> String {
    let words = lint::forms_of(term);
    let many: Vec<String> = words
        .iter()
        .filter(|forms| forms.len() > 1)
        .map(|forms| {
            let more = if forms.len() > MOST_LISTED { " …" } else { "" };
            let listed: Vec<&str> = forms.iter().take(MOST_LISTED).map(String::as_str).collect();
            format!("{}{more}", listed.join(" "))
        })
        .collect();
    if many.is_empty() { String::new() } else { format!(" ({})", many.join("; ")) }
}
