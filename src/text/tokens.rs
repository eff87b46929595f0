//! Cutting a text into tokens and sentences, in one pass and without an allocation a token.

use super::fold::{self, Class, Folded};
use super::mojibake;

/// The half-words that a word takes up; a Han or kana character takes up one.
const WORD_WIDTH: u32 = 2;
/// Tokens of one text that are looked at; the rest is ignored. A text is at most 256 KiB.
pub(crate) const MOST_TOKENS: usize = 1 << 18;
/// The longest token in bytes of its folded form; what is longer is cut, as no query is that long.
const LONGEST_TOKEN: usize = 256;
/// The most words that are taken together as one joined word.
const MOST_PARTS: usize = 4;

/// Abbreviations after which a full stop ends no sentence, folded and sorted.
const ABBREVIATIONS: &[&str] = &[
    "adm", "approx", "apr", "aug", "capt", "co", "col", "corp", "dec", "dept", "dr", "est", "feb",
    "gen", "gov", "im", "inc", "jan", "jul", "jun", "lt", "ltd", "maj", "mar", "mld", "mln", "mm",
    "mme", "mr", "mrs", "ms", "nov", "np", "oct", "pres", "proc", "prof", "rep", "sec", "sen",
    "sep", "sept", "sgt", "st", "sw", "tys", "tzw", "ul", "vs", "гг", "др", "им", "млн", "млрд",
    "напр", "пр", "руб", "св", "тыс", "ул",
];
/// Abbreviations only where a number follows: "No. 5", but "They said no. Then they left".
const BEFORE_NUMBERS: &[&str] = &["no", "nos", "art", "pp", "ok", "ст", "стр", "пп", "nr", "vol"];

/// Whether a token is a word, a single character, or a run of Hangul.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// A word of an alphabet, digits included.
    Word,
    /// One Han or kana character.
    Han,
    /// Hangul up to the next space or other script.
    Hangul,
}

/// What stands between a token and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    /// Nothing.
    None,
    /// A hyphen, an apostrophe or a middle dot without spaces: the two may be one word.
    Joint,
    /// White space, quotation marks, or a full stop within a word (`example.org`).
    Space,
    /// A mark that ends a phrase, or the start of the text.
    Break,
}

/// A folded form: a range of [`Tokens::folded`], or of [`Tokens::rewritten`] when `start` has the
/// bit [`REWRITTEN`].
#[derive(Debug, Clone, Copy)]
struct Form {
    start: u32,
    end: u32,
}

const REWRITTEN: u32 = 1 << 31;

/// One token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// Where it starts in the original, in bytes.
    pub(crate) start: u32,
    /// Where it ends in the original, in bytes; a possessive is left out.
    pub(crate) end: u32,
    form: Form,
    /// Where it stands, in half-words.
    pub(crate) at: u32,
    /// The sentence it stands in.
    pub(crate) sentence: u32,
    /// What stands before it.
    pub(crate) gap: Gap,
    /// What it is.
    pub(crate) script: Script,
}

impl Token {
    /// Where the half-words that it takes up end.
    pub(crate) fn until(&self) -> u32 {
        self.at + if self.script == Script::Han { 1 } else { WORD_WIDTH }
    }
}

/// Two or more words that a hyphen or the like joins, as one: `jongun` for Jong-un, `북러` for
/// 북·러.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// The first of the tokens.
    pub(crate) first: u32,
    /// The last of the tokens.
    pub(crate) last: u32,
    form: Form,
    /// The script of all its tokens.
    pub(crate) script: Script,
}

/// The tokens of one text. Reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    joined: Vec<Joined>,
    /// The text, folded; what parts words may be in it or not.
    folded: String,
    /// Forms that do not stand in `folded` in one piece.
    rewritten: String,
    /// A token is Hangul.
    hangul: bool,
}

impl Tokens {
    /// Reads a text, forgetting the one before.
    pub(crate) fn read(&mut self, original: &str) {
        self.tokens.clear();
        self.joined.clear();
        self.folded.clear();
        self.rewritten.clear();
        self.hangul = false;
        let mut pass = Pass {
            out: self,
            original,
            at: 0,
            sentence: 0,
            gap: Gap::Break,
            after_apostrophe: false,
            joints: false,
            open: None,
        };
        pass.run();
        if pass.joints {
            self.join();
        }
    }

    /// The tokens in their order.
    pub(crate) fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether there is Hangul in the text.
    pub(crate) fn has_hangul(&self) -> bool {
        self.hangul
    }

    /// The joined words, by their first and last token.
    pub(crate) fn joined(&self) -> &[Joined] {
        &self.joined
    }

    /// The joined words that start with a token.
    pub(crate) fn joined_from(&self, first: usize) -> impl Iterator<Item = &Joined> {
        let start = self.joined.partition_point(|joined| (joined.first as usize) < first);
        self.joined[start..].iter().take_while(move |joined| joined.first as usize == first)
    }

    /// A token's folded form.
    #[inline]
    pub(crate) fn form(&self, token: &Token) -> &str {
        self.text(token.form)
    }

    /// A joined word's folded form.
    pub(crate) fn joined_form(&self, joined: &Joined) -> &str {
        self.text(joined.form)
    }

    #[inline]
    fn text(&self, form: Form) -> &str {
        if form.start & REWRITTEN == 0 {
            &self.folded[form.start as usize..form.end as usize]
        } else {
            &self.rewritten[(form.start & !REWRITTEN) as usize..form.end as usize]
        }
    }

    /// Adds the joined form of every run of words that hyphens and the like hold together.
    fn join(&mut self) {
        for first in 0..self.tokens.len() {
            let script = self.tokens[first].script;
            if script == Script::Han {
                continue;
            }
            let rest = &self.tokens[first + 1..];
            let joint = |token: &&Token| token.gap == Gap::Joint && token.script == script;
            let parts = rest.iter().take(MOST_PARTS - 1).take_while(joint).count();
            for last in first + 1..=first + parts {
                let start = self.rewritten.len();
                for part in first..=last {
                    let form = self.tokens[part].form;
                    if form.start & REWRITTEN == 0 {
                        self.rewritten
                            .push_str(&self.folded[form.start as usize..form.end as usize]);
                    } else {
                        let from = (form.start & !REWRITTEN) as usize;
                        self.rewritten.extend_from_within(from..form.end as usize);
                    }
                }
                let form =
                    Form { start: start as u32 | REWRITTEN, end: self.rewritten.len() as u32 };
                self.joined.push(Joined { first: first as u32, last: last as u32, form, script });
            }
        }
    }
}

/// What an ASCII character does to a text.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'\n' | 0xb | 0xc | b'\r' => Class::Newline,
            b' ' | b'\t' => Class::Space,
            b'\'' | b'`' => Class::Apostrophe,
            b'-' => Class::Hyphen,
            b'.' => Class::Stop,
            b'!' | b'?' | b';' => Class::SentenceEnd,
            b'"' => Class::Quote,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The token that is being read.
#[derive(Debug, Clone, Copy)]
struct Open {
    start: usize,
    form: usize,
    script: Script,
    cyrillic: bool,
    /// Where the letters after the last stop within it start: U.S. is one token.
    piece: usize,
}

/// A place in the original, and the end of what is folded up to there.
#[derive(Debug, Clone, Copy)]
struct Here {
    at: usize,
    folded: usize,
}

/// The state of a pass.
struct Pass<'a> {
    out: &'a mut Tokens,
    original: &'a str,
    /// In half-words.
    at: u32,
    sentence: u32,
    gap: Gap,
    /// The gap is an apostrophe and nothing else.
    after_apostrophe: bool,
    /// A token stands after [`Gap::Joint`].
    joints: bool,
    open: Option<Open>,
}

impl Pass<'_> {
    fn run(&mut self) {
        let bytes = self.original.as_bytes();
        let mut at = 0;
        // Where the last character ended that was encoded twice.
        let mut decoded_to = usize::MAX;
        while at < bytes.len() && self.out.tokens.len() < MOST_TOKENS {
            let run = ascii_run(&bytes[at..]);
            if run > 0 {
                self.ascii(at, at + run);
                at += run;
            } else {
                let rest = &self.original[at..];
                let written = rest.chars().next().expect("at is a boundary");
                let decoded = matches!(written, 'Â'..='ï')
                    .then(|| mojibake::decode(rest, decoded_to == at))
                    .flatten();
                let (character, length) = decoded.unwrap_or((written, written.len_utf8()));
                self.character(at, character, length);
                at += length;
                if decoded.is_some() {
                    decoded_to = at;
                }
            }
        }
        self.close(Here { at, folded: self.out.folded.len() });
        self.out.tokens.truncate(MOST_TOKENS);
    }

    /// Takes in a run of ASCII, which is most of most texts: folded as a whole.
    fn ascii(&mut self, from: usize, to: usize) {
        let base = self.out.folded.len();
        self.out.folded.push_str(&self.original[from..to]);
        self.out.folded[base..].make_ascii_lowercase();
        let bytes = self.original.as_bytes();
        let mut at = from;
        while at < to {
            let here = Here { at, folded: base + (at - from) };
            match ASCII[usize::from(bytes[at] & 127)] {
                Class::Letter => {
                    let end = at + letters(&self.out.folded.as_bytes()[here.folded..]);
                    // Most words stand between spaces, and nothing more is to be said of them.
                    let is_plain = self.open.is_none()
                        && !self.after_apostrophe
                        && bytes.get(end) == Some(&b' ')
                        && end - at <= LONGEST_TOKEN;
                    if is_plain {
                        let folded_end = here.folded + (end - at);
                        let form = Form { start: here.folded as u32, end: folded_end as u32 };
                        self.add(form, (at, end), Script::Word);
                        self.gap = Gap::Space;
                        at = end + 1;
                    } else {
                        self.open(here, Script::Word);
                        at = end;
                    }
                }
                Class::Space => {
                    self.separate(here, Gap::Space);
                    at += 1;
                }
                class => {
                    self.mark(here, class, 1);
                    at += 1;
                }
            }
        }
    }

    /// Takes in a character beyond ASCII that takes up `length` bytes of the original.
    fn character(&mut self, at: usize, character: char, length: usize) {
        let here = Here { at, folded: self.out.folded.len() };
        let Folded { class, single } = fold::folded(character);
        match class {
            Class::Letter => {
                let open = self.open(here, Script::Word);
                open.cyrillic |= matches!(character, '\u{400}'..='\u{52f}');
                self.push(character, single);
            }
            Class::Hangul => {
                self.out.hangul = true;
                self.open(here, Script::Hangul);
                self.push(character, single);
            }
            Class::Han => {
                self.close(here);
                self.open(here, Script::Han);
                self.push(character, single);
                let folded = self.out.folded.len();
                self.close(Here { at: at + length, folded });
            }
            Class::Mark => self.combine(single.unwrap_or(character)),
            Class::Dropped => {}
            class => self.mark(here, class, length),
        }
    }

    /// Takes in a character that is no part of a word.
    fn mark(&mut self, here: Here, class: Class, length: usize) {
        match class {
            Class::Newline | Class::SentenceEnd => self.end_sentence(here),
            Class::Apostrophe => {
                let adjacent = self.open.is_some();
                self.separate(here, Gap::Joint);
                self.after_apostrophe = adjacent;
            }
            Class::Hyphen | Class::MiddleDot => {
                // A dash between spaces parts, a hyphen within a word joins.
                let joins = self.open.is_some() || self.gap <= Gap::Joint;
                self.separate(here, if joins { Gap::Joint } else { Gap::Break });
            }
            Class::Stop => self.stop(here, length),
            Class::Space | Class::Quote => self.separate(here, Gap::Space),
            _ => self.separate(here, Gap::Break),
        }
    }

    fn push(&mut self, character: char, single: Option<char>) {
        match single {
            Some(single) => self.out.folded.push(single),
            None => fold::fold_into(character, &mut self.out.folded),
        }
    }

    /// A combining mark: composed with the letter before it where that makes a letter (й, ї,
    /// kana, Hangul), else dropped unless its script needs it.
    fn combine(&mut self, mark: char) {
        let Some(letter) = self.out.folded.chars().next_back() else { return };
        if let Some(composed) = unicode_normalization::char::compose(letter, mark) {
            let mut form = String::new();
            fold::fold_into(composed, &mut form);
            if form.starts_with(letter) {
                return;
            }
            let end = self.out.folded.len() as u32;
            self.out.folded.pop();
            self.out.folded.push_str(&form);
            if self.open.is_none()
                && let Some(token) = self.out.tokens.last_mut()
                && token.form.end == end
            {
                token.form.end = self.out.folded.len() as u32;
            }
        } else if self.open.is_some() && fold::keeps_mark(Some(letter)) {
            self.out.folded.push(mark);
        }
    }

    /// Starts a token unless one of that script is open.
    fn open(&mut self, here: Here, script: Script) -> &mut Open {
        if self.open.is_some_and(|open| open.script != script) {
            self.close(here);
        }
        self.open.get_or_insert(Open {
            start: here.at,
            form: here.folded,
            script,
            cyrillic: false,
            piece: here.at,
        })
    }

    /// Ends the open token.
    fn close(&mut self, here: Here) {
        let Some(open) = self.open.take() else { return };
        let mut form = Form { start: open.form as u32, end: here.folded as u32 };
        if open.piece != open.start {
            form = self.rewrite(form, |form, out| out.extend(form.split('.')));
        }
        if open.cyrillic && self.out.text(form).bytes().any(|byte| byte.is_ascii_alphabetic()) {
            form = self.rewrite(form, repair_mixed);
        }
        if open.script == Script::Hangul && self.out.text(form).contains(is_jamo) {
            use unicode_normalization::UnicodeNormalization as _;
            form = self.rewrite(form, |form, out| out.extend(form.nfc()));
        }
        if (form.end - (form.start & !REWRITTEN)) as usize > LONGEST_TOKEN {
            let text = self.out.text(form);
            form.end -= (text.len() - text.floor_char_boundary(LONGEST_TOKEN)) as u32;
        }
        // The s of "Putin's".
        if std::mem::take(&mut self.after_apostrophe)
            && here.at - open.start == 1
            && self.out.text(form) == "s"
        {
            self.gap = Gap::Space;
            return;
        }
        self.add(form, (open.start, here.at), open.script);
    }

    /// Adds a token that stands from one place of the original to another.
    #[inline]
    fn add(&mut self, form: Form, (start, end): (usize, usize), script: Script) {
        self.joints |= self.gap == Gap::Joint;
        let token = Token {
            start: start as u32,
            end: end as u32,
            form,
            at: self.at,
            sentence: self.sentence,
            gap: self.gap,
            script,
        };
        self.at = token.until();
        self.out.tokens.push(token);
        self.gap = Gap::None;
    }

    /// Another form, made from one that stands in the folded text.
    fn rewrite(&mut self, form: Form, write: impl FnOnce(&str, &mut String)) -> Form {
        let mut rewritten = std::mem::take(&mut self.out.rewritten);
        let start = rewritten.len() as u32;
        if form.start & REWRITTEN == 0 {
            write(self.out.text(form), &mut rewritten);
        } else {
            let text = rewritten[(form.start & !REWRITTEN) as usize..form.end as usize].to_owned();
            write(&text, &mut rewritten);
        }
        self.out.rewritten = rewritten;
        Form { start: start | REWRITTEN, end: self.out.rewritten.len() as u32 }
    }

    fn separate(&mut self, here: Here, gap: Gap) {
        self.close(here);
        self.gap = self.gap.max(gap);
        self.after_apostrophe = false;
    }

    fn end_sentence(&mut self, here: Here) {
        self.separate(here, Gap::Break);
        self.sentence += 1;
    }

    /// A full stop: within an acronym (U.S.), after an abbreviation or an initial, within a number
    /// or a name (3.5, example.org), or at the end of a sentence.
    fn stop(&mut self, here: Here, length: usize) {
        let end = here.at + length;
        let rest = &self.original[end..];
        let after = rest.chars().next();
        if let Some(open) = self.open.as_mut().filter(|open| open.script == Script::Word) {
            let piece = &self.original[open.piece..here.at];
            let initial = is_single(piece) && piece.chars().all(char::is_alphabetic);
            let acronym = open.piece != open.start;
            if after.is_some_and(|next| fold::folded(next).class == Class::Letter) {
                if initial && is_acronym(rest) {
                    open.piece = end;
                } else {
                    self.separate(here, Gap::Space);
                }
                return;
            }
            if acronym {
                // The last stop of U.S. belongs to it, and may end a sentence too: with a capital
                // after it we cannot know, and a sentence too long is the smaller mistake.
                // Only an ASCII stop stands in the folded text.
                self.close(Here { at: end, folded: here.folded + usize::from(length == 1) });
                return;
            }
            let form = &self.out.folded[open.form..here.folded];
            let number = || rest.trim_start().starts_with(|next: char| next.is_ascii_digit());
            if initial
                || ABBREVIATIONS.binary_search(&form).is_ok()
                || (BEFORE_NUMBERS.contains(&form) && number())
            {
                self.separate(here, Gap::Space);
                return;
            }
        }
        let ends = |next| {
            matches!(fold::folded(next).class, Class::Space | Class::Newline | Class::Quote)
                || matches!(next, ')' | ']' | '\'' | '’')
        };
        if after.is_none_or(ends) {
            self.end_sentence(here);
        } else {
            self.separate(here, Gap::Break);
        }
    }
}

/// Bytes that are looked at together.
const WORD: usize = size_of::<u64>();
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many ASCII bytes there are before the first other one.
fn ascii_run(bytes: &[u8]) -> usize {
    run(bytes, |word| word & HIGH_BITS, |byte| byte.is_ascii())
}

/// How many small letters and digits there are before the first other byte; all are ASCII.
fn letters(bytes: &[u8]) -> usize {
    // The high bit of each byte from this one on: no sum of two bytes of ASCII carries.
    let from = |word: u64, first: u8| word + u64::from_ne_bytes([0x80 - first; WORD]);
    let others = |word: u64| {
        let digits = from(word, b'0') & !from(word, b'9' + 1);
        !(digits | from(word, b'a') & !from(word, b'z' + 1)) & HIGH_BITS
    };
    run(bytes, others, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// How many bytes there are before the first that is not taken: `others` sets the high bits of these.
fn run(bytes: &[u8], others: impl Fn(u64) -> u64, takes: impl Fn(&u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + WORD).and_then(|word| word.try_into().ok()) {
        let others = others(u64::from_le_bytes(word));
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    at + bytes[at..].iter().take_while(|byte| takes(byte)).count()
}

fn is_single(piece: &str) -> bool {
    let mut characters = piece.chars();
    characters.next().is_some() && characters.next().is_none()
}

/// Whether a text goes on like an acronym: one letter, then no further letter.
fn is_acronym(rest: &str) -> bool {
    let mut characters = rest.chars();
    let single = characters.next().is_some_and(char::is_alphabetic);
    single && !characters.next().is_some_and(char::is_alphanumeric)
}

fn is_jamo(letter: char) -> bool {
    matches!(letter, '\u{1100}'..='\u{11ff}')
}

/// A word of Latin and Cyrillic letters in which those of one alphabet all look like letters of
/// the other is a typing mistake, or meant to deceive. It is read as the alphabet of the others.
fn repair_mixed(form: &str, out: &mut String) {
    const LOOKALIKES: [(char, char); 13] = [
        ('a', 'а'),
        ('e', 'е'),
        ('o', 'о'),
        ('p', 'р'),
        ('c', 'с'),
        ('x', 'х'),
        ('y', 'у'),
        ('k', 'к'),
        ('m', 'м'),
        ('t', 'т'),
        ('h', 'н'),
        ('b', 'в'),
        ('i', 'і'),
    ];
    let cyrillic =
        |letter: char| LOOKALIKES.iter().find(|pair| pair.0 == letter).map(|pair| pair.1);
    let latin = |letter: char| LOOKALIKES.iter().find(|pair| pair.1 == letter).map(|pair| pair.0);
    let letters = || form.chars().filter(|letter| letter.is_alphabetic());
    let latin_count = letters().filter(char::is_ascii).count();
    let to_cyrillic = letters().filter(char::is_ascii).all(|letter| cyrillic(letter).is_some());
    let to_latin = letters().filter(|c| !c.is_ascii()).all(|letter| latin(letter).is_some());
    if to_cyrillic && (!to_latin || latin_count * 2 <= letters().count()) {
        out.extend(form.chars().map(|letter| cyrillic(letter).unwrap_or(letter)));
    } else if to_latin {
        out.extend(form.chars().map(|letter| latin(letter).unwrap_or(letter)));
    } else {
        out.push_str(form);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut tokens = Tokens::default();
        tokens.read(text);
        let forms: Vec<&str> = tokens.all().iter().map(|token| tokens.form(token)).collect();
        assert_eq!(forms, expected, "{text}");
        for token in tokens.all() {
            assert!(text.is_char_boundary(token.start as usize));
            assert!(text.is_char_boundary(token.end as usize));
        }
    }

    #[track_caller]
    fn check_joined(text: &str, expected: &[&str]) {
        let mut tokens = Tokens::default();
        tokens.read(text);
        let forms: Vec<&str> =
            tokens.joined().iter().map(|joined| tokens.joined_form(joined)).collect();
        assert_eq!(forms, expected, "{text}");
    }

    #[track_caller]
    fn check_sentences(text: &str, expected: &[u32]) {
        let mut tokens = Tokens::default();
        tokens.read(text);
        let sentences: Vec<u32> = tokens.all().iter().map(|token| token.sentence).collect();
        assert_eq!(sentences, expected, "{text}");
    }

    #[test]
    fn a_text_falls_into_words_characters_and_runs_of_hangul() {
        check("Wang Yi meets Lavrov, again", &["wang", "yi", "meets", "lavrov", "again"]);
        check("中国外长王毅访俄", &["中", "国", "外", "长", "王", "毅", "访", "俄"]);
        check("北김정은 AP통신", &["北", "김정은", "ap", "통신"]);
        check("Си\u{a0}Цзиньпин", &["си", "цзиньпин"]);
    }

    #[test]
    fn a_possessive_is_no_token_but_other_apostrophes_part_words() {
        check("Putin's visit", &["putin", "visit"]);
        check("Putin’s visit", &["putin", "visit"]);
        check("l'Ukraine d’Orient", &["l", "ukraine", "d", "orient"]);
    }

    #[test]
    fn an_acronym_with_stops_is_one_token() {
        check("the U.S. and U.S.-led", &["the", "us", "and", "us", "led"]);
        check("Kim J. Un", &["kim", "j", "un"]);
    }

    #[test]
    fn words_that_a_hyphen_joins_are_also_one_word() {
        check("Kim Jong-un", &["kim", "jong", "un"]);
        check_joined("Kim Jong-un", &["jongun"]);
        check_joined("dual - use", &[]);
        check_joined("a-b-c", &["ab", "abc", "bc"]);
        check_joined("북·러, 3.5", &["북러"]);
    }

    #[test]
    fn latin_letters_inside_a_cyrillic_word_are_read_as_cyrillic() {
        check("Пyтин", &["путин"]);
        check("Рutin", &["putin"]);
        check("iPhoneы", &["iphoneы"]);
    }

    #[test]
    fn a_sentence_ends_at_a_stop_but_not_after_an_abbreviation_or_initial() {
        check_sentences("It ended. New one", &[0, 0, 1, 1]);
        check_sentences("Gen. Shoigu met J. Sullivan", &[0, 0, 0, 0, 0]);
        check_sentences("the U.S. said", &[0, 0, 0]);
        check_sentences("He paid 3.5 bn", &[0, 0, 0, 0, 0]);
        check_sentences("Order No. 5. They said no. Then", &[0, 0, 0, 1, 1, 1, 2]);
        check_sentences("王毅。普京", &[0, 0, 1, 1]);
        check_sentences("one\ntwo", &[0, 1]);
    }

    #[test]
    fn a_word_is_two_half_words_and_a_han_character_one() {
        let mut tokens = Tokens::default();
        tokens.read("Putin 访华 now");
        let places: Vec<u32> = tokens.all().iter().map(|token| token.at).collect();
        assert_eq!(places, [0, 2, 3, 4]);
    }

    #[test]
    fn a_full_width_stop_is_a_stop() {
        check("ab．cd", &["ab", "cd"]);
        check("the U．S． and U．S．-led", &["the", "us", "and", "us", "led"]);
        check_sentences("It ended． New one", &[0, 0, 1, 1]);
    }

    #[test]
    fn text_that_was_encoded_twice_is_read_as_what_was_meant() {
        check("Ð›Ð°Ð²Ñ€Ð¾Ð² Putinâ€™s", &["лавров", "putin"]);
        let mut tokens = Tokens::default();
        tokens.read("Ð›Ð°Ð²Ñ€Ð¾Ð²!");
        assert_eq!(tokens.all()[0].end as usize, "Ð›Ð°Ð²Ñ€Ð¾Ð²".len());
    }

    #[test]
    fn a_mark_alone_or_at_the_start_harms_nothing() {
        check("\u{301}\u{306}", &[]);
        check("и\u{306}", &["й"]);
        check("か\u{3099}", &["が"]);
        check("ﾊﾞ", &["バ"]);
        check("a \u{301}b", &["a", "b"]);
    }

    #[test]
    fn ascii_is_classed_as_all_characters_are() {
        for byte in 0..128_u8 {
            assert_eq!(ASCII[usize::from(byte)], fold::folded(byte.into()).class, "{byte}");
        }
    }

    #[test]
    fn letters_are_counted_up_to_the_first_other_byte_wherever_it_stands() {
        for byte in (0..128_u8).filter(|byte| !byte.is_ascii_uppercase()) {
            let is_letter = ASCII[usize::from(byte)] == Class::Letter;
            for place in 0..20 {
                let mut bytes = [b'z'; 20];
                bytes[place] = byte;
                assert_eq!(letters(&bytes), if is_letter { 20 } else { place }, "{byte}");
            }
        }
    }

    #[test]
    fn abbreviations_are_sorted() {
        assert!(ABBREVIATIONS.is_sorted());
    }

    #[test]
    fn a_token_that_is_too_long_is_cut() {
        let text = format!("{} é", "é".repeat(1_000_000));
        let mut tokens = Tokens::default();
        tokens.read(&text);
        assert_eq!(tokens.all().len(), 2);
        assert_eq!(tokens.form(&tokens.all()[0]).len(), LONGEST_TOKEN);
    }
}
