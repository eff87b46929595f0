//! What benchmarks of rules work on: items and rule files that the command line names, or made-up
//! ones.

use std::fmt::Write as _;
use std::sync::Arc;

use newswatch::diagnostic::SourceFile;
use newswatch::item::{Item, ItemKey};

/// Sizes of the rule sets that are made up.
const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Items that are made up.
const ITEMS: usize = 20_000;

/// Items and sets of rule files.
pub(crate) struct Input {
    pub(crate) items: Vec<Item>,
    pub(crate) sets: Vec<Vec<Arc<SourceFile>>>,
}

impl Input {
    /// Reads `[--items ITEMS.jsonl] [RULES.toml or FOLDER …]`.
    pub(crate) fn from_arguments() -> Self {
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let (mut items, mut sets) = (Vec::new(), Vec::<Vec<Arc<SourceFile>>>::new());
        while let Some(argument) = arguments.next() {
            let read = |path: &str| {
                std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
            };
            if argument == "--items" {
                items = read_items(&read(&arguments.next().expect("--items has a file")));
            } else if std::path::Path::new(&argument).is_dir() {
                let entries = std::fs::read_dir(&argument).expect("the folder can be read");
                let paths = entries.map(|entry| entry.expect("the folder can be read").path());
                let named = paths.map(|path| path.to_string_lossy().into_owned());
                sets.push(named.map(|path| SourceFile::new(path.clone(), read(&path))).collect());
            } else {
                sets.push(vec![SourceFile::new(argument.clone(), read(&argument))]);
            }
        }
        if items.is_empty() {
            items = (0..ITEMS).map(made_up_item).collect();
        }
        if sets.is_empty() {
            let made_up = |size| vec![SourceFile::new("made-up.toml", made_up_rules(size))];
            sets = SIZES.map(made_up).into();
        }
        Self { items, sets }
    }
}

/// Items from JSON Lines with `title` and `description` or `summary`.
fn read_items(lines: &str) -> Vec<Item> {
    lines
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let mut item = Item::titled(ItemKey::of("bench", &[line]), text("title"));
            item.summary = text("description") + &text("summary");
            item
        })
        .collect()
}

/// A generator of numbers (Knuth's MMIX constants), so that every run has the same items.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A word of a vocabulary of 60,000; the lower its rank, the more frequent.
    fn word(&mut self) -> String {
        self.ranked(1.0)
    }

    /// A word that is not among the most frequent, as rules look for.
    fn telling_word(&mut self) -> String {
        self.ranked(200.0)
    }

    fn ranked(&mut self, first: f64) -> String {
        const SYLLABLES: [&str; 16] = [
            "ba", "ko", "re", "shi", "tan", "mo", "lu", "ver", "ni", "das", "pe", "gra", "yo",
            "fel", "zu", "cti",
        ];
        let mut rank = (first * (60_000.0 / first).powf(self.next())) as usize;
        let mut word = String::new();
        while rank > 0 {
            word.push_str(SYLLABLES[rank % SYLLABLES.len()]);
            rank /= SYLLABLES.len();
        }
        word
    }
}

/// An item of made-up words, always the same for a number.
fn made_up_item(number: usize) -> Item {
    let mut random = Random(number as u64);
    let mut text = |words: usize| {
        let words: Vec<String> = (0..words).map(|_| random.word()).collect();
        words.join(" ") + "."
    };
    let mut item = Item::titled(ItemKey::of("bench", &[&number.to_string()]), text(10));
    item.summary = text(44);
    item
}

/// 40 % A AND B, 25 % (A OR B OR C) AND (D OR E), 15 % phrases, 10 % NEAR, 10 % with NOT.
fn made_up_rules(count: usize) -> String {
    let mut random = Random(7);
    let mut out = String::new();
    for number in 0..count {
        let kind = random.next();
        let mut term = || format!("'{}'", random.telling_word());
        let (a, b, c, d, e) = (term(), term(), term(), term(), term());
        let query = match kind {
            kind if kind < 0.40 => format!("{a} AND {b}"),
            kind if kind < 0.65 => format!("({a} OR {b} OR {c}) AND ({d} OR {e})"),
            kind if kind < 0.80 => format!("'{} {}'", random.word(), random.telling_word()),
            kind if kind < 0.90 => format!("{a} NEAR/8 {b}"),
            _ => format!("{a} AND {b} AND NOT {c}"),
        };
        let _ = write!(
            out,
            "[[rule]]\nid = \"r{number}\"\ntitle = \"r{number}\"\nquery = \"{query}\"\n\n"
        );
    }
    out
}
