//! The cost of text that is made to be slow: nanoseconds a byte at 256 KiB, 512 KiB and 1 MiB. What
//! stays flat is linear.
//!
//! ```text
//! cargo bench --bench hostile_text -- [FOLDER of rule files]
//! ```
//!
//! Without a folder the rules are a few that use everything the language has.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod input;

use std::hint::black_box;
use std::time::Instant;

use input::Input;
use newswatch::diagnostic::SourceFile;
use newswatch::item::{Item, ItemKey};
use newswatch::rules::{self, Origin};

const RULES: &str = r#"
[entity.wang]
names.zh = ["王毅"]
not_in.zh = ["国王毅然"]
[[entity.wang.ambiguous]]
names.en = ["Wang Yi", "=Wang"]
within = "s"
needs = '''@lavrov OR diplomat* OR (China NEAR/3 minister)'''
[entity.lavrov]
names.en = ["Lavrov"]
names.ru = ["Лавров"]
not_in.en = ["Lavrov Street"]
[[rule]]
id = "a"
title = "A"
query = '''(@wang NEAR/s @lavrov) OR (@wang BEFORE/5 "foreign minister" NEAR/9 =Moscow)'''
exclude = '''"on this day" AND 2 OF (Wang, Yi, Lavrov)'''
"#;

const TEXTS: [(&str, &str); 12] = [
    ("names without company", "Wang Yi "),
    ("names with company", "Wang Yi Lavrov "),
    ("pairs too far apart", "Wang Yi foreign minister. Moscow "),
    ("names inside longer ones", "Lavrov Street "),
    ("sentences", "Lavrov. Wang. "),
    ("one sentence", "Wang, Yi, Lavrov, "),
    ("Han", "国王毅然王毅"),
    ("joined words", "a-Wang-Yi-"),
    ("masked and ambiguous", "白俄罗斯俄 Wang, Xi. Kim "),
    ("one sentence of names", "Xi Kim Wang Sullivan 俄亥俄 白俄 "),
    ("encoded twice", "Ð›Ð°Ð²Ñ€Ð¾Ð² "),
    ("marks", "e\u{301}\u{301}\u{301}\u{200b}.·'"),
];

fn main() {
    let named = std::env::args().skip(1).any(|argument| argument != "--bench");
    let files = if named {
        let Input { items, mut sets } = Input::from_arguments();
        drop(items);
        sets.remove(0)
    } else {
        vec![SourceFile::new("hostile.toml", RULES)]
    };
    let set = rules::compile(&files).set.expect("the rules compile");
    let mut matcher = set.matcher();
    println!("{:<26} {:>9} {:>9} {:>9}", "ns a byte", "256 KiB", "512 KiB", "1 MiB");
    for (name, piece) in TEXTS {
        print!("{name:<26}");
        for size in [256 << 10, 512 << 10, 1 << 20] {
            let text = piece.repeat(size / piece.len());
            let item = Item::titled(ItemKey::of("bench", &[name]), text);
            let start = Instant::now();
            black_box(matcher.matches(&item, Origin::default()));
            print!(" {:>9.1}", start.elapsed().as_secs_f64() * 1e9 / size as f64);
        }
        println!();
    }
}
