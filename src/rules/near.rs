//! Which of two sets of places are near each other, and what they span together.
//!
//! A pair of places spans from where the first starts to where the last ends, and may itself be one
//! side of another NEAR. There can be as many pairs as one number of places times the other; what
//! another NEAR can find is kept: for every start the farthest end, and the farthest end within
//! one sentence. A span that ends sooner is near nothing that the longer one is not near.

use super::code::SENTENCE;
use super::matcher::Place;

/// Places up to which a look at each is quicker than a table.
const FEW: usize = 32;

/// How the two sides must stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Half-words between them at most, or [`SENTENCE`].
    pub(crate) half_words: u32,
    /// The left side starts first.
    pub(crate) ordered: bool,
}

impl Reach {
    /// Whether two places are near each other.
    fn holds(self, left: &Place, right: &Place) -> bool {
        if left.field != right.field || self.ordered && left.at > right.at {
            return false;
        }
        if self.half_words == SENTENCE {
            return left.is_single() && left.sentences == right.sentences;
        }
        let (first, second) = if left.at <= right.at { (left, right) } else { (right, left) };
        second.at.saturating_sub(first.until) <= self.half_words
    }
}

/// Places in the order in which they stand, ready to be looked up.
struct Sorted {
    places: Vec<Place>,
    /// The farthest end of each place and those before it in its field.
    farthest: Vec<u32>,
    /// How many of the places before each lie in one sentence; one longer than `places`.
    single: Vec<u32>,
    /// The place with the farthest end, and the same of those in one sentence, of every run of
    /// 2ⁿ places; made only for many.
    tables: Option<[Vec<Vec<u32>>; 2]>,
}

impl Place {
    fn is_single(&self) -> bool {
        self.sentences.0 == self.sentences.1
    }

    /// What two places of a field span.
    fn with(&self, other: &Place) -> Place {
        Place {
            field: self.field,
            sentences: (
                self.sentences.0.min(other.sentences.0),
                self.sentences.1.max(other.sentences.1),
            ),
            at: self.at.min(other.at),
            until: self.until.max(other.until),
        }
    }
}

impl Sorted {
    fn new(mut places: Vec<Place>) -> Self {
        places.sort_unstable_by_key(|place| (place.field, place.at, place.until));
        places.dedup();
        let mut farthest: Vec<u32> = Vec::with_capacity(places.len());
        let mut single = Vec::with_capacity(places.len() + 1);
        single.push(0);
        for (index, place) in places.iter().enumerate() {
            let before = match index.checked_sub(1) {
                Some(before) if places[before].field == place.field => farthest[before],
                _ => 0,
            };
            farthest.push(place.until.max(before));
            single.push(single[index] + u32::from(place.is_single()));
        }
        let mut sorted = Self { places, farthest, single, tables: None };
        if sorted.places.len() > FEW {
            sorted.tables = Some([sorted.table(false), sorted.table(true)]);
        }
        sorted
    }

    /// How far a place reaches; 0 where only those in one sentence count and it is none.
    fn end(&self, index: u32, single: bool) -> u32 {
        let place = &self.places[index as usize];
        if single && !place.is_single() { 0 } else { place.until }
    }

    fn table(&self, single: bool) -> Vec<Vec<u32>> {
        let count = u32::try_from(self.places.len()).expect("an item has fewer words");
        let mut rows = vec![(0..count).collect::<Vec<u32>>()];
        let mut width = 1;
        while width * 2 <= self.places.len() {
            let last = &rows[rows.len() - 1];
            let farther = |a: u32, b: u32| {
                if self.end(a, single) >= self.end(b, single) { a } else { b }
            };
            let row = (0..=self.places.len() - width * 2)
                .map(|start| farther(last[start], last[start + width]))
                .collect();
            rows.push(row);
            width *= 2;
        }
        rows
    }

    /// The place of a range with the farthest end.
    fn farthest_of(&self, from: usize, to: usize, single: bool) -> Option<&Place> {
        if from >= to {
            return None;
        }
        let best = match &self.tables {
            Some(tables) if to - from > FEW => {
                let row = (to - from).ilog2() as usize;
                let row_of = &tables[usize::from(single)][row];
                let (a, b) = (row_of[from], row_of[to - (1 << row)]);
                if self.end(a, single) >= self.end(b, single) { a } else { b }
            }
            _ => (from as u32..to as u32).max_by_key(|index| self.end(*index, single))?,
        };
        (self.end(best, single) > 0).then(|| &self.places[best as usize])
    }

    /// The first place of a field that starts at `at` or later.
    fn from(&self, field: u8, at: u32) -> usize {
        self.places.partition_point(|place| (place.field, place.at) < (field, at))
    }

    /// The place after the last of a field that starts at `at` or earlier.
    fn up_to(&self, field: u8, at: u32) -> usize {
        self.places.partition_point(|place| (place.field, place.at) <= (field, at))
    }

    /// The place after the last of a field that starts in a sentence or before.
    fn up_to_sentence(&self, field: u8, sentence: u32) -> usize {
        self.places.partition_point(|place| (place.field, place.sentences.0) <= (field, sentence))
    }

    /// Whether there is a place that starts with `place` or later and is near it.
    fn has_after(&self, place: &Place, half_words: u32) -> bool {
        let from = self.from(place.field, place.at);
        if half_words == SENTENCE {
            let to = self.up_to_sentence(place.field, place.sentences.0);
            return place.is_single() && from < to && self.single[from] < self.single[to];
        }
        from < self.up_to(place.field, place.until.saturating_add(half_words))
    }

    /// Whether there is a place that starts with `place` or earlier and is near it.
    fn has_before(&self, place: &Place, half_words: u32) -> bool {
        let to = self.up_to(place.field, place.at);
        if half_words == SENTENCE {
            let sentence = place.sentences.0;
            let from = match sentence.checked_sub(1) {
                Some(before) => self.up_to_sentence(place.field, before),
                None => self.from(place.field, 0),
            };
            return place.is_single() && from < to && self.single[from] < self.single[to];
        }
        to > 0
            && self.places[to - 1].field == place.field
            && place.at.saturating_sub(self.farthest[to - 1]) <= half_words
    }

    /// Adds what the places of `firsts` span with those of ours that start with them or later.
    fn spans(&self, firsts: &[Place], half_words: u32, spans: &mut Vec<Place>) {
        for first in firsts {
            let from = self.from(first.field, first.at);
            let sentence = self.up_to_sentence(first.field, first.sentences.0);
            let to = if half_words == SENTENCE {
                from
            } else {
                self.up_to(first.field, first.until.saturating_add(half_words))
            };
            let within = if half_words == SENTENCE { sentence } else { to.min(sentence) };
            let any = self.farthest_of(from, to, false);
            let single = first.is_single().then(|| self.farthest_of(from, within, true)).flatten();
            spans.extend(any.into_iter().chain(single).map(|last| first.with(last)));
        }
    }
}

/// Whether places of two sides are within reach of each other.
pub(crate) fn meet(lefts: &[Place], rights: &[Place], reach: Reach) -> bool {
    if lefts.len() * rights.len() <= FEW {
        return lefts.iter().any(|left| rights.iter().any(|right| reach.holds(left, right)));
    }
    let (rights, near) = (Sorted::new(rights.to_vec()), reach.half_words);
    lefts
        .iter()
        .any(|left| rights.has_after(left, near) || !reach.ordered && rights.has_before(left, near))
}

/// What the places of two sides span that are within reach of each other.
pub(crate) fn spans(lefts: Vec<Place>, rights: Vec<Place>, reach: Reach) -> Vec<Place> {
    let mut spans = Vec::new();
    if lefts.len() * rights.len() <= FEW {
        for left in &lefts {
            let near = rights.iter().filter(|right| reach.holds(left, right));
            spans.extend(near.map(|right| left.with(right)));
        }
    } else {
        let (lefts, rights) = (Sorted::new(lefts), Sorted::new(rights));
        rights.spans(&lefts.places, reach.half_words, &mut spans);
        if !reach.ordered {
            lefts.spans(&rights.places, reach.half_words, &mut spans);
        }
    }
    // Of each start the farthest end stands last, and of those in one sentence too.
    spans.sort_unstable_by_key(|span| (span.field, span.at, span.is_single(), span.until));
    let start = |span: &Place| (span.field, span.at, span.is_single());
    let mut kept: Vec<Place> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if start(last) == start(&span) => *last = span,
            _ => kept.push(span),
        }
    }
    kept
}

/// The places of either side that have one of the other within reach.
pub(crate) fn partners(
    lefts: Vec<Place>,
    rights: Vec<Place>,
    reach: Reach,
) -> (Vec<Place>, Vec<Place>) {
    let (mut lefts, mut rights) = (Sorted::new(lefts), Sorted::new(rights));
    let near = reach.half_words;
    let good_lefts: Vec<bool> = lefts
        .places
        .iter()
        .map(|left| rights.has_after(left, near) || !reach.ordered && rights.has_before(left, near))
        .collect();
    let good_rights: Vec<bool> = rights
        .places
        .iter()
        .map(|right| {
            lefts.has_before(right, near) || !reach.ordered && lefts.has_after(right, near)
        })
        .collect();
    let keep = |places: &mut Vec<Place>, good: Vec<bool>| {
        let mut good = good.into_iter();
        places.retain(|_| good.next().unwrap_or_default());
    };
    keep(&mut lefts.places, good_lefts);
    keep(&mut rights.places, good_rights);
    (lefts.places, rights.places)
}

/// Places by where they start, each with the farthest end of those up to it in its field: whether
/// one of them covers another place is a look-up.
pub(crate) struct Covered(Sorted);

impl Covered {
    pub(crate) fn by(places: Vec<Place>) -> Self {
        Self(Sorted::new(places))
    }

    pub(crate) fn covers(&self, place: &Place) -> bool {
        let after = self.0.up_to(place.field, place.at);
        after > 0
            && self.0.places[after - 1].field == place.field
            && place.until <= self.0.farthest[after - 1]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A place; a sentence is ten half-words.
    fn place(at: u32, width: u32) -> Place {
        let until = at + width;
        Place { field: 0, sentences: (at / 10, (until - 1) / 10), at, until }
    }

    /// All pairs, as spans.
    fn all(lefts: &[Place], rights: &[Place], reach: Reach) -> Vec<Place> {
        let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right)));
        pairs
            .filter(|(left, right)| reach.holds(left, right))
            .map(|(left, right)| left.with(right))
            .collect()
    }

    fn places() -> impl Strategy<Value = Vec<Place>> {
        proptest::collection::vec((0..60_u32, 1..4_u32), 0..70)
            .prop_map(|all| all.into_iter().map(|(at, width)| place(at, width)).collect())
    }

    fn reach() -> impl Strategy<Value = Reach> {
        (prop_oneof![0..9_u32, Just(SENTENCE)], any::<bool>())
            .prop_map(|(half_words, ordered)| Reach { half_words, ordered })
    }

    proptest! {
        /// What is kept of the pairs finds what all of them would find, on either side.
        #[test]
        fn the_spans_that_are_kept_are_near_what_all_are_near(
            a in places(), b in places(), c in places(), inner in reach(), outer in reach(),
        ) {
            let kept = spans(a.clone(), b.clone(), inner);
            let every = all(&a, &b, inner);
            prop_assert_eq!(kept.is_empty(), every.is_empty());
            prop_assert_eq!(meet(&a, &b, inner), !every.is_empty());
            prop_assert_eq!(
                spans(kept.clone(), c.clone(), outer).is_empty(),
                all(&every, &c, outer).is_empty()
            );
            prop_assert_eq!(
                spans(c.clone(), kept, outer).is_empty(),
                all(&c, &every, outer).is_empty()
            );
        }

        #[test]
        fn partners_are_the_places_that_have_one(a in places(), b in places(), reach in reach()) {
            let (lefts, rights) = partners(a.clone(), b.clone(), reach);
            for left in &a {
                prop_assert_eq!(lefts.contains(left), b.iter().any(|right| reach.holds(left, right)));
            }
            for right in &b {
                prop_assert_eq!(rights.contains(right), a.iter().any(|left| reach.holds(left, right)));
            }
        }
    }
}
