//! Titles that are made to do harm, through every receiver.

use std::os::unix::net::UnixDatagram;

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::alert::record::tests::record;
use crate::alert::render;
use crate::config::Template;

/// One title for each way of doing harm.
fn hostile() -> Vec<String> {
    let mut titles: Vec<String> = [
        "a line\nX-Priority: 1\r\nBcc: all@example.org\r\n\r\nbody",
        "mail\r\n.\r\nMAIL FROM:<x@example.org>",
        "journal\nPRIORITY=0\n_UID=0",
        "terminal \u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{8}\u{8}",
        "turned \u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{200f}\u{feff}",
        "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>",
        "]]><!-- <feed><entry> &amp; &lt;b&gt; &#x1b; &nonsense;",
        "**bold** _it_ `code` [click](javascript:alert(1)) # x\n> quote\n- list | ~~no~~",
        "@everyone @here @channel @room @all <!channel> <!here> <@U1> <@&1> <#C1> <at>all</at>",
        "<https://evil.example|example.org> https://evil.example/",
        "\", \"admin\": true, \"x\": \"\\u0000 \0 \u{1} \u{ffff} \u{fffe}",
        "$(reboot) `reboot` ; rm -rf / | cat && %s {{x}} ${x} #{x}",
        "/start :bomb: =cmd|' /C calc'!A0",
    ]
    .map(str::to_owned)
    .into();
    titles.push("王\u{202e}<b>@all\n".repeat(200_000));
    titles
}

/// Does something with each hostile alert and its line.
fn each(mut check: impl FnMut(&str, Outgoing<'_>)) {
    for title in hostile() {
        let record = record(&title);
        let line = serde_json::to_string(&record).unwrap();
        let start: String = title.chars().take(60).collect();
        check(&start, Outgoing { record: &record, line: &line });
    }
}

/// Nothing in it drives a terminal, turns text around, or begins a line that is not meant.
#[track_caller]
fn is_clean(text: &str, title: &str) {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let found = text.chars().find(|character| harmful(*character));
    assert_eq!(found, None, "of {title:?} in {text:?}");
}

/// Every text of a JSON value is clean.
fn texts_are_clean(value: &Value, title: &str) {
    match value {
        Value::String(text) => is_clean(text, title),
        Value::Array(values) => values.iter().for_each(|value| texts_are_clean(value, title)),
        Value::Object(values) => values.values().for_each(|value| texts_are_clean(value, title)),
        _ => {}
    }
}

/// What a chat service gets.
fn sent(template: &Template, alert: Outgoing<'_>, title: &str) -> Value {
    let (_, body) = webhook::body(template, &[alert]);
    assert!(body.len() < 64_000, "{} bytes of {title:?}", body.len());
    let value = serde_json::from_str(&body).unwrap();
    texts_are_clean(&value, title);
    value
}

/// What is left of HTML when the tags that are ours are taken out.
fn without_tags(html: &str) -> String {
    let mut text = html.to_owned();
    for tag in [
        "<b>",
        "</b>",
        "<strong>",
        "</strong>",
        "<br>",
        "</a>",
        "<p>",
        "</p>",
        "<small>",
        "</small>",
    ] {
        text = text.replace(tag, "");
    }
    text.replace("<a href=\"https://example.org/1\">", "")
}

#[test]
fn a_hostile_title_on_standard_output_is_text() {
    each(|title, alert| {
        let text = render::block(alert.record, false);
        is_clean(&text, title);
        assert_eq!(text.lines().count(), 6, "{text}");
    });
}

#[test]
fn a_hostile_title_in_the_alert_log_is_one_line_that_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let log = jsonl::Jsonl::open(&path).unwrap();
    let mut count = 0;
    each(|title, alert| {
        // Each is an alert of its own.
        let fresh = AlertRecord { id: format!("{title}{count}"), ..alert.record.clone() };
        let line = serde_json::to_string(&fresh).unwrap();
        count += 1;
        assert_eq!(log.deliver(&[Outgoing { record: &fresh, line: &line }]), Delivery::Delivered);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), count, "{title:?}");
        let last: AlertRecord = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last, fresh, "{title:?}");
    });
}

#[test]
fn a_hostile_title_in_the_journal_adds_no_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let journal = journald::Journald::at(&path).unwrap();
    each(|title, alert| {
        assert_eq!(journal.deliver(&[alert]), Delivery::Delivered);
        let mut datagram = vec![0; 1 << 18];
        let length = socket.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        is_clean(text, title);
        let names: Vec<&str> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
        let known = |name: &&str| {
            matches!(*name, "MESSAGE" | "MESSAGE_ID" | "PRIORITY" | "SYSLOG_IDENTIFIER")
                || name.starts_with("NEWSWATCH_")
        };
        assert!(names.iter().all(known), "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == "PRIORITY").count(), 1, "{title:?}");
    });
}

#[test]
fn a_hostile_title_to_a_webhook_is_json_that_reads_back() {
    each(|title, alert| {
        let (_, body) = webhook::body(&Template::Generic, &[alert]);
        assert_eq!(&serde_json::from_str::<AlertRecord>(&body).unwrap(), alert.record, "{title:?}");
        assert!(body.len() < 20_000, "{} bytes of {title:?}", body.len());
    });
}

#[test]
fn a_hostile_title_to_slack_is_text() {
    each(|title, alert| {
        let body = sent(&Template::Slack, alert, title);
        assert!(!body["text"].as_str().unwrap().contains(['<', '>']), "{title:?}");
        let elements = body["blocks"][0]["elements"][0]["elements"].as_array().unwrap();
        let links = elements.iter().filter(|element| element["type"] != "text");
        assert_eq!(links.map(|link| &link["url"]).collect::<Vec<_>>(), ["https://example.org/1"]);
    });
}

#[test]
fn a_hostile_title_to_discord_is_text_that_calls_nobody() {
    each(|title, alert| {
        let body = sent(&Template::Discord, alert, title);
        assert_eq!(body["allowed_mentions"], serde_json::json!({"parse": []}));
        let text = body["embeds"][0]["description"].as_str().unwrap();
        for (mark, place) in ['*', '_', '`', '<', '[', '|', '~', '>', '#']
            .into_iter()
            .flat_map(|mark| text.match_indices(mark).map(move |(place, _)| (mark, place)))
        {
            assert!(text[..place].ends_with('\\'), "{mark} of {title:?} in {text:?}");
        }
    });
}

#[test]
fn a_hostile_title_to_mattermost_is_text_that_calls_nobody() {
    each(|title, alert| {
        let body = sent(&Template::Mattermost, alert, title);
        let text = body["text"].as_str().unwrap();
        assert!(text.split('@').skip(1).all(|rest| rest.starts_with('\u{200b}')), "{text:?}");
        let text = text.replace("<https://example.org/1>", "");
        assert!(text.split('<').skip(1).all(|rest| rest.starts_with('\u{200b}')), "{text:?}");
        assert!(!text.contains("](") && !text.contains("~~"), "{text:?}");
    });
}

#[test]
fn a_hostile_title_to_teams_is_text_that_is_not_markdown() {
    each(|title, alert| {
        let body = sent(&Template::Teams, alert, title);
        let card = &body["attachments"][0]["content"];
        let blocks = card["body"].as_array().unwrap();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "{title:?}");
        assert_eq!(card["actions"].as_array().unwrap().len(), 1);
        assert!(card.get("msteams").is_none());
    });
}

#[test]
fn a_hostile_title_to_matrix_is_text_that_calls_nobody() {
    let template = Template::Matrix { room: "!desk:example.org".to_owned() };
    each(|title, alert| {
        let body = sent(&template, alert, title);
        assert_eq!(body["m.mentions"], serde_json::json!({}));
        let html = without_tags(body["formatted_body"].as_str().unwrap());
        assert!(!html.contains(['<', '>', '"']), "{html:?}");
    });
}

#[test]
fn a_hostile_title_to_telegram_is_text_that_calls_nobody() {
    let template = Template::Telegram { chat: "-100".to_owned() };
    each(|title, alert| {
        let body = sent(&template, alert, title);
        let text = without_tags(body["text"].as_str().unwrap());
        assert!(!text.contains(['<', '>', '"']), "{text:?}");
        assert!(text.split('@').skip(1).all(|rest| rest.starts_with('\u{200b}')), "{text:?}");
    });
}

#[test]
fn a_hostile_title_in_a_mail_adds_no_header_and_no_markup() {
    each(|title, alert| {
        let mail = smtp::tests::mail(std::slice::from_ref(alert.record));
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let mut expected = vec![
            "From",
            "Message-ID",
            "Date",
            "Subject",
            "Auto-Submitted",
            "To",
            "In-Reply-To",
            "References",
            "MIME-Version",
            "Content-Type",
        ];
        let mut found = names.clone();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{title:?}");
        assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998), "{title:?}");
        let html = body.split("text/html").nth(1).unwrap().to_lowercase();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    });
}

#[test]
fn a_hostile_title_on_a_telephone_is_text() {
    each(|title, alert| {
        let body: Value = serde_json::from_str(&ntfy::body("desk", &[alert])).unwrap();
        texts_are_clean(&body, title);
        assert_eq!(body["topic"], "desk");
        assert_eq!(body["click"], "https://example.org/1");
        assert!(body["message"].as_str().unwrap().len() <= 4_096);
        assert!(!body["title"].as_str().unwrap().contains('\n'));
    });
}

#[tokio::test]
async fn a_hostile_title_to_a_program_is_one_line_of_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("got");
    let settings = config::Command {
        program: "/bin/sh".into(),
        arguments: ["-c", "cat > \"$0\"", path.to_str().unwrap()].map(str::to_owned).into(),
        timeout: std::time::Duration::from_secs(60),
    };
    let command = command::Command::new(&settings);
    for title in hostile() {
        let record = record(&title);
        let line = serde_json::to_string(&record).unwrap();
        let alert = Outgoing { record: &record, line: &line };
        assert_eq!(command.deliver(&[alert]).await, Delivery::Delivered);
        let got = std::fs::read_to_string(&path).unwrap();
        assert_eq!(got.lines().collect::<Vec<_>>(), [line]);
    }
}

#[test]
fn a_hostile_title_in_the_feed_is_text_for_a_reader_of_feeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.atom");
    let settings =
        config::Atom { path: path.clone(), entries: 100, title: "<b>]]>\u{ffff}".to_owned() };
    let atom = atom::Atom::open("feed", &settings).unwrap();
    let mut count = 0;
    each(|title, alert| {
        count += 1;
        let record = AlertRecord { id: format!("{count:032}"), ..alert.record.clone() };
        let alert = Outgoing { record: &record, line: "" };
        assert_eq!(atom.deliver(&[alert], Timestamp::UNIX_EPOCH), Delivery::Delivered);
        let text = std::fs::read_to_string(&path).unwrap();
        is_clean(&text, title);
        let parsed = atom::tests::parsed(&path);
        assert_eq!(parsed.items.len(), count, "{title:?}");
        assert_eq!(parsed.items[0].link.as_deref(), Some("https://example.org/1"));
        let start = parsed.items[0].title.starts_with("[high] Arms: ");
        assert!(start, "{:?}", parsed.items[0].title);
        assert!(!text.contains("<script") && !text.contains("<img"), "{title:?}");
    });
}
