//! From bytes to text: which character set a document is really in.
//!
//! Labels lie. What is valid UTF-8 is UTF-8, whatever the labels say, for other text is almost
//! never valid UTF-8 by chance.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

use super::Document;

/// How far into a document an XML declaration is looked for.
const DECLARATION_WITHIN: usize = 1024;
/// How far into a document its language is looked for.
const LANGUAGE_WITHIN: usize = 8 << 10;

/// A document as text.
#[derive(Debug)]
pub(super) struct Decoded<'d> {
    pub(super) text: Cow<'d, str>,
    pub(super) encoding: &'static str,
    /// How many characters meant nothing and became U+FFFD.
    pub(super) broken: usize,
    /// Why the document was not read as it is declared.
    pub(super) overruled: Option<String>,
}

impl Decoded<'_> {
    /// Whether more letters beyond ASCII were read than were not.
    fn is_mostly_sound(&self) -> bool {
        let letters = self.text.chars().filter(|letter| !letter.is_ascii()).count();
        self.broken == 0 || letters > 2 * self.broken
    }
}

/// Decodes a document, and says when that is not as it declares itself.
pub(super) fn decode<'d>(document: &Document<'d>) -> Decoded<'d> {
    let declared = declared(document.bytes).or(document.charset);
    // Where all is ASCII most labels come to the same.
    let declared = declared.filter(|_| !document.bytes.is_ascii());
    let (mut decoded, reason) = choose(document);
    decoded.overruled = declared
        .filter(|label| for_label(label).map(Encoding::name) != Some(decoded.encoding))
        .map(|label| format!("read as {}, not as {label}: {reason}", decoded.encoding));
    decoded
}

/// The first that fits: the byte order mark, the configuration's word, UTF-8, the labels, a guess.
fn choose<'d>(document: &Document<'d>) -> (Decoded<'d>, &'static str) {
    let bytes = document.bytes;
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let rest = &bytes[mark..];
        let marked = with(encoding, rest);
        if encoding != UTF_8 || marked.is_mostly_sound() || Encoding::for_bom(rest).is_some() {
            return (marked, "it starts with a byte order mark");
        }
        // Somebody's tool put the mark of UTF-8 before a document that is not.
        return choose(&Document { bytes: rest, ..*document });
    }
    if let Some(encoding) = document.encoding.and_then(for_label) {
        return (with(encoding, bytes), "the configuration says so");
    }
    let zeros = "every other byte is zero";
    match bytes {
        [1..=255, 0, 1..=255, 0, ..] => return (with(UTF_16LE, bytes), zeros),
        [0, 1..=255, 0, 1..=255, ..] => return (with(UTF_16BE, bytes), zeros),
        _ => {}
    }
    let labels = [declared(bytes), document.charset];
    let labels = labels.into_iter().flatten().filter_map(for_label);
    let labels = labels.filter(|label| ![UTF_8, UTF_16LE, UTF_16BE].contains(label));
    let label = "it is labelled so and has no errors";
    // Seven-bit encodings look like UTF-8: here the label counts.
    for encoding in labels.clone().filter(|label| !label.is_ascii_compatible()) {
        let decoded = with(encoding, bytes);
        if decoded.broken == 0 {
            return (decoded, label);
        }
    }
    let utf8 = with(UTF_8, bytes);
    if utf8.broken == 0 {
        return (utf8, "it is valid UTF-8");
    }
    // Other text has hardly a valid sequence: this is UTF-8 that was damaged or cut off.
    if utf8.is_mostly_sound() {
        return (utf8, "it is UTF-8 but for a few bytes");
    }
    let mut damaged = vec![(utf8, "it has the fewest errors so")];
    for encoding in labels {
        let decoded = with(encoding, bytes);
        if decoded.broken == 0 {
            return (decoded, label);
        }
        damaged.push((decoded, "it has the fewest errors so"));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let country = language(bytes).or_else(|| document.base.and_then(top_level));
    let guessed = with(detector.guess(country, Utf8Detection::Deny), bytes);
    if guessed.broken == 0 {
        return (guessed, "its bytes look so");
    }
    damaged.push((guessed, "it has the fewest errors so"));
    damaged.into_iter().min_by_key(|(decoded, _)| decoded.broken).expect("there are two")
}

/// Whether there is a character set of that name.
pub(crate) fn is_known(label: &str) -> bool {
    for_label(label).is_some()
}

fn with<'d>(encoding: &'static Encoding, bytes: &'d [u8]) -> Decoded<'d> {
    let (text, used, damaged) = encoding.decode(bytes);
    let broken = if damaged { text.matches('\u{fffd}').count() } else { 0 };
    Decoded { text, encoding: used.name(), broken, overruled: None }
}

/// The encoding of a label, with spellings that the standard's list lacks: `cp-1251`, `win1251`,
/// `cp936`.
fn for_label(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().to_ascii_lowercase();
    let known = Encoding::for_label(label.as_bytes()).or_else(|| {
        let number: String = label.chars().filter(char::is_ascii_digit).collect();
        let name = match number.as_str() {
            "932" => "shift_jis",
            "936" | "2312" | "18030" => "gb18030",
            "949" => "euc-kr",
            "950" => "big5",
            "8" if label.starts_with("utf") => "utf-8",
            "8" if label.starts_with("koi") && label.ends_with('u') => "koi8-u",
            "8" if label.starts_with("koi") => "koi8-r",
            code if label.starts_with("iso") => &format!("iso-8859-{}", code.strip_prefix("8859")?),
            "" if label.contains("cyrillic") => "x-mac-cyrillic",
            "" if label.starts_with("mac") => "macintosh",
            code => &format!("cp{code}"),
        };
        Encoding::for_label(name.as_bytes())
    });
    // What the standard replaces whole, as it does with HZ, is better read as it stands.
    known.filter(|encoding| *encoding != REPLACEMENT)
}

/// The country whose encodings the language of a document hints at. English says nothing: it is
/// what programs write by themselves.
fn language(bytes: &[u8]) -> Option<&'static [u8]> {
    let head = &bytes[..bytes.len().min(LANGUAGE_WITHIN)];
    let start = [&b"<language>"[..], b"xml:lang=\"", b"xml:lang='"]
        .into_iter()
        .find_map(|before| Some(memchr::memmem::find(head, before)? + before.len()))?;
    let rest = head[start..].trim_ascii_start();
    let country: &[u8] = match rest.get(..2)?.to_ascii_lowercase().as_slice() {
        b"zh" if rest.get(3..5).is_some_and(|region| region.eq_ignore_ascii_case(b"tw")) => b"tw",
        b"zh" => b"cn",
        b"ja" => b"jp",
        b"ko" => b"kr",
        b"ru" => b"ru",
        b"uk" => b"ua",
        b"be" => b"by",
        b"bg" => b"bg",
        b"pl" => b"pl",
        b"cs" => b"cz",
        b"hu" => b"hu",
        b"el" => b"gr",
        b"tr" => b"tr",
        b"he" => b"il",
        b"ar" => b"sa",
        b"th" => b"th",
        b"vi" => b"vn",
        _ => return None,
    };
    Some(country)
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
