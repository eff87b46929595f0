//! How a feed's server is reached and what it is told: headers, credentials, proxy, certificates.
//! Secrets are named here, by the file or systemd credential that holds them, and never read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::toml_file::{Section, nearest};
use super::{NamedFile, NamedFiles, SecretSource};
use crate::diagnostic::{Located, Problem};

/// The schemes of a proxy.
const PROXIES: [&str; 4] = ["http", "https", "socks5", "socks5h"];
/// The proxy of a feed that is asked directly though `[poll]` names one.
const DIRECT: &str = "none";
/// Headers of a feed, at most, in its table and in its file each.
const MOST_HEADERS: usize = 32;
/// The longest value of a header, in bytes.
const LONGEST_VALUE: usize = 4 << 10;
/// The longest user name, in bytes: more do not fit into SOCKS (RFC 1929).
const LONGEST_USERNAME: usize = 255;
/// Headers that newswatch itself decides, or that belong to the connection.
const OURS: [&str; 17] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "expect",
    "range",
    "accept-encoding",
    "a-im",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
];

/// What a server asks for before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A name and a password (RFC 7617).
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// A token (RFC 6750).
    Bearer {
        /// The token.
        token: SecretSource,
    },
}

/// As whom a proxy is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyUser {
    /// As nobody.
    None,
    /// Under this name, of a feed, which Tor gives a circuit of its own; as nobody where the proxy
    /// knows no users. SOCKS only.
    Isolated(String),
    /// As a user that the configuration names.
    Named {
        /// The name.
        username: String,
        /// The password; empty when absent.
        password: Option<SecretSource>,
    },
}

/// A proxy. When it fails, so does the request: it is never made directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http`, `https`, `socks5` (names are looked up here) or `socks5h` (there).
    pub url: Url,
    /// As whom it is asked.
    pub user: ProxyUser,
}

impl Proxy {
    /// The same for one feed: under a user of its own, where none is named.
    fn isolated(&self, name: &str) -> Self {
        match self.user {
            ProxyUser::None if self.url.scheme().starts_with("socks") => {
                Self { user: ProxyUser::Isolated(name.to_owned()), ..self.clone() }
            }
            _ => self.clone(),
        }
    }
}

/// How a feed's server is reached and what it is told.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Further headers, by name.
    pub headers: BTreeMap<String, String>,
    /// A file of further headers, a `Name: value` a line.
    pub headers_from: Option<SecretSource>,
    /// What the server asks for.
    pub authorization: Option<Authorization>,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// Certificates of authorities that are believed beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl Access {
    /// Whether everything goes through a proxy that other feeds do not use: when it fails, that
    /// says nothing of our own network.
    pub(crate) fn has_own_proxy(&self, defaults: &Defaults) -> bool {
        let shared = defaults.proxy.as_ref().map(|proxy| &proxy.url);
        self.proxy.as_ref().is_some_and(|proxy| Some(&proxy.url) != shared)
    }
}

/// The values of headers may be secrets of somebody who did not know better.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { headers, headers_from, authorization, proxy, ca_file } = self;
        f.debug_struct("Access")
            .field("headers", &headers.keys())
            .field("headers_from", headers_from)
            .field("authorization", authorization)
            .field("proxy", proxy)
            .field("ca_file", ca_file)
            .finish()
    }
}

/// What `[poll]` says for all feeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The proxy of feeds that name none.
    pub proxy: Option<Proxy>,
    /// The certificates of feeds that name none.
    pub ca_file: Option<PathBuf>,
}

impl Defaults {
    /// The access of a feed, or of whatever goes by `name`, that has no settings of its own.
    pub fn access(&self, name: &str) -> Access {
        Access {
            proxy: self.proxy.as_ref().map(|proxy| proxy.isolated(name)),
            ca_file: self.ca_file.clone(),
            ..Access::default()
        }
    }
}

/// The name of a header as a hint of what its value is: those of secrets are not shown.
pub(crate) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "token", "key", "secret", "password", "session"]
        .iter()
        .any(|word| name.contains(word))
}

/// What is wrong with a header, as a fragment for a message. The value is never repeated.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), String> {
    // RFC 9110 section 5.6.2.
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err("this is no name of a header".to_owned());
    }
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("{name} is set by newswatch itself"));
    }
    if !value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
        return Err(format!("the value of {name} must be one line of ASCII text"));
    }
    if value.len() > LONGEST_VALUE {
        return Err(format!("the value of {name} is longer than {LONGEST_VALUE} bytes"));
    }
    Ok(())
}

/// Reads the lines of a file of headers; what is wrong with one, and its number from 1, else.
/// Empty lines and those that start with `#` say nothing.
pub(crate) fn header_lines(text: &str) -> Result<Vec<(&str, &str)>, (usize, String)> {
    let mut headers = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err((number, "a header is written as Name: value".to_owned()));
        };
        let (name, value) = (name.trim(), value.trim());
        check_header(name, value).map_err(|why| (number, why))?;
        headers.push((name, value));
        if headers.len() > MOST_HEADERS {
            return Err((number, format!("more than {MOST_HEADERS} headers")));
        }
    }
    Ok(headers)
}

/// Where the paths of a table lead.
pub(super) struct Places<'a> {
    /// The folder of the file that is read: relative paths start here.
    pub(super) folder: &'a Path,
    /// Collects the files that the configuration names.
    pub(super) named: &'a NamedFiles,
}

/// Reads the keys of a `[[feed]]` that say how it is reached.
pub(super) fn feed(
    section: &mut Section<'_>,
    name: Option<&Located>,
    url: Option<(&Located, &Url)>,
    defaults: &Defaults,
    places: &Places<'_>,
) -> Access {
    let headers =
        headers(section, "write username and password_file, or token_file, or headers_from");
    let headers_from =
        secret(section, ["headers_from", "headers_credential"], places, NamedFile::Headers);
    let authorization = authorization(section, places);
    let name = name.map_or("", |name| name.text.as_str());
    let mut access = Access {
        headers,
        headers_from: headers_from.map(|(_, secret)| secret),
        authorization,
        ..defaults.access(name)
    };
    if let Some(text) = section.text("proxy") {
        let direct = text.text == DIRECT;
        access.proxy = if direct { None } else { proxy(section, &text, places) };
    } else {
        without_proxy(section);
    }
    access.proxy = access.proxy.map(|proxy| proxy.isolated(name));
    if let Some(file) = ca_file(section, places) {
        access.ca_file = Some(file);
    }
    if let Some((place, url)) = url {
        suits(section, place, url, &access);
    }
    access
}

/// Reads the keys of `[poll]` that hold for all feeds.
pub(super) fn defaults(section: &mut Section<'_>, places: &Places<'_>) -> Defaults {
    let text = section.text("proxy");
    if text.is_none() {
        without_proxy(section);
    }
    let proxy = text.and_then(|text| proxy(section, &text, places));
    Defaults { proxy, ca_file: ca_file(section, places) }
}

/// Reports what an address and the way to it say against each other.
fn suits(section: &Section<'_>, place: &Located, url: &Url, access: &Access) {
    let secret = access.authorization.is_some() || access.headers_from.is_some();
    let onion = is_onion(url);
    let by_tor = access.proxy.as_ref().is_some_and(|proxy| proxy.url.scheme() == "socks5h");
    if onion && !by_tor {
        section.report(
            Problem::error(section.file(), place.span.clone(), "only Tor reaches .onion addresses")
                .with_hint("write proxy = \"socks5h://127.0.0.1:9050\""),
        );
    } else if url.scheme() == "file" && (secret || !access.headers.is_empty()) {
        section.report(
            Problem::warning(section.file(), place.span.clone(), "a file is read, not asked")
                .with_hint("headers and credentials are for http and https"),
        );
    } else if url.scheme() == "http" && secret && !onion && !is_loopback(url) {
        section.report(
            Problem::warning(
                section.file(),
                place.span.clone(),
                "the credentials of this feed travel unencrypted",
            )
            .with_hint("write https:// where the server allows it"),
        );
    }
}

/// Whether an address is a Tor service's (RFC 7686).
pub(crate) fn is_onion(url: &Url) -> bool {
    url.host_str()
        .is_some_and(|host| host.trim_end_matches('.').to_ascii_lowercase().ends_with(".onion"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The plain headers of a section, by their names in lower case; `instead` says where a secret goes.
pub(super) fn headers(section: &mut Section<'_>, instead: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let Some(mut table) = section.table("headers") else { return headers };
    for (name, span) in table.keys() {
        let Some(value) = table.text(&name) else { continue };
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "authorization" | "proxy-authorization") {
            table.report(
                Problem::error(table.file(), span, "a secret does not belong in the configuration")
                    .with_hint(instead),
            );
        } else if let Err(why) = check_header(&name, &value.text) {
            table.error(span, why);
        } else if headers.len() == MOST_HEADERS {
            table.error(span, format!("more than {MOST_HEADERS} headers"));
            break;
        } else {
            headers.insert(lower, value.text);
        }
    }
    headers
}

fn authorization(section: &mut Section<'_>, places: &Places<'_>) -> Option<Authorization> {
    let username = username(section, "username");
    let password =
        secret(section, ["password_file", "password_credential"], places, NamedFile::Secret);
    let token = secret(section, ["token_file", "token_credential"], places, NamedFile::Secret);
    match (username, password, token) {
        (None, None, None) => None,
        (None, None, Some((_, token))) => Some(Authorization::Bearer { token }),
        (Some(username), Some((_, password)), None) => {
            if username.text.contains(':') {
                section.error(username.span, "a user name cannot hold a colon (RFC 7617)");
                return None;
            }
            Some(Authorization::Basic { username: username.text, password })
        }
        (Some(username), None, None) => {
            section.report(
                Problem::error(section.file(), username.span, "username without a password")
                    .with_hint("write password_file = \"PATH\" or password_credential = \"NAME\""),
            );
            None
        }
        (None, Some((place, _)), _) => {
            section.report(
                Problem::error(section.file(), place.span, "a password without a username")
                    .with_hint("write username = \"…\"; a token goes into token_file"),
            );
            None
        }
        (Some(_), _, Some((place, _))) => {
            section.error(place.span, "a token and a username: a server takes one of them");
            None
        }
    }
}

fn username(section: &mut Section<'_>, key: &str) -> Option<Located> {
    let username = section.text(key)?;
    let bad = username.text.is_empty()
        || username.text.len() > LONGEST_USERNAME
        || username.text.chars().any(char::is_control);
    if bad {
        let message = format!("{key} must have 1 to {LONGEST_USERNAME} bytes, on one line");
        section.error(username.span, message);
        return None;
    }
    Some(username)
}

/// A secret that `keys` name, the first a file, the second a credential.
fn secret(
    section: &mut Section<'_>,
    keys: [&str; 2],
    places: &Places<'_>,
    named: impl FnOnce(SecretSource) -> NamedFile,
) -> Option<(Located, SecretSource)> {
    let (place, source) = SecretSource::by_keys(section, keys, places.folder)?;
    places.named.borrow_mut().push((place.clone(), named(source.clone())));
    Some((place, source))
}

fn not_empty(section: &Section<'_>, key: &str, text: &Located) -> bool {
    let there = !text.text.trim().is_empty();
    if !there {
        section.error(text.span.clone(), format!("{key} is empty"));
    }
    there
}

fn ca_file(section: &mut Section<'_>, places: &Places<'_>) -> Option<PathBuf> {
    let text = section.text("ca_file").filter(|path| not_empty(section, "ca_file", path))?;
    let path = places.folder.join(&text.text);
    places.named.borrow_mut().push((text, NamedFile::Certificates(path.clone())));
    Some(path)
}

/// Reads who asks the proxy, and the proxy's address.
fn proxy(section: &mut Section<'_>, text: &Located, places: &Places<'_>) -> Option<Proxy> {
    let user = proxy_user(section, places);
    let fail = |message: String, hint: &str| {
        section.report(Problem::error(section.file(), text.span.clone(), message).with_hint(hint));
        None
    };
    let hint = "write http://HOST:PORT, https://…, socks5://… or socks5h://…";
    let url = match Url::parse(text.text.trim()) {
        Ok(url) => url,
        Err(error) => return fail(format!("this is no address of a proxy: {error}"), hint),
    };
    if !PROXIES.contains(&url.scheme()) {
        let hint = match nearest(url.scheme(), PROXIES.into_iter()) {
            Some(near) => format!("did you mean {near}://?"),
            None => hint.to_owned(),
        };
        return fail(format!("there is no kind of proxy {:?}", url.scheme()), &hint);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail(
            "a password does not belong in an address: it would stand in every log".to_owned(),
            "write proxy_username and proxy_password_file",
        );
    }
    if url.host_str().is_none_or(str::is_empty) {
        return fail("the address of the proxy names no host".to_owned(), hint);
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return fail("the address of a proxy ends with its port".to_owned(), hint);
    }
    Some(Proxy { url, user: user? })
}

/// As whom a proxy is asked; nothing when that cannot be read.
fn proxy_user(section: &mut Section<'_>, places: &Places<'_>) -> Option<ProxyUser> {
    let there = section.has("proxy_username");
    let username = username(section, "proxy_username");
    let password = secret(
        section,
        ["proxy_password_file", "proxy_password_credential"],
        places,
        NamedFile::Secret,
    );
    match (username, password) {
        (None, None) => (!there).then_some(ProxyUser::None),
        (Some(username), password) => Some(ProxyUser::Named {
            username: username.text,
            password: password.map(|(_, password)| password),
        }),
        (None, Some((place, _))) => {
            if !there {
                section.report(
                    Problem::error(section.file(), place.span, "a password without a username")
                        .with_hint("write proxy_username = \"…\""),
                );
            }
            None
        }
    }
}

/// Reports keys about a proxy where none is named.
fn without_proxy(section: &mut Section<'_>) {
    for key in ["proxy_username", "proxy_password_file", "proxy_password_credential"] {
        if let Some(text) = section.text(key) {
            section.report(
                Problem::error(section.file(), text.span, format!("{key} without a proxy"))
                    .with_hint("write proxy = \"socks5h://HOST:PORT\" beside it"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    #[test]
    fn a_file_of_headers_is_read_line_by_line() {
        let read = header_lines("# for the archive\n\nX-Key:  a:b \r\nCookie: c=1\n").unwrap();
        assert_eq!(read, [("X-Key", "a:b"), ("Cookie", "c=1")]);
        for (text, line, why) in [
            ("X-A: 1\nhunter2", 2, "a header is written as Name: value"),
            ("X A: hunter2", 1, "this is no name of a header"),
            (": hunter2", 1, "this is no name of a header"),
            ("Host: hunter2", 1, "Host is set by newswatch itself"),
            ("If-None-Match: hunter2", 1, "If-None-Match is set by newswatch itself"),
            ("X-A: hünter2", 1, "the value of X-A must be one line of ASCII text"),
        ] {
            assert_eq!(header_lines(text), Err((line, why.to_owned())), "{text}");
        }
        let many = "X-A: 1\n".repeat(MOST_HEADERS + 1);
        assert_eq!(header_lines(&many), Err((33, "more than 32 headers".to_owned())));
    }

    /// The messages about a feed with these keys, and the hints.
    fn problems(main: &str, feed: &str) -> Vec<String> {
        let rules = "[[rule]]\nid = \"a\"\ntitle = \"A\"\nseverity = \"low\"\nquery = \"peace\"";
        let feed = format!("[[feed]]\nname = \"alpha\"\n{feed}");
        let receiver = "[[receiver]]\nname = \"out\"\ntype = \"stdout\"\n";
        let checked = crate::config::check(&crate::config::Files {
            folder: PathBuf::from("/c"),
            main: SourceFile::new("/c/newswatch.toml", format!("{receiver}[poll]\n{main}")),
            feeds: vec![SourceFile::new("/c/feeds/a.toml", feed)],
            rules: vec![SourceFile::new("/c/rules/a.toml", rules)],
            strays: Vec::new(),
            directories: crate::config::Directories {
                state: PathBuf::from("/c"),
                logs: PathBuf::from("/c"),
                current: PathBuf::from("/"),
            },
        });
        let of_rules = |problem: &&Problem| problem.file.path.starts_with("/c/rules");
        let problems = checked.problems.iter().filter(|problem| !of_rules(problem));
        let rendered = problems.map(Problem::render);
        rendered.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        let https = "url = \"https://news.example/\"";
        for (feed, expected) in [
            (
                "headers = { Authorization = \"x\" }",
                "4:13: error: a secret does not belong in the configuration",
            ),
            ("headers = { Host = \"x\" }", "4:13: error: Host is set by newswatch itself"),
            ("username = \"a\"", "4:12: error: username without a password"),
            ("password_file = \"a\"", "4:17: error: a password without a username"),
            ("token_file = \"\"", "4:14: error: token_file is empty"),
            (
                "token_file = \"a\"\ntoken_credential = \"b\"",
                "5:20: error: token_file and token_credential both say where the secret is",
            ),
            ("token_credential = \"../b\"", "4:20: error: \"../b\" is no name of a credential"),
            ("proxy = \"socks4://a\"", "4:9: error: there is no kind of proxy \"socks4\""),
            (
                "proxy = \"http://u:p@a\"",
                "4:9: error: a password does not belong in an address: it would stand in every log",
            ),
            ("proxy = \"http://a/b\"", "4:9: error: the address of a proxy ends with its port"),
            ("proxy = \"http://\"", "4:9: error: this is no address of a proxy: empty host"),
            ("proxy_username = \"u\"", "4:18: error: proxy_username without a proxy"),
        ] {
            let problems = problems("", &format!("{https}\n{feed}"));
            assert_eq!(problems, [format!("/c/feeds/a.toml:{expected}")], "{feed}");
        }
    }

    #[test]
    fn a_service_of_tors_needs_a_proxy_that_looks_its_name_up() {
        let onion = "url = \"http://newsexample.onion/\"";
        let refused = ["/c/feeds/a.toml:3:7: error: only Tor reaches .onion addresses"];
        assert_eq!(problems("", onion), refused);
        assert_eq!(problems("proxy = \"socks5://127.0.0.1:9050\"", onion), refused);
        assert_eq!(problems("proxy = \"socks5h://127.0.0.1:9050\"", onion), [""; 0]);
        let direct = format!("{onion}\nproxy = \"none\"");
        assert_eq!(problems("proxy = \"socks5h://127.0.0.1:9050\"", &direct), refused);
    }

    #[test]
    fn who_sends_a_password_without_encryption_is_warned() {
        let token = "token_file = \"/t\"";
        let warned =
            ["/c/feeds/a.toml:3:7: warning: the credentials of this feed travel unencrypted"];
        assert_eq!(problems("", &format!("url = \"http://news.example/\"\n{token}")), warned);
        for url in ["https://news.example/", "http://127.0.0.1:1200/"] {
            let lines = format!("url = \"{url}\"\nallow_private = true\n{token}");
            assert_eq!(problems("", &lines), [""; 0]);
        }
    }

    #[test]
    fn what_a_header_holds_is_never_shown_by_accident() {
        let access = Access {
            headers: BTreeMap::from([("x-key".to_owned(), "hunter2".to_owned())]),
            ..Access::default()
        };
        let shown = format!("{access:?}");
        assert!(shown.contains("x-key") && !shown.contains("hunter2"), "{shown}");
    }
}
