//! The alert record, posted to an address.
//!
//! Ids and times are sent as Standard Webhooks names them, so that a receiver can drop what it has
//! had (<https://www.standardwebhooks.com>).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Delivery;
use crate::alert::record::AlertRecord;
use crate::fetch::{address, headers};
use crate::text::clean::clean;

/// How much of an answer is read, to say why a delivery failed.
const LONGEST_ANSWER: usize = 4 << 10;
/// The longest file that holds a secret.
const LONGEST_SECRET: u64 = 8 << 10;

/// How to reach a webhook.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) authorization_file: Option<PathBuf>,
    pub(super) allow_private: bool,
    pub(super) timeout: Duration,
}

/// A webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    client: reqwest::Client,
    headers: HeaderMap,
    settings: Settings,
}

/// Why an address is not asked, and what to do when it is meant.
fn private(refused: &address::Forbidden) -> String {
    format!("{refused}; set allow_private = true if that is meant")
}

impl Webhook {
    pub(super) fn new(settings: Settings) -> anyhow::Result<Self> {
        let client =
            address::client(settings.allow_private, settings.timeout).map_err(|error| {
                anyhow::anyhow!("failed to set up HTTP: {}", address::chain(&error))
            })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name: HeaderName =
                name.parse().with_context(|| format!("{name:?} is no name of a header"))?;
            let value: HeaderValue =
                value.parse().with_context(|| format!("header {name} has an impossible value"))?;
            headers.insert(name, value);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/cloudevents+json; charset=utf-8"),
        );
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("newswatch/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(Self { client, headers, settings })
    }

    pub(super) async fn deliver(&self, record: &AlertRecord, line: &str) -> Delivery {
        let attempt = self.post(record, line);
        match tokio::time::timeout(self.settings.timeout, attempt).await {
            Ok(delivery) => delivery,
            Err(_) => Delivery::again(format!("no answer within {:?}", self.settings.timeout)),
        }
    }

    async fn post(&self, record: &AlertRecord, line: &str) -> Delivery {
        if !self.settings.allow_private
            && let Err(error) = address::check_literal(&self.settings.url)
        {
            return Delivery::Rejected { why: private(&error) };
        }
        let mut headers = self.headers.clone();
        let id_and_time = [
            ("webhook-id", record.id.clone()),
            ("webhook-timestamp", record.recordedtime.as_second().to_string()),
        ];
        for (name, value) in id_and_time {
            headers.extend(
                HeaderValue::from_str(&value)
                    .ok()
                    .map(|value| (HeaderName::from_static(name), value)),
            );
        }
        match self.authorization() {
            Ok(Some(value)) => {
                headers.insert(header::AUTHORIZATION, value);
            }
            Ok(None) => {}
            Err(why) => return Delivery::again(why),
        }
        let request =
            self.client.post(self.settings.url.clone()).headers(headers).body(line.to_owned());
        match request.send().await {
            Ok(response) => judge(response, record).await,
            Err(error) => Delivery::again(match address::forbidden(&error) {
                Some(refused) => private(refused),
                None => address::chain(&error.without_url()),
            }),
        }
    }

    /// The secret, read anew for each delivery so that it can be changed while the daemon runs.
    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let Some(path) = &self.settings.authorization_file else { return Ok(None) };
        let failed = |why: String| format!("reading {} failed: {why}", path.display());
        let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > LONGEST_SECRET {
            return Err(failed("it is too long for a secret".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut value = HeaderValue::from_str(text.trim())
            .map_err(|_| failed("it holds more than one line".to_owned()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// What an answer means for the delivery.
async fn judge(mut response: reqwest::Response, record: &AlertRecord) -> Delivery {
    let status = response.status();
    if status.is_success() {
        return Delivery::Delivered;
    }
    let after = headers::retry_after(response.headers(), record.recordedtime);
    let mut answer = Vec::new();
    while answer.len() < LONGEST_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        answer.extend_from_slice(&chunk);
    }
    answer.truncate(LONGEST_ANSWER);
    let answer: String = clean(String::from_utf8_lossy(&answer).trim()).chars().take(200).collect();
    let why = format!("{status} {answer}").trim().to_owned();
    match status.as_u16() {
        408 | 425 | 429 | 500..=599 => Delivery::RetryAfter { after, why },
        _ => Delivery::Rejected { why },
    }
}
