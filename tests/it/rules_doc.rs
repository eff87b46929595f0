//! docs/rules.md: every example in it works as it stands there.

use std::path::{Path, PathBuf};
use std::process::Command;

use newswatch::diagnostic::SourceFile;
use newswatch::item::{Item, ItemKey};
use newswatch::rules::{self, Compiled, Origin};

use crate::program::copy;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    std::fs::read_to_string(path).unwrap()
}

/// The fenced blocks of the page: what stands after the fence, and the text.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find("```") {
        let (kind, after) = rest[start + 3..].split_once('\n').unwrap();
        let (text, after) = after.split_once("```").unwrap();
        blocks.push((kind, text));
        rest = after;
    }
    blocks
}

/// All good rule files of the page as one.
fn good_rules(document: &str) -> String {
    let good = blocks(document).into_iter().filter(|(kind, _)| *kind == "toml");
    good.map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

#[test]
fn its_rules_compile_and_their_tests_pass() {
    let file = SourceFile::new("rules.toml", good_rules(&document()));
    let Compiled { set, sources, problems } = rules::compile(&[file]);
    let problems: Vec<String> = problems.iter().map(|problem| problem.render()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let report = sources.run_tests(&set.unwrap());
    let failures: Vec<String> = report.failures.iter().map(|failure| failure.render()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(report.passed > 20);
}

#[test]
fn its_queries_find_what_it_says_they_find() {
    let document = document();
    let (_, table) =
        document.split_once("| query | finds | does not find |\n|---|---|---|\n").unwrap();
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 15);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let quoted = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let query = quoted(cells[0]).remove(0);
        let set = rules::compile_query(&query, &[]).set.unwrap_or_else(|| panic!("{query}"));
        for (cell, expected) in [(cells[1], true), (cells[2], false)] {
            for text in quoted(cell) {
                let item = Item::titled(ItemKey::of("test", &[&text]), text.clone());
                let found = !set.matcher().matches(&item, Origin::default()).is_empty();
                assert_eq!(found, expected, "{query} on {text}");
            }
        }
    }
}

#[test]
fn its_mistakes_are_reported_as_it_says() {
    let document = document();
    let blocks = blocks(&document);
    let wrong: Vec<_> = blocks
        .windows(2)
        .filter(|pair| pair[0].0 == "toml wrong")
        .map(|pair| (pair[0].1, pair[1].1))
        .collect();
    assert_eq!(wrong.len(), 2);
    for (rules, expected) in wrong {
        let problems = rules::compile(&[SourceFile::new("rules.toml", rules)]).problems;
        let rendered: Vec<String> = problems.iter().map(|problem| problem.render()).collect();
        assert_eq!(rendered.join("\n"), expected.trim_end());
    }
}

/// A configuration with the page's rules, a store, and older rules beside it.
fn configuration(document: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo"), &config);
    copy(&config.join("rules"), &folder.path().join("old"));
    std::fs::write(config.join("rules/page.toml"), good_rules(document)).unwrap();
    (folder, config)
}

#[test]
fn its_commands_work() {
    let document = document();
    let (folder, config) = configuration(&document);
    let run = |line: &str| {
        let line = line.replacen("newswatch", "exec \"$0\"", 1);
        let output = Command::new("sh")
            .arg("-c")
            .arg(line)
            .arg(env!("CARGO_BIN_EXE_newswatch"))
            .current_dir(folder.path())
            .env("NEWSWATCH_CONFIG", &config)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    run("newswatch run --once");
    let blocks = blocks(&document);
    let mut commands = 0;
    for (index, (_, text)) in blocks.iter().enumerate().filter(|(_, (kind, _))| *kind == "sh") {
        for line in text.lines().filter(|line| line.starts_with("newswatch ")) {
            commands += 1;
            let out = run(line);
            if let Some(("text", expected)) = blocks.get(index + 1) {
                assert_eq!(out, *expected, "{line}");
            }
        }
    }
    assert!(commands > 4);
}
