//! From bytes to text: which character set a document is really in.
//!
//! Labels lie. What is valid UTF-8 is UTF-8, whatever the labels say, for other text is almost
//! never valid UTF-8 by chance.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::Document;

/// How far into a document an XML declaration is looked for.
const DECLARATION_WITHIN: usize = 1024;

/// A document as text.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: &'static str,
    /// Bytes that meant nothing and became U+FFFD.
    pub(super) damaged: bool,
}

/// Decodes a document: byte order mark, the configuration's word, valid UTF-8, the labels that
/// decode without an error, then a guess.
pub(super) fn decode(document: &Document<'_>) -> Decoded {
    let bytes = document.bytes;
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (marked, rest) = (with(encoding, &bytes[mark..]), &bytes[mark..]);
        let believed = encoding != UTF_8 || !marked.damaged || mostly_sound(&marked.text);
        if believed || Encoding::for_bom(rest).is_some() {
            return marked;
        }
        // Somebody's tool put the mark of UTF-8 before a document that is not.
        return decode(&Document { bytes: rest, ..*document });
    }
    if let Some(encoding) = document.encoding.and_then(for_label) {
        return with(encoding, bytes);
    }
    // UTF-16 without a mark shows itself by the zero bytes around `<`.
    match bytes {
        [b'<', 0, _, 0, ..] => return with(UTF_16LE, bytes),
        [0, b'<', 0, _, ..] => return with(UTF_16BE, bytes),
        _ => {}
    }
    let declared = declared(bytes).and_then(for_label);
    let labels = [declared, document.charset.and_then(for_label)];
    let labels = labels
        .into_iter()
        .flatten()
        .filter(|label| *label != UTF_8 && *label != UTF_16LE && *label != UTF_16BE);
    let seven_bit = labels.clone().find(|label| !label.is_ascii_compatible());
    if seven_bit.is_none() && std::str::from_utf8(bytes).is_ok() {
        return with(UTF_8, bytes);
    }
    let mut best: Option<Decoded> = None;
    for label in seven_bit.into_iter().chain(labels) {
        let decoded = with(label, bytes);
        if !decoded.damaged {
            return decoded;
        }
        best.get_or_insert(decoded);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let guessed =
        with(detector.guess(document.base.and_then(top_level), Utf8Detection::Allow), bytes);
    if !guessed.damaged {
        return guessed;
    }
    // Nothing fits: UTF-8 with a few broken bytes is the likeliest, if it is only a few.
    let broken = |decoded: &Decoded| decoded.text.matches('\u{fffd}').count();
    [with(UTF_8, bytes), guessed].into_iter().chain(best).min_by_key(broken).expect("there are two")
}

/// Whether more letters beyond ASCII were read than were not.
fn mostly_sound(text: &str) -> bool {
    let broken = text.matches(char::REPLACEMENT_CHARACTER).count();
    text.chars().filter(|letter| !letter.is_ascii()).count() > 2 * broken
}

/// Whether there is a character set of that name.
pub(crate) fn is_known(label: &str) -> bool {
    for_label(label).is_some()
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    let (text, used, damaged) = encoding.decode(bytes);
    Decoded { text: text.into_owned(), encoding: used.name(), damaged }
}

/// The encoding of a label, with spellings that the standard's list lacks.
fn for_label(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().to_ascii_lowercase();
    Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(label.replace("cp-", "cp").replace('_', "-").as_bytes()))
        .or_else(|| Encoding::for_label(label.replace("win-", "windows-").as_bytes()))
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(DECLARATION_WITHIN)];
    let start = memchr::memmem::find(head, b"<?xml")?;
    let declaration = &head[start..start + memchr::memmem::find(&head[start..], b"?>")?];
    let name = &declaration[memchr::memmem::find(declaration, b"encoding")? + 8..];
    let quote = name.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let rest = &name[quote + 1..];
    std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == name[quote])?]).ok()
}

/// The last part of a host, which hints at the encodings of a country.
fn top_level(url: &url::Url) -> Option<&[u8]> {
    let label = url.domain()?.rsplit('.').next()?.as_bytes();
    let good = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    (!label.is_empty() && label.iter().all(good)).then_some(label)
}
