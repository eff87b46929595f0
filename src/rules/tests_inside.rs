//! The tests that stand inside rules: run by `check`, and before a reload is accepted.

use super::definitions::Test;
use super::{Origin, RuleSet, Sources};
use crate::diagnostic::Problem;
use crate::item::{Item, ItemKey};

/// How the tests that stand inside the rules went.
#[derive(Debug, Default)]
pub struct TestReport {
    /// Tests whose outcome was the expected one.
    pub passed: usize,
    /// The others, each a problem at the test's place in its file.
    pub failures: Vec<Problem>,
}

impl Sources {
    /// Runs every test that stands inside a rule of the set that was compiled from these sources.
    pub fn run_tests(&self, set: &RuleSet) -> TestReport {
        let mut report = TestReport::default();
        let mut matcher = set.matcher();
        for (index, rule) in set.rules.iter().enumerate() {
            for test in &self.rule(index).tests {
                let item = item(test);
                let origin = origin(test);
                let found = matcher.matches(&item, origin).into_iter().find(|m| m.rule == index);
                let wrong = match (&found, test.matches) {
                    (Some(found), false) => {
                        let words: Vec<&str> =
                            found.spans.iter().map(|span| span.text.as_str()).collect();
                        Some(format!("rule {} must not match this, but does", rule.id))
                            .map(|text| (text, format!("it matched {}", words.join(", "))))
                    }
                    (None, true) => Some((
                        format!("rule {} must match this, but does not", rule.id),
                        format!("see why: newswatch explain {} --text '…'", rule.id),
                    )),
                    (Some(found), true) => test
                        .spans
                        .iter()
                        .find(|word| !found.spans.iter().any(|span| span.text == word.text))
                        .map(|word| {
                            (
                                format!("rule {} matches, but not by {:?}", rule.id, word.text),
                                "the evidence of a hit lists the words that matched".to_owned(),
                            )
                        }),
                    (None, false) => None,
                };
                match wrong {
                    None => report.passed += 1,
                    Some((message, hint)) => report.failures.push(
                        Problem::error(&test.title.file, test.title.span.clone(), message)
                            .with_hint(hint),
                    ),
                }
            }
        }
        report
    }
}

fn item(test: &Test) -> Item {
    let mut item = Item::titled(ItemKey::of("test", &[&test.title.text]), test.title.text.clone());
    item.summary.clone_from(&test.summary);
    item.content.clone_from(&test.content);
    item.lang.clone_from(&test.lang);
    item
}

fn origin(test: &Test) -> Origin<'_> {
    Origin { feed: test.feed.as_deref().unwrap_or_default(), region: test.region.as_deref() }
}
