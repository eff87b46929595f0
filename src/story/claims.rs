//! Cues of claims: words that deny, allege, confirm, plan or attribute, in the sentences in which a
//! rule matched. They are counted and quoted, never judged, and hold nothing back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::hit::Span;
use crate::item::{Field, Item};
use crate::text::{Script, Token, Tokens};

/// Words before a cue in which a negator turns it round.
const NEGATED_WITHIN: usize = 3;
/// Cues of one item that are kept.
const MOST_CUES: usize = 16;
/// Bytes of a text that are read; each of its words is compared with every cue.
const LONGEST_TEXT: usize = 20_000;
/// Quotes of a record.
const MOST_QUOTED: usize = 6;
/// Characters of a quote.
const LONGEST_QUOTE: usize = 200;

/// What a cue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// That somebody denies.
    Denied,
    /// That somebody accuses, or that it is said.
    Alleged,
    /// That somebody confirms.
    Confirmed,
    /// That it is to come.
    Planned,
    /// That somebody says so.
    Attributed,
    /// A denial with a negator before it.
    NotDenied,
    /// An allegation with a negator before it.
    NotAlleged,
    /// A confirmation with a negator before it.
    NotConfirmed,
    /// A plan with a negator before it.
    NotPlanned,
    /// A statement with a negator before it.
    NotAttributed,
}

impl Class {
    /// The word that records and lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Denied => "denied",
            Class::Alleged => "alleged",
            Class::Confirmed => "confirmed",
            Class::Planned => "planned",
            Class::Attributed => "attributed",
            Class::NotDenied => "not-denied",
            Class::NotAlleged => "not-alleged",
            Class::NotConfirmed => "not-confirmed",
            Class::NotPlanned => "not-planned",
            Class::NotAttributed => "not-attributed",
        }
    }

    fn negated(self) -> Self {
        match self {
            Class::Denied => Class::NotDenied,
            Class::Alleged => Class::NotAlleged,
            Class::Confirmed => Class::NotConfirmed,
            Class::Planned => Class::NotPlanned,
            Class::Attributed => Class::NotAttributed,
            other => other,
        }
    }
}

/// A cue, with the sentence it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cue {
    /// What it says.
    pub class: Class,
    /// The sentence, cut to a quote.
    pub quote: String,
}

/// Cues, folded: words as they stand, or with `*` how they begin; or several in a row.
const CUES: &[(Class, &[&str])] = &[
    (
        Class::Denied,
        &[
            "denie*",
            "deny",
            "denying",
            "denial",
            "refut*",
            "baseless",
            "dismisse*",
            "rejects",
            "untrue",
            "not true",
            "isn t true",
            "no truth",
            "no such",
            "is false",
            "are false",
            "was false",
            "were false",
            "groundless",
            "unfounded",
            "bogus",
            "hoax",
            "fake",
            "fabricat*",
            "nieprawd*",
            "zaprzecz*",
            "dementuj*",
            "bezpodstawn*",
            "опроверг*",
            "отрица*",
            "фейк*",
            "отверг*",
            "недостоверн*",
            "неправд*",
            "не соответству* действительности",
            "беспочвенн*",
            "голословн*",
            "безосновательн*",
            "спростув*",
            "заперечу*",
            "безпідставн*",
            "не відповіда* дійсності",
            "否认",
            "否認",
            "不属实",
            "不屬實",
            "不实",
            "驳斥",
            "駁斥",
            "无稽之谈",
            "無稽之談",
            "子虚乌有",
            "子虛烏有",
            "毫无根据",
            "毫無根據",
            "无中生有",
            "無中生有",
            "부인*",
            "반박*",
            "일축*",
            "사실무근*",
            "사실이 아니*",
            "사실과 다르*",
            "근거 없*",
            "허위*",
        ],
    ),
    (
        Class::Alleged,
        &[
            "alleg*",
            "reportedly",
            "accus*",
            "rumor*",
            "rumour*",
            "claims",
            "claimed",
            "rzekom*",
            "oskarz*",
            "якобы",
            "обвин*",
            "предположительно",
            "нібито",
            "звинува*",
            "据称",
            "據稱",
            "指控",
            "传闻",
            "疑似",
            "의혹*",
            "주장*",
        ],
    ),
    (
        Class::Confirmed,
        &[
            "confirm*",
            "acknowledg*",
            "admit*",
            "potwierdz*",
            "przyzna*",
            "подтверд*",
            "подтвержд*",
            "признал*",
            "підтверд*",
            "证实",
            "證實",
            "确认",
            "確認",
            "承认",
            "확인*",
            "인정*",
        ],
    ),
    (
        Class::Planned,
        &[
            "expected",
            "planned",
            "plans",
            "planning",
            "intends",
            "planuje*",
            "zamierz*",
            "планир*",
            "намерен*",
            "плану*",
            "拟",
            "将",
            "將",
            "计划",
            "計劃",
            "예정*",
            "계획*",
        ],
    ),
    (
        Class::Attributed,
        &[
            "says",
            "said",
            "сказал*",
            "заявил*",
            "сообщил*",
            "powiedzial*",
            "oswiadcz*",
            "заявив*",
            "表示",
            "称",
            "稱",
            "밝혔*",
            "말했*",
            "전했*",
        ],
    ),
];

/// Cues of planning only where "to" and a verb of going or meeting follow.
const TO_COME: &[&str] =
    &["visit", "meet", "travel", "host", "attend", "arrive", "hold", "discuss"];

/// Words that turn a cue round.
const NEGATORS: &[&str] = &[
    "not", "no", "never", "cannot", "nor", "doesn", "didn", "don", "hasn", "won", "nie", "не",
    "нет", "ни", "未", "无", "無", "不", "没", "沒", "않*", "못*", "안",
];

/// Words that do so with "to" and the cue behind them, and an adverb between these at most: who refuses
/// or is unable to confirm does not confirm, but who denies when asked to comment denies.
const REFUSE_TO: &[&str] = &[
    "refus*", "declin*", "unable", "fail", "fails", "failed", "yet", "hope*", "hoping", "wait*",
    "ask*", "struggl*",
];
/// Words that do so right before the cue.
const REFUSE: &[&str] = &[
    "stop*",
    "neither",
    "without",
    "отказ*",
    "відмов*",
    "odmow*",
    "odmawia*",
    "brak",
    "braku",
    "bez",
    "без",
    "拒绝",
    "拒絕",
];
/// Korean words that do so right behind it.
const REFUSE_BEHIND: &[&str] = &["거부*", "거절*"];

/// What is denied or rejected and is no claim: entry, an appeal. Words of denial, what follows them, and
/// how many words behind at most.
const NO_CLAIM: &[(&[&str], &[&str], usize)] = &[
    (
        &["denied"],
        &["entry", "bail", "access", "visa", "visas", "parole", "asylum", "permission", "boarding"],
        1,
    ),
    (
        &["rejects", "dismisse*"],
        &[
            "appeal",
            "bid",
            "motion",
            "request",
            "petition",
            "offer",
            "proposal",
            "plan",
            "deal",
            "treaty",
            "call",
            "calls",
            "demand",
            "demands",
            "invitation",
        ],
        4,
    ),
];
/// With one of these it is a claim all the same.
const CLAIM: &[&str] = &["claim*", "alleg*", "accus*", "report*", "charge*", "suggest*"];

/// The cues in the sentences of an item that hold one of the spans.
pub fn cues(item: &Item, spans: &[Span]) -> Vec<Cue> {
    let mut found = Vec::new();
    let mut tokens = Tokens::default();
    for (field, text) in [
        (Field::Title, &item.title),
        (Field::Summary, &item.summary),
        (Field::Content, &item.content),
    ] {
        let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let text = &text[..end.unwrap_or(0)];
        let places: Vec<(usize, usize)> = spans
            .iter()
            .filter(|span| span.field == field)
            .filter_map(|span| bytes(text, span.start, span.end))
            .collect();
        if places.is_empty() {
            continue;
        }
        tokens.read(text);
        let all = tokens.all();
        let mut start = 0;
        while start < all.len() && found.len() < MOST_CUES {
            let sentence = all[start].sentence;
            let length = all[start..].iter().take_while(|token| token.sentence == sentence).count();
            let words = &all[start..start + length];
            let (from, to) = (words[0].start as usize, words[length - 1].end as usize);
            if places.iter().any(|(a, b)| *a < to && from < *b) {
                for class in classes(&tokens, words) {
                    found.push(Cue { class, quote: quote(&text[from..to]) });
                }
            }
            start += length;
        }
    }
    found.truncate(MOST_CUES);
    found
}

/// What a record says of its cues.
pub const NOTE: &str = "lexical cues, not a judgement";

/// The cues as an alert record has them: counts by class, and quotes with the item they stand in.
/// Nothing where there are none.
pub fn record(cues: &[Cue], item: &str) -> Option<Value> {
    if cues.is_empty() {
        return None;
    }
    let counts = counts(cues).into_iter();
    let mut counts: Map<String, Value> =
        counts.map(|(class, count)| (class.as_str().to_owned(), json!(count))).collect();
    let quotes = cues.iter().take(MOST_QUOTED);
    let quotes: Vec<Value> = quotes
        .map(|cue| json!({"class": cue.class.as_str(), "text": cue.quote, "item": item}))
        .collect();
    counts.insert("note".to_owned(), json!(NOTE));
    counts.insert("quotes".to_owned(), quotes.into());
    Some(Value::Object(counts))
}

/// How often each class occurs.
pub fn counts(cues: &[Cue]) -> Vec<(Class, usize)> {
    let mut counts = Vec::new();
    for cue in cues {
        count(&mut counts, cue.class);
    }
    counts
}

/// Counts one more of a class.
pub(super) fn count(counts: &mut Vec<(Class, usize)>, class: Class) {
    match counts.iter_mut().find(|(known, _)| *known == class) {
        Some((_, count)) => *count += 1,
        None => counts.push((class, 1)),
    }
}

/// The classes of the cues of a sentence, each once.
fn classes(tokens: &Tokens, words: &[Token]) -> Vec<Class> {
    let mut found = Vec::new();
    for place in 0..words.len() {
        let mut class = CUES
            .iter()
            .find(|(_, cues)| cues.iter().any(|cue| stands(tokens, &words[place..], cue)))
            .map(|(class, _)| *class);
        if class.is_none()
            && tokens.form(&words[place]) == "to"
            && words.get(place + 1).is_some_and(|next| TO_COME.contains(&tokens.form(next)))
        {
            class = Some(Class::Planned);
        }
        let Some(class) = class else { continue };
        let rest = &words[place..];
        let claims = |at: usize| CLAIM.iter().any(|cue| stands(tokens, &rest[at..], cue));
        let no_claim = |(cues, what, within): &(&[&str], &[&str], usize)| {
            let behind = &rest[1..rest.len().min(1 + within)];
            cues.iter().any(|cue| stands(tokens, rest, cue))
                && behind.iter().any(|word| what.contains(&tokens.form(word)))
                && !(1..=behind.len()).any(claims)
        };
        if class == Class::Denied && NO_CLAIM.iter().any(no_claim) {
            continue;
        }
        let before = place.saturating_sub(NEGATED_WITHIN)..place;
        // Korean negates after the verb.
        let after = place + 1..(place + 1 + NEGATED_WITHIN).min(words.len());
        let any =
            |at: usize, cues: &[&str]| cues.iter().any(|cue| stands(tokens, &words[at..], cue));
        let ends = |at: usize, suffix| {
            words.get(at).is_some_and(|word| tokens.form(word).ends_with(suffix))
        };
        let refuses_to = |at: usize| {
            any(at, REFUSE_TO)
                && tokens.form(&words[at + 1]) == "to"
                && (at + 2 == place || at + 3 == place && ends(at + 2, "ly"))
        };
        let refuses = |at: usize, cue: &str| {
            let length = if cue.starts_with('拒') { 2 } else { 1 };
            at + length == place && stands(tokens, &words[at..], cue)
        };
        let negates = |at: usize| {
            any(at, NEGATORS)
                || refuses_to(at)
                || any(at, &["short of"])
                || REFUSE.iter().any(|cue| refuses(at, cue))
        };
        let hangul = words[place].script == Script::Hangul;
        let negated = before.clone().any(negates)
            || hangul && after.clone().any(|at| any(at, NEGATORS))
            || hangul && place + 1 < words.len() && any(place + 1, REFUSE_BEHIND);
        let class = if negated { class.negated() } else { class };
        if !found.contains(&class) {
            found.push(class);
        }
    }
    found
}

/// Whether a cue stands at the start of these words. Han characters are words of their own.
fn stands(tokens: &Tokens, words: &[Token], cue: &str) -> bool {
    if words[0].script == Script::Han {
        let mut words = words.iter();
        return cue.chars().all(|character| {
            let mut buffer = [0; 4];
            words
                .next()
                .is_some_and(|token| tokens.form(token) == &*character.encode_utf8(&mut buffer))
        });
    }
    let mut words = words.iter();
    cue.split(' ').all(|cue| {
        let Some(word) = words.next() else { return false };
        let form = tokens.form(word);
        match cue.strip_suffix('*') {
            Some(start) => form.starts_with(start),
            None => form == cue,
        }
    })
}

/// Where a span stands, in bytes.
fn bytes(text: &str, start: u32, end: u32) -> Option<(usize, usize)> {
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = starts.nth(start as usize)?;
    let length = end.checked_sub(start)?.checked_sub(1)?;
    let to = starts.nth(length as usize)?;
    Some((from, to))
}

fn quote(sentence: &str) -> String {
    match sentence.char_indices().nth(LONGEST_QUOTE) {
        None => sentence.to_owned(),
        Some((end, _)) => format!("{}…", sentence[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemKey;

    fn found(text: &str, word: &str) -> Vec<Cue> {
        let item = Item::titled(ItemKey::of("test", &[text]), text);
        let start = text[..text.find(word).expect("the word is there")].chars().count() as u32;
        let span = Span {
            field: Field::Title,
            start,
            end: start + word.chars().count() as u32,
            text: word.to_owned(),
            term: "@x".into(),
            alias: None,
        };
        cues(&item, &[span])
    }

    #[track_caller]
    fn check(text: &str, word: &str, expected: &[Class]) {
        let classes: Vec<Class> = found(text, word).iter().map(|cue| cue.class).collect();
        assert_eq!(classes, expected, "{text}");
    }

    #[test]
    fn cues_are_found_in_four_languages() {
        check("Kremlin denies arms deal", "arms", &[Class::Denied]);
        check("Pyongyang allegedly shipped shells", "shells", &[Class::Alleged]);
        check("Ministry confirms the visit", "visit", &[Class::Confirmed]);
        check("Minister to visit the capital", "capital", &[Class::Planned]);
        check("Кремль опроверг сделку", "сделку", &[Class::Denied]);
        check("外交部否认军火交易", "军火", &[Class::Denied]);
        check("국방부 무기 거래 부인했다", "무기", &[Class::Denied]);
        check("Кремль подтвердил визит", "визит", &[Class::Confirmed]);
        check("Reports of arms deal are false, Kremlin insists", "arms", &[Class::Denied]);
        check("Talk of an arms deal isn't true, ministry insists", "arms", &[Class::Denied]);
        check("Сообщения о сделке не соответствуют действительности", "сделке", &[Class::Denied]);
        check("军火交易纯属无稽之谈", "军火", &[Class::Denied]);
        check("무기 거래는 사실이 아니라고", "무기", &[Class::Denied]);
        check("False flag attack on arms depot", "arms", &[]);
        check("Minister arrives", "Minister", &[]);
    }

    #[test]
    fn a_negator_before_a_cue_turns_it_round() {
        check("Kremlin does not deny arms deal", "arms", &[Class::NotDenied]);
        check("Кремль не подтвердил визит", "визит", &[Class::NotConfirmed]);
        check("外交部未证实访问", "访问", &[Class::NotConfirmed]);
    }

    #[test]
    fn who_does_not_confirm_does_not_confirm() {
        for title in [
            "Ministry refuses to confirm the visit",
            "Ministry declined to confirm the visit",
            "Ministry unable to confirm the visit",
            "Ministry has yet to confirm the visit",
            "Ministry stops short of confirming the visit",
            "Ministry declined to immediately confirm the visit",
            "Visit goes on without confirmation",
        ] {
            check(title, "isit", &[Class::NotConfirmed]);
        }
        check(
            "Ministry can neither confirm nor deny the visit",
            "visit",
            &[Class::NotConfirmed, Class::NotDenied],
        );
        check("Mayor declines to deny the visit", "visit", &[Class::NotDenied]);
        check("В Кремле отказались подтвердить визит", "визит", &[Class::NotConfirmed]);
        check("Ministerstwo odmówiło potwierdzenia wizyty", "wizyty", &[Class::NotConfirmed]);
        check("外交部拒绝证实访问", "访问", &[Class::NotConfirmed]);
        check("외교부 방문 확인 거부", "방문", &[Class::NotConfirmed]);
    }

    #[test]
    fn who_denies_beside_a_refusal_denies() {
        check("Ministry, asked to comment, denies arms deal", "arms", &[Class::Denied]);
        check("Ministry refuses to talk, denies arms deal", "arms", &[Class::Denied]);
        check("Guests leave without papers, envoy denies arms deal", "arms", &[Class::Denied]);
        check("협상 거부 북한 무기거래 부인", "무기거래", &[Class::Denied]);
        check("拒绝评论否认军火交易", "军火", &[Class::Denied]);
    }

    #[test]
    fn what_is_refused_is_no_claim_that_is_denied() {
        check("Envoy denied entry at the port", "port", &[]);
        check("Court rejects the captain's appeal over port", "port", &[]);
        check("Kremlin denies arms transfers", "arms", &[Class::Denied]);
        check("Moscow denies granting general asylum at the port", "port", &[Class::Denied]);
        check("Kremlin rejects claims of arms deal", "arms", &[Class::Denied, Class::Alleged]);
    }

    #[test]
    fn only_the_sentences_that_matched_are_read() {
        check("Minister arrives in port. Club denies transfer.", "port", &[]);
    }

    #[test]
    fn a_cue_is_quoted_with_its_sentence() {
        let cues = found("Arms deal is off. Kremlin denies any arms deal!", "Kremlin");
        assert_eq!(cues[0].quote, "Kremlin denies any arms deal");
    }

    #[test]
    fn a_record_counts_cues_and_quotes_them() {
        let cues = found("Kremlin denies arms deal, Seoul says", "arms");
        let record = record(&cues, "feed/1").unwrap();
        assert_eq!((&record["denied"], &record["attributed"]), (&json!(1), &json!(1)));
        assert_eq!(record["quotes"][0]["item"], "feed/1");
        assert_eq!(super::record(&[], "feed/1"), None);
    }
}
