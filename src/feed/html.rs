//! HTML to plain text, in one pass: enough for what stands in feeds, and never slow.

use std::borrow::Cow;

use crate::text::mojibake;

/// Elements that end a line.
const BLOCKS: &[&str] = &[
    "p",
    "br",
    "div",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "hr",
    "pre",
    "section",
    "article",
    "figure",
    "figcaption",
    "dt",
    "dd",
    "td",
    "th",
];
/// Other elements.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "address", "aside", "audio", "b", "big", "body", "button", "center",
    "cite", "code", "del", "details", "em", "embed", "font", "footer", "form", "header", "html",
    "i", "img", "input", "ins", "kbd", "label", "link", "main", "mark", "meta", "nav", "nobr",
    "noindex", "object", "param", "picture", "q", "s", "samp", "small", "source", "span", "strike",
    "strong", "sub", "summary", "sup", "tbody", "tfoot", "thead", "time", "title", "tt", "u",
    "var", "video", "wbr",
];
/// Elements whose content is no text.
const HIDDEN: &[&str] = &["script", "style", "template", "noscript", "iframe", "svg", "head"];
/// How much of the name of an element is looked at, in bytes.
const LONGEST_TAG_NAME: usize = 32;

/// The text of a fragment of HTML: mark-up gone, blocks as lines, entities as characters. Text
/// that was escaped twice, as feeds often have it, is unescaped twice.
pub(super) fn to_text(html: &str) -> String {
    let html = mojibake::repaired(html);
    let stripped = strip(&html, |_| true);
    let once = unescape(&stripped);
    if memchr::memchr2(b'&', b'<', once.as_bytes()).is_none() {
        return tidy(&once);
    }
    // What was escaped may be mark-up or speak of it: `Vec<u8>` is no element.
    tidy(&unescape(&strip(&once, is_element)))
}

/// Stands for the end of a block, until [`tidy`]: a line break in the source is only a space, as a
/// sentence that was wrapped is still one. It is the paragraph separator of Unicode.
const BLOCK_END: char = '\u{2029}';

/// Takes comments out, and the tags of elements of such names.
fn strip(html: &str, is_element: fn(&str) -> bool) -> Cow<'_, str> {
    if !html.contains('<') {
        return Cow::Borrowed(html);
    }
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    let (mut comments_end, mut sections) = (true, false);
    let mut buffer = [0; LONGEST_TAG_NAME];
    while let Some(open) = memchr::memchr(b'<', rest.as_bytes()) {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = if comments_end { comment.find("-->") } else { None };
            comments_end = end.is_some();
            rest = end.map_or(comment, |end| &comment[end + 3..]);
            continue;
        }
        // A section that was escaped: only its marks are no text.
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            sections = true;
            rest = data;
            continue;
        }
        let name = tag_name(rest, &mut buffer);
        if name.is_empty() || !is_element(name) {
            // No tag: a sign that somebody forgot to escape.
            out.push('<');
            rest = &rest[1..];
            continue;
        }
        let closing = rest.starts_with("</");
        let Some(end) = tag_end(rest) else {
            // A tag that was cut off, or a sign before a word.
            if rest.contains('=') || closing {
                rest = "";
            }
            break;
        };
        rest = &rest[end..];
        if BLOCKS.contains(&name) {
            out.push(BLOCK_END);
        }
        if !closing && HIDDEN.contains(&name) {
            rest = after_element(rest, name);
        }
    }
    out.push_str(rest);
    Cow::Owned(if sections { out.replace("]]>", "") } else { out })
}

/// Whether HTML has an element of that name, or may have: those of others hold a sign in it.
fn is_element(name: &str) -> bool {
    BLOCKS.contains(&name)
        || HIDDEN.contains(&name)
        || INLINE.contains(&name)
        || name.contains(['-', ':', '!'])
}

/// The lower-case name of the tag that `rest` starts with, in `buffer`; empty when it is none.
fn tag_name<'b>(rest: &str, buffer: &'b mut [u8; LONGEST_TAG_NAME]) -> &'b str {
    let after = rest.strip_prefix("</").or_else(|| rest.strip_prefix('<')).unwrap_or(rest);
    let after = after.as_bytes();
    let length = match after.first() {
        Some(b'!' | b'?') => return "!",
        Some(first) if first.is_ascii_alphabetic() => {
            let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-');
            after.iter().take(LONGEST_TAG_NAME).take_while(of_name).count()
        }
        _ => 0,
    };
    buffer[..length].copy_from_slice(&after[..length]);
    buffer[..length].make_ascii_lowercase();
    std::str::from_utf8(&buffer[..length]).expect("it is ASCII")
}

/// How far behind the first `>` of a tag its quoted attributes may reach, in bytes: a quote that is
/// never closed must not swallow the rest of the text.
const LONGEST_QUOTED: usize = 257;

/// Where the tag that `rest` starts with ends; a quoted attribute may hold `>`.
fn tag_end(rest: &str) -> Option<usize> {
    let close = memchr::memchr(b'>', rest.as_bytes())?;
    let bytes = &rest.as_bytes()[..rest.len().min(close + LONGEST_QUOTED + 1)];
    let mut quote = None;
    for at in memchr::memchr3_iter(b'"', b'\'', b'>', bytes) {
        match (quote, bytes[at]) {
            (Some(open), byte) if byte == open => quote = None,
            (None, b'>') => return Some(at + 1),
            (None, byte) if bytes[..at].ends_with(b"=") => quote = Some(byte),
            _ => {}
        }
    }
    Some(close + 1)
}

/// What stands behind the end tag of an element whose content is skipped.
fn after_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(open) = rest[from..].find("</") {
        let at = from + open;
        if rest[at + 2..].get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest[at..].find('>').map_or("", |end| &rest[at + end + 1..]);
        }
        from = at + 2;
    }
    ""
}

/// Characters for entities.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    htmlize::unescape(text)
}

/// Lines without white space at their ends, no empty ones, single spaces within.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let mut rest = text;
    loop {
        let after = rest.trim_start_matches(is_gap);
        if after.is_empty() {
            return out;
        }
        if !out.is_empty() {
            out.push(if ends_line(&rest[..rest.len() - after.len()]) { '\n' } else { ' ' });
        }
        let (words, after) = after.split_at(length_of_words(after, is_gap));
        out.push_str(words);
        rest = after;
    }
}

/// Whether what stands between two words ends a line. Where there is no mark-up, an empty line
/// parts paragraphs.
fn ends_line(gap: &str) -> bool {
    gap.len() > 1 && (gap.contains([BLOCK_END]) || gap.contains("\n\n") || gap.contains("\r\n\r\n"))
}

/// The length of the words that a text starts with, as far as they are parted by single spaces.
fn length_of_words(text: &str, is_gap: impl Fn(char) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes[at..] {
            [b'!'..=b'~', ..] => at += 1,
            [b' ', b'!'..=b'~', ..] => at += 2,
            [0x80..=0xff, ..] => match text[at..].chars().next() {
                Some(character) if !is_gap(character) => at += character.len_utf8(),
                _ => return at,
            },
            _ => return at,
        }
    }
}

/// A headline: its text on one line.
pub(super) fn to_line(html: &str) -> String {
    let text = to_text(html);
    if text.contains('\n') { text.replace('\n', " ") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_was_encoded_twice_is_repaired() {
        check("<p>Ð›Ð°Ð²Ñ€Ð¾Ð² Ð¸ Ð¡Ð¨Ð\u{90}</p>", "Лавров и США");
    }

    #[test]
    fn a_sentence_that_was_wrapped_is_one_line_and_a_block_is_one() {
        check(
            "<p>Xi\nJinping went on\r\n strike</p><p>Next</p>",
            "Xi Jinping went on strike\nNext",
        );
        check("Xi\nJinping went\n\nNext", "Xi Jinping went\nNext");
        check("one<br>two", "one\ntwo");
        check("one\r\n\r\ntwo\u{85}\u{3000}三 \u{7f} four  5 \u{e9} \n", "one\ntwo 三 four 5 é");
    }

    #[track_caller]
    fn check(html: &str, text: &str) {
        assert_eq!(to_text(html), text);
    }

    #[test]
    fn tags_go_and_blocks_become_lines() {
        check(
            "<p>Wang <b>Yi</b></p><p>meets&nbsp;Lavrov<br/>again",
            "Wang Yi\nmeets Lavrov\nagain",
        );
        check("a<script>if (a < b) alert('</p>')</script>b", "ab");
        check("a<!-- > -->b", "ab");
        check("a <!-- b", "a b");
        check("<img alt=\"a > b\" src=x>text", "text");
    }

    #[test]
    fn entities_are_unescaped_at_most_twice() {
        check("Q&amp;A", "Q&A");
        check("&amp;quot;x&amp;quot;", "\"x\"");
        check("&lt;b&gt;bold&lt;/b&gt;", "bold");
        check("&amp;amp;amp;lt;", "&amp;lt;");
        check("<p><code>Vec&lt;u8&gt;</code> &lt;br/&gt; &lt;P&gt;new</p>", "Vec<u8>\nnew");
        check("&lt;![CDATA[Wang &lt;b&gt;Yi]]&gt; meets", "Wang Yi meets");
        check("<![CDATA[Wang <b>Yi</b>]]> > China", "Wang Yi > China");
    }

    #[test]
    fn a_sign_that_is_no_tag_stays() {
        check("2 < 3 and 5 > 4", "2 < 3 and 5 > 4");
        check("<3", "<3");
        check("cut <a href=", "cut");
        check("cut </b", "cut");
        check("support <half of voters", "support <half of voters");
    }

    #[test]
    fn what_holds_no_text_has_none() {
        for html in [
            " <p>\n<br/></p> ",
            "<script>a</script>",
            "<p><!-- a --></p>",
            "&nbsp;",
            "&lt;p&gt;",
            "<p title=\"a > b\"></p>",
        ] {
            check(html, "");
        }
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for text in [
            "<a \"".repeat(200_000),
            "<".repeat(500_000),
            "<script>".repeat(100_000),
            "<!--".repeat(500_000),
            "<b>".repeat(500_000),
        ] {
            to_text(&text);
        }
    }
}
