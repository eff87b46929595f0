//! What newswatch does on what servers do: each test is a server that behaves in one way, and what
//! must come of it. docs/operations.md has the same as a table.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::server::{Answer, Server, response};
use super::world::{World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";
const RSS: &str = "content-type: application/rss+xml\r\n";

/// An entry of a feed; what is empty is left out.
#[derive(Debug, Clone, Copy, Default)]
struct Entry<'a> {
    guid: &'a str,
    title: &'a str,
    link: &'a str,
    date: &'a str,
}

/// A date of the day on which tests begin.
const TODAY: &str = "Mon, 18 Sep 2023 08:30:00 GMT";

/// An entry of today with that guid and title, and a link of its own.
fn entry<'a>(guid: &'a str, title: &'a str) -> Entry<'a> {
    Entry { guid, title, link: "", date: TODAY }
}

/// A feed document.
fn rss(entries: &[Entry<'_>]) -> String {
    let element = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("<{name}>{text}</{name}>"),
    };
    let item = |entry: &Entry<'_>| {
        let Entry { guid, title, link, date } = entry;
        let [guid, title, link, date] =
            [("guid", guid), ("title", title), ("link", link), ("pubDate", date)]
                .map(|(name, text)| element(name, text));
        format!("<item>{guid}{title}{link}{date}</item>")
    };
    let items: String = entries.iter().map(item).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>Example</title><link>https://news.example/</link>\
         <description/>{items}</channel></rss>"
    )
}

/// Has a feed answer with 200, these header lines and this document from now on.
fn serve(world: &World, feed: &str, headers: &str, document: &str) {
    let headers = format!("{RSS}{headers}");
    world.server.set(&path(feed), Answer::status("200 OK", &headers, document));
}

/// A world with one feed, `alpha`.
async fn world() -> World {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    world
}

/// Ten entries as they were before and after a publisher's move; of the newer ones the first so many have the
/// ids and addresses of the new place.
fn moved(moved: usize) -> [String; 2] {
    let titles: Vec<String> = (0..10).map(|n| format!("{NEWS}, part {n}")).collect();
    let dates: Vec<String> =
        (0..10).map(|n| format!("Mon, 18 Sep 2023 08:{:02}:00 GMT", 30 - n)).collect();
    let document = |moved| {
        let address = |n| match n < moved {
            true => format!("https://www.new.example/story/{n}"),
            false => format!("http://old.example/?p={n}"),
        };
        let addresses: Vec<String> = (0..10).map(address).collect();
        let entries: Vec<Entry<'_>> = (0..10)
            .map(|n| Entry {
                guid: &addresses[n],
                title: &titles[n],
                link: &addresses[n],
                date: &dates[n],
            })
            .collect();
        rss(&entries)
    };
    [document(0), document(moved)]
}

#[tokio::test]
async fn a_feed_that_gives_its_items_other_ids_alerts_nobody_again() {
    for part in [6, 10] {
        let world = world().await;
        let [before, after] = moved(part);
        serve(&world, "alpha", "", &before);
        world.tick().await;
        assert_eq!(world.stored_alerts(), 10);
        assert_eq!(world.feed("alpha").migrated_at, None);
        for _ in 0..3 {
            world.advance(SignedDuration::from_hours(1));
            serve(&world, "alpha", "", &after);
            world.tick().await;
        }
        assert_eq!((world.items().len(), world.stored_alerts()), (10, 10), "{part} moved");
        let feed = world.feed("alpha");
        let noticed = world.clock.now() - SignedDuration::from_hours(2);
        assert_eq!((feed.migrated_at, feed.gap_at), (Some(noticed), None));
    }
}

#[tokio::test]
async fn an_item_that_comes_under_another_id_and_edited_is_an_edit_of_it() {
    let world = world().await;
    let link = "https://news.example/talks";
    let old = Entry { guid: "1", title: "Wang Yi meets Lavrov in Oslo", link, date: TODAY };
    serve(&world, "alpha", "", &rss(&[old]));
    world.tick().await;
    let new = Entry { guid: "2", title: "Wang Yi meets Lavrov in Oslo today", ..old };
    serve(&world, "alpha", "", &rss(&[new]));
    world.tick().await;
    assert_eq!((world.items().len(), world.items()[0].revision), (1, 2));
    assert_eq!(world.stored_alerts(), 1);
    let other = Entry { guid: "3", title: NEWS, date: "Tue, 19 Sep 2023 08:30:00 GMT", ..old };
    serve(&world, "alpha", "", &rss(&[other]));
    world.tick().await;
    assert_eq!(world.items().len(), 2, "an address alone makes no two items one");
}

#[tokio::test]
async fn equal_guids_of_two_feeds_are_two_items() {
    let mut world = World::new().await;
    for feed in ["alpha", "beta"] {
        world.add_feed(feed, "");
        serve(&world, feed, "", &rss(&[entry("1", NEWS)]));
    }
    world.tick().await;
    world.tick().await;
    assert_eq!((world.items().len(), world.stored_alerts()), (2, 2));
}

/// What the polls of a feed say after `If-None-Match` and `If-Modified-Since` when its server
/// answers with these statuses and header lines, one after the other.
async fn conditions(answers: &[(u16, &str)]) -> Vec<[Option<String>; 2]> {
    let world = world().await;
    let document = rss(&[entry("1", NEWS)]);
    for (status, headers) in answers {
        let answer = match status {
            200 => Answer::status("200 OK", &format!("{RSS}{headers}"), &document),
            _ => Answer::status("304 Not Modified", headers, ""),
        };
        world.server.once(&path("alpha"), answer);
        world.tick().await;
    }
    assert_eq!((world.items().len(), world.feed("alpha").state.as_str()), (1, "active"));
    let requests = world.server.requests(&path("alpha"));
    let sent =
        |name| move |request: &super::server::Request| request.header(name).map(str::to_owned);
    let (etag, date) = (sent("if-none-match"), sent("if-modified-since"));
    requests.iter().map(|request| [etag(request), date(request)]).collect()
}

/// Asserts what is sent with the second and every later poll.
#[track_caller]
fn check_sent(sent: &[[Option<String>; 2]], expected: &[[Option<&str>; 2]]) {
    let sent: Vec<[Option<&str>; 2]> =
        sent.iter().map(|[etag, date]| [etag.as_deref(), date.as_deref()]).collect();
    assert_eq!(sent[0], [None, None]);
    assert_eq!(sent[1..], *expected);
}

const DATE: &str = "Mon, 18 Sep 2023 08:00:00 GMT";

#[tokio::test]
async fn s1_both_validators_are_sent_from_the_second_poll_on_byte_for_byte() {
    let both = &format!("ETag: \"v1\"\r\nLast-Modified: {DATE}\r\n");
    let sent = conditions(&[(200, both), (304, both), (304, both), (304, both)]).await;
    check_sent(&sent, &[[Some("\"v1\""), Some(DATE)]; 3]);
}

#[tokio::test]
async fn s2_the_same_body_under_new_validators_is_asked_for_with_those() {
    const LATER: &str = "Mon, 18 Sep 2023 09:00:00 GMT";
    let both = |etag, date| format!("ETag: \"{etag}\"\r\nLast-Modified: {date}\r\n");
    let (old, new) = (&both("v1", DATE), &both("v2", LATER));
    let sent = conditions(&[(200, old), (200, new), (304, new), (304, new)]).await;
    let newest = [Some("\"v2\""), Some(LATER)];
    check_sent(&sent, &[[Some("\"v1\""), Some(DATE)], newest, newest]);
}

#[tokio::test]
async fn s3_a_bare_304_leaves_the_validator_as_it_was() {
    let dated = &format!("Last-Modified: {DATE}\r\n");
    let sent = conditions(&[(200, dated), (304, ""), (304, ""), (304, "")]).await;
    check_sent(&sent, &[[None, Some(DATE)]; 3]);
}

#[tokio::test]
async fn a_304_with_cache_control_alone_leaves_the_validators_and_is_heard() {
    let both = &format!("ETag: \"v1\"\r\nLast-Modified: {DATE}\r\n");
    let fresh = "Cache-Control: max-age=7200\r\n";
    let sent = conditions(&[(200, both), (304, fresh), (304, fresh), (304, "")]).await;
    check_sent(&sent, &[[Some("\"v1\""), Some(DATE)]; 3]);
}

#[tokio::test]
async fn s4_a_last_modified_that_is_no_http_date_is_echoed() {
    let odd = "Last-Modified: 2023-09-19 12:00:00\r\n";
    let sent = conditions(&[(200, odd), (304, odd), (304, odd), (304, odd)]).await;
    check_sent(&sent, &[[None, Some("2023-09-19 12:00:00")]; 3]);
}

#[tokio::test]
async fn s5_a_weak_etag_is_echoed() {
    let weak = "ETag: W/\"x-1\"\r\n";
    let sent = conditions(&[(200, weak), (304, weak), (304, weak), (304, weak)]).await;
    check_sent(&sent, &[[Some("W/\"x-1\""), None]; 3]);
}

/// A refusal of `alpha`; how long it and its host, with the feed `beta`, are left alone, in minutes.
async fn patience(status: &str, headers: &str) -> i64 {
    let mut world = world().await;
    world.publish("beta", NEWS);
    world.server.set(&path("alpha"), Answer::status(status, headers, ""));
    let first = world.tick().await;
    assert_eq!((first.failed, first.polled + first.resting), (1, 1));
    assert_eq!(world.feed("alpha").state, "throttled");
    let asked =
        || world.server.requests(&path("beta")).len() + world.server.requests(&path("alpha")).len();
    let before = asked();
    let due = world.due_in("alpha");
    world.tick().await;
    assert_eq!(asked(), before, "both rest");
    due / 60
}

#[tokio::test]
async fn s6_a_host_that_refuses_is_left_alone_for_as_long_as_it_asks() {
    let hour = 60..=66;
    let (two_hours, a_day, two_days) = (120..=132, 1440..=1584, 2880..=3168);
    let date = "Date: Mon, 18 Sep 2023 09:00:00 GMT\r\n";
    for (headers, minutes) in [
        ("Retry-After: 3600\r\n".to_owned(), hour.clone()),
        ("Retry-After: 7200\r\n".to_owned(), two_hours.clone()),
        (format!("{date}Retry-After: Mon, 18 Sep 2023 11:00:00 GMT\r\n"), two_hours.clone()),
        (format!("{date}Retry-After: Mon, 18 Sep 2023 01:00:00 GMT\r\n"), hour.clone()),
        ("Retry-After: 0\r\n".to_owned(), hour.clone()),
        ("Retry-After: -1\r\n".to_owned(), hour.clone()),
        ("Retry-After: in a while\r\n".to_owned(), hour.clone()),
        ("Retry-After: 1000000000000\r\n".to_owned(), a_day),
        ("Cache-Control: max-age=172800\r\n".to_owned(), two_days),
        (String::new(), hour),
    ] {
        let found = patience("429 Too Many Requests", &headers).await;
        assert!(minutes.contains(&found), "{headers:?}: {found}");
    }
    // S16.
    assert!(
        two_hours.contains(&patience("503 Service Unavailable", "Retry-After: 7200\r\n").await)
    );
}

/// Starts the daemon, lets it do what is due, and stops it.
async fn step(world: &World) {
    world.start().stop().await;
}

/// A world whose feed `alpha` redirects to `/new.xml` with that status, after four days of polls.
async fn redirected(status: &str) -> World {
    let world = world().await;
    let location = format!("location: {}\r\n", world.server.url("/new.xml"));
    world.server.set(&path("alpha"), Answer::status(status, &location, ""));
    let document = rss(&[entry("1", NEWS)]);
    world.server.set("/new.xml", Answer::Feed { document, version: 1 });
    for _ in 0..4 {
        world.tick().await;
        world.advance(SignedDuration::from_hours(24));
    }
    world
}

#[tokio::test]
async fn s7_a_permanent_redirect_is_adopted_when_it_has_proven_itself() {
    let world = redirected("301 Moved Permanently").await;
    let asked = |path: &str| world.server.requests(path).len();
    assert_eq!((asked(&path("alpha")), asked("/new.xml")), (3, 4), "adopted with the third poll");
    let new = world.server.url("/new.xml");
    assert_eq!(world.feed("alpha").effective_url, new);
    let sent = |path: &str| {
        let requests = world.server.requests(path);
        requests.iter().filter(|request| request.header("if-none-match").is_some()).count()
    };
    assert_eq!((sent(&path("alpha")), sent("/new.xml")), (0, 3), "validators are the target's");
    world.server.set("/new.xml", Answer::status("404 Not Found", "", ""));
    for _ in 0..3 {
        world.tick().await;
    }
    let feed = world.feed("alpha");
    assert_eq!((feed.effective_url, asked(&path("alpha"))), (feed.url, 3), "given up after three");
    let document = rss(&[entry("2", "Lavrov rings Wang Yi")]);
    serve(&world, "alpha", "", &document);
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS, "Lavrov rings Wang Yi"]);
}

/// A feed whose address redirects for good, a day after it was first polled, to a document of other items;
/// where it is asked in the end.
async fn led_to(before: &str, after: &str) -> String {
    let world = world().await;
    serve(&world, "alpha", "", before);
    world.tick().await;
    let location = format!("location: {}\r\n", world.server.url("/new.xml"));
    world.server.set(&path("alpha"), Answer::status("301 Moved Permanently", &location, ""));
    world.server.set("/new.xml", Answer::Feed { document: after.to_owned(), version: 1 });
    for _ in 0..5 {
        world.advance(SignedDuration::from_hours(24));
        world.tick().await;
    }
    let asked = world.feed("alpha").effective_url;
    if asked == world.server.url("/new.xml") { "new".to_owned() } else { "old".to_owned() }
}

#[tokio::test]
async fn s7_an_address_with_other_items_is_adopted_only_when_it_shows_the_feeds_own_id() {
    let atom = |id: &str, entry: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>{id}</id><title>Wire</title>\
             <entry><id>{entry}</id><title>{entry}</title></entry></feed>"
        )
    };
    assert_eq!(led_to(&atom("urn:wire", "a"), &atom("urn:wire", "b")).await, "new");
    assert_eq!(led_to(&atom("urn:wire", "a"), &atom("urn:parked", "b")).await, "old");
    assert_eq!(led_to(&rss(&[entry("1", NEWS)]), &rss(&[entry("2", "Buy this")])).await, "old");
    let both = rss(&[entry("2", "Rain"), entry("1", NEWS)]);
    assert_eq!(led_to(&rss(&[entry("1", NEWS)]), &both).await, "new");
}

#[tokio::test]
async fn a_temporary_redirect_is_followed_and_never_adopted() {
    for status in ["302 Found", "303 See Other", "307 Temporary Redirect"] {
        let world = redirected(status).await;
        let feed = world.feed("alpha");
        assert_eq!(feed.effective_url, feed.url);
        assert_eq!(world.server.requests(&path("alpha")).len(), 4);
        assert_eq!(world.alerted(), [NEWS]);
    }
}

#[tokio::test]
async fn a_redirect_to_a_web_page_or_to_another_private_server_proves_nothing() {
    let elsewhere = Server::start_on("127.0.0.2:0").await;
    let document = rss(&[entry("2", NEWS)]);
    elsewhere.set("/new.xml", Answer::status("200 OK", RSS, &document));
    let world = world().await;
    serve(&world, "alpha", "", &rss(&[entry("1", "Rain in Oslo")]));
    world.tick().await;
    let page = "<!doctype html><html><head><title>Back soon</title></head></html>";
    world.server.set("/page", Answer::status("200 OK", "content-type: text/html\r\n", page));
    for target in [world.server.url("/page"), elsewhere.url("/new.xml")] {
        let location = format!("location: {target}\r\n");
        world.server.set(&path("alpha"), Answer::status("308 Permanent Redirect", &location, ""));
        for _ in 0..4 {
            world.advance(SignedDuration::from_hours(24));
            world.tick().await;
        }
        let feed = world.feed("alpha");
        assert_eq!((feed.state.as_str(), feed.effective_url), ("retry", feed.url));
    }
    assert!(elsewhere.requests("/new.xml").is_empty());
}

#[tokio::test]
async fn s8_a_feed_that_is_gone_is_confirmed_and_then_asked_rarely_and_can_come_back() {
    let world = world().await;
    world.server.set(&path("alpha"), Answer::status("410 Gone", "", ""));
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "retry");
    let day = 24 * 3600;
    assert!((day..=day + day / 10).contains(&world.due_in("alpha")));
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.advance(SignedDuration::from_secs(world.due_in("alpha") + 1));
        step(&world).await;
        assert_eq!(world.feed("alpha").state, "gone");
        waits.push(world.due_in("alpha") / (7 * day));
    }
    assert_eq!(waits, [1, 1, 1, 1, 4, 4], "in weeks");
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    world.advance(SignedDuration::from_secs(world.due_in("alpha") + 1));
    step(&world).await;
    assert_eq!((world.feed("alpha").state.as_str(), world.stored_alerts()), ("active", 1));
}

#[tokio::test]
async fn s9_a_bomb_is_not_unpacked_beyond_the_limit() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&[b' '; 1 << 20]).unwrap();
    let half_a_gigabyte = gzip.finish().unwrap().repeat(512);
    let zstd = zstd::stream::encode_all([b' '; 1 << 20].as_slice(), 1).unwrap().repeat(64);
    // 64 MiB of spaces.
    let brotli = include_bytes!("../data/bomb.br").to_vec();
    let mut world = World::new().await;
    for (coding, body) in [("gzip", half_a_gigabyte), ("zstd", zstd), ("br", brotli)] {
        let headers = format!("{RSS}content-encoding: {coding}\r\n");
        world.add_feed(coding, "");
        world.server.set(&path(coding), Answer::Raw(response("200 OK", &headers, &body)));
    }
    world.publish("works", NEWS);
    let summary = world.tick().await;
    assert_eq!((summary.polled, summary.failed), (1, 3));
    for coding in ["gzip", "zstd", "br"] {
        let why = world.feed(coding).why.unwrap();
        assert!(why.starts_with("the body unpacks to more than"), "{coding}: {why}");
    }
}

#[tokio::test]
async fn s11_a_feed_that_never_changes_and_has_no_validators_is_asked_less_and_less() {
    let world = world().await;
    world.edit_main("interval = \"10m\"\n", "");
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    world.tick().await;
    assert_eq!(world.feed("alpha").interval_s, Some(3600));
    for _ in 0..24 {
        world.advance(SignedDuration::from_hours(24));
        world.tick().await;
    }
    assert_eq!(world.feed("alpha").interval_s, Some(12 * 3600));
    assert_eq!((world.items().len(), world.stored_alerts()), (1, 1));
}

#[tokio::test]
async fn s12_what_a_damaged_body_left_out_is_not_hidden_by_its_etag() {
    let world = world().await;
    let old = entry("1", "Rain in Oslo");
    serve(&world, "alpha", "etag: \"g1\"\r\n", &rss(&[old]));
    world.tick().await;
    let whole = rss(&[old, entry("2", NEWS)]);
    let (half, _) = whole.split_at(whole.len() / 2);
    let head = format!("HTTP/1.1 200 OK\r\n{RSS}etag: \"bad\"\r\nconnection: close\r\n\r\n");
    world.server.once(&path("alpha"), Answer::Raw(format!("{head}{half}").into_bytes()));
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "degraded");
    world.server.set(
        &path("alpha"),
        Answer::by(move |request| match request.header("if-none-match") {
            Some("\"bad\"") => response("304 Not Modified", "etag: \"bad\"\r\n", b""),
            _ => response("200 OK", &format!("{RSS}etag: \"g2\"\r\n"), whole.as_bytes()),
        }),
    );
    for _ in 0..2 {
        world.tick().await;
    }
    let sent: Vec<Option<String>> = world
        .server
        .requests(&path("alpha"))
        .iter()
        .map(|request| request.header("if-none-match").map(str::to_owned))
        .collect();
    assert_eq!(sent[1..], ["\"g1\"", "\"g1\"", "\"g2\""].map(|etag| Some(etag.to_owned())));
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn s13_a_new_etag_each_time_stores_nothing_twice_and_no_cache_asks_for_nothing() {
    let world = world().await;
    for poll in 0..4 {
        let headers = format!("cache-control: no-cache\r\netag: \"{poll}\"\r\n");
        // The body differs as well, in what is no news.
        let document =
            rss(&[entry("1", NEWS)]).replace("<description/>", &format!("<!--{poll}-->"));
        serve(&world, "alpha", &headers, &document);
        world.tick().await;
        assert!((600..=660).contains(&world.due_in("alpha")));
    }
    assert_eq!((world.items().len(), world.stored_alerts()), (1, 1));
}

#[tokio::test]
async fn s14_items_without_dates_and_guids_are_stored_once() {
    let world = world().await;
    let linked = Entry { title: NEWS, link: "https://news.example/1", ..Entry::default() };
    let titled = Entry { title: "Lavrov rings Wang Yi", ..Entry::default() };
    for poll in 0..4 {
        let weather = format!("Weather, report {poll}");
        let weather = Entry { title: &weather, ..Entry::default() };
        serve(&world, "alpha", "", &rss(&[weather, titled, linked]));
        world.tick().await;
    }
    assert_eq!((world.items().len(), world.stored_alerts()), (2 + 4, 2));
}

#[tokio::test]
async fn s15_a_feed_that_is_not_found_is_asked_less_often_says_so_and_recovers() {
    let world = world().await;
    world.server.set(&path("alpha"), Answer::status("404 Not Found", "", ""));
    let mut waits = Vec::new();
    for _ in 0..4 {
        step(&world).await;
        waits.push(world.due_in("alpha") / 1800);
        world.advance(SignedDuration::from_secs(world.due_in("alpha") + 1));
    }
    assert_eq!(waits, [1, 2, 4, 8]);
    let feed = world.feed("alpha");
    assert_eq!((feed.state.as_str(), feed.why.as_deref()), ("retry", Some("404 Not Found")));
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    step(&world).await;
    assert_eq!((world.feed("alpha").state.as_str(), world.stored_alerts()), ("active", 1));
}

#[tokio::test]
async fn s17_what_stays_fresh_is_not_asked_for_before() {
    let world = world().await;
    let headers = "etag: \"1\"\r\ncache-control: max-age=43200\r\n";
    serve(&world, "alpha", headers, &rss(&[entry("1", NEWS)]));
    step(&world).await;
    world.server.set(&path("alpha"), Answer::status("304 Not Modified", headers, ""));
    let mut asked = Vec::new();
    for hour in 1..=42 {
        world.advance(SignedDuration::from_hours(1));
        let before = world.server.requests(&path("alpha")).len();
        step(&world).await;
        if world.server.requests(&path("alpha")).len() > before {
            asked.push(hour);
        }
    }
    assert!(matches!(asked[..], [12..=14, 24..=28, 36..=42]), "{asked:?}");
}

#[tokio::test]
async fn s18_a_new_item_that_is_dated_back_is_found_and_told() {
    let world = world().await;
    let weather = entry("1", "Rain in Oslo");
    serve(&world, "alpha", "", &rss(&[weather]));
    world.tick().await;
    let back = Entry { date: "Sun, 17 Sep 2023 07:00:00 GMT", ..entry("2", NEWS) };
    serve(&world, "alpha", "", &rss(&[weather, back]));
    for _ in 0..3 {
        world.tick().await;
    }
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn s19_a_constant_etag_keeps_nothing_back_that_is_sent_all_the_same() {
    let world = world().await;
    let calls = ["Lavrov rings Wang Yi", "Wang Yi rings Lavrov", "Wang Yi, Lavrov talk", NEWS];
    for shown in 1..=4 {
        let entries: Vec<Entry<'_>> = calls[..shown].iter().map(|call| entry(call, call)).collect();
        serve(&world, "alpha", "etag: \"constant\"\r\n", &rss(&entries));
        world.tick().await;
    }
    assert_eq!(world.alerted(), calls);
}

#[tokio::test]
async fn a_304_that_hides_news_is_found_out_when_a_feed_is_quiet_for_long() {
    let world = world().await;
    serve(&world, "alpha", "etag: \"constant\"\r\n", &rss(&[entry("1", "Rain in Oslo")]));
    world.tick().await;
    let hidden = Entry { date: "Sat, 23 Sep 2023 10:00:00 GMT", ..entry("2", NEWS) };
    let document = rss(&[hidden, entry("1", "Rain in Oslo")]);
    world.server.set(
        &path("alpha"),
        Answer::by(move |request| match request.header("if-none-match") {
            Some(_) => response("304 Not Modified", "etag: \"constant\"\r\n", b""),
            None => {
                response("200 OK", &format!("{RSS}etag: \"constant\"\r\n"), document.as_bytes())
            }
        }),
    );
    let mut days = 0;
    while world.alerted().is_empty() && days < 10 {
        world.advance(SignedDuration::from_hours(24));
        world.tick().await;
        days += 1;
    }
    assert_eq!((days, world.alerted()), (8, vec![NEWS.to_owned()]), "quiet for more than a week");
    world.tick().await;
    let requests = world.server.requests(&path("alpha"));
    let sent = |request: &super::server::Request| request.header("if-none-match").is_some();
    assert!(!sent(&requests[requests.len() - 1]), "the ETag is not believed for a week");
    assert_eq!(requests.iter().filter(|request| !sent(request)).count(), 3);
}

#[tokio::test]
async fn s20_items_that_share_a_guid_are_items_of_their_own() {
    let one = |title, link| Entry { link, ..entry("same", title) };
    let [a, b, c] = [
        one(NEWS, "https://news.example/a"),
        one("Lavrov rings Wang Yi", "https://news.example/b"),
        one("Wang Yi rings Lavrov", "https://news.example/c"),
    ];
    let unlinked = |entry: Entry<'static>| Entry { link: "", ..entry };
    for entries in [[a, b, c], [a, b, c].map(unlinked)] {
        let world = world().await;
        let [a, b, c] = entries;
        for shown in [&[a, b][..], &[c, a, b], &[b, c, a], &[c, b, a]] {
            serve(&world, "alpha", "", &rss(shown));
            world.tick().await;
        }
        assert_eq!((world.items().len(), world.stored_alerts()), (3, 3));
    }
}

#[tokio::test]
async fn s21_a_page_that_keeps_programs_out_blocks_the_feed_and_says_what_to_do() {
    let world = world().await;
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body/></html>";
    world.server.set(&path("alpha"), Answer::status("200 OK", "content-type: text/html\r\n", page));
    world.tick().await;
    let feed = world.feed("alpha");
    assert_eq!(feed.state, "blocked");
    let why = feed.why.unwrap();
    assert!(why.contains("Just a moment") && why.contains("keeps programs out"), "{why}");
    assert!((4 * 3600..=5 * 3600).contains(&world.due_in("alpha")));
}

#[tokio::test]
async fn the_first_poll_of_an_empty_feed_is_its_first_poll() {
    let world = world().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    serve(&world, "alpha", "", &rss(&[]));
    world.tick().await;
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn an_answer_without_a_body_is_no_empty_feed() {
    let world = world().await;
    serve(&world, "alpha", "etag: \"1\"\r\n", &rss(&[entry("1", NEWS)]));
    world.tick().await;
    for status in ["204 No Content", "200 OK"] {
        world.server.set(&path("alpha"), Answer::status(status, "etag: \"empty\"\r\n", ""));
        world.tick().await;
        let feed = world.feed("alpha");
        assert_eq!(
            (feed.state.as_str(), feed.why.as_deref()),
            ("retry", Some("the body is empty"))
        );
    }
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    world.tick().await;
    let requests = world.server.requests(&path("alpha"));
    assert_eq!(requests[3].header("if-none-match"), Some("\"1\""));
    assert_eq!(world.stored_alerts(), 1);
}

#[tokio::test]
async fn a_part_of_a_feed_is_taken_in_and_hides_nothing() {
    for status in ["206 Partial Content", "226 IM Used"] {
        let world = world().await;
        let headers = format!("{RSS}etag: \"part\"\r\n");
        let document = rss(&[entry("1", NEWS)]);
        world.server.once(&path("alpha"), Answer::status(status, &headers, &document));
        world.tick().await;
        let feed = world.feed("alpha");
        assert_eq!((feed.state.as_str(), world.stored_alerts()), ("degraded", 1));
        assert!(feed.why.unwrap().starts_with("the server sent a part of the document"));
        serve(&world, "alpha", "", &document);
        world.tick().await;
        assert_eq!(world.server.requests(&path("alpha"))[1].header("if-none-match"), None);
        assert_eq!((world.feed("alpha").state.as_str(), world.stored_alerts()), ("active", 1));
    }
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failure() {
    let world = world().await;
    world.server.once(&path("alpha"), Answer::status("304 Not Modified", "", ""));
    world.tick().await;
    let feed = world.feed("alpha");
    assert_eq!(
        (feed.state.as_str(), feed.why.as_deref()),
        ("retry", Some("304 to a request without conditions"))
    );
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "active");
}

/// When a host was asked, and how many of the requests lay upon each other at most.
#[derive(Debug, Default)]
struct Visits {
    times: Mutex<Vec<Timestamp>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Visits {
    /// A feed of the world's server whose requests are counted, and who answers them with that.
    fn of(self: &Arc<Self>, world: &mut World, feed: &str, answer: Vec<u8>) {
        world.add_feed(feed, "");
        let script = self.counting(world, answer);
        world.server.set(&path(feed), script);
    }

    fn counting(self: &Arc<Self>, world: &World, answer: Vec<u8>) -> Answer {
        let (visits, clock) = (self.clone(), world.clock.clone());
        Answer::slowly(move || {
            let (visits, clock, answer) = (visits.clone(), clock.clone(), answer.clone());
            async move {
                let in_flight = visits.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                visits.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
                visits.times.lock().unwrap().push(clock.now());
                // A second request would come in between.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                visits.in_flight.fetch_sub(1, Ordering::SeqCst);
                answer
            }
        })
    }

    fn count(&self) -> usize {
        self.times.lock().unwrap().len()
    }

    /// The seconds between two requests, in their order.
    fn gaps(&self) -> Vec<i64> {
        let times = self.times.lock().unwrap();
        times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect()
    }
}

#[tokio::test]
async fn five_hundred_feeds_of_one_host_are_asked_one_after_the_other() {
    const FEEDS: usize = 500;
    let mut world = World::new().await;
    world.edit_main("host_gap = \"0s\"", "host_gap = \"2s\"");
    world.edit_main("interval = \"10m\"", "interval = \"1h\"");
    let visits = Arc::<Visits>::default();
    let document = rss(&[entry("1", "Rain in Oslo")]);
    for feed in 0..FEEDS {
        let answer = response("200 OK", RSS, document.as_bytes());
        visits.of(&mut world, &format!("feed-{feed}"), answer);
    }
    // Each is asked twice, and the daemon is restarted in between.
    for minutes in [10, 30, 60] {
        world.live(SignedDuration::from_mins(minutes)).await;
    }
    assert_eq!(visits.count(), 2 * FEEDS);
    let gaps = visits.gaps();
    assert!(gaps.iter().all(|gap| *gap >= 2), "{gaps:?}");
    assert_eq!(gaps[..FEEDS - 1], [2; FEEDS - 1], "no time is lost");
    assert_eq!(visits.most_in_flight.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn feeds_of_a_host_that_refused_are_asked_further_apart_until_it_has_answered_often() {
    const FEEDS: usize = 50;
    let mut world = World::new().await;
    world.edit_main("host_gap = \"0s\"", "host_gap = \"2s\"");
    world.edit_main("interval = \"10m\"", "interval = \"6h\"");
    let visits = Arc::<Visits>::default();
    let document = rss(&[entry("1", "Rain in Oslo")]);
    for feed in 0..FEEDS {
        let feed = format!("feed-{feed:02}");
        visits.of(&mut world, &feed, response("200 OK", RSS, document.as_bytes()));
        if feed == "feed-00" {
            let refusal = response("429 Too Many Requests", "Retry-After: 3600\r\n", b"");
            world.server.once(&path(&feed), visits.counting(&world, refusal));
        }
    }
    world.live(SignedDuration::from_mins(1)).await;
    assert_eq!(visits.count(), 1, "all feeds of the host rest");
    // Restarts keep what is known of the host: before it is asked again, and while it is.
    for seconds in [3500, 70, 20, 7200] {
        world.live(SignedDuration::from_secs(seconds)).await;
    }
    let gaps = visits.gaps();
    assert_eq!(visits.count(), FEEDS + 1);
    assert_eq!(gaps[0], 3600);
    assert_eq!(gaps[1..=20], [4; 20], "{gaps:?}");
    assert_eq!(gaps[21..FEEDS - 1], [2; FEEDS - 22], "{gaps:?}");
    assert_eq!(visits.most_in_flight.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_host_that_refuses_whatever_it_is_asked_for_is_asked_less_and_less() {
    let mut world = World::new().await;
    let visits = Arc::<Visits>::default();
    for feed in 0..6 {
        let refusal = response("429 Too Many Requests", "", b"");
        visits.of(&mut world, &format!("feed-{feed}"), refusal);
    }
    for hours in [2, 6, 40] {
        world.live(SignedDuration::from_hours(hours)).await;
    }
    let hours: Vec<i64> = visits.gaps().iter().map(|gap| gap / 3600).collect();
    assert_eq!(hours, [1, 2, 4, 8, 16]);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_by_a_day_has_each_feed_asked_once() {
    let mut world = World::new().await;
    let feeds = ["alpha", "beta", "gamma"];
    for feed in feeds {
        world.publish(feed, "Rain in Oslo");
    }
    let daemon = world.start();
    for asked in [1, 2] {
        for feed in feeds {
            world.server.asked(&path(feed), asked).await;
        }
        if asked == 1 {
            world.advance(SignedDuration::from_hours(24));
        }
    }
    daemon.stop().await;
    step(&world).await;
    assert_eq!(feeds.map(|feed| world.server.requests(&path(feed)).len()), [2; 3]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_an_hour_neither_hastens_nor_delays_a_poll() {
    let world = world().await;
    serve(&world, "alpha", "", &rss(&[entry("1", NEWS)]));
    step(&world).await;
    let due = world.due_in("alpha");
    world.advance(SignedDuration::from_hours(-1));
    step(&world).await;
    assert_eq!(world.server.requests(&path("alpha")).len(), 1);
    assert!((world.due_in("alpha") - due).abs() <= 1);
    world.advance(SignedDuration::from_secs(due + 1));
    step(&world).await;
    assert_eq!(world.server.requests(&path("alpha")).len(), 2);
}

/// What a strict operator counts among the requests for a feed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    unconditional: usize,
    /// Validators that were never given.
    bogus: usize,
    /// Validators that were not the last ones given.
    out_of_sequence: usize,
    cookies: usize,
    referrers: usize,
    /// Requests for anything but the feed's address.
    other_addresses: usize,
    /// Requests that came before the answer before them had grown stale.
    too_early: usize,
}

#[tokio::test]
async fn a_strict_operator_finds_nothing_to_complain_of() {
    const FRESH: SignedDuration = SignedDuration::from_hours(3);
    let world = world().await;
    let (times, clock) = (Arc::new(Mutex::new(Vec::new())), world.clock.clone());
    let start = clock.now();
    let seen = times.clone();
    // A new version every seven hours; every answer is fresh for three.
    let version = move |now: Timestamp| now.duration_since(start).as_secs() / (7 * 3600);
    let pair =
        |version| [format!("\"v{version}\""), format!("Mon, 18 Sep 2023 08:00:{version:02} GMT")];
    world.server.set(
        &path("alpha"),
        Answer::by(move |request| {
            let now = clock.now();
            seen.lock().unwrap().push(now);
            let [etag, date] = pair(version(now));
            let headers = format!(
                "{RSS}etag: {etag}\r\nlast-modified: {date}\r\nset-cookie: a=b\r\n\
                 cache-control: max-age={}\r\n",
                FRESH.as_secs()
            );
            if request.header("if-none-match") == Some(&etag) {
                return response("304 Not Modified", &headers, b"");
            }
            let title = format!("Weather, report {}", version(now));
            response("200 OK", &headers, rss(&[entry(&title, &title)]).as_bytes())
        }),
    );
    for _ in 0..72 {
        step(&world).await;
        world.advance(SignedDuration::from_hours(1));
    }
    let times = times.lock().unwrap();
    let requests = world.server.requests(&path("alpha"));
    let mut report = Report::default();
    for (index, request) in requests.iter().enumerate() {
        let sent = [request.header("if-none-match"), request.header("if-modified-since")];
        let given: Vec<[String; 2]> =
            times[..index].iter().map(|time| pair(version(*time))).collect();
        let given: Vec<[Option<&str>; 2]> =
            given.iter().map(|[etag, date]| [Some(etag.as_str()), Some(date.as_str())]).collect();
        report.unconditional += usize::from(sent == [None, None]);
        report.bogus += usize::from(sent != [None, None] && !given.contains(&sent));
        report.out_of_sequence += usize::from(index > 0 && given.last() != Some(&sent));
        report.cookies += usize::from(request.header("cookie").is_some());
        report.referrers += usize::from(request.header("referer").is_some());
    }
    report.other_addresses = world.server.count() - requests.len();
    report.too_early =
        times.windows(2).filter(|pair| pair[1].duration_since(pair[0]) < FRESH).count();
    assert_eq!(report, Report { unconditional: 1, ..Report::default() });
    assert!((18..=24).contains(&requests.len()), "{} polls in three days", requests.len());
}

#[tokio::test]
async fn after_an_outage_the_news_of_three_days_is_told_and_what_is_older_recorded() {
    let world = world().await;
    serve(&world, "alpha", "", &rss(&[entry("1", "Rain in Oslo")]));
    step(&world).await;
    world.advance(SignedDuration::from_hours(5 * 24));
    let old = Entry { date: "Tue, 19 Sep 2023 09:00:00 GMT", ..entry("2", NEWS) };
    let new = Entry { date: "Fri, 22 Sep 2023 09:00:00 GMT", ..entry("3", "Lavrov rings Wang Yi") };
    serve(&world, "alpha", "", &rss(&[new, old, entry("1", "Rain in Oslo")]));
    step(&world).await;
    assert_eq!(world.alerted(), ["Lavrov rings Wang Yi"]);
    let hit = world.hits().into_iter().find(|hit| hit.title == NEWS).unwrap();
    assert_eq!((hit.reason.as_str(), hit.alert), ("outage", None));
    let flags: Vec<_> = world.items().into_iter().map(|item| item.flags).collect();
    assert_eq!(flags.iter().filter(|flags| **flags == ["outage"]).count(), 2);
}

#[tokio::test]
async fn what_a_cut_off_first_body_left_out_is_old_when_it_is_older_than_the_first_poll() {
    let world = world().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    let before = Entry { date: "Mon, 18 Sep 2023 08:00:00 GMT", ..entry("1", NEWS) };
    let after =
        Entry { date: "Mon, 18 Sep 2023 09:30:00 GMT", ..entry("2", "Lavrov rings Wang Yi") };
    let first = rss(&[entry("0", "Rain in Oslo"), before]);
    let cut = &first[..first.find("Wang").unwrap()];
    serve(&world, "alpha", "", cut);
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "degraded");
    serve(&world, "alpha", "", &rss(&[after, entry("0", "Rain in Oslo"), before]));
    world.advance(SignedDuration::from_hours(1));
    world.tick().await;
    assert_eq!(world.alerted(), ["Lavrov rings Wang Yi"]);
    assert_eq!(world.hits().len(), 2);
}

#[tokio::test]
async fn what_came_while_a_feed_failed_from_its_first_poll_on_is_told() {
    let world = world().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    world.server.set(&path("alpha"), Answer::status("500 Internal Server Error", "", ""));
    world.tick().await;
    let before = Entry { date: "Mon, 18 Sep 2023 08:00:00 GMT", ..entry("1", NEWS) };
    let after =
        Entry { date: "Mon, 18 Sep 2023 09:30:00 GMT", ..entry("2", "Lavrov rings Wang Yi") };
    let undated = Entry { date: "", ..entry("3", "Wang Yi meets Lavrov again") };
    serve(&world, "alpha", "", &rss(&[after, before, undated]));
    world.advance(SignedDuration::from_hours(1));
    world.tick().await;
    assert_eq!(world.alerted(), ["Lavrov rings Wang Yi"]);
    let reasons = world.hits().into_iter().filter(|hit| hit.reason == "baseline");
    assert_eq!(reasons.count(), 2);
}
