//! The speed of matching: microseconds an item against rule sets of growing size, as multiples of
//! a floor that is timed in the same run, and the time that compiling takes.
//!
//! ```text
//! cargo bench --bench matching -- [--items ITEMS.jsonl] [RULES.toml or FOLDER …]
//! ```
//!
//! Items are JSON Lines with `title` and `description` or `summary`. Without arguments items and
//! rules are made up: words by Zipf's law, from a fixed seed.
//!
//! The floor cuts every text into words, folds ASCII case, hashes each word and looks at no rule:
//! what any program that matches words has to do.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod input;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use input::Input;
use newswatch::diagnostic::SourceFile;
use newswatch::item::Item;
use newswatch::rules::{self, Origin, RuleSet};

/// Passes over all items, of which the median counts.
const ROUNDS: usize = 5;

fn main() {
    let Input { items, sets } = Input::from_arguments();
    let bytes: usize = items.iter().map(|item| item.title.len() + item.summary.len()).sum();
    println!("{} items of {} bytes on average", items.len(), bytes / items.len());

    println!("{:>8} {:>9} {:>9} {:>9}", "rules", "parse s", "compile s", "learn s");
    let sets: Vec<RuleSet> = sets.iter().map(|files| compile(files, &items)).collect();

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

/// Compiles rule files and prints what that took.
fn compile(files: &[Arc<SourceFile>], items: &[Item]) -> RuleSet {
    let start = Instant::now();
    for file in files {
        black_box(toml::de::DeTable::parse(&file.text).expect("the rule file is TOML"));
    }
    let parse = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let compiled = rules::compile(files);
    let time = start.elapsed().as_secs_f64();
    let mut set = compiled.set.expect("the rules compile");
    drop((compiled.sources, compiled.problems));
    let start = Instant::now();
    set.learn(items.iter().take(rules::ITEMS_TO_LEARN_FROM));
    let learn = start.elapsed().as_secs_f64();
    let count = set.rules().len();
    println!("{count:>8} {parse:>9.3} {time:>9.3} {learn:>9.3}");
    set
}
