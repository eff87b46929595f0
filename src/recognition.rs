//! Whether an item with an unknown key is one that the feed has shown before under another.
//!
//! The key under which an item was first stored stays its key for ever, as alerts and lists name it:
//! a new one is only another name.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::item::{Alias, Item, ItemKey, Proof};
use crate::pipeline::KnownItem;
use crate::text;

/// How similar headlines must be, from 0 to 1.
const SIMILAR: f64 = 0.85;
/// Characters of headlines that are compared.
const COMPARED: usize = 200;
/// A feed has changed its ids when so many of its items have new keys.
const FEWEST: usize = 5;
/// And this part of all that it shows, in percent.
const MOST_OF_THEM: usize = 60;
/// Other keys that are kept of one item: some feeds make new ones up each time.
pub const MOST_KEYS: u32 = 8;

/// A stored item that an alias leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namesake {
    /// The key it has.
    pub key: ItemKey,
    /// Its headline; empty when its texts are gone.
    pub title: String,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// How many other keys of it are kept.
    pub keys: u32,
    /// What else is known of it.
    pub known: KnownItem,
}

/// An item that came under another key than it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The key it has.
    pub key: ItemKey,
    /// Names under which it is to be found from now on.
    pub names: Vec<i64>,
}

/// Gives those of `items` the keys they have that came under others, and adds what is known of them
/// to `known`. Returns the names to keep, and whether the feed has changed its ids as a whole.
pub fn recognise(
    items: &mut [Item],
    known: &mut HashMap<ItemKey, KnownItem>,
    namesakes: &HashMap<i64, Namesake>,
) -> (Vec<Renamed>, bool) {
    // What stands in the document under its own key is not also there under another.
    let mut taken: HashSet<ItemKey> =
        items.iter().map(|item| item.key).filter(|key| known.contains_key(key)).collect();
    let (mut found, mut new_keys) = (Vec::new(), 0);
    for (index, item) in items.iter().enumerate() {
        if known.contains_key(&item.key) {
            continue;
        }
        let by_key = namesakes.get(&Alias::of_key(item.key, Proof::Enough).digest);
        let by_name = || {
            item.aliases.iter().filter_map(|alias| {
                namesakes
                    .get(&alias.digest)
                    .map(|namesake| (namesake, proof(item, *alias, namesake)))
            })
        };
        let (namesake, proof) = match by_key {
            Some(namesake) => (namesake, Proof::Enough),
            None => match by_name().min_by_key(|(_, proof)| *proof) {
                Some(best) => best,
                None => continue,
            },
        };
        if proof == Proof::Likeness || !taken.insert(namesake.key) {
            continue;
        }
        new_keys += usize::from(by_key.is_none() && namesake.keys < MOST_KEYS);
        found.push((index, namesake, proof));
    }
    let migrated = new_keys >= FEWEST && new_keys * 100 >= items.len() * MOST_OF_THEM;
    let mut renamed = Vec::new();
    for (index, namesake, proof) in found {
        if proof == Proof::Migration && !migrated {
            continue;
        }
        let item = &mut items[index];
        let new_key = Alias::of_key(item.key, Proof::Enough).digest;
        if !namesakes.contains_key(&new_key) && namesake.keys < MOST_KEYS {
            let names = item.aliases.iter().map(|alias| alias.digest);
            renamed.push(Renamed { key: namesake.key, names: names.chain([new_key]).collect() });
        }
        item.key = namesake.key;
        known.insert(namesake.key, namesake.known.clone());
    }
    (renamed, migrated)
}

/// What is left to prove of an item being the one that an alias of it leads to.
fn proof(item: &Item, alias: Alias, namesake: &Namesake) -> Proof {
    if alias.proof != Proof::Likeness {
        return alias.proof;
    }
    let times = item.published.zip(namesake.published);
    match times {
        Some((one, other)) if one == other => Proof::Enough,
        _ if !similar(&item.title, &namesake.title) => Proof::Likeness,
        // A page that shows one warning after the other has one address for all of them.
        Some(_) => Proof::Migration,
        None => Proof::Enough,
    }
}

fn similar(one: &str, other: &str) -> bool {
    let short = |title| text::fold(title).chars().take(COMPARED).collect::<String>();
    let (one, other) = (short(one), short(other));
    !one.is_empty() && strsim::normalized_levenshtein(&one, &other) >= SIMILAR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Fingerprint;

    fn item(key: &str, title: &str, aliases: &[(&str, Proof)]) -> Item {
        let mut item = Item::titled(ItemKey::of("guid", &[key]), title);
        let alias = |(name, proof): &(&str, Proof)| Alias::of("name", &[name], *proof);
        item.aliases = aliases.iter().map(alias).collect();
        item
    }

    fn stored(item: &Item) -> Namesake {
        Namesake {
            key: item.key,
            title: item.title.clone(),
            published: item.published,
            keys: 0,
            known: KnownItem { text: Some((Fingerprint::of(item), 1)), hits: Vec::new() },
        }
    }

    /// The items of a feed before and after; which of the new ones are recognised as which old one,
    /// and whether that is a migration.
    fn recognised(old: &[Item], new: &[Item]) -> (Vec<Option<usize>>, bool) {
        let mut namesakes = HashMap::new();
        for item in old {
            namesakes.extend(item.aliases.iter().map(|alias| (alias.digest, stored(item))));
        }
        let mut known: HashMap<_, _> =
            old.iter().map(|item| (item.key, stored(item).known)).collect();
        let mut items = new.to_vec();
        let (_, migrated) = recognise(&mut items, &mut known, &namesakes);
        let which = |item: &Item| old.iter().position(|old| old.key == item.key);
        (items.iter().map(which).collect(), migrated)
    }

    /// Whether an item with an unknown key is taken for the stored one.
    #[track_caller]
    fn check(proof: Proof, title: &str, same: bool) {
        let old = item("old", "Wang Yi meets Lavrov in Moscow", &[("a", proof)]);
        let new = item("new", title, &[("a", proof)]);
        assert_eq!(recognised(&[old], &[new]).0[0].is_some(), same, "{proof:?} {title}");
    }

    #[test]
    fn an_item_with_another_key_is_the_same_when_a_name_and_its_headline_say_so() {
        check(Proof::Likeness, "Wang Yi meets Lavrov in Moscow", true);
        check(Proof::Likeness, "WANG YI meets Lavrov  in Moscow!", true);
        check(Proof::Likeness, "Rain in Oslo", false);
        check(Proof::Enough, "Rain in Oslo", true);
        check(Proof::Migration, "Wang Yi meets Lavrov in Moscow", false);
    }

    #[test]
    fn the_same_time_of_publication_is_as_good_as_the_headline() {
        let mut old = item("old", "Talks begin", &[("a", Proof::Likeness)]);
        let mut new = item("new", "Oslo: first results", &[("a", Proof::Likeness)]);
        assert_eq!(recognised(std::slice::from_ref(&old), std::slice::from_ref(&new)).0, [None]);
        (old.published, new.published) = (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(recognised(&[old], &[new]).0, [Some(0)]);
    }

    #[test]
    fn what_stands_under_its_own_key_is_not_also_there_under_another() {
        let old = item("old", "Talks begin", &[("a", Proof::Enough)]);
        let new = item("new", "Talks begin", &[("a", Proof::Enough)]);
        assert_eq!(
            recognised(std::slice::from_ref(&old), &[old.clone(), new.clone()]).0,
            [Some(0), None]
        );
        let twin = item("twin", "Talks begin", &[("a", Proof::Enough)]);
        assert_eq!(recognised(&[old], &[new, twin]).0, [Some(0), None]);
    }

    #[test]
    fn another_time_of_publication_makes_another_item_of_a_similar_headline() {
        let published = |day: i64, mut item: Item| {
            item.published = Some(Timestamp::from_second(day * 86_400).unwrap());
            item
        };
        let names = [("the page", Proof::Likeness)];
        let old = published(1, item("1", "Missile warning, 24 November", &names));
        let new = published(2, item("2", "Missile warning, 25 November", &names));
        assert_eq!(recognised(&[old], &[new]).0, [None]);
    }

    /// A feed of ten items of which so many have new keys.
    fn feed(new_keys: usize, proof: Proof) -> (Vec<Item>, Vec<Item>) {
        let named = |key: String, n: usize| {
            item(&key, &format!("Headline {n}"), &[(&format!("name {n}"), proof)])
        };
        let old = (0..10).map(|n| named(format!("old {n}"), n)).collect();
        let prefix = |n| if n < new_keys { "new" } else { "old" };
        (old, (0..10).map(|n| named(format!("{} {n}", prefix(n)), n)).collect())
    }

    #[test]
    fn most_of_a_feed_under_new_keys_is_a_migration() {
        for (new_keys, migrated) in [(10, true), (6, true), (5, false), (0, false)] {
            let (old, new) = feed(new_keys, Proof::Enough);
            assert_eq!(recognised(&old, &new), ((0..10).map(Some).collect(), migrated));
        }
        let (old, new) = feed(4, Proof::Enough);
        assert!(!recognised(&old[..4], &new[..4]).1, "four are too few to tell");
    }

    #[test]
    fn a_weak_name_counts_in_a_migration_alone() {
        let (old, new) = feed(10, Proof::Migration);
        assert_eq!(recognised(&old, &new), ((0..10).map(Some).collect(), true));
        let (old, new) = feed(5, Proof::Migration);
        let (found, migrated) = recognised(&old, &new);
        assert_eq!((&found[..5], migrated), (&[None; 5][..], false));
    }

    #[test]
    fn an_item_that_is_known_under_its_new_key_is_renamed_once() {
        let old = item("old", "Talks begin", &[("a", Proof::Enough)]);
        let mut items = [item("new", "Talks begin", &[("a", Proof::Enough)])];
        let mut namesakes = HashMap::from([(old.aliases[0].digest, stored(&old))]);
        let (renamed, _) = recognise(&mut items, &mut HashMap::new(), &namesakes);
        assert_eq!(renamed[0].key, old.key);
        namesakes.extend(renamed[0].names.iter().map(|name| (*name, stored(&old))));
        let mut items = [item("new", "Talks begin", &[("a", Proof::Enough)])];
        let (renamed, _) = recognise(&mut items, &mut HashMap::new(), &namesakes);
        assert_eq!((items[0].key, renamed.len()), (old.key, 0));
    }

    #[test]
    fn a_feed_that_makes_up_new_keys_each_time_is_recognised_without_keeping_them() {
        let old = item("old", "Talks begin", &[("a", Proof::Enough)]);
        let mut items = [item("new", "Talks begin", &[("a", Proof::Enough)])];
        let many = Namesake { keys: MOST_KEYS, ..stored(&old) };
        let namesakes = HashMap::from([(old.aliases[0].digest, many)]);
        let (renamed, _) = recognise(&mut items, &mut HashMap::new(), &namesakes);
        assert_eq!((items[0].key, renamed.len()), (old.key, 0));
    }
}
