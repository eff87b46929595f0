//! The index: which rules may match an item that holds a term.
//!
//! A rule, or each alternative of one that is a list of them, is filed under one clause that it cannot
//! hold without, a set of terms of which one must occur, in the title where the clause is of the title
//! alone; of all such clauses, under the one that is expected to occur in the fewest items. What is
//! expected follows from how a term is written, and better from past items ([`Index::build`] takes
//! either). A second clause stands with each entry as a guard, looked at before the entry is.
//!
//! So only the alternatives that may hold are looked at: a rule of twenty is mostly about a title that
//! has the terms of one or two of them. Words alone are no alternatives: one look answers for all.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::code::{AtomId, Code, GateId, Gates, NONE, Op, OpId, TITLE};

/// The most terms of a clause without a gate that is worth looking at as a guard.
const LARGEST_GUARD: usize = 8;
/// Set in [`Posting::guard`] when it is a place in [`Index::guards`] and no atom.
const LIST: u32 = 1 << 31;
/// Set in [`Posting::guard`] when it is a gate.
const GATE: u32 = 1 << 29;
/// Set in [`Posting::case`] and [`Posting::guard`] when the terms count in the title only.
const IN_TITLE: u32 = 1 << 30;
/// How many times rarer a term is in titles than in items.
const RARER_IN_TITLES: u64 = 4;

/// A case that may hold when an atom occurs, and what must occur too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting {
    case: u32,
    guard: u32,
}

impl Posting {
    /// The number of the case.
    pub(crate) fn case(self) -> u32 {
        self.case & !IN_TITLE
    }
}

/// A rule, or one of the alternatives of a rule that has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) rule: u32,
    number: u32,
    /// What must hold.
    pub(crate) part: OpId,
}

/// The rules by the atoms under which they are filed.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where the postings of each atom start.
    starts: Vec<u32>,
    postings: Vec<Posting>,
    /// Lists of atoms, each after its length.
    guards: Vec<u32>,
    /// The alternatives of rules with their rules: cases from the number of rules on. Those before
    /// are whole rules.
    alternatives: Vec<(u32, OpId)>,
}

/// Terms of which one must occur.
pub(crate) type Clause = SmallVec<[AtomId; 6]>;

/// A clause without which something cannot hold.
#[derive(Debug, PartialEq, Eq)]
struct Needed {
    atoms: Clause,
    /// The gate that these open, or [`NONE`].
    gate: GateId,
    /// They count in the title only.
    in_title: bool,
}

impl Index {
    /// Files all rules; `costs` says of each atom how often it is expected.
    pub(crate) fn build(code: &Code, costs: &[u32]) -> Self {
        let mut clauses = Clauses::new(code, costs);
        let mut filed: Vec<(AtomId, Posting)> = Vec::with_capacity(code.rules.len() * 2);
        let mut index = Self::default();
        let number = |index: usize| u32::try_from(index).expect("rules have fewer parts");
        for (rule, compiled) in code.rules.iter().enumerate() {
            let alternatives = alternatives(code, &compiled.query);
            let split = alternatives.len() > 1;
            for part in alternatives {
                let case = if split {
                    index.alternatives.push((number(rule), *part));
                    number(code.rules.len() + index.alternatives.len() - 1)
                } else {
                    number(rule)
                };
                let Some((clause, guard)) = clauses.of_query(*part) else { continue };
                let posting = Posting {
                    case: case | if clause.in_title { IN_TITLE } else { 0 },
                    guard: guard.map_or(NONE, |guard| index.guard(&guard)),
                };
                filed.extend(clause.atoms.into_iter().map(|atom| (atom, posting)));
            }
        }
        let mut starts = vec![0_u32; code.labels.len() + 1];
        for (atom, _) in &filed {
            starts[*atom as usize + 1] += 1;
        }
        for atom in 0..code.labels.len() {
            starts[atom + 1] += starts[atom];
        }
        let mut next = starts.clone();
        index.postings = vec![Posting { case: 0, guard: NONE }; filed.len()];
        for (atom, posting) in filed {
            let place = &mut next[atom as usize];
            index.postings[*place as usize] = posting;
            *place += 1;
        }
        index.guards.shrink_to_fit();
        index.alternatives.shrink_to_fit();
        index.starts = starts;
        index
    }

    /// Keeps a guard.
    fn guard(&mut self, guard: &Needed) -> u32 {
        let kept = match guard.atoms.as_slice() {
            _ if guard.gate != NONE => guard.gate | GATE,
            [atom] => *atom,
            atoms => {
                let place = u32::try_from(self.guards.len()).expect("guards are few");
                self.guards.push(u32::try_from(atoms.len()).expect("a guard is short"));
                self.guards.extend(atoms);
                place | LIST
            }
        };
        kept | if guard.in_title { IN_TITLE } else { 0 }
    }

    /// How many cases there are.
    pub(crate) fn cases(&self, code: &Code) -> usize {
        code.rules.len() + self.alternatives.len()
    }

    /// The cases that are filed under an atom.
    #[inline]
    pub(crate) fn postings(&self, atom: AtomId) -> &[Posting] {
        let atom = atom as usize;
        &self.postings[self.starts[atom] as usize..self.starts[atom + 1] as usize]
    }

    /// Whether a case that is filed under an atom may hold; `present` has the bits of an item's
    /// atoms, or of those in its title.
    #[inline]
    pub(crate) fn passes<'p>(
        &self,
        gates: &Gates,
        posting: Posting,
        atom: AtomId,
        present: impl Fn(bool) -> &'p [u64],
    ) -> bool {
        let occurs =
            |bits: &[u64], atom: AtomId| bits[atom as usize / 64] & (1 << (atom % 64)) != 0;
        if posting.case & IN_TITLE != 0 && !occurs(present(true), atom) {
            return false;
        }
        if posting.guard == NONE {
            return true;
        }
        let bits = present(posting.guard & IN_TITLE != 0);
        let guard = posting.guard & !(IN_TITLE | LIST | GATE);
        if posting.guard & GATE != 0 {
            return gates.open(guard, bits);
        }
        if posting.guard & LIST == 0 {
            return occurs(bits, guard);
        }
        let place = guard as usize;
        let atoms = &self.guards[place + 1..][..self.guards[place] as usize];
        atoms.iter().any(|atom| occurs(bits, *atom))
    }

    /// The case of a number.
    pub(crate) fn case(&self, code: &Code, number: u32) -> Case {
        match (number as usize).checked_sub(code.rules.len()) {
            None => Case { rule: number, number, part: code.rules[number as usize].query },
            Some(place) => {
                let (rule, part) = self.alternatives[place];
                Case { rule, number, part }
            }
        }
    }
}

/// The parts of which one must hold for a query to hold; words alone are looked at at once.
fn alternatives<'c>(code: &'c Code, query: &'c OpId) -> &'c [OpId] {
    match code.op(*query) {
        Op::Or { first, count, flat: false, .. } => code.list(first, count),
        _ => std::slice::from_ref(query),
    }
}

/// The clauses of parts of queries; those of entities and macros are worked out once.
#[derive(Debug)]
pub(crate) struct Clauses<'c> {
    code: &'c Code,
    costs: &'c [u32],
    entities: FxHashMap<u32, Rc<[AtomId]>>,
    macros: FxHashMap<u32, Option<Rc<[AtomId]>>>,
}

impl<'c> Clauses<'c> {
    pub(crate) fn new(code: &'c Code, costs: &'c [u32]) -> Self {
        Self { code, costs, entities: FxHashMap::default(), macros: FxHashMap::default() }
    }

    /// The clause of a part and its guard, if any; `None` when it can hold in an item that has none
    /// of its terms.
    fn of_query(&mut self, part: OpId) -> Option<(Needed, Option<Needed>)> {
        let mut needed = SmallVec::new();
        self.needed(part, false, &mut needed);
        needed.sort_by_key(|needed| {
            self.cost(&needed.atoms) / if needed.in_title { RARER_IN_TITLES } else { 1 }
        });
        let mut needed = needed.into_iter();
        let clause = needed.next()?;
        let quick = |guard: &Needed| guard.gate != NONE || guard.atoms.len() <= LARGEST_GUARD;
        let guard = needed.find(|guard| quick(guard) && *guard != clause);
        Some((clause, guard))
    }

    /// Adds the clauses of a part: it holds only where all of them do.
    fn needed(&mut self, part: OpId, in_title: bool, needed: &mut SmallVec<[Needed; 4]>) {
        match self.code.op(part) {
            Op::And { first, count } => {
                for part in self.code.list(first, count) {
                    self.needed(*part, in_title, needed);
                }
            }
            Op::Near { left, right, .. } => {
                self.needed(left, in_title, needed);
                self.needed(right, in_title, needed);
            }
            Op::Field { mask, part } => self.needed(part, mask == 1 << TITLE, needed),
            op => {
                let gate = match op {
                    Op::Or { gate, .. } => gate,
                    Op::Entity(id) | Op::Literal { entity: id, .. } => {
                        self.code.entities[id as usize].gate
                    }
                    Op::Macro(id) => self.code.macros[id as usize].gate,
                    _ => NONE,
                };
                needed.extend(self.of(part).map(|atoms| Needed { atoms, gate, in_title }));
            }
        }
    }

    /// The rarest clause of a part; `None` when it can hold in an item that has none of its terms.
    pub(crate) fn of(&mut self, part: OpId) -> Option<Clause> {
        match self.code.op(part) {
            Op::Atom(atom) => Some(Clause::from_slice(&[atom])),
            Op::Not(_) => None,
            Op::Field { part, .. } => self.of(part),
            Op::Or { first, count, .. } => {
                let mut union = Clause::new();
                for part in self.code.list(first, count) {
                    union.extend(self.of(*part)?);
                }
                Some(merged(union))
            }
            Op::And { first, count } => {
                let parts = self.code.list(first, count).iter();
                let clauses: Vec<_> = parts.filter_map(|part| self.of(*part)).collect();
                clauses.into_iter().min_by_key(|clause| self.cost(clause))
            }
            Op::Near { left, right, .. } => {
                let clauses = [self.of(left), self.of(right)];
                clauses.into_iter().flatten().min_by_key(|clause| self.cost(clause))
            }
            Op::Count { need, first, count } => {
                // Of n parts any (n - need + 1) hold one that holds.
                let parts = self.code.list(first, count).iter();
                let mut clauses: Vec<_> = parts.filter_map(|part| self.of(*part)).collect();
                clauses.sort_by_key(|clause| self.cost(clause));
                let enough = (count - need + 1) as usize;
                (clauses.len() >= enough)
                    .then(|| merged(clauses.into_iter().take(enough).flatten().collect()))
            }
            Op::Entity(id) | Op::Literal { entity: id, .. } => {
                Some(Clause::from_slice(&self.entity(id)))
            }
            Op::Macro(id) => {
                if !self.macros.contains_key(&id) {
                    let clause = self.of(self.code.macros[id as usize].part);
                    self.macros.insert(id, clause.map(|clause| clause.as_slice().into()));
                }
                self.macros[&id].as_deref().map(Clause::from_slice)
            }
        }
    }

    /// Every name of an entity.
    pub(crate) fn entity(&mut self, id: u32) -> Rc<[AtomId]> {
        if let Some(atoms) = self.entities.get(&id) {
            return atoms.clone();
        }
        let entity = &self.code.entities[id as usize];
        let included = entity.include.iter().map(|id| &self.code.entities[*id as usize]);
        let mut atoms = Clause::new();
        for entity in std::iter::once(entity).chain(included) {
            let blocks = entity.ambiguous.iter().flat_map(|block| &block.names);
            atoms.extend(entity.names.iter().chain(blocks).map(|name| name.atom));
        }
        let atoms: Rc<[AtomId]> = merged(atoms).as_slice().into();
        self.entities.insert(id, atoms.clone());
        atoms
    }

    fn cost(&self, clause: &Clause) -> u64 {
        clause.iter().map(|atom| u64::from(self.costs[*atom as usize])).sum()
    }
}

fn merged(mut atoms: Clause) -> Clause {
    atoms.sort_unstable();
    atoms.dedup();
    atoms
}
