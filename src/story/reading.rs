//! What stories need to know of an item's text, read once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lineage::{Shingles, Standing, Text, canonical_link};
use super::origin::{self, Named};
use super::words;
use crate::item::Item;
use crate::text::{Tokens, fold};

/// How often a word of the headline counts.
const HEADLINE_WEIGHT: u16 = 2;
/// Words of the summary that are compared: further down, texts tell what came before.
const SUMMARY_WORDS: usize = 40;

/// Words of headlines that comment on news or explain it, folded: English, Polish, Russian,
/// Chinese, Korean.
const COMMENTARY: &[&str] = &[
    "opinion",
    "analysis",
    "editorial",
    "explained",
    "explainer",
    "podcast",
    "what we know",
    "view on",
    "dlaczego",
    "analiza",
    "komentarz",
    "felieton",
    "мнение",
    "почему",
    "аналитик",
    "комментарий",
    "评论",
    "評論",
    "社论",
    "社評",
    "分析",
    "为什么",
    "사설",
    "칼럼",
    "기고",
    "왜",
];
/// Words with which such headlines begin.
const COMMENTARY_STARTS: &[&str] = &[
    "why",
    "how",
    "what",
    "who",
    "will",
    "can",
    "is",
    "are",
    "should",
    "czy",
    "почему",
    "зачем",
    "как",
];
/// Words of headlines over many things at once: live pages, briefings, digests.
const DIGEST: &[&str] = &[
    "live",
    "briefing",
    "at a glance",
    "na zywo",
    "firstft",
    "this week",
    "the latest",
    "newsletter",
    "онлайн",
    "главное к",
    "滚动",
    "早报",
    "라이브",
    "브리핑",
];

/// An item's text as stories compare it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Its terms, sorted, and how often each counts.
    pub(super) terms: Box<[(Arc<str>, u16)]>,
    /// Its text as lineages compare it.
    pub text: Text,
    /// The agency that it rests on.
    pub named: Option<Named>,
    /// The headline comments on news, explains it, or stands over many things at once.
    pub commentary: bool,
}

impl Reading {
    /// Reads an item. `standing` is what its feed puts into many items.
    pub fn of(item: &Item, standing: Option<&Standing>) -> Self {
        let body = if item.summary.is_empty() { &item.content } else { &item.summary };
        let folded = fold(&item.title);
        let digest = has_word(&folded, DIGEST);
        let mut tokens = Tokens::default();
        tokens.read(&item.title);
        let mut terms: Vec<(Arc<str>, u16)> =
            words::terms(&tokens).map(|term| (term, HEADLINE_WEIGHT)).collect();
        let mut headline: Vec<Arc<str>> = terms.iter().map(|(term, _)| term.clone()).collect();
        headline.sort();
        headline.dedup();
        if !digest {
            tokens.read(body);
            terms.extend(words::terms(&tokens).take(SUMMARY_WORDS).map(|term| (term, 1)));
        }
        terms.sort();
        terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        let named = origin::named(&item.title, body);
        let shingles = Self::shingles(item);
        Self {
            terms: terms.into(),
            text: Text {
                shingles: match standing {
                    Some(standing) => shingles.without(standing),
                    None => shingles,
                },
                headline: headline.into(),
                agency: named.filter(|named| named.mark).map(|named| named.id),
                link: item.link.as_deref().map(canonical_link),
            },
            named,
            commentary: digest || is_commentary(&folded),
        }
    }

    /// The shingles of an item, with what its feed puts into many.
    pub fn shingles(item: &Item) -> Shingles {
        let body = if item.summary.is_empty() { &item.content } else { &item.summary };
        Shingles::of(&[&item.title, body])
    }
}

fn is_commentary(headline: &str) -> bool {
    let headline = headline.trim();
    let start = headline.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    COMMENTARY_STARTS.contains(&start)
        || headline.ends_with(['?', '？'])
        || headline.contains(" | ")
        || has_word(headline, COMMENTARY)
}

/// Whether one of the words starts a word of the text.
fn has_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            !word.is_ascii() || !text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemKey;

    #[track_caller]
    fn check(title: &str, commentary: bool) {
        let item = Item::titled(ItemKey::of("test", &[title]), title);
        assert_eq!(Reading::of(&item, None).commentary, commentary, "{title}");
    }

    #[test]
    fn headlines_that_comment_are_told_from_headlines_that_report() {
        check("Why the ministers met in the port", true);
        check("Will the treaty hold?", true);
        check("Quiet deals in the north | Jane Roe", true);
        check("War live: minister arrives", true);
        check("Почему министр уехал", true);
        check("社论：和平的代价", true);
        check("Minister arrives in the port", false);
        check("Ministers agree on delivery of grain", false);
    }

    #[test]
    fn the_headline_counts_twice_and_a_digest_only_by_its_headline() {
        let mut item = Item::titled(ItemKey::of("test", &["1"]), "Minister arrives");
        item.summary = "The minister brought grain.".to_owned();
        let count = |reading: &Reading, wanted: &str| {
            reading.terms.iter().find(|(term, _)| &**term == wanted).map(|(_, count)| *count)
        };
        let reading = Reading::of(&item, None);
        assert_eq!((count(&reading, "minist"), count(&reading, "grain")), (Some(3), Some(1)));
        item.title = "Briefing: Minister arrives".to_owned();
        assert_eq!(count(&Reading::of(&item, None), "grain"), None);
    }
}
