//! What makes an item the same item at the next poll.
//!
//! In this order: the guid, unless it says nothing or several items of the document share it; then
//! the guid with the link; the link, when no other item has it; link, title and date; title and
//! date; the text. Never the place in the document, and never chance.

use std::collections::HashMap;

use url::Url;

use super::address::Plain;
use super::aliases;
use crate::item::{Item, ItemKey};

/// Guids that identify nothing.
const PLACEHOLDERS: &[&str] =
    &["", "0", "-1", "n/a", "na", "none", "null", "nil", "undefined", "unknown", "guid", "id", "#"];
/// Parameters of links that change without the page changing.
const TRACKING: &[&str] = &[
    "utm_",
    "fbclid",
    "gclid",
    "yclid",
    "mc_cid",
    "mc_eid",
    "at_medium",
    "at_campaign",
    "cmpid",
    "ns_",
];

/// Gives every item its key.
pub(super) fn assign(items: Vec<(Item, String)>) -> Vec<Item> {
    let keys = keys(&items);
    let mut seen: HashMap<ItemKey, usize> = HashMap::new();
    let mut out = Vec::with_capacity(items.len());
    for ((mut item, raw_date), key) in items.into_iter().zip(keys) {
        item.key = key;
        // Two items with one guid and one link are told apart by what they say; where that is the
        // same too, they are one item that stands twice, and have one key.
        let first = *seen.entry(item.key).or_insert(out.len());
        if let Some(first) = out.get(first)
            && said(first) != said(&item)
        {
            let said = said(&item).to_string();
            item.key = ItemKey::of("twin", &[&item.key.to_string(), &said]);
        }
        item.aliases = aliases::of(&item, &raw_date);
        out.push(item);
    }
    aliases::drop_shared(&mut out);
    out
}

/// The keys of the items of a document, by what each has that no other has.
fn keys(items: &[(Item, String)]) -> Vec<ItemKey> {
    let ids: Vec<Option<&str>> = items.iter().map(|(item, _)| identifying(item)).collect();
    let id_counts = counts(ids.iter().copied().flatten());
    let is_own = |id: &Option<&str>| id.is_some_and(|id| id_counts[id] == 1);
    if ids.iter().all(is_own) {
        return ids.iter().flatten().map(|id| ItemKey::of("guid", &[id])).collect();
    }
    let links: Vec<Option<String>> =
        items.iter().map(|(item, _)| item.link.as_deref().map(canonical)).collect();
    let link_counts = counts(links.iter().flatten().map(String::as_str));
    let mut keys = Vec::with_capacity(items.len());
    for ((item, raw_date), (id, link)) in items.iter().zip(ids.iter().zip(&links)) {
        let title = item.title.as_str();
        keys.push(match (id, link) {
            (Some(id), _) if is_own(&Some(id)) => ItemKey::of("guid", &[id]),
            (Some(id), Some(link)) => ItemKey::of("guid+link", &[id, link]),
            (Some(id), None) => ItemKey::of("guid+title", &[id, title]),
            (None, Some(link)) if link_counts[link.as_str()] == 1 => ItemKey::of("link", &[link]),
            (None, Some(link)) => ItemKey::of("link+title+date", &[link, title, raw_date]),
            (None, None) if !title.is_empty() => ItemKey::of("title+date", &[title, raw_date]),
            (None, None) => ItemKey::of("text", &[&item.summary, &item.content, raw_date]),
        });
    }
    keys
}

/// Whether an item has its key from its id, and from nothing else.
pub(super) fn is_by_id_alone(item: &Item) -> bool {
    identifying(item).is_some_and(|id| item.key == ItemKey::of("guid", &[id]))
}

/// Whether an item that a document shows alone is known by its link, and its link or that it has no date
/// says that the next one may well come under the same: `site` is what the feed itself links to.
pub(super) fn may_be_one_page(item: &Item, site: Option<&str>) -> bool {
    let Some(link) = item.link.as_deref().filter(|_| identifying(item).is_none()) else {
        return false;
    };
    item.published.is_none() || site.is_some_and(|site| canonical(site) == canonical(link))
}

/// How often each value is there.
fn counts<'v>(values: impl Iterator<Item = &'v str>) -> HashMap<&'v str, usize> {
    let mut counts = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// A digest of what an item says.
fn said(item: &Item) -> ItemKey {
    ItemKey::of("said", &[&item.title, &item.summary, &item.content])
}

fn identifying(item: &Item) -> Option<&str> {
    let id = item.id.as_deref()?.trim();
    let is_placeholder = PLACEHOLDERS.iter().any(|none| none.eq_ignore_ascii_case(id));
    (!is_placeholder).then_some(id)
}

/// A link without what changes although the page does not. For comparison only.
fn canonical(link: &str) -> String {
    if let Some(plain) = Plain::parse(link) {
        return [plain.scheme, plain.host, plain.path, &plain.query(is_kept)].concat();
    }
    Url::parse(link).map_or_else(|_| link.trim().to_owned(), |url| untracked(url).to_string())
}

/// Whether a parameter of an address says more than who follows it.
pub(super) fn is_kept(name: &str) -> bool {
    !TRACKING.iter().any(|tracking| name.starts_with(tracking))
}

/// An address without its fragment and what only follows its readers.
pub(super) fn untracked(mut url: Url) -> Url {
    url.set_fragment(None);
    if url.query().is_some() {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| is_kept(name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn item(id: Option<&str>, link: Option<&str>, title: &str) -> (Item, String) {
        let mut item = Item::titled(ItemKey::of("none", &[]), title);
        item.id = id.map(str::to_owned);
        item.link = link.map(str::to_owned);
        (item, String::new())
    }

    #[track_caller]
    fn keys(items: &[(Item, String)]) -> Vec<ItemKey> {
        assign(items.to_vec()).iter().map(|item| item.key).collect()
    }

    #[test]
    fn an_edited_title_or_a_new_order_changes_no_key() {
        let a = item(Some("1"), Some("https://e.org/1"), "a");
        let b = item(None, Some("https://e.org/2?utm_source=rss"), "b");
        let mut both = keys(&[a.clone(), b]);
        let edited = item(None, Some("https://e.org/2"), "b, edited");
        both.reverse();
        assert_eq!(keys(&[edited, a]), both);
    }

    #[test]
    fn items_that_share_a_guid_are_different_items() {
        let shared = |n: u32| item(Some("same"), Some(&format!("https://e.org/{n}")), "t");
        let two = keys(&[shared(1), shared(2)]);
        let three = keys(&[shared(3), shared(1), shared(2)]);
        assert_eq!(three[1..], two);
        assert_eq!(three.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn an_item_that_stands_twice_is_one_item() {
        let same = keys(&[item(None, None, "t"), item(None, None, "t")]);
        assert_eq!(same[0], same[1]);
        let twin = |title| item(Some("1"), Some("https://e.org/1"), title);
        let different = keys(&[twin("a"), twin("b")]);
        assert_ne!(different[0], different[1]);
    }

    #[test]
    fn a_placeholder_is_no_identity() {
        let with = |id| keys(&[item(Some(id), Some("https://e.org/1"), "t")]);
        assert_eq!(with("N/A"), with("null"));
    }
}
