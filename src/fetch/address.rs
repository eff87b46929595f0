//! Which addresses may be asked: a feed, or what a feed redirects to, must not make newswatch ask
//! the services of its own network.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::config::is_public;

/// An address that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    /// One that is written as a number.
    #[error("{0} is a private address")]
    Address(IpAddr),
    /// One that a name leads to.
    #[error("{host} is the private address {address}")]
    Name {
        /// The name.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// A name that means the machine that looks it up, be that a proxy's (RFC 6761).
    #[error("{0} is a private name")]
    Home(String),
    /// An address of Tor's that no resolver may hear of (RFC 7686).
    #[error("{0} can be reached through Tor only: it needs proxy = \"socks5h://…\"")]
    Onion(String),
}

/// Refuses an address that is written as a number: those never reach the resolver.
pub(crate) fn check_literal(url: &Url) -> Result<(), Forbidden> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if is_public(address) { Ok(()) } else { Err(Forbidden::Address(address)) }
}

/// Refuses a name that leads home, whoever looks it up: to a proxy that does, names go unlooked at.
pub(crate) fn check_name(url: &Url, proxy: &Url) -> Result<(), Forbidden> {
    let Some(host) = url.host_str() else { return Ok(()) };
    let name = host.trim_end_matches('.');
    let home = name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || proxy.host_str().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name));
    if home { Err(Forbidden::Home(host.to_owned())) } else { Ok(()) }
}

/// Resolves names with the system's resolver and refuses those that lead to a private address, so
/// that what was checked is what is connected to.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublicOnly {
    /// The name of a proxy, which may be anywhere; [`check_name`] keeps others from using it.
    proxy: Option<String>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.proxy.as_deref().is_some_and(|proxy| proxy == name.as_str());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> =
                found.iter().copied().filter(|found| trusted || is_public(found.ip())).collect();
            if public.is_empty()
                && let Some(refused) = found.first()
            {
                return Err(Forbidden::Name { host, address: refused.ip() }.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// How a client reaches servers.
pub(crate) struct Way<'a> {
    /// What servers are judged by.
    pub(crate) tls: &'a ClientConfig,
    /// The proxy that everything goes through, and its address.
    pub(crate) proxy: Option<(reqwest::Proxy, &'a Url)>,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
}

/// A client that asks public addresses only, or any, directly. Where the system has no
/// certificates of authorities it can ask over http alone; [`check_certificates`] says so.
pub(crate) fn client(
    allow_private: bool,
    connect_timeout: Duration,
) -> Result<reqwest::Client, reqwest::Error> {
    let tls = tls(Vec::new());
    client_by(&Way { tls: &tls, proxy: None, connect_timeout }, allow_private)
}

/// A client that asks public addresses only, or any, by a way.
pub(crate) fn client_by(
    way: &Way<'_>,
    allow_private: bool,
) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(way.tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Proxies of the environment are not asked for.
        .no_proxy()
        .connect_timeout(way.connect_timeout)
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(90));
    if let Some((proxy, _)) = &way.proxy {
        builder = builder.proxy(proxy.clone());
    }
    if !allow_private {
        let proxy = way.proxy.as_ref().and_then(|(_, url)| url.host_str()).map(str::to_owned);
        builder = builder.dns_resolver(Arc::new(PublicOnly { proxy }));
    }
    builder.build()
}

/// The system has no certificates of authorities, without which no https server can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this system has no certificates of authorities: install the package ca-certificates")]
pub(crate) struct NoCertificates;

/// Whether https servers can be asked at all.
pub(crate) fn check_certificates() -> Result<(), NoCertificates> {
    if roots(Vec::new()).is_empty() { Err(NoCertificates) } else { Ok(()) }
}

/// Judges servers by the system's certificates of authorities and these.
pub(crate) fn tls(extra: Vec<CertificateDer<'static>>) -> ClientConfig {
    // An error means that another part of the process has chosen a provider, which will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config =
        ClientConfig::builder().with_root_certificates(roots(extra)).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The system's certificates and these; those that cannot be read are left out, as a system may
/// have many.
fn roots(extra: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(extra);
    roots
}

/// The refusal of an address behind an error, where there is one.
pub(crate) fn forbidden<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Forbidden> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<Forbidden>())
}

/// An error with all its causes, without repeating what a cause already said.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text += &format!(": {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, public: bool) {
        assert_eq!(check_literal(&Url::parse(url).unwrap()).is_ok(), public, "{url}");
    }

    #[test]
    fn only_public_addresses_may_be_asked() {
        for private in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://192.0.0.8/",
            "http://198.18.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://203.0.113.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[fc00::1]/",
            "http://[fe80::1]/",
            "http://[ff02::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2002:a00:1::]/",
            "http://[2001:0:1::1]/",
            "http://[2001:db8::1]/",
            "http://[::127.0.0.1]/",
        ] {
            check(private, false);
        }
        for public in [
            "http://8.8.8.8/",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://[2a00:1450::1]/",
            "http://[64:ff9b::8.8.8.8]/",
            "http://[2002:808:808::]/",
            "https://example.org/",
        ] {
            check(public, true);
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused() {
        let name: Name = "localhost".parse().unwrap();
        let refused =
            PublicOnly::default().resolve(name).await.err().expect("localhost is private");
        assert!(refused.to_string().contains("localhost is the private address"), "{refused}");
    }

    #[test]
    fn a_proxy_is_not_asked_for_what_lies_at_home() {
        let proxy = Url::parse("socks5h://tor.lan:9050").unwrap();
        for (url, allowed) in [
            ("http://localhost/", false),
            ("http://LOCALHOST.:8080/", false),
            ("http://db.localhost/", false),
            ("http://tor.lan/", false),
            ("http://localhost.example.org/", true),
            ("http://example.org/", true),
        ] {
            assert_eq!(check_name(&Url::parse(url).unwrap(), &proxy).is_ok(), allowed, "{url}");
        }
    }
}
