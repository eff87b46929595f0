//! Makes text of strangers harmless before a person or a program of theirs sees it.

use std::borrow::Cow;

/// Replaces what could forge lines, drive a terminal or turn a text around: control characters
/// (newlines and escape sequences among them) and direction overrides. Spaces stand for white
/// space, U+FFFD for the rest. Linear, and free when there is nothing to replace.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|character| match character {
                '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
                harmful if is_harmful(harmful) => '\u{fffd}',
                harmless => harmless,
            })
            .collect(),
    )
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_direction_marks_are_made_visible() {
        assert_eq!(clean("a\nb\u{1b}[31mc\u{202e}d"), "a b\u{fffd}[31mc\u{fffd}d");
        assert!(matches!(clean("王毅 talks"), Cow::Borrowed(_)));
    }
}
