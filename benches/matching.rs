//! The speed of matching: microseconds an item against rule sets of growing size, as multiples of
//! a floor that is timed in the same run, and what compiling costs in time and memory.
//!
//! ```text
//! cargo bench --bench matching -- [--items ITEMS.jsonl] [RULES.toml …]
//! ```
//!
//! Items are JSON Lines with `title` and `description` or `summary`. Without arguments items and
//! rules are made up: words by Zipf's law, from a fixed seed. Memory is what the compiled set
//! keeps allocated, as a whole and less the length of the rule file.
//!
//! The floor cuts every text into words, folds ASCII case, hashes each word and looks at no rule:
//! what any program that matches words has to do.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use newswatch::diagnostic::SourceFile;
use newswatch::item::{Item, ItemKey};
use newswatch::rules::{self, Origin, RuleSet};

/// Counts the bytes that are allocated, so that the memory of rules is known to the byte.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Passes over all items, of which the median counts.
const ROUNDS: usize = 5;
/// Sizes of the rule sets that are made up.
const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Items that are made up.
const ITEMS: usize = 20_000;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut items, mut files) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let read = |path: &str| {
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        if argument == "--items" {
            items = read_items(&read(&arguments.next().expect("--items has a file")));
        } else {
            files.push(SourceFile::new(argument.clone(), read(&argument)));
        }
    }
    if items.is_empty() {
        items = (0..ITEMS).map(made_up_item).collect();
    }
    if files.is_empty() {
        files = SIZES.map(|size| SourceFile::new("made-up.toml", made_up_rules(size))).into();
    }
    let bytes: usize = items.iter().map(|item| item.title.len() + item.summary.len()).sum();
    println!("{} items of {} bytes on average", items.len(), bytes / items.len());

    println!("{:>8} {:>9} {:>9} {:>9} {:>8}", "rules", "parse s", "compile s", "learn s", "B/rule");
    let sets: Vec<RuleSet> = files.iter().map(|file| compile(file, &items)).collect();

    let mut floors = Vec::new();
    let mut times = vec![Vec::new(); sets.len()];
    let mut hits = vec![0; sets.len()];
    for _ in 0..ROUNDS {
        floors.push(timed(items.len(), || black_box(floor(&items))).0);
        for (index, set) in sets.iter().enumerate() {
            let (time, found) = timed(items.len(), || matched(set, &items));
            times[index].push(time);
            hits[index] = found;
        }
    }
    let floor = median(floors);
    println!("{:>8} {:>9} {:>9} {:>8}", "rules", "us/item", "x floor", "hits");
    println!("{:>8} {floor:>9.3} {:>9.1} {:>8}", "floor", 1.0, "-");
    for ((set, times), hits) in sets.iter().zip(times).zip(hits) {
        let time = median(times);
        println!("{:>8} {time:>9.3} {:>9.1} {hits:>8}", set.rules().len(), time / floor);
    }
}

/// Microseconds an item, and what the run returned.
fn timed<T>(items: usize, run: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = run();
    (start.elapsed().as_secs_f64() * 1e6 / items as f64, result)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn matched(set: &RuleSet, items: &[Item]) -> usize {
    let mut matcher = set.matcher();
    items.iter().map(|item| matcher.matches(item, Origin::default()).len()).sum()
}

fn floor(items: &[Item]) -> u64 {
    /// What each ASCII letter or digit folds to; 0 for what parts words.
    const FOLDED: [u8; 128] = {
        let mut table = [0; 128];
        let mut byte = 0;
        while byte < 128 {
            if (byte as u8).is_ascii_alphanumeric() {
                table[byte] = (byte as u8).to_ascii_lowercase();
            }
            byte += 1;
        }
        table
    };
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let step = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0100_0000_01b3);
    let mut sum = 0;
    for text in items.iter().flat_map(|item| [&item.title, &item.summary]) {
        let bytes = text.as_bytes();
        let mut hash = START;
        let mut at = 0;
        while at < bytes.len() {
            let mut folded = 0;
            if bytes[at] < 128 {
                folded = u64::from(FOLDED[bytes[at] as usize]);
                at += 1;
            } else if let Some(character) = text[at..].chars().next() {
                if character.is_alphanumeric() {
                    folded = character.to_lowercase().map(u64::from).sum();
                }
                at += character.len_utf8();
            }
            if folded != 0 {
                hash = step(hash, folded);
            } else if hash != START {
                sum ^= hash;
                hash = START;
            }
        }
        sum ^= hash;
    }
    sum
}

/// Compiles a rule file and prints what that took.
fn compile(file: &Arc<SourceFile>, items: &[Item]) -> RuleSet {
    let start = Instant::now();
    black_box(toml::de::DeTable::parse(&file.text).expect("the rule file is TOML"));
    let parse = start.elapsed().as_secs_f64();
    let before = HEAP.current_usage();
    let start = Instant::now();
    let compiled = rules::compile(std::slice::from_ref(file));
    let time = start.elapsed().as_secs_f64();
    let mut set = compiled.set.expect("the rules compile");
    drop((compiled.sources, compiled.problems));
    let start = Instant::now();
    set.learn(items.iter().take(rules::ITEMS_TO_LEARN_FROM));
    let learn = start.elapsed().as_secs_f64();
    let count = set.rules().len();
    let memory = HEAP.current_usage().saturating_sub(before);
    let beyond = memory.saturating_sub(file.text.len());
    println!(
        "{count:>8} {parse:>9.3} {time:>9.3} {learn:>9.3} {:>8} {:>8}",
        memory / count.max(1),
        beyond / count.max(1)
    );
    set
}

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
