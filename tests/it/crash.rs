//! `kill -9` at any moment repeats a poll; it never loses or doubles anything.

use std::path::Path;
use std::process::Command;

use newswatch::store::{ItemFilter, Reader};
use serde_json::Value;

use super::kills::start;
use super::server::{Answer, Server};

fn document(items: usize) -> String {
    let items: String = (1..=items)
        .rev()
        .map(|number| {
            format!(
                "<item><guid isPermaLink=\"false\">{number}</guid>\
                 <title>Lavrov rings Wang Yi, call {number}</title></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Example</title>{items}</channel></rss>")
}

fn configure(folder: &Path, server: &Server) {
    let files = [
        (
            "newswatch.toml",
            "[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\ninterval = \"1s\"\n[[receiver]]\n\
             name = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n"
                .to_owned(),
        ),
        (
            "feeds/example.toml",
            format!(
                "[[feed]]\nname = \"example\"\nurl = \"{}\"\nallow_private = true\n",
                server.url("/feed")
            ),
        ),
        (
            "rules/talks.toml",
            "[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nquery = '\"Wang Yi\" AND Lavrov'\nstory = \"off\"\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_at_once_that_the_daemon_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    configure(folder.path(), &server);
    server.set("/feed", Answer::Feed { document: document(1), version: 1 });
    let mut daemon = start(folder.path(), &["run"]);
    // The heartbeat is written before or with the first poll's answer, as both go to one writer.
    server.asked("/feed", 2).await;
    let status = || {
        let output = Command::new(env!("CARGO_BIN_EXE_newswatch"))
            .arg("--config")
            .arg(folder.path())
            .args(["status", "--format", "json"])
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), status["running"].clone(), status["problems"].to_string())
    };
    assert_eq!(status(), (Some(0), true.into(), "[]".to_owned()));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let (code, running, problems) = status();
    assert_eq!((code, running), (Some(1), false.into()));
    assert!(problems.contains("no daemon runs: the last one was not stopped"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_again_and_again_stores_and_tells_everything_once() {
    const KILLS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    configure(folder.path(), &server);
    for round in 1..=KILLS {
        server.set("/feed", Answer::Feed { document: document(round), version: round as u32 });
        let asked = server.requests("/feed").len();
        let mut daemon = start(folder.path(), &["run"]);
        server.asked("/feed", asked + 1).await;
        // Anywhere between the request and the delivery: what is under way differs each time.
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
    assert!(start(folder.path(), &["run", "--once"]).wait().unwrap().success());
    let mut titles = Vec::new();
    let reader = Reader::open(&folder.path().join("newswatch.db")).unwrap();
    let each = |hit: newswatch::store::HitRow| {
        titles.push(hit.item_id.unwrap());
        Ok(())
    };
    reader.hits(&ItemFilter::default(), each).unwrap();
    titles.sort();
    assert_eq!(titles, ["1", "2", "3", "4"]);
    let log = std::fs::read_to_string(folder.path().join("alerts.jsonl")).unwrap();
    let mut told: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    told.sort();
    told.dedup();
    assert_eq!((told.len(), log.lines().count()), (KILLS, KILLS));
}
