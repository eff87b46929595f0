//! Mark-up as it comes: a document as tags and texts, whatever is wrong with it.
//!
//! What an XML parser would refuse is mended here and counted: signs that somebody forgot to
//! escape, entities of HTML, sections and comments that never end. Whether tags match is not
//! looked at. No entity of a document type is ever expanded.

use std::borrow::Cow;

use super::Repairs;

/// Attributes of one element, at most.
const MOST_ATTRIBUTES: usize = 64;
/// The longest name of an entity.
const LONGEST_ENTITY: usize = 32;

/// A piece of a document.
#[derive(Debug)]
pub(super) enum Token<'t> {
    /// Text in which `&` starts an entity.
    Text(&'t str),
    /// Text that means itself.
    Data(&'t str),
    Start(Tag<'t>),
    End {
        name: &'t str,
        written: &'t str,
    },
    /// The document is declared to be a web page.
    WebPage,
}

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag<'t> {
    pub(super) name: &'t str,
    attributes: Vec<(&'t str, Cow<'t, str>)>,
    pub(super) empty: bool,
    /// The tag as it stands in the document.
    pub(super) written: &'t str,
}

impl Tag<'_> {
    /// The value of an attribute, whatever the case of its name; none when it is empty.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(key, value)| (*key, value.trim()))
    }
}

/// A document, read from its start to its end.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    rest: &'t str,
    section_end: Ahead,
    comment_end: Ahead,
    item_mark: Ahead,
}

/// Where the next of something stands in what remains of a document. It is looked for again only
/// when it has been passed, so that however often it is asked for, each byte is looked at once.
#[derive(Debug, Default)]
enum Ahead {
    #[default]
    Unknown,
    /// So many bytes before the end of the document.
    BeforeEnd(usize),
    Nowhere,
}

impl Ahead {
    /// The place in `rest`, the end of the document, of what `find` looks for.
    fn place(&mut self, rest: &str, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        let passed = match self {
            Ahead::Unknown => true,
            Ahead::BeforeEnd(length) => *length > rest.len(),
            Ahead::Nowhere => false,
        };
        if passed {
            let found = find(rest.as_bytes());
            *self = found.map_or(Ahead::Nowhere, |at| Ahead::BeforeEnd(rest.len() - at));
        }
        match self {
            Ahead::BeforeEnd(length) => Some(rest.len() - *length),
            Ahead::Unknown | Ahead::Nowhere => None,
        }
    }
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let (section_end, comment_end, item_mark) = Default::default();
        Self { rest: text, section_end, comment_end, item_mark }
    }

    pub(super) fn next(&mut self, repairs: &mut Repairs) -> Option<Token<'t>> {
        loop {
            let rest = self.rest;
            if rest.is_empty() {
                return None;
            }
            if !rest.starts_with('<') {
                let end = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                return Some(Token::Text(self.take(end)));
            }
            if let Some(data) = rest.strip_prefix("<![CDATA[") {
                return Some(Token::Data(self.section(data, repairs)));
            } else if let Some(comment) = rest.strip_prefix("<!--") {
                self.comment(comment, repairs);
            } else if rest.starts_with("<?") {
                let end = rest.find('>').map_or(rest.len(), |end| end + 1);
                self.take(end);
            } else if rest[1..].starts_with('!')
                && rest[2..].starts_with(|c: char| c.is_ascii_alphabetic())
            {
                if self.declaration() {
                    return Some(Token::WebPage);
                }
            } else if let Some(name) = rest.strip_prefix("</") {
                let length = name_length(name);
                let end = name.find(['>', '<']).unwrap_or(name.len());
                let closed = usize::from(name[end..].starts_with('>'));
                let written = self.take(2 + end + closed);
                if closed == 0 && self.rest.is_empty() {
                    repairs.count("unclosed-tag");
                    return None;
                }
                return Some(Token::End { name: &name[..length], written });
            } else if let Some(token) = self.start_tag(repairs) {
                return Some(token);
            }
        }
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// The text of a CDATA section. One without an end lasts until the end of its element.
    fn section(&mut self, data: &'t str, repairs: &mut Repairs) -> &'t str {
        let end = self.section_end.place(data, |rest| memchr::memmem::find(rest, b"]]>"));
        if let Some(end) = end {
            // Where an item ends that has not started in it, the section was to end before.
            let mark = self.item_mark.place(data, item_mark);
            if mark.is_none_or(|mark| mark >= end || !data[mark..].starts_with("</")) {
                self.rest = &data[end + 3..];
                return &data[..end];
            }
        }
        repairs.count("unclosed-cdata");
        let end = data.find("</").unwrap_or(data.len());
        self.rest = &data[end..];
        &data[..end]
    }

    /// Leaves a comment out; of one that never ends, only its first line.
    fn comment(&mut self, comment: &'t str, repairs: &mut Repairs) {
        let end = self.comment_end.place(comment, |rest| memchr::memmem::find(rest, b"-->"));
        self.rest = match end {
            Some(end) => &comment[end + 3..],
            None => {
                repairs.count("unclosed-comment");
                comment.find(['\n', '>']).map_or("", |end| &comment[end + 1..])
            }
        };
    }

    /// Leaves a document type out, and with it every entity that it defines. True when it is that
    /// of a web page.
    fn declaration(&mut self) -> bool {
        let rest = self.rest;
        let close = rest.find('>').map_or(rest.len(), |close| close + 1);
        let end = match rest[..close].find('[') {
            Some(open) => memchr::memchr_iter(b']', &rest.as_bytes()[open..])
                .find_map(|at| {
                    let after = rest[open + at + 1..].trim_start();
                    after.starts_with('>').then(|| rest.len() - after.len() + 1)
                })
                .unwrap_or(rest.len()),
            None => close,
        };
        let declaration = self.take(end);
        declaration.get(..14).is_some_and(|head| head.eq_ignore_ascii_case("<!doctype html"))
    }

    /// A start tag, or `<` as text where none follows. None for a tag that the end of the document
    /// cuts off.
    fn start_tag(&mut self, repairs: &mut Repairs) -> Option<Token<'t>> {
        let length = name_length(&self.rest[1..]);
        if length == 0 {
            repairs.count("bare-less-than");
            return Some(Token::Data(self.take(1)));
        }
        let name = &self.rest[1..=length];
        let (attributes, rest, end) = attributes(&self.rest[1 + length..]);
        let written = self.take(self.rest.len() - rest.len());
        match end {
            TagEnd::CutOff => {
                repairs.count("unclosed-tag");
                return None;
            }
            TagEnd::Missing => repairs.count("unclosed-tag"),
            TagEnd::Empty | TagEnd::Open => {}
        }
        Some(Token::Start(Tag { name, attributes, empty: matches!(end, TagEnd::Empty), written }))
    }
}

/// Where an item starts or ends first.
fn item_mark(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'<', text).find(|at| {
        let rest = &text[at + 1..];
        [&b"item"[..], b"entry", b"/item>", b"/entry>"].iter().any(|mark| rest.starts_with(mark))
    })
}

/// The length of the name that a tag starts with; 0 when it starts with none.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return 0;
    }
    let of_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'-' | b'.');
    let mut rest = text.as_bytes();
    loop {
        rest = &rest[rest.iter().take_while(|byte| of_name(byte)).count()..];
        let at = text.len() - rest.len();
        match rest.first() {
            Some(0x80..) => match text[at..].chars().next() {
                Some(c) if c.is_alphanumeric() => rest = &rest[c.len_utf8()..],
                _ => return at,
            },
            _ => return at,
        }
    }
}

/// How a start tag ends.
#[derive(Debug)]
enum TagEnd {
    Open,
    Empty,
    /// By the start of the next one.
    Missing,
    /// By the end of the document.
    CutOff,
}

type Attributes<'t> = Vec<(&'t str, Cow<'t, str>)>;

/// The attributes of a tag, what follows the tag, and how it ends.
fn attributes(text: &str) -> (Attributes<'_>, &str, TagEnd) {
    let mut attributes: Attributes<'_> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return (attributes, after, TagEnd::Empty);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after, TagEnd::Open);
        }
        if rest.is_empty() {
            return (attributes, rest, TagEnd::CutOff);
        }
        if rest.starts_with('<') {
            return (attributes, rest, TagEnd::Missing);
        }
        let length = name_length(rest);
        if length == 0 {
            rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
            continue;
        }
        let (name, after) = rest.split_at(length);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = attribute_value(value.trim_start());
        if attributes.len() < MOST_ATTRIBUTES {
            attributes.push((name, sound(htmlize::unescape_attribute(value))));
        }
        rest = after;
    }
}

/// The value that `text` starts with, and what follows it.
fn attribute_value(text: &str) -> (&str, &str) {
    let Some(quote @ ('"' | '\'')) = text.chars().next() else {
        return text.split_at(text.find([' ', '\t', '\n', '\r', '>', '<']).unwrap_or(text.len()));
    };
    let inner = &text[1..];
    let end = inner.find(quote).unwrap_or(inner.len());
    let value = &inner[..end];
    // A quote that was never closed takes in the end of its tag and the tags that follow.
    if let Some(tag_end) = value.find('>')
        && (end == inner.len() || value[tag_end..].contains('<') && !value[..tag_end].contains('<'))
    {
        return (&value[..tag_end], &inner[tag_end..]);
    }
    (value, inner.get(end + 1..).unwrap_or(""))
}

/// Adds a text to `out`: entities as the characters that they mean, and nothing that XML does not
/// allow (XML 1.0 section 2.2).
pub(super) fn push_text(out: &mut String, text: &str, repairs: &mut Repairs) {
    let sound = is_sound(text);
    out.reserve(text.len());
    let push = |out: &mut String, piece: &str, repairs: &mut Repairs| match sound {
        true => out.push_str(piece),
        false => push_data(out, piece, repairs),
    };
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        push(out, &rest[..at], repairs);
        let length = push_entity(out, &rest[at..], repairs);
        rest = &rest[at + length..];
    }
    push(out, rest, repairs);
}

/// Adds a text in which nothing is an entity to `out`.
pub(super) fn push_data(out: &mut String, text: &str, repairs: &mut Repairs) {
    for (number, piece) in allowed(text).enumerate() {
        repairs.add("control-character", usize::from(number > 0));
        out.push_str(piece);
    }
}

/// A text without the characters that XML does not allow.
pub(super) fn sound(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_sound(&text) { text } else { allowed(&text).collect::<String>().into() }
}

/// What stands between the characters of a text that XML does not allow (XML 1.0 section 2.2):
/// mostly the whole text, as one piece.
fn allowed(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let without_controls = std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = control(text.as_bytes()) else { return Some(text) };
        rest = Some(&text[at + 1..]);
        Some(&text[..at])
    });
    without_controls.flat_map(without_noncharacters)
}

/// Where the first control character stands; what has none is looked at many bytes at a time.
fn control(text: &[u8]) -> Option<usize> {
    const WIDTH: usize = 64;
    let is = |byte: &u8| *byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t');
    let has = |chunk: &&[u8]| chunk.iter().fold(false, |any, byte| any | is(byte));
    let (number, chunk) = text.chunks(WIDTH).enumerate().find(|(_, chunk)| has(chunk))?;
    chunk.iter().position(is).map(|at| number * WIDTH + at)
}

/// Whether XML allows every character of a text.
fn is_sound(text: &str) -> bool {
    control(text.as_bytes()).is_none() && without_noncharacters(text).nth(1).is_none()
}

/// What stands between the characters U+FFFE and U+FFFF of a text.
fn without_noncharacters(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut starts = memchr::memchr_iter(0xef, bytes);
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = from.take()?;
        let end = starts.find(|at| matches!(bytes[at + 1..], [0xbf, 0xbe | 0xbf, ..]));
        from = end.map(|end| end + 3);
        Some(&text[start..end.unwrap_or(text.len())])
    })
}

/// Adds the character of the entity that `text` starts with; returns the entity's length.
fn push_entity(out: &mut String, text: &str, repairs: &mut Repairs) -> usize {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let length = text.bytes().skip(1).take(LONGEST_ENTITY).take_while(of_name).count();
    let name = &text[1..=length];
    let terminated = text[1 + length..].starts_with(';');
    let whole = 1 + length + usize::from(terminated);
    let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    });
    if let Some(code) = number {
        if !terminated {
            repairs.count("unterminated-entity");
        }
        let of_number = character(code, repairs);
        match of_number {
            Some('\n' | '\r' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..) => out.extend(of_number),
            _ => repairs.count("impossible-character"),
        }
        return whole;
    }
    let known = match name {
        "amp" => Some("&"),
        "lt" => Some("<"),
        "gt" => Some(">"),
        "quot" => Some("\""),
        "apos" => Some("'"),
        _ => None,
    };
    if let Some(known) = known.filter(|_| terminated) {
        out.push_str(known);
        return whole;
    }
    if terminated {
        let unescaped = htmlize::unescape(&text[..whole]);
        if unescaped != text[..whole] {
            repairs.count("html-entity");
            out.push_str(&unescaped);
            return whole;
        }
    }
    repairs.count("bare-ampersand");
    out.push('&');
    1
}

/// The character of a number. Those from 128 to 159 mean to a browser what they are in
/// windows-1252.
fn character(code: u32, repairs: &mut Repairs) -> Option<char> {
    if !(0x80..=0x9f).contains(&code) {
        return char::from_u32(code);
    }
    repairs.count("windows-1252-entity");
    let byte = [u8::try_from(code).ok()?];
    encoding_rs::WINDOWS_1252.decode(&byte).0.chars().next()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[track_caller]
    fn check_allowed(text: &str, pieces: &[&str]) {
        assert_eq!(allowed(text).collect::<Vec<_>>(), pieces, "{text:?}");
        assert_eq!(is_sound(text), pieces.len() == 1, "{text:?}");
    }

    #[test]
    fn what_xml_does_not_allow_parts_a_text() {
        check_allowed("", &[""]);
        check_allowed("a\tb\r\n\u{7f}，王\u{fffd}", &["a\tb\r\n\u{7f}，王\u{fffd}"]);
        check_allowed("a\u{1}b\u{fffe}\u{ffff}c", &["a", "b", "", "c"]);
        let long = "王毅 and Lavrov, again. ".repeat(20);
        check_allowed(&format!("{long}\0{long}\u{ffff}"), &[&long, &long, ""]);
    }

    #[test]
    fn what_stands_far_ahead_is_looked_for_once() {
        let text = format!("{}]]>{}]]>", "<".repeat(100), "<".repeat(100));
        let (searches, mut end) = (Cell::new(0), Ahead::default());
        let places: Vec<Option<usize>> = (0..=text.len())
            .map(|from| {
                end.place(&text[from..], |rest| {
                    searches.set(searches.get() + 1);
                    memchr::memmem::find(rest, b"]]>")
                })
            })
            .collect();
        assert_eq!((places[0], places[101], places[204]), (Some(100), Some(102), None));
        assert_eq!(searches.get(), 3);
    }
}
