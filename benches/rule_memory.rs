//! The memory of compiled rules: bytes a rule that the set keeps allocated, as a whole and less
//! the length of the rule files.
//!
//! ```text
//! cargo bench --bench rule_memory -- [--items ITEMS.jsonl] [RULES.toml or FOLDER …]
//! ```
//!
//! Apart from the benchmark of speed, as an allocator that counts is slower.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod input;

use input::Input;
use newswatch::rules;

/// Counts the bytes that are allocated.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

fn main() {
    let Input { items, sets } = Input::from_arguments();
    println!("{:>8} {:>8} {:>8}", "rules", "B/rule", "- text");
    for files in sets {
        let before = HEAP.current_usage();
        let mut set = rules::compile(&files).set.expect("the rules compile");
        set.learn(items.iter().take(rules::ITEMS_TO_LEARN_FROM));
        let memory = HEAP.current_usage() - before;
        let text: usize = files.iter().map(|file| file.text.len()).sum();
        let count = set.rules().len().max(1);
        println!("{count:>8} {:>8} {:>8}", memory / count, memory.saturating_sub(text) / count);
    }
}
