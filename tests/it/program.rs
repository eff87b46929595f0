//! The program as its users and their scripts call it: commands, formats, exit codes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::server::{Answer, Server};

/// A copy of the demonstration, so that its database is the test's own.
pub(crate) struct Demo(TempDir);

impl Demo {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo"), folder.path());
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A call of newswatch.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_newswatch"));
        command
            .arg("--config")
            .arg(self.0.path())
            .args(arguments)
            .env_remove("STATE_DIRECTORY")
            .env_remove("LOGS_DIRECTORY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs newswatch with `input` on its standard input.
    fn run_with(&self, input: &str, arguments: &[&str]) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with("", arguments)
    }

    /// Stores another alert like one that is stored, about an item with this title.
    fn raise(&self, like: &Value, title: &str) {
        let mut record = like.clone();
        record["data"]["item"]["title"] = title.into();
        let database = rusqlite::Connection::open(self.path("newswatch.db")).unwrap();
        let sql = "INSERT INTO alerts (id, rule, severity, feed, created, record)
                   SELECT ?2, rule, severity, feed, created, ?3 FROM alerts WHERE id = ?1";
        let id = like["id"].as_str().unwrap();
        assert_eq!(database.execute(sql, (id, title, record.to_string())).unwrap(), 1);
    }

    /// Standard output of a run that must end with this code.
    #[track_caller]
    pub(crate) fn out(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects of a list.
    #[track_caller]
    fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.extend(["--format", "jsonl"]);
        self.out(0, &all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(&name));
        } else if !name.to_string_lossy().contains(".db") && name != "alerts.jsonl" {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

#[track_caller]
fn has_fields(value: &Value, fields: &str) {
    for field in fields.split(' ') {
        assert!(value.get(field).is_some(), "no {field} in {value:#}");
    }
}

#[test]
fn the_demonstration_alerts_with_the_words_that_matched_and_only_once() {
    let demo = Demo::new();
    let first = demo.out(0, &["run", "--once"]);
    for expected in
        ["[critical] Russia – North Korea arms", "matched: ", "снарядов ($arms)", "王毅", "왕이"]
    {
        assert!(first.contains(expected), "no {expected} in {first}");
    }
    assert!(first.contains("8 hits, 8 alerts"), "{first}");
    let second = demo.out(0, &["run", "--once"]);
    assert!(second.contains("0 new items, 0 hits, 0 alerts"), "{second}");
    let log = std::fs::read_to_string(demo.path("alerts.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 8);
}

#[test]
fn the_readme_shows_what_the_demonstration_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let printed = Demo::new().out(0, &["run", "--once"]);
    // The time and the id differ from run to run.
    for line in shown.lines().filter(|line| !line.contains(", seen ") && !line.contains("alert ")) {
        assert!(printed.contains(line), "the README shows {line:?}, which was not printed");
    }
}

#[test]
fn every_list_has_the_fields_that_scripts_rely_on() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let items = demo.list(&["items"]);
    has_fields(
        &items[0],
        "key feed id title summary link lang author tags published first_seen revision flags \
         revisions",
    );
    let hits = demo.list(&["hits"]);
    has_fields(
        &hits[0],
        "id rule rule_version severity item item_id feed title link matched_at spans alert",
    );
    has_fields(&hits[0], "story");
    has_fields(&hits[0]["spans"][0], "field start end text term");
    let stories = demo.list(&["stories"]);
    has_fields(
        &stories[0],
        "id rule state severity first_seen last_seen items lineages outlets origins languages \
         claim_cues previous_id",
    );
    let alerts = demo.list(&["alerts"]);
    has_fields(&alerts[0], "specversion id source type time severitytext data");
    let feeds = demo.list(&["feeds"]);
    has_fields(
        &feeds[0],
        "name url effective_url state state_since why last_ok last_new_item next_due interval_s \
         items failures",
    );
    let deliveries = demo.list(&["deliveries"]);
    has_fields(&deliveries[0], "id alert receiver state attempts last_error next_attempt");
    assert_eq!(hits.len(), 8);
    assert_eq!(items.len(), 13, "the item that a broken document was cut in has no id yet");
    assert_eq!(deliveries.len(), 16, "two receivers have eight alerts each");
}

#[test]
fn lists_are_filtered_limited_and_printed_in_four_formats() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let rule = demo.list(&["hits"])[0]["rule"].as_str().unwrap().to_owned();
    let of_rule = demo.list(&["hits", "--rule", &rule]);
    assert!(!of_rule.is_empty() && of_rule.len() < 8);
    assert!(of_rule.iter().all(|hit| hit["rule"] == *rule));
    assert_eq!(demo.list(&["items", "--limit", "3"]).len(), 3);
    assert_eq!(demo.list(&["items", "--limit", "0"]).len(), 13);
    assert_eq!(demo.list(&["hits", "--until", "2020-01-01"]).len(), 0);
    assert_eq!(demo.list(&["hits", "--since", "1h"]).len(), 8);
    let json: Value = serde_json::from_str(&demo.out(0, &["hits", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 8);
    let csv = demo.out(0, &["hits", "--format", "csv"]);
    assert!(csv.starts_with("id,rule,"), "{csv}");
    assert!(demo.out(0, &["hits", "--format", "table"]).contains("russia-nk-arms"));
}

#[test]
fn a_list_of_a_rule_or_feed_that_is_not_there_says_so() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    for list in ["alerts", "hits", "items", "stories", "deliveries"] {
        let shown = demo.run(&[list, "--rule", "russia-nk-arm"]);
        let said = String::from_utf8(shown.stderr).unwrap();
        assert_eq!(shown.status.code(), Some(2), "{list}: {said}");
        assert!(said.contains("there is no rule \"russia-nk-arm\"; did you mean"), "{said}");
    }
    assert_eq!(demo.run(&["items", "--feed", "nosuch"]).status.code(), Some(2));
}

#[test]
fn a_search_finds_text_of_any_script_whatever_its_case() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    for search in ["кремле опровергли", "КРЕМЛЕ ОПРОВЕРГЛИ", "Кремле опровергли"]
    {
        for list in ["items", "hits", "alerts", "stories"] {
            assert_eq!(demo.list(&[list, "--search", search]).len(), 1, "{list} {search}");
        }
    }
    assert_eq!(demo.list(&["items", "--search", "100%"]).len(), 0, "a sign stands for itself");
}

#[test]
fn alerts_are_followed_through_the_same_search_as_they_are_listed() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let mut following = demo.command(&["alerts", "--follow", "--search", "КРЕМЛЕ"]);
    // Lines of JSON, as no terminal reads them.
    let mut following = following.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    demo.raise(&first, "Кремль молчит");
    demo.raise(&first, "В кремле молчат");
    assert_eq!(next()["data"]["item"]["title"], "В кремле молчат");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn alerts_are_listed_with_their_minute_and_followed_in_formats_without_an_end() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let table = demo.out(0, &["alerts", "--format", "table"]);
    let minute =
        demo.list(&["alerts"])[0]["recordedtime"].as_str().unwrap()[..16].replace('T', " ");
    let row = table.lines().nth(1).unwrap();
    assert!(row.trim_start().starts_with(&format!("{minute}  ")), "{row}");
    for format in ["json", "csv"] {
        let (code, error) = said(&demo, &["alerts", "--follow", "--format", format]);
        assert_eq!(code, Some(2), "{error}");
    }
}

#[test]
fn the_list_of_alerts_says_of_which_kind_each_is() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let alert = demo.list(&["alerts"]).remove(0);
    let kind = alert["type"].as_str().unwrap().strip_prefix("newswatch.").unwrap().to_owned();
    for other in ["item.revised", "story.surge", "feed.broken"] {
        let mut other_alert = alert.clone();
        other_alert["type"] = format!("newswatch.{other}").into();
        if other == "feed.broken" {
            other_alert["data"]["rule"] = Value::Null;
        }
        demo.raise(&other_alert, other);
    }
    let rule = alert["data"]["rule"]["id"].as_str().unwrap();
    let table = demo.out(0, &["alerts", "--format", "table", "--limit", "4"]);
    let cells: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let column = |heading: &str| {
        let cells = cells.iter().map(|line| line.iter().filter(|cell| !cell.is_empty()));
        let mut cells = cells.map(|line| line.copied().collect::<Vec<&str>>());
        let at = cells.next().unwrap().iter().position(|cell| *cell == heading).unwrap();
        cells.map(|line| line[at]).collect::<Vec<&str>>()
    };
    assert_eq!(column("KIND"), ["feed.broken", "story.surge", "item.revised", &kind]);
    assert_eq!(column("RULE"), ["-", rule, rule, rule]);
}

#[test]
fn an_alert_is_shown_by_any_part_of_its_id_that_is_its_own() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let alert = &demo.list(&["alerts"])[0];
    let id = alert["id"].as_str().unwrap();
    let title = alert["data"]["item"]["title"].as_str().unwrap();
    for part in [id, &id[..id.len() - 2], &id[id.len() - 12..]] {
        let shown = demo.out(0, &["alerts", "show", part]);
        assert!(shown.contains(title), "{part}: {shown}");
    }
}

#[test]
fn alerts_that_share_a_part_of_their_ids_are_listed_to_choose_from() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let alerts = demo.list(&["alerts"]);
    let (code, error) = said(&demo, &["alerts", "show", "-"]);
    assert_eq!(code, Some(1));
    assert!(error.starts_with("newswatch: 8 alerts have \"-\" in their ids:"), "{error}");
    for alert in &alerts {
        let line = error.lines().find(|line| line.contains(alert["id"].as_str().unwrap())).unwrap();
        assert!(line.contains(alert["data"]["rule"]["id"].as_str().unwrap()), "{line}");
        assert!(line.contains(alert["data"]["item"]["title"].as_str().unwrap()), "{line}");
    }
    let (code, error) = said(&demo, &["alerts", "show", "ffffffff"]);
    assert_eq!((code, &*error), (Some(1), "newswatch: no alert has \"ffffffff\" in its id\n"));
}

#[test]
fn matched_items_are_hits_as_lines_in_the_order_of_the_input() {
    let demo = Demo::new();
    let input = "{\"id\":\"a\",\"title\":\"Oslo: rain\"}\n\
                 {\"title\":\"Лавров принял Ван И в Москве\",\"link\":\"https://example.org\"}\n\
                 not an item\n\
                 {\"id\":\"c\",\"title\":\"Wang Yi meets Lavrov\",\"unknown\":1}\n";
    let output = demo.run_with(input, &["match"]);
    assert_eq!(output.status.code(), Some(0));
    let out = String::from_utf8(output.stdout).unwrap();
    let hits: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(hits.iter().map(|hit| &hit["item"]).collect::<Vec<_>>(), ["2", "c"]);
    assert_eq!(hits[0]["rule"], "wang-yi-lavrov");
    assert_eq!(hits[0]["spans"][0]["text"], "Лавров");
    assert_eq!(hits[0]["spans"][0]["start"], 0);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains('3'), "the bad line is named: {error}");
    assert_eq!(demo.run_with(input, &["match", "--strict"]).status.code(), Some(4));
    let nothing = demo.run_with("{\"title\":\"rain\"}\n", &["match"]);
    assert_eq!(nothing.status.code(), Some(1), "as grep does");
}

#[test]
fn a_query_can_be_given_on_the_spot() {
    let demo = Demo::new();
    let input = "{\"title\":\"Kim visits Vostochny\"}\n{\"title\":\"Rain\"}\n";
    let output = demo.run_with(input, &["match", "--query", "Kim AND Vostochny", "--count"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "query\t1\n");
    let bad = demo.run_with(input, &["match", "--query", "Kim AND (Vostochny"]);
    assert_eq!(bad.status.code(), Some(3));
    assert!(String::from_utf8(bad.stderr).unwrap().contains("--query:1:"));
}

const NEWS: &str = r#"{"id":"1","title":"North Korea ships shells to Russia"}
{"id":"2","title":"Shells found in Russia","summary":"A museum in North Korea shows others."}
{"id":"3","title":"North Korea opens a museum"}
"#;

#[test]
fn a_backtest_lists_what_would_have_hit() {
    let demo = Demo::new();
    let news = demo.path("news.jsonl");
    std::fs::write(&news, NEWS).unwrap();
    let rules = demo.path("rules/demo.toml");
    let text = std::fs::read_to_string(&rules).unwrap();
    let rule = "\n[[rule]]\nid = \"museum\"\ntitle = \"Museums\"\nquery = \"\"\"museum\"\"\"\n\
                test.match = [\"a museum\"]\ntest.no_match = [\"a house\"]\n";
    std::fs::write(&rules, format!("{text}{rule}")).unwrap();
    let rows = demo.list(&["backtest", "museum", "--items", news.to_str().unwrap()]);
    let items: Vec<&Value> = rows.iter().map(|row| &row["item"]).collect();
    assert_eq!(items, ["2", "3"]);
    has_fields(&rows[0], "rule severity item item_id feed title link at spans");
    let unknown = demo.run(&["backtest", "musuem", "--items", "news.jsonl"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean \"museum\"?"));
}

#[test]
fn a_backtest_of_alerts_tells_each_story_once_and_says_why() {
    let demo = Demo::new();
    let line = |id: &str, feed: &str, time: &str, title: &str| {
        serde_json::json!({"id": id, "feed": feed, "title": title,
            "published": format!("2024-01-01T{time}:00Z")})
        .to_string()
    };
    // In no order: each item comes at its published time.
    let news = [
        line("4", "https://d.example/rss", "10:10", "Museum of ships opens its doors in Delta"),
        line("1", "https://a.example/rss", "08:00", "Museum of clocks robbed at night"),
        line("3", "https://c.example/rss", "10:05", "Delta opens museum of ships"),
        line("2", "https://b.example/rss", "09:00", "Museum director resigns over funding"),
        line("5", "https://e.example/rss", "10:20", "Museum of ships opens in Delta"),
        line("6", "https://f.example/rss", "11:00", "Museum guards strike for bread"),
    ];
    std::fs::write(demo.path("news.jsonl"), news.join("\n")).unwrap();
    let rule = "[[rule]]\nid = \"museum\"\ntitle = \"Museums\"\nquery = \"museum\"\n";
    std::fs::write(demo.path("rules/museum.toml"), rule).unwrap();
    let news = demo.path("news.jsonl");
    let rows = demo.list(&["backtest", "--alerts", "museum", "--items", news.to_str().unwrap()]);
    let (notices, stories): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|row| row["kind"] == "notice");
    let told: Vec<String> = notices
        .iter()
        .map(|row| format!("{} {} {} {}", row["at"], row["mode"], row["reason"], row["items"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""2024-01-01T08:00:00Z" "immediate" "told-quiet" ["1"]"#,
            r#""2024-01-01T10:10:00Z" "immediate" "told-outlets" ["4","2"]"#,
            r#""2024-01-01T13:15:00Z" "bulletin" "told-bulletin" ["6"]"#,
        ]
    );
    assert_eq!(notices[0]["receivers"], serde_json::json!(["terminal", "log"]));
    has_fields(notices[0], "rule severity story stories left_out message");
    let items: Vec<&Value> = stories.iter().map(|row| &row["items"]).collect();
    assert_eq!(
        items,
        [&serde_json::json!(["1"]), &["2"].into(), &["3", "4", "5"].into(), &["6"].into()]
    );
    has_fields(stories[2], "rule story thread state label lineages outlets origins claim_cues");
    let reasons: Vec<&Value> =
        stories[2]["decisions"].as_array().unwrap().iter().map(|row| &row["reason"]).collect();
    assert_eq!(reasons, ["held", "told-outlets", "joined"]);
}

#[test]
fn a_backtest_against_other_rules_lists_what_was_won_and_lost() {
    let demo = Demo::new();
    let (old, news) = (demo.path("old"), demo.path("news.jsonl"));
    std::fs::write(&news, NEWS).unwrap();
    copy(&demo.path("rules"), &old);
    let write = |folder: &Path, query: &str| {
        let text = format!("[[rule]]\nid = \"museum\"\ntitle = \"M\"\nquery = '{query}'\n");
        std::fs::write(folder.join("museum.toml"), text).unwrap();
    };
    write(&old, "museum AND Russia");
    write(&demo.path("rules"), "museum AND NOT Russia");
    let (old, news) = (old.to_str().unwrap(), news.to_str().unwrap());
    let rows = demo.list(&["backtest", "museum", "--items", news, "--against", old]);
    let changes: Vec<_> = rows
        .iter()
        .map(|row| (row["change"].as_str().unwrap(), row["item"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("lost", "2"), ("won", "3")]);
}

#[test]
fn near_misses_are_grouped_by_what_they_miss() {
    let demo = Demo::new();
    let (rules, news) = (demo.path("rules/museum.toml"), demo.path("news.jsonl"));
    std::fs::write(&news, NEWS).unwrap();
    let rule = "[[rule]]\nid = \"shells\"\ntitle = \"S\"\nquery = 'shell NEAR/1 Russia AND \"North Korea\"'\n";
    std::fs::write(rules, rule).unwrap();
    let rows = demo.list(&["nearmiss", "shells", "--items", news.to_str().unwrap()]);
    let misses: Vec<_> = rows
        .iter()
        .map(|row| (row["misses"].as_str(), row["item"].as_str(), row["gap"].as_str()))
        .collect();
    assert_eq!(misses, [(Some("shell NEAR/1 Russia"), Some("2"), Some("found in"))]);
}

#[test]
fn explain_says_why_and_why_not() {
    let demo = Demo::new();
    let why = demo.out(0, &["explain", "wang-yi-lavrov", "--text", "Лавров встретил Ван И"]);
    assert!(why.contains("ru:Лавров"), "the alias that matched is named: {why}");
    demo.out(1, &["explain", "wang-yi-lavrov", "--text", "Professor Wang Yi meets students"]);
    demo.out(0, &["run", "--once"]);
    let hit = &demo.list(&["hits"])[0];
    let (rule, item) = (hit["rule"].as_str().unwrap(), hit["item"].as_str().unwrap());
    demo.out(0, &["explain", rule, "--item", item]);
}

#[test]
fn explain_answers_also_while_a_test_fails() {
    let demo = Demo::new();
    let rule = "[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = 'ferry'\ntest.match = [\"a boat\"]\n";
    std::fs::write(demo.path("rules/a.toml"), rule).unwrap();
    demo.out(1, &["check"]);
    assert!(demo.out(1, &["explain", "a", "--text", "a boat"]).contains("ferry: not found"));
}

#[test]
fn explain_without_a_text_shows_what_a_rule_comes_to() {
    let demo = Demo::new();
    assert!(!demo.out(0, &["explain", "russia-nk-arms"]).contains("items"));
    demo.out(0, &["run", "--once"]);
    let shown = demo.out(0, &["explain", "russia-nk-arms"]);
    assert!(shown.contains("newest stored items"), "{shown}");
    assert!(shown.contains("@north-korea (10 terms): in "), "{shown}");
}

#[test]
fn check_reports_every_mistake_of_every_file_with_its_place() {
    let demo = Demo::new();
    demo.out(0, &["check"]);
    std::fs::write(demo.path("rules/bad.toml"), "[[rule]]\nid = \"x\"\nquery = 'a AND ('\n")
        .unwrap();
    std::fs::write(demo.path("feeds/bad.toml"), "[[feed]]\nname = \"y\"\nulr = \"https://a.b\"\n")
        .unwrap();
    let out = demo.out(1, &["check"]);
    assert!(out.contains("rules/bad.toml:3:16: error"), "{out}");
    assert!(out.contains("feeds/bad.toml:3:1: error"), "{out}");
    assert!(out.contains("did you mean url?"), "{out}");
    assert_eq!(demo.run(&["run", "--once"]).status.code(), Some(3));
}

#[test]
fn a_file_that_is_not_utf8_is_one_problem_among_all() {
    let demo = Demo::new();
    let feed = b"[[feed]]\nname = \"x\"\nurl = \"https://a.b\"\ntitle = \"caf\xe9\"\n";
    std::fs::write(demo.path("feeds/latin.toml"), feed).unwrap();
    std::fs::write(demo.path("rules/bad.toml"), "[[rule]]\nid = \"x\"\nquery = 'a AND ('\n")
        .unwrap();
    let out = demo.out(1, &["check"]);
    assert!(out.contains("feeds/latin.toml:4:13: error: the file is not UTF-8"), "{out}");
    assert!(out.contains("rules/bad.toml:3:16: error"), "{out}");
    assert!(out.contains("6 feeds"), "what can be read of it is: {out}");
    assert_eq!(demo.run(&["run", "--once"]).status.code(), Some(3));
}

#[test]
fn a_route_to_an_unknown_receiver_is_one_mistake_and_not_two() {
    let demo = Demo::new();
    let mut main = std::fs::read_to_string(demo.path("newswatch.toml")).unwrap();
    main += "[[route]]\nseverity = [\"critical\"]\nreceivers = [\"lgo\"]\n";
    std::fs::write(demo.path("newswatch.toml"), main).unwrap();
    let out = demo.out(1, &["check"]);
    assert!(out.contains("there is no receiver \"lgo\""), "{out}");
    assert!(out.ends_with(" 0 warnings\n"), "{out}");
}

#[test]
fn a_rule_that_asks_for_what_no_feed_is_would_never_match_and_is_refused() {
    let demo = Demo::new();
    let feed = "[[feed]]\nname = \"moscow\"\nurl = \"https://e.org/\"\nlang = \"russian\"\nregion = \"ru\"\n";
    std::fs::write(demo.path("feeds/more.toml"), feed).unwrap();
    let rule = "[[rule]]\nid = \"x\"\ntitle = \"X\"\nquery = 'talks'\nfeeds = [\"moscwo\"]\nregions = [\"rus\"]\n";
    std::fs::write(demo.path("rules/more.toml"), rule).unwrap();
    let out = demo.out(1, &["check"]);
    for expected in [
        "feeds/more.toml:4:8: error: \"russian\" is no language code",
        "did you mean ru?",
        "rules/more.toml:5:10: error: there is no feed \"moscwo\"",
        "did you mean \"moscow\"?",
        "rules/more.toml:6:12: error: there is no region \"rus\"",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

#[test]
fn a_file_that_stands_where_none_is_read_is_named() {
    let demo = Demo::new();
    std::fs::create_dir(demo.path("feeds/more")).unwrap();
    for name in ["feeds.toml", "feeds/more/a.toml", "rules/b.TOML"] {
        std::fs::write(demo.path(name), "").unwrap();
    }
    let out = demo.out(0, &["check"]);
    for name in ["/feeds.toml", "/feeds/more/a.toml", "/rules/b.TOML"] {
        assert!(out.contains(&format!("{name} is not read")), "{name}: {out}");
    }
    assert!(out.ends_with(" 3 warnings\n"), "{out}");
}

#[test]
fn check_explains_every_mistake_in_the_times_of_a_route() {
    let demo = Demo::new();
    let main = std::fs::read_to_string(demo.path("newswatch.toml")).unwrap();
    let check = |lines: &str, expected: &[&str]| {
        let route = format!("{main}[[route]]\nreceivers = [\"log\"]\n{lines}\n");
        std::fs::write(demo.path("newswatch.toml"), route).unwrap();
        let output = demo.run(&["check"]);
        let out = String::from_utf8(output.stdout).unwrap();
        for expected in expected {
            assert!(out.contains(expected), "{lines}: {out}");
        }
    };
    check("mode = \"digets\"", &["there is no mode \"digets\"", "did you mean \"digest\"?"]);
    check("mode = \"digest\"", &["does not say when", "add digest_at = [\"07:00\", \"17:00\"]"]);
    check("digest_at = [\"07:00\"]", &["this route tells at once", "add mode = \"digest\""]);
    check(
        "mode = \"digest\"\ndigest_at = [\"7am\", \"24:00\"]",
        &["\"7am\" is no time of day", "\"24:00\" is no time of day", "2 errors"],
    );
    check("quiet = \"22 to 6\"", &["are no quiet hours", "write \"22:00-06:00\""]);
    check("quiet = \"22:00-6:00\"", &["\"6:00\" is no time of day"]);
    check("quiet = \"22:00-22:00\"", &["quiet hours end when they begin"]);
    check("except = [\"critical\"]", &["this route has none", "add quiet"]);
    check("quiet = \"22:00-06:00\"\nexcept = [\"crit\"]", &["did you mean \"critical\"?"]);
    check(
        "quiet = \"22:00-06:00\"\ntimezone = \"Europe/Berlim\"",
        &["\"Europe/Berlim\" is no time zone", "did you mean \"Europe/Berlin\"?"],
    );
    check("timezone = \"Asia/Seoul\"", &["warning: timezone changes nothing", "0 errors"]);
    check(
        "mode = \"digest\"\ndigest_at = [\"07:00\"]\nquiet = \"22:00-06:00\"\n\
         except = [\"critical\"]\ntimezone = \"+09:00\"",
        &["0 errors, 0 warnings"],
    );
}

#[test]
fn the_times_of_a_route_are_shown_as_they_are_read() {
    let demo = Demo::new();
    let mut main = std::fs::read_to_string(demo.path("newswatch.toml")).unwrap();
    main += "[[route]]\nreceivers = [\"log\"]\nmode = \"digest\"\n\
             digest_at = [\"17:00\", \"07:00\"]\nquiet = \"22:00-06:00\"\n\
             except = [\"critical\"]\ntimezone = \"Europe/Kyiv\"\n";
    std::fs::write(demo.path("newswatch.toml"), main).unwrap();
    let shown = demo.out(0, &["config", "show"]);
    let route = &shown[shown.find("[[route]]").unwrap()..];
    for line in [
        "mode = \"digest\"",
        "digest_at = [\"07:00\", \"17:00\"]",
        "quiet = \"22:00-06:00\"",
        "except = [\"critical\"]",
        "timezone = \"Europe/Kyiv\"",
    ] {
        assert!(route.contains(line), "{route}");
    }
}

#[test]
fn the_routes_are_tried_without_sending_anything() {
    let demo = Demo::new();
    let mut main = std::fs::read_to_string(demo.path("newswatch.toml")).unwrap();
    let line = main.lines().count() + 5;
    main += "[[receiver]]\nname = \"desk\"\ntype = \"webhook\"\nurl = \"https://a.example/\"\n\
             [[route]]\nseverity = [\"critical\"]\nreceivers = [\"log\", \"desk\"]\n\
             [[route]]\ntags = [\"dprk\"]\nreceivers = [\"desk\"]\nquiet = \"22:00-06:00\"\n\
             timezone = \"Asia/Tokyo\"\n";
    std::fs::write(demo.path("newswatch.toml"), main).unwrap();
    let rows = |arguments: &[&str], exit| {
        let out = demo.out(exit, &[&["route", "test"], arguments].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let arms = ["--rule", "russia-nk-arms"];
    let told = rows(&arms, 0);
    assert_eq!(told.len(), 2);
    assert_eq!((&told[1]["receiver"], &told[1]["mode"]), (&"desk".into(), &"immediate".into()));
    assert_eq!((&told[1]["route"], &told[1]["line"]), (&1.into(), &line.into()));
    let night = ["--severity", "high", "--at", "2023-09-18T14:00:00Z"];
    let held = rows(&[&arms[..], &night].concat(), 0);
    assert_eq!((held.len(), &held[0]["mode"]), (1, &"quiet".into()));
    assert_eq!(held[0]["due"], "2023-09-18T21:00:00Z");
    let why = held[0]["why"].as_str().unwrap();
    assert!(why.contains("takes tag dprk; its quiet hours end at 06:00 Asia/Tokyo"), "{why}");
    let nobody = demo.run(&["route", "test", "--tag", "other", "--severity", "low"]);
    let why = String::from_utf8(nobody.stderr).unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(why.contains("the routes take severity critical; tag dprk"), "{why}");
    assert!(!demo.path("newswatch.db").exists());
    let unknown = demo.run(&["route", "test", "--rule", "russia-nk-arm"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(demo.run(&["route", "test"]).status.code(), Some(2));
}

#[test]
fn a_try_of_the_routes_says_what_a_silence_keeps_from_whom() {
    let demo = Demo::new();
    let mut main = std::fs::read_to_string(demo.path("newswatch.toml")).unwrap();
    main += "[[route]]\nrule = [\"russia-nk-arms\"]\nreceivers = [\"log\", \"terminal\"]\n";
    std::fs::write(demo.path("newswatch.toml"), main).unwrap();
    demo.out(0, &["run", "--once"]);
    let names = ["--rule", "russia-nk-arms", "--for", "4h", "--author", "anna", "--why", "live"];
    demo.out(0, &[&["silence", "add"], &names[..]].concat());
    let out = demo.out(0, &["route", "test", "--rule", "russia-nk-arms", "--format", "json"]);
    let rows: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&rows[0]["receiver"], &rows[0]["state"]), (&"log".into(), &"told".into()));
    assert_eq!((&rows[1]["state"], &rows[1]["silenced_by"]), (&"muted".into(), &1.into()));
    assert_eq!(rows[1]["due"], Value::Null);
    let why = rows[1]["why"].as_str().unwrap();
    assert!(why.starts_with("silence 1 until ") && why.contains("by anna: live"), "{why}");
}

#[test]
fn a_silence_is_made_listed_and_ended() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let add = ["silence", "add", "--rule", "russia-nk-arms", "--for", "4h", "--author", "anna"];
    let id = demo.out(0, &[&add[..], &["--why", " watched live "]].concat());
    assert_eq!(id, "1\n");
    let row: Value = serde_json::from_str(&demo.out(0, &["silence", "list"])).unwrap();
    assert_eq!((&row["state"], &row["held"]), (&"active".into(), &0.into()));
    assert_eq!((&row["author"], &row["why"]), (&"anna".into(), &"watched live".into()));
    assert_eq!(row["rule"], serde_json::json!(["russia-nk-arms"]));
    assert!(demo.out(0, &["status"]).contains("silences       1 in force"));
    demo.out(0, &["silence", "end", "1", "--author", "ben"]);
    demo.out(1, &["silence", "end", "1", "--author", "ben"]);
    demo.out(1, &["silence", "end", "7", "--author", "ben"]);
    assert_eq!(demo.out(0, &["silence", "list"]), "");
    let table = demo.out(0, &["silence", "list", "--all", "--format", "table"]);
    assert!(table.contains("rule russia-nk-arms") && table.contains("ended"), "{table}");
}

#[test]
fn a_silence_without_an_end_a_reason_or_a_known_name_is_refused() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let refused = |arguments: &[&str], expected: &str| {
        let output = demo.run(&[&["silence", "add"], arguments].concat());
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {why}");
        assert!(why.contains(expected), "{arguments:?}: {why}");
    };
    let rule = ["--rule", "russia-nk-arms"];
    let with = |rest: &[&'static str]| [&rule[..], rest].concat();
    refused(&with(&["--why", "w"]), "--for");
    refused(&with(&["--for", "4h"]), "--why");
    refused(&with(&["--for", "4h", "--why", " "]), "--why is empty");
    refused(&with(&["--for", "4", "--why", "w"]), "is no duration");
    refused(&with(&["--for", "0s", "--why", "w"]), "later than now");
    refused(&with(&["--until", "2023-09-18", "--why", "w"]), "later than now");
    refused(&with(&["--until", "18:00", "--why", "w"]), "is no time");
    refused(&with(&["--for", "400d", "--why", "w"]), "a year at most");
    refused(&["--for", "4h", "--why", "w"], "--severity");
    let known = |option: &'static str, name: &'static str, expected: &str| {
        refused(&[option, name, "--for", "4h", "--why", "w", "--author", "a"], expected);
    };
    known("--rule", "russia-nk-arm", "did you mean \"russia-nk-arms\"?");
    known("--entity", "@north-corea", "did you mean \"north-korea\"?");
    known("--feed", "harbour-pots", "did you mean \"harbour-post\"?");
    known("--tag", "zzz", "there is no tag \"zzz\"; there are");
    known("--severity", "hihg", "one of critical, high, medium, low");
    assert_eq!(demo.out(0, &["silence", "list", "--all"]), "");
}

#[test]
fn an_alert_is_acknowledged_by_a_part_of_its_id_and_shown_so() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let alerts = demo.out(0, &["alerts"]);
    let alert: Value = serde_json::from_str(alerts.lines().next().unwrap()).unwrap();
    assert_eq!(alert["data"]["acked_by"], Value::Null);
    let id = alert["id"].as_str().unwrap();
    let ack = ["alerts", "ack", &id[24..], "--author", "anna"];
    demo.out(0, &[&ack[..], &["--why", "told the\u{1b}desk"]].concat());
    let shown = demo.out(0, &["alerts", "show", id]);
    assert!(shown.contains("acknowledged by anna, 20"), "{shown}");
    assert!(shown.contains(" UTC: told the") && !shown.contains('\u{1b}'), "{shown}");
    let listed = demo.out(0, &["alerts"]);
    let listed: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((&listed["id"], &listed["data"]["acked_by"]), (&alert["id"], &"anna".into()));
    let again = demo.run(&["alerts", "ack", id, "--author", "ben"]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.success() && said.contains("by anna before"), "{said}");
    demo.out(1, &["alerts", "ack", "no-such-id", id, "--author", "ben"]);
}

#[test]
fn who_may_not_write_the_database_is_told_as_whom_to() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    // Modes of files keep no superuser out, who may run this. A file that only a later SQLite may
    // write does: byte 18 says so.
    let mut database = std::fs::read(demo.path("newswatch.db")).unwrap();
    database[18] = 3;
    std::fs::write(demo.path("newswatch.db"), database).unwrap();
    let end = ["silence", "end", "1", "--author", "a"];
    for arguments in [&end[..], &["deliveries", "retry", "1"], &["run", "--once"], &["run"]] {
        let output = demo.run(arguments);
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{why}");
        assert!(why.contains("newswatch.db cannot be written by this user"), "{why}");
        assert!(why.contains("sudo -u newswatch newswatch"), "{why}");
    }
}

#[test]
fn what_a_feed_document_holds_is_printed_as_json() {
    let demo = Demo::new();
    let documents = demo.path("documents");
    let mut count = 0;
    for entry in std::fs::read_dir(&documents).unwrap() {
        let path = entry.unwrap().path();
        let out = demo.out(0, &["feeds", "parse", path.to_str().unwrap()]);
        let parsed: Value = serde_json::from_str(&out).unwrap();
        has_fields(&parsed, "feed items repairs warnings");
        has_fields(&parsed["feed"], "title link format encoding");
        has_fields(
            &parsed["items"][0],
            "key id title link published updated summary content authors tags source",
        );
        count += 1;
    }
    assert!(count >= 5);
    let bad = demo.path("bad.txt");
    std::fs::write(&bad, "nothing of the kind").unwrap();
    demo.out(4, &["feeds", "parse", bad.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_address_serves_is_printed_as_json() {
    let server = Server::start().await;
    let document = "<rss version='2.0'><channel><title>T</title><item><title>Лавров</title>\
                    <link>/one</link></item></channel></rss>";
    let feed = Answer::Feed { document: document.to_owned(), version: 1 };
    server.set("/moved/feed.xml", feed);
    server.set("/feed.xml", Answer::status("302 Found", "location: /moved/feed.xml\r\n", ""));
    let demo = Demo::new();
    let out = demo.out(0, &["feeds", "parse", &server.url("/feed.xml")]);
    let parsed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(parsed["items"][0]["title"], "Лавров");
    assert_eq!(parsed["items"][0]["link"], server.url("/one"));
    let warning = parsed["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("its one item is known by its link alone: "), "{warning}");
    demo.out(4, &["feeds", "parse", &server.url("/nothing.xml")]);
}

#[test]
fn a_character_set_that_is_none_is_wrong_usage() {
    let demo = Demo::new();
    let document = demo.path("documents/harbour-post.xml");
    let arguments = ["feeds", "parse", "--charset", "klingon", document.to_str().unwrap()];
    assert_eq!(demo.run(&arguments).status.code(), Some(2));
}

/// The exit code of a call, and what it says.
fn said(demo: &Demo, arguments: &[&str]) -> (Option<i32>, String) {
    let output = demo.run(arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_values_of_arguments_are_wrong_usage_and_the_right_one_is_named() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    for (arguments, part) in [
        (["items", "--since", "garbage"].as_slice(), "--since: \"garbage\" is no time"),
        (&["hits", "--until", "2023-13-45"], "--until: \"2023-13-45\" is no time"),
        (&["match", "--rule", "wang-yi-lavrv"], "did you mean \"wang-yi-lavrov\"?"),
        (&["explain", "wang-yi-lavrv", "--text", "a"], "did you mean \"wang-yi-lavrov\"?"),
        (&["explain", "wang-yi-lavrov", "--item", "nope"], "no stored item"),
    ] {
        let (code, error) = said(&demo, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn every_command_that_needs_a_configuration_says_when_there_is_none() {
    let demo = Demo::new();
    std::fs::remove_file(demo.path("newswatch.toml")).unwrap();
    for arguments in [
        ["run", "--once"].as_slice(),
        &["check"],
        &["match"],
        &["explain", "x", "--text", "y"],
        &["backtest"],
        &["nearmiss", "x"],
        &["hits"],
        &["alerts"],
        &["items"],
        &["feeds"],
        &["deliveries"],
        &["deliveries", "retry", "1"],
        &["status"],
        &["config", "show"],
    ] {
        let (code, error) = said(&demo, arguments);
        assert_eq!(code, Some(3), "{arguments:?}: {error}");
        assert!(error.starts_with("newswatch: there is no configuration at"), "{error}");
    }
}

/// A call on a system without certificates of authorities.
fn without_certificates(demo: &Demo, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = demo.command(arguments);
    command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn what_check_warns_of_is_not_said_again_by_every_command() {
    let demo = Demo::new();
    let twice = "[[feed]]\nname = \"twin\"\nurl = \"https://a.example/\"\n\
                 [[feed]]\nname = \"other\"\nurl = \"https://a.example/\"\n";
    std::fs::write(demo.path("feeds/twice.toml"), twice).unwrap();
    assert!(demo.out(0, &["check"]).contains("feeds twin and other have one address"));
    for command in [&["feeds", "export"][..], &["config", "show"], &["route", "test", "--tag", "x"]]
    {
        let (_, error) = said(&demo, command);
        assert!(!error.contains("have one address"), "{command:?}: {error}");
    }
}

#[test]
fn check_warns_of_feeds_that_the_gap_of_their_host_keeps_from_their_intervals() {
    let demo = Demo::new();
    let feeds = |count: u32| -> String {
        let feed = |n| {
            format!(
                "[[feed]]\nname = \"f{n}\"\nurl = \"https://a.example/{n}\"\ninterval = \"10s\"\n"
            )
        };
        (0..count).map(feed).collect()
    };
    let warning = "6 feeds of a.example:443 cannot keep their intervals: a round of requests 2s apart takes 12s";
    for (count, warned) in [(5, false), (6, true)] {
        std::fs::write(demo.path("feeds/crowd.toml"), feeds(count)).unwrap();
        let (_, said) = said(&demo, &["check"]);
        let out = demo.out(0, &["check"]) + &said;
        assert_eq!(out.contains(warning), warned, "{out}");
    }
}

#[test]
fn check_warns_of_a_private_address_that_is_not_allowed_and_a_round_of_nothing_else_fails() {
    let demo = Demo::new();
    let feed = |lines: &str| {
        let feed = format!("[[feed]]\nname = \"inside\"\nurl = \"http://127.0.0.1:9/x\"\n{lines}");
        for entry in std::fs::read_dir(demo.path("feeds")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        std::fs::write(demo.path("feeds/inside.toml"), feed).unwrap();
        demo.out(0, &["check"])
    };
    let warned = feed("");
    assert!(warned.contains("inside.toml:3:7: warning: this is a private address"), "{warned}");
    assert!(warned.contains("1 file") || warned.contains("1 feed, "), "{warned}");
    let round = demo.out(4, &["run", "--once"]);
    assert!(round.contains("the feed could not be polled: 0 new items"), "{round}");
    for lines in ["allow_private = true\n", "enabled = false\n"] {
        let fine = feed(lines);
        assert!(!fine.contains("private address"), "{fine}");
    }
}

#[test]
fn an_ambiguous_part_of_an_id_acknowledges_nothing_and_lists_what_it_may_mean() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let (code, error) = said(&demo, &["alerts", "ack", "-", "--author", "anna"]);
    assert_eq!(code, Some(1));
    assert_eq!(error.lines().count(), 9, "{error}");
    assert!(demo.list(&["alerts"]).iter().all(|alert| alert["data"]["acked_by"].is_null()));
}

#[test]
fn who_calls_through_sudo_is_the_author_and_not_whom_they_act_as() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let alert = demo.list(&["alerts"])[0]["id"].as_str().unwrap().to_owned();
    let mut call = demo.command(&["alerts", "ack", &alert]);
    call.env("SUDO_USER", "anna").env("USER", "newswatch").env("LOGNAME", "newswatch");
    assert!(call.status().unwrap().success());
    assert_eq!(demo.list(&["alerts"])[0]["data"]["acked_by"], "anna");
}

#[test]
fn certificates_are_needed_for_https_alone_and_the_package_is_named() {
    let demo = Demo::new();
    let (code, text) = without_certificates(&demo, &["run", "--once"]);
    assert_eq!(code, Some(0), "{text}");
    // Nobody listens there; what is missing is found before anybody is asked.
    let feed = "[[feed]]\nname = \"tls\"\nurl = \"https://127.0.0.1:1/\"\n";
    std::fs::write(demo.path("feeds/tls.toml"), feed).unwrap();
    let (code, text) = without_certificates(&demo, &["run", "--once"]);
    assert_eq!(code, Some(4), "{text}");
    assert!(
        text.contains("feed tls is asked over TLS") && text.contains("ca-certificates"),
        "{text}"
    );
    let (code, text) = without_certificates(&demo, &["check"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning: feed tls is asked over TLS"), "{text}");
}

/// The end of a pipe that nobody reads any more.
fn unread() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    for format in ["jsonl", "json", "csv", "table"] {
        for list in ["items", "hits", "alerts", "feeds", "deliveries"] {
            let mut command = demo.command(&[list, "--format", format]);
            let output = command.stdout(unread()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), &*error), (Some(0), ""), "{list} {format}");
        }
    }
}

#[test]
fn a_closed_standard_error_ends_nothing() {
    let demo = Demo::new();
    let code = |arguments: &[&str]| {
        let mut command = demo.command(arguments);
        command.stdout(unread()).stderr(unread()).status().unwrap().code()
    };
    assert_eq!(code(&["-vv", "check"]), Some(0));
    assert_eq!(code(&["alerts"]), Some(4), "there is no database yet");
    assert_eq!(code(&["-vv", "run", "--once"]), Some(0));
}

#[test]
fn a_list_of_feeds_is_imported_for_review_and_exported() {
    let demo = Demo::new();
    let opml = "<opml><body><outline text='Asia'><outline text='Harbour Times' \
                xmlUrl='https://times.example/rss?a=1&amp;b=2'/><outline text='王报' \
                xmlUrl='https://www.wang.example/'/></outline></body></opml>";
    let output = demo.run_with(opml, &["feeds", "import", "-"]);
    let toml = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for expected in ["name = \"harbour-times\"", "name = \"wang-example\"", "tags = [\"Asia\"]"] {
        assert!(toml.contains(expected), "{toml}");
    }
    std::fs::write(demo.path("feeds/imported.toml"), &toml).unwrap();
    demo.out(0, &["check"]);
    let exported = demo.out(0, &["feeds", "export"]);
    assert!(exported.contains("xmlUrl=\"https://times.example/rss?a=1&amp;b=2\""), "{exported}");
    let again = demo.run_with(&exported, &["feeds", "import", "-"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("2 there already"));
}

#[test]
fn what_is_exported_comes_back_with_all_its_keys() {
    let desk = "[[feed]]\nname = \"the-desk\"\nurl = \"https://desk.example/rss?a=1&b=2\"\n\
                title = \"Desk & <Co>\"\nowner = \"desk-media\"\nalignment = \"private:xx\"\nlang = \"ru\"\n\
                region = \"east\"\ntags = [\"wire\", \"world/asia\"]\ninterval = \"10m\"\nencoding = \"koi8-r\"\n\
                timezone = \"+03:30\"\nallow_private = true\nenabled = false\nfill_gaps = true\n\
                ignore_cache_lifetime = true\npriority = \"wire\"\nexpected_every = \"2d\"\n\n\
                [[feed]]\nname = \"plain\"\nurl = \"https://plain.example/\"\nmin_interval = \"20m\"\n\
                max_interval = \"3h\"\ntags = [\"Seoul, Busan\", \"only\"]\n\
                [[feed]]\nname = \"bare\"\nurl = \"https://bare.example/\"\n";
    let (from, to) = (Demo::new(), Demo::new());
    std::fs::write(from.path("feeds/desk.toml"), desk).unwrap();
    let exported = from.out(0, &["feeds", "export", "--all"]);
    let output = to.run_with(&exported, &["feeds", "import", "-"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("private addresses, if you leave that in: the-desk"), "{said}");
    std::fs::write(to.path("feeds/desk.toml"), output.stdout).unwrap();
    let feeds = |demo: &Demo| {
        let shown: toml::Table = toml::from_str(&demo.out(0, &["config", "show"])).unwrap();
        let mut feeds = shown["feed"].as_array().unwrap().clone();
        feeds.retain(|feed| feed["url"].as_str().unwrap().starts_with("https:"));
        // Those of one folder stand together.
        feeds.sort_by_key(|feed| feed["name"].as_str().unwrap().to_owned());
        feeds
    };
    assert_eq!(feeds(&from).len(), 3);
    assert_eq!(feeds(&to), feeds(&from));
}

#[test]
fn how_a_server_is_reached_is_exported_to_nobody_and_a_stranger_sets_no_such_key() {
    let demo = Demo::new();
    let feed = "[[feed]]\nname = \"wire\"\nurl = \"https://wire.example/\"\nheaders = { X-Key = \"k1\" }\n";
    std::fs::write(demo.path("feeds/wire.toml"), feed).unwrap();
    let output = demo.run(&["feeds", "export"]);
    let (exported, said) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert!(!String::from_utf8(exported).unwrap().contains("k1"));
    assert!(said.contains("are left out, of wire\n"), "{said}");
    let opml = "<opml xmlns:n='urn:newswatch:schema:opml:1'><outline text='A' n:name='Not a name' \
                n:token_file='/etc/shadow' n:fill_gaps='true\nproxy = \"x\"' n:owner='a\"\nproxy = \"b' \
                xmlUrl='https://a.example/'/></opml>";
    let output = demo.run_with(opml, &["feeds", "import", "-"]);
    let toml = String::from_utf8(output.stdout).unwrap();
    let table: toml::Table = toml::from_str(&toml).unwrap();
    let keys: Vec<&String> = table["feed"][0].as_table().unwrap().keys().collect();
    assert_eq!(keys, ["name", "owner", "title", "url"], "{toml}");
}

#[test]
fn an_empty_list_has_the_same_header_as_a_full_one() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let header = |arguments: &[&str]| {
        let out = demo.out(0, &[arguments, &["--format", "csv"]].concat());
        (out.lines().next().unwrap().to_owned(), out.lines().count())
    };
    for list in ["items", "hits", "alerts", "stories", "deliveries"] {
        let (full, lines) = header(&[list]);
        assert!(lines > 1);
        assert_eq!(header(&[list, "--until", "2020-01-01"]), (full.clone(), 1), "{list}");
        let fields = demo.list(&[list])[0].as_object().unwrap().clone();
        let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(full, fields.join(","), "{list} in CSV and in JSON");
    }
    let fields = demo.list(&["feeds"])[0].as_object().unwrap().clone();
    let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(header(&["feeds"]).0, fields.join(","));
}

#[test]
fn a_line_that_is_no_object_is_called_so() {
    let demo = Demo::new();
    let output = demo.run_with("[\"title\"]\n\"title\"\n7\n", &["match"]);
    let error = String::from_utf8(output.stderr).unwrap();
    for line in 1..=3 {
        assert!(error.contains(&format!("line {line}: no item: not a JSON object\n")), "{error}");
    }
}

#[test]
fn deliveries_that_cannot_be_retried_are_told_apart() {
    let demo = Demo::new();
    demo.out(0, &["run", "--once"]);
    let (code, error) = said(&demo, &["deliveries", "retry", "1", "77"]);
    assert_eq!(code, Some(1));
    for part in ["delivery 1 was sent\n", "there is no delivery 77\n", "0 of 2 made due again\n"] {
        assert!(error.contains(part), "{error}");
    }
}

/// What stands below the options of a command in its help, at most 80 columns wide.
fn below_the_options(demo: &Demo, command: &[&str]) -> String {
    let mut call = demo.command(&[command, &["--help"]].concat());
    let output = call.env("COLUMNS", "80").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    // The last of the options of every command.
    help.split("The systemd journal, with fields").nth(1).unwrap_or_default().to_owned()
}

#[test]
fn the_help_of_no_command_breaks_its_lines_twice() {
    let demo = Demo::new();
    for command in [
        &["run"][..],
        &["check"],
        &["match"],
        &["explain"],
        &["backtest"],
        &["nearmiss"],
        &["hits"],
        &["alerts"],
        &["alerts", "ack"],
        &["items"],
        &["feeds"],
        &["feeds", "parse"],
        &["feeds", "poll"],
        &["feeds", "retry"],
        &["feeds", "add"],
        &["feeds", "import"],
        &["feeds", "export"],
        &["deliveries"],
        &["route"],
        &["route", "test"],
        &["silence"],
        &["silence", "add"],
        &["status"],
    ] {
        let text = below_the_options(&demo, command);
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let goes_on = !pair[1].starts_with(' ') && !pair[0].is_empty();
            let first_word = pair[1].split(' ').next().unwrap_or_default();
            let had_room = pair[0].len() + 1 + first_word.len() <= 80;
            let ended = pair[0].starts_with(' ') || pair[0].ends_with(['.', ':']);
            assert!(!goes_on || first_word.is_empty() || ended || !had_room, "{command:?}: {text}");
            let example = pair[0].starts_with("  newswatch");
            let cut = pair[1].starts_with("  ") && !pair[1].starts_with("  newswatch");
            assert!(!(example && cut) || pair[1].starts_with("  sudo"), "{command:?}: {text}");
        }
    }
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let demo = Demo::new();
    let help = demo.out(0, &["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let of = |help: &str| -> Vec<String> {
        help.lines()
            .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let commands = of(commands);
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let help = demo.out(0, &[&command, "--help"]);
        assert!(help.contains("Example"), "{command}: {help}");
    }
}

#[test]
fn status_says_whether_it_is_healthy() {
    let demo = Demo::new();
    assert_ne!(demo.run(&["status"]).status.code(), Some(0), "it has never run");
    demo.out(0, &["run", "--once"]);
    let out = demo.out(0, &["status"]);
    assert!(out.starts_with("healthy"), "{out}");
    assert!(out.contains("13 items, 8 hits, 8 alerts"), "{out}");
}

#[test]
fn commands_that_are_generated_are_there() {
    let demo = Demo::new();
    assert!(demo.out(0, &["completions", "bash"]).contains("newswatch"));
    assert!(demo.out(0, &["man"]).contains(".TH"));
    assert!(demo.out(0, &["config", "show"]).contains("first_run"));
    assert_eq!(demo.run(&["no-such-command"]).status.code(), Some(2));
    let help = demo.out(0, &["match", "--help"]);
    assert!(help.contains("Example"), "{help}");
}
