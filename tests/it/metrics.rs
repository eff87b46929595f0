//! The metrics listener, as a scraper sees it.

use std::collections::HashSet;

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{HOOK, World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A world whose daemon gives metrics.
async fn world() -> World {
    let world = World::new().await;
    world.edit_main("[poll]\n", "[metrics]\nlisten = \"127.0.0.1:0\"\n[poll]\n");
    world
}

/// What the listener answers to these bytes.
async fn ask(world: &World, request: &str) -> String {
    let config = world.reader().fact("config").unwrap().expect("the daemon has started");
    let config: serde_json::Value = serde_json::from_str(&config.value).unwrap();
    let address = config["metrics"].as_str().expect("the daemon listens");
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn scrape(world: &World) -> String {
    ask(world, "GET /metrics HTTP/1.1\r\nhost: localhost:9464\r\n\r\n").await
}

/// Checks the form of every line; the samples.
fn samples(answer: &str) -> Vec<&str> {
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let text = text.strip_suffix("# EOF\n").expect("the text is whole");
    let (mut types, mut samples) = (HashSet::new(), Vec::new());
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let mut words = about.split(' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&word), "{line}");
            if word == "TYPE" {
                assert!(types.insert(name), "{name} comes twice");
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
        let typed = |suffix| name.strip_suffix(suffix).is_some_and(|name| types.contains(name));
        assert!(name.starts_with("newswatch_") && suffixes.into_iter().any(typed), "{line}");
        samples.push(line);
    }
    samples
}

#[tokio::test]
async fn a_scrape_counts_polls_items_and_alerts() {
    let mut world = world().await;
    world.publish("alpha", "Weather: rain in Oslo");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    world.publish("alpha", NEWS);
    world.advance(SignedDuration::from_mins(12));
    world.server.asked(HOOK, 1).await;
    // The alert may be told before its poll is counted.
    let mut answer = scrape(&world).await;
    while !answer.contains("newswatch_polls_total{result=\"changed\"} 2") {
        answer = scrape(&world).await;
    }
    let samples = samples(&answer);
    for expected in [
        "newswatch_unconditional_requests_total 1",
        "newswatch_new_items_total 2",
        "newswatch_hits_total 1",
        "newswatch_alerts_total{rule=\"talks\"} 1",
        "newswatch_item_lag_seconds_bucket{le=\"900.0\"} 1",
        "newswatch_feeds{state=\"active\"} 1.0",
        "newswatch_overdue_seconds 0.0",
        "newswatch_hosts_throttled 0.0",
        "newswatch_config_last_reload_successful 1.0",
        concat!("newswatch_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(samples.contains(&expected), "no {expected} in {answer}");
    }
    assert!(samples.iter().any(|line| line.starts_with("newswatch_database_bytes ")), "{answer}");
    assert!(samples.iter().any(|line| line.starts_with("newswatch_deliveries{")), "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn the_listener_answers_one_question_and_only_to_this_machine() {
    let mut world = world().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n", "405"),
        ("GET /metrics HTTP/1.1\r\nhost: rebound.example\r\n\r\n", "421"),
        ("GET /metrics HTTP/1.1\r\nhost: [::1]:9464\r\n\r\n", "200"),
    ] {
        let answer = ask(&world, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.ends_with('\n'), "{request}: {answer:?}");
    }
    let long =
        format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(100));
    let answer = ask(&world, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    daemon.stop().await;
}
