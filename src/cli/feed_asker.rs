//! How `feeds add` asks for the address that it was given, and for those that this one leads to.

use anyhow::{Context as _, anyhow, bail};
use url::Url;

use super::{Refused, say};
use crate::clock::Clock;
use crate::config::PollSettings;
use crate::config::access::Access;
use crate::fetch::{
    Body, Failure, FailureKind, Fetcher, Outcome, Request, Validators, same_server,
};

/// The address of the command line.
pub(super) struct Given {
    pub(super) url: Url,
    /// It named no scheme, so that https is an assumption.
    assumed: bool,
}

impl Given {
    /// The address that a person wrote.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let assumed = !text.contains("://");
        let whole = if assumed { format!("https://{text}") } else { text.to_owned() };
        let url = Url::parse(&whole).map_err(|error| {
            Refused::usage(format!("{text:?} is no address: {error}; write https://…"))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::usage(format!("{text:?} is neither http nor https")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::usage(
                "a password does not belong in an address; add --with 'username = \"…\"' --with \
                 'password_file = \"…\"'"
                    .to_owned(),
            ));
        }
        Ok(Self { url, assumed })
    }
}

/// Asks servers as a poll would.
pub(super) struct Asker {
    fetcher: Fetcher,
    runtime: tokio::runtime::Runtime,
    access: Access,
    /// The address that was given. What is told to its server, and that it may be a private one,
    /// holds for no other.
    given: Url,
    allow_private: bool,
    /// The table has lines of the caller's own.
    with_lines: bool,
}

impl Asker {
    /// One for the server of `given`, which is told what `access` says.
    pub(super) fn new(
        settings: &PollSettings,
        access: Access,
        given: &Url,
        allow_private: bool,
        with_lines: bool,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            fetcher: Fetcher::new(settings).context("failed to set up HTTP")?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            access,
            given: given.clone(),
            allow_private,
            with_lines,
        })
    }

    /// Whether a feed at that address may be at a private one.
    pub(super) fn may_be_private(&self, url: &Url) -> bool {
        self.allow_private && self.is_given(url)
    }

    /// Whether that is the server of the address that was given, by whichever scheme.
    fn is_given(&self, url: &Url) -> bool {
        let mut other = self.given.clone();
        let plain = other.set_scheme("http").is_ok() && same_server(url, &other);
        same_server(url, &self.given) || plain
    }

    /// Asks for the address that was given. Without a scheme it is https, and http where nobody
    /// answers that; what was to be told under https is not told without it.
    pub(super) fn ask_given(&self, given: &mut Given) -> anyhow::Result<Body> {
        if !given.assumed {
            return self.ask(&given.url);
        }
        say(&format!("no scheme was given: asking {}", given.url));
        let failure = match self.try_to(&given.url) {
            Ok(body) => return Ok(body),
            Err(failure) => failure,
        };
        let silent = matches!(
            failure.kind,
            FailureKind::Connect | FailureKind::Broken | FailureKind::Timeout
        );
        let mut plain = given.url.clone();
        if !silent || self.with_lines || plain.set_scheme("http").is_err() {
            return Err(self.explained(&given.url, &failure));
        }
        say(&format!("{}; asking {plain}, which is not encrypted", failure.message));
        given.url = plain;
        self.ask(&given.url)
    }

    /// Whether what is told to the server of the address that was given may be told to that one.
    pub(super) fn may_tell(&self, url: &Url) -> bool {
        !self.with_lines || url.origin() == self.given.origin()
    }

    /// Asks for another address that the first answer led to.
    pub(super) fn ask(&self, url: &Url) -> anyhow::Result<Body> {
        if !self.may_tell(url) {
            bail!(
                "{url} is of another server, which --with is not meant for; give that address to \
                 feeds add"
            );
        }
        self.try_to(url).map_err(|failure| self.explained(url, &failure))
    }

    fn try_to(&self, url: &Url) -> Result<Body, Failure> {
        let request = Request {
            url: url.clone(),
            moved_to: None,
            validators: Validators::default(),
            allow_private: self.may_be_private(url),
            access: self.access.clone(),
        };
        match self.runtime.block_on(self.fetcher.fetch(&request, Clock::System.now())) {
            Outcome::Modified(body) => Ok(*body),
            Outcome::NotModified { freshness, .. } => Err(Failure {
                kind: FailureKind::Protocol,
                status: Some(304),
                message: "304 to a request without conditions".to_owned(),
                freshness,
            }),
            Outcome::Failed(failure) => Err(failure),
        }
    }

    fn explained(&self, url: &Url, failure: &Failure) -> anyhow::Error {
        // The configuration's word for it is the command's too.
        let instead = match self.allow_private {
            false => "add --allow-private",
            true => "give that address to feeds add",
        };
        let why = failure.message.replace("set allow_private = true", instead);
        let hint = match failure.kind {
            FailureKind::Blocked if !self.with_lines => {
                "; where it wants a password or a key: --with 'username = \"…\"' --with \
                 'password_file = \"…\"', 'token_file = …' or 'headers_from = …'"
            }
            _ => "",
        };
        anyhow!("{url}: {why}{hint}")
    }
}
