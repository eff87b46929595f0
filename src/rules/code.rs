//! Compiled rules: what the matcher works on.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::hit::Severity;

use super::definitions::Filter;
use super::dictionary::Dictionary;
use super::index::Index;

/// A word or phrase that is looked for; shared by all rules that write the same.
pub(crate) type AtomId = u32;
/// A place in [`Code::ops`], or an atom with the bit [`ATOM`]: most parts are atoms.
pub(crate) type OpId = u32;
/// See [`OpId`].
pub(crate) const ATOM: u32 = 1 << 31;
/// See [`Code::expected`]: less than what one item of those learnt from counts.
pub(crate) const MOST_EXPECTED: u32 = 999;
/// A place in [`Code::gates`], or [`NONE`].
pub(crate) type GateId = u32;
/// A set of words that a phrase may have at one place.
pub(crate) type ClassId = u32;
/// A state of the phrase trie; 0 is none.
pub(crate) type NodeId = u32;

/// No guard, no exclusion.
pub(crate) const NONE: u32 = u32::MAX;
/// The reach of NEAR/s.
pub(crate) const SENTENCE: u32 = u32::MAX;
/// The number of the title among the fields.
pub(crate) const TITLE: u8 = 0;
/// The bits of title, summary and content, where terms without a field are looked for.
pub(crate) const TEXT_FIELDS: u8 = 0b111;

/// A part of a query, compiled. Lists are slices of [`Code::children`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Or {
        first: u32,
        count: u32,
        gate: GateId,
        /// All its parts are atoms: those of the gate, where there is one.
        flat: bool,
    },
    And {
        first: u32,
        count: u32,
    },
    Not(OpId),
    Count {
        need: u32,
        first: u32,
        count: u32,
    },
    Near {
        left: OpId,
        right: OpId,
        reach: u32,
        ordered: bool,
    },
    /// Only in the fields of the mask.
    Field {
        mask: u8,
        part: OpId,
    },
    Atom(AtomId),
    /// An entity, its ambiguous names in company only.
    Entity(u32),
    /// Every name of an entity, as `needs` means it, but for those of another: what is ambiguous
    /// must not be its own company.
    Literal {
        entity: u32,
        but: u32,
    },
    Macro(u32),
}

/// A name of an entity: what to look for, and how evidence calls it (`ru:Лавров`).
#[derive(Debug)]
pub(crate) struct NameCode {
    pub(crate) atom: AtomId,
    pub(crate) alias: Arc<str>,
}

/// The names of an entity: those that occur are found without a look at each.
#[derive(Debug)]
pub(crate) struct Names {
    all: Box<[NameCode]>,
    /// A place in the bits of an item's atoms, the bits there of names that follow each other, and
    /// where these end.
    runs: Box<[(u32, u64, u32)]>,
}

impl Names {
    pub(crate) fn new(all: Vec<NameCode>) -> Self {
        let mut runs: Vec<(u32, u64, u32)> = Vec::new();
        for (name, end) in all.iter().zip(1..) {
            let (place, bit) = (name.atom / 64, 1 << (name.atom % 64));
            match runs.last_mut() {
                Some(last) if last.0 == place => *last = (place, last.1 | bit, end),
                _ => runs.push((place, bit, end)),
            }
        }
        Self { all: all.into(), runs: runs.into() }
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, NameCode> {
        self.all.iter()
    }

    /// Those that are in an item with these atoms, in their order.
    pub(crate) fn present<'n, 'p>(
        &'n self,
        present: &'p [u64],
    ) -> impl Iterator<Item = &'n NameCode> + use<'n, 'p> {
        let mut start = 0;
        let runs = self.runs.iter().map(move |(place, bits, end)| {
            let names = start..*end as usize;
            start = names.end;
            (names, present[*place as usize] & bits)
        });
        runs.filter(|(_, found)| *found != 0).flat_map(|(names, found)| {
            self.all[names].iter().filter(move |name| found & (1 << (name.atom % 64)) != 0)
        })
    }
}

/// A compiled entity.
#[derive(Debug)]
pub(crate) struct EntityCode {
    /// How evidence calls it: `@id`.
    pub(crate) term: Arc<str>,
    pub(crate) names: Names,
    pub(crate) ambiguous: Vec<AmbiguousCode>,
    /// All entities that it includes, directly or through others, each once.
    pub(crate) include: Vec<u32>,
    /// Within an occurrence of these the entity's own names do not count.
    pub(crate) not_in: Vec<AtomId>,
    /// The place of what they mask in an item, or [`NONE`] where there are none.
    pub(crate) mask: u32,
    pub(crate) gate: GateId,
}

/// Names that need company.
#[derive(Debug)]
pub(crate) struct AmbiguousCode {
    pub(crate) names: Vec<NameCode>,
    pub(crate) needs: OpId,
    pub(crate) same_sentence: bool,
}

/// A compiled macro.
#[derive(Debug)]
pub(crate) struct MacroCode {
    /// How evidence calls it: `$id`.
    pub(crate) term: Arc<str>,
    pub(crate) part: OpId,
    pub(crate) gate: GateId,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct RuleCode {
    pub(crate) query: OpId,
    pub(crate) exclude: OpId,
}

/// A state of the phrase trie: the atoms that end here, as a slice of [`Code::ends`], and whether
/// phrases go on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TrieNode {
    pub(crate) first_end: u32,
    pub(crate) ends: u32,
    pub(crate) goes_on: bool,
}

/// What must occur for parts of queries to hold, as bits of atoms: most parts are ruled out by a
/// look at a few words of bits, however many terms they have.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// Where the bits of each gate end.
    ends: Vec<u32>,
    /// A place in the bits of an item's atoms, and the bits there.
    bits: Vec<(u32, u64)>,
}

impl Gates {
    /// A gate that any of these atoms opens.
    pub(crate) fn add(&mut self, atoms: &[AtomId]) -> GateId {
        let start = self.bits.len();
        for atom in atoms {
            let (place, bit) = (atom / 64, 1 << (atom % 64));
            match self.bits[start..].last_mut() {
                Some(last) if last.0 == place => last.1 |= bit,
                _ => self.bits.push((place, bit)),
            }
        }
        self.ends.push(u32::try_from(self.bits.len()).expect("rules have fewer terms"));
        u32::try_from(self.ends.len() - 1).expect("rules have fewer parts")
    }

    /// Whether a gate lets an item with these atoms through.
    #[inline]
    pub(crate) fn open(&self, gate: GateId, present: &[u64]) -> bool {
        if gate == NONE {
            return true;
        }
        self.bits(gate).iter().any(|(place, bits)| present[*place as usize] & bits != 0)
    }

    /// Those of a gate's atoms that are in an item with these.
    pub(crate) fn present<'g>(
        &'g self,
        gate: GateId,
        present: &'g [u64],
    ) -> impl Iterator<Item = AtomId> + 'g {
        self.bits(gate).iter().flat_map(|(place, bits)| {
            let mut left = present[*place as usize] & bits;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                // Takes the lowest bit away.
                left &= left.checked_sub(1)?;
                Some(*place * 64 + bit)
            })
        })
    }

    fn bits(&self, gate: GateId) -> &[(u32, u64)] {
        let gate = gate as usize;
        let start = if gate == 0 { 0 } else { self.ends[gate - 1] };
        &self.bits[start as usize..self.ends[gate] as usize]
    }
}

/// The place of a word's first three letters in [`AsciiPrefixes`], where they are ASCII: five bits of
/// each, which tell letters apart and may take a digit for one.
fn ascii_key(word: &str) -> Option<usize> {
    let [a, b, c] = *word.as_bytes().first_chunk::<3>()?;
    let bits = |byte: u8| usize::from(byte & 31);
    (a | b | c).is_ascii().then(|| bits(a) << 10 | bits(b) << 5 | bits(c))
}

/// A prefix and the class of words that start with it.
#[derive(Debug)]
pub(crate) struct Prefix {
    pub(crate) text: Box<str>,
    pub(crate) class: ClassId,
}

/// Prefixes whose first three letters are ASCII, found by these without a hash.
#[derive(Debug, Default)]
pub(crate) struct AsciiPrefixes {
    /// Which keys have prefixes, as bits, and how many keys with prefixes come before these.
    keys: Vec<(u64, u32)>,
    /// Where the prefixes of each such key end.
    ends: Vec<u32>,
    prefixes: Vec<Prefix>,
}

impl AsciiPrefixes {
    /// Takes a prefix that belongs here, or gives it back.
    pub(crate) fn add(&mut self, prefix: Prefix) -> Result<(), Prefix> {
        match ascii_key(&prefix.text) {
            Some(_) => self.prefixes.push(prefix),
            None => return Err(prefix),
        }
        Ok(())
    }

    /// Makes ready for [`AsciiPrefixes::of`], when all have been added.
    fn seal(&mut self) {
        let key = |prefix: &Prefix| ascii_key(&prefix.text).expect("others are not taken");
        self.prefixes.sort_by_key(key);
        self.prefixes.shrink_to_fit();
        self.keys = vec![(0, 0); if self.prefixes.is_empty() { 0 } else { 1 << 15 >> 6 }];
        let mut end = 0;
        for same in self.prefixes.chunk_by(|a, b| key(a) == key(b)) {
            let key = key(&same[0]);
            self.keys[key / 64].0 |= 1 << (key % 64);
            end += u32::try_from(same.len()).expect("rules have fewer prefixes");
            self.ends.push(end);
        }
        let mut before = 0;
        for (bits, number) in &mut self.keys {
            *number = before;
            before += bits.count_ones();
        }
    }

    /// The prefixes that may start a word; none where its first three letters are not ASCII.
    #[inline]
    pub(crate) fn of(&self, word: &str) -> Option<&[Prefix]> {
        let Some(key) = ascii_key(word) else { return word.is_ascii().then_some(&[]) };
        let Some((bits, before)) = self.keys.get(key / 64) else { return Some(&[]) };
        let bit = 1_u64 << (key % 64);
        if bits & bit == 0 {
            return Some(&[]);
        }
        let number = (*before + (bits & (bit - 1)).count_ones()) as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Some(&self.prefixes[start as usize..self.ends[number] as usize])
    }
}

/// Everything compiled.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// Folded word to the classes it belongs to.
    pub(crate) words: Dictionary,
    /// Prefixes by their first letters, but for those of `ascii_prefixes`.
    pub(crate) prefixes: FxHashMap<Box<str>, Vec<Prefix>>,
    /// Whether there are prefixes whose first letters, as their key, are one, two or three, of
    /// words and of Hangul.
    pub(crate) prefix_keys: [[bool; 3]; 2],
    /// Those whose first three letters are ASCII: most words are ruled out by one bit.
    pub(crate) ascii_prefixes: AsciiPrefixes,
    /// There are prefixes of one or two letters that are ASCII.
    pub(crate) short_ascii_prefixes: bool,
    /// Classes of Hangul words that take particles.
    pub(crate) takes_particles: Vec<bool>,
    /// The trie: from the start by class, and on by state and class.
    pub(crate) roots: Vec<NodeId>,
    pub(crate) edges: FxHashMap<(NodeId, ClassId), NodeId>,
    pub(crate) nodes: Vec<TrieNode>,
    pub(crate) ends: Vec<AtomId>,
    /// Atoms that must stand as written, and how.
    pub(crate) verbatim: FxHashMap<AtomId, Box<[Box<str>]>>,
    /// Hanja of Korean headlines (北, 美中): they count only as a whole run of Han characters in a
    /// field that holds Hangul, else 北 would stand in 北京.
    pub(crate) hanja: FxHashSet<AtomId>,
    /// The atoms of either kind, as bits: most are of none.
    pub(crate) checked: Vec<u64>,
    /// How each atom is written, for evidence.
    pub(crate) labels: Vec<Arc<str>>,
    pub(crate) ops: Vec<Op>,
    pub(crate) children: Vec<OpId>,
    pub(crate) entities: Vec<EntityCode>,
    /// How many entities have longer names in which theirs do not count.
    pub(crate) masks: u32,
    /// Those entities, and the gates of the longer names.
    pub(crate) masked: Vec<(u32, GateId)>,
    pub(crate) macros: Vec<MacroCode>,
    pub(crate) rules: Vec<RuleCode>,
    /// What raises the severity of a rule, and to what; few rules have it.
    pub(crate) escalations: FxHashMap<u32, Box<[(OpId, Severity)]>>,
    /// The filters of the rules that have any.
    pub(crate) filters: FxHashMap<u32, Filter>,
    /// How often each atom is expected, by how it is written, at most [`MOST_EXPECTED`].
    pub(crate) expected: Vec<u32>,
    pub(crate) index: Index,
    pub(crate) gates: Gates,
    /// A rule looks at authors, tags or links.
    pub(crate) all_fields: bool,
}

impl Code {
    /// The parts of a list.
    #[inline]
    pub(crate) fn list(&self, first: u32, count: u32) -> &[OpId] {
        &self.children[first as usize..(first + count) as usize]
    }

    /// Gives back the memory that was only needed to grow.
    pub(crate) fn shrink(&mut self) {
        self.words.seal();
        self.ascii_prefixes.seal();
        self.takes_particles.shrink_to_fit();
        self.roots.shrink_to_fit();
        self.edges.shrink_to_fit();
        self.nodes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.labels.shrink_to_fit();
        self.ops.shrink_to_fit();
        self.children.shrink_to_fit();
        self.rules.shrink_to_fit();
        self.expected.shrink_to_fit();
    }

    /// The parts of a part.
    pub(crate) fn parts(&self, id: OpId) -> SmallVec<[OpId; 4]> {
        match self.op(id) {
            Op::Or { first, count, .. }
            | Op::And { first, count }
            | Op::Count { first, count, .. } => self.list(first, count).into(),
            Op::Near { left, right, .. } => [left, right].into_iter().collect(),
            Op::Not(part) | Op::Field { part, .. } => std::iter::once(part).collect(),
            Op::Atom(_) | Op::Entity(_) | Op::Literal { .. } | Op::Macro(_) => SmallVec::new(),
        }
    }

    /// Whether some parts of a part may have evidence though it does not hold.
    pub(crate) fn is_condition(&self, id: OpId) -> bool {
        match self.op(id) {
            Op::And { .. } | Op::Count { .. } => true,
            Op::Field { part, .. } => self.is_condition(part),
            Op::Macro(id) => self.is_condition(self.macros[id as usize].part),
            _ => false,
        }
    }

    /// A part of a query.
    #[inline]
    pub(crate) fn op(&self, id: OpId) -> Op {
        if id & ATOM != 0 { Op::Atom(id & !ATOM) } else { self.ops[id as usize] }
    }
}
