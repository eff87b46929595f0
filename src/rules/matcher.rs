//! Matching: one pass over an item's tokens finds every term of every rule, the index names the
//! rules that may match, or which of their alternatives may hold, and only those are evaluated.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use unicode_normalization::UnicodeNormalization as _;

use super::code::{
    AtomId, ClassId, Code, EntityCode, GateId, NONE, NameCode, NodeId, Op, OpId, TEXT_FIELDS, TITLE,
};
use super::compile::{PREFIX_KEY, field_number};
use super::definitions::Filter;
use super::index::Case;
use super::near::{self, Covered, Reach};
use super::{Origin, RuleSet};
use crate::hit::{Match, Severity, Span};
use crate::item::{Field, Item};
use crate::text::inflect::korean;
use crate::text::{Gap, Joined, Script, Token, Tokens};

/// Places of terms that are kept of one item, at most. A text of 256 KiB that is nothing but terms
/// would have more; what is left out stands after tens of thousands of others.
const MOST_OCCURRENCES: usize = 1 << 16;
/// Places of one term that are kept of one item, at most: NEAR and company look at each place of
/// one term for each of another.
const MOST_OF_ONE: u16 = 512;
/// Spans of evidence of one hit, at most.
const MOST_SPANS: usize = 64;
/// Letters of a Hangul word in which terms are looked for.
const LONGEST_HANGUL: usize = 12;

/// An atom found at a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occurrence {
    pub(crate) atom: AtomId,
    pub(crate) place: Place,
    /// Bytes of the original field.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The occurrence of the same atom before this one, or [`NONE`].
    next: u32,
    /// How many of the same atom stand before this one.
    number: u16,
}

/// Where something stands, for NEAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) field: u8,
    /// The sentences of its first and last word.
    pub(crate) sentences: (u32, u32),
    /// In half-words: its first, and the one after its last.
    pub(crate) at: u32,
    pub(crate) until: u32,
}

/// Which occurrences count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    mask: u8,
    sentence: Option<(u8, u32)>,
}

impl Scope {
    /// Title, summary and content.
    pub(crate) const ITEM: Scope = Scope { mask: TEXT_FIELDS, sentence: None };

    /// Every field.
    const EVERYWHERE: Scope = Scope { mask: u8::MAX, sentence: None };

    pub(crate) fn fields(self, mask: u8) -> Scope {
        Scope { mask, ..self }
    }

    fn holds(self, place: &Place) -> bool {
        self.mask & (1 << place.field) != 0
            && self.sentence.is_none_or(|(field, sentence)| {
                place.field == field && place.sentences == (sentence, sentence)
            })
    }
}

/// Matches items against a [`RuleSet`]; holds the memory that one item needs, to be used again.
#[derive(Debug)]
pub struct Matcher<'r> {
    rules: &'r RuleSet,
    pub(crate) scan: Scan,
    candidates: Vec<Case>,
    evidence: Vec<Evidence<'r>>,
    /// The item at which each case was last a candidate.
    seen: Vec<u32>,
}

/// What was found in one item.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    tokens: Tokens,
    /// The classes of each token, one after the other, and where each token's start.
    classes: Vec<ClassId>,
    starts: Vec<u32>,
    pub(crate) occurrences: Vec<Occurrence>,
    /// The last occurrence of each atom that is present.
    heads: Vec<u32>,
    /// The atoms that occur.
    found: Vec<AtomId>,
    /// The same as a bit an atom: small enough to stay in the fastest memory.
    present: Vec<u64>,
    /// Those that occur in the title, of which most rules ask.
    in_title: Vec<u64>,
    epoch: u32,
    /// Whether each entity and macro holds anywhere in the item, and in which item that was so.
    entities: Vec<(u32, bool)>,
    macros: Vec<(u32, bool)>,
    /// The same within fields and sentences of this item, for entities and macros by their
    /// operation, and for the needs of ambiguous names.
    scoped: FxHashMap<(Asked, Scope), bool>,
    /// What the longer names of an entity cover in this item: fields and bytes, sorted, each with
    /// the farthest end of those before it.
    masks: Vec<Vec<(u8, u32, u32)>>,
    /// Memory for the places of the two sides of a NEAR.
    sides: Vec<(Vec<Place>, Vec<Place>)>,
}

/// A field that is being read.
struct Reading<'a> {
    code: &'a Code,
    tokens: &'a Tokens,
    text: &'a str,
    field: u8,
}

/// What is remembered of an item once it was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    Entity(u32),
    Macro(u32),
    Needs(OpId),
}

/// The form in which words that must stand as written are compared: stops of acronyms, invisible
/// marks and how a character is composed do not count.
pub(crate) fn as_written(text: &str) -> Box<str> {
    let kept =
        |c: &char| *c != '.' && !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}');
    if text.is_ascii() {
        return text.chars().filter(kept).collect::<String>().into();
    }
    text.chars().filter(kept).nfkc().filter(kept).collect::<String>().into()
}

impl<'r> Matcher<'r> {
    pub(crate) fn new(rules: &'r RuleSet) -> Self {
        let code = &rules.code;
        Self {
            rules,
            scan: Scan {
                heads: vec![NONE; code.labels.len()],
                present: vec![0; code.labels.len().div_ceil(64)],
                in_title: vec![0; code.labels.len().div_ceil(64)],
                entities: vec![(0, false); code.entities.len()],
                macros: vec![(0, false); code.macros.len()],
                masks: vec![Vec::new(); code.masks as usize],
                ..Scan::default()
            },
            candidates: Vec::new(),
            evidence: Vec::new(),
            seen: vec![0; code.index.cases(code)],
        }
    }

    /// The atoms that occur in `item`.
    pub(crate) fn atoms(&mut self, item: &Item) -> &[AtomId] {
        self.scan.read(&self.rules.code, item);
        &self.scan.found
    }

    /// The rules that match `item`, in the order of the rule set, with their evidence.
    pub fn matches(&mut self, item: &Item, origin: Origin<'_>) -> Vec<Match> {
        let code = &self.rules.code;
        self.scan.read(code, item);
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let scan = &self.scan;
        for atom in &scan.found {
            for posting in code.index.postings(*atom) {
                // The guard first: its bits are at hand, what was seen is far away.
                let present = |in_title| scan.occurring(in_title);
                if !code.index.passes(&code.gates, *posting, *atom, present) {
                    continue;
                }
                let seen = &mut self.seen[posting.case() as usize];
                if *seen != scan.epoch {
                    *seen = scan.epoch;
                    candidates.push(code.index.case(code, posting.case()));
                }
            }
        }
        candidates.sort_unstable();
        let of_rules = candidates.chunk_by(|a, b| a.rule == b.rule);
        let matches = of_rules.filter_map(|cases| self.evaluate(cases, item, origin)).collect();
        self.candidates = candidates;
        matches
    }

    /// Whether a rule matches of which these cases may hold and no others.
    fn evaluate(&mut self, cases: &[Case], item: &Item, origin: Origin<'_>) -> Option<Match> {
        let code = &self.rules.code;
        let rule = cases[0].rule;
        if let Some(filter) = code.filters.get(&rule)
            && !passes(filter, item, origin)
        {
            return None;
        }
        let scan = &mut self.scan;
        let first = cases.iter().position(|case| scan.truth(code, case.part, Scope::ITEM))?;
        let exclude = code.rules[rule as usize].exclude;
        if exclude != NONE && scan.truth(code, exclude, Scope::ITEM) {
            return None;
        }
        let own = self.rules.rules[rule as usize].severity;
        let severity = code
            .escalations
            .get(&rule)
            .into_iter()
            .flatten()
            .filter(|(when, _)| scan.truth(code, *when, Scope::ITEM))
            .map(|(_, severity)| *severity)
            .fold(own, Severity::max);
        self.evidence.clear();
        for Case { part, .. } in &cases[first..] {
            scan.evidence_where_true(code, *part, Scope::ITEM, &Label::Own, &mut self.evidence);
        }
        Some(Match {
            rule: rule as usize,
            severity,
            spans: spans(code, scan, item, &self.evidence),
        })
    }
}

/// Whether the filters of a rule let an item through. What is unknown passes: a missed item is
/// worse than one too many.
pub(crate) fn passes(filter: &Filter, item: &Item, origin: Origin<'_>) -> bool {
    let lang = item.lang.as_deref().map(|lang| lang.split(['-', '_']).next().unwrap_or(lang));
    let allowed = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_none_or(|value| list.iter().any(|allowed| allowed == value))
    };
    let feed = (!origin.feed.is_empty()).then_some(origin.feed);
    allowed(&filter.langs, lang)
        && allowed(&filter.feeds, feed)
        && allowed(&filter.regions, origin.region)
        && !filter.exclude_feeds.iter().any(|excluded| Some(excluded.as_str()) == feed)
}

/// Why a name that stands in an item does not count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rejected {
    /// It stands inside that longer name.
    Inside(u32),
    /// It lacks the company that it needs: of this entity, in this place among its ambiguous names.
    Alone { entity: u32, block: usize },
}

/// How evidence calls what it found.
#[derive(Debug, Clone)]
pub(crate) enum Label<'c> {
    /// As the atom is written.
    Own,
    /// A name of an entity, or a term of a macro: the term of the rule, and the alias.
    Part(&'c Arc<str>, Option<&'c Arc<str>>),
}

/// An occurrence as evidence.
#[derive(Debug)]
pub(crate) struct Evidence<'c> {
    pub(crate) occurrence: u32,
    label: Label<'c>,
}

/// Evidence as spans of the original text, in the order of the text.
pub(crate) fn spans(code: &Code, scan: &Scan, item: &Item, evidence: &[Evidence<'_>]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(evidence.len().min(MOST_SPANS));
    for &Evidence { occurrence, ref label } in evidence {
        let found = &scan.occurrences[occurrence as usize];
        let field = Field::ALL[found.place.field as usize];
        let text = field_text(item, field);
        let written = &code.labels[found.atom as usize];
        let (term, alias) = match label {
            Label::Own => (written.clone(), None),
            Label::Part(term, alias) => {
                (Arc::clone(term), Some(Arc::clone(alias.unwrap_or(written))))
            }
        };
        let (start, end) = (found.start as usize, found.end as usize);
        let before = text[..start].chars().count() as u32;
        let inside = text[start..end].chars().count() as u32;
        let place = (field, before, before + inside);
        let known = |span: &Span| {
            (span.field, span.start, span.end) == place && span.term == term && span.alias == alias
        };
        if !spans.iter().any(known) {
            let (field, start_at, end_at) = place;
            let text = text[start..end].to_owned();
            spans.push(Span { field, start: start_at, end: end_at, text, term, alias });
        }
        if spans.len() == MOST_SPANS {
            break;
        }
    }
    spans.sort_by(|a, b| {
        (a.field, a.start, a.end, &a.term).cmp(&(b.field, b.start, b.end, &b.term))
    });
    spans
}

/// A field as one text.
pub(crate) fn field_text(item: &Item, field: Field) -> std::borrow::Cow<'_, str> {
    match field {
        Field::Title => item.title.as_str().into(),
        Field::Summary => item.summary.as_str().into(),
        Field::Content => item.content.as_str().into(),
        Field::Author => item.authors.join("\n").into(),
        Field::Tag => item.tags.join("\n").into(),
        Field::Url => item.link.as_deref().unwrap_or_default().into(),
    }
}

impl Scan {
    /// Finds every atom in an item.
    pub(crate) fn read(&mut self, code: &Code, item: &Item) {
        self.occurrences.clear();
        for atom in self.found.drain(..) {
            self.present[atom as usize / 64] = 0;
            self.in_title[atom as usize / 64] = 0;
        }
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            // After four thousand million items old marks could look new.
            self.entities.fill((0, false));
            self.macros.fill((0, false));
            self.epoch = 1;
        }
        let fields = if code.all_fields { &Field::ALL[..] } else { &Field::ALL[..3] };
        for field in fields {
            let text = field_text(item, *field);
            if !text.is_empty() {
                self.read_field(code, field_number(*field), &text);
            }
        }
        self.scoped.clear();
        if code.masks > 0 {
            self.read_masks(code);
        }
    }

    /// Finds out where the longer names stand in which names of entities do not count.
    fn read_masks(&mut self, code: &Code) {
        for (entity, gate) in &code.masked {
            let entity = &code.entities[*entity as usize];
            self.masks[entity.mask as usize].clear();
            if !code.gates.open(*gate, &self.present) {
                continue;
            }
            let mut mask = std::mem::take(&mut self.masks[entity.mask as usize]);
            for longer in &entity.not_in {
                mask.extend(self.each(*longer, Scope::EVERYWHERE).map(|index| {
                    let found = &self.occurrences[index as usize];
                    (found.place.field, found.start, found.end)
                }));
            }
            mask.sort_unstable();
            for index in 1..mask.len() {
                let before = mask[index - 1];
                if before.0 == mask[index].0 {
                    mask[index].2 = mask[index].2.max(before.2);
                }
            }
            self.masks[entity.mask as usize] = mask;
        }
    }

    fn read_field(&mut self, code: &Code, field: u8, text: &str) {
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.read(text);
        self.look_up(code, &tokens);
        let reading = Reading { code, tokens: &tokens, text, field };
        let mut joined = tokens.joined();
        for first in 0..tokens.all().len() {
            let (from, to) = (self.starts[first] as usize, self.starts[first + 1] as usize);
            for index in from..to {
                let root = code.roots[self.classes[index] as usize];
                self.walk(&reading, root, first, first);
            }
            while let Some((word, rest)) = joined.split_first()
                && word.first as usize == first
            {
                for class in joined_classes(code, &tokens, word) {
                    self.walk(&reading, code.roots[class as usize], first, word.last as usize);
                }
                joined = rest;
            }
        }
        self.tokens = tokens;
    }

    /// The classes of every token: what each word may be for a phrase.
    fn look_up(&mut self, code: &Code, tokens: &Tokens) {
        self.classes.clear();
        self.starts.clear();
        let prefixes = code.prefix_keys[0].contains(&true);
        for token in tokens.all() {
            self.starts.push(self.classes.len() as u32);
            let form = tokens.form(token);
            self.classes.extend_from_slice(code.words.classes(form));
            if token.script == Script::Hangul {
                hangul_classes(code, form, |class| self.classes.push(class));
            }
            match token.script {
                Script::Word if prefixes => self.look_up_prefixes(code, form, code.prefix_keys[0]),
                Script::Hangul => self.look_up_prefixes(code, form, code.prefix_keys[1]),
                Script::Word | Script::Han => {}
            }
        }
        self.starts.push(self.classes.len() as u32);
    }

    /// Adds the prefixes that a word starts with; `keys` says how many letters their keys have.
    fn look_up_prefixes(&mut self, code: &Code, form: &str, keys: [bool; PREFIX_KEY]) {
        if let Some(prefixes) = code.ascii_prefixes.of(form) {
            let starting = prefixes.iter().filter(|prefix| form.starts_with(&*prefix.text));
            self.classes.extend(starting.map(|prefix| prefix.class));
            if !code.short_ascii_prefixes {
                return;
            }
        }
        let mut end = 0;
        for (number, is_key) in keys.into_iter().enumerate() {
            let Some(letter) = form[end..].chars().next() else { return };
            end += letter.len_utf8();
            if !is_key {
                continue;
            }
            let key = &form[..end];
            for prefix in code.prefixes.get(key).into_iter().flatten() {
                // A key shorter than PREFIX_KEY is a whole prefix.
                if (number + 1 == PREFIX_KEY || prefix.text.len() == key.len())
                    && form.starts_with(&*prefix.text)
                {
                    self.classes.push(prefix.class);
                }
            }
        }
    }

    /// Takes in what ends at a state of the trie that was reached with the tokens `first` to `last`,
    /// and follows the trie from there.
    #[inline(always)]
    fn walk(&mut self, reading: &Reading<'_>, node: NodeId, first: usize, last: usize) {
        let state = reading.code.nodes[node as usize];
        let ends = state.first_end as usize..(state.first_end + state.ends) as usize;
        for atom in &reading.code.ends[ends] {
            self.found_atom(reading, *atom, first, last);
        }
        if state.goes_on {
            self.walk_on(reading, node, first, last);
        }
    }

    fn walk_on(&mut self, reading: &Reading<'_>, node: NodeId, first: usize, last: usize) {
        let Reading { code, tokens, .. } = *reading;
        let next = last + 1;
        let Some(there) = tokens.all().get(next) else { return };
        let here = &tokens.all()[last];
        let widest = if here.script == Script::Han && there.script == Script::Han {
            Gap::Joint
        } else {
            Gap::Space
        };
        if there.gap > widest || there.sentence != here.sentence {
            return;
        }
        for index in self.starts[next] as usize..self.starts[next + 1] as usize {
            if let Some(on) = code.edges.get(&(node, self.classes[index])) {
                self.walk(reading, *on, first, next);
            }
        }
        for joined in tokens.joined_from(next) {
            for class in joined_classes(code, tokens, joined) {
                if let Some(on) = code.edges.get(&(node, class)) {
                    self.walk(reading, *on, first, joined.last as usize);
                }
            }
        }
    }

    fn found_atom(&mut self, reading: &Reading<'_>, atom: AtomId, first: usize, last: usize) {
        let Reading { code, tokens, text, field } = *reading;
        let all = tokens.all();
        if code.checked[atom as usize / 64] & (1 << (atom % 64)) != 0
            && !stands_as_it_must(code, all, text, atom, (first, last), tokens.has_hangul())
        {
            return;
        }
        // That a term occurs is never forgotten, however many others do.
        if self.occurrences.len() >= MOST_OCCURRENCES && self.occurs(atom) {
            return;
        }
        let place = Place {
            field,
            sentences: (all[first].sentence, all[last].sentence),
            at: all[first].at,
            until: all[last].until(),
        };
        let (mut number, mut next) = (0, NONE);
        let present = &mut self.present[atom as usize / 64];
        if *present & (1 << (atom % 64)) == 0 {
            *present |= 1 << (atom % 64);
            self.found.push(atom);
            // The title is read first: what stands there is first found there.
            if field == TITLE {
                self.in_title[atom as usize / 64] |= 1 << (atom % 64);
            }
        } else {
            next = self.heads[atom as usize];
            let before = &self.occurrences[next as usize];
            number = before.number + 1;
            if before.place == place || number == MOST_OF_ONE {
                return;
            }
        }
        let (start, end) = (all[first].start, all[last].end);
        self.heads[atom as usize] = self.occurrences.len() as u32;
        self.occurrences.push(Occurrence { atom, place, start, end, next, number });
    }

    pub(crate) fn occurs(&self, atom: AtomId) -> bool {
        self.present[atom as usize / 64] & (1 << (atom % 64)) != 0
    }

    /// The bits of the atoms that occur, or of those in the title.
    fn occurring(&self, in_title: bool) -> &[u64] {
        if in_title { &self.in_title } else { &self.present }
    }

    /// Whether an atom may occur within a scope: it does not when this is false.
    fn occurs_in(&self, atom: AtomId, scope: Scope) -> bool {
        self.bits(scope)[atom as usize / 64] & (1 << (atom % 64)) != 0
    }

    /// The bits of the atoms that occur within a scope, or of some more.
    fn bits(&self, scope: Scope) -> &[u64] {
        self.occurring(scope.mask == 1 << TITLE)
    }

    /// Whether a gate lets through what stands within a scope: there is no field inside a field.
    fn open(&self, code: &Code, gate: GateId, scope: Scope) -> bool {
        code.gates.open(gate, self.bits(scope))
    }

    /// The occurrences of an atom within a scope, newest first.
    fn each(&self, atom: AtomId, scope: Scope) -> impl Iterator<Item = u32> + '_ {
        let mut next = if self.occurs_in(atom, scope) { self.heads[atom as usize] } else { NONE };
        std::iter::from_fn(move || {
            while next != NONE {
                let index = next;
                let found = &self.occurrences[index as usize];
                next = found.next;
                if scope.holds(&found.place) {
                    return Some(index);
                }
            }
            None
        })
    }

    /// Whether a part of a query holds.
    pub(crate) fn truth(&mut self, code: &Code, part: OpId, scope: Scope) -> bool {
        match code.op(part) {
            Op::Atom(atom) => {
                self.occurs_in(atom, scope)
                    && (scope == Scope::ITEM && !code.all_fields
                        || self.each(atom, scope).next().is_some())
            }
            Op::Or { gate, flat: true, .. } if gate != NONE => {
                if scope == Scope::ITEM && !code.all_fields {
                    return self.open(code, gate, scope);
                }
                let mut atoms = code.gates.present(gate, self.bits(scope));
                atoms.any(|atom| self.each(atom, scope).next().is_some())
            }
            Op::Or { first, count, gate, .. } => {
                self.open(code, gate, scope)
                    && code.list(first, count).iter().any(|part| self.truth(code, *part, scope))
            }
            Op::And { first, count } => {
                code.list(first, count).iter().all(|part| self.truth(code, *part, scope))
            }
            Op::Not(part) => !self.truth(code, part, scope),
            Op::Count { need, first, count } => {
                let parts = code.list(first, count).iter();
                parts.filter(|part| self.truth(code, **part, scope)).count() >= need as usize
            }
            Op::Field { mask, part } => self.truth(code, part, scope.fields(mask)),
            Op::Near { left, right, reach, ordered } => {
                if !self.may_stand(code, left, scope) || !self.may_stand(code, right, scope) {
                    return false;
                }
                let mut sides = self.sides.pop().unwrap_or_default();
                self.places(code, left, scope, &mut sides.0);
                if !sides.0.is_empty() {
                    self.places(code, right, scope, &mut sides.1);
                }
                let truth = near::meet(&sides.0, &sides.1, Reach { half_words: reach, ordered });
                sides.0.clear();
                sides.1.clear();
                self.sides.push(sides);
                truth
            }
            Op::Literal { entity, but } => self.literal_truth(code, entity, but, scope),
            Op::Entity(entity) => {
                if !self.open(code, code.entities[entity as usize].gate, scope) {
                    return false;
                }
                if scope != Scope::ITEM {
                    return self.once(Asked::Entity(entity), scope, |scan| {
                        scan.entity_truth(code, entity, scope)
                    });
                }
                let known = self.entities[entity as usize];
                if known.0 == self.epoch {
                    return known.1;
                }
                let truth = self.entity_truth(code, entity, scope);
                self.entities[entity as usize] = (self.epoch, truth);
                truth
            }
            Op::Macro(definition) => {
                if !self.open(code, code.macros[definition as usize].gate, scope) {
                    return false;
                }
                let part = code.macros[definition as usize].part;
                if scope != Scope::ITEM {
                    return self.once(Asked::Macro(definition), scope, |scan| {
                        scan.truth(code, part, scope)
                    });
                }
                let known = self.macros[definition as usize];
                if known.0 == self.epoch {
                    return known.1;
                }
                let truth = self.truth(code, part, scope);
                self.macros[definition as usize] = (self.epoch, truth);
                truth
            }
        }
    }

    /// What was found out of this item before, or is now.
    fn once(
        &mut self,
        asked: Asked,
        scope: Scope,
        find_out: impl FnOnce(&mut Self) -> bool,
    ) -> bool {
        if let Some(known) = self.scoped.get(&(asked, scope)) {
            return *known;
        }
        let truth = find_out(self);
        self.scoped.insert((asked, scope), truth);
        truth
    }

    /// The occurrences of a name of an entity within a scope, but for those inside a longer name
    /// that is no name of the entity.
    fn each_name<'a>(
        &'a self,
        entity: &'a EntityCode,
        name: AtomId,
        scope: Scope,
    ) -> impl Iterator<Item = u32> + 'a {
        let mask: &[(u8, u32, u32)] =
            if entity.mask == NONE { &[] } else { &self.masks[entity.mask as usize] };
        self.each(name, scope).filter(move |index| {
            let name = &self.occurrences[*index as usize];
            let place = (name.place.field, name.start);
            let after = mask.partition_point(|longer| (longer.0, longer.1) <= place);
            !(after > 0 && mask[after - 1].0 == place.0 && name.end <= mask[after - 1].2)
        })
    }

    /// An entity and all that it includes, with their numbers; those left out of which no name
    /// occurs within the scope.
    fn members<'a>(
        &'a self,
        code: &'a Code,
        entity: u32,
        scope: Scope,
    ) -> impl Iterator<Item = (u32, &'a EntityCode)> + 'a {
        let included = code.entities[entity as usize].include.iter().copied();
        std::iter::once(entity)
            .chain(included)
            .map(|id| (id, &code.entities[id as usize]))
            .filter(move |(_, entity)| self.open(code, entity.gate, scope))
    }

    /// The names of an entity and of what it includes that stand within a scope and do not count.
    pub(crate) fn rejected(
        &mut self,
        code: &Code,
        entity: u32,
        scope: Scope,
    ) -> Vec<(u32, Rejected)> {
        let mut rejected = Vec::new();
        let members: SmallVec<[u32; 8]> =
            self.members(code, entity, scope).map(|(id, _)| id).collect();
        for id in members {
            let entity = &code.entities[id as usize];
            let blocks = entity.ambiguous.iter().flat_map(|block| &block.names);
            for name in entity.names.iter().chain(blocks) {
                let counts: Vec<u32> = self.each_name(entity, name.atom, scope).collect();
                for index in self.each(name.atom, scope).filter(|index| !counts.contains(index)) {
                    let name = &self.occurrences[index as usize];
                    let longer = entity.not_in.iter().find_map(|longer| {
                        self.each(*longer, Scope::EVERYWHERE).find(|longer| {
                            let longer = &self.occurrences[*longer as usize];
                            longer.place.field == name.place.field
                                && longer.start <= name.start
                                && name.end <= longer.end
                        })
                    });
                    rejected.extend(longer.map(|longer| (index, Rejected::Inside(longer))));
                }
            }
            for (block, names) in entity.ambiguous.iter().enumerate() {
                for name in &names.names {
                    let alone: Vec<u32> = self.each_name(entity, name.atom, scope).collect();
                    let why = Rejected::Alone { entity: id, block };
                    rejected.extend(alone.into_iter().map(|index| (index, why)));
                }
            }
        }
        rejected
    }

    /// Whether two parts stand near each other.
    pub(crate) fn are_near(
        &mut self,
        code: &Code,
        left: OpId,
        right: OpId,
        reach: Reach,
        scope: Scope,
    ) -> bool {
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        self.places(code, left, scope, &mut lefts);
        self.places(code, right, scope, &mut rights);
        !near::spans(lefts, rights, reach).is_empty()
    }

    fn literal_truth(&self, code: &Code, entity: u32, but: u32, scope: Scope) -> bool {
        self.open(code, code.entities[entity as usize].gate, scope)
            && self.members(code, entity, scope).any(|(id, entity)| {
                let blocks = entity.ambiguous.iter().flat_map(|block| &block.names);
                let mut names = entity.names.iter().chain(blocks);
                id != but
                    && names.any(|name| self.each_name(entity, name.atom, scope).next().is_some())
            })
    }

    fn entity_truth(&mut self, code: &Code, entity: u32, scope: Scope) -> bool {
        let members: SmallVec<[u32; 8]> =
            self.members(code, entity, scope).map(|(id, _)| id).collect();
        members.into_iter().any(|id| {
            let entity = &code.entities[id as usize];
            let counts =
                |name: &NameCode| self.each_name(entity, name.atom, scope).next().is_some();
            entity.names.present(self.bits(scope)).any(counts)
                || self.in_company(code, entity, scope, &mut |_, _, _| true)
        })
    }

    /// Calls `found` with each occurrence of an ambiguous name that has the company it needs,
    /// until that returns true; returns whether it did.
    fn in_company<'c>(
        &mut self,
        code: &'c Code,
        entity: &'c EntityCode,
        scope: Scope,
        found: &mut dyn FnMut(&Scan, u32, &'c Arc<str>) -> bool,
    ) -> bool {
        for block in &entity.ambiguous {
            for name in &block.names {
                if !self.occurs_in(name.atom, scope) {
                    continue;
                }
                let occurrences: SmallVec<[u32; 8]> =
                    self.each_name(entity, name.atom, scope).collect();
                for occurrence in occurrences {
                    let place = self.occurrences[occurrence as usize].place;
                    let within = if block.same_sentence {
                        let sentence = Some((place.field, place.sentences.0));
                        Scope { sentence, ..Scope::ITEM.fields(1 << place.field) }
                    } else {
                        Scope::ITEM
                    };
                    let holds = self.once(Asked::Needs(block.needs), within, |scan| {
                        scan.truth(code, block.needs, within)
                    });
                    if holds && found(self, occurrence, &name.alias) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whether a part may stand within a scope, by a look at what must occur for that.
    fn may_stand(&self, code: &Code, part: OpId, scope: Scope) -> bool {
        match code.op(part) {
            Op::Atom(atom) => self.occurs_in(atom, scope),
            Op::Or { first, count, gate: NONE, .. } => {
                code.list(first, count).iter().any(|part| self.may_stand(code, *part, scope))
            }
            Op::Or { gate, .. } => self.open(code, gate, scope),
            Op::Entity(entity) | Op::Literal { entity, .. } => {
                self.open(code, code.entities[entity as usize].gate, scope)
            }
            Op::Macro(definition) => self.open(code, code.macros[definition as usize].gate, scope),
            Op::Field { mask, part } => self.may_stand(code, part, scope.fields(mask)),
            Op::Near { left, right, .. } => {
                self.may_stand(code, left, scope) && self.may_stand(code, right, scope)
            }
            Op::And { .. } | Op::Not(_) | Op::Count { .. } => true,
        }
    }

    /// The places at which a part of NEAR stands.
    fn places(&mut self, code: &Code, part: OpId, scope: Scope, places: &mut Vec<Place>) {
        match code.op(part) {
            Op::Atom(atom) => {
                places.extend(
                    self.each(atom, scope).map(|index| self.occurrences[index as usize].place),
                );
            }
            Op::Or { gate, flat: true, .. } if gate != NONE => {
                for atom in code.gates.present(gate, self.bits(scope)) {
                    let found = self.each(atom, scope);
                    places.extend(found.map(|index| self.occurrences[index as usize].place));
                }
            }
            Op::Or { first, count, gate, .. } => {
                if self.open(code, gate, scope) {
                    for part in code.list(first, count) {
                        self.places(code, *part, scope, places);
                    }
                }
            }
            Op::Field { mask, part } => self.places(code, part, scope.fields(mask), places),
            Op::Macro(definition) => {
                let definition = &code.macros[definition as usize];
                if self.open(code, definition.gate, scope) {
                    self.places(code, definition.part, scope, places);
                }
            }
            Op::Entity(entity) => self.entity_places(code, entity, scope, places),
            Op::Literal { entity, but } => {
                for (_, entity) in self.members(code, entity, scope).filter(|(id, _)| *id != but) {
                    let blocks = entity.ambiguous.iter().flat_map(|block| &block.names);
                    for name in entity.names.iter().chain(blocks) {
                        places.extend(
                            self.each_name(entity, name.atom, scope)
                                .map(|index| self.occurrences[index as usize].place),
                        );
                    }
                }
            }
            Op::Near { left, right, reach, ordered } => {
                let (mut lefts, mut rights) = (Vec::new(), Vec::new());
                self.places(code, left, scope, &mut lefts);
                if !lefts.is_empty() {
                    self.places(code, right, scope, &mut rights);
                }
                places.extend(near::spans(lefts, rights, Reach { half_words: reach, ordered }));
            }
            // The parser keeps conditions out of NEAR, but a macro can bring one in: then it has
            // the places of its parts, where it holds.
            Op::And { first, count } | Op::Count { first, count, .. } => {
                if self.truth(code, part, scope) {
                    for part in code.list(first, count) {
                        self.places(code, *part, scope, places);
                    }
                }
            }
            Op::Not(_) => {}
        }
    }

    fn entity_places(&mut self, code: &Code, entity: u32, scope: Scope, places: &mut Vec<Place>) {
        if !self.open(code, code.entities[entity as usize].gate, scope) {
            return;
        }
        let members: SmallVec<[u32; 8]> =
            self.members(code, entity, scope).map(|(id, _)| id).collect();
        for id in members {
            let entity = &code.entities[id as usize];
            for name in entity.names.present(self.bits(scope)) {
                places.extend(
                    self.each_name(entity, name.atom, scope)
                        .map(|index| self.occurrences[index as usize].place),
                );
            }
            self.in_company(code, entity, scope, &mut |scan, occurrence, _| {
                places.push(scan.occurrences[occurrence as usize].place);
                false
            });
        }
    }

    /// What made a part of a query hold. Parts that do not hold, and NOT, give nothing.
    pub(crate) fn evidence<'c>(
        &mut self,
        code: &'c Code,
        part: OpId,
        scope: Scope,
        label: &Label<'c>,
        out: &mut Vec<Evidence<'c>>,
    ) {
        match code.op(part) {
            Op::Atom(atom) => {
                let label = label.clone();
                out.extend(
                    self.each(atom, scope)
                        .map(|occurrence| Evidence { occurrence, label: label.clone() }),
                );
            }
            Op::Or { gate, .. } if !self.open(code, gate, scope) => {}
            Op::Or { gate, flat: true, .. } if gate != NONE => {
                for atom in code.gates.present(gate, self.bits(scope)) {
                    let found = self.each(atom, scope);
                    out.extend(found.map(|at| Evidence { occurrence: at, label: label.clone() }));
                }
            }
            Op::Or { first, count, .. }
            | Op::And { first, count }
            | Op::Count { first, count, .. } => {
                for part in code.list(first, count) {
                    self.evidence_where_true(code, *part, scope, label, out);
                }
            }
            Op::Not(_) => {}
            Op::Field { mask, part } => self.evidence(code, part, scope.fields(mask), label, out),
            Op::Entity(entity) => self.entity_evidence(code, entity, scope, label, out),
            Op::Literal { .. } => {}
            Op::Macro(definition) => {
                let definition = &code.macros[definition as usize];
                let inner = match label {
                    Label::Own => Label::Part(&definition.term, None),
                    outer => outer.clone(),
                };
                self.evidence(code, definition.part, scope, &inner, out);
            }
            Op::Near { left, right, reach, ordered } => {
                if !self.may_stand(code, left, scope) || !self.may_stand(code, right, scope) {
                    return;
                }
                let (mut lefts, mut rights) = (Vec::new(), Vec::new());
                self.places(code, left, scope, &mut lefts);
                self.places(code, right, scope, &mut rights);
                let reach = Reach { half_words: reach, ordered };
                let (good_lefts, good_rights) = near::partners(lefts, rights, reach);
                for (part, good) in [(left, good_lefts), (right, good_rights)] {
                    let good = Covered::by(good);
                    let mut found = Vec::new();
                    self.evidence(code, part, scope, label, &mut found);
                    found.retain(|evidence| {
                        good.covers(&self.occurrences[evidence.occurrence as usize].place)
                    });
                    out.append(&mut found);
                }
            }
        }
    }

    /// The same of a part that need not hold; most give nothing then by themselves.
    fn evidence_where_true<'c>(
        &mut self,
        code: &'c Code,
        part: OpId,
        scope: Scope,
        label: &Label<'c>,
        out: &mut Vec<Evidence<'c>>,
    ) {
        if !code.is_condition(part) || self.truth(code, part, scope) {
            self.evidence(code, part, scope, label, out);
        }
    }

    fn entity_evidence<'c>(
        &mut self,
        code: &'c Code,
        entity: u32,
        scope: Scope,
        label: &Label<'c>,
        out: &mut Vec<Evidence<'c>>,
    ) {
        // An included entity's name is evidence for the one that the rule names.
        let own = &code.entities[entity as usize].term;
        let named = |alias: &'c Arc<str>| match label {
            Label::Part(term, _) => Label::Part(term, Some(alias)),
            Label::Own => Label::Part(own, Some(alias)),
        };
        let members: SmallVec<[u32; 8]> =
            self.members(code, entity, scope).map(|(id, _)| id).collect();
        for id in members {
            let entity = &code.entities[id as usize];
            for name in entity.names.present(self.bits(scope)) {
                out.extend(
                    self.each_name(entity, name.atom, scope)
                        .map(|occurrence| Evidence { occurrence, label: named(&name.alias) }),
                );
            }
            self.in_company(code, entity, scope, &mut |_, occurrence, alias| {
                out.push(Evidence { occurrence, label: named(alias) });
                false
            });
        }
    }
}

/// Whether tokens that are an atom stand as it must, where it is not enough that they do.
fn stands_as_it_must(
    code: &Code,
    tokens: &[Token],
    text: &str,
    atom: AtomId,
    (first, last): (usize, usize),
    has_hangul: bool,
) -> bool {
    let written = |token: &Token| as_written(&text[token.start as usize..token.end as usize]);
    let found = &tokens[first..=last];
    let verbatim = code.verbatim.get(&atom).is_none_or(|words| {
        words.len() == found.len()
            && found.iter().zip(words).all(|(token, word)| written(token) == *word)
    });
    verbatim && (!code.hanja.contains(&atom) || has_hangul && is_whole_run(tokens, first, last))
}

/// Whether no Han character stands right before or after these tokens.
fn is_whole_run(tokens: &[Token], first: usize, last: usize) -> bool {
    let glued = |before: usize, after: usize| {
        matches!((tokens.get(before), tokens.get(after)), (Some(before), Some(after))
            if before.script == Script::Han && after.script == Script::Han && after.gap == Gap::None)
    };
    let before = first > 0 && glued(first - 1, first);
    !before && !glued(last, last + 1)
}

/// What two or more words are when read as one.
fn joined_classes(code: &Code, tokens: &Tokens, joined: &Joined) -> SmallVec<[ClassId; 4]> {
    let form = tokens.joined_form(joined);
    let mut classes: SmallVec<[ClassId; 4]> = code.words.classes(form).into();
    if joined.script == Script::Hangul {
        hangul_classes(code, form, |class| classes.push(class));
    }
    classes
}

/// A Hangul word is also the term that it starts with, when a particle or title follows.
fn hangul_classes(code: &Code, form: &str, mut found: impl FnMut(ClassId)) {
    for (end, _) in form.char_indices().skip(1).take(LONGEST_HANGUL) {
        let classes = code.words.classes(&form[..end]);
        let takes = |class: &&ClassId| code.takes_particles[**class as usize];
        if classes.iter().any(|class| takes(&class)) && korean::is_suffix(&form[end..]) {
            classes.iter().filter(takes).for_each(|class| found(*class));
        }
    }
}
