//! From what the configuration names to what a request needs: secrets and certificates read from
//! their files, and a client that goes the way that the feed asks for.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::address::{self, Way};
use crate::config::access::{Access, Authorization, Proxy, ProxyUser, header_lines};
use crate::config::{NamedFile, SecretSource};
use crate::secret::{self, Secret};

/// The largest file of certificates, in bytes: twice what systems come with.
const LARGEST_CERTIFICATES: u64 = 1 << 20;
/// Sets of certificates that are kept ready.
const MOST_AUTHORITIES: usize = 16;

/// What is sent with every request to the feed's own origin, and by which clients.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) headers: HeaderMap,
    pub(super) clients: Clients,
}

/// A client that asks public addresses only, and one that asks any.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) public: reqwest::Client,
    pub(super) any: reqwest::Client,
}

impl Clients {
    pub(super) fn new(way: &Way<'_>) -> Result<Self, reqwest::Error> {
        Ok(Self { public: address::client_by(way, false)?, any: address::client_by(way, true)? })
    }
}

/// The certificates of authorities that servers are judged by: the system's, and with them those
/// of each file that a feed names, made ready once.
#[derive(Debug)]
pub(super) struct Authorities {
    system: ClientConfig,
    extra: Mutex<HashMap<blake3::Hash, ClientConfig>>,
}

impl Authorities {
    pub(super) fn of_system() -> Self {
        Self { system: address::tls(Vec::new()), extra: Mutex::default() }
    }

    /// What a feed's servers are judged by. The file is read anew each time, so that it can be
    /// changed while the daemon runs.
    pub(super) fn with(&self, file: Option<&Path>) -> Result<ClientConfig, String> {
        let Some(path) = file else { return Ok(self.system.clone()) };
        let pem = read(path, LARGEST_CERTIFICATES)?;
        let digest = blake3::hash(&pem);
        let mut extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = extra.get(&digest) {
            return Ok(known.clone());
        }
        let ready = address::tls(certificates(path, &pem)?);
        if extra.len() >= MOST_AUTHORITIES {
            extra.clear();
        }
        extra.insert(digest, ready.clone());
        Ok(ready)
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{shown} is not PEM: {error}"))?;
    if found.is_empty() {
        return Err(format!("{shown} holds no certificate: it must be PEM (BEGIN CERTIFICATE)"));
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &found {
        roots
            .add(certificate.clone())
            .map_err(|error| format!("{shown} holds what is no certificate: {error}"))?;
    }
    Ok(found)
}

fn read(path: &Path, longest: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("reading {} failed: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(format!("{} is a folder", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > longest {
        return Err(format!("{} is longer than {} KiB", path.display(), longest >> 10));
    }
    Ok(bytes)
}

/// A secret of one line.
fn read_line(source: &SecretSource) -> Result<Secret, String> {
    secret::read(source).map_err(|error| error.to_string())
}

/// Whether a file that the configuration names can be used; what is wrong with it else.
pub(crate) fn check(file: &NamedFile) -> Result<(), String> {
    match file {
        NamedFile::Secret(source) => read_line(source).map(|_| ()),
        NamedFile::Headers(source) => headers_from(source).map(|_| ()),
        NamedFile::Certificates(path) => {
            certificates(path, &read(path, LARGEST_CERTIFICATES)?).map(|_| ())
        }
    }
}

fn headers_from(source: &SecretSource) -> Result<HeaderMap, String> {
    let text = secret::read_text(source).map_err(|error| error.to_string())?;
    let lines =
        header_lines(text.expose()).map_err(|(line, why)| format!("{source}:{line}: {why}"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let (name, mut value) = header(name, value)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let impossible = || format!("{name} cannot stand in a request");
    Ok((name.parse().map_err(|_| impossible())?, value.parse().map_err(|_| impossible())?))
}

/// The headers of a feed, secrets among them.
pub(super) fn headers(access: &Access) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let (name, mut value) = header(name, value)?;
        value.set_sensitive(crate::config::access::is_secret_header(name.as_str()));
        headers.append(name, value);
    }
    if let Some(source) = &access.headers_from {
        // A line of the file replaces the header of the table.
        headers.extend(headers_from(source)?);
    }
    let value = match &access.authorization {
        None => return Ok(headers),
        Some(Authorization::Bearer { token }) => format!("Bearer {}", read_line(token)?.expose()),
        Some(Authorization::Basic { username, password }) => {
            basic(username, read_line(password)?.expose())
        }
    };
    let (name, mut value) = header(header::AUTHORIZATION.as_str(), &value)
        .map_err(|_| "the token is not ASCII text".to_owned())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// `Basic` and what follows it (RFC 7617).
fn basic(username: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    format!("Basic {pair}")
}

/// A proxy as the HTTP library takes it, with its secret; under no user where `known` says that it
/// knows none.
pub(super) fn proxy(proxy: &Proxy, users: Users) -> Result<reqwest::Proxy, String> {
    let made = reqwest::Proxy::all(proxy.url.clone())
        .map_err(|error| format!("{} is no proxy: {error}", proxy.url))?;
    Ok(match &proxy.user {
        ProxyUser::Isolated(name) if users == Users::Known => made.basic_auth(name, name),
        ProxyUser::None | ProxyUser::Isolated(_) => made,
        ProxyUser::Named { username, password } => {
            let password = password.as_ref().map(read_line).transpose()?;
            made.basic_auth(username, password.as_ref().map_or("", Secret::expose))
        }
    })
}

/// Whether a SOCKS proxy knows users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// It does, as far as we know.
    Known,
    /// It has said that it does not.
    Unknown,
}
