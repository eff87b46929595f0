//! One conditional GET, redirects and all.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use url::Url;

use super::access::{self, Authorities, Clients, Ready, Users};
use super::address::{Forbidden, Way};
use super::blocks::Blocks;
use super::decode::TooLarge;
use super::transcript::{BodySize, Exchange, Head, Recorder};
use super::{
    Body, Failure, FailureKind, Freshness, Outcome, Request, Validators, address, decode, file,
    headers,
};
use crate::config::PollSettings;
use crate::config::access::{Access, Proxy, ProxyUser, is_onion};
use crate::text::count;

/// Redirects that are followed, at most.
const MOST_REDIRECTS: usize = 5;
/// Bytes of a body on the wire, at most.
const WIRE_LIMIT: usize = 8 << 20;
/// Headers of an answer, at most.
const MOST_HEADERS: usize = 100;
const LARGEST_HEADERS: usize = 64 << 10;
/// Validators longer than these are not worth sending back.
const LONGEST_ETAG: usize = 1 << 10;
const LONGEST_LAST_MODIFIED: usize = 128;
/// A body larger than this needs one of [`LARGE_BODIES`] places in memory.
const LARGE_BODY: usize = 512 << 10;
const LARGE_BODIES: usize = 2;
/// A body that unpacks to at most so many bytes is unpacked where it came in: that takes a tenth of
/// a millisecond.
const SMALL_BODY: usize = 64 << 10;
/// After so long a body must have come at this rate, in bytes a second.
const SLOW_AFTER: Duration = Duration::from_secs(10);
const SLOWEST: u64 = 1 << 10;

const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                      application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, \
                      application/json;q=0.7, */*;q=0.1";

/// How long each part of a poll may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    pub(crate) total: Duration,
}

impl Limits {
    pub(crate) const DEFAULT: Limits = Limits {
        connect: Duration::from_secs(10),
        first_byte: Duration::from_secs(20),
        idle: Duration::from_secs(15),
        total: Duration::from_secs(60),
    };
}

/// Fetches feeds; cheap to clone.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// How feeds are asked that go no way of their own.
    direct: Clients,
    authorities: Arc<Authorities>,
    user_agent: HeaderValue,
    limits: Limits,
    large: Arc<Semaphore>,
    recorder: Option<Recorder>,
}

impl Fetcher {
    /// Sets HTTP up. An error is not about any feed.
    pub fn new(settings: &PollSettings) -> anyhow::Result<Self> {
        let limits = Limits::DEFAULT;
        let authorities = Authorities::of_system();
        let tls = authorities.with(None).map_err(anyhow::Error::msg)?;
        let way = Way { tls: &tls, proxy: None, connect_timeout: limits.connect };
        let direct =
            Clients::new(&way).map_err(|error| anyhow::anyhow!("{}", address::chain(&error)))?;
        let contact = settings.user_agent_contact.as_deref();
        let contact = contact.map(|contact| format!(" (+{contact})")).unwrap_or_default();
        let user_agent = format!("newswatch/{}{contact}", env!("CARGO_PKG_VERSION"));
        Ok(Self {
            direct,
            authorities: Arc::new(authorities),
            user_agent: HeaderValue::from_str(&user_agent)
                .context("poll.user_agent_contact cannot stand in a header")?,
            limits,
            large: Arc::new(Semaphore::new(LARGE_BODIES)),
            recorder: None,
        })
    }

    /// The same, but everything that is said is written down.
    pub(crate) fn recorded(self, recorder: Recorder) -> Self {
        Self { recorder: Some(recorder), ..self }
    }

    /// Asks for a feed. Everything that can go wrong is an [`Outcome`].
    pub async fn fetch(&self, request: &Request, now: Timestamp) -> Outcome {
        if request.url.scheme() == "file" {
            return file::read(request, self.large.clone()).await;
        }
        let started = Instant::now();
        let outcome = match timeout(self.limits.total, self.follow(request, now)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(failure)) => Outcome::Failed(*failure),
            Err(_) => Outcome::Failed(*failure(
                FailureKind::Timeout,
                format!("no whole answer within {} s", self.limits.total.as_secs()),
            )),
        };
        if let Some(recorder) = &self.recorder {
            recorder.note(|transcript| {
                transcript.took = started.elapsed();
                if let Outcome::Modified(body) = &outcome {
                    let (wire, unpacked) = (body.wire_bytes, body.bytes.len());
                    transcript.body = Some(BodySize { wire, unpacked, complete: body.complete });
                }
            });
        }
        outcome
    }

    /// Follows redirects until something else comes.
    async fn follow(&self, request: &Request, now: Timestamp) -> Result<Outcome, Box<Failure>> {
        let mut url = request.moved_to.as_ref().unwrap_or(&request.url).clone();
        let mut permanent = true;
        let mut ready = self.ready(&request.access, Users::Known).await?;
        for hop in 0..=MOST_REDIRECTS {
            let allow_private = request.allow_private && same_server(&url, &request.url);
            if let Err(error) = check_address(&url, &request.access, allow_private) {
                return Err(forbidden(&error, url != request.url));
            }
            let mut answer = self.ask(&url, request, allow_private, &ready).await;
            if let Err(Unanswered::KnowsNoUsers) = answer {
                ready = self.ready(&request.access, Users::Unknown).await?;
                answer = self.ask(&url, request, allow_private, &ready).await;
            }
            let response = match answer {
                Ok(response) => response,
                Err(Unanswered::KnowsNoUsers) => unreachable!("no user was named"),
                Err(Unanswered::Forbidden(error)) => {
                    return Err(forbidden(&error, url != request.url));
                }
                Err(Unanswered::Failed(failure)) => return Err(failure),
            };
            let status = response.status();
            check_headers(response.headers())?;
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                let moved = hop > 0 && permanent;
                return self.answered(response, url, request, moved, now).await;
            }
            permanent &= matches!(status.as_u16(), 301 | 308);
            url = target(&url, response.headers())?;
        }
        Err(failure(FailureKind::Redirect, format!("more than {MOST_REDIRECTS} redirects")))
    }

    /// Reads what the feed's requests need from the files that the configuration names, each time,
    /// so that a secret can be changed while the daemon runs.
    async fn ready(&self, access: &Access, users: Users) -> Result<Ready, Box<Failure>> {
        let bare = access.headers.is_empty()
            && access.headers_from.is_none()
            && access.authorization.is_none();
        let direct = access.proxy.is_none() && access.ca_file.is_none();
        if bare && direct {
            return Ok(Ready { headers: HeaderMap::new(), clients: self.direct.clone() });
        }
        let (fetcher, access) = (self.clone(), access.clone());
        let work = move || {
            let headers = access::headers(&access)?;
            if direct {
                return Ok(Ready { headers, clients: fetcher.direct });
            }
            let tls = fetcher.authorities.with(access.ca_file.as_deref())?;
            let proxy = match &access.proxy {
                Some(proxy) => Some((access::proxy(proxy, users)?, &proxy.url)),
                None => None,
            };
            let way = Way { tls: &tls, proxy, connect_timeout: fetcher.limits.connect };
            let clients = Clients::new(&way).map_err(|error| address::chain(&error))?;
            Ok(Ready { headers, clients })
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(ready) => ready.map_err(|why| failure(FailureKind::Settings, why)),
            Err(panic) => {
                Err(failure(FailureKind::Broken, format!("reading secrets failed: {panic}")))
            }
        }
    }

    async fn ask(
        &self,
        url: &Url,
        request: &Request,
        allow_private: bool,
        ready: &Ready,
    ) -> Result<reqwest::Response, Unanswered> {
        let clients = &ready.clients;
        let client = if allow_private { &clients.any } else { &clients.public };
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd"));
        if url.origin() == request.url.origin() {
            headers.extend(ready.headers.clone());
        }
        if request.validators.url.as_deref() == Some(url.as_str()) {
            let Validators { etag, last_modified, .. } = &request.validators;
            for (name, value) in
                [(header::IF_NONE_MATCH, etag), (header::IF_MODIFIED_SINCE, last_modified)]
            {
                let value = value.as_deref().and_then(|value| HeaderValue::from_bytes(value).ok());
                headers.extend(value.map(|value| (name, value)));
            }
        }
        let (started, said) = (Instant::now(), self.recorder.is_some().then(|| headers.clone()));
        let sent = client.get(url.clone()).headers(headers).send();
        let answer = timeout(self.limits.connect + self.limits.first_byte, sent).await;
        if let Some((recorder, headers)) = self.recorder.as_ref().zip(said) {
            let head = answer.as_ref().ok().and_then(|answer| answer.as_ref().ok());
            let head = head.map(|response| Head {
                version: response.version(),
                status: response.status(),
                headers: response.headers().clone(),
            });
            let (url, waited) = (url.clone(), started.elapsed());
            recorder.note(|transcript| {
                transcript.exchanges.push(Exchange { url, headers, waited, answer: head });
            });
        }
        match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match address::forbidden(&error) {
                Some(refused) => Unanswered::Forbidden(refused.clone()),
                None if knows_no_users(&error, &request.access) => Unanswered::KnowsNoUsers,
                None => Unanswered::Failed(unreachable_server(url, &request.access, &error)),
            }),
            Err(_) => Err(Unanswered::Failed(failure(
                FailureKind::Timeout,
                format!("{} did not answer", url.host_str().unwrap_or_default()),
            ))),
        }
    }

    async fn answered(
        &self,
        response: reqwest::Response,
        url: Url,
        request: &Request,
        moved_permanently: bool,
        now: Timestamp,
    ) -> Result<Outcome, Box<Failure>> {
        let status = response.status();
        let freshness = headers::freshness(response.headers(), now);
        let asked = request.validators.url.as_deref() == Some(url.as_str())
            && request.validators.is_conditional();
        let moved_to = moved_permanently.then(|| url.clone());
        match status.as_u16() {
            304 if asked => {
                let renewed = validators(response.headers(), &url);
                let before = &request.validators;
                let validators = Validators {
                    url: before.url.clone(),
                    etag: renewed.etag.or_else(|| before.etag.clone()),
                    last_modified: renewed.last_modified.or_else(|| before.last_modified.clone()),
                };
                return Ok(Outcome::NotModified { validators, freshness, moved_to });
            }
            304 => {
                let why = "304 to a request without conditions".to_owned();
                let failure = *failure(FailureKind::Protocol, why);
                return Err(Box::new(Failure { status: Some(304), ..failure }));
            }
            200..=299 => {}
            _ => return Err(Box::new(refused(status, freshness))),
        }
        let validators = validators(response.headers(), &url);
        let (content_type, charset) = headers::content_type(response.headers());
        let codings = response
            .headers()
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect::<Vec<_>>()
            .join(",");
        let wire = self.read(response).await?;
        let wire_bytes = wire.bytes.len() as u64;
        let (bytes, complete, permit) = self.unpack(wire, codings).await?;
        Ok(Outcome::Modified(Box::new(Body {
            status: status.as_u16(),
            bytes,
            // A part of a feed, or changes to what we do not have, must not pass for the whole.
            complete: complete && !matches!(status.as_u16(), 206 | 226),
            final_url: url,
            moved_to,
            charset,
            content_type,
            validators,
            freshness,
            wire_bytes,
            large: permit.map(Arc::new),
        })))
    }

    /// Reads a body as it comes, within all limits. A connection that breaks yields what came.
    async fn read(&self, mut response: reqwest::Response) -> Result<Wire, Box<Failure>> {
        let too_large = || {
            failure(
                FailureKind::TooLarge,
                format!("the body is larger than {} MiB", WIRE_LIMIT >> 20),
            )
        };
        if response.content_length().is_some_and(|length| length > WIRE_LIMIT as u64) {
            return Err(too_large());
        }
        let (started, mut bytes, mut permit) = (Instant::now(), Blocks::default(), None);
        loop {
            let chunk = match timeout(self.limits.idle, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => {
                    return Ok(Wire { bytes: bytes.into_vec(), complete: true, permit });
                }
                Ok(Err(error)) if bytes.len() == 0 => {
                    return Err(failure(FailureKind::Broken, address::chain(&error)));
                }
                Ok(Err(_)) => {
                    return Ok(Wire { bytes: bytes.into_vec(), complete: false, permit });
                }
                Err(_) => {
                    return Err(failure(
                        FailureKind::Timeout,
                        format!("nothing came for {} s", self.limits.idle.as_secs()),
                    ));
                }
            };
            if bytes.len() + chunk.len() > LARGE_BODY && permit.is_none() {
                permit = Some(self.place().await);
            }
            bytes.extend(&chunk);
            if bytes.len() > WIRE_LIMIT {
                return Err(too_large());
            }
            let elapsed = started.elapsed();
            if elapsed > SLOW_AFTER && (bytes.len() as u64) < SLOWEST * elapsed.as_secs() {
                return Err(failure(
                    FailureKind::Timeout,
                    format!(
                        "{} in {} s is too slow",
                        count(bytes.len(), "byte"),
                        elapsed.as_secs()
                    ),
                ));
            }
        }
    }

    async fn unpack(
        &self,
        wire: Wire,
        codings: String,
    ) -> Result<(Vec<u8>, bool, Option<OwnedSemaphorePermit>), Box<Failure>> {
        let Wire { bytes, complete, mut permit } = wire;
        if codings.is_empty() {
            return Ok((bytes, complete, permit));
        }
        // What is done sooner than a thread for it is woken is done here.
        if decode::gzip_length(&bytes, &codings).is_some_and(|length| length <= SMALL_BODY)
            && let Ok(decoded) = decode::decode(&bytes, &codings, complete, SMALL_BODY)
        {
            let (bytes, complete) = match decoded {
                Some(decoded) => (decoded.bytes, decoded.complete),
                None => (bytes, complete),
            };
            return Ok((bytes, complete, permit));
        }
        let (bytes, codings) = (Arc::new(bytes), Arc::new(codings));
        loop {
            // What is small on the wire may be large when unpacked.
            let most = if permit.is_some() { decode::DECODED_LIMIT } else { LARGE_BODY };
            let (input, codings) = (bytes.clone(), codings.clone());
            let work = move || decode::decode(&input, &codings, complete, most);
            let failed = match tokio::task::spawn_blocking(work).await {
                Ok(Ok(Some(decoded))) => return Ok((decoded.bytes, decoded.complete, permit)),
                Ok(Ok(None)) => return Ok((Arc::unwrap_or_clone(bytes), complete, permit)),
                Ok(Err(TooLarge::ForNow)) if permit.is_none() => {
                    permit = Some(self.place().await);
                    continue;
                }
                Ok(Err(too_large)) => failure(FailureKind::TooLarge, too_large.to_string()),
                Err(panic) => failure(FailureKind::Broken, format!("unpacking failed: {panic}")),
            };
            return Err(failed);
        }
    }

    /// Waits for a place for a large body.
    async fn place(&self) -> OwnedSemaphorePermit {
        let place = self.large.clone().acquire_owned().await;
        place.expect("the semaphore is never closed")
    }
}

/// Why a server gave no answer.
enum Unanswered {
    /// It may not be asked.
    Forbidden(Forbidden),
    /// The SOCKS proxy does not take the user that we invented for it.
    KnowsNoUsers,
    Failed(Box<Failure>),
}

/// Whether an address may be asked, as far as that shows before its name is looked up.
fn check_address(url: &Url, access: &Access, allow_private: bool) -> Result<(), Forbidden> {
    let proxy = access.proxy.as_ref().map(|proxy| &proxy.url);
    if is_onion(url) && proxy.is_none_or(|proxy| proxy.scheme() != "socks5h") {
        return Err(Forbidden::Onion(url.host_str().unwrap_or_default().to_owned()));
    }
    if allow_private {
        return Ok(());
    }
    address::check_literal(url)?;
    proxy.map_or(Ok(()), |proxy| address::check_name(url, proxy))
}

/// Whether a SOCKS proxy refused our way of saying who asks, or ignored it (RFC 1928 section 3).
/// The HTTP library offers one way only, and tells of the refusal in words alone.
fn knows_no_users(error: &reqwest::Error, access: &Access) -> bool {
    let invented = matches!(&access.proxy, Some(Proxy { user: ProxyUser::Isolated(_), .. }));
    let text = address::chain(error);
    invented
        && ["does not support user/pass authentication", "implements authentication incorrectly"]
            .iter()
            .any(|refusal| text.contains(refusal))
}

/// The failure of an address that may not be asked.
fn forbidden(refused: &Forbidden, redirected: bool) -> Box<Failure> {
    let message = if redirected {
        format!("redirected to where no redirect may lead: {refused}")
    } else if matches!(refused, Forbidden::Onion(_)) {
        refused.to_string()
    } else {
        format!("{refused}; set allow_private = true if that is meant")
    };
    failure(FailureKind::Forbidden, message)
}

/// A body as it came.
struct Wire {
    bytes: Vec<u8>,
    complete: bool,
    permit: Option<OwnedSemaphorePermit>,
}

fn failure(kind: FailureKind, message: String) -> Box<Failure> {
    Box::new(Failure { kind, status: None, message, freshness: Freshness::default() })
}

/// Whether two addresses are of one host and port.
pub(crate) fn same_server(a: &Url, b: &Url) -> bool {
    a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

fn check_headers(headers: &HeaderMap) -> Result<(), Box<Failure>> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || size > LARGEST_HEADERS {
        return Err(failure(FailureKind::TooLarge, "too many or too large headers".to_owned()));
    }
    Ok(())
}

/// Where a redirect leads.
fn target(from: &Url, headers: &HeaderMap) -> Result<Url, Box<Failure>> {
    let broken = |why: String| failure(FailureKind::Redirect, why);
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .ok_or_else(|| broken("a redirect that says not where to".to_owned()))?;
    let to = from.join(location).map_err(|_| broken(format!("a redirect to {location:?}")))?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err(broken(format!("a redirect from https to {to}"))),
        (_, "http" | "https") => Ok(to),
        (_, other) => Err(broken(format!("a redirect to a {other} address"))),
    }
}

fn validators(headers: &HeaderMap, url: &Url) -> Validators {
    let bytes = |name, longest| {
        let value: &HeaderValue = headers.get(name)?;
        (value.len() <= longest && !value.is_empty()).then(|| value.as_bytes().to_vec())
    };
    Validators {
        url: Some(url.to_string()),
        etag: bytes(header::ETAG, LONGEST_ETAG),
        last_modified: bytes(header::LAST_MODIFIED, LONGEST_LAST_MODIFIED),
    }
}

/// The failure that a status means.
fn refused(status: StatusCode, freshness: Freshness) -> Failure {
    let kind = match status.as_u16() {
        410 => FailureKind::Gone,
        401 | 403 | 407 | 451 => FailureKind::Blocked,
        429 => FailureKind::Throttled,
        503 if freshness.retry_after.is_some() => FailureKind::Throttled,
        408 | 500..=599 => FailureKind::Server,
        _ => FailureKind::NotFound,
    };
    let reason = status.canonical_reason().unwrap_or("unknown status");
    let code = status.as_u16();
    Failure { kind, status: Some(code), message: format!("{code} {reason}"), freshness }
}

/// Why a server could not be asked: the causes tell DNS, certificates and the rest apart.
fn unreachable_server(url: &Url, access: &Access, error: &reqwest::Error) -> Box<Failure> {
    let mut causes: Vec<&(dyn std::error::Error + 'static)> = vec![error];
    while let Some(cause) = causes.last().and_then(|cause| cause.source()) {
        causes.push(cause);
    }
    let text = address::chain(*causes.get(1).unwrap_or(&causes[0]));
    let lower = text.to_lowercase();
    let kind = if causes.iter().any(|cause| cause.is::<rustls::Error>())
        || lower.contains("certificate")
    {
        if let Err(none) = address::check_certificates() {
            return failure(FailureKind::Certificate, none.to_string());
        }
        FailureKind::Certificate
    } else if lower.contains("dns error") || lower.contains("failed to lookup address") {
        FailureKind::Dns
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else if error.is_connect() {
        FailureKind::Connect
    } else {
        FailureKind::Broken
    };
    let host = url.host_str().unwrap_or_default();
    let by = access.proxy.as_ref().map(|proxy| format!(" through proxy {}", proxy.url));
    failure(kind, format!("{host}{}: {text}", by.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::access::Access;

    /// A server that answers with a head and the beginning of a feed, and then with so many spaces
    /// each time that `pause` has passed.
    async fn dripping(pause: Duration, spaces: usize) -> Request {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_buf(&mut Vec::new()).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n\r\n<rss>";
            connection.write_all(head).await.unwrap();
            let mut tick = tokio::time::interval(pause);
            while connection.write_all(&vec![b' '; spaces]).await.is_ok() {
                tick.tick().await;
            }
        });
        Request {
            url: format!("http://{address}/").parse().unwrap(),
            moved_to: None,
            validators: Validators::default(),
            allow_private: true,
            access: Access::default(),
        }
    }

    /// How long a poll of that took by the runtime's clock, which jumps while all wait, and why it
    /// was given up.
    async fn patience(pause: Duration, spaces: usize) -> (u64, String) {
        let fetcher = Fetcher::new(&PollSettings::default()).unwrap();
        let request = dripping(pause, spaces).await;
        let started = Instant::now();
        match fetcher.fetch(&request, Timestamp::UNIX_EPOCH).await {
            Outcome::Failed(Failure { kind: FailureKind::Timeout, message, .. }) => {
                (started.elapsed().as_secs(), message)
            }
            other => panic!("{other:?}"),
        }
    }

    /// S10 of the scenarios.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_byte_by_byte_for_ever_is_given_up_as_too_slow() {
        let (seconds, why) = patience(Duration::from_secs(1), 1).await;
        assert!((10..=12).contains(&seconds), "{seconds} s: {why}");
        assert!(why.ends_with("s is too slow"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up_within_the_whole_time() {
        // Fast enough, but for ever.
        let (seconds, why) = patience(Duration::from_secs(1), 2 << 10).await;
        assert_eq!((seconds, why.as_str()), (60, "no whole answer within 60 s"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_falls_silent_is_given_up() {
        let (seconds, why) = patience(Duration::from_secs(3600), 1).await;
        assert_eq!((seconds, why.as_str()), (15, "nothing came for 15 s"));
    }
}
