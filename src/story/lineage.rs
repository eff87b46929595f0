//! Lineages: items that are copies of one text, as a wire dispatch in many papers.
//!
//! Texts are compared by their shingles: runs of three words, or three Han characters. The share
//! of the shorter text that stands in the longer one is robust against feeds that cut texts off,
//! where the share of both together is not. Headlines are left out: papers put their own over a
//! dispatch, and one over texts of their own. What a feed puts into many of its items is taken out
//! first.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use hashbrown::HashTable;
use jiff::{SignedDuration, Timestamp};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet, FxHasher};
use serde::{Deserialize, Serialize};

use super::origin::AgencyId;
use crate::text::{Token, Tokens};

/// Words of a shingle.
const SHINGLE: usize = 3;
/// The share of the shorter text from which it is a copy.
pub const COPY_FROM: f64 = 0.5;
/// Shingles that a copy shares with the text at least: less is a phrase.
pub const FEWEST_SHARED: usize = 9;
/// Shingles of an item that are kept, from its start.
const MOST_SHINGLES: usize = 1_000;
/// How long a text can be copied.
pub const COPIED_WITHIN: SignedDuration = SignedDuration::from_hours(72);
/// The same agency and much the same headline within this time are one text.
const SAME_AGENCY_WITHIN: SignedDuration = SignedDuration::from_hours(12);
/// The share of the words of two headlines, of the same agency, from which the texts are one.
const SAME_HEADLINE_FROM: f64 = 0.6;
/// Texts of a rule that are remembered at once, as many as its reports that are read again after a
/// restart; the oldest make room.
const MOST_ROOTS: usize = 2_000;
/// Roots that share a shingle and are remembered under it.
const MOST_UNDER_ONE: usize = 64;
/// Items of a feed that are looked at for what it repeats.
pub const FEED_ITEMS: usize = 50;
/// In so many of them a shingle is the feed's own standing text.
const STANDING_FROM: u16 = 5;

/// The shingles of a text, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shingles(Box<[u32]>);

impl Shingles {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let mut tokens = Tokens::default();
        tokens.read(text);
        let hash = |window: &[Token]| {
            let mut hasher = FxHasher::default();
            window.iter().for_each(|token| tokens.form(token).hash(&mut hasher));
            // Half the bits will do: two shingles in four thousand million are taken for one.
            (hasher.finish() >> 32) as u32
        };
        let mut shingles: Vec<u32> =
            tokens.all().windows(SHINGLE).take(MOST_SHINGLES).map(hash).collect();
        shingles.sort_unstable();
        shingles.dedup();
        Self(shingles.into())
    }

    /// Those that are not the feed's own.
    pub fn without(self, standing: &Standing) -> Self {
        if standing.counts.is_empty() {
            return self;
        }
        Self(self.0.iter().copied().filter(|shingle| !standing.holds(*shingle)).collect())
    }

    /// The share of the shorter text that stands in the other; 0 where that is too little to tell.
    pub fn containment(&self, other: &Self) -> f64 {
        let shorter = self.0.len().min(other.0.len());
        let (mut left, mut right, mut shared) = (0, 0, 0_usize);
        while let (Some(a), Some(b)) = (self.0.get(left), other.0.get(right)) {
            shared += usize::from(a == b);
            left += usize::from(a <= b);
            right += usize::from(b <= a);
        }
        if shared < FEWEST_SHARED { 0.0 } else { shared as f64 / shorter as f64 }
    }
}

/// What one feed puts into many of its items: adverts, standing openings, templates.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    recent: VecDeque<Shingles>,
    counts: FxHashMap<u32, u16>,
}

impl Standing {
    /// Takes note of an item of the feed.
    pub fn see(&mut self, text: Shingles) {
        for shingle in &text.0 {
            *self.counts.entry(*shingle).or_default() += 1;
        }
        self.recent.push_back(text);
        if self.recent.len() > FEED_ITEMS
            && let Some(old) = self.recent.pop_front()
        {
            for shingle in &old.0 {
                if let Some(count) = self.counts.get_mut(shingle) {
                    *count -= 1;
                    if *count == 0 {
                        self.counts.remove(shingle);
                    }
                }
            }
        }
    }

    fn holds(&self, shingle: u32) -> bool {
        self.counts.get(&shingle).is_some_and(|count| *count >= STANDING_FROM)
    }
}

/// A text as lineages compare it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Its shingles, the feed's own taken out.
    pub shingles: Shingles,
    /// The words of its headline, each once, sorted.
    pub headline: Box<[Arc<str>]>,
    /// The agency whose mark it bears.
    pub agency: Option<AgencyId>,
    /// Its link without what trackers add.
    pub link: Option<Box<str>>,
}

/// A link without scheme, `www.`, fragment and query of trackers.
pub fn canonical_link(link: &str) -> Box<str> {
    let link = link.split('#').next().unwrap_or_default();
    let link = link.split_once("://").map_or(link, |(_, rest)| rest);
    let link = link.strip_prefix("www.").unwrap_or(link);
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let tracks = |pair: &&str| {
        !pair.is_empty()
            && !["utm_", "at_", "ns_", "fbclid", "gclid", "traffic_source", "src=rss"]
                .iter()
                .any(|tracker| pair.starts_with(tracker))
    };
    let kept: Vec<&str> = query.split('&').filter(tracks).collect();
    let path = path.trim_end_matches('/');
    if kept.is_empty() { path.into() } else { format!("{path}?{}", kept.join("&")).into() }
}

/// Where a text stands in its lineage.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The item that had the text first.
    pub root: Arc<str>,
    /// How much of the shorter text stands in the other, where this item is a copy; of items with one
    /// link, or of one agency, how much of their headlines is the same.
    pub copied: Option<f64>,
}

#[derive(Debug)]
struct Root {
    item: Arc<str>,
    at: Timestamp,
    text: Text,
}

/// The roots that hold each shingle, by number. There are as many pairs as words of all roots, so that
/// they lie in one table of eight bytes each, and not in a list a shingle.
#[derive(Debug, Default)]
struct Holders(HashTable<(u32, u32)>);

impl Holders {
    fn of(&self, shingle: u32) -> impl Iterator<Item = u32> {
        let near = self.0.iter_hash(FxBuildHasher.hash_one(shingle));
        near.filter(move |(held, _)| *held == shingle).map(|(_, number)| *number)
    }

    fn add(&mut self, shingle: u32, number: u32) {
        if self.of(shingle).nth(MOST_UNDER_ONE - 1).is_none() {
            let hash = |(shingle, _): &(u32, u32)| FxBuildHasher.hash_one(shingle);
            self.0.insert_unique(hash(&(shingle, number)), (shingle, number), hash);
        }
    }

    fn remove(&mut self, shingle: u32, number: u32) {
        let hash = FxBuildHasher.hash_one(shingle);
        if let Ok(entry) = self.0.find_entry(hash, |held| *held == (shingle, number)) {
            entry.remove();
        }
    }
}

/// The texts of the last [`COPIED_WITHIN`] that were nobody's copy.
#[derive(Debug, Default)]
pub struct Lineages {
    roots: VecDeque<Root>,
    /// The number of the first of `roots`: numbers go on when old ones leave, and last for four thousand
    /// million of them.
    first: u32,
    by_shingle: Holders,
    by_link: FxHashMap<Box<str>, u32>,
    by_agency: FxHashMap<AgencyId, VecDeque<u32>>,
}

impl Lineages {
    /// Places a text, and remembers it when it is nobody's copy.
    pub fn take(&mut self, item: &Arc<str>, text: &Text, now: Timestamp) -> Place {
        self.forget(now);
        if let Some((number, share)) = self.root_of(text, now) {
            let root = self.root(number).expect("only roots that are there are found");
            if root.item != *item {
                return Place { root: root.item.clone(), copied: Some(share) };
            }
            return Place { root: item.clone(), copied: None };
        }
        self.remember(item, text, now);
        Place { root: item.clone(), copied: None }
    }

    fn root(&self, number: u32) -> Option<&Root> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.roots.get(place)
    }

    fn root_of(&self, text: &Text, now: Timestamp) -> Option<(u32, f64)> {
        // One address may be a page of many reports: it makes one text only under one headline.
        if let Some(number) = text.link.as_ref().and_then(|link| self.by_link.get(link))
            && let Some(root) = self.root(*number)
        {
            let share = jaccard(&text.headline, &root.text.headline);
            if share >= SAME_HEADLINE_FROM {
                return Some((*number, share));
            }
        }
        let mut candidates = FxHashSet::default();
        for shingle in &text.shingles.0 {
            candidates.extend(self.by_shingle.of(*shingle));
        }
        let mut candidates: Vec<u32> = candidates.into_iter().collect();
        candidates.sort_unstable();
        let mut best: Option<(u32, f64)> = None;
        for number in candidates {
            let Some(root) = self.root(number) else { continue };
            let share = text.shingles.containment(&root.text.shingles);
            if share >= COPY_FROM && best.is_none_or(|(_, known)| share > known) {
                best = Some((number, share));
            }
        }
        best.or_else(|| {
            let numbers = self.by_agency.get(&text.agency?)?;
            numbers.iter().rev().find_map(|number| {
                let root = self.root(*number)?;
                let recent = now.duration_since(root.at) <= SAME_AGENCY_WITHIN;
                let share = jaccard(&text.headline, &root.text.headline);
                (recent && share >= SAME_HEADLINE_FROM).then_some((*number, share))
            })
        })
    }

    /// Remembers a text that was nobody's copy.
    pub fn remember(&mut self, item: &Arc<str>, text: &Text, now: Timestamp) {
        let number = self.first + self.roots.len() as u32;
        for shingle in &text.shingles.0 {
            self.by_shingle.add(*shingle, number);
        }
        if let Some(link) = &text.link {
            self.by_link.insert(link.clone(), number);
        }
        if let Some(agency) = text.agency {
            self.by_agency.entry(agency).or_default().push_back(number);
        }
        self.roots.push_back(Root { item: item.clone(), at: now, text: text.clone() });
    }

    fn forget(&mut self, now: Timestamp) {
        while self.roots.len() > MOST_ROOTS
            || self.roots.front().is_some_and(|root| now.duration_since(root.at) > COPIED_WITHIN)
        {
            let Some(root) = self.roots.pop_front() else { break };
            let number = self.first;
            self.first += 1;
            for shingle in &root.text.shingles.0 {
                self.by_shingle.remove(*shingle, number);
            }
            if let Some(link) = &root.text.link
                && self.by_link.get(link) == Some(&number)
            {
                self.by_link.remove(link);
            }
            if let Some(numbers) =
                root.text.agency.and_then(|agency| self.by_agency.get_mut(&agency))
            {
                numbers.retain(|other| *other != number);
            }
        }
    }
}

/// The share of two sorted sets that both have.
pub(super) fn jaccard<T: Ord>(left: &[T], right: &[T]) -> f64 {
    let shared = left.iter().filter(|item| right.binary_search(item).is_ok()).count();
    let all = left.len() + right.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISPATCH: &str = "The two ministers signed a plan for joint patrols on the northern \
        route after a day of talks in the port city, the foreign ministry said on Tuesday.";

    fn text(words: &str) -> Text {
        Text { shingles: Shingles::of(words), ..Text::default() }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_text_that_was_cut_off_is_a_copy_of_the_whole() {
        let mut lineages = Lineages::default();
        let whole = lineages.take(&"a/1".into(), &text(DISPATCH), at(0));
        assert_eq!(whole, Place { root: "a/1".into(), copied: None });
        let cut = lineages.take(&"b/1".into(), &text(&DISPATCH[..100]), at(1));
        assert_eq!(cut.root, "a/1".into());
        assert!(cut.copied.unwrap() > 0.9, "{cut:?}");
    }

    #[test]
    fn the_same_news_in_other_words_is_no_copy() {
        let mut lineages = Lineages::default();
        lineages.take(&"a/1".into(), &text(DISPATCH), at(0));
        let other = "Ships of both navies will sail the northern route together, according to a \
            document that their ministers put their names to on Tuesday.";
        assert_eq!(lineages.take(&"b/1".into(), &text(other), at(1)).copied, None);
    }

    #[test]
    fn a_clause_in_common_makes_no_copy() {
        let mut lineages = Lineages::default();
        let one = "The harbour master of Delta, who led the port for ten years, died on Tuesday.";
        let other = "Who led the port for ten years, died on Tuesday in his sleep at home.";
        lineages.take(&"a/1".into(), &text(one), at(0));
        assert_eq!(lineages.take(&"b/1".into(), &text(other), at(1)).copied, None);
    }

    #[test]
    fn a_shingle_leads_to_its_first_64_texts_until_they_are_forgotten() {
        let mut holders = Holders::default();
        for number in 0..70 {
            holders.add(1, number);
            holders.add(100 + number, 7);
        }
        let of = |holders: &Holders, shingle| {
            let mut of: Vec<u32> = holders.of(shingle).collect();
            of.sort_unstable();
            of
        };
        assert_eq!(of(&holders, 1), (0..MOST_UNDER_ONE as u32).collect::<Vec<_>>());
        assert_eq!(of(&holders, 102), [7]);
        for number in 0..70 {
            holders.remove(1, number);
        }
        assert!(of(&holders, 1).is_empty());
        assert_eq!(of(&holders, 102), [7]);
        assert!(of(&holders, 170).is_empty());
    }

    #[test]
    fn a_text_is_forgotten_after_three_days() {
        let mut lineages = Lineages::default();
        lineages.take(&"a/1".into(), &text(DISPATCH), at(0));
        assert_eq!(lineages.take(&"b/1".into(), &text(DISPATCH), at(73)).copied, None);
        assert_eq!(lineages.roots.len(), 1);
        assert_eq!(lineages.take(&"c/1".into(), &text(DISPATCH), at(74)).root, "b/1".into());
    }

    #[test]
    fn what_a_feed_says_in_many_of_its_items_makes_no_copy() {
        let advert = "Subscribe to our channel for more news from around the world every day.";
        let mut standing = Standing::default();
        let item = |number: usize| format!("{advert} Item {number} tells of place {number}.");
        for number in 0..6 {
            standing.see(Shingles::of(&item(number)));
        }
        let one = Shingles::of(&item(7));
        let two = Shingles::of(&item(8));
        assert!(one.containment(&two) > COPY_FROM);
        let one = one.without(&standing);
        assert_eq!(one.containment(&two.without(&standing)), 0.0);
    }

    #[test]
    fn the_same_agency_and_headline_make_one_text() {
        let headline = |words: &[&str]| {
            let mut words: Vec<Arc<str>> = words.iter().map(|word| (*word).into()).collect();
            words.sort();
            Text { headline: words.into(), agency: AgencyId::of("reuters"), ..Text::default() }
        };
        let mut lineages = Lineages::default();
        lineages.take(&"a/1".into(), &headline(&["talks", "end", "capital"]), at(0));
        let same =
            lineages.take(&"b/1".into(), &headline(&["talks", "end", "capital", "x"]), at(1));
        assert_eq!(same.root, "a/1".into());
        let late = lineages.take(&"c/1".into(), &headline(&["talks", "end", "capital"]), at(14));
        assert_eq!(late.copied, None);
    }

    #[test]
    fn one_link_is_one_text_only_under_one_headline() {
        let item = |words: &[&str]| {
            let mut words: Vec<Arc<str>> = words.iter().map(|word| (*word).into()).collect();
            words.sort();
            let link = Some(canonical_link("https://example.org/live#1"));
            Text { headline: words.into(), link, ..Text::default() }
        };
        let mut lineages = Lineages::default();
        lineages.take(&"a/1".into(), &item(&["treaty", "signed", "delta"]), at(0));
        let same = lineages.take(&"b/1".into(), &item(&["treaty", "signed", "delta"]), at(1));
        assert_eq!((same.root, same.copied), ("a/1".into(), Some(1.0)));
        let other = lineages.take(&"a/2".into(), &item(&["palace", "bombed", "delta"]), at(2));
        assert_eq!(other.copied, None, "a page of many reports");
    }

    #[test]
    fn one_link_is_one_address_whatever_trackers_add() {
        assert_eq!(
            canonical_link("https://www.example.org/a/?utm_source=rss&id=5#top"),
            canonical_link("http://example.org/a?id=5")
        );
        assert_ne!(
            canonical_link("https://example.org/a?id=5"),
            canonical_link("https://example.org/a?id=6")
        );
    }
}
