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
fn what_ends_a_section_of_xml_stands_in_a_text_like_any_other_signs() {
    let item = "<item><title>a ]]&gt; &amp;amp; b]]&gt;</title><description>]]&gt;&lt;p&gt;c</description></item>";
    let feed = read(&rss(item));
    assert_eq!((&*feed.items[0].title, &*feed.items[0].summary), ("a ]]> & b]]>", "]]>\nc"));
}

#[test]
fn many_items_are_as_each_of_them_alone() {
    let item = |n: usize| {
        let text = "&lt;p&gt;Talks &amp;amp; treaties.&lt;/p&gt;".repeat(60);
        format!(
            "<item><title>Number {n}</title><guid>{n}</guid><description>{text}</description></item>"
        )
    };
    let feed = read(&rss(&(0..100).map(item).collect::<String>()));
    assert_eq!(feed.items.len(), 100);
    for (n, read_together) in feed.items.iter().enumerate() {
        assert_eq!(read_together, &read(&rss(&item(n))).items[0]);
    }
}

#[test]
fn an_item_that_the_next_may_be_taken_for_an_edit_of_is_told_from_others() {
    const LINK: &str = "<link>https://e.org/now</link>";
    const SITE: &str = "<link>https://e.org/?utm_source=rss</link>";
    const DATE: &str = "<pubDate>Tue, 19 Sep 2023 08:30:00 GMT</pubDate>";
    for (item, one_page) in [
        (LINK.to_owned(), true),
        (format!("{SITE}{DATE}"), true),
        (format!("<guid isPermaLink=\"false\">0</guid>{LINK}"), true),
        (format!("{LINK}{DATE}"), false),
        (format!("<guid>https://e.org/1</guid>{LINK}"), false),
        (String::new(), false),
        (format!("{LINK}</item><item><title>b</title>"), false),
    ] {
        let feed = read(&rss(&format!("<item><title>a</title>{item}</item>")));
        assert_eq!(feed.one_page().is_some(), one_page, "{item}");
    }
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
        (feed.feed.format, feed.complete, feed.repairs.is_empty()),
        ("rss2", true, true),
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
fn items_are_found_wherever_a_dialect_has_them() {
    check_titles("<rss><item><title>no channel</title></item></rss>", &["no channel"]);
    check_titles(
        "<Channel xmlns=\"http://purl.org/net/rss1.1#\"><title>T</title><items><item><title>1.1</title></item><item><title>b</title></item></items></Channel>",
        &["1.1", "b"],
    );
    check_titles(
        "<r:rss xmlns:r=\"urn:mine\"><r:channel><r:item><r:title>prefix</r:title></r:item></r:channel></r:rss>",
        &["prefix"],
    );
    check_titles("<feed><entry><title>no namespace</title></entry></feed>", &["no namespace"]);
    check_titles(
        "<channel><item><title>a</title></item></channel><item><title>beside it</title></item>",
        &["a", "beside it"],
    );
    check_titles("<entry><title>alone</title></entry>", &["alone"]);
    check_titles(
        &rss("<itunes:category text=\"a\"><item><title>in what was never closed</title></item>"),
        &["in what was never closed"],
    );
}

#[test]
fn damage_stays_within_its_item() {
    for damaged in [
        "<description><![CDATA[never closed</description>",
        "<enclosure url=\"https://e.org/a.mp3>",
        "<description>x <!-- never closed</description>",
        "<description>1 <2 & 3",
        "<title><![CDATA[a]]> and <![CDATA[b]]></title><foo><bar>",
        "</image></div></title>",
        "<guid",
    ] {
        let text = rss(&format!(
            "<item><title>one</title>{damaged}</item><item><title>two</title></item>"
        ));
        let feed = read(&text);
        assert_eq!(feed.items.len(), 2, "{damaged}: {:?}", feed.items);
        assert_eq!(feed.items[1].title, "two", "{damaged}");
        let [one, _] = feed.items.as_slice() else { unreachable!() };
        assert!(one.title.starts_with("one"), "{damaged}: {}", one.title);
    }
}

#[test]
fn what_was_mended_is_named_and_counted() {
    let feed = read(&rss("<item><title>A&B &nbsp; C&D</title></item>"));
    let repairs: Vec<_> = feed.repairs.iter().collect();
    assert_eq!(repairs, [("bare-ampersand", 2), ("html-entity", 1)]);
    assert_eq!(feed.repairs.to_string(), "bare-ampersand (2), html-entity");
    assert_eq!(
        serde_json::to_value(&feed.repairs).unwrap(),
        serde_json::json!(["bare-ampersand", "html-entity"])
    );
}

#[test]
fn old_and_strange_dialects_are_named_among_the_repairs() {
    let repairs = |text: &str| serde_json::to_string(&read(text).repairs).unwrap();
    let item = "<item><title>t</title></item>";
    let rss = |root: &str| repairs(&format!("<{root}><channel>{item}</channel></rss>"));
    assert_eq!(rss("rss version=\"0.94\""), "[\"rss-version\"]");
    assert_eq!(rss("rss version=\"2.0\" xmlns=\"urn:mine\""), "[\"foreign-namespace\"]");
    let atom = "<feed xmlns=\"http://purl.org/atom/ns#\"><entry><title>t</title></entry></feed>";
    assert_eq!(repairs(atom), "[\"atom-0.3\"]");
    let without_link = "<item><title>t</title><guid>https://e.org/1</guid></item>";
    assert_eq!(repairs(&super::tests::rss(without_link)), "[\"link-from-id\"]");
    assert_eq!(repairs(&format!("<channel>{item}</channel>")), "[\"missing-root\"]");
}

#[test]
fn extensions_fill_gaps_and_override_nothing() {
    let feed = read(&rss(
        "<item><media:title>M</media:title><dc:title>D</dc:title><title>T</title><dc:description>d</dc:description>\
         <foo:link>https://wrong.example/</foo:link><atom:link href=\"https://e.org/atom\"/><link>https://e.org/1</link></item>\
         <item><media:group><media:title>M</media:title></media:group><itunes:summary>s</itunes:summary><atom:link href=\"https://e.org/atom\"/></item>\
         <item><image><title>not this</title></image><media:thumbnail/><atom:link rel=\"self\" href=\"https://e.org/self\"/></item>",
    ));
    let said = |at: usize| {
        let item = &feed.items[at];
        (item.title.as_str(), item.summary.as_str(), item.link.as_deref())
    };
    assert_eq!(said(0), ("T", "d", Some("https://e.org/1")));
    assert_eq!(said(1), ("M", "s", Some("https://e.org/atom")));
    assert_eq!(said(2), ("", "", None));
    assert_eq!(feed.feed.link.as_deref(), Some("https://e.org/"));
}

#[test]
fn a_date_that_cannot_be_read_erases_none() {
    let feed = read(&rss(
        "<item><dc:date>soon</dc:date><pubDate>Mon, 18 Sep 2023 10:00:00 GMT</pubDate><pubDate>whenever</pubDate></item>\
         <item><pubDate>whenever</pubDate><dc:date>2023-09-18</dc:date></item>",
    ));
    let times: Vec<_> = feed.items.iter().map(|item| item.published.unwrap().to_string()).collect();
    assert_eq!(times, ["2023-09-18T10:00:00Z", "2023-09-18T00:00:00Z"]);
    assert_eq!(
        feed.repairs.iter().collect::<Vec<_>>(),
        [("undeclared-prefix", 2), ("unreadable-date", 3)]
    );
}

#[test]
fn links_languages_and_sources_are_those_of_their_place() {
    let base = Url::parse("https://e.org/feeds/atom").unwrap();
    let text = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"ru\" xml:base=\"/ru/\"><title>T</title>\
         <entry xml:lang=\"zh_CN\" xml:base=\"2023/\"><link rel=\"enclosure\" href=\"a.mp3\"/><link rel=\"related\" href=\"other\"/><link href=\"1\"/>\
         <source><title>The Wire</title><link href=\"https://wire.example/\"/><updated>2023-01-01</updated></source>\
         <author><name>A. Writer</name><email>a@wire.example</email></author></entry>\
         <entry><id>https://e.org/by-id</id><title type=\"application/octet-stream\">V2FuZyBZaQ==</title></entry>\
         <entry><link href=\"gopher://e.org/\"/><link href=\"https://e.org/web\"/></entry></feed>";
    let feed = parse(&Document { base: Some(&base), ..document(text.as_bytes()) }).unwrap();
    let [first, second, third] = feed.items.as_slice() else { panic!("{:?}", feed.items) };
    assert_eq!(first.link.as_deref(), Some("https://e.org/ru/2023/1"));
    assert_eq!((first.lang.as_deref(), second.lang.as_deref()), (Some("zh-cn"), Some("ru")));
    let source = first.source.as_ref().unwrap();
    assert_eq!(source.title.as_deref(), Some("The Wire"));
    assert_eq!(source.url.as_deref(), Some("https://wire.example/"));
    assert_eq!((first.authors.as_slice(), first.updated), (&["A. Writer".to_owned()][..], None));
    assert_eq!(second.link.as_deref(), Some("https://e.org/by-id"));
    assert_eq!(second.title, "Wang Yi");
    assert_eq!(third.link.as_deref(), Some("https://e.org/web"));
}

#[test]
fn what_belongs_together_is_told_apart() {
    let feed = read(
        "<rss xml:lang=\"de\"><channel><language>fr</langauge></channel>\
         <item><author>The Name (a@wire.example)</author><author>b@wire.example (Another)</author><link>https://e.org/a\n b</link>\
         <description>One\ntwo.</description><content:encoded>&lt;p>One&lt;/p>two.</content:encoded><pubDate>2023-09-18</pubdat></item>\
         <item><title xml:lang=\"zh\">t</title></item></rss>",
    );
    assert_eq!(feed.feed.lang.as_deref(), Some("fr"));
    let item = &feed.items[0];
    assert_eq!(item.authors, ["The Name", "Another"]);
    assert_eq!(item.link.as_deref(), Some("https://e.org/a%20b"));
    assert_eq!((item.summary.as_str(), item.content.as_str()), ("One two.", ""));
    assert!(item.published.is_some());
    let langs: Vec<_> = feed.items.iter().map(|item| item.lang.as_deref().unwrap()).collect();
    assert_eq!(langs, ["de", "zh"]);
}

#[test]
fn json_is_read_up_to_where_it_breaks_whatever_the_types() {
    let text = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":7,\"items\":[\
         {\"id\":1,\"title\":\"a\",\"url\":\"/a\",\"authors\":[{\"name\":\"A\",\"url\":{}},null],\"tags\":\"x\",\"date_published\":\"2023-09-18T10:00:00Z\"},\
         {\"id\":null,\"title\":[\"b\"],\"content_html\":\"<p>b\n\",\"tags\":[{}]},{\"id\":\"3\",\"ti";
    let feed = read(text);
    assert_eq!(feed.items.len(), 2);
    let item = &feed.items[0];
    assert_eq!((item.id.as_deref(), item.title.as_str()), (Some("1"), "a"));
    assert_eq!((item.authors.concat(), item.tags.concat()), ("A".to_owned(), "x".to_owned()));
    assert!(item.published.is_some() && !feed.complete);
    assert_eq!(feed.items[1].content, "b");
}

#[test]
fn a_cut_anywhere_loses_no_item_before_it() {
    // The second name nothing, and links are cut off, too.
    for guids in [["g0", "g1", "g2"], ["0", "0", "0"]] {
        cut_anywhere(guids);
    }
}

fn cut_anywhere(guids: [&str; 3]) {
    let item = |n: usize| {
        let guid = guids[n];
        format!(
            "<item><title>Ван И {n}</title><guid>{guid}</guid><link>https://e.org/{n}</link>\
             <description><![CDATA[<p class=\"a\">x & y</p>]]></description><!-- c --></item>"
        )
    };
    let items: Vec<String> = (0..3).map(item).collect();
    let whole = rss(&items.concat());
    let keys = |feed: &ParsedFeed| feed.items.iter().map(|item| item.key).collect::<Vec<_>>();
    let all = keys(&read(&whole));
    let start = whole.find("<item>").unwrap();
    for cut in start..whole.len() {
        let feed = parse(&document(&whole.as_bytes()[..cut])).unwrap();
        assert!(!feed.complete, "{cut}");
        let before = items.iter().scan(start, |end, item| {
            *end += item.len();
            Some(*end)
        });
        let before = before.filter(|end| *end <= cut).count();
        let found = keys(&feed);
        assert_eq!(found[..before.min(found.len())], all[..before], "{cut}");
        // What was cut off is the same item at the next poll, or known not to be.
        if let Some(key) = found.get(before) {
            assert!(all.get(before) == Some(key) || feed.unidentified == Some(*key), "{cut}");
        }
    }
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
fn the_link_is_the_one_that_people_would_open() {
    let link = |item: &str| read(&rss(&format!("<item>{item}</item>"))).items[0].link.clone();
    let long = "я".repeat(1000);
    assert_eq!(link(&format!("<link>https://e.org/{long}</link>")), None, "6,000 bytes as a link");
    let media = "<enclosure url=\"https://e.org/1.mp3\" type=\"audio/mpeg\"/>";
    assert_eq!(link(media).as_deref(), Some("https://e.org/1.mp3"));
    let both = format!("{media}<link>www.e.org/1</link>");
    assert_eq!(link(&both).as_deref(), Some("http://www.e.org/1"));
    let kinds = "<atom:link type=\"application/json\" href=\"https://e.org/1.json\"/>\
                 <atom:link type=\"text/html\" href=\"https://e.org/1\"/>";
    assert_eq!(link(kinds).as_deref(), Some("https://e.org/1"));
}

#[test]
fn the_full_text_that_search_engines_get_is_the_content() {
    let feed =
        read(&rss("<item><title>t</title><yandex:full-text>Ван И</yandex:full-text></item>"));
    assert_eq!(feed.items[0].content, "Ван И");
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
    assert_eq!(feed.repairs.iter().next(), Some(("broken-character", 1)));
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
    for title in ["Just a moment...", "Checking your browser"] {
        assert_eq!(
            error(&format!("<!DOCTYPE html><html><head><title>{title}</title></head></html>")),
            ParseError::WebPage { title: Some(title.to_owned()), bot_wall: true, feed: None }
        );
    }
    assert_eq!(
        error("<html><title>News</title></html>"),
        ParseError::WebPage { title: Some("News".to_owned()), bot_wall: false, feed: None }
    );
    assert_eq!(error(" \n "), ParseError::Empty);
    assert!(matches!(error("<!never closed ¼"), ParseError::NotAFeed(_)));
    assert!(matches!(error("<opml/>"), ParseError::NotAFeed(_)));
    assert!(matches!(error("{\"a\":1}"), ParseError::NotAFeed(_)));
    // Items of which nothing can be read are no empty feed.
    let strange =
        "<rss><channel xmlns:x=\"urn:x\"><x:item><x:title>t</x:title></x:item></channel></rss>";
    assert!(matches!(error(strange), ParseError::NotAFeed(_)));
    assert_eq!(read(&rss("")).items.len(), 0);
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

#[test]
fn a_web_page_says_which_feed_it_names() {
    let page = "<!doctype html><title>News</title>\
                <link rel=alternate type='application/rss+xml' href='https://e.org/rss'>";
    assert_eq!(
        parse(&document(page.as_bytes())).unwrap_err().to_string(),
        "the body is a web page (\"News\"), not a feed; it names the feed https://e.org/rss"
    );
}

#[test]
fn a_document_that_does_not_reach_its_end_says_so() {
    let feed = read("<rss><channel><item><title>a</title></item><item><title>b");
    let end =
        "the document does not reach its end, and its last item comes whole with the next poll";
    assert_eq!(feed.warnings, [end]);
}

/// Where the older items of a feed are that says this of itself.
#[track_caller]
fn check_older(document: &str, older: Option<&str>) {
    assert_eq!(read(document).feed.older.as_ref().map(Url::as_str), older, "{document}");
}

#[test]
fn a_feed_says_where_its_older_items_are() {
    let atom = |links: &str| format!("<feed xmlns='http://www.w3.org/2005/Atom'>{links}</feed>");
    let next = "<link rel='next' href='https://e.org/2'/>";
    let archive = "<link rel='prev-archive' href='https://e.org/2023-08'/>";
    check_older(&atom(next), Some("https://e.org/2"));
    check_older(&atom(&format!("{next}{archive}")), Some("https://e.org/2023-08"));
    let item = format!("<entry><title>a</title>{next}</entry>");
    check_older(&atom(&item), None);
    check_older(&atom("<link rel='next' href='ftp://e.org/2'/>"), None);
    check_older(&atom("<link rel='self' href='https://e.org/1'/>"), None);
    let link = "<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='next' href='https://e.org/2'/>";
    check_older(&rss(link), Some("https://e.org/2"));
    let json = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[],\
                \"next_url\":\"https://e.org/2\"}";
    check_older(json, Some("https://e.org/2"));
}

#[test]
fn a_feed_is_known_by_the_id_that_it_gives_itself() {
    let atom = |id: &str, entry: &str| {
        let text = format!(
            "<feed xmlns='http://www.w3.org/2005/Atom'><id>{id}</id>\
             <entry><id>{entry}</id><title>{entry}</title></entry></feed>"
        );
        read(&text).feed.identity
    };
    assert_eq!(atom("urn:wire", "a"), atom(" urn:wire\n", "b"));
    assert_ne!(atom("urn:wire", "a"), atom("urn:other", "a"));
    assert_eq!(atom("", "a"), None);
    assert_eq!(read(&rss("<item><guid>1</guid><title>a</title></item>")).feed.identity, None);
}

#[test]
fn characters_that_no_text_may_hold_are_taken_out() {
    let json = read(
        "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":\"a\\u0003b\",\
         \"title\":\"Wang\\u0001 Yi\\uffff\",\"tags\":[\"Rus\\u0002sia\"],\
         \"url\":\"https://e.org/\\uffff1\"}]}",
    );
    let xml = read(
        "<feed><entry><title>Wang&#1; Yi&#xFFFF;</title><category term=\"Rus\u{2}sia\"/>\
         <id>a&#3;b</id><link href=\"https://e.org/&#xFFFF;1\"/></entry></feed>",
    );
    for feed in [json, xml] {
        let item = &feed.items[0];
        assert_eq!((item.title.as_str(), &*item.tags[0]), ("Wang Yi", "Russia"));
        assert_eq!(
            (item.id.as_deref(), item.link.as_deref()),
            (Some("ab"), Some("https://e.org/1"))
        );
    }
}

#[test]
fn a_headline_that_is_cut_keeps_its_last_space() {
    let long = "A".repeat(LONGEST_TITLE - 1);
    let feed = read(&rss(&format!("<item><title>{long} tail</title></item>")));
    assert_eq!(feed.items[0].title, format!("{long} "));
}
