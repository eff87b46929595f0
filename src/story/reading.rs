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

/// Words of headlines that comment on news or explain it, folded, with `*` how they begin: English,
/// Polish, Russian, Chinese, Korean.
const COMMENTARY: &[&str] = &[
    "analysis",
    "explained",
    "what we know",
    "view on",
    "dlaczego",
    "analiz*",
    "komentarz*",
    "felieton*",
    "мнение",
    "почему",
    "аналитик*",
    "комментари*",
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
/// The same where they label a headline: within it they may well be news.
const COMMENTARY_LABELS: &[&str] = &["opinion", "editorial", "explainer", "podcast"];
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
    "at a glance",
    "na zywo",
    "firstft",
    "this week",
    "the latest",
    "онлайн",
    "главное к",
    "滚动",
    "早报",
    "라이브",
    "브리핑",
];

/// The same where they label a headline.
const DIGEST_LABELS: &[&str] = &["briefing", "newsletter"];

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
        let digest =
            has_word(&folded, DIGEST) || is_labelled(&folded, DIGEST_LABELS) || is_live(&folded);
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
            commentary: digest || is_commentary(&item.title, &folded, &item.authors),
        }
    }

    /// The shingles of an item's text, with what its feed puts into many: of its headline only where
    /// it has nothing else.
    pub fn shingles(item: &Item) -> Shingles {
        let texts = [&item.summary, &item.content, &item.title];
        let text = texts.into_iter().find(|text| !text.trim().is_empty());
        Shingles::of(text.map_or("", String::as_str))
    }
}

/// Whether a headline comments; `title` is the headline as it stands, `headline` folded.
fn is_commentary(title: &str, headline: &str, authors: &[String]) -> bool {
    let headline = headline.trim();
    let first = |text: &str| -> String {
        let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        text.chars().take_while(|c| c.is_alphanumeric()).collect()
    };
    // WHO and IS are names.
    let name = first(title);
    let is_name = name.chars().all(char::is_uppercase) && title.chars().any(char::is_lowercase);
    // `Headline | Jane Roe`: columns are signed so, and whole sites too.
    let signed = headline
        .rsplit_once(" | ")
        .is_some_and(|(_, tail)| authors.iter().any(|author| fold(author).trim() == tail.trim()));
    (!is_name && COMMENTARY_STARTS.contains(&&*first(headline)))
        || headline.ends_with(['?', '？'])
        || signed
        || has_word(headline, COMMENTARY)
        || is_labelled(headline, COMMENTARY_LABELS)
}

/// Whether one of the words stands in the text. Chinese and Korean put nothing between words.
fn has_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let (form, begins) = match word.strip_suffix('*') {
            Some(form) => (form, true),
            None => (*word, false),
        };
        let alphabetic = form.chars().all(|c| (c as u32) < 0x1100);
        text.match_indices(form).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + form.len()..].chars().next();
            let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            !alphabetic || (!letter(before) && (begins || !letter(after)))
        })
    })
}

/// Whether one of the words labels a headline, at the end of a short part that stands by itself: `Opinion: …`,
/// `War briefing: …`, `… | Podcast`.
fn is_labelled(headline: &str, words: &[&str]) -> bool {
    /// Words of a label before the rest of a headline, or alone, and behind or within it, at most.
    const LONGEST: (usize, usize) = (3, 2);
    let parts = headline
        .split([':', '|', '–', '—', '·', '»', '/', ',', '(', ')', '[', ']'])
        .flat_map(|part| part.split(" - "))
        .filter(|part| !part.trim().is_empty());
    parts.enumerate().any(|(place, part)| {
        let mut label = part.split_whitespace();
        let most = if place == 0 { LONGEST.0 } else { LONGEST.1 };
        label.clone().count() <= most && label.next_back().is_some_and(|last| words.contains(&last))
    })
}

/// Whether a headline is that of a live page: `War live: minister arrives`, `live updates`.
fn is_live(headline: &str) -> bool {
    /// Words between `live` and the colon.
    const BETWEEN: usize = 2;
    headline.match_indices("live").any(|(at, form)| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (before, after) = (&headline[..at], &headline[at + form.len()..]);
        if letter(before.chars().next_back()) || letter(after.chars().next()) {
            return false;
        }
        let page = ["blog", "updates", "coverage", "ticker"];
        let next = after.trim_start_matches([' ', '-']);
        let colon = after.find(':').is_some_and(|end| {
            !after.starts_with('-') && after[..end].split_whitespace().count() <= BETWEEN
        });
        colon || page.iter().any(|word| next.starts_with(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemKey;
    use crate::story::lineage::COPY_FROM;

    #[track_caller]
    fn check(title: &str, commentary: bool) {
        let item = Item::titled(ItemKey::of("test", &[title]), title);
        assert_eq!(Reading::of(&item, None).commentary, commentary, "{title}");
    }

    #[test]
    fn headlines_that_comment_are_told_from_headlines_that_report() {
        check("Why the ministers met in the port", true);
        check("Will the treaty hold?", true);
        check("Komentarze po szczycie", true);
        check("Russia-Ukraine war live news: minister arrives", true);
        check("Storm live updates as ferries stop", true);
        check("War live: minister arrives", true);
        check("Почему министр уехал", true);
        check("社论：和平的代价", true);
        check("Minister arrives in the port", false);
        check("Ministers agree on delivery of grain", false);
        check("China begins live-fire drills around Taiwan", false);
        check("WHO declares emergency", false);
        check("IS claims responsibility for attack", false);
        check("Ferry disaster claims 300 lives", false);
        check("Liverpool dock closed", false);
        check("Concert broadcast live from the port", false);
        check("Missile strike kills forty | Harbour Post", false);
        check("Paralysis after strike", false);
        for labelled in [
            "Opinion: the treaty is dead",
            "[Opinion] The treaty is dead",
            "Opinion, Jane Roe: the treaty is dead",
            "The treaty is dead | Editorial",
            "How the treaty died (podcast)",
            "Harbour war briefing: minister arrives",
            "Your Wednesday Briefing",
            "Minister arrives - newsletter",
        ] {
            check(labelled, true);
        }
        for news in [
            "Treaty is signed, ministry confirms in briefing",
            "Ministry: strike confirmed in briefing",
            "Harbour: ministry denies briefing",
            "Court's first advisory opinion: island must be left",
            "Briefing room bombed: minister hurt",
            "Editorial staff arrested in the port",
            "Opinion poll delays the treaty",
            "Ministry: podcast host was shot before the talks began",
        ] {
            check(news, false);
        }
    }

    #[track_caller]
    fn check_copy(one: (&str, &str), other: (&str, &str), copy: bool) {
        let shingles = |(title, summary): (&str, &str)| {
            let mut item = Item::titled(ItemKey::of("test", &[title, summary]), title);
            item.summary = summary.to_owned();
            Reading::shingles(&item)
        };
        let share = shingles(one).containment(&shingles(other));
        assert_eq!(share >= COPY_FROM, copy, "{one:?}, {other:?}: {share}");
    }

    #[test]
    fn a_dispatch_under_a_headline_of_ones_own_is_a_copy() {
        check_copy(
            (
                "Quarrel over fishing rights: what the ministers of both islands now want to do",
                "The ministers of fisheries of both islands agreed on Tuesday to share the northern \
                 banks for two years, the ministry said.",
            ),
            (
                "Two years of peace on the northern banks? Fishermen in the harbour have their doubts",
                "The ministers of fisheries of both islands agreed to share the northern banks for \
                 two years. In the harbour of Delta they are not so sure.",
            ),
            true,
        );
    }

    #[test]
    fn one_headline_over_texts_of_ones_own_makes_no_copy() {
        let title =
            "Ministers of both islands agree to share the northern fishing banks for two years";
        check_copy(
            (title, "A quarrel of ten years ends, for now, with a map and four signatures."),
            (title, "Boats from either side may cast their nets until the autumn after next."),
            false,
        );
        check_copy((title, ""), (title, ""), true);
    }

    #[test]
    fn a_headline_that_its_author_signed_is_a_column() {
        let title = "Quiet deals in the north | Jane Roe";
        let mut item = Item::titled(ItemKey::of("test", &[title]), title);
        assert!(!Reading::of(&item, None).commentary);
        item.authors = vec!["Jane Roe".to_owned()];
        assert!(Reading::of(&item, None).commentary);
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
