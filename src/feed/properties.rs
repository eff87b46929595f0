//! What holds for every document, sound or not: it is built from the pieces of feeds, then damaged.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const ROOTS: &[(&str, &str)] = &[
    ("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>T</title>", "</channel></rss>"),
    ("<rss><channel xml:base=\"https://e.org/a/\" xml:lang=\"zh\">", "</channel></rss>"),
    ("<rdf:RDF xmlns=\"http://purl.org/rss/1.0/\"><channel rdf:about=\"x\"/>", "</rdf:RDF>"),
    ("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title>", "</feed>"),
    ("<a:feed xmlns:a=\"http://purl.org/atom/ns#\">", "</a:feed>"),
    ("<!DOCTYPE rss [<!ENTITY e \"x\">]><channel>", "</channel>"),
    ("", ""),
];
const ITEMS: &[(&str, &str)] = &[
    ("<item>", "</item>"),
    ("<entry xml:base=\"b/\">", "</entry>"),
    ("<ITEM rdf:about=\"https://e.org/1\">", "</ITEM>"),
    ("<item><media:group>", "</media:group></item>"),
];
const FIELDS: &[(&str, &str)] = &[
    ("<title>", "</title>"),
    ("<title type=\"xhtml\"><div>", "</div></title>"),
    ("<description>", "</description>"),
    ("<content type=\"application/octet-stream\">", "</content>"),
    ("<content:encoded><![CDATA[", "]]></content:encoded>"),
    ("<summary mode=\"escaped\">", "</summary>"),
    ("<link>", "</link>"),
    ("<link rel=\"alternate\" href=\"", "\"/>"),
    ("<guid isPermaLink=\"true\">", "</guid>"),
    ("<id>", "</id>"),
    ("<pubDate>", "</pubDate>"),
    ("<dc:date>", "</dc:date>"),
    ("<updated>", "</updated>"),
    ("<author>", "</author>"),
    ("<author><name>", "</name></author>"),
    ("<dc:creator>", "</dc:creator>"),
    ("<category term=\"", "\">x</category>"),
    ("<source url=\"https://wire.example/\">", "</source>"),
    ("<itunes:duration>", "</itunes:duration>"),
    ("<media:title>", "</media:title>"),
    ("<x:any y=\"", "\"/>"),
    ("<!-- ", " -->"),
];
const JSON_FIELDS: &[&str] =
    &["id", "url", "title", "content_html", "date_published", "authors", "tags", "x"];
const TEXTS: &[&str] = &[
    "",
    "Wang Yi",
    "Ван И и Лавров",
    "王毅（wang@mfa.example）",
    "https://e.org/1?a=1&amp;b=2",
    "../relative path",
    "Mon, 18 Sep 2023 10:00:00 +0300",
    "2023年9月18日 下午3:05",
    "24:00",
    "99999999999999999999999999",
    "&lt;p&gt;a &amp;amp; b&lt;/p&gt;",
    "<b>bold</b><br/>",
    "<![CDATA[<i>x</i>]]>",
    "&nbsp;&#151;&#x41;",
    "V2FuZyBZaQ==",
    "\u{feff}\u{202e}\u{fffd} e\u{301}",
];
/// What no sound document holds.
const DAMAGES: &[&str] = &[
    "<",
    ">",
    "&",
    "\"",
    "]]>",
    "<![CDATA[",
    "<!--",
    "</",
    "<item>",
    "</item>",
    "<title",
    "&#0;",
    "&#xFFFF;",
    "\0",
    "\u{1}",
    "<a xml:base=\"http://[\">",
    "<a xmlns:dc=\"\">",
    "{",
    "<html>",
];

fn element(names: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = String> {
    (select(names), select(TEXTS)).prop_map(|((start, end), text)| format!("{start}{text}{end}"))
}

fn xml() -> impl Strategy<Value = String> {
    let item = (select(ITEMS), vec(element(FIELDS), 0..6))
        .prop_map(|((start, end), fields)| format!("{start}{}{end}", fields.concat()));
    (select(ROOTS), vec(element(FIELDS), 0..2), vec(item, 0..6)).prop_map(
        |((start, end), head, items)| format!("{start}{}{}{end}", head.concat(), items.concat()),
    )
}

fn json() -> impl Strategy<Value = String> {
    let value = select(TEXTS).prop_flat_map(|text| {
        let text = serde_json::Value::from(text);
        select(vec![
            text.to_string(),
            format!("[{text},{{\"name\":{text}}},[]]"),
            "-1e999".to_owned(),
            "null".to_owned(),
        ])
    });
    let field =
        (select(JSON_FIELDS), value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let item = vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(",")));
    vec(item, 0..6).prop_map(|items| {
        format!(
            "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{}]}}",
            items.join(",")
        )
    })
}

/// A document in some character set.
fn sound() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![8 => xml(), 1 => json()], 0..8_u8).prop_map(|(text, charset)| match charset {
        0 => encoding_rs::WINDOWS_1251.encode(&text).0.into_owned(),
        1 => encoding_rs::GB18030.encode(&text).0.into_owned(),
        2 => "\u{feff}".chars().chain(text.chars()).collect::<String>().into_bytes(),
        3 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.into_bytes(),
    })
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index, usize),
    End(Index),
    Insert(Index, &'static str),
    /// A part of the document once more, elsewhere.
    Splice(Index, usize, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        any::<Index>().prop_map(Damage::End),
        (any::<Index>(), select(DAMAGES)).prop_map(|(at, text)| Damage::Insert(at, text)),
        (any::<Index>(), 1..80_usize, any::<Index>())
            .prop_map(|(from, length, to)| Damage::Splice(from, length, to)),
    ]
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (sound(), vec(damage(), 0..8)).prop_map(|(mut bytes, damages)| {
        for damage in damages {
            if bytes.is_empty() {
                break;
            }
            let part = |from: usize, length| from..bytes.len().min(from + length);
            match damage {
                Damage::Flip(at, byte) => {
                    let at = at.index(bytes.len());
                    bytes[at] ^= byte;
                }
                Damage::Cut(at, length) => {
                    let part = part(at.index(bytes.len()), length);
                    bytes.drain(part);
                }
                Damage::End(at) => bytes.truncate(at.index(bytes.len())),
                Damage::Insert(at, text) => {
                    let at = at.index(bytes.len());
                    bytes.splice(at..at, text.bytes());
                }
                Damage::Splice(from, length, to) => {
                    let copy = bytes[part(from.index(bytes.len()), length)].to_vec();
                    let to = to.index(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
        }
        bytes
    })
}

fn read(bytes: &[u8]) -> Result<ParsedFeed, ParseError> {
    let base = Url::parse("https://e.org/feed").unwrap();
    parse(&Document {
        bytes,
        charset: None,
        encoding: None,
        base: Some(&base),
        utc_offset: None,
        now: "2023-09-20T00:00:00Z".parse().unwrap(),
    })
}

/// Checks what holds whatever the bytes are.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let first = read(bytes);
    let again = read(bytes);
    let feed = match first {
        Ok(feed) => feed,
        Err(error) => {
            let parser = error.to_string().starts_with("the parser");
            prop_assert!(!parser, "what is mended the parser reads: {}", error);
            prop_assert_eq!(Some(error), again.err());
            return Ok(());
        }
    };
    let all = |feed: &ParsedFeed| serde_json::to_string(feed).unwrap();
    prop_assert_eq!(all(&feed), all(&again.unwrap()), "the same bytes are the same items");
    prop_assert!(feed.items.len() <= MOST_ITEMS);
    for item in &feed.items {
        prop_assert!(item.title.len() <= LONGEST_TITLE && !item.title.contains('\n'));
        prop_assert!(item.link.iter().chain(&item.id).all(|text| text.len() <= LONGEST_LINK));
        prop_assert!(item.summary.len() <= LONGEST_TEXT && item.content.len() <= LONGEST_TEXT);
        let texts = [&item.title, &item.summary, &item.content];
        let control = |c: char| c.is_control() && c != '\n';
        prop_assert!(!texts.into_iter().any(|text| text.contains(control)), "{:?}", texts);
        // A byte of no meaning becomes three, and so does one that a link cannot hold.
        let size = texts.into_iter().chain(&item.link).chain(&item.id).map(String::len);
        prop_assert!(size.sum::<usize>() <= 4 * bytes.len() + 256);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_damaged_document_is_survived_within_limits_and_read_the_same_again(bytes in damaged()) {
        check(&bytes)?;
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
        check(&bytes)?;
    }

    #[test]
    fn a_sound_document_yields_each_of_its_items(text in xml()) {
        let items = text.to_lowercase().matches("<item").count() + text.matches("<entry").count();
        if items > 0 {
            prop_assert_eq!(read(text.as_bytes()).unwrap().items.len(), items);
        }
    }
}
