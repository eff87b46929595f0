//! Problems of configuration files: what is wrong, exactly where, and what to write instead.
//!
//! Everything that reads a file a user wrote reports [`Problem`]s, all of them, and never stops at
//! the first. Reading files is not done here.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// The widest piece of a source line that a message shows, in characters.
const WIDEST_LINE: usize = 160;

/// A file of the configuration, read.
#[derive(Debug)]
pub struct SourceFile {
    /// Where it was read from, as messages name it.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Where the first bytes stood that are not UTF-8 and became U+FFFD.
    pub not_utf8: Option<usize>,
    /// Where its lines begin, once somebody has asked: a file may have a warning for each of a
    /// hundred thousand rules.
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.text, self.not_utf8) == (&other.path, &other.text, other.not_utf8)
    }
}

impl Eq for SourceFile {}

impl SourceFile {
    /// A file of that path and text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Self::read(path.into(), text.into(), None)
    }

    /// A file of that path and content.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Arc<Self> {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(path, text),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self::read(path.into(), text, Some(error.utf8_error().valid_up_to()))
            }
        }
    }

    fn read(path: PathBuf, text: String, not_utf8: Option<usize>) -> Arc<Self> {
        Arc::new(Self { path, text, not_utf8, lines: OnceLock::new() })
    }

    /// The line and column (both from 1, the column in characters) of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let lines = self.lines.get_or_init(|| {
            let newlines = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(newlines.map(|newline| newline + 1)).collect()
        });
        let line = lines.partition_point(|start| *start <= offset);
        (line, self.text[lines[line - 1]..offset].chars().count() + 1)
    }

    fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

/// Whether a problem makes the configuration unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// The configuration works, but probably not as its author thinks.
    Warning,
    /// The configuration is refused.
    Error,
}

/// Something wrong at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub gravity: Gravity,
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes of the file that the caret points at.
    pub span: Range<usize>,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// What to write instead, where we know.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that makes the configuration unusable.
    pub fn error(file: &Arc<SourceFile>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            gravity: Gravity::Error,
            file: file.clone(),
            span,
            message: message.into(),
            hint: None,
        }
    }

    /// A problem that the configuration works in spite of.
    pub fn warning(file: &Arc<SourceFile>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { gravity: Gravity::Warning, ..Self::error(file, span, message) }
    }

    /// The same, but the configuration works in spite of it.
    pub fn as_warning(self) -> Self {
        Self { gravity: Gravity::Warning, ..self }
    }

    /// The same with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `FILE:LINE:COLUMN: error: what`, the source line, a caret under it, and the hint.
    pub fn render(&self) -> String {
        let (line, column) = self.file.line_column(self.span.start);
        let gravity = match self.gravity {
            Gravity::Warning => "warning",
            Gravity::Error => "error",
        };
        let mut out =
            format!("{}:{line}:{column}: {gravity}: {}", self.file.path.display(), self.message);
        if let Some((shown, before, marked)) = self.excerpt() {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            let _ = write!(out, "\n {number} | {shown}\n {margin} | {before}{marked}");
        }
        if let Some(hint) = &self.hint {
            let _ = write!(out, "\n  hint: {hint}");
        }
        out
    }

    /// The source line, the white space up to the caret, and the carets.
    fn excerpt(&self) -> Option<(String, String, String)> {
        let text = &self.file.text;
        if text.is_empty() {
            return None;
        }
        let start = self.file.floor(self.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = self.file.floor(self.span.end).clamp(start, line_end);
        // A query can be a line of thousands of characters: show the part about the caret.
        let lead = text[line_start..start].chars().count();
        let skipped = lead.saturating_sub(WIDEST_LINE / 2);
        let visible = |piece: &str| piece.replace('\t', " ").replace(char::is_control, "");
        let cut = if skipped > 0 { "…" } else { "" };
        let before = visible(&text[line_start..start].chars().skip(skipped).collect::<String>());
        let rest: String = text[start..line_end].chars().take(WIDEST_LINE).collect();
        let marked: String = text[start..end].chars().take(WIDEST_LINE).collect();
        let width = visible(&marked).width().max(1);
        Some((
            format!("{cut}{before}{}", visible(&rest)).trim_end().to_owned(),
            " ".repeat(cut.width() + before.width()),
            "^".repeat(width),
        ))
    }

    /// The same as data, for editors and continuous integration.
    pub fn to_json(&self) -> serde_json::Value {
        let (line, column) = self.file.line_column(self.span.start);
        let (end_line, end_column) = self.file.line_column(self.span.end);
        serde_json::json!({
            "gravity": self.gravity,
            "file": self.file.path,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "message": self.message,
            "hint": self.hint,
        })
    }
}

/// Sorts problems by file, place and message, and drops repetitions.
pub fn sort(problems: &mut Vec<Problem>) {
    fn place(problem: &Problem) -> (&Path, usize, usize, &str) {
        (&problem.file.path, problem.span.start, problem.span.end, &problem.message)
    }
    problems.sort_by(|a, b| place(a).cmp(&place(b)));
    problems.dedup();
}

/// A string that a TOML file gave, which remembers where each of its bytes stands in the file.
#[derive(Debug, Clone)]
pub struct Located {
    /// The string's value.
    pub text: String,
    /// The file it stands in.
    pub file: Arc<SourceFile>,
    /// The bytes of the whole literal, quotes included.
    pub span: Range<usize>,
    /// For each stretch of the value that stands in the file unchanged: value offset, file offset.
    stretches: Vec<(usize, usize)>,
}

impl Located {
    /// Maps `value`, the string that the TOML literal at `span` of `file` means.
    pub fn new(file: &Arc<SourceFile>, span: Range<usize>, value: &str) -> Self {
        let literal = file.text.get(span.clone()).unwrap_or_default();
        let (quotes, escapes) = match literal.as_bytes() {
            [b'"', b'"', b'"', ..] => (3, true),
            [b'\'', b'\'', b'\'', ..] => (3, false),
            [b'"', ..] => (1, true),
            [b'\'', ..] => (1, false),
            _ => (0, false),
        };
        let mut body = quotes;
        if quotes == 3 {
            // TOML 1.0, "Multi-line strings": a newline right after the opening is trimmed.
            let rest = &literal[body.min(literal.len())..];
            body += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
        }
        let mut stretches = vec![(0, span.start + body)];
        if escapes {
            let mut at = body;
            for (offset, character) in value.char_indices() {
                at += continuations(literal.get(at..).unwrap_or_default());
                let place = span.start + at;
                if stretches.last().is_none_or(|(value, file)| file + (offset - value) != place) {
                    stretches.push((offset, place));
                }
                at += escape_length(literal.get(at..).unwrap_or_default())
                    .unwrap_or(character.len_utf8());
            }
        }
        Self { text: value.to_owned(), file: file.clone(), span, stretches }
    }

    /// A text that is a whole file, or stands in one without quotes.
    pub fn bare(file: &Arc<SourceFile>, span: Range<usize>) -> Self {
        let text = file.text[span.clone()].to_owned();
        let stretches = vec![(0, span.start)];
        Self { text, file: file.clone(), span, stretches }
    }

    /// Another text that stands for the same place, as a macro's name does for its query.
    pub fn renamed(&self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self.clone() }
    }

    /// The place in the file of a range of the value.
    pub fn span_of(&self, range: Range<usize>) -> Range<usize> {
        let place = |offset: usize| {
            let stretch = self.stretches.partition_point(|(value, _)| *value <= offset);
            let (value, file) = self.stretches[stretch.saturating_sub(1)];
            (file + (offset - value)).min(self.span.end)
        };
        let start = place(range.start);
        start..place(range.end).max(start)
    }

    /// An error at a range of the value.
    pub fn error(&self, range: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::error(&self.file, self.span_of(range), message)
    }
}

/// The bytes of the escape sequence that `rest` starts with, if it does (TOML 1.1, "String").
fn escape_length(rest: &str) -> Option<usize> {
    let mut characters = rest.strip_prefix('\\')?.chars();
    Some(match characters.next()? {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        other => 1 + other.len_utf8(),
    })
}

/// The bytes at the start of `rest` that stand for nothing: a backslash at the end of a line and
/// the white space after it.
fn continuations(rest: &str) -> usize {
    let mut length = 0;
    while let Some(after) = rest[length..].strip_prefix('\\')
        && after.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
    {
        length = rest.len() - after.trim_start().len();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_place(file: &str, value: &str, word: &str) {
        let start = file.find(['"', '\'']).expect("the file holds a literal");
        let source = SourceFile::new("rules.toml", file);
        let located = Located::new(&source, start..file.trim_end().len(), value);
        let at = value.find(word).expect("the value holds the word");
        let span = located.span_of(at..at + word.len());
        assert_eq!(&file[span], word);
    }

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let file = SourceFile::new("a.toml", "ab\n\nżółw = 1\n");
        let places =
            [(13, (3, 7)), (0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (4, (3, 1)), (99, (4, 1))];
        for (offset, place) in places {
            assert_eq!(file.line_column(offset), place, "{offset}");
        }
    }

    #[test]
    fn a_place_in_a_string_is_found_in_its_file() {
        check_place("q = 'Putin AND Xi'", "Putin AND Xi", "Xi");
        check_place("q = \"Putin AND Xi\"", "Putin AND Xi", "Xi");
        check_place("q = \'\'\'\nPutin\nAND Xi\'\'\'", "Putin\nAND Xi", "Xi");
        check_place(r#"q = "\"arms deal\" AND \u738b Xi""#, "\"arms deal\" AND 王 Xi", "Xi");
        check_place("q = \"\"\"Putin \\\n   AND Xi\"\"\"", "Putin AND Xi", "AND");
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_under_it() {
        let file = SourceFile::new("rules.toml", "a = 1\nquery = 'Путин and Xi'\n");
        let start = file.text.find("and").expect("the file says and");
        let problem = Problem::error(&file, start..start + 3, "lower-case \"and\" is a word")
            .with_hint("write AND");
        assert_eq!(
            problem.render(),
            "rules.toml:2:16: error: lower-case \"and\" is a word\n \
             2 | query = 'Путин and Xi'\n   |                ^^^\n  hint: write AND"
        );
    }

    #[test]
    fn a_place_past_the_end_of_a_file_is_shown_at_its_end() {
        let file = SourceFile::new("rules.toml", "a = 1");
        assert!(Problem::error(&file, 90..99, "cut off").render().starts_with("rules.toml:1:6: "));
    }
}
