//! The words of a text as stories compare them: folded, cut to a stem, without those that say
//! nothing.

use std::sync::Arc;

use crate::text::{Gap, Script, Token, Tokens};

/// Letters of a word that are compared: endings differ.
const STEM: usize = 6;
/// Syllables of a Korean word that are compared: particles and endings follow.
const HANGUL_STEM: usize = 2;

/// Words without news in them: English, Polish, Russian, Ukrainian, French and German, folded.
const EMPTY: &[&str] = &[
    "about",
    "after",
    "against",
    "all",
    "also",
    "amid",
    "among",
    "an",
    "and",
    "are",
    "aren",
    "as",
    "at",
    "aux",
    "avec",
    "be",
    "bedzie",
    "been",
    "before",
    "being",
    "between",
    "but",
    "by",
    "byl",
    "byla",
    "bylo",
    "can",
    "ce",
    "cette",
    "co",
    "could",
    "czy",
    "da",
    "das",
    "dans",
    "de",
    "dem",
    "den",
    "der",
    "des",
    "did",
    "die",
    "dla",
    "do",
    "does",
    "du",
    "during",
    "ein",
    "eine",
    "einen",
    "elle",
    "en",
    "est",
    "et",
    "for",
    "from",
    "gdy",
    "go",
    "had",
    "has",
    "hat",
    "have",
    "he",
    "her",
    "his",
    "how",
    "if",
    "il",
    "ile",
    "im",
    "in",
    "into",
    "ist",
    "it",
    "its",
    "ja",
    "jak",
    "je",
    "jego",
    "jej",
    "jest",
    "juz",
    "ktora",
    "ktore",
    "ktorej",
    "ktory",
    "ktorych",
    "ktorym",
    "la",
    "le",
    "les",
    "ma",
    "may",
    "mit",
    "moze",
    "mu",
    "na",
    "nad",
    "nicht",
    "nie",
    "no",
    "not",
    "od",
    "of",
    "on",
    "or",
    "oraz",
    "our",
    "out",
    "over",
    "par",
    "pas",
    "po",
    "pod",
    "pour",
    "przed",
    "przez",
    "przy",
    "que",
    "qui",
    "said",
    "say",
    "says",
    "she",
    "sich",
    "sie",
    "so",
    "some",
    "son",
    "sur",
    "sa",
    "ta",
    "tak",
    "te",
    "tego",
    "tej",
    "ten",
    "than",
    "that",
    "the",
    "their",
    "them",
    "there",
    "these",
    "they",
    "this",
    "to",
    "tu",
    "tych",
    "tym",
    "um",
    "un",
    "und",
    "une",
    "under",
    "up",
    "us",
    "von",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "will",
    "with",
    "would",
    "you",
    "your",
    "za",
    "ze",
    "zu",
    "zur",
    "без",
    "был",
    "была",
    "были",
    "было",
    "быть",
    "в",
    "від",
    "во",
    "все",
    "вже",
    "где",
    "для",
    "до",
    "его",
    "ее",
    "если",
    "за",
    "за",
    "и",
    "из",
    "или",
    "им",
    "их",
    "к",
    "как",
    "когда",
    "которая",
    "которые",
    "который",
    "ли",
    "мы",
    "на",
    "над",
    "не",
    "но",
    "о",
    "об",
    "он",
    "она",
    "они",
    "от",
    "по",
    "под",
    "после",
    "при",
    "про",
    "с",
    "со",
    "так",
    "также",
    "то",
    "того",
    "у",
    "уже",
    "что",
    "чтобы",
    "это",
    "этого",
    "як",
    "як",
    "що",
    "це",
    "та",
    "із",
    "й",
    "є",
];

/// The terms of `text`, in their order, each at most [`STEM`] letters: words, pairs of Han
/// characters, the start of Korean words, numbers.
pub(super) fn terms(tokens: &Tokens) -> impl Iterator<Item = Arc<str>> {
    let all = tokens.all();
    all.iter().enumerate().filter_map(move |(place, token)| term(tokens, token, all.get(place + 1)))
}

/// The first word of `text` that is compared as `compared`, as it stands there; two characters of Han.
pub(crate) fn as_written<'a>(text: &'a str, compared: &str) -> Option<&'a str> {
    let mut tokens = Tokens::default();
    tokens.read(text);
    let all = tokens.all();
    let place = (0..all.len()).find(|place| {
        let term = term(&tokens, &all[*place], all.get(place + 1));
        term.is_some_and(|term| *term == *compared)
    })?;
    let last = if all[place].script == Script::Han { place + 1 } else { place };
    text.get(all[place].start as usize..all[last].end as usize)
}

fn term(tokens: &Tokens, token: &Token, next: Option<&Token>) -> Option<Arc<str>> {
    let form = tokens.form(token);
    match token.script {
        Script::Word if form.len() < 2 || is_empty(form) => None,
        Script::Word => Some(stem(form)),
        Script::Hangul => Some(form.chars().take(HANGUL_STEM).collect::<String>().into()),
        Script::Han => {
            let next = next.filter(|next| next.script == Script::Han && next.gap == Gap::None)?;
            Some(format!("{form}{}", tokens.form(next)).into())
        }
    }
}

fn is_empty(form: &str) -> bool {
    EMPTY.contains(&form)
}

/// A word cut to a stem, in Latin letters, as names are written in several ways.
fn stem(form: &str) -> Arc<str> {
    if form.bytes().all(|byte| byte.is_ascii_digit()) {
        return form.into();
    }
    let mut latin = String::with_capacity(form.len());
    for character in form.chars() {
        match cyrillic(character) {
            Some(letters) => latin.push_str(letters),
            None => latin.push(character),
        }
    }
    let latin = latin.replace("sz", "sh").replace("cz", "ch").replace('w', "v");
    latin.chars().take(STEM).collect::<String>().into()
}

/// A Cyrillic letter in Latin letters.
fn cyrillic(letter: char) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' | 'ы' => "i",
        'й' | 'ї' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "yu",
        'я' => "ya",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut tokens = Tokens::default();
        tokens.read(text);
        let found: Vec<_> = terms(&tokens).collect();
        assert_eq!(found.iter().map(|term| &**term).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn terms_are_stems_without_words_that_say_nothing() {
        check("Ministers' meeting in Moscow, 2024", &["minist", "meetin", "moscov", "2024"]);
        check("Министр прибыл в Москву", &["minist", "pribil", "moskvu"]);
        check("Szojgu i Kim", &["shojgu", "kim"]);
    }

    #[test]
    fn a_term_is_found_again_as_its_text_has_it() {
        let text = "The crown's thieves fled to Moscow, 王毅会见 in 러시아를";
        let found = |term| as_written(text, term);
        assert_eq!(found("crovn"), Some("crown"));
        assert_eq!(found("thieve"), Some("thieves"));
        assert_eq!(found("moscov"), Some("Moscow"));
        assert_eq!(found("毅会"), Some("毅会"));
        assert_eq!(found("러시"), Some("러시아를"));
        assert_eq!(found("the"), None, "it says nothing");
    }

    #[test]
    fn chinese_is_compared_by_pairs_and_korean_by_the_start_of_words() {
        check("王毅会见", &["王毅", "毅会", "会见"]);
        check("러시아를 방문", &["러시", "방문"]);
    }
}
