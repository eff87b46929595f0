//! Alerts, posted to an address: as records, signed, or in the form that a chat service wants.
//!
//! Records are sent as Standard Webhooks has it, so that a receiver can tell that they are ours and
//! can drop what it has had (<https://www.standardwebhooks.com>).

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::chat::{self, Told};
use super::http::{self, Http, Parcel};
use super::{Delivery, Outgoing, message_id};
use crate::alert::notice::Notice;
use crate::config::{Template, Webhook as Settings};
use crate::secret;

const ONE_RECORD: &str = "application/cloudevents+json; charset=utf-8";
const RECORDS: &str = "application/cloudevents-batch+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// A webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    http: Http,
    headers: HeaderMap,
    secrets: secret::Reader,
    settings: Settings,
}

impl Webhook {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name: HeaderName =
                name.parse().with_context(|| format!("{name:?} is no name of a header"))?;
            let value: HeaderValue =
                value.parse().with_context(|| format!("header {name} has an impossible value"))?;
            headers.insert(name, value);
        }
        Ok(Self {
            http: Http::new(settings.allow_private, settings.timeout)?,
            headers,
            secrets: secret::Reader::new(),
            settings: settings.clone(),
        })
    }

    pub(super) async fn deliver(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        match self.parcel(alerts, now).await {
            Ok(parcel) => self.http.send(parcel, now).await,
            Err(why) => Delivery::again(why),
        }
    }

    async fn parcel(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Result<Parcel, String> {
        let id = message_id(alerts);
        let (kind, body) = body(&self.settings.template, alerts);
        let mut url = http::url(&self.settings.address, &self.secrets).await?;
        let mut method = Method::POST;
        if let Template::Matrix { room } = &self.settings.template {
            // The transaction's id makes a server drop what it has had.
            method = Method::PUT;
            url = matrix_address(url, room, &id)?;
        }
        let mut headers = self.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(source) = &self.settings.authorization {
            let secret = self.secrets.read(source).await.map_err(|error| error.to_string())?;
            headers.insert(header::AUTHORIZATION, http::secret_header(&secret)?);
        }
        if self.settings.template == Template::Generic {
            let seconds = now.as_second();
            let mut sign = vec![("webhook-timestamp", seconds.to_string())];
            if let Some(source) = &self.settings.secret {
                let secrets = self.secrets.read_lines(source).await;
                let secrets = secrets.map_err(|error| error.to_string())?;
                let signed = super::signature::signatures(&secrets, &id, seconds, &body)?;
                sign.push(("webhook-signature", signed));
            }
            sign.push(("webhook-id", id));
            for (name, value) in sign {
                let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok(Parcel { method, url, headers, body })
    }
}

/// The media type and the body.
pub(super) fn body(template: &Template, alerts: &[Outgoing<'_>]) -> (&'static str, String) {
    let notices: Vec<Notice> = alerts.iter().map(|alert| Notice::of(alert.record)).collect();
    let body = match template {
        Template::Generic => match alerts {
            [one] => return (ONE_RECORD, one.line.to_owned()),
            several => {
                let lines: Vec<&str> = several.iter().map(|alert| alert.line).collect();
                return (RECORDS, format!("[{}]", lines.join(",")));
            }
        },
        Template::Slack => chat::slack(&Told::of(notices)),
        Template::Discord => chat::discord(notices),
        Template::Mattermost => chat::mattermost(&Told::of(notices)),
        Template::Teams => chat::teams(&Told::of(notices)),
        Template::Matrix { .. } => chat::matrix(&Told::of(notices)),
        Template::Telegram { chat } => chat::telegram(&Told::of(notices), chat),
    };
    (JSON, body)
}

/// Where an event is put into a room
/// (<https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>).
fn matrix_address(mut url: Url, room: &str, id: &str) -> Result<Url, String> {
    url.path_segments_mut()
        .map_err(|()| "the address is none of a server".to_owned())?
        .pop_if_empty()
        .extend(["_matrix", "client", "v3", "rooms", room, "send", "m.room.message", id]);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::alert::record::tests::record;

    /// The body for one alert of this title.
    fn sent(template: &Template, title: &str) -> Value {
        let record = record(title);
        let line = serde_json::to_string(&record).unwrap();
        let (_, body) = body(template, &[Outgoing { record: &record, line: &line }]);
        serde_json::from_str(&body).unwrap()
    }

    /// The body for as many alerts of this title.
    fn digest(template: &Template, title: &str, count: usize) -> (String, Value) {
        let record = record(title);
        let line = serde_json::to_string(&record).unwrap();
        let alerts = vec![Outgoing { record: &record, line: &line }; count];
        let (_, body) = body(template, &alerts);
        let value = serde_json::from_str(&body).unwrap();
        (body, value)
    }

    fn telegram() -> Template {
        Template::Telegram { chat: "-100".to_owned() }
    }

    fn matrix() -> Template {
        Template::Matrix { room: "!desk:example.org".to_owned() }
    }

    #[test]
    fn slack_gets_text_that_is_no_markup() {
        let body = sent(&Template::Slack, "<!channel> & *bold* @here");
        let elements = body["blocks"][0]["elements"][0]["elements"].as_array().unwrap();
        assert_eq!(elements[0]["text"], "[high] Arms");
        assert_eq!(
            elements[1],
            serde_json::json!({
                "type": "text", "text": "\n<!channel> & *bold* @here"
            })
        );
        assert!(elements.contains(&serde_json::json!({
            "type": "link", "url": "https://example.org/1"
        })));
        assert_eq!(body["text"], "[high] Arms: &lt;!channel&gt; &amp; *bold* @here");
        assert_eq!(body["mrkdwn"], false);
    }

    #[test]
    fn discord_calls_nobody() {
        let body = sent(&Template::Discord, "@everyone <@&1> **x** [a](https://evil.example)");
        assert_eq!(body["allowed_mentions"], serde_json::json!({"parse": []}));
        let text = body["embeds"][0]["description"].as_str().unwrap();
        assert!(
            text.starts_with(r"@everyone \<@&1\> \*\*x\*\* \[a\]\(https\://evil\.example\)"),
            "{text}"
        );
        assert_eq!(body["embeds"][0]["url"], "https://example.org/1");
    }

    #[test]
    fn mattermost_reads_no_mention_and_no_markdown() {
        let body = sent(&Template::Mattermost, "@all <!here> # *x*");
        let text = body["text"].as_str().unwrap();
        assert!(text.contains("@\u{200b}all <\u{200b}\\!here\\> \\# \\*x\\*"), "{text}");
        assert!(text.contains("<https://example.org/1>"), "{text}");
    }

    #[test]
    fn teams_gets_a_card_of_text_that_is_not_markdown() {
        let body = sent(&Template::Teams, "**x** <at>all</at>");
        let card = &body["attachments"][0]["content"];
        assert_eq!(body["type"], "message");
        assert_eq!(card["type"], "AdaptiveCard");
        assert_eq!(card["body"][1]["type"], "RichTextBlock");
        assert_eq!(card["body"][1]["inlines"][0]["text"], "**x** <at>all</at>");
        assert_eq!(card["actions"][0]["url"], "https://example.org/1");
        assert!(card.get("msteams").is_none(), "nobody is mentioned");
    }

    #[test]
    fn matrix_gets_an_event_that_mentions_nobody() {
        let body = sent(&matrix(), "@room <b>x</b>");
        assert_eq!(body["msgtype"], "m.text");
        assert_eq!(body["m.mentions"], serde_json::json!({}));
        assert!(body["body"].as_str().unwrap().contains("@room <b>x</b>"));
        let marked = body["formatted_body"].as_str().unwrap();
        assert!(marked.contains("@room &lt;b&gt;x&lt;/b&gt;"), "{marked}");
    }

    #[test]
    fn a_room_of_matrix_is_written_to_under_the_id_of_the_alert() {
        let base = Url::parse("https://matrix.example.org/").unwrap();
        assert_eq!(
            matrix_address(base, "!a/b:example.org", "0192").unwrap().as_str(),
            "https://matrix.example.org/_matrix/client/v3/rooms/!a%2Fb:example.org/send/\
             m.room.message/0192"
        );
    }

    #[test]
    fn telegram_gets_html_that_calls_nobody() {
        let body = sent(&telegram(), "<b>@user</b> & co");
        assert_eq!(body["chat_id"], "-100");
        assert_eq!(body["parse_mode"], "HTML");
        let text = body["text"].as_str().unwrap();
        assert!(text.contains("&lt;b&gt;@\u{200b}user&lt;/b&gt; &amp; co"), "{text}");
    }

    #[test]
    fn several_records_are_a_batch() {
        let (_, body) = digest(&Template::Generic, "x", 3);
        assert_eq!(body.as_array().unwrap().len(), 3);
    }

    #[test]
    fn no_message_is_longer_than_its_service_takes() {
        for title in ["\"<&*_`", "王毅", "@", "|"].map(|text| text.repeat(400)) {
            for count in [1, 2, 7, 20, 50] {
                let size = |text: &Value| text.as_str().unwrap().encode_utf16().count();
                let (_, body) = digest(&Template::Discord, &title, count);
                let embeds = body["embeds"].as_array().unwrap();
                let all: usize = embeds
                    .iter()
                    .map(|embed| size(&embed["title"]) + size(&embed["description"]))
                    .sum();
                assert!(embeds.len() <= 10 && all <= 6000, "discord {count}: {all}");
                assert!(embeds.iter().all(|embed| size(&embed["title"]) <= 256));
                for template in [Template::Mattermost, telegram()] {
                    let (_, body) = digest(&template, &title, count);
                    let size = size(&body["text"]);
                    assert!(size <= 4096, "{template:?} {count}: {size}");
                }
                let (body, _) = digest(&Template::Teams, &title, count);
                assert!(body.len() <= 28_000, "teams {count}: {}", body.len());
                let (body, _) = digest(&matrix(), &title, count);
                assert!(body.len() <= 60_000, "matrix {count}: {}", body.len());
                let (body, _) = digest(&Template::Slack, &title, count);
                assert!(body.len() <= 100_000, "slack {count}: {}", body.len());
            }
        }
    }
}
