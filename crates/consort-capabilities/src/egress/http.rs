//! One request and its response over a connection of the gate's. HTTP/1.1, no pool, no proxy, no
//! redirects, no cookies; the connection is driven by whoever reads the response, so that nothing
//! outlives it.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use consort_core::{Category, StepError};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    body::{Body as _, Incoming},
    client::conn::http1,
    header::{HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{Gate, WebAddress};

/// Most bytes of a response's head.
const MAX_HEAD: usize = 64 * 1024;

type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// The head of a response, and its body yet to be read.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// What is still to come of a response.
pub(crate) struct Body {
    connection: Option<Connection>,
    incoming: Incoming,
    /// How long the other side may be silent.
    idle: Duration,
    host: String,
}

/// What to send.
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Sent {
    pub(crate) fn get(headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { method: Method::GET, headers, body: Bytes::new() }
    }
}

impl Gate {
    /// Sends a request and waits for the head of the response. `idle` is how long the other side
    /// may be silent, before the head and within the body.
    pub(crate) async fn send(
        &self,
        to: &WebAddress,
        sent: Sent,
        idle: Duration,
    ) -> Result<Response, StepError> {
        let stream = self.dial(to.target()).await?;
        if !to.is_secure() {
            return exchange(stream, to, sent, idle).await;
        }
        let secured = timeout(self.0.connect, self.0.tls.secure(to.target(), stream));
        match secured.await {
            Ok(stream) => exchange(stream?, to, sent, idle).await,
            Err(_) => Err(silent(&to.target().to_string(), self.0.connect)),
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    to: &WebAddress,
    sent: Sent,
    idle: Duration,
) -> Result<Response, StepError> {
    let host = to.target().to_string();
    let asked = async {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&host, &error))?;
        let mut connection: Option<Connection> = Some(Box::pin(connection));
        let mut answer = Box::pin(sender.send_request(request(to, sent)?));
        let answer = poll_fn(|cx| {
            drive(&mut connection, cx);
            answer.as_mut().poll(cx)
        });
        let (head, incoming) = answer.await.map_err(|error| failed(&host, &error))?.into_parts();
        Ok((head, incoming, connection))
    };
    let (head, incoming, connection) =
        timeout(idle, asked).await.unwrap_or_else(|_| Err(silent(&host, idle)))?;
    let body = Body { connection, incoming, idle, host };
    Ok(Response { status: head.status, headers: head.headers, body })
}

fn request(to: &WebAddress, sent: Sent) -> Result<Request<Full<Bytes>>, StepError> {
    let unfit = |error: &(dyn std::error::Error + 'static)| {
        StepError::new(Category::InvalidRequest, format!("`{}` cannot be asked for", to.as_str()))
            .because(error)
    };
    let url = to.url();
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::new(Full::new(sent.body));
    *request.method_mut() = sent.method;
    *request.uri_mut() = path.parse::<Uri>().map_err(|error| unfit(&error))?;
    let host = HeaderValue::from_str(host).map_err(|error| unfit(&error))?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().extend(sent.headers.into_iter().map(|(name, value)| (Some(name), value)));
    Ok(request)
}

/// Moves the connection on. Its end, good or bad, shows in what the reader gets.
fn drive(connection: &mut Option<Connection>, cx: &mut std::task::Context<'_>) {
    if connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
        *connection = None;
    }
}

impl Body {
    /// The next piece; `None` at the end of a complete body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, StepError> {
        loop {
            let (connection, incoming) = (&mut self.connection, &mut self.incoming);
            let frame = poll_fn(|cx| {
                drive(connection, cx);
                Pin::new(&mut *incoming).poll_frame(cx)
            });
            let frame =
                timeout(self.idle, frame).await.map_err(|_| silent(&self.host, self.idle))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&self.host, &error)),
                Some(Ok(frame)) => {
                    // Trailers say nothing that is wanted here.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

fn broken(host: &str, error: &hyper::Error) -> StepError {
    let message = format!("`{host}` broke off in the middle of its answer");
    StepError::new(Category::Network, message).because(error)
}

fn failed(host: &str, error: &hyper::Error) -> StepError {
    if error.is_incomplete_message() {
        return broken(host, error);
    }
    let message = if error.is_parse() {
        format!("what `{host}` answers is not HTTP")
    } else {
        format!("the connection to `{host}` failed")
    };
    StepError::new(Category::Network, message).because(error)
}

fn silent(host: &str, idle: Duration) -> StepError {
    StepError::new(Category::Timeout, format!("`{host}` was silent for {idle:?}"))
}
