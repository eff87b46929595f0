//! What rule files say in vain: definitions that nobody uses, and terms that another term beside
//! them covers already.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use super::ast::{Kind, Node, Style, Term};
use super::definitions::{Definitions, Query};
use crate::config::toml_file::Problems;
use crate::diagnostic::{Gravity, Located, Problem};
use crate::text::inflect;
use crate::text::{Script, Tokens};

/// Warns of what has no effect.
pub(crate) fn lint(definitions: &Definitions, problems: &Problems) {
    // A query that could not be read may be the one that uses it.
    if !problems.borrow().iter().any(|problem| problem.gravity == Gravity::Error) {
        unused(definitions, problems);
    }
    for query in queries(definitions) {
        covered(&query.node, &query.source, problems);
    }
}

/// All queries of all definitions.
fn queries(definitions: &Definitions) -> impl Iterator<Item = &Query> {
    let rules = definitions.rules.iter().flat_map(|rule| {
        let escalations = rule.escalate.iter().map(|(when, _)| when);
        std::iter::once(&rule.query).chain(&rule.exclude).chain(escalations)
    });
    let macros = definitions.macros.iter().map(|definition| &definition.query);
    let needs = definitions.entities.iter().flat_map(|entity| &entity.ambiguous);
    rules.chain(macros).chain(needs.map(|block| &block.needs))
}

fn unused(definitions: &Definitions, problems: &Problems) {
    let (mut entities, mut macros) = (HashSet::new(), HashSet::new());
    for query in queries(definitions) {
        names(&query.node, &mut entities, &mut macros);
    }
    let included = definitions.entities.iter().flat_map(|entity| &entity.include);
    entities.extend(included.map(|name| name.text.as_str()));
    let warn = |place: &Located, message: String, mark: char| {
        let hint = format!("write {mark}{} in a query, or remove it", place.text);
        let problem = Problem::warning(&place.file, place.span.clone(), message).with_hint(hint);
        problems.borrow_mut().push(problem);
    };
    for entity in &definitions.entities {
        let id = &entity.id;
        if !entities.contains(id.text.as_str()) {
            warn(id, format!("no query uses the entity {}", id.text), '@');
        }
    }
    for definition in &definitions.macros {
        let id = &definition.id;
        if !macros.contains(id.text.as_str()) {
            warn(id, format!("no query uses the macro {}", id.text), '$');
        }
    }
}

/// The entities and macros that a query names.
fn names<'n>(node: &'n Node, entities: &mut HashSet<&'n str>, macros: &mut HashSet<&'n str>) {
    match &node.kind {
        Kind::Entity(name) => drop(entities.insert(name)),
        Kind::Macro(name) => drop(macros.insert(name)),
        Kind::Or(parts) | Kind::And(parts) | Kind::Count(_, parts) => {
            parts.iter().for_each(|part| names(part, entities, macros));
        }
        Kind::Not(part) | Kind::Field(_, part) => names(part, entities, macros),
        Kind::Near { left, right, .. } => {
            names(left, entities, macros);
            names(right, entities, macros);
        }
        Kind::Term(_) => {}
    }
}

/// Warns of terms of an OR that match only where another term of it matches.
fn covered(node: &Node, source: &Located, problems: &Problems) {
    match &node.kind {
        Kind::Or(parts) => {
            let terms: Vec<(&Node, Words)> = parts.iter().filter_map(words).collect();
            for (node, by) in covers(&terms) {
                let problem = source.error(
                    node.at.clone(),
                    format!("{node} finds nothing that {by} does not find"),
                );
                problems.borrow_mut().push(problem.as_warning().with_hint("remove it"));
            }
            parts.iter().for_each(|part| covered(part, source, problems));
        }
        Kind::And(parts) | Kind::Count(_, parts) => {
            parts.iter().for_each(|part| covered(part, source, problems));
        }
        Kind::Not(part) | Kind::Field(_, part) => covered(part, source, problems),
        Kind::Near { left, right, .. } => {
            covered(left, source, problems);
            covered(right, source, problems);
        }
        Kind::Entity(_) | Kind::Macro(_) | Kind::Term(_) => {}
    }
}

/// The words of a term.
struct Words {
    /// The forms of each word; of a prefix the prefix alone.
    words: Vec<Vec<String>>,
    prefix: bool,
    verbatim: bool,
    /// A run of Han characters: it matches inside longer runs.
    han: Option<String>,
    /// It is also found as fewer words (dual-use as dualuse), which no word of it covers.
    glued: bool,
}

/// The forms of each word of a term; of a prefix the prefix alone.
pub(crate) fn forms_of(term: &Term) -> Vec<Vec<String>> {
    let mut tokens = Tokens::default();
    tokens.read(&term.text);
    let all = tokens.all();
    let words = all.iter().enumerate().map(|(index, token)| {
        let form = tokens.form(token);
        let original = &term.text[token.start as usize..token.end as usize];
        forms(term, form, original, token.script, term.prefix && index + 1 == all.len())
    });
    words.collect()
}

/// The words of a part that is a term.
fn words(node: &Node) -> Option<(&Node, Words)> {
    let Kind::Term(term) = &node.kind else { return None };
    let mut tokens = Tokens::default();
    tokens.read(&term.text);
    let all = tokens.all();
    let han = all.iter().all(|token| token.script == Script::Han);
    Some((
        node,
        Words {
            words: forms_of(term),
            prefix: term.prefix,
            verbatim: term.style == Style::Verbatim,
            han: han.then(|| all.iter().map(|token| tokens.form(token)).collect()),
            glued: all.len() > 1
                && (!tokens.joined().is_empty()
                    || all.len() == 3
                    || all.iter().all(|token| token.script == Script::Hangul)),
        },
    ))
}

fn forms(term: &Term, form: &str, original: &str, script: Script, prefix: bool) -> Vec<String> {
    if prefix || script == Script::Han || matches!(term.style, Style::Exact | Style::Verbatim) {
        return vec![form.to_owned()];
    }
    if script == Script::Hangul {
        // With particles it is more than the word as written.
        return vec![form.to_owned(), format!("{form}…")];
    }
    let name = original.chars().next().is_some_and(char::is_uppercase);
    inflect::forms(form, if name { inflect::Kind::Name } else { inflect::Kind::Common }, None)
}

/// The terms that another one covers, each with that other.
fn covers<'n>(terms: &[(&'n Node, Words)]) -> Vec<(&'n Node, &'n Node)> {
    // What may cover: single words, by each of their forms; prefixes; runs of Han characters.
    let mut singles: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    let (mut prefixes, mut runs) = (Vec::new(), Vec::new());
    for (index, (_, term)) in terms.iter().enumerate() {
        if term.verbatim {
            continue;
        }
        match (&term.han, term.words.as_slice()) {
            (Some(run), _) => runs.push((index, run.as_str())),
            (None, [word]) if term.prefix => prefixes.push((index, word[0].as_str())),
            (None, [word]) => {
                word.iter().for_each(|form| singles.entry(form).or_default().push(index));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (index, (node, term)) in terms.iter().enumerate() {
        // Of two that say the same the later one is in vain.
        let other = |by: usize, same: bool| by != index && (!same || by < index);
        let by = match &term.han {
            None if term.glued => None,
            Some(run) => runs
                .iter()
                .find(|(by, part)| run.contains(part) && other(*by, run == part))
                .map(|(by, _)| *by),
            None => term.words.iter().find_map(|word| {
                let is_prefix = term.prefix && term.words.len() == 1;
                let by_prefix = prefixes.iter().find(|(by, prefix)| {
                    word.iter().all(|form| form.starts_with(prefix))
                        && other(*by, is_prefix && word[0] == **prefix)
                });
                let by_word = || {
                    let candidates = singles.get(word[0].as_str()).filter(|_| !is_prefix)?;
                    candidates.iter().copied().find(|by| {
                        let all = &terms[*by].1.words[0];
                        let same =
                            term.words.len() == 1 && all.len() == word.len() && !term.verbatim;
                        word.iter().all(|form| all.contains(form)) && other(*by, same)
                    })
                };
                by_prefix.map(|(by, _)| *by).or_else(by_word)
            }),
        };
        found.extend(by.map(|by| (*node, terms[by].0)));
    }
    found
}
