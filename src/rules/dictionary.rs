//! The dictionary: every word that some term may stand as, and the classes it belongs to.

use std::hash::Hasher as _;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::code::ClassId;

/// A folded word in UTF-8; most are short enough to stand in the dictionary itself.
type Word = SmallVec<[u8; 16]>;

/// Bits of the filter for each word: one word in sixteen that is in no term gets past it.
const BITS_A_WORD: usize = 16;
/// Words from which on the filter is too large to stay at hand, and most words are in some term.
const MOST_FILTERED: usize = 1 << 15;

/// Words and their classes. Most words of a text are in no term: a bit for their hash rules them
/// out without a look at the table.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    table: HashTable<(Word, SmallVec<[ClassId; 2]>)>,
    /// A power of two of bits, or none.
    filter: Vec<u64>,
}

fn hash(word: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(word);
    hasher.finish()
}

impl Dictionary {
    /// Adds a word to a class.
    pub(crate) fn add(&mut self, word: &str, class: ClassId) {
        let word = word.as_bytes();
        let entry = self.table.entry(
            hash(word),
            |(known, _)| known.as_slice() == word,
            |(known, _)| hash(known),
        );
        let mut entry = entry.or_insert_with(|| (word.into(), SmallVec::new()));
        entry.get_mut().1.push(class);
    }

    /// Gives back what was only needed to grow, and makes the filter.
    pub(crate) fn seal(&mut self) {
        self.table.shrink_to_fit(|(word, _)| hash(word));
        if self.table.len() > MOST_FILTERED {
            return;
        }
        self.filter = vec![0; (self.table.len() * BITS_A_WORD).next_power_of_two().max(64) / 64];
        let bits = self.filter.len() * 64 - 1;
        for (word, _) in &self.table {
            let bit = hash(word) as usize & bits;
            self.filter[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// The classes of a folded word.
    #[inline]
    pub(crate) fn classes(&self, word: &str) -> &[ClassId] {
        let word = word.as_bytes();
        let hash = hash(word);
        if !self.filter.is_empty() {
            let bit = hash as usize & (self.filter.len() * 64 - 1);
            if self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
                return &[];
            }
        }
        match self.table.find(hash, |(known, _)| known.as_slice() == word) {
            Some((_, classes)) => classes,
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_the_classes_it_was_added_to_whether_few_words_are_known_or_many() {
        for count in [0_u32, 1, 100, 40_000] {
            let mut dictionary = Dictionary::default();
            for number in 0..count {
                dictionary.add(&format!("word{number}"), number);
                dictionary.add(&format!("word{}", number / 2), number + count);
            }
            dictionary.seal();
            for number in 0..count {
                let classes = dictionary.classes(&format!("word{number}"));
                assert!(classes.contains(&number), "{number} of {count}");
            }
            assert!(dictionary.classes("other").is_empty());
            assert!(dictionary.classes("").is_empty());
        }
    }
}
