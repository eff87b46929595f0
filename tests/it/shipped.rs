//! The configuration that is shipped: it is accepted, its rules' tests pass, and the documents
//! that describe it say the same.

use std::path::Path;
use std::process::Command;

#[track_caller]
fn check(folder: &str, feeds: usize, rules: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let output = Command::new(env!("CARGO_BIN_EXE_newswatch"))
        .arg("--config")
        .arg(&folder)
        .arg("check")
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}");
    let sum = out.lines().last().unwrap();
    assert!(sum.contains(&format!("{feeds} feeds, {rules} rules")), "{sum}");
    assert!(sum.ends_with("0 failed; 0 errors, 0 warnings"), "{out}");
}

#[test]
fn the_shipped_configuration_is_accepted_without_a_warning() {
    check("config", 77, 9);
}

#[test]
fn the_demonstration_is_accepted_without_a_warning() {
    check("config/demo", 5, 2);
}
