//! The cost of feed documents that are made to be slow or to take memory: milliseconds at 1 MiB and
//! at 8 MiB, which eight times as much should cost eight times, and the peak of memory beside the
//! document itself. No document of 8 MiB may take 10 s or 200 MB.
//!
//! ```text
//! cargo bench --bench hostile_feeds
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Instant;

use newswatch::feed::{self, Document};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const ITEM: &str = "<item><title>Wang Yi &amp; Lavrov meet</title><link>https://e.org/1</link>\
    <guid>https://e.org/1</guid><pubDate>Mon, 18 Sep 2023 10:00:00 GMT</pubDate>\
    <description>&lt;p&gt;They met in &lt;b&gt;Moscow&lt;/b&gt;.&lt;/p&gt;</description></item>";

/// What each document starts with, and what is repeated behind it.
const DOCUMENTS: &[(&str, &str, &str)] = &[
    ("items", "<rss><channel>", ITEM),
    ("items without an end", "<rss><channel>", "<item><title>a"),
    ("empty items", "<rss><channel>", "<item/>"),
    ("deep nesting", "<rss><channel><item>", "<a>"),
    ("deep nesting of channels", "<rss>", "<channel>"),
    ("nested bases", "<feed><entry>", "<a xml:base=\"b/\">"),
    ("nested namespaces", "<feed><entry>", "<a xmlns:a=\"urn:a\" b:c=\"\">"),
    ("end tags", "<rss><channel><item>", "</a>"),
    ("end tags, deep", concat!("<rss><channel><item>", "<b><c><d><e><f><g>"), "<b></a>"),
    ("attributes", "<rss ", "a=\"1\" "),
    ("quotes", "<rss><channel><item>", "<a b=\">"),
    ("two kinds of quotes", "<rss><channel><item>", "<a b='><a b=\">"),
    ("one section", "<rss><channel><item><description><![CDATA[", "text <b>bold</b> "),
    ("sections without an end", "<rss><channel><item><title>", "<![CDATA[</a>"),
    ("sections in which items end", "<rss><channel><item><title>", "<![CDATA[</item>"),
    ("comments without an end", "<rss><channel>", "<!--\n"),
    ("declarations", "", "<!a[>"),
    ("instructions", "<rss><channel>", "<?a"),
    ("less-than signs", "<rss><channel><item><title>", "<"),
    ("ampersands", "<rss><channel><item><title>", "&"),
    ("entities", "<rss><channel><item><title>", "&nbsp;&#x41;&amp;lt;"),
    ("entities of no kind", "<rss><channel><item><title>", "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("fields of an item", "<rss><channel><item>", "<title></title><guid>a</guid>"),
    ("links of an item", "<feed xml:base=\"https://e.org/\"><entry>", "<link href=\"a\"/>"),
    ("texts of an item", "<rss><channel><item>", "<description>a</description>"),
    ("dates of an item", "<rss><channel><item>", "<pubDate>1 1 1 1 1 1</pubDate>"),
    ("authors of an item", "<rss><channel><item>", "<author>a</author>"),
    ("tags in a text", "<rss><channel><item><description>", "&lt;a =\"&gt;"),
    ("a quote in tags of a text", "<rss><channel><item><description><![CDATA[", "<a =\">"),
    ("scripts in a text", "<rss><channel><item><description><![CDATA[", "<script></x>"),
    ("equal guids", "<rss><channel>", "<item><guid>a</guid><title>a</title></item>"),
    ("control characters", "<rss><channel><item><title>", "\u{1}"),
    ("a web page", "<html><body>", "<p class=a>text</p>"),
    ("two million tiny items", "<rss>", "<item>"),
    ("items in one line of entries", "<feed>", "<entry></entry>"),
    ("one huge attribute", "<rss><channel><item><link href=\"", "aaaaaaaa"),
    ("one huge name", "<rss><channel><", "aaaaaaaa"),
    ("one huge title", "<rss><channel><item><title>", "&lt;b&gt;a "),
    ("one huge date", "<rss><channel><item><pubDate>", "1 "),
    ("one huge link", "<rss><channel><item><link>", "a b"),
    ("base64", "<feed><entry><content type=\"image/png\">", "V2FuZyBZ"),
    ("inline mark-up", "<feed><entry><content type=\"xhtml\">", "<content>a"),
    ("authors with addresses", "<rss><channel><item><author>", "a@b.c ("),
    ("brackets", "<rss><channel><item><author>a@b.c ", "()("),
    ("undeclared prefixes", "<rss><channel><item>", "<a:b>"),
    ("namespaces of one element", "<rss ", "xmlns:a=\"urn:a\" "),
    ("text encoded twice", "<rss><channel><item><title>", "Ð›Ð°Ð²Ñ€Ð¾Ð² "),
    ("broken json text", "{\"items\":[{\"title\":\"", "\\ud800"),
    ("json items", "{\"version\":\"https://jsonfeed.org/\",\"items\":[", "{\"id\":\"1\"},"),
    ("json nesting", "{\"items\":[", "["),
    ("json lists", "{\"items\":[{\"tags\":[", "0,"),
    ("json fields", "{\"items\":[{", "\"a\":0,"),
];

/// The same, and what stands at the very end: what is looked for and found late.
const ENDED: &[(&str, &str, &str, &str)] = &[
    (
        "sections, an item's end in all",
        "<rss><channel><item><title>",
        "<![CDATA[</a>",
        "</item>]]></title></item>",
    ),
    ("comments, one end", "<rss><channel><item><title>", "<!--\n", "--></title></item>"),
    (
        "escaped comments, one end",
        "<rss><channel><item><title>",
        "&lt;!--",
        "--&gt;</title></item>",
    ),
    ("open tags, one end", "<rss><channel><item><title>", "&lt;b ", "&gt;</title></item>"),
    ("quotes, one end", "<rss><channel><item>", "<a b='\">", "'></item>"),
    (
        "scripts, one end",
        "<rss><channel><item><title>",
        "&lt;script&gt;",
        "&lt;/script&gt;</title>",
    ),
    ("document types, one end", "", "<!DOCTYPE a [", "]><rss><channel><item/></channel></rss>"),
];

fn main() {
    println!("{:<30} {:>8} {:>8} {:>8}", "", "1 MiB", "8 MiB", "peak");
    let mut worst = (0, 0.0);
    let mut table = |name: &str, make: &dyn Fn(usize) -> Vec<u8>| {
        print!("{name:<30}");
        let mut peak = 0.0;
        for size in [1 << 20, 8 << 20] {
            let bytes = make(size);
            let before = ALLOCATOR.current_usage_as_mb();
            ALLOCATOR.reset_peak_usage();
            let start = Instant::now();
            black_box(&feed::parse(&document(&bytes))).as_ref().ok();
            let elapsed = start.elapsed().as_millis();
            print!(" {elapsed:>5} ms");
            peak = ALLOCATOR.peak_usage_as_mb() - before;
            worst = (elapsed.max(worst.0), peak.max(worst.1));
        }
        println!(" {peak:>5.0} MB");
    };
    for (name, start, piece) in DOCUMENTS {
        table(name, &|size| {
            [start, piece.repeat(size / piece.len()).as_str()].concat().into_bytes()
        });
    }
    for (name, start, piece, end) in ENDED {
        table(name, &|size| {
            [start, piece.repeat(size / piece.len()).as_str(), end].concat().into_bytes()
        });
    }
    table("bytes of no encoding", &|size| {
        [&b"<rss>\xff\x81"[..], &b"\xe2\x80 \x98\xff".repeat(size / 5)].concat()
    });
    table("items of 4 KiB", &|size| {
        let text = "&lt;p&gt;Wang Yi &amp;amp; Lavrov&lt;/p&gt; ".repeat(100);
        let item = format!("<item><guid>a</guid><description>{text}</description></item>");
        ["<rss><channel>", &item.repeat(size / item.len())].concat().into_bytes()
    });
    table("long links", &|size| {
        let link = format!("<link href=\"{}\"/>", "a/../".repeat(400));
        let start = "<feed xml:base=\"https://e.org/\"><entry>";
        [start, &link.repeat(size / link.len())].concat().into_bytes()
    });
    table("utf-16 of three kinds", &|size| {
        let piece: Vec<u8> = "<rss>Ван И王毅".encode_utf16().flat_map(u16::to_le_bytes).collect();
        piece.repeat(size / piece.len())
    });
    table("iso-2022-jp escapes", &|size| {
        let start = b"<?xml version='1.0' encoding='iso-2022-jp'?><rss><channel><item><title>";
        [&start[..], &b"\x1b$B\x1b(B".repeat(size / 6)].concat()
    });
    table("zeros", &|size| [&b"<rss>"[..], &b"\0".repeat(size)].concat());
    table("every byte", &|size| {
        let bytes: Vec<u8> = (0..=255).collect();
        [&b"<rss><channel><item><title>"[..], &bytes.repeat(size / 256)].concat()
    });
    table("windows-1251 unnamed", &|size| {
        let text = "<rss><channel>".to_owned()
            + &ITEM.replace("Wang Yi", "Ван И").repeat(size / ITEM.len());
        encoding_rs::WINDOWS_1251.encode(&text).0.into_owned()
    });
    println!("{:<30} {:>17} ms {:>5.0} MB", "the worst of each", worst.0, worst.1);
}

fn document(bytes: &[u8]) -> Document<'_> {
    Document {
        bytes,
        charset: None,
        encoding: None,
        base: None,
        utc_offset: None,
        now: jiff::Timestamp::from_second(1_700_000_000).expect("it is a time"),
    }
}
