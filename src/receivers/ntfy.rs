//! ntfy: push messages to telephones (<https://docs.ntfy.sh/publish/#publish-as-json>).
//!
//! A message is published as JSON, where text of any script is what it is; in headers it would have
//! to be encoded.

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};
use serde::Serialize;

use super::chat::plain;
use super::http::{self, Http, Parcel};
use super::{Delivery, Outgoing};
use crate::alert::notice::Notice;
use crate::alert::record::shortened;
use crate::config::Ntfy as Settings;
use crate::secret;

/// The longest message, in bytes: ntfy makes a file of one that is longer than 4,096.
const LONGEST_MESSAGE: usize = 4_000;
/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// A topic of a server.
#[derive(Debug)]
pub(super) struct Ntfy {
    http: Http,
    secrets: secret::Reader,
    settings: Settings,
}

impl Ntfy {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let http = Http::new(settings.allow_private, settings.timeout)?;
        Ok(Self { http, secrets: secret::Reader::new(), settings: settings.clone() })
    }

    pub(super) async fn deliver(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        match self.parcel(alerts).await {
            Ok(parcel) => self.http.send(parcel, now).await,
            Err(why) => Delivery::again(why),
        }
    }

    async fn parcel(&self, alerts: &[Outgoing<'_>]) -> Result<Parcel, String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        if let Some(source) = &self.settings.authorization {
            let secret = self.secrets.read(source).await.map_err(|error| error.to_string())?;
            headers.insert(header::AUTHORIZATION, http::secret_header(&secret)?);
        }
        let url = self.settings.url.clone();
        let body = body(&self.settings.topic, alerts);
        Ok(Parcel { method: Method::POST, url, headers, body })
    }
}

/// What is published.
pub(super) fn body(topic: &str, alerts: &[Outgoing<'_>]) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        topic: &'a str,
        title: String,
        message: String,
        priority: u8,
        tags: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        click: Option<String>,
    }
    let notices: Vec<Notice> = alerts.iter().map(|alert| Notice::of(alert.record)).collect();
    let priority = notices.iter().map(|notice| priority(&notice.severity)).max().unwrap_or(3);
    let (title, message, tags, click) = match notices.as_slice() {
        [one] => {
            let whole = plain(one);
            // The title is the first line.
            let message = whole.split_once('\n').map_or(whole.as_str(), |(_, rest)| rest);
            (one.title(), message.to_owned(), vec![one.severity.clone()], one.link.clone())
        }
        several => {
            let lines: Vec<String> = several.iter().map(Notice::line).collect();
            (format!("{} alerts", several.len()), lines.join("\n"), Vec::new(), None)
        }
    };
    let body = Body {
        topic,
        title: shortened(&title, LONGEST_TITLE),
        message: within(message),
        priority,
        tags,
        click,
    };
    serde_json::to_string(&body).expect("texts and numbers can be written as JSON")
}

/// 5 breaks through a telephone's "do not disturb".
fn priority(severity: &str) -> u8 {
    match severity {
        "critical" => 5,
        "high" => 4,
        "low" => 2,
        _ => 3,
    }
}

fn within(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE - '…'.len_utf8()));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::alert::record::tests::record;

    #[test]
    fn a_message_has_a_title_a_priority_and_a_link() {
        let record = record("王毅 ships arms");
        let body = body("desk", &[Outgoing { record: &record, line: "" }]);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["topic"], "desk");
        assert_eq!(body["title"], "[high] Arms");
        assert!(body["message"].as_str().unwrap().starts_with("王毅 ships arms\nExample News"));
        assert_eq!((&body["priority"], &body["tags"]), (&json!(4), &json!(["high"])));
        assert_eq!(body["click"], "https://example.org/1");
    }

    #[test]
    fn no_message_is_so_long_that_it_becomes_a_file() {
        let record = record(&"王".repeat(2_000_000));
        let alerts = vec![Outgoing { record: &record, line: "" }; 200];
        let body: Value = serde_json::from_str(&body("desk", &alerts)).unwrap();
        let length = body["message"].as_str().unwrap().len();
        assert!((3_900..=4_096).contains(&length), "{length}");
    }
}
