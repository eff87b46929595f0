//! Cutting a text into tokens and sentences, in one pass and without an allocation a token.

use super::fold::{self, Class, Folded};

/// The half-words that a word takes up; a Han or kana character takes up one.
const WORD_WIDTH: u32 = 2;
/// Tokens of one text that are looked at; the rest is ignored. A text is at most 256 KiB.
pub(crate) const MOST_TOKENS: usize = 1 << 18;
/// The longest token in bytes of its folded form; what is longer is cut, as no query is that long.
const LONGEST_TOKEN: usize = 256;

/// Abbreviations after which a full stop ends no sentence, folded.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "gen", "lt", "col", "maj", "capt", "sgt", "adm", "sen", "rep",
    "gov", "pres", "sec", "st", "no", "nos", "vs", "inc", "ltd", "co", "corp", "jan", "feb", "mar",
    "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "etc", "approx", "dept", "est",
    "им", "ул", "тыс", "млн", "млрд", "руб", "гг", "др", "пр", "св", "ст", "стр", "напр", "proc",
    "ul", "tys", "mln", "mld", "ok", "np", "tzw", "im", "sw", "mme", "m", "mm",
];

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
    /// White space or quotation marks.
    Space,
    /// A mark that ends a phrase, or the start of the text.
    Break,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// Where it starts in the original, in bytes.
    pub(crate) start: u32,
    /// Where it ends in the original, in bytes; a possessive is left out.
    pub(crate) end: u32,
    /// Its folded form, in bytes of [`Tokens::folded`].
    form: (u32, u32),
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

/// Two or more words that a hyphen or the like joins, as one: `jongun` for Jong-un.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// The first of the tokens.
    pub(crate) first: u32,
    /// The last of the tokens.
    pub(crate) last: u32,
    form: (u32, u32),
}

/// The tokens of one text. Reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    joined: Vec<Joined>,
    folded: String,
}

/// The state of a pass.
struct Pass<'a> {
    out: &'a mut Tokens,
    original: &'a str,
    at: u32,
    sentence: u32,
    gap: Gap,
    /// The token that is being read: its start and script.
    open: Option<(usize, usize, Script)>,
    /// Cyrillic and Latin letters were seen in the open token.
    mixed: (bool, bool),
}

impl Tokens {
    /// Reads a text, forgetting the one before.
    pub(crate) fn read(&mut self, original: &str) {
        self.tokens.clear();
        self.joined.clear();
        self.folded.clear();
        let mut pass = Pass {
            out: self,
            original,
            at: 0,
            sentence: 0,
            gap: Gap::Break,
            open: None,
            mixed: (false, false),
        };
        pass.run();
        self.join();
    }

    /// The tokens in their order.
    pub(crate) fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// The joined words, by their first token.
    pub(crate) fn joined(&self) -> &[Joined] {
        &self.joined
    }

    /// A token's folded form.
    pub(crate) fn form(&self, token: &Token) -> &str {
        &self.folded[token.form.0 as usize..token.form.1 as usize]
    }

    /// A joined word's folded form.
    pub(crate) fn joined_form(&self, joined: &Joined) -> &str {
        &self.folded[joined.form.0 as usize..joined.form.1 as usize]
    }

    /// Adds the joined form of every run of words that hyphens and the like hold together.
    fn join(&mut self) {
        const MOST_PARTS: usize = 4;
        let mut first = 0;
        while first < self.tokens.len() {
            let mut last = first;
            while last + 1 < self.tokens.len()
                && self.tokens[last + 1].gap == Gap::Joint
                && self.tokens[last + 1].script == Script::Word
                && self.tokens[first].script == Script::Word
            {
                last += 1;
            }
            if last > first && last - first < MOST_PARTS {
                let start = self.folded.len();
                for part in first..=last {
                    let (from, to) = self.tokens[part].form;
                    self.folded.extend_from_within(from as usize..to as usize);
                }
                let form = (start as u32, self.folded.len() as u32);
                self.joined.push(Joined { first: first as u32, last: last as u32, form });
            }
            first = last + 1;
        }
    }
}

impl Pass<'_> {
    fn run(&mut self) {
        let bytes = self.original.as_bytes();
        let mut at = 0;
        while at < bytes.len() && self.out.tokens.len() < MOST_TOKENS {
            let byte = bytes[at];
            if byte.is_ascii_alphanumeric() {
                at = self.ascii_word(at);
                continue;
            }
            let character = self.original[at..].chars().next().expect("at is a boundary");
            self.character(at, character);
            at += character.len_utf8();
        }
        self.close(at);
    }

    /// Takes in a run of ASCII letters and digits, which is most of most texts.
    fn ascii_word(&mut self, start: usize) -> usize {
        let bytes = self.original.as_bytes();
        let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let end = start + length;
        self.open(start, Script::Word);
        self.mixed.0 |= bytes[start..end].iter().any(u8::is_ascii_alphabetic);
        let from = self.out.folded.len();
        self.out.folded.push_str(&self.original[start..end]);
        self.out.folded[from..].make_ascii_lowercase();
        end
    }

    fn character(&mut self, at: usize, character: char) {
        let Folded { class, single } = fold::folded(character);
        match class {
            Class::Letter => {
                self.open(at, Script::Word);
                self.mixed.1 |= matches!(character, '\u{400}'..='\u{52f}');
                self.push(character, single);
            }
            Class::Hangul => {
                self.open(at, Script::Hangul);
                self.push(character, single);
            }
            Class::Han => {
                self.close(at);
                self.open(at, Script::Han);
                self.push(character, single);
                self.close(at + character.len_utf8());
            }
            Class::Mark => self.mark(character),
            Class::Dropped => {}
            Class::Space => self.separate(at, Gap::Space),
            Class::Quote => self.separate(at, Gap::Space),
            Class::Newline => self.end_sentence(at),
            Class::SentenceEnd => self.end_sentence(at),
            Class::Apostrophe => self.separate(at, Gap::Joint),
            Class::Hyphen | Class::MiddleDot => {
                // A dash between spaces parts, a hyphen within a word joins.
                let gap = if self.open.is_some() || self.gap <= Gap::Joint {
                    Gap::Joint
                } else {
                    Gap::Break
                };
                self.separate(at, gap);
            }
            Class::Stop => self.stop(at),
            Class::Other => self.separate(at, Gap::Break),
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
    fn mark(&mut self, mark: char) {
        let Some(letter) = self.out.folded.chars().next_back() else { return };
        let composed = unicode_normalization::char::compose(letter, mark);
        if let Some(composed) = composed {
            let mut form = String::new();
            fold::fold_into(composed, &mut form);
            if form.starts_with(letter) {
                return;
            }
            self.out.folded.pop();
            self.out.folded.push_str(&form);
            if self.open.is_none()
                && let Some(token) = self.out.tokens.last_mut()
            {
                token.form.1 = self.out.folded.len() as u32;
            }
        } else if self.open.is_some() && fold::keeps_mark(Some(letter)) {
            self.out.folded.push(mark);
        }
    }

    /// Starts a token unless one of that script is open.
    fn open(&mut self, at: usize, script: Script) {
        if self.open.is_some_and(|(.., open)| open != script) {
            self.close(at);
        }
        if self.open.is_none() {
            self.open = Some((at, self.out.folded.len(), script));
            self.mixed = (false, false);
        }
    }

    /// Ends the open token.
    fn close(&mut self, end: usize) {
        let Some((start, form, script)) = self.open.take() else { return };
        if self.mixed == (true, true) {
            self.repair_mixed(form);
        }
        if script == Script::Hangul {
            self.compose_jamo(form);
        }
        if self.out.folded.len() - form > LONGEST_TOKEN {
            let cut = self.out.folded.floor_char_boundary(form + LONGEST_TOKEN);
            self.out.folded.truncate(cut);
        }
        if self.is_possessive(start, end, form) {
            self.out.folded.truncate(form);
            self.gap = Gap::Space;
            return;
        }
        let token = Token {
            start: start as u32,
            end: end as u32,
            form: (form as u32, self.out.folded.len() as u32),
            at: self.at,
            sentence: self.sentence,
            gap: self.gap,
            script,
        };
        self.at = token.until();
        self.out.tokens.push(token);
        self.gap = Gap::None;
    }

    /// Whether the token is the s of "Putin's".
    fn is_possessive(&self, start: usize, end: usize, form: usize) -> bool {
        self.gap == Gap::Joint
            && end - start == 1
            && &self.out.folded[form..] == "s"
            && self.original[..start]
                .chars()
                .next_back()
                .is_some_and(|before| fold::folded(before).class == Class::Apostrophe)
    }

    /// Latin letters that look Cyrillic inside a Cyrillic word are typing mistakes.
    fn repair_mixed(&mut self, form: usize) {
        const LOOKALIKES: [(char, char); 12] = [
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
        ];
        let repaired: String = self.out.folded[form..]
            .chars()
            .map(|letter| {
                LOOKALIKES.iter().find(|(latin, _)| *latin == letter).map_or(letter, |pair| pair.1)
            })
            .collect();
        self.out.folded.truncate(form);
        self.out.folded.push_str(&repaired);
    }

    /// Hangul typed as single jamo, as some systems store it.
    fn compose_jamo(&mut self, form: usize) {
        use unicode_normalization::UnicodeNormalization as _;
        if self.out.folded[form..].chars().any(|letter| matches!(letter, '\u{1100}'..='\u{11ff}')) {
            let composed: String = self.out.folded[form..].nfc().collect();
            self.out.folded.truncate(form);
            self.out.folded.push_str(&composed);
        }
    }

    fn separate(&mut self, at: usize, gap: Gap) {
        self.close(at);
        self.gap = self.gap.max(gap);
    }

    fn end_sentence(&mut self, at: usize) {
        self.separate(at, Gap::Break);
        self.sentence += 1;
    }

    /// A full stop: within an acronym (U.S.), after an abbreviation or an initial, between digits,
    /// or at the end of a sentence.
    fn stop(&mut self, at: usize) {
        let after = self.original[at + 1..].chars().next();
        if let Some((start, form, Script::Word)) = self.open {
            let length = self.original[start..at].chars().count();
            let letters = self.out.folded[form..].chars().all(char::is_alphabetic);
            if after.is_some_and(|next| fold::folded(next).class == Class::Letter) {
                let single = self.original[..at]
                    .chars()
                    .rev()
                    .take_while(|letter| letter.is_alphanumeric())
                    .count();
                // U.S.: go on with the same token. 3.5 and example.org: a break within a sentence.
                if letters && single == 1 && is_acronym(&self.original[at + 1..]) {
                    return;
                }
                self.separate(at, Gap::Joint);
                return;
            }
            let acronym = self.original[start..at].contains('.');
            let initial = length == 1 && letters;
            let form = &self.out.folded[form..];
            if acronym {
                // The last stop of U.S. belongs to it, and may end a sentence too: with a capital
                // after it we cannot know, and a sentence too long is the smaller mistake.
                self.close(at + 1);
                return;
            }
            if initial || ABBREVIATIONS.contains(&form) {
                self.separate(at, Gap::Space);
                return;
            }
        }
        if after.is_none_or(|next| {
            matches!(fold::folded(next).class, Class::Space | Class::Newline | Class::Quote)
                || matches!(next, ')' | ']' | '\'' | '’')
        }) {
            self.end_sentence(at);
        } else {
            self.separate(at, Gap::Break);
        }
    }
}

/// Whether a text goes on like an acronym: one letter, then no further letter.
fn is_acronym(rest: &str) -> bool {
    let mut characters = rest.chars();
    let single = characters.next().is_some_and(char::is_alphabetic);
    single && !characters.next().is_some_and(char::is_alphanumeric)
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
    }

    #[test]
    fn latin_letters_inside_a_cyrillic_word_are_read_as_cyrillic() {
        check("Пyтин", &["путин"]);
    }

    #[test]
    fn a_sentence_ends_at_a_stop_but_not_after_an_abbreviation_or_initial() {
        check_sentences("It ended. New one", &[0, 0, 1, 1]);
        check_sentences("Gen. Shoigu met J. Sullivan", &[0, 0, 0, 0, 0]);
        check_sentences("the U.S. said", &[0, 0, 0]);
        check_sentences("He paid 3.5 bn", &[0, 0, 0, 0, 0]);
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
    fn a_mark_alone_or_at_the_start_harms_nothing() {
        check("\u{301}\u{306}", &[]);
        check("и\u{306}", &["й"]);
        check("か\u{3099}", &["が"]);
    }
}
