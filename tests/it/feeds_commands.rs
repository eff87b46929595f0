//! `feeds poll`, `feeds log` and `feeds add`: what they show, write, and leave alone.

use serde_json::{Value, json};

use super::program::Demo;
use super::server::{Answer, Request, Server, response};

const DOCUMENT: &str = "<rss version=\"2.0\"><channel><title>Desk</title>\
    <item><guid>1</guid><title>Wang Yi & Lavrov meet in Moscow</title>\
    <pubDate>Mon, 18 Sep 2023 09:00:00 GMT</pubDate></item></channel></rss>";

/// A demonstration with one more feed, of these lines.
fn with_feed(lines: &str) -> Demo {
    let demo = Demo::new();
    let file = std::fs::read_dir(demo.path("feeds")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[[feed]]\nname = \"desk\"\n{lines}\n")).unwrap();
    demo
}

/// Standard output of a call that must end with this code, while a server runs beside it.
async fn out(demo: &Demo, code: i32, arguments: &[&str]) -> String {
    let mut command = demo.command(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}{error}");
    text + &error
}

#[tokio::test]
async fn a_poll_on_demand_shows_all_that_passed_and_keeps_nothing() {
    let server = Server::start().await;
    let moved = Answer::status("302 Found", "location: /new.xml\r\nset-cookie: s3cret\r\n", "");
    server.set("/desk.xml", moved);
    server.set("/new.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let demo = with_feed(&format!(
        "url = \"{}\"\nallow_private = true\nheaders_from = \"desk.secret\"",
        server.url("/desk.xml")
    ));
    std::fs::write(demo.path("feeds/desk.secret"), "X-Key: s3cret\n").unwrap();
    let shown = out(&demo, 0, &["feeds", "poll", "desk"]).await;
    for expected in [
        format!("GET {}", server.url("/desk.xml")),
        "> x-key: ***".to_owned(),
        "< HTTP/1.1 302 Found after ".to_owned(),
        "< location: /new.xml".to_owned(),
        "< set-cookie: ***".to_owned(),
        format!("GET {}", server.url("/new.xml")),
        "< etag: W/\"v1\"".to_owned(),
        "document: rss2, UTF-8, 1 item".to_owned(),
        "repairs: bare-ampersand".to_owned(),
        "items: 1 new, 0 edited".to_owned(),
        "  new 2023-09-18 09:00 Wang Yi & Lavrov meet in Moscow".to_owned(),
        "    hit wang-yi-lavrov (".to_owned(),
        "state: new -> active".to_owned(),
        "nothing of this was stored".to_owned(),
    ] {
        assert!(shown.contains(&expected), "no {expected:?} in {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!demo.path("newswatch.db").exists());
    let again = out(&demo, 0, &["feeds", "poll", "desk", "--format", "json"]).await;
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["exchanges"][0]["status"], 302);
    assert_eq!(again["items"][0]["hits"][0]["rule"], "wang-yi-lavrov");
    assert!(!again.to_string().contains("s3cret"), "{again}");
}

#[tokio::test]
async fn a_poll_on_demand_shows_edits_that_would_be_told_or_take_a_hit_back() {
    let server = Server::start().await;
    let show = |title: &str, version| {
        let document = DOCUMENT.replace("Wang Yi & Lavrov meet in Moscow", title);
        server.set("/desk.xml", Answer::Feed { document, version });
    };
    show("Wang Yi & Lavrov meet in Moscow", 1);
    let url = server.url("/desk.xml");
    let demo = with_feed(&format!("url = \"{url}\"\nallow_private = true"));
    let rule = "[[rule]]\nid = \"wang\"\ntitle = \"Wang\"\nquery = 'Wang'\non_update = true\n";
    std::fs::write(demo.path("rules/wang.toml"), rule).unwrap();
    out(&demo, 0, &["run", "--once"]).await;
    show("Wang Yi goes home", 2);
    let shown = out(&demo, 0, &["feeds", "poll", "desk", "--force"]).await;
    for expected in [
        "items: 0 new, 1 edited\n",
        "\n    edit wang (medium): matches; told unless too little has changed, or too often\n",
        "\n    edit wang-yi-lavrov: matches no more; told if the hit was, or its rule has on_update\n",
    ] {
        assert!(shown.contains(expected), "no {expected:?} in {shown}");
    }
    let shown = out(&demo, 0, &["feeds", "poll", "desk", "--force", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let mut edits = shown["items"][0]["edits"].as_array().unwrap().clone();
    edits.retain(|edit| ["wang", "wang-yi-lavrov"].contains(&edit["rule"].as_str().unwrap()));
    assert_eq!(
        edits,
        [
            json!({"rule": "wang-yi-lavrov", "matches": false, "severity": null}),
            json!({"rule": "wang", "matches": true, "severity": "medium"}),
        ]
    );
}

#[tokio::test]
async fn the_last_polls_of_a_feed_are_listed() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let url = server.url("/desk.xml");
    let demo = with_feed(&format!("url = \"{url}\"\nallow_private = true"));
    for _ in 0..2 {
        out(&demo, 0, &["run", "--once"]).await;
    }
    let table = out(&demo, 0, &["feeds", "log", "desk", "--format", "table"]).await;
    assert!(table.contains("STATUS") && table.contains("not-modified"), "{table}");
    let time = table.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(time.len(), "09:00:00".len(), "{table}");
    let lines = out(&demo, 0, &["feeds", "log", "desk"]).await;
    let polls: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = polls.iter().map(|poll| poll["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [304, 200]);
    let fields: Vec<&str> = polls[0].as_object().unwrap().keys().map(String::as_str).collect();
    let csv = out(&demo, 0, &["feeds", "log", "desk", "--format", "csv"]).await;
    assert_eq!(csv.lines().next().unwrap(), fields.join(","));
    let unknown = out(&demo, 2, &["feeds", "log", "disk"]).await;
    assert!(unknown.contains("did you mean \"desk\"?"), "{unknown}");
}

#[tokio::test]
async fn a_poll_on_demand_is_refused_right_after_another_unless_forced() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let url = server.url("/desk.xml");
    let demo = with_feed(&format!("url = \"{url}\"\nallow_private = true"));
    out(&demo, 0, &["run", "--once"]).await;
    let refused = out(&demo, 1, &["feeds", "poll", "desk"]).await;
    assert!(refused.contains("less than 5 minutes ago; --force does it all the same"), "{refused}");
    assert_eq!(server.requests("/desk.xml").len(), 1);
    let forced = out(&demo, 0, &["feeds", "poll", "desk", "--force"]).await;
    assert!(forced.contains("> if-none-match: W/\"v1\""), "{forced}");
    assert!(forced.contains("document: unchanged since the last poll"), "{forced}");
    let whole = out(&demo, 0, &["feeds", "poll", "desk", "--force", "--whole"]).await;
    assert!(!whole.contains("if-none-match"), "{whole}");
    assert!(whole.contains("items: 0 new, 0 edited"), "{whole}");
}

#[tokio::test]
async fn a_poll_on_demand_that_fails_says_so_by_its_exit_code() {
    let server = Server::start().await;
    let url = server.url("/desk.xml");
    let demo = with_feed(&format!("url = \"{url}\"\nallow_private = true"));
    let failed = out(&demo, 1, &["feeds", "poll", "desk"]).await;
    assert!(failed.contains("state: new -> not found: 404 Not Found"), "{failed}");
    let unknown = out(&demo, 2, &["feeds", "poll", "desc"]).await;
    assert!(unknown.contains("there is no feed \"desc\"; did you mean \"desk\"?"), "{unknown}");
}

#[tokio::test]
async fn a_feed_that_fails_is_made_due_and_what_is_not_is_said() {
    let server = Server::start().await;
    let url = server.url("/desk.xml");
    let demo = with_feed(&format!(
        "url = \"{url}\"\nallow_private = true\n[[feed]]\nname = \"off\"\nurl = \"{url}\"\nenabled = false"
    ));
    out(&demo, 0, &["run", "--once"]).await;
    let early = out(&demo, 0, &["feeds", "retry", "desk"]).await;
    assert!(
        early.contains("feed desk was asked less than a minute ago; it is due again at"),
        "{early}"
    );
    assert!(early.contains("1 of 1 feed made due; no daemon runs: the next start asks"), "{early}");
    let all = out(&demo, 0, &["feeds", "retry", "--all-failing"]).await;
    // The demonstration has one of its own that is damaged.
    assert!(all.contains("2 of 2 feeds made due"), "{all}");
    let others = out(&demo, 1, &["feeds", "retry", "harbour-post", "off", "desk"]).await;
    for part in
        ["feed harbour-post does not fail", "feed off is not polled", "1 of 3 feeds made due;"]
    {
        assert!(others.contains(part), "no {part:?} in {others}");
    }
    let unknown = out(&demo, 2, &["feeds", "retry", "disk"]).await;
    assert!(unknown.contains("there is no feed \"disk\"; did you mean \"desk\"?"), "{unknown}");
    let neither = out(&demo, 2, &["feeds", "retry"]).await;
    assert!(neither.contains("--all-failing") && neither.contains("NAME"), "{neither}");
}

/// What `feeds retry` says of a feed whose host refuses with these headers, and of another of that host.
async fn of_a_host_that_refuses(headers: &str) -> String {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::status("429 Too Many Requests", headers, ""));
    let (desk, more) = (server.url("/desk.xml"), server.url("/more.xml"));
    let demo = with_feed(&format!(
        "url = \"{desk}\"\nallow_private = true\n[[feed]]\nname = \"more\"\nurl = \"{more}\"\nallow_private = true"
    ));
    out(&demo, 0, &["run", "--once"]).await;
    let said = out(&demo, 1, &["feeds", "retry", "desk", "more"]).await;
    assert!(said.contains("0 of 2 feeds made due\n"), "{said}");
    // Which minute it is does not matter.
    let (before, after) = (" is asked at ", ", not before: ");
    let line = |line: &str| match (line.split_once(before), line.split_once(after)) {
        (Some((whom, _)), Some((_, why))) => format!("{whom}: {why}\n"),
        _ => String::new(),
    };
    said.lines().map(line).collect()
}

#[tokio::test]
async fn who_wants_a_feed_tried_whose_host_refuses_is_told_whether_the_host_named_the_time() {
    let two_hours = of_a_host_that_refuses("retry-after: 7200\r\n").await;
    let named = "feed desk: its host asked to be left alone until then\n\
                 feed more does not fail, but: its host, when asked for feed desk, asked to be left alone until then\n";
    assert_eq!(two_hours, named);
    let own = "feed desk: its host refused and named no later time; the pause is newswatch's own\n\
               feed more does not fail, but: its host, when asked for feed desk, refused and named no later time; \
               the pause is newswatch's own\n";
    assert_eq!(of_a_host_that_refuses("").await, own);
}

#[tokio::test]
async fn one_item_is_one_in_the_log_and_its_hit_one_hit() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let demo = with_feed(&format!("url = \"{}\"\nallow_private = true", server.url("/desk.xml")));
    let log = out(&demo, 0, &["run", "--once"]).await;
    assert!(log.contains("polled desk: 1 new item, 1 hit "), "{log}");
}

#[tokio::test]
async fn where_no_feed_fails_there_is_none_to_try() {
    let demo = Demo::new();
    let documents = ["harbour-post", "broken-wire"];
    let [sound, broken] = documents.map(|name| demo.path(&format!("documents/{name}.xml")));
    std::fs::copy(sound, broken).unwrap();
    out(&demo, 0, &["run", "--once"]).await;
    assert_eq!(out(&demo, 1, &["feeds", "retry", "--all-failing"]).await, "no feed fails\n");
}

/// The arguments of `feeds add` for an address on loopback.
fn add<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["feeds", "add", url, "--allow-private"], more].concat()
}

#[tokio::test]
async fn a_feed_is_added_with_one_request_and_under_a_name_of_its_own() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let (demo, url) = (with_feed("url = \"https://news.example/\""), server.url("/desk.xml"));
    let shown = out(&demo, 0, &add(&url, &[])).await;
    let table = format!(
        "[[feed]]\nname = \"desk-2\"\nurl = \"{url}\"\ntitle = \"Desk\"\nallow_private = true\n"
    );
    assert!(shown.starts_with(&table), "{shown}");
    assert!(shown.contains("rss2, 1 item; newest: 2023-09-18 09:00 Wang Yi"), "{shown}");
    assert!(shown.contains("next: newswatch check, then systemctl reload newswatch"), "{shown}");
    assert!(!shown.contains("on_update"), "{shown}");
    assert_eq!(server.requests("/desk.xml").len(), 1);
    assert_eq!(std::fs::read_to_string(demo.path("feeds/added.toml")).unwrap(), table);
    out(&demo, 0, &["check"]).await;
    let again = out(&demo, 1, &add(&url, &[])).await;
    assert!(again.contains(&format!("{url} is there already: feed desk-2")), "{again}");
    assert_eq!(server.requests("/desk.xml").len(), 1);
}

#[tokio::test]
async fn a_feed_of_one_item_that_may_be_edited_for_ever_is_added_with_a_word_of_that() {
    let server = Server::start().await;
    let document = "<rss version='2.0'><channel><title>Now</title><item><title>Kim arrives</title>\
                    <link>/now</link></item></channel></rss>";
    server.set("/now.xml", Answer::Feed { document: document.to_owned(), version: 1 });
    let demo = with_feed("url = \"https://news.example/\"");
    let shown = out(&demo, 0, &add(&server.url("/now.xml"), &[])).await;
    assert!(shown.contains("which only rules with on_update = true tell"), "{shown}");
}

#[tokio::test]
async fn a_page_that_names_one_feed_leads_to_it() {
    let server = Server::start().await;
    let page = "<html><head><title>News</title>\
                <link rel=alternate type='application/rss+xml' href=/desk.xml></head></html>";
    server.set("/", Answer::status("200 OK", "content-type: text/html\r\n", page));
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let (demo, url) = (Demo::new(), server.url("/"));
    let file = demo.path("feeds/mine.toml");
    let mine = "# mine\n[[feed]]\nname = \"mine\"\nurl = \"https://news.example/\" # no newline";
    std::fs::write(&file, mine).unwrap();
    let shown = out(&demo, 0, &add(&url, &["--to", "feeds/mine.toml", "--name", "east"])).await;
    assert!(shown.contains(&format!("url = \"{}\"", server.url("/desk.xml"))), "{shown}");
    let written = std::fs::read_to_string(file).unwrap();
    let added = written.strip_prefix(mine).expect("what stood there is not touched");
    assert!(added.starts_with("\n\n[[feed]]\nname = \"east\"\n"), "{added}");
    assert_eq!((server.requests("/").len(), server.requests("/desk.xml").len()), (1, 1));
}

#[tokio::test]
async fn a_page_does_not_lead_to_another_private_server() {
    let (server, elsewhere) = (Server::start().await, Server::start_on("127.0.0.2:0").await);
    let inside = elsewhere.url("/desk.xml");
    let page =
        format!("<html><link rel=alternate type='application/rss+xml' href='{inside}'></html>");
    server.set("/", Answer::status("200 OK", "content-type: text/html\r\n", &page));
    let shown = out(&Demo::new(), 4, &add(&server.url("/"), &[])).await;
    assert!(shown.contains("give that address to feeds add if that is meant"), "{shown}");
    assert!(elsewhere.requests("/desk.xml").is_empty());
}

#[tokio::test]
async fn of_several_feeds_one_is_picked() {
    let server = Server::start().await;
    let page = "<html><link rel=alternate type='application/rss+xml' title='All news' href=/a.xml>\
                <link rel=alternate type='application/atom+xml' title=Desk href=/desk.xml></html>";
    server.set("/", Answer::status("200 OK", "content-type: text/html\r\n", page));
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let (demo, url) = (Demo::new(), server.url("/"));
    let listed = out(&demo, 1, &add(&url, &[])).await;
    assert!(listed.contains(&format!("1  {}  All news", server.url("/a.xml"))), "{listed}");
    assert!(listed.contains(&format!("2  {}  Desk", server.url("/desk.xml"))), "{listed}");
    assert!(listed.contains("names 2 feeds; choose one with --pick N"), "{listed}");
    assert!(server.requests("/a.xml").is_empty() && !demo.path("feeds/added.toml").exists());
    let none = out(&demo, 2, &add(&url, &["--pick", "3"])).await;
    assert!(none.contains("--pick 3: the page names 2 feeds"), "{none}");
    let picked = out(&demo, 0, &add(&url, &["--pick", "2", "--dry-run"])).await;
    assert!(
        picked.contains("name = \"desk\"") && picked.contains("nothing was written"),
        "{picked}"
    );
    assert!(server.requests("/a.xml").is_empty() && !demo.path("feeds/added.toml").exists());
}

#[tokio::test]
async fn an_address_without_a_scheme_is_asked_by_https_and_then_by_http_and_both_are_said() {
    let server = Server::start().await;
    server.set("/rss/desk.xml", Answer::Feed { document: han(), version: 1 });
    let demo = Demo::new();
    let plain = server.url("/rss/desk.xml");
    let bare = plain.strip_prefix("http://").unwrap();
    let shown = out(&demo, 0, &add(bare, &[])).await;
    assert!(shown.contains(&format!("no scheme was given: asking https://{bare}")), "{shown}");
    assert!(shown.contains(&format!("asking {plain}, which is not encrypted")), "{shown}");
    assert!(shown.contains(&format!("name = \"desk\"\nurl = \"{plain}\"")), "{shown}");
}

/// A document whose title has no Latin letters.
fn han() -> String {
    DOCUMENT.replace("<title>Desk</title>", "<title>人民日报</title>")
}

#[tokio::test]
async fn a_feed_behind_a_login_is_added_with_the_lines_that_let_newswatch_in() {
    let server = Server::start().await;
    let desk = |request: &Request| match request.header("authorization") {
        Some("Bearer s3cret") => response("200 OK", "", DOCUMENT.as_bytes()),
        _ => response("401 Unauthorized", "", b""),
    };
    server.set("/desk.xml", Answer::by(desk));
    let (demo, url) = (Demo::new(), server.url("/desk.xml"));
    std::fs::write(demo.path("feeds/desk.token"), "s3cret\n").unwrap();
    let refused = out(&demo, 4, &add(&url, &[])).await;
    assert!(refused.contains("401 Unauthorized"), "{refused}");
    assert!(refused.contains("'token_file = …' or 'headers_from = …'"), "{refused}");
    let bad = out(&demo, 2, &add(&url, &["--with", "tokenfile = \"desk.token\""])).await;
    assert!(bad.contains("did you mean token_file?"), "{bad}");
    let added = out(&demo, 0, &add(&url, &["--with", "token_file = \"desk.token\""])).await;
    assert!(added.contains("allow_private = true\ntoken_file = \"desk.token\"\n"), "{added}");
    out(&demo, 0, &["check"]).await;
}

#[tokio::test]
async fn what_lets_newswatch_in_at_one_server_is_told_to_no_other() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let page = format!(
        "<html><link rel=alternate type='application/rss+xml' href='{}'></html>",
        elsewhere.url("/desk.xml")
    );
    server.set("/", Answer::status("200 OK", "content-type: text/html\r\n", &page));
    let demo = Demo::new();
    std::fs::write(demo.path("feeds/desk.token"), "s3cret\n").unwrap();
    let url = server.url("/");
    let refused = out(&demo, 4, &add(&url, &["--with", "token_file = \"desk.token\""])).await;
    assert!(refused.contains("is of another server, which --with is not meant for"), "{refused}");
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_document_is_shown_to_a_person_as_text() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    let (demo, url) = (Demo::new(), server.url("/desk.xml"));
    let shown = out(&demo, 0, &["feeds", "parse", "--format", "text", &url]).await;
    let expected = "Desk\nrss2, UTF-8, 1 item\nrepairs: bare-ampersand\n\
                    2023-09-18 09:00  Wang Yi & Lavrov meet in Moscow\n";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn what_cannot_be_added_is_refused_with_the_reason() {
    let server = Server::start().await;
    server.set("/desk.xml", Answer::Feed { document: DOCUMENT.to_owned(), version: 1 });
    server.set("/page", Answer::status("200 OK", "", "<html><title>About</title></html>"));
    let demo = with_feed("url = \"https://news.example/\"");
    let (url, page) = (server.url("/desk.xml"), server.url("/page"));
    for (code, arguments, expected) in [
        (4, vec!["feeds", "add", &url], "is a private address; add --allow-private"),
        (2, add(&url, &["--to", "rules/x.toml"]), "is not read: only files"),
        (2, add(&url, &["--name", "desk"]), "feed \"desk\" is named twice"),
        (2, add(&url, &["--name", "The Desk"]), "\"The Desk\" is no name for a feed"),
        (1, add(&page, &[]), "names no feed: the body is a web page (\"About\"), not a feed"),
        (2, vec!["feeds", "add", "ftp://news.example/"], "is neither http nor https"),
        (2, vec!["feeds", "add", "https://u:p@news.example/"], "a password does not belong"),
    ] {
        let shown = out(&demo, code, &arguments).await;
        assert!(shown.contains(expected), "no {expected:?} in {shown}");
    }
    assert!(!demo.path("feeds/added.toml").exists());
}
