//! The terms of a rule's reports as numbers, and how much each says.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::reading::Reading;

/// A reading's terms by number, in the order of their names, and how often each counts.
pub(super) type Terms = Arc<[(u32, u16)]>;

/// The terms of one rule's reports.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    names: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
    /// In how many reports each occurs.
    counts: Vec<u32>,
    /// Reports that are counted.
    reports: usize,
}

impl Vocabulary {
    /// The terms of a reading.
    pub(super) fn terms(&mut self, reading: &Reading) -> Terms {
        reading.terms.iter().map(|(term, times)| (self.number(term), *times)).collect()
    }

    /// The terms of another vocabulary in this one.
    pub(super) fn taken_over(&mut self, other: &Self, terms: &Terms) -> Terms {
        let names = terms.iter().map(|(term, times)| (&other.names[*term as usize], times));
        names.map(|(name, times)| (self.number(name), *times)).collect()
    }

    fn number(&mut self, term: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("names are dropped long before");
        self.names.push(term.clone());
        self.counts.push(0);
        self.numbers.insert(term.clone(), number);
        number
    }

    /// Terms that have a number, used or not.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Counts a report.
    pub(super) fn count(&mut self, terms: &Terms) {
        self.reports += 1;
        terms.iter().for_each(|(term, _)| self.counts[*term as usize] += 1);
    }

    /// Takes a report out of the counts.
    pub(super) fn uncount(&mut self, terms: &Terms) {
        self.reports -= 1;
        terms.iter().for_each(|(term, _)| self.counts[*term as usize] -= 1);
    }

    /// Gets ready to compare a report with others.
    pub(super) fn compare<'a>(&'a self, terms: &'a Terms) -> Comparison<'a> {
        let mut comparison = Comparison {
            vocabulary: self,
            terms,
            rarity: Vec::new(),
            weights: vec![0.0; self.names.len()],
            norm: 0.0,
        };
        let mut sum = 0.0;
        for (term, times) in terms.iter() {
            let weight = comparison.weight(*term, *times);
            comparison.weights[*term as usize] = weight;
            sum += weight * weight;
        }
        comparison.norm = f64::sqrt(sum);
        comparison
    }
}

/// A report that is compared with others.
pub(super) struct Comparison<'a> {
    vocabulary: &'a Vocabulary,
    terms: &'a Terms,
    /// How much a term says by the number of reports it occurs in; not a number until it is asked for.
    rarity: Vec<f64>,
    /// By the number of the term.
    weights: Vec<f64>,
    norm: f64,
}

impl Comparison<'_> {
    /// How much a term says: more the more often it stands in the report, and the fewer of the rule's
    /// reports have it.
    fn weight(&mut self, term: u32, times: u16) -> f64 {
        let count = self.vocabulary.counts[term as usize] as usize;
        if self.rarity.len() <= count {
            self.rarity.resize(count + 1, f64::NAN);
        }
        if self.rarity[count].is_nan() {
            let reports = self.vocabulary.reports as f64;
            self.rarity[count] =
                ((reports + 1.0) / (count as f64 + 1.0)).ln_1p() / (reports + 2.0).ln();
        }
        // Nearly all counts are one or two, whose logarithms are worth no table.
        let often = if times == 1 { 1.0 } else { 1.0 + f64::from(times).ln() };
        often * self.rarity[count]
    }

    /// How alike another report is, from 0 to 1.
    pub(super) fn cosine(&mut self, other: &Terms) -> f64 {
        let (mut shared, mut sum) = (0.0, 0.0);
        for (term, times) in other.iter() {
            let weight = self.weight(*term, *times);
            sum += weight * weight;
            shared += weight * self.weights[*term as usize];
        }
        let norms = self.norm * f64::sqrt(sum);
        if norms == 0.0 { 0.0 } else { shared / norms }
    }

    /// The names of at most so many terms that one of the others has too, those that say most first.
    pub(super) fn shared<'t>(
        &self,
        others: impl Iterator<Item = &'t Terms>,
        most: usize,
    ) -> Vec<Arc<str>> {
        let mut known = vec![false; self.weights.len()];
        others.flat_map(|terms| terms.iter()).for_each(|(term, _)| known[*term as usize] = true);
        let mut shared: Vec<u32> =
            self.terms.iter().map(|(term, _)| *term).filter(|term| known[*term as usize]).collect();
        let weight = |term: &u32| self.weights[*term as usize];
        shared.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        let name = |term: &u32| self.vocabulary.names[*term as usize].clone();
        shared.iter().take(most).map(name).collect()
    }
}
