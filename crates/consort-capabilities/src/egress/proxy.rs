//! A proxy on loopback for child processes that fetch by themselves: each target that they ask for
//! passes the gate. It lives as long as the future that serves it, and only takes clients that
//! know its password, so that other programs of the machine cannot use it.

use std::{io, net::Ipv4Addr, time::Duration};

use consort_core::{Category, StepError};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::rustls::crypto::ring;

use super::{Gate, Target};

/// Most bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;
/// Clients at once; more wait.
const MAX_CLIENTS: usize = 32;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(20);

/// The proxy, not yet serving.
#[derive(Debug)]
pub(crate) struct Proxy {
    gate: Gate,
    listener: TcpListener,
    port: u16,
    password: String,
}

/// Where a client wants to go, and what to pass on first.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    target: Target,
    /// For a tunnel nothing; else the request as the target expects it.
    request: Option<Vec<u8>>,
}

impl Proxy {
    pub(crate) async fn bind(gate: Gate) -> Result<Self, StepError> {
        let cannot = |error: &(dyn std::error::Error + 'static)| {
            StepError::new(Category::ResourceExhausted, "cannot open a proxy on loopback")
                .because(error)
        };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| cannot(&error))?;
        let port = listener.local_addr().map_err(|error| cannot(&error))?.port();
        let mut secret = [0; 16];
        ring::default_provider().secure_random.fill(&mut secret).map_err(|_| {
            StepError::new(Category::ResourceExhausted, "the system gives no random numbers")
        })?;
        let password = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { gate, listener, port, password })
    }

    /// Its address with the password, as clients are told it.
    pub(crate) fn url(&self) -> String {
        format!("http://consort:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Serves while `client` runs.
    pub(crate) async fn during<T>(&self, client: impl Future<Output = T>) -> T {
        let mut serve = std::pin::pin!(self.serve().fuse());
        let mut client = std::pin::pin!(client.fuse());
        futures_util::select_biased! {
            done = client => done,
            never = serve => never,
        }
    }

    async fn serve<T>(&self) -> T {
        let mut clients: FuturesUnordered<BoxFuture<'_, io::Result<()>>> = FuturesUnordered::new();
        loop {
            let room = clients.len() < MAX_CLIENTS;
            let next = async {
                if room { self.listener.accept().await } else { std::future::pending().await }
            };
            futures_util::select_biased! {
                // How a client fares is its own affair: it sees it.
                _ = clients.select_next_some() => {}
                accepted = next.boxed().fuse() => match accepted {
                    Ok((stream, _)) => clients.push(Box::pin(self.client(stream))),
                    // No handles are left just now; what is open will be closed some time.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
    }

    async fn client(&self, mut stream: TcpStream) -> io::Result<()> {
        let (head, rest) = match timeout(PATIENCE, read_head(&mut stream)).await {
            Ok(Ok(Some(read))) => read,
            Ok(Ok(None)) | Err(_) => return refuse(&mut stream, "400 Bad Request", "").await,
            Ok(Err(error)) => return Err(error),
        };
        if !self.knows_password(&head) {
            let ask = "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic";
            return refuse(&mut stream, ask, "").await;
        }
        let wanted = match self.wanted(&head) {
            Ok(wanted) => wanted,
            Err(error) => return refuse(&mut stream, status(&error), error.message()).await,
        };
        let mut onward = match self.gate.dial(&wanted.target).await {
            Ok(onward) => onward,
            Err(error) => return refuse(&mut stream, status(&error), error.message()).await,
        };
        match wanted.request {
            Some(request) => onward.write_all(&request).await?,
            None => stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        }
        onward.write_all(&rest).await?;
        copy_bidirectional(&mut stream, &mut onward).await.map(drop)
    }

    fn knows_password(&self, head: &str) -> bool {
        let expected = format!("Basic {}", base64(format!("consort:{}", self.password).as_bytes()));
        header(head, "proxy-authorization").is_some_and(|value| value == expected)
    }

    fn wanted(&self, head: &str) -> Result<Wanted, StepError> {
        let unfit = || StepError::new(Category::InvalidRequest, "not a request to a proxy");
        let (line, headers) = head.split_once("\r\n").ok_or_else(unfit)?;
        let [method, to, version] =
            line.split(' ').collect::<Vec<_>>().try_into().map_err(|_| unfit())?;
        if method == "CONNECT" {
            return Ok(Wanted { target: self.gate.target(to)?, request: None });
        }
        if !to.starts_with("http://") {
            return Err(unfit());
        }
        let address = self.gate.address(to)?;
        let url = address.url();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = format!("{method} {path} {version}\r\n");
        for line in headers.lines().filter(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            // What is between the client and us, or would let it go on to another host.
            if !matches!(
                &*name,
                "proxy-authorization" | "proxy-connection" | "connection" | "keep-alive"
            ) {
                request.push_str(line);
                request.push_str("\r\n");
            }
        }
        request.push_str("Connection: close\r\n\r\n");
        Ok(Wanted { target: address.target().clone(), request: Some(request.into_bytes()) })
    }
}

/// The head of a request, and what came after it. `None` when it does not end.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok(String::from_utf8(bytes).ok().map(|head| (head, rest)));
        }
        if bytes.len() > MAX_HEAD || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn refuse(stream: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}",
        why.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn status(error: &StepError) -> &'static str {
    match error.category() {
        Category::EgressDenied => "403 Forbidden",
        Category::InvalidRequest => "400 Bad Request",
        Category::Timeout => "504 Gateway Timeout",
        _ => "502 Bad Gateway",
    }
}

/// RFC 4648, for one header.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests;
