//! One request to a server of a receiver, under limits, and what its answer means.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::Delivery;
use crate::alert::record::shortened;
use crate::config::Address;
use crate::fetch::{address, headers};
use crate::secret;
use crate::text::clean::clean;

/// How much of an answer is read, in bytes, to say why a delivery failed.
const LONGEST_ANSWER: usize = 4 << 10;
/// How much of it is kept, in characters.
const LONGEST_WHY: usize = 200;

/// Asks the servers of receivers.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    allow_private: bool,
    timeout: Duration,
}

/// A request.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Why an address is not asked, and what to do when it is meant.
fn private(refused: &address::Forbidden) -> String {
    format!("{refused}; set allow_private = true if that is meant")
}

impl Http {
    pub(super) fn new(allow_private: bool, timeout: Duration) -> anyhow::Result<Self> {
        let client = address::client(allow_private, timeout)
            .map_err(|error| anyhow::anyhow!(address::chain(&error)))
            .context("failed to set up HTTP")?;
        Ok(Self { client, allow_private, timeout })
    }

    /// Sends a request. No redirect is followed: it would take the alert, and the secrets with it,
    /// to a server that nobody has named.
    pub(super) async fn send(&self, parcel: Parcel, now: Timestamp) -> Delivery {
        match tokio::time::timeout(self.timeout, self.ask(parcel, now)).await {
            Ok(delivery) => delivery,
            Err(_) => Delivery::again(format!("no answer within {:?}", self.timeout)),
        }
    }

    async fn ask(&self, parcel: Parcel, now: Timestamp) -> Delivery {
        let Parcel { method, url, mut headers, body } = parcel;
        if !self.allow_private
            && let Err(refused) = address::check_literal(&url)
        {
            return Delivery::Rejected { why: private(&refused) };
        }
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("newswatch/", env!("CARGO_PKG_VERSION"))),
        );
        let https = url.scheme() == "https";
        match self.client.request(method, url).headers(headers).body(body).send().await {
            Ok(response) => judge(response, now).await,
            Err(error) => Delivery::again(unanswered(error, https)),
        }
    }
}

/// The address of a receiver; one that is a secret is read anew each time.
pub(super) async fn url(address: &Address, secrets: &secret::Reader) -> Result<Url, String> {
    let source = match address {
        Address::Plain(url) => return Ok(url.clone()),
        Address::Secret(source) => source,
    };
    let secret = secrets.read(source).await.map_err(|error| error.to_string())?;
    Url::parse(secret.expose())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| format!("{source} holds no address of http or https"))
}

/// The value of a header that is a secret.
pub(super) fn secret_header(secret: &secret::Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| "the secret has characters that no header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why there was no answer. The address is left out: it may be a secret.
fn unanswered(error: reqwest::Error, https: bool) -> String {
    if let Some(refused) = address::forbidden(&error) {
        return private(refused);
    }
    let text = address::chain(&error.without_url());
    match address::check_certificates() {
        Err(none) if https => format!("{text}: {none}"),
        _ => text,
    }
}

/// What an answer means for the delivery. What refuses this alert is final; what refuses us, as a
/// wrong token or a redirect to a page of somebody's, may be mended and is tried again.
async fn judge(mut response: reqwest::Response, now: Timestamp) -> Delivery {
    let status = response.status();
    if status.is_success() {
        return Delivery::Delivered;
    }
    let asked = headers::asked_patience(response.headers(), now);
    let mut answer = Vec::new();
    while answer.len() < LONGEST_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        answer.extend_from_slice(&chunk[..chunk.len().min(LONGEST_ANSWER - answer.len())]);
    }
    let after = asked.or_else(|| patience(&answer));
    let answer = clean(String::from_utf8_lossy(&answer).trim()).into_owned();
    let why = format!("{status} {}", shortened(&answer, LONGEST_WHY)).trim().to_owned();
    verdict(status, after, why)
}

fn verdict(status: StatusCode, after: Option<Duration>, why: String) -> Delivery {
    match status.as_u16() {
        410 => Delivery::Gone { why },
        401 | 403 | 404 | 407 | 408 | 421 | 425 | 429 => Delivery::RetryAfter { after, why },
        400..=499 => Delivery::Rejected { why },
        _ => Delivery::RetryAfter { after, why },
    }
}

/// The patience that an answer asks for in its body: seconds as Discord and Telegram, milliseconds
/// as Matrix writes them.
fn patience(answer: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Asked {
        retry_after: Option<f64>,
        retry_after_ms: Option<f64>,
        parameters: Option<Parameters>,
    }
    #[derive(Deserialize)]
    struct Parameters {
        retry_after: Option<f64>,
    }
    let asked: Asked = serde_json::from_slice(answer).ok()?;
    let seconds = asked
        .retry_after
        .or(asked.parameters.and_then(|parameters| parameters.retry_after))
        .or(asked.retry_after_ms.map(|millis| millis / 1000.0))?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_the_alert_is_final_and_what_refuses_us_is_tried_again() {
        let verdict =
            |status| super::verdict(StatusCode::from_u16(status).unwrap(), None, String::new());
        for status in [302, 401, 403, 404, 429, 500, 503] {
            assert!(matches!(verdict(status), Delivery::RetryAfter { .. }), "{status}");
        }
        for status in [400, 413, 422] {
            assert!(matches!(verdict(status), Delivery::Rejected { .. }), "{status}");
        }
        assert!(matches!(verdict(410), Delivery::Gone { .. }));
    }

    #[track_caller]
    fn check(answer: &str, seconds: Option<f64>) {
        assert_eq!(patience(answer.as_bytes()).map(|after| after.as_secs_f64()), seconds);
    }

    #[test]
    fn patience_is_asked_for_in_the_words_of_each_service() {
        check(r#"{"message":"slow down","retry_after":0.5,"global":false}"#, Some(0.5));
        check(r#"{"ok":false,"parameters":{"retry_after":31}}"#, Some(31.0));
        check(r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}"#, Some(2.0));
        check(r#"{"retry_after":-1}"#, None);
        check(r#"{"retry_after":1e300}"#, None);
        check("<html>", None);
    }
}
