//! A server on loopback that says exactly what a test tells it to, for as long as the test lasts.

use std::{future::Future, io, pin::pin, sync::Mutex, time::Duration};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    egress::{self, Gate},
    fetch::{self, Fetcher},
};

/// What the server does next on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends this.
    Say(Vec<u8>),
    /// Sends this again and again.
    Endless(Vec<u8>),
    /// Sends one byte after the other, each after a pause.
    Drip(Duration),
    /// Is silent for ever.
    Stall,
}

pub(crate) use Act::{Drip, Endless, Say, Stall};

/// A complete answer.
pub(crate) fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<Act> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    vec![Say(bytes)]
}

pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<Act> {
    answer("200 OK\r\nContent-Type: text/plain", body)
}

pub(crate) fn redirect(to: &str) -> Vec<Act> {
    answer(&format!("302 Found\r\nLocation: {to}"), "")
}

/// Head of an answer, its body to follow in any way.
pub(crate) fn head(head: &str) -> Act {
    Say(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes())
}

/// A server that runs while its [`Server::during`] does.
pub(crate) struct Server {
    listener: TcpListener,
    /// Paths asked for, in order.
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, asked: Mutex::default() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// How often a path was asked for.
    pub(crate) fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }

    /// A fetcher that may reach this server and nothing else, and is soon tired of waiting.
    pub(crate) fn fetcher(&self) -> Fetcher {
        self.fetcher_with(|_| {})
    }

    pub(crate) fn fetcher_with(&self, change: impl FnOnce(&mut fetch::Config)) -> Fetcher {
        let mut config = fetch::Config { robots: false, ..fetch::Config::default() };
        change(&mut config);
        Fetcher::new(self.gate(), config)
    }

    pub(crate) fn gate(&self) -> Gate {
        let allow = vec![format!("127.0.0.1:{}", self.port())];
        Gate::new(egress::Config { allow, ..egress::Config::default() }).unwrap()
    }

    /// Answers each path as `script` says while `client` runs.
    pub(crate) async fn during<T>(
        &self,
        script: impl Fn(&str) -> Vec<Act>,
        client: impl Future<Output = T>,
    ) -> T {
        let serve = async {
            let mut talks = FuturesUnordered::new();
            loop {
                futures_util::select_biased! {
                    accepted = self.listener.accept().fuse() => {
                        talks.push(self.talk(accepted.unwrap().0, &script));
                    }
                    // A client that leaves in the middle is part of many tests.
                    _ = talks.select_next_some() => {}
                }
            }
        };
        let (mut serve, mut client) = (pin!(serve.fuse()), pin!(client.fuse()));
        futures_util::select_biased! {
            done = client => done,
            never = serve => never,
        }
    }

    pub(crate) async fn talk(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        script: &impl Fn(&str) -> Vec<Act>,
    ) -> io::Result<()> {
        let mut request = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8_lossy(&request);
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        for act in script(&path) {
            match act {
                Say(bytes) => stream.write_all(&bytes).await?,
                Endless(bytes) => loop {
                    stream.write_all(&bytes).await?;
                },
                Drip(pause) => loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(pause).await;
                },
                Stall => std::future::pending().await,
            }
        }
        stream.shutdown().await
    }
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
