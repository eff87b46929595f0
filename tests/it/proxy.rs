//! Proxies on loopback that lead everything to one server and remember what they were asked, and a
//! front for that server that speaks TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What a proxy was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Where to: a host, as the client named it, and a port.
    pub(crate) target: String,
    /// As whom: `user:password` of SOCKS, the value of `Proxy-Authorization` of HTTP.
    pub(crate) user: Option<String>,
    /// The head of an HTTP request.
    pub(crate) head: String,
}

/// What a SOCKS proxy does with users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// It lets everybody in who names one.
    Any,
    /// It knows none, and refuses those who would name one.
    Refused,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Http,
    Socks(Users),
}

/// A proxy. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    /// An HTTP proxy: `CONNECT`, and requests that name a whole address.
    pub(crate) async fn http(target: SocketAddr) -> Self {
        Self::start(target, Kind::Http).await
    }

    /// A SOCKS 5 proxy.
    pub(crate) async fn socks(target: SocketAddr, users: Users) -> Self {
        Self::start(target, Kind::Socks(users)).await
    }

    async fn start(target: SocketAddr, kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = proxy.asked.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let asked = asked.clone();
                tokio::spawn(async move {
                    match kind {
                        Kind::Http => http(connection, target, &asked).await.ok(),
                        Kind::Socks(users) => socks(connection, target, users, &asked).await.ok(),
                    }
                });
            }
        });
        proxy
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn http(
    mut client: TcpStream,
    target: SocketAddr,
    asked: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, address) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let user = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        .map(|(_, value)| value.to_owned());
    let mut server = TcpStream::connect(target).await?;
    let named = if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        address.to_owned()
    } else {
        let rest = address.trim_start_matches("http://");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let forwarded = head.replacen(address, &format!("/{path}"), 1);
        server.write_all(forwarded.as_bytes()).await?;
        host.to_owned()
    };
    asked.lock().unwrap().push(Asked { target: named, user, head });
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

async fn socks(
    mut client: TcpStream,
    target: SocketAddr,
    users: Users,
    asked: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let text = async |client: &mut TcpStream| {
        let mut bytes = vec![0; usize::from(client.read_u8().await?)];
        client.read_exact(&mut bytes).await?;
        std::io::Result::Ok(bytes)
    };
    client.read_u8().await?;
    let methods = text(&mut client).await?;
    let mut user = None;
    if methods.contains(&2) && users == Users::Any {
        client.write_all(&[5, 2]).await?;
        client.read_u8().await?;
        let name = String::from_utf8(text(&mut client).await?).unwrap();
        let password = String::from_utf8(text(&mut client).await?).unwrap();
        user = Some(format!("{name}:{password}"));
        client.write_all(&[1, 0]).await?;
    } else if methods.contains(&0) {
        client.write_all(&[5, 0]).await?;
    } else {
        return client.write_all(&[5, 0xff]).await;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        3 => String::from_utf8(text(&mut client).await?).unwrap(),
        _ => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
    };
    let target_name = format!("{host}:{}", client.read_u16().await?);
    asked.lock().unwrap().push(Asked { target: target_name, user, head: String::new() });
    let mut server = TcpStream::connect(target).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

/// An authority of its own, and a front that shows its certificate.
pub(crate) struct Tls {
    /// The authority's certificate.
    pub(crate) ca: String,
    pub(crate) address: SocketAddr,
}

impl Tls {
    /// A front for the server at `target` under the name `host`.
    pub(crate) async fn start(host: &str, target: SocketAddr) -> Self {
        Self::start_with(host, target, |_| {}).await
    }

    /// The same, with a certificate that is not valid any more.
    pub(crate) async fn start_expired(host: &str, target: SocketAddr) -> Self {
        Self::start_with(host, target, |certificate| {
            certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
            certificate.not_after = rcgen::date_time_ymd(2021, 1, 1);
        })
        .await
    }

    async fn start_with(
        host: &str,
        target: SocketAddr,
        change: impl Fn(&mut CertificateParams),
    ) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let mut certificate = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut certificate);
        let certificate = certificate.signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not believe us goes away.
                    let Ok(mut client) = acceptor.accept(connection).await else { return };
                    let mut server = TcpStream::connect(target).await.unwrap();
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        Self { ca, address }
    }
}
