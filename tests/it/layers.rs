//! Who may name whom (docs/architecture.md, invariants 1 and 2).

use std::path::{Path, PathBuf};

/// The pure core.
const CORE: [&str; 16] = [
    "item.rs",
    "hit.rs",
    "poll.rs",
    "diagnostic.rs",
    "schedule.rs",
    "schedule",
    "pipeline.rs",
    "backfill.rs",
    "recognition.rs",
    "feed",
    "opml",
    "text",
    "rules",
    "alert",
    "config",
    "story",
];
/// What the core may not name: IO, the clock, and the shell.
const BANNED: [&str; 17] = [
    "tokio",
    "reqwest",
    "rusqlite",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "crate::clock",
    "crate::store",
    "crate::fetch",
    "crate::daemon",
    "crate::receivers",
    "crate::cli",
    "crate::telemetry",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The Rust files of a module, a file or a folder; tests left out.
fn files(module: &Path) -> Vec<PathBuf> {
    if module.is_file() {
        return vec![module.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(module) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.retain(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        path.extension().is_some_and(|extension| extension == "rs") && !name.ends_with("tests")
    });
    found
}

/// The code of a file: what stands before its tests, without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(modules: &[&str], banned: &[&str]) {
    let mut looked_at = 0;
    for file in modules.iter().flat_map(|module| files(&source().join(module))) {
        let code = code(&file);
        looked_at += 1;
        for name in banned {
            assert!(!code.contains(name), "{} names {name}", file.display());
        }
    }
    assert!(looked_at >= modules.len(), "only {looked_at} files were found");
}

#[test]
fn the_core_does_no_io_and_reads_no_clock() {
    check(&CORE, &BANNED);
}

#[test]
fn rules_never_see_the_store_and_receivers_never_see_rules() {
    check(&["rules", "text"], &["crate::pipeline", "crate::alert", "crate::schedule"]);
    check(&["receivers"], &["crate::rules", "crate::store", "crate::pipeline", "rusqlite"]);
}

#[test]
fn only_the_clock_reads_the_time() {
    let shell = ["store", "daemon", "fetch", "receivers", "cli", "telemetry.rs"];
    check(&shell, &["SystemTime::now", "Timestamp::now", "Zoned::now"]);
}
