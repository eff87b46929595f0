//! A web server on loopback that serves feeds, misbehaves on command, and remembers what it was
//! asked.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes for a request, and then the end of the connection.
pub(crate) type Script = dyn Fn(&Request) -> Vec<u8> + Send + Sync;

/// Bytes that take a while.
pub(crate) type SlowScript =
    dyn Fn() -> Pin<Box<dyn Future<Output = Vec<u8>> + Send>> + Send + Sync;

/// What a request gets.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A document with an `ETag` and `Last-Modified`, or 304 when the request names them.
    Feed { document: String, version: u32 },
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// What this makes of the request.
    By(Arc<Script>),
    /// What this makes in its own time.
    Slowly(Arc<SlowScript>),
    /// Headers that promise a body, and then nothing for as long as the client stays.
    Hang,
    /// Not a byte for as long as the client stays.
    Silence,
}

impl Answer {
    /// An answer with a status, further header lines and a body.
    pub(crate) fn status(status: &str, headers: &str, body: &str) -> Self {
        Self::Raw(response(status, headers, body.as_bytes()))
    }

    /// An answer that depends on the request.
    pub(crate) fn by(script: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::By(Arc::new(script))
    }

    /// An answer that is made in its own time.
    pub(crate) fn slowly<F>(script: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<u8>> + Send + 'static,
    {
        Self::Slowly(Arc::new(move || Box::pin(script())))
    }
}

/// An answer with a status, further header lines and a body, as bytes.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether it was answered with 200.
    pub(crate) taken: bool,
}

impl Request {
    /// The value of a header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// What each path answers, always.
    pages: Mutex<HashMap<String, Answer>>,
    /// What each path answers first, one request after the other.
    first: Mutex<HashMap<String, VecDeque<Answer>>>,
    requests: Mutex<Vec<Request>>,
    /// How many requests there were, for those who wait.
    count: watch::Sender<usize>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await
    }

    pub(crate) async fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            pages: Mutex::default(),
            first: Mutex::default(),
            requests: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let server = Self { address, shared: shared.clone() };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let shared = shared.clone();
                // A client that goes away in the middle is its own business.
                tokio::spawn(async move { serve(connection, &shared).await.ok() });
            }
        });
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets what `path` answers from now on.
    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.shared.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Sets what the next request for `path` gets, before those set with [`Server::set`].
    pub(crate) fn once(&self, path: &str, answer: Answer) {
        self.shared.first.lock().unwrap().entry(path.to_owned()).or_default().push_back(answer);
    }

    /// Takes back what was set with [`Server::once`].
    pub(crate) fn forget(&self, path: &str) {
        self.shared.first.lock().unwrap().remove(path);
    }

    /// The requests for `path`, in their order.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// How many requests there were, whatever for.
    pub(crate) fn count(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// Waits until `path` was asked for `count` times.
    pub(crate) async fn asked(&self, path: &str, count: usize) {
        let mut all = self.shared.count.subscribe();
        all.wait_for(|_| self.requests(path).len() >= count).await.unwrap();
    }
}

async fn serve(mut connection: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(mut request) = read_request(&mut connection).await? else { return Ok(()) };
    let path = request.path.clone();
    let not_modified = (
        request.header("if-none-match").map(str::to_owned),
        request.header("if-modified-since").map(str::to_owned),
    );
    let first = shared.first.lock().unwrap().get_mut(&path).and_then(VecDeque::pop_front);
    let answer = first.or_else(|| shared.pages.lock().unwrap().get(&path).cloned());
    request.taken =
        matches!(&answer, Some(Answer::Raw(bytes)) if bytes.starts_with(b"HTTP/1.1 200"));
    shared.requests.lock().unwrap().push(request.clone());
    shared.count.send_modify(|count| *count += 1);
    match answer {
        None => connection.write_all(&response("404 Not Found", "", b"")).await?,
        Some(Answer::Raw(bytes)) => connection.write_all(&bytes).await?,
        Some(Answer::By(script)) => connection.write_all(&script(&request)).await?,
        Some(Answer::Slowly(script)) => connection.write_all(&script().await).await?,
        Some(Answer::Feed { document, version }) => {
            connection.write_all(feed(&document, version, not_modified).as_bytes()).await?;
        }
        Some(Answer::Silence) => {
            connection.read_u8().await?;
        }
        Some(Answer::Hang) => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n<").await?;
            // Until the client closes the connection.
            connection.read_u8().await?;
        }
    }
    connection.shutdown().await
}

/// Validators are compared byte for byte, as a server may.
fn feed(document: &str, version: u32, asked: (Option<String>, Option<String>)) -> String {
    let etag = format!("W/\"v{version}\"");
    let modified = format!("Mon, 18 Sep 2023 09:00:{version:02} GMT");
    let validators = format!("etag: {etag}\r\nlast-modified: {modified}\r\n");
    if asked == (Some(etag), Some(modified)) {
        format!("HTTP/1.1 304 Not Modified\r\n{validators}connection: close\r\n\r\n")
    } else {
        format!(
            "HTTP/1.1 200 OK\r\n{validators}content-type: application/rss+xml; charset=utf-8\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{document}",
            document.len()
        )
    }
}

async fn read_request(connection: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request { method, path, headers, body: String::new(), taken: false };
    let length = request.header("content-length").and_then(|length| length.parse().ok());
    let mut body = bytes.split_off(head + 4);
    while body.len() < length.unwrap_or(0) {
        if connection.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}
