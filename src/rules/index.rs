//! The index: which rules may match an item that holds a term.
//!
//! A rule is filed under one clause that it cannot match without, a set of terms of which one must
//! occur; of all such clauses, under the one that is expected to occur in the fewest items. What
//! is expected follows from how a term is written, and better from past items ([`Index::build`]
//! takes either). A second clause stands with each entry as a guard, looked at before the rule is.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::code::{AtomId, Code, NONE, Op, OpId};

/// The most terms of a clause that is worth looking at as a guard.
const LARGEST_GUARD: usize = 8;
/// Set in [`Posting::guard`] when it is a place in [`Index::guards`] and no atom.
const LIST: u32 = 1 << 31;

/// A rule that may match when an atom occurs, and what must occur too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting {
    pub(crate) rule: u32,
    guard: u32,
}

/// The rules by the atoms under which they are filed.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where the postings of each atom start.
    starts: Vec<u32>,
    postings: Vec<Posting>,
    /// Lists of atoms, each after its length.
    guards: Vec<u32>,
}

/// Terms of which one must occur.
pub(crate) type Clause = SmallVec<[AtomId; 6]>;

impl Index {
    /// Files all rules; `costs` says of each atom how often it is expected.
    pub(crate) fn build(code: &Code, costs: &[u32]) -> Self {
        let mut clauses = Clauses::new(code, costs);
        let mut filed: Vec<(AtomId, Posting)> = Vec::with_capacity(code.rules.len() * 2);
        let mut index = Self::default();
        for (number, rule) in code.rules.iter().enumerate() {
            let number = u32::try_from(number).expect("there are fewer rules");
            let Some((clause, guard)) = clauses.of_query(rule.query) else { continue };
            let guard = match guard.as_slice() {
                [] => NONE,
                [atom] => *atom,
                atoms => {
                    let place = u32::try_from(index.guards.len()).expect("guards are few");
                    index.guards.push(u32::try_from(atoms.len()).expect("a guard is short"));
                    index.guards.extend(atoms);
                    place | LIST
                }
            };
            filed.extend(clause.into_iter().map(|atom| (atom, Posting { rule: number, guard })));
        }
        let mut starts = vec![0_u32; code.labels.len() + 1];
        for (atom, _) in &filed {
            starts[*atom as usize + 1] += 1;
        }
        for atom in 0..code.labels.len() {
            starts[atom + 1] += starts[atom];
        }
        let mut next = starts.clone();
        index.postings = vec![Posting { rule: 0, guard: NONE }; filed.len()];
        for (atom, posting) in filed {
            let place = &mut next[atom as usize];
            index.postings[*place as usize] = posting;
            *place += 1;
        }
        index.guards.shrink_to_fit();
        index.starts = starts;
        index
    }

    /// The rules that are filed under an atom.
    pub(crate) fn postings(&self, atom: AtomId) -> &[Posting] {
        let atom = atom as usize;
        &self.postings[self.starts[atom] as usize..self.starts[atom + 1] as usize]
    }

    /// Whether the guard of a posting lets its rule be looked at.
    pub(crate) fn passes(&self, posting: Posting, occurs: impl Fn(AtomId) -> bool) -> bool {
        if posting.guard == NONE {
            return true;
        }
        if posting.guard & LIST == 0 {
            return occurs(posting.guard);
        }
        let place = (posting.guard & !LIST) as usize;
        let atoms = &self.guards[place + 1..][..self.guards[place] as usize];
        atoms.iter().any(|atom| occurs(*atom))
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

    /// The clause of a query and its guard, which may be empty; `None` when the query can hold in
    /// an item that has none of its terms.
    pub(crate) fn of_query(&mut self, query: OpId) -> Option<(Clause, Clause)> {
        let parts: SmallVec<[OpId; 6]> = match self.code.op(query) {
            Op::And { first, count } => self.code.list(first, count).into(),
            Op::Near { left, right, .. } => [left, right].into_iter().collect(),
            _ => return Some((self.of(query)?, Clause::new())),
        };
        let clauses = parts.iter().filter_map(|part| self.of(*part));
        let mut clauses: SmallVec<[Clause; 4]> = clauses.collect();
        clauses.sort_by_key(|clause| self.cost(clause));
        let mut clauses = clauses.into_iter();
        let clause = clauses.next()?;
        let guard = clauses.find(|guard| guard.len() <= LARGEST_GUARD && *guard != clause);
        Some((clause, guard.unwrap_or_default()))
    }

    /// The rarest clause of a part.
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
