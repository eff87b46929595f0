//! Documents as they come, and what must be understood of them. All written for these tests.

use super::*;

fn document(bytes: &[u8]) -> Document<'_> {
    Document {
        bytes,
        charset: None,
        encoding: None,
        base: None,
        utc_offset: None,
        now: "2023-09-20T00:00:00Z".parse().unwrap(),
    }
}

#[track_caller]
fn read(text: &str) -> ParsedFeed {
    match parse(&document(text.as_bytes())) {
        Ok(feed) => feed,
        Err(error) => panic!("{error}: {text}"),
    }
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>T</title><link>https://e.org/</link>{items}</channel></rss>"
    )
}

#[track_caller]
fn check_titles(text: &str, titles: &[&str]) {
    let feed = read(text);
    let found: Vec<&str> = feed.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(found, titles, "{text}\n{:?}", feed.repairs);
}

#[test]
fn an_item_of_rss_is_read_in_full() {
    let feed = read(&rss(
        "<item><title>Wang Yi &amp; Lavrov</title><link>https://e.org/1</link><guid isPermaLink=\"false\"> g1 </guid>\
         <pubDate>Mon, 18 Sep 2023 10:00:00 GMT</pubDate><description>&lt;p&gt;They &lt;b&gt;met&lt;/b&gt;.&lt;/p&gt;</description>\
         <dc:creator xmlns:dc=\"http://purl.org/dc/elements/1.1/\">A. Writer</dc:creator><category>World</category>\
         <source url=\"https://wire.example/rss\">The Wire</source></item>",
    ));
    let item = &feed.items[0];
    assert_eq!(item.title, "Wang Yi & Lavrov");
    assert_eq!(item.summary, "They met.");
    assert_eq!(item.id.as_deref(), Some("g1"));
    assert_eq!(item.link.as_deref(), Some("https://e.org/1"));
    assert_eq!(item.published.unwrap().to_string(), "2023-09-18T10:00:00Z");
    assert_eq!(
        (item.authors.as_slice(), item.tags.as_slice()),
        (&["A. Writer".to_owned()][..], &["World".to_owned()][..])
    );
    let source = item.source.as_ref().unwrap();
    assert_eq!(
        (source.title.as_deref(), source.url.as_deref()),
        (Some("The Wire"), Some("https://wire.example/rss"))
    );
    assert_eq!(
        (feed.feed.format, feed.complete, feed.repairs.len()),
        ("rss2", true, 0),
        "{:?}",
        feed.repairs
    );
}

#[test]
fn atom_and_json_are_read() {
    let atom = read(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"ru\"><title>T</title><id>f</id>\
         <entry><id> e1 </id><title type=\"html\">Лавров &amp;amp; Ван И</title><link href=\"https://e.org/1\"/>\
         <updated>2023-09-18T10:00:00Z</updated><content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a<br/>b</p></div></content></entry></feed>",
    );
    assert_eq!(atom.items[0].title, "Лавров & Ван И");
    assert_eq!(atom.items[0].content, "a\nb");
    assert_eq!(atom.items[0].id.as_deref(), Some("e1"));
    let json = read(
        "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"T\",\"items\":[{\"id\":\"1\",\"title\":\"朝鲜\",\"content_text\":\"x\",\"url\":\"https://e.org/1\"}]}",
    );
    assert_eq!((json.items[0].title.as_str(), json.feed.format), ("朝鲜", "json"));
}

#[test]
fn broken_documents_yield_their_items() {
    check_titles(
        &rss("<item><title>Q&A &nbsp;&mdash; &#151; &#X26; done</title></item>"),
        &["Q&A — — & done"],
    );
    check_titles(&rss("<item><title>Wang <b>Yi</b> meets</title></item>"), &["Wang Yi meets"]);
    check_titles(&rss("<item><title>a \u{8}b</title></item>"), &["a b"]);
    check_titles(
        &rss("<item><title>one<title></item><item><title>two</title></item>")
            .replace("<title></item>", "</title></item>"),
        &["one", "two"],
    );
    check_titles(&rss("<item><title>one</title><item><title>two</title></item>"), &["one", "two"]);
    check_titles(&rss("<item><title>x</title><description>a<br>b</description></item>"), &["x"]);
    check_titles(
        "junk <rss><channel><item><title>no version</title></item></channel></rss>",
        &["no version"],
    );
    check_titles(
        "<RSS VERSION=\"0.94\"><CHANNEL><ITEM><TITLE>loud</TITLE></ITEM></CHANNEL></RSS>",
        &["loud"],
    );
    check_titles("<channel><item><title>no root</title></item></channel>", &["no root"]);
    check_titles(
        &rss("<item><media:title>HIJACK</media:title><title>kept</title></item>"),
        &["kept"],
    );
    check_titles(&rss("<item><foo:bar>x</foo:bar><title>prefix</title></item>"), &["prefix"]);
    check_titles(
        "<rss version=\"2.0\" xmlns=\"http://example.org/other\"><channel><item><title>ns</title></item></channel></rss>",
        &["ns"],
    );
    check_titles(
        "<feed version=\"0.3\" xmlns=\"http://purl.org/atom/ns#\"><entry><title mode=\"escaped\" type=\"text/html\">old</title><issued>2003-12-13T08:29:29Z</issued></entry></feed>",
        &["old"],
    );
    check_titles(
        "<rdf:RDF><item rdf:about=\"https://e.org/1\"><title>rdf</title></item></rdf:RDF>",
        &["rdf"],
    );
}

#[test]
fn a_document_that_was_cut_off_is_not_complete_but_its_items_are_read() {
    let whole = rss("<item><title>one</title></item><item><title>two</title></item>");
    let feed = read(&whole[..whole.len() - 25]);
    assert_eq!(feed.items.len(), 2);
    assert!(!feed.complete);
}

#[test]
fn the_guid_is_the_link_where_there_is_no_other() {
    let feed = read(&rss("<item><title>x</title><guid>https://e.org/9</guid></item>"));
    assert_eq!(feed.items[0].link.as_deref(), Some("https://e.org/9"));
}

#[test]
fn a_relative_link_is_read_against_the_address_of_the_feed() {
    let text = rss("<item><title>x</title><link>/a?b=1</link></item>");
    let base = Url::parse("https://e.org/feeds/rss").unwrap();
    let feed = parse(&Document { base: Some(&base), ..document(text.as_bytes()) }).unwrap();
    assert_eq!(feed.items[0].link.as_deref(), Some("https://e.org/a?b=1"));
}

#[test]
fn text_is_read_in_the_character_set_it_is_in_whatever_the_labels_say() {
    let text = rss("<item><title>Переговоры Лаврова</title></item>");
    let declared = text.replace("?>", " encoding=\"windows-1251\"?>");
    let (cyrillic, _, _) = encoding_rs::WINDOWS_1251.encode(&declared);
    for (bytes, charset) in [
        (cyrillic.as_ref(), None),
        (declared.as_bytes(), None),
        (text.as_bytes(), Some("windows-1251")),
        (&encoding_rs::WINDOWS_1251.encode(&text).0, Some("cp-1251")),
        (&encoding_rs::WINDOWS_1251.encode(&text).0, None),
        (&[&b"\n".repeat(40)[..], &cyrillic].concat(), None),
        (&[&b"\xef\xbb\xbf"[..], declared.as_bytes()].concat(), None),
    ] {
        let feed = parse(&Document { charset, ..document(bytes) }).unwrap();
        assert_eq!(feed.items[0].title, "Переговоры Лаврова", "{charset:?}");
    }
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(parse(&document(&wide)).unwrap().items[0].title, "Переговоры Лаврова");
}

#[track_caller]
fn check_charset(document: &Document<'_>, title: &str, encoding: &str, warning: &str) {
    let feed = parse(document).unwrap();
    assert_eq!((feed.items[0].title.as_str(), feed.feed.encoding), (title, encoding));
    assert_eq!(feed.warnings.concat(), warning);
}

#[test]
fn why_a_document_is_not_read_as_it_is_declared_is_told() {
    let labelled = |label: &str, title: &str| {
        let text = rss(&format!("<item><title>{title}</title></item>"));
        text.replace("?>", &format!(" encoding=\"{label}\"?>"))
    };
    let declared = labelled("windows-1251", "Ван И");
    let in_1251 = |text: &str| encoding_rs::WINDOWS_1251.encode(text).0.into_owned();
    check_charset(&document(&in_1251(&declared)), "Ван И", "windows-1251", "");
    check_charset(
        &document(declared.as_bytes()),
        "Ван И",
        "UTF-8",
        "read as UTF-8, not as windows-1251: it is valid UTF-8",
    );
    check_charset(
        &Document { charset: Some("utf-8"), ..document(&in_1251(&declared)) },
        "Ван И",
        "windows-1251",
        "",
    );
    check_charset(
        &Document {
            charset: Some("cp-1251"), ..document(&in_1251(&labelled("utf-8", "Ван И")))
        },
        "Ван И",
        "windows-1251",
        "read as windows-1251, not as utf-8: it is labelled so and has no errors",
    );
    check_charset(
        &Document {
            encoding: Some("koi8-r"),
            ..document(&encoding_rs::KOI8_R.encode(&declared).0)
        },
        "Ван И",
        "KOI8-R",
        "read as KOI8-R, not as windows-1251: the configuration says so",
    );
    let (gb, ..) = encoding_rs::GB18030.encode("王毅");
    for label in ["gb2312", "gbk", "cp936", "x-gbk"] {
        let text = labelled(label, "王毅");
        let bytes = encoding_rs::GB18030.encode(&text).0;
        assert!(bytes.windows(gb.len()).any(|window| window == &*gb));
        assert_eq!(parse(&document(&bytes)).unwrap().items[0].title, "王毅", "{label}");
    }
    let jis = encoding_rs::ISO_2022_JP.encode(&labelled("iso-2022-jp", "北朝鮮")).0.into_owned();
    check_charset(&document(&jis), "北朝鮮", "ISO-2022-JP", "");
    // What is seven-bit by its label but not in truth, and wide by its label only.
    for label in ["hz-gb-2312", "utf-16", "iso-8859-1"] {
        check_charset(&document(labelled(label, "x").as_bytes()), "x", "UTF-8", "");
        check_charset(
            &document(labelled(label, "Ван И").as_bytes()),
            "Ван И",
            "UTF-8",
            &format!("read as UTF-8, not as {label}: it is valid UTF-8"),
        );
    }
}

#[test]
fn what_was_cut_off_within_a_character_is_still_utf_8() {
    let text =
        rss("<item><title>Переговоры Лаврова и Ван И</title><description>Встреча</description>");
    let cut = text.find("стреча").unwrap() + 1;
    let feed = parse(&document(&text.as_bytes()[..cut])).unwrap();
    assert_eq!(feed.items[0].title, "Переговоры Лаврова и Ван И");
    assert!(feed.warnings[0].ends_with(" characters are broken in UTF-8"), "{:?}", feed.warnings);
}

#[test]
fn the_language_of_a_document_helps_to_guess_its_encoding() {
    let text = rss("<language>uk</language><item><title>Лавров і Ван Ї</title></item>");
    let bytes = encoding_rs::WINDOWS_1251.encode(&text).0;
    assert_eq!(parse(&document(&bytes)).unwrap().items[0].title, "Лавров і Ван Ї");
}

#[test]
fn what_makes_the_strict_parser_panic_is_read_all_the_same() {
    for author in [
        "王毅（wang@mfa.example）",
        "Редакция«info@tass.example»",
        "info@tass.example—Иван",
        "x\u{a0}a@b.example",
    ] {
        check_titles(
            &rss(&format!("<item><title>x</title><author>{author}</author></item>")),
            &["x"],
        );
        check_titles(
            &rss(&format!(
                "<managingEditor>{author}</managingEditor><item><title>x</title></item>"
            )),
            &["x"],
        );
    }
    check_titles(
        &rss(
            "<item><title>x</title><itunes:duration>99999999999999999999999</itunes:duration></item>",
        ),
        &["x"],
    );
}

#[test]
fn a_web_page_is_no_feed() {
    let error = |text: &str| parse(&document(text.as_bytes())).unwrap_err();
    assert_eq!(
        error("<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"),
        ParseError::WebPage { title: Some("Just a moment...".to_owned()), bot_wall: true }
    );
    assert_eq!(
        error("<html><title>News</title></html>"),
        ParseError::WebPage { title: Some("News".to_owned()), bot_wall: false }
    );
    assert_eq!(error(" \n "), ParseError::Empty);
    assert!(matches!(error("<!never closed ¼"), ParseError::NotAFeed(_)));
    assert!(matches!(error("<opml/>"), ParseError::NotAFeed(_)));
    assert!(matches!(error("{\"a\":1}"), ParseError::NotAFeed(_)));
}

#[test]
fn entities_of_a_document_type_are_not_expanded() {
    let bomb = "<!DOCTYPE rss [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>".to_owned()
        + &rss("<item><title>&b;</title></item>");
    check_titles(&bomb, &["&b;"]);
}

#[test]
fn hostile_documents_are_read_in_linear_time() {
    for text in [
        format!("<rss><channel>{}", "<a>".repeat(200_000)),
        format!("<rss><channel><item><title>{}", "<".repeat(500_000)),
        format!("<rss><channel><item><title>{}", "&".repeat(500_000)),
        format!("<rss {}", "a=\"1\" ".repeat(200_000)),
        rss(&"<item><title>x</title></item>".repeat(5_000)),
    ] {
        let _ = parse(&document(text.as_bytes()));
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_and_the_same_bytes_give_the_same_keys(
            pieces in proptest::collection::vec(prop_oneof![
                Just("<item>".to_owned()), Just("</item>".to_owned()), Just("<title>".to_owned()),
                Just("</title>".to_owned()), Just("<![CDATA[".to_owned()), Just("]]>".to_owned()),
                Just("<link>https://e.org/</link>".to_owned()), Just("&amp;".to_owned()),
                Just("<dc:date>2023".to_owned()), Just("<x:y ".to_owned()), "\\PC{0,8}",
            ], 0..40),
        ) {
            let text = rss(&pieces.concat());
            let keys = |feed: &ParsedFeed| feed.items.iter().map(|item| item.key).collect::<Vec<_>>();
            let first = parse(&document(text.as_bytes()));
            if let Ok(feed) = &first {
                prop_assert_eq!(keys(feed), keys(&parse(&document(text.as_bytes())).unwrap()));
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&document(&bytes));
        }
    }
}

#[test]
fn a_mark_of_utf8_before_another_encoding_is_not_believed() {
    let declared = "<?xml version=\"1.0\" encoding=\"windows-1251\"?><rss version=\"2.0\"><channel>\
                    <item><title>Переговоры Лаврова</title></item></channel></rss>";
    let title = |bytes: &[u8]| {
        let bytes = [b"\xef\xbb\xbf", bytes].concat();
        let feed = parse(&document(&bytes)).unwrap();
        (feed.items[0].title.clone(), feed.feed.encoding)
    };
    let right = "Переговоры Лаврова".to_owned();
    let body = encoding_rs::WINDOWS_1251.encode(declared).0;
    assert_eq!(title(&body), (right.clone(), "windows-1251"));
    assert_eq!(title(declared.as_bytes()), (right, "UTF-8"));
    // One broken letter is no reason to read all others as something else.
    let mut broken = declared.as_bytes().to_vec();
    broken.remove(declared.find('Л').unwrap());
    assert_eq!(title(&broken), ("Переговоры \u{fffd}аврова".to_owned(), "UTF-8"));
}

#[test]
fn an_author_keeps_no_bracket_of_the_address_that_was_taken_out() {
    for (author, name) in [
        ("王毅（wang@mfa.gov.cn）", "王毅"),
        ("Редакция«info@tass.ru»", "Редакция"),
        ("A. Writer (info@tass.ru)", "A. Writer"),
        ("info@tass.ru (A. Writer)", "A. Writer"),
        ("Иван (ТАСС)", "Иван (ТАСС)"),
    ] {
        let item = format!("<item><title>t</title><author>{author}</author></item>");
        assert_eq!(read(&rss(&item)).items[0].authors, [name], "{author}");
    }
}
