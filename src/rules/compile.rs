//! From definitions to code: terms become atoms of one shared dictionary, queries become trees of
//! small operations, and all rules are indexed by what they cannot match without.

use std::collections::HashMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::ast::{Kind as NodeKind, Node, Reach, Style, Term};
use super::code::{
    ATOM, AmbiguousCode, AtomId, ClassId, Code, EntityCode, GateId, Gates, MacroCode, NONE,
    NameCode, Names, NodeId, Op, OpId, Prefix, RuleCode, SENTENCE, TrieNode,
};
use super::definitions::{Definitions, Entity, Name, Query, RuleSource};
use super::index::{Clause, Clauses, Index};
use crate::config::toml_file::{Problems, nearest};
use crate::diagnostic::{Located, Problem};
use crate::item::Field;
use crate::text::inflect::{self, Kind};
use crate::text::{Gap, Script, Tokens};

/// Letters of a word by which its prefixes are found: the shortest a prefix of an alphabet may be.
pub(crate) const PREFIX_KEY: usize = 3;

/// Entities that one may include, directly or through others.
const MOST_INCLUDED: usize = 1_000;
/// Parts of a query with its macros put in.
const MOST_PARTS: u32 = 100_000;
/// How deep they may be.
const DEEPEST: u32 = 256;
/// Terms of a part from which on a gate is quicker than a look at each.
const WORTH_A_GATE: usize = 4;

/// Compiles all definitions. What does not fit together is reported.
pub(crate) fn compile(definitions: &Definitions, problems: &Problems) -> Code {
    let mut compiler = Compiler::new(definitions, problems);
    compiler.entities();
    compiler.macros();
    compiler.ambiguous();
    for rule in definitions.rules.iter().filter(|rule| rule.enabled) {
        compiler.rule(rule);
    }
    compiler.finish()
}

/// What a part of a query comes to with its macros put in.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    parts: u32,
    depth: u32,
    /// It holds AND, NOT or n OF, which have no place in a text.
    condition: bool,
    /// It names a field.
    field: bool,
}

/// Whose company a query is about: the entity whose names are ambiguous, or that of whoever uses
/// the macro.
#[derive(Debug, Clone, Copy)]
enum Company {
    Of(u32),
    OfMany,
}

/// Words that a phrase may have at one place, by how they came about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ClassKey {
    Exact(String),
    Inflected(String, Kind, Option<String>),
    Prefix(String),
}

struct Compiler<'d> {
    definitions: &'d Definitions,
    problems: &'d Problems,
    entity_ids: HashMap<&'d str, u32>,
    macro_ids: HashMap<&'d str, u32>,
    classes: HashMap<ClassKey, ClassId>,
    atoms: HashMap<(Term, Option<String>), AtomId>,
    ends: Vec<Vec<AtomId>>,
    tokens: Tokens,
    /// What each atom costs as the clause of the index: how often it may be expected.
    costs: Vec<u32>,
    /// How much each macro comes to, and its number as `needs` means it.
    macro_sizes: Vec<Size>,
    literal_macros: FxHashMap<u32, u32>,
    /// Macros that use themselves; they match nothing.
    in_circle: Vec<bool>,
    code: Code,
}

impl<'d> Compiler<'d> {
    fn new(definitions: &'d Definitions, problems: &'d Problems) -> Self {
        let number = |index: usize| u32::try_from(index).expect("files hold fewer definitions");
        let entity_ids = definitions
            .entities
            .iter()
            .enumerate()
            .map(|(index, entity)| (entity.id.text.as_str(), number(index)))
            .collect();
        let macro_ids = definitions
            .macros
            .iter()
            .enumerate()
            .map(|(index, definition)| (definition.id.text.as_str(), number(index)))
            .collect();
        let mut code = Code::default();
        code.nodes.push(TrieNode::default());
        Self {
            definitions,
            problems,
            entity_ids,
            macro_ids,
            classes: HashMap::new(),
            atoms: HashMap::new(),
            ends: vec![Vec::new()],
            tokens: Tokens::default(),
            costs: Vec::new(),
            macro_sizes: Vec::new(),
            literal_macros: FxHashMap::default(),
            in_circle: Vec::new(),
            code,
        }
    }

    fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    // Entities and macros.

    fn entities(&mut self) {
        for entity in &self.definitions.entities {
            let names = Names::new(self.names(&entity.names));
            let include = self.includes(entity);
            let not_in: Vec<AtomId> =
                self.names(&entity.not_in).into_iter().map(|name| name.atom).collect();
            let mask = if not_in.is_empty() { NONE } else { self.code.masks };
            self.code.masks += u32::from(!not_in.is_empty());
            self.code.entities.push(EntityCode {
                term: format!("@{}", entity.id.text).into(),
                names,
                ambiguous: Vec::new(),
                include,
                not_in,
                mask,
                gate: NONE,
            });
        }
        self.flatten_includes();
    }

    fn ambiguous(&mut self) {
        for (index, entity) in self.definitions.entities.iter().enumerate() {
            let number = u32::try_from(index).expect("files hold fewer definitions");
            for block in &entity.ambiguous {
                let names = self.names(&block.names);
                let needs = self.query(&block.needs, Some(Company::Of(number)));
                let same_sentence = block.same_sentence;
                self.code.entities[index].ambiguous.push(AmbiguousCode {
                    names,
                    needs,
                    same_sentence,
                });
            }
        }
    }

    fn names(&mut self, names: &[Name]) -> Vec<NameCode> {
        names
            .iter()
            .map(|name| {
                let alias = format!("{}:{}", name.language, name.text.text).into();
                NameCode {
                    atom: self.atom(&name_term(&name.text.text), Some(&name.language)),
                    alias,
                }
            })
            .collect()
    }

    fn includes(&self, entity: &Entity) -> Vec<u32> {
        entity
            .include
            .iter()
            .filter_map(|name| {
                let id = self.entity_ids.get(name.text.as_str()).copied();
                if id.is_none() {
                    self.unknown(name, 0..name.text.len(), "entity", &name.text);
                }
                id
            })
            .collect()
    }

    /// Has every entity list all that it includes through others. One that includes itself, or too
    /// many, is reported and includes nothing.
    fn flatten_includes(&mut self) {
        let direct: Vec<Vec<u32>> = self
            .code
            .entities
            .iter_mut()
            .map(|entity| std::mem::take(&mut entity.include))
            .collect();
        for start in 0..direct.len() {
            let mut all: Vec<u32> = Vec::new();
            let mut seen = FxHashSet::default();
            let mut next = direct[start].clone();
            let mut wrong = None;
            while let Some(id) = next.pop() {
                if id as usize == start {
                    wrong = Some("includes itself".to_owned());
                    break;
                }
                if !seen.insert(id) {
                    continue;
                }
                if all.len() == MOST_INCLUDED {
                    wrong = Some(format!("includes more than {MOST_INCLUDED} entities"));
                    break;
                }
                all.push(id);
                next.extend(&direct[id as usize]);
            }
            match wrong {
                None => self.code.entities[start].include = all,
                Some(wrong) => {
                    let id = &self.definitions.entities[start].id;
                    let message = format!("entity {} {wrong}", id.text);
                    self.report(
                        Problem::error(&id.file, id.span.clone(), message)
                            .with_hint("take a name out of include"),
                    );
                }
            }
        }
    }

    fn macros(&mut self) {
        let order = self.macro_order();
        // What stands in a circle matches nothing; the circle is reported.
        let nothing = self.op(Op::Or { first: 0, count: 0, gate: NONE, flat: false });
        self.in_circle = vec![true; self.definitions.macros.len()];
        for definition in &self.definitions.macros {
            let term = format!("${}", definition.id.text).into();
            self.code.macros.push(MacroCode { term, part: nothing, gate: NONE });
        }
        self.macro_sizes = vec![Size::default(); self.definitions.macros.len()];
        for index in order {
            self.macro_sizes[index] = self.size(&self.definitions.macros[index].query.node);
            self.in_circle[index] = false;
            let part = self.query(&self.definitions.macros[index].query, None);
            self.code.macros[index].part = part;
        }
    }

    /// The macros, each after those it uses; without those in a circle.
    fn macro_order(&self) -> Vec<usize> {
        let uses: Vec<Vec<usize>> = self
            .definitions
            .macros
            .iter()
            .map(|definition| {
                let mut names = Vec::new();
                macro_names(&definition.query.node, &mut names);
                let ids = names.iter().filter_map(|name| self.macro_ids.get(name.as_str()));
                ids.map(|id| *id as usize).collect()
            })
            .collect();
        let mut done = vec![false; uses.len()];
        let mut order = Vec::new();
        loop {
            let ready: Vec<usize> = (0..uses.len())
                .filter(|index| !done[*index] && uses[*index].iter().all(|used| done[*used]))
                .collect();
            if ready.is_empty() {
                break;
            }
            for index in ready {
                done[index] = true;
                order.push(index);
            }
        }
        for (index, definition) in self.definitions.macros.iter().enumerate() {
            if !done[index] {
                let source = &definition.query.source;
                self.report(source.error(
                    0..source.text.len(),
                    format!("macro {} uses itself, directly or through others", definition.id.text),
                ));
            }
        }
        order
    }

    // Rules.

    fn rule(&mut self, rule: &RuleSource) {
        let query = self.query(&rule.query, None);
        let exclude = rule.exclude.as_ref().map_or(NONE, |exclude| self.query(exclude, None));
        let escalate = rule
            .escalate
            .iter()
            .map(|(when, severity)| (self.query(when, None), *severity))
            .collect();
        if Clauses::new(&self.code, &self.costs).of(query).is_none() {
            self.report(
                rule.query
                    .source
                    .error(
                        rule.query.node.at.clone(),
                        "this query matches items that contain none of its terms",
                    )
                    .with_hint("NOT can only take away from something: Kremlin AND NOT Putin"),
            );
        }
        let number = u32::try_from(self.code.rules.len()).expect("there are fewer rules");
        if !rule.escalate.is_empty() {
            self.code.escalations.insert(number, escalate);
        }
        if rule.filter != Default::default() {
            self.code.filters.insert(number, rule.filter.clone());
        }
        self.code.rules.push(RuleCode { query, exclude });
    }

    fn query(&mut self, query: &Query, literal: Option<Company>) -> OpId {
        let size = self.size(&query.node);
        let too_much = if size.parts > MOST_PARTS {
            Some(format!("this comes to more than {MOST_PARTS} parts with its macros put in"))
        } else if size.depth > DEEPEST {
            Some(format!("this is more than {DEEPEST} parts deep with its macros put in"))
        } else {
            None
        };
        if let Some(message) = too_much {
            let problem = query.source.error(query.node.at.clone(), message);
            self.report(problem.with_hint("let macros use fewer macros"));
            return self.op(Op::Or { first: 0, count: 0, gate: NONE, flat: false });
        }
        if !matches!(literal, Some(Company::OfMany)) {
            self.check_macros(&query.node, &query.source, false, false);
        }
        self.node(&query.node, &query.source, literal)
    }

    /// How much a part comes to with its macros put in.
    fn size(&self, node: &Node) -> Size {
        let together = |parts: &mut dyn Iterator<Item = Size>| {
            parts.fold(Size::default(), |all, part| Size {
                parts: all.parts.saturating_add(part.parts),
                depth: all.depth.max(part.depth),
                condition: all.condition || part.condition,
                field: all.field || part.field,
            })
        };
        let inner = match &node.kind {
            NodeKind::Or(nodes) | NodeKind::And(nodes) | NodeKind::Count(_, nodes) => {
                together(&mut nodes.iter().map(|node| self.size(node)))
            }
            NodeKind::Not(part) | NodeKind::Field(_, part) => self.size(part),
            NodeKind::Near { left, right, .. } => {
                together(&mut [left, right].into_iter().map(|node| self.size(node)))
            }
            NodeKind::Macro(name) => {
                let id = self.macro_ids.get(name.as_str());
                id.and_then(|id| self.macro_sizes.get(*id as usize).copied()).unwrap_or_default()
            }
            NodeKind::Entity(_) | NodeKind::Term(_) => Size::default(),
        };
        let kind = &node.kind;
        let condition = matches!(kind, NodeKind::And(_) | NodeKind::Count(..) | NodeKind::Not(_));
        Size {
            parts: inner.parts.saturating_add(1),
            depth: inner.depth.saturating_add(1),
            condition: inner.condition || condition,
            field: inner.field || matches!(kind, NodeKind::Field(..)),
        }
    }

    /// Reports macros that bring into NEAR or a field what may not stand there.
    fn check_macros(&self, node: &Node, source: &Located, near: bool, field: bool) {
        let each = |nodes: &[Node], near| {
            nodes.iter().for_each(|node| self.check_macros(node, source, near, field));
        };
        match &node.kind {
            NodeKind::Or(nodes) | NodeKind::And(nodes) | NodeKind::Count(_, nodes) => {
                each(nodes, near);
            }
            NodeKind::Not(part) => self.check_macros(part, source, near, field),
            NodeKind::Field(_, part) => self.check_macros(part, source, near, true),
            NodeKind::Near { left, right, .. } => {
                self.check_macros(left, source, true, field);
                self.check_macros(right, source, true, field);
            }
            NodeKind::Macro(name) => {
                let size = self.size(node);
                let wrong = match (near && size.condition, field && size.field) {
                    (true, _) => "AND, NOT or n OF, which have no place inside NEAR or BEFORE",
                    (_, true) => "a field, which has no place inside a field",
                    _ => return,
                };
                let message = format!("the macro {name} holds {wrong}");
                let problem = source.error(node.at.clone(), message);
                self.report(problem.with_hint("move it outside, or use a macro of words alone"));
            }
            NodeKind::Entity(_) | NodeKind::Term(_) => {}
        }
    }

    /// The same macro as `needs` means it: its entities literal too.
    fn literal_macro(&mut self, id: u32) -> u32 {
        if let Some(literal) = self.literal_macros.get(&id) {
            return *literal;
        }
        let definition = &self.definitions.macros[id as usize];
        let part = self.query(&definition.query, Some(Company::OfMany));
        let term = self.code.macros[id as usize].term.clone();
        self.code.macros.push(MacroCode { term, part, gate: NONE });
        let literal = u32::try_from(self.code.macros.len() - 1).expect("files hold fewer macros");
        self.literal_macros.insert(id, literal);
        literal
    }

    fn op(&mut self, op: Op) -> OpId {
        if let Op::Atom(atom) = op {
            return atom | ATOM;
        }
        self.code.ops.push(op);
        u32::try_from(self.code.ops.len() - 1).expect("queries have fewer parts")
    }

    fn parts(&mut self, nodes: &[Node], source: &Located, literal: Option<Company>) -> (u32, u32) {
        let parts: Vec<OpId> = nodes.iter().map(|node| self.node(node, source, literal)).collect();
        let first = u32::try_from(self.code.children.len()).expect("queries have fewer parts");
        let count = u32::try_from(parts.len()).expect("queries have fewer parts");
        self.code.children.extend(parts);
        (first, count)
    }

    fn node(&mut self, node: &Node, source: &Located, literal: Option<Company>) -> OpId {
        let op = match &node.kind {
            NodeKind::Or(nodes) => {
                let (first, count) = self.parts(nodes, source, literal);
                let flat = self.code.list(first, count).iter().all(|part| part & ATOM != 0);
                Op::Or { first, count, gate: NONE, flat }
            }
            NodeKind::And(nodes) => {
                let (first, count) = self.parts(nodes, source, literal);
                Op::And { first, count }
            }
            NodeKind::Not(part) => Op::Not(self.node(part, source, literal)),
            NodeKind::Count(need, nodes) => {
                let (first, count) = self.parts(nodes, source, literal);
                Op::Count { need: *need, first, count }
            }
            NodeKind::Near { left, right, reach, ordered } => {
                let left = self.node(left, source, literal);
                let right = self.node(right, source, literal);
                let reach = match reach {
                    // A word counts two half-words.
                    Reach::Words(words) => words * 2,
                    Reach::Sentence => SENTENCE,
                };
                Op::Near { left, right, reach, ordered: *ordered }
            }
            NodeKind::Field(field, part) => {
                let mask = 1 << field_number(*field);
                self.code.all_fields |= mask & super::code::TEXT_FIELDS == 0;
                Op::Field { mask, part: self.node(part, source, literal) }
            }
            NodeKind::Term(term) => Op::Atom(self.atom(term, None)),
            NodeKind::Entity(name) => match self.entity_ids.get(name.as_str()) {
                Some(id) => match literal {
                    None => Op::Entity(*id),
                    Some(Company::Of(but)) => Op::Literal { entity: *id, but },
                    Some(Company::OfMany) => Op::Literal { entity: *id, but: NONE },
                },
                None => {
                    self.unknown(source, node.at.clone(), "entity", name);
                    Op::Or { first: 0, count: 0, gate: NONE, flat: false }
                }
            },
            NodeKind::Macro(name) => match self.macro_ids.get(name.as_str()) {
                Some(id) => {
                    if self.in_circle[*id as usize] {
                        Op::Or { first: 0, count: 0, gate: NONE, flat: false }
                    } else if literal.is_some() {
                        Op::Macro(self.literal_macro(*id))
                    } else {
                        Op::Macro(*id)
                    }
                }
                None => {
                    self.unknown(source, node.at.clone(), "macro", name);
                    Op::Or { first: 0, count: 0, gate: NONE, flat: false }
                }
            },
        };
        self.op(op)
    }

    fn unknown(&self, source: &Located, at: std::ops::Range<usize>, what: &str, name: &str) {
        let (mark, names): (_, Vec<&str>) = if what == "entity" {
            ("@", self.entity_ids.keys().copied().collect())
        } else {
            ("$", self.macro_ids.keys().copied().collect())
        };
        let problem = source.error(at, format!("there is no {what} {name}"));
        let hint = match nearest(name, names.into_iter()) {
            Some(near) => format!("did you mean {mark}{near}?"),
            None => format!("define it as [{what}.{name}]"),
        };
        self.report(problem.with_hint(hint));
    }

    // Terms.

    /// The atom of a term, new or known.
    fn atom(&mut self, term: &Term, language: Option<&str>) -> AtomId {
        let key = (term.clone(), language.map(str::to_owned));
        if let Some(atom) = self.atoms.get(&key) {
            return *atom;
        }
        let atom = u32::try_from(self.code.labels.len()).expect("rules have fewer terms");
        self.code.labels.push(term.to_string().into());
        let mut cost = u32::MAX;
        for sequence in self.sequences(term, language, atom) {
            cost = cost.min(self.cost(term, &sequence));
            self.extend_trie(&sequence, atom);
        }
        self.costs.push(cost.clamp(1, super::code::MOST_EXPECTED));
        self.atoms.insert(key, atom);
        atom
    }

    /// The sequences of classes that a term may stand as.
    fn sequences(
        &mut self,
        term: &Term,
        language: Option<&str>,
        atom: AtomId,
    ) -> Vec<Vec<ClassId>> {
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.read(&term.text);
        let all = tokens.all();
        let original =
            |index: usize| &term.text[all[index].start as usize..all[index].end as usize];
        let mut plain = Vec::new();
        for (index, token) in all.iter().enumerate() {
            let prefix = term.prefix && index + 1 == all.len();
            let form = tokens.form(token);
            plain.push(self.class(term, form, original(index), token.script, prefix, language));
        }
        let mut sequences = vec![plain];
        if language == Some("ko") && all.iter().all(|token| token.script == Script::Han) {
            self.code.hanja.insert(atom);
        }
        if term.style == Style::Verbatim {
            let words = (0..all.len()).map(|index| super::matcher::as_written(original(index)));
            self.code.verbatim.insert(atom, words.collect());
        } else {
            // dual-use, dual use and dualuse are one; so are Jong-un, Jong Un and Jongun.
            for joined in tokens.joined() {
                let (first, last) = (joined.first as usize, joined.last as usize);
                let prefix = term.prefix && last + 1 == all.len();
                let form = tokens.joined_form(joined);
                let class =
                    self.class(term, form, original(first), joined.script, prefix, language);
                let mut sequence = sequences[0].clone();
                sequence.splice(first..=last, [class]);
                sequences.push(sequence);
            }
            let glued = |range: std::ops::RangeInclusive<usize>| -> String {
                range.map(|index| tokens.form(&all[index])).collect()
            };
            let name =
                |index: usize| original(index).chars().next().is_some_and(char::is_uppercase);
            if all.len() == 3
                && tokens.joined().is_empty()
                && all.iter().all(|token| token.script == Script::Word && token.gap >= Gap::Space)
                && (0..3).all(name)
            {
                let class =
                    self.class(term, &glued(1..=2), original(1), Script::Word, false, language);
                sequences.push(vec![sequences[0][0], class]);
            }
            if all.len() > 1 && all.iter().all(|token| token.script == Script::Hangul) {
                let form = glued(0..=all.len() - 1);
                let class =
                    self.class(term, &form, original(0), Script::Hangul, term.prefix, language);
                sequences.push(vec![class]);
            }
        }
        self.tokens = tokens;
        sequences
    }

    fn class(
        &mut self,
        term: &Term,
        form: &str,
        original: &str,
        script: Script,
        prefix: bool,
        language: Option<&str>,
    ) -> ClassId {
        let as_it_is = matches!(term.style, Style::Exact | Style::Verbatim);
        let key = if prefix && script != Script::Han {
            ClassKey::Prefix(form.to_owned())
        } else if as_it_is || script == Script::Han {
            ClassKey::Exact(form.to_owned())
        } else {
            let name = original.chars().next().is_some_and(char::is_uppercase);
            let kind = if name { Kind::Name } else { Kind::Common };
            ClassKey::Inflected(form.to_owned(), kind, language.map(str::to_owned))
        };
        if let Some(class) = self.classes.get(&key) {
            return *class;
        }
        let class = u32::try_from(self.code.roots.len()).expect("rules have fewer words");
        self.code.roots.push(0);
        self.code.takes_particles.push(!as_it_is && !prefix && script == Script::Hangul);
        match &key {
            ClassKey::Prefix(text) => {
                let start: String = text.chars().take(prefix_key_length(text)).collect();
                let keys = &mut self.code.prefix_keys[usize::from(script == Script::Hangul)];
                keys[start.chars().count() - 1] = true;
                let prefix = Prefix { text: text.as_str().into(), class };
                if let Err(prefix) = self.code.ascii_prefixes.add(prefix) {
                    self.code.short_ascii_prefixes |= text.is_ascii();
                    self.code.prefixes.entry(start.into()).or_default().push(prefix);
                }
            }
            ClassKey::Exact(word) => self.add_word(word, class),
            ClassKey::Inflected(word, kind, language) => {
                for form in inflect::forms(word, *kind, language.as_deref()) {
                    self.add_word(&form, class);
                }
            }
        }
        self.classes.insert(key, class);
        class
    }

    fn add_word(&mut self, word: &str, class: ClassId) {
        self.code.words.add(word, class);
    }

    fn extend_trie(&mut self, sequence: &[ClassId], atom: AtomId) {
        let Some((first, rest)) = sequence.split_first() else { return };
        let mut node = self.code.roots[*first as usize];
        if node == 0 {
            node = self.new_node();
            self.code.roots[*first as usize] = node;
        }
        for class in rest {
            self.code.nodes[node as usize].goes_on = true;
            node = match self.code.edges.get(&(node, *class)) {
                Some(next) => *next,
                None => {
                    let next = self.new_node();
                    self.code.edges.insert((node, *class), next);
                    next
                }
            };
        }
        let ends = &mut self.ends[node as usize];
        if !ends.contains(&atom) {
            ends.push(atom);
        }
    }

    fn new_node(&mut self) -> NodeId {
        self.code.nodes.push(TrieNode::default());
        self.ends.push(Vec::new());
        u32::try_from(self.code.nodes.len() - 1).expect("rules have fewer phrases")
    }

    /// How often a term may be expected, roughly: long words and phrases are rare.
    fn cost(&self, term: &Term, sequence: &[ClassId]) -> u32 {
        let letters = u32::try_from(term.text.chars().count()).unwrap_or(u32::MAX).clamp(1, 16);
        let wide = if term.text.is_ascii() { 1 } else { 2 };
        let words = u32::try_from(sequence.len()).unwrap_or(u32::MAX).clamp(1, 8);
        let prefix = if term.prefix { 4 } else { 1 };
        (4096 * prefix / (letters * wide * letters * wide * words)).max(1)
    }

    /// Gives every part of many terms a gate.
    fn set_gates(&mut self) {
        let mut gates = Gates::default();
        let mut clauses = Clauses::new(&self.code, &self.code.expected);
        let mut gate = |clause: Option<Clause>| match clause {
            Some(clause) if clause.len() >= WORTH_A_GATE => gates.add(&clause),
            _ => NONE,
        };
        let number = |index: usize| u32::try_from(index).expect("rules have fewer parts");
        let of_ops: Vec<(usize, GateId)> = (0..self.code.ops.len())
            .filter(|op| matches!(self.code.ops[*op], Op::Or { .. }))
            .map(|op| (op, gate(clauses.of(number(op)))))
            .collect();
        let of_entities: Vec<GateId> = (0..self.code.entities.len())
            .map(|id| gate(Some(Clause::from_slice(&clauses.entity(number(id))))))
            .collect();
        let masked = (0..self.code.entities.len())
            .filter(|id| self.code.entities[*id].mask != NONE)
            .map(|id| {
                let mut not_in = self.code.entities[id].not_in.clone();
                not_in.sort_unstable();
                (number(id), not_in)
            })
            .collect::<Vec<_>>();
        let macros = self.code.macros.iter().map(|definition| definition.part);
        let of_macros: Vec<GateId> = macros.map(|part| gate(clauses.of(part))).collect();
        self.code.masked =
            masked.into_iter().map(|(id, not_in)| (id, gates.add(&not_in))).collect();
        for (op, found) in of_ops {
            if let Op::Or { gate, .. } = &mut self.code.ops[op] {
                *gate = found;
            }
        }
        for (entity, gate) in self.code.entities.iter_mut().zip(of_entities) {
            entity.gate = gate;
        }
        for (definition, gate) in self.code.macros.iter_mut().zip(of_macros) {
            definition.gate = gate;
        }
        self.code.gates = gates;
    }

    fn finish(mut self) -> Code {
        for (node, ends) in self.ends.iter().enumerate() {
            self.code.nodes[node].first_end = u32::try_from(self.code.ends.len()).unwrap_or(NONE);
            self.code.nodes[node].ends = u32::try_from(ends.len()).unwrap_or(NONE);
            self.code.ends.extend(ends);
        }
        self.code.expected = std::mem::take(&mut self.costs);
        self.code.checked = vec![0; self.code.labels.len().div_ceil(64)];
        for atom in self.code.verbatim.keys().chain(&self.code.hanja) {
            self.code.checked[*atom as usize / 64] |= 1 << (atom % 64);
        }
        self.set_gates();
        self.code.index = Index::build(&self.code, &self.code.expected);
        self.code.shrink();
        self.code
    }
}

/// How many letters of a prefix are its key.
pub(crate) fn prefix_key_length(text: &str) -> usize {
    text.chars().count().min(PREFIX_KEY)
}

/// The bit of a field in a mask.
pub(crate) fn field_number(field: Field) -> u8 {
    match field {
        Field::Title => 0,
        Field::Summary => 1,
        Field::Content => 2,
        Field::Author => 3,
        Field::Tag => 4,
        Field::Url => 5,
    }
}

/// A name as an entity writes it: a phrase, or `=…`, `'…'`, `…*`.
fn name_term(text: &str) -> Term {
    let text = text.trim();
    if let Some(verbatim) = text.strip_prefix('=') {
        let text = verbatim.trim_matches('"').to_owned();
        return Term { style: Style::Verbatim, text, prefix: false };
    }
    if let Some(exact) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return Term { style: Style::Exact, text: exact.to_owned(), prefix: false };
    }
    if let Some(prefix) = text.strip_suffix('*') {
        return Term { style: Style::Word, text: prefix.to_owned(), prefix: true };
    }
    Term { style: Style::Phrase, text: text.to_owned(), prefix: false }
}

fn macro_names(node: &Node, names: &mut Vec<String>) {
    match &node.kind {
        NodeKind::Macro(name) => names.push(name.clone()),
        NodeKind::Or(nodes) | NodeKind::And(nodes) | NodeKind::Count(_, nodes) => {
            nodes.iter().for_each(|node| macro_names(node, names));
        }
        NodeKind::Not(part) | NodeKind::Field(_, part) => macro_names(part, names),
        NodeKind::Near { left, right, .. } => {
            macro_names(left, names);
            macro_names(right, names);
        }
        NodeKind::Entity(_) | NodeKind::Term(_) => {}
    }
}
