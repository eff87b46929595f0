//! Whose report an item is: the agency whose mark it bears, else the one it names as its source,
//! else the owner of its feed. Many papers that print one agency are one origin.
//!
//! What cannot be seen: rewriting without a name, and one briefing given to many.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alike::SeenOrigin;
use crate::text::fold;

/// Bytes at the start of a text in which a dateline stands.
const DATELINE: usize = 120;
/// Bytes at the end of a text in which a credit stands.
const CREDIT: usize = 60;
/// Bytes of a text that are looked at.
const LONGEST: usize = 20_000;
/// Bytes between an agency's name and the word that makes it the source.
const NEAR: usize = 30;

/// An agency: its id, its name as readers know it, and how texts write it, folded.
struct Agency {
    id: &'static str,
    name: &'static str,
    alignment: Option<&'static str>,
    forms: &'static [&'static str],
}

/// The agencies that are known by their marks. The order decides where a text names several.
const AGENCIES: &[Agency] = &[
    agency("ap", "AP", None, &["ap", "associated press"]),
    agency(
        "reuters",
        "Reuters",
        None,
        &["reuters", "reutera", "reuter", "рейтер", "路透社", "路透", "로이터"],
    ),
    agency("afp", "AFP", None, &["afp", "agence france-presse", "法新社"]),
    agency(
        "bloomberg",
        "Bloomberg",
        None,
        &["bloomberg", "bloomberga", "彭博社", "彭博", "블룸버그"],
    ),
    agency(
        "xinhua",
        "Xinhua",
        Some("state:cn"),
        &["xinhua", "新华社", "新華社", "синьхуа", "신화통신"],
    ),
    agency("cctv", "CCTV", Some("state:cn"), &["cctv", "央视", "中央电视台"]),
    agency("tass", "TASS", Some("state:ru"), &["tass", "тасс", "塔斯社", "타스"]),
    agency(
        "ria",
        "RIA Novosti",
        Some("state:ru"),
        &["ria novosti", "ria", "риа новости", "риа", "俄新社"],
    ),
    agency("interfax", "Interfax", None, &["interfax", "интерфакс"]),
    agency(
        "yonhap",
        "Yonhap",
        None,
        &["yonhap", "연합뉴스", "韩联社", "韓聯社", "聯合ニュース", "ренхап"],
    ),
    agency(
        "kcna",
        "KCNA",
        Some("state:kp"),
        &["kcna", "korean central news agency", "조선중앙통신", "朝中社", "цтак"],
    ),
    agency("kyodo", "Kyodo", None, &["kyodo", "共同通信", "共同社", "교도통신"]),
    agency("pap", "PAP", None, &["pap"]),
    agency("dpa", "dpa", None, &["dpa"]),
    agency("efe", "EFE", None, &["efe"]),
    agency("ukrinform", "Ukrinform", Some("state:ua"), &["ukrinform", "укринформ", "укрінформ"]),
];

const fn agency(
    id: &'static str,
    name: &'static str,
    alignment: Option<&'static str>,
    forms: &'static [&'static str],
) -> Agency {
    Agency { id, name, alignment, forms }
}

/// Words that make a name beside them the source, folded; most stand on either side.
const ATTRIBUTIONS: &[&str] = &[
    "according to",
    "report",
    "cites",
    "cited",
    "citing",
    "quoted",
    "told",
    "said",
    "via",
    "agency",
    "podal",
    "podaje",
    "donos",
    "donies",
    "wedlug",
    "agencj",
    "powolu",
    "informuje",
    "poinformowal",
    "сообщ",
    "переда",
    "по данным",
    "агентств",
    "со ссылкой",
    "пишет",
    "повідом",
    "据",
    "據",
    "报道",
    "報道",
    "援引",
    "따르면",
    "보도",
    "인용",
    "によると",
    "selon",
    "laut",
];

/// Whose report an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// What tells it from others: an agency's id, or the owner of a feed.
    pub id: Arc<str>,
    /// The camp it stands in.
    pub alignment: Option<Arc<str>>,
}

/// An agency that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: AgencyId,
    /// Whether the text bears its mark: it is the agency's own. Else it is named as the source.
    pub mark: bool,
}

/// The id of an agency that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AgencyId(&'static str);

impl AgencyId {
    /// The agency of that id.
    pub fn of(id: &str) -> Option<Self> {
        AGENCIES.iter().find(|agency| agency.id == id).map(|agency| Self(agency.id))
    }

    /// The id.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl<'de> Deserialize<'de> for AgencyId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = String::deserialize(from)?;
        Self::of(&id).ok_or_else(|| serde::de::Error::custom(format!("no agency {id:?}")))
    }
}

/// The agency that a title and text rest on, as far as they say.
pub fn named(title: &str, text: &str) -> Option<Named> {
    let text = cut(text, LONGEST);
    let start = fold(cut(text, DATELINE));
    let end_at = text.len().saturating_sub(CREDIT);
    let end_at = (end_at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = fold(&text[end_at..]);
    let mark = AGENCIES.iter().find(|agency| {
        agency.forms.iter().any(|form| is_mark(&start, form) || is_credit(&end, form))
    });
    if let Some(agency) = mark {
        return Some(Named { id: AgencyId(agency.id), mark: true });
    }
    [title, text].into_iter().find_map(|text| {
        let folded = fold(text);
        let source = |agency: &&Agency| agency.forms.iter().any(|form| is_source(&folded, form));
        AGENCIES.iter().find(source).map(|agency| Named { id: AgencyId(agency.id), mark: false })
    })
}

/// The origin that an item has: the agency that it names, else the owner of its feed.
pub fn origin(named: Option<Named>, owner: &str, alignment: Option<&str>) -> Origin {
    match named.and_then(|named| AGENCIES.iter().find(|agency| agency.id == named.id.0)) {
        Some(agency) => Origin { id: agency.id.into(), alignment: agency.alignment.map(Arc::from) },
        None => Origin { id: owner.into(), alignment: alignment.map(Arc::from) },
    }
}

/// An origin's name for a reader.
pub fn display_name(id: &str) -> &str {
    AGENCIES.iter().find(|agency| agency.id == id).map_or(id, |agency| agency.name)
}

/// `3 outlets, 2 origins (AP; Yonhap denies)`. Of those that are not named it says how many deny.
pub fn count_line(outlets: usize, origins: &[SeenOrigin]) -> String {
    const NAMED: usize = 5;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let count = origins.len();
    let (named, others) = origins.split_at(count.min(NAMED));
    let name = |seen: &SeenOrigin| {
        let name = display_name(&seen.origin.id);
        if seen.denies { format!("{name} denies") } else { name.to_owned() }
    };
    let mut names: Vec<String> = named.iter().map(name).collect();
    if !others.is_empty() {
        names.push(match others.iter().filter(|seen| seen.denies).count() {
            0 => "…".to_owned(),
            1 => "…, 1 denies".to_owned(),
            denying => format!("…, {denying} deny"),
        });
    }
    format!(
        "{outlets} outlet{}, {count} origin{} ({})",
        plural(outlets),
        plural(count),
        names.join("; ")
    )
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Where a form stands as a word of its own.
fn places<'t>(text: &'t str, form: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let is_letter = |character: char| character.is_alphanumeric();
    // Chinese and Korean put nothing between words.
    let alphabetic = form.chars().all(|character| (character as u32) < 0x1100);
    text.match_indices(form).map(|(at, form)| (at, at + form.len())).filter(move |(from, to)| {
        !alphabetic
            || (!text[..*from].chars().next_back().is_some_and(is_letter)
                && !text[*to..].chars().next().is_some_and(is_letter))
    })
}

/// `(Reuters) -`, `/PAP/`, `(서울=연합뉴스)`, `TASS.`, `新华社北京9月18日电`.
fn is_mark(start: &str, form: &str) -> bool {
    places(start, form).any(|(from, to)| {
        let (before, after) = (start[..from].trim_end(), start[to..].trim_start());
        let bracketed = before.ends_with(['(', '[', '/', '=', '【'])
            && after.starts_with([')', ']', '/', '】']);
        let han = form.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
        let dateline = han
            && before.is_empty()
            && after.chars().take(16).any(|character| character == '电' || character == '電');
        let capital = after.starts_with('.') && before.ends_with(['/', ',']);
        bracketed || dateline || capital
    })
}

/// `— AP` or `(AP)` at the end.
fn is_credit(end: &str, form: &str) -> bool {
    let end = end.trim_end();
    places(end, form).any(|(from, to)| {
        let (before, after) = (end[..from].trim_end(), end[to..].trim());
        let after = after.trim_end_matches('.');
        (before.ends_with(['—', '–', '/', '(', '[']) && matches!(after, "" | ")" | "]" | "/"))
            || (before.ends_with('-') && after.is_empty())
    })
}

/// "according to Yonhap", "据新华社报道", `Reuters: …` at the start of a headline.
fn is_source(text: &str, form: &str) -> bool {
    places(text, form).any(|(from, to)| {
        let quoted = text[to..].trim_start_matches(['"', '”', '»', ' ']);
        if text[..from].trim_start_matches(['"', '„', '«', ' ']).is_empty()
            && quoted.starts_with(':')
        {
            return true;
        }
        let back = (0..=from.saturating_sub(NEAR)).rev().find(|at| text.is_char_boundary(*at));
        let before = &text[back.unwrap_or(0)..from];
        let after = cut(&text[to..], NEAR);
        ATTRIBUTIONS.iter().any(|word| before.contains(word) || after.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: &str, text: &str, expected: Option<(&str, bool)>) {
        let found = named(title, text).map(|named| (named.id.as_str(), named.mark));
        assert_eq!(found, expected, "{title} | {text}");
    }

    #[test]
    fn a_mark_at_the_start_or_the_end_names_the_agency() {
        check("", "BEIJING, Sept 18 (Reuters) - The minister left.", Some(("reuters", true)));
        check("", "The minister left on Monday. — AP", Some(("ap", true)));
        check("", "新华社北京9月18日电 外长启程", Some(("xinhua", true)));
        check("", "(서울=연합뉴스) 장관이 출발했다.", Some(("yonhap", true)));
        check("", "МОСКВА, 18 сентября. /ТАСС/. Министр прибыл.", Some(("tass", true)));
        check("", "Minister przyjechał we wtorek. (PAP)", Some(("pap", true)));
    }

    #[test]
    fn who_is_named_as_the_source_is_the_origin() {
        check("", "The minister left, according to Yonhap.", Some(("yonhap", false)));
        check("Reuters: minister left", "", Some(("reuters", false)));
        check("", "据新华社报道，外长启程", Some(("xinhua", false)));
        check("", "Министр прибыл, сообщает ТАСС.", Some(("tass", false)));
        check("", "연합뉴스에 따르면 장관이 출발했다.", Some(("yonhap", false)));
        check("", "Minister wyjechał, podał Reuters.", Some(("reuters", false)));
    }

    #[test]
    fn a_name_alone_is_no_source() {
        check("Reuters opens a bureau", "", None);
        check("", "The paper has a map of the area.", None);
        check("", "", None);
    }

    #[test]
    fn counts_name_the_origins() {
        let all = [seen("ap", false), seen("yonhap", false)];
        assert_eq!(count_line(3, &all), "3 outlets, 2 origins (AP; Yonhap)");
        assert_eq!(
            count_line(1, &[seen("example.org", false)]),
            "1 outlet, 1 origin (example.org)"
        );
    }

    fn seen(id: &str, denies: bool) -> SeenOrigin {
        let origin = Origin { id: id.into(), alignment: None };
        SeenOrigin { origin, since: jiff::Timestamp::UNIX_EPOCH, denies }
    }

    #[test]
    fn who_denies_is_marked_among_the_origins_however_many_there_are() {
        let all = [seen("cat", false), seen("dog", false), seen("ant", true)];
        assert_eq!(count_line(3, &all), "3 outlets, 3 origins (cat; dog; ant denies)");
        let mut many: Vec<SeenOrigin> =
            ["a", "b", "c", "d", "e", "f", "g"].map(|id| seen(id, false)).into();
        assert!(count_line(7, &many).ends_with("7 origins (a; b; c; d; e; …)"));
        many[6].denies = true;
        assert!(count_line(7, &many).ends_with("7 origins (a; b; c; d; e; …, 1 denies)"));
        many[5].denies = true;
        assert!(count_line(7, &many).ends_with("7 origins (a; b; c; d; e; …, 2 deny)"));
    }

    #[test]
    fn the_owner_stands_for_what_names_no_agency() {
        let own = origin(None, "guardian", Some("private:gb"));
        assert_eq!((&*own.id, own.alignment.as_deref()), ("guardian", Some("private:gb")));
        let tass = origin(named("", "/ТАСС/ Министр прибыл"), "example", Some("private:gb"));
        assert_eq!((&*tass.id, tass.alignment.as_deref()), ("tass", Some("state:ru")));
    }
}
