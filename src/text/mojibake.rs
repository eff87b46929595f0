//! Text that was encoded as UTF-8 twice: its bytes were taken for Windows-1252 in between, so that
//! Лавров reads Ð›Ð°Ð²Ñ€Ð¾Ð² and ’ reads â€™.
//!
//! The tokens of such text are read as what was meant, and point at what stands there. Feeds are
//! repaired as they are read, before white space is tidied: a byte of a letter may look like it.

use std::borrow::Cow;

/// The characters that Windows-1252 has at 0x80 to 0x9f, where they are not the C1 controls
/// (<https://encoding.spec.whatwg.org/index-windows-1252.txt>).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A character that was encoded twice, at the start of `text`, and how many bytes of `text` stand
/// for it. `after_another`: one ends right before. Letters of scripts that come in words are
/// believed only beside another of them, as «été»… could be read as Chinese.
pub(super) fn decode(text: &str, after_another: bool) -> Option<(char, usize)> {
    let (character, length) = sequence(text)?;
    let alone = matches!(character, '\u{a0}'..='\u{491}' | '\u{2010}'..='\u{203a}' | '€');
    (alone || after_another || sequence(&text[length..]).is_some()).then_some((character, length))
}

/// A text with all that was encoded twice as what was meant.
pub(crate) fn repaired(text: &str) -> Cow<'_, str> {
    let lead = |character: char| matches!(character, 'Â'..='ï');
    // All of these are 0xc3 and another byte in UTF-8; most texts have none.
    if !text.as_bytes().contains(&0xc3) || !text.contains(lead) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest, mut after) = (String::with_capacity(text.len()), text, false);
    while let Some(character) = rest.chars().next() {
        let decoded = if lead(character) { decode(rest, after) } else { None };
        let (character, length) = decoded.unwrap_or((character, character.len_utf8()));
        after = decoded.is_some();
        out.push(character);
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

/// The same, whatever stands beside it.
fn sequence(text: &str) -> Option<(char, usize)> {
    let mut characters = text.chars();
    let lead = u32::from(characters.next()?);
    let (more, bits) = match lead {
        0xc2..=0xdf => (1, lead & 0x1f),
        0xe0..=0xef => (2, lead & 0x0f),
        _ => return None,
    };
    let mut code = bits;
    for _ in 0..more {
        code = code << 6 | u32::from(continuation(characters.next()?)?);
    }
    // Three bytes for what two can say are no UTF-8.
    let character = char::from_u32(code).filter(|_| more == 1 || code >= 0x800)?;
    let plausible = matches!(
        character,
        '\u{a0}'..='\u{17f}'                       // Latin
        | '\u{401}'..='\u{45f}' | '\u{490}' | '\u{491}' // Cyrillic
        | '\u{2010}'..='\u{203a}' | '€'            // punctuation
        | '\u{3000}'..='\u{30ff}'                  // kana
        | '\u{3400}'..='\u{9fff}'                  // Han
        | '\u{ac00}'..='\u{d7a3}'                  // Hangul
        | '\u{ff01}'..='\u{ff5e}' // full-width forms
    );
    plausible.then_some((character, text.len() - characters.as_str().len()))
}

/// The six bits of the byte 0x80 to 0xbf that Windows-1252 shows as this character.
fn continuation(character: char) -> Option<u8> {
    let byte = match u32::from(character) {
        code @ 0x80..=0xbf => u8::try_from(code).ok()?,
        _ => 0x80 + WINDOWS_1252.iter().position(|known| *known == character)? as u8,
    };
    Some(byte & 0x3f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a text's UTF-8 when it is read as Windows-1252.
    fn twice(text: &str) -> String {
        let character = |byte: u8| match byte {
            0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => char::from(byte),
        };
        text.bytes().map(character).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(repaired(text), expected);
    }

    #[test]
    fn what_was_encoded_twice_is_read_as_what_was_meant() {
        for text in [
            "Лавров в Москве",
            "王毅同拉夫罗夫",
            "김정은",
            "Élysée",
            "Putin’s – “talks”",
            "プーチン",
        ] {
            check(&twice(text), text);
        }
    }

    #[test]
    fn what_was_encoded_once_is_left_alone() {
        for text in [
            "Élysée «été»… ÉTÉ»",
            "« Et voilà…» dit-il",
            "Ñandú, Ðorður",
            "Ławrow",
            "Ván É»",
            "naïve £5 ¾",
            "Лавров",
            "王毅",
        ] {
            check(text, text);
        }
    }
}
