//! The query language: what a query says, as a tree that knows its places.

use std::fmt;
use std::ops::Range;

use crate::item::Field;

/// A part of a query.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it stands in the query, in bytes.
    pub(crate) at: Range<usize>,
    /// What it is.
    pub(crate) kind: Kind,
}

/// The kinds of parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    /// `A NEAR/n B`, `A BEFORE/n B`, `A NEAR/s B`.
    Near {
        left: Box<Node>,
        right: Box<Node>,
        reach: Reach,
        ordered: bool,
    },
    /// `n OF (…)`.
    Count(u32, Vec<Node>),
    Field(Field, Box<Node>),
    Entity(String),
    Macro(String),
    Term(Term),
}

/// How far apart the two sides of NEAR may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// So many words between them.
    Words(u32),
    /// In the same sentence.
    Sentence,
}

/// A word or phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    /// How it is written and so how it matches.
    pub(crate) style: Style,
    /// The words.
    pub(crate) text: String,
    /// It ends in `*`: any ending will do.
    pub(crate) prefix: bool,
}

/// How a term is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Style {
    /// `talks`: inflected.
    Word,
    /// `"security talks"`: each word inflected.
    Phrase,
    /// `'arms deal'`: as written but for case and accents.
    Exact,
    /// `=US`, `="Ван И"`: as written.
    Verbatim,
}

/// Places do not count: two queries are equal when they say the same.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl fmt::Display for Node {
    /// The canonical form: parsing it gives an equal tree.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Or(parts) => join(f, parts, " OR "),
            Kind::And(parts) => join(f, parts, " AND "),
            Kind::Not(part) => write!(f, "NOT {}", Operand(part)),
            Kind::Near { left, right, reach, ordered } => {
                let left_near = matches!(left.kind, Kind::Near { .. });
                if left_near {
                    write!(f, "{left}")?
                } else {
                    write!(f, "{}", Operand(left))?
                }
                write!(f, " {} ", operator(*reach, *ordered))?;
                write!(f, "{}", Operand(right))
            }
            Kind::Count(count, parts) => {
                write!(f, "{count} OF (")?;
                for (index, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Kind::Field(field, part) => write!(f, "{field}:{}", Operand(part)),
            Kind::Entity(name) => write!(f, "@{name}"),
            Kind::Macro(name) => write!(f, "${name}"),
            Kind::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.prefix { "*" } else { "" };
        match self.style {
            Style::Word => write!(f, "{}{star}", self.text),
            Style::Phrase => write!(f, "\"{}\"", self.text),
            Style::Exact => write!(f, "'{}'", self.text),
            Style::Verbatim if self.text.contains(|c: char| !is_word(c)) => {
                write!(f, "=\"{}\"", self.text)
            }
            Style::Verbatim => write!(f, "={}", self.text),
        }
    }
}

/// NEAR or BEFORE as it is written.
pub(crate) fn operator(reach: Reach, ordered: bool) -> String {
    let word = if ordered { "BEFORE" } else { "NEAR" };
    match reach {
        Reach::Words(words) => format!("{word}/{words}"),
        Reach::Sentence => format!("{word}/s"),
    }
}

/// A part where only a primary may stand: with parentheses unless it is one.
struct Operand<'a>(&'a Node);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            Kind::Or(_) | Kind::And(_) | Kind::Not(_) | Kind::Near { .. } => {
                write!(f, "({})", self.0)
            }
            _ => write!(f, "{}", self.0),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Node], operator: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { operator })?;
        match part.kind {
            Kind::Or(_) | Kind::And(_) => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}

/// Whether a character may stand in a word that is not quoted.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(character, '-' | '.' | '_' | '/' | '·' | '・' | '’' | '‑' | '%' | '+')
        || matches!(character, '\u{300}'..='\u{36f}' | '\u{3005}'..='\u{3007}' | '\u{30fc}')
        || unicode_normalization::char::is_combining_mark(character)
}
