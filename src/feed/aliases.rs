//! Under what other names an item may be known, should its key change: a publisher who moves to
//! https, to another domain or to other software gives every entry a new guid.

use std::collections::HashMap;

use url::Url;

use super::address::Plain;
use super::identity::{is_kept, untracked};
use crate::item::{Alias, Item, ItemKey, Proof};
use crate::text;

/// The aliases of an item whose dates are written like that.
pub(super) fn of(item: &Item, raw_date: &str) -> Vec<Alias> {
    let link = item.link.as_ref().filter(|link| item.id.as_ref() != Some(link));
    let mut aliases: Vec<Alias> = item
        .id
        .iter()
        .chain(link)
        .filter_map(|text| address(text))
        .map(|address| Alias::of("address", &[&address], Proof::Likeness))
        .collect();
    let title = text::fold(&item.title);
    if !title.is_empty() && !raw_date.is_empty() {
        // A day alone is little: a bulletin may come twice a day under one headline.
        let has_time = raw_date.contains(':') && !raw_date.contains("00:00:00");
        let proof = if has_time { Proof::Enough } else { Proof::Migration };
        aliases.push(Alias::of("title+date", &[&title, raw_date], proof));
    }
    aliases.dedup();
    aliases
}

/// Takes those aliases away that do not tell the items of a document apart.
pub(super) fn drop_shared(items: &mut [Item]) {
    let mut owners: HashMap<i64, Option<ItemKey>> = HashMap::new();
    for item in items.iter() {
        for alias in &item.aliases {
            let owner = owners.entry(alias.digest).or_insert(Some(item.key));
            *owner = owner.filter(|owner| *owner == item.key);
        }
    }
    for item in items {
        item.aliases.retain(|alias| owners[&alias.digest].is_some());
    }
}

/// An address without scheme, `www.`, fragment, tracking and the slash at its end; none for the
/// front page of a site, which is no item's own.
fn address(text: &str) -> Option<String> {
    let write = |host: &str, path: &str, query: &str| {
        let host = host.strip_prefix("www.").unwrap_or(host);
        let path = path.trim_end_matches('/');
        (!path.is_empty() || !query.is_empty()).then(|| [host, path, query].concat())
    };
    if let Some(plain) = Plain::parse(text.trim()) {
        return write(plain.host, plain.path, &plain.query(is_kept));
    }
    // Most ids are none.
    let text = Some(text.trim()).filter(|text| text.contains('/'))?;
    let url = untracked(Url::parse(text).ok()?);
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    write(url.host_str()?, url.path(), &query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, link: &str) -> Item {
        let mut item = Item::titled(ItemKey::of("guid", &[id]), "Talks in Oslo");
        item.id = Some(id.to_owned());
        item.link = Some(link.to_owned());
        item
    }

    #[track_caller]
    fn check(one: (&str, &str), other: (&str, &str), common: usize) {
        let aliases = |(id, link)| of(&item(id, link), "");
        let (one, other) = (aliases(one), aliases(other));
        assert_eq!(one.iter().filter(|alias| other.contains(alias)).count(), common);
    }

    #[test]
    fn an_address_is_the_same_whatever_its_scheme_slash_and_fragment() {
        let old = ("http://www.e.org/2023/talks", "http://www.e.org/2023/talks/?utm_source=rss");
        check(old, ("https://e.org/2023/talks/#new", "https://e.org/2023/talks"), 1);
        check(old, ("tag:e.org,2023:7", "https://e.org/2023/talks"), 1);
        check(old, ("https://e.org/?p=7", "https://e.org/2023/visit"), 0);
        check(("a", "https://e.org/"), ("b", "https://e.org/"), 0);
    }

    #[test]
    fn a_headline_with_its_time_is_a_name_and_with_its_day_a_weak_one() {
        let aliases = |date| of(&item("a", "b"), date);
        assert_eq!(aliases("Tue, 19 Sep 2023 10:00:00 GMT")[0].proof, Proof::Enough);
        assert_eq!(aliases("2023-09-19")[0].proof, Proof::Migration);
        assert_eq!(aliases("Tue, 19 Sep 2023 00:00:00 GMT")[0].proof, Proof::Migration);
        assert_eq!(aliases(""), []);
    }

    #[test]
    fn what_two_items_of_a_document_have_in_common_is_no_name_of_either() {
        let mut items = vec![item("1", "https://e.org/live"), item("2", "https://e.org/live")];
        for item in &mut items {
            item.aliases = of(item, "");
        }
        items.push(items[0].clone());
        drop_shared(&mut items);
        assert!(items.iter().all(|item| item.aliases.is_empty()));
        let mut twice = vec![item("1", "https://e.org/live"); 2];
        for item in &mut twice {
            item.aliases = of(item, "");
        }
        drop_shared(&mut twice);
        assert_eq!(twice[0].aliases.len(), 1, "an item that stands twice is one item");
    }
}
