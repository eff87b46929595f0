//! What an element declares for all in it: namespaces, the base of links, the language.

use url::Url;

use super::Repairs;
use super::entry::absolute;
use super::markup::Tag;
use super::vocabulary::{self, Vocabulary};
use crate::feed::{LONGEST_LINK, language};

/// Prefixes that are declared at a time, at most.
const MOST_NAMESPACES: usize = 128;

/// What is in force at a place of a document; the last of a kind counts.
#[derive(Debug)]
pub(super) struct Scope {
    namespaces: Vec<(String, Vocabulary)>,
    bases: Vec<Url>,
    languages: Vec<String>,
}

/// How much was in force before an element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    namespaces: usize,
    bases: usize,
    languages: usize,
}

impl Scope {
    pub(super) fn of(base: Option<&Url>) -> Self {
        Self {
            namespaces: Vec::new(),
            bases: base.cloned().into_iter().collect(),
            languages: Vec::new(),
        }
    }

    /// The address that relative links are read against.
    pub(super) fn base(&self) -> Option<&Url> {
        self.bases.last()
    }

    pub(super) fn language(&self) -> Option<&str> {
        self.languages.last().map(String::as_str)
    }

    /// Takes in what a start tag declares; returns what was in force before.
    pub(super) fn enter(&mut self, tag: &Tag<'_>) -> Mark {
        let before = Mark {
            namespaces: self.namespaces.len(),
            bases: self.bases.len(),
            languages: self.languages.len(),
        };
        for (key, value) in tag.attributes() {
            if key.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("xmlns")) {
                let prefix = &key[5..].to_ascii_lowercase();
                let vocabulary = match prefix.strip_prefix(':') {
                    Some(prefix) => vocabulary::of_namespace(value)
                        .unwrap_or_else(|| vocabulary::of_prefix(prefix)),
                    // Who writes names without a prefix means those of feeds.
                    None if prefix.is_empty() => {
                        vocabulary::of_namespace(value).unwrap_or(Vocabulary::Feed)
                    }
                    None => continue,
                };
                self.declare(prefix.trim_start_matches(':'), vocabulary);
            } else if key.eq_ignore_ascii_case("xml:base") && value.len() <= LONGEST_LINK {
                if let Ok(base) = Url::parse(&absolute(value, self.base()))
                    && base.as_str().len() <= LONGEST_LINK
                {
                    self.bases.push(base);
                }
            } else if key.eq_ignore_ascii_case("xml:lang") && language(value).is_some() {
                self.languages.push(value.to_owned());
            }
        }
        before
    }

    /// Puts a prefix in force.
    pub(super) fn declare(&mut self, prefix: &str, vocabulary: Vocabulary) {
        if self.namespaces.len() < MOST_NAMESPACES {
            self.namespaces.push((prefix.to_ascii_lowercase(), vocabulary));
        }
    }

    /// Puts out of force what was declared since.
    pub(super) fn leave(&mut self, before: Mark) {
        self.namespaces.truncate(before.namespaces);
        self.bases.truncate(before.bases);
        self.languages.truncate(before.languages);
    }

    /// The vocabulary of a name and the name without its prefix.
    pub(super) fn resolve<'n>(
        &self,
        name: &'n str,
        repairs: &mut Repairs,
    ) -> (Vocabulary, &'n str) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let declared = self.namespaces.iter().rev().find(|(known, _)| known == prefix);
        let vocabulary = match declared {
            Some((_, vocabulary)) => *vocabulary,
            None if prefix.is_empty() => Vocabulary::Feed,
            None => {
                repairs.count("undeclared-prefix");
                vocabulary::of_prefix(prefix)
            }
        };
        (vocabulary, local)
    }
}
