//! What each character is to a rule: its class, and the form in which it is compared.
//!
//! The form is NFKC, then full case folding (Unicode Standard, section 3.13), then the marks of
//! Latin and Greek letters taken off; Cyrillic loses only ё and stress marks, Hangul nothing: й is
//! not и, and Hangul would fall apart.

use std::sync::OnceLock;

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// What a character does to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Part of a word: a letter or digit of an alphabet.
    Letter,
    /// A Han or kana character: a token of its own.
    Han,
    /// A Hangul syllable.
    Hangul,
    /// Nothing to a rule: soft hyphens, zero-width and direction marks, variation selectors.
    Dropped,
    /// A combining mark.
    Mark,
    /// White space.
    Space,
    /// Ends a line and with it a sentence.
    Newline,
    /// An apostrophe.
    Apostrophe,
    /// A hyphen or a dash.
    Hyphen,
    /// A middle dot, as between the parts of a foreign name.
    MiddleDot,
    /// A full stop: of a sentence, an abbreviation or an initial.
    Stop,
    /// Ends a sentence whatever follows.
    SentenceEnd,
    /// A quotation mark: parts no phrase.
    Quote,
    /// Any other mark or symbol.
    Other,
}

/// A character's class and the one character it is compared as. Those that fold to several
/// (ß, ﬁ, ㈜) carry `None` and are worked out one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded {
    pub(crate) class: Class,
    pub(crate) single: Option<char>,
}

const BLOCK: usize = 256;

/// The folded characters of the Basic Multilingual Plane, worked out a block at a time as they are
/// first met.
static BLOCKS: [OnceLock<Box<[Folded; BLOCK]>>; BLOCK] = [const { OnceLock::new() }; BLOCK];

/// What `character` is to a rule.
#[inline]
pub(crate) fn folded(character: char) -> Folded {
    let code = character as usize;
    match BLOCKS.get(code / BLOCK) {
        Some(block) => block.get_or_init(|| work_out_block(code / BLOCK))[code % BLOCK],
        None => work_out(character),
    }
}

fn work_out_block(block: usize) -> Box<[Folded; BLOCK]> {
    let mut all = Box::new([Folded { class: Class::Other, single: None }; BLOCK]);
    for (low, slot) in all.iter_mut().enumerate() {
        if let Some(character) = u32::try_from(block * BLOCK + low).ok().and_then(char::from_u32) {
            *slot = work_out(character);
        }
    }
    all
}

fn work_out(character: char) -> Folded {
    // Most of what is met at all, each its own form.
    match character {
        '\u{4e00}'..='\u{9fff}' => return Folded { class: Class::Han, single: Some(character) },
        '\u{ac00}'..='\u{d7a3}' => return Folded { class: Class::Hangul, single: Some(character) },
        _ => {}
    }
    let mut form = String::new();
    fold_into(character, &mut form);
    let mut characters = form.chars();
    let single = characters.next().filter(|_| characters.next().is_none());
    Folded { class: classify(character, single.unwrap_or(character)), single }
}

/// Appends the form of one character.
pub(crate) fn fold_into(character: char, form: &mut String) {
    let composed: String = std::iter::once(character).nfkc().collect();
    if composed.chars().all(is_combining_mark) {
        form.push_str(&composed);
        return;
    }
    for character in CaseMapper::new().fold_string(&composed).nfkc() {
        match character {
            'ё' => form.push('е'),
            'ø' => form.push('o'),
            'ł' => form.push('l'),
            'đ' => form.push('d'),
            'ı' => form.push('i'),
            'æ' => form.push_str("ae"),
            'œ' => form.push_str("oe"),
            'ς' => form.push('σ'),
            character if is_latin_or_greek(character) => {
                let marks = |character: &char| canonical_combining_class(*character) == 0;
                form.extend(std::iter::once(character).nfd().filter(marks));
            }
            mark if is_combining_mark(mark) && !keeps_mark(form.chars().next_back()) => {}
            character => form.push(character),
        }
    }
}

fn is_latin_or_greek(character: char) -> bool {
    matches!(character, '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{3ff}' | '\u{1e00}'..='\u{1fff}')
}

fn classify(original: char, folded: char) -> Class {
    match original {
        '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
            return Class::Newline;
        }
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{61c}'
        | '\u{180e}' => return Class::Dropped,
        '\'' | '’' | '‘' | 'ʼ' | '`' | '´' | '＇' | '′' | 'ʹ' => {
            return Class::Apostrophe;
        }
        '-' | '‐' | '‑' | '‒' | '–' | '—' | '−' | '－' | '―' => {
            return Class::Hyphen;
        }
        '·' | '・' | '•' | '･' | '‧' | 'ㆍ' | '⋅' => return Class::MiddleDot,
        '.' | '．' => return Class::Stop,
        '!' | '?' | ';' | '。' | '！' | '？' | '；' | '｡' => return Class::SentenceEnd,
        '"' | '“' | '”' | '„' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '《' | '》'
        | '〈' | '〉' | '‟' => return Class::Quote,
        _ => {}
    }
    match folded {
        '\u{2e80}'..='\u{2fff}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3041}'..='\u{3096}'
        | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3fffd}' => Class::Han,
        '\u{1100}'..='\u{11ff}'
        | '\u{3131}'..='\u{318e}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}' => Class::Hangul,
        folded if is_combining_mark(folded) => Class::Mark,
        folded if folded.is_alphanumeric() => Class::Letter,
        folded if folded.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

/// The form in which a whole text is compared: that of [`super::Tokens`], marks and all left out.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut form = String::with_capacity(text.len());
    for character in text.nfkc() {
        match folded(character) {
            Folded { class: Class::Dropped, .. } => {}
            Folded { class: Class::Mark, .. } => {
                let mark = character;
                if keeps_mark(form.chars().next_back()) {
                    form.push(mark);
                }
            }
            Folded { single: Some(single), .. } => form.push(single),
            Folded { single: None, .. } => fold_into(character, &mut form),
        }
    }
    form
}

/// Whether a text holds another, which is given in its form.
pub(crate) fn holds(text: &str, form: &str) -> bool {
    if text.is_ascii() {
        return text.to_ascii_lowercase().contains(form);
    }
    fold(text).contains(form)
}

/// Whether a mark that NFKC could not compose says something after this letter.
pub(crate) fn keeps_mark(letter: Option<char>) -> bool {
    letter.is_some_and(|letter| {
        !letter.is_ascii() && !is_latin_or_greek(letter) && !matches!(letter, '\u{400}'..='\u{52f}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, form: &str) {
        assert_eq!(fold(text), form);
    }

    #[test]
    fn letters_are_compared_without_case_and_latin_ones_without_accents() {
        check("Straße", "strasse");
        check("ÉLYSÉE", "elysee");
        check("Ławrow", "lawrow");
        check("İstanbul", "istanbul");
        check("Ὀδυσσεύς", "οδυσσευσ");
        check("Ｗａｎｇ　Ｙｉ", "wang yi");
    }

    #[test]
    fn cyrillic_and_hangul_letters_keep_what_tells_them_apart() {
        check("Ещё Йод Київ", "еще йод київ");
        check("Пути\u{301}н", "путин");
        check("и\u{306}од", "йод");
        check("김정은", "김정은");
        check("\u{1100}\u{1175}\u{11b7}", "김");
        check("が", "が");
    }

    #[test]
    fn a_text_holds_another_whatever_the_case_of_either() {
        for (text, searched) in [
            ("Лавров прибыл в Пекин", "ЛАВРОВ"),
            ("LAVROV in Beijing", "lavrov IN"),
            ("Élysée: STRASSE", "elysee: straße"),
            ("王毅访俄", "王毅"),
        ] {
            assert!(holds(text, &fold(searched)), "{text} {searched}");
        }
        assert!(!holds("Lavrov", &fold("Лавров")));
    }

    #[test]
    fn ascii_folds_to_its_small_letters() {
        for byte in 0..128_u8 {
            let mut form = String::new();
            fold_into(byte.into(), &mut form);
            assert_eq!(form, fold(char::from(byte).encode_utf8(&mut [0; 4])));
        }
    }

    #[test]
    fn han_characters_and_hangul_syllables_are_their_own_form() {
        for character in ('\u{4e00}'..='\u{9fff}').chain('\u{ac00}'..='\u{d7a3}') {
            let Folded { class, single } = folded(character);
            let mut form = String::new();
            fold_into(character, &mut form);
            assert_eq!(single.map(String::from), Some(form));
            assert_eq!(class, classify(character, character));
        }
    }

    #[test]
    fn invisible_marks_are_dropped() {
        check("Wa\u{ad}ng\u{200b}\u{feff}", "wang");
        check("朝鲜\u{fe0f}", "朝鲜");
    }
}
