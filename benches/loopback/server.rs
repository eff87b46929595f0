//! A web server on all addresses of loopback, so that each feed host has its own; keeps
//! connections open and gets its answers from a function.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// The address that was asked.
    pub(crate) host: Ipv4Addr,
    /// The path.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The status line's code and words; the connection is closed without an answer when empty.
    pub(crate) status: &'static str,
    /// Further header lines, each with its end.
    pub(crate) headers: String,
    /// The body.
    pub(crate) body: Arc<[u8]>,
    /// Close the connection after so many bytes of the body.
    pub(crate) cut: Option<usize>,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn status(status: &'static str) -> Self {
        Self { status, headers: String::new(), body: Arc::from([]), cut: None }
    }
}

/// Starts the server and returns its port. It ends with the runtime.
pub(crate) async fn start<F, A>(answer: F) -> std::io::Result<u16>
where
    F: Fn(Request) -> A + Send + Sync + 'static,
    A: Future<Output = Reply> + Send,
{
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let answer = answer.clone();
            // A client that goes away in the middle is its own business.
            tokio::spawn(async move { serve(connection, &*answer).await.ok() });
        }
    });
    Ok(port)
}

async fn serve<F, A>(mut connection: TcpStream, answer: &F) -> std::io::Result<()>
where
    F: Fn(Request) -> A,
    A: Future<Output = Reply>,
{
    connection.set_nodelay(true)?;
    let host = match connection.local_addr()? {
        SocketAddr::V4(address) => *address.ip(),
        SocketAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let mut waiting = Vec::new();
    while let Some(request) = read(&mut connection, &mut waiting, host).await? {
        let Reply { status, headers, body, cut } = answer(request).await;
        if status.is_empty() {
            return connection.shutdown().await;
        }
        let length = if status.starts_with("304") {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}{length}\r\n").into_bytes();
        bytes.extend_from_slice(&body[..cut.unwrap_or(body.len()).min(body.len())]);
        connection.write_all(&bytes).await?;
        if cut.is_some() {
            return connection.shutdown().await;
        }
    }
    Ok(())
}

async fn read(
    connection: &mut TcpStream,
    waiting: &mut Vec<u8>,
    host: Ipv4Addr,
) -> std::io::Result<Option<Request>> {
    let end = loop {
        if let Some(end) = waiting.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(waiting).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request { host, path, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok());
    let whole = end + 4 + length.unwrap_or(0);
    while waiting.len() < whole {
        if connection.read_buf(waiting).await? == 0 {
            return Ok(None);
        }
    }
    request.body = waiting[end + 4..whole].to_vec();
    waiting.drain(..whole);
    Ok(Some(request))
}
