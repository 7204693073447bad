//! Web servers of the tests' own, on loopback.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use crate::world::text;

/// A place for a server, and its port.
pub(crate) fn bind() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers each request with a media type and a body, or 404. Lasts as long as the tests.
pub(crate) fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Option<(&'static str, String)> + Send + Sync + 'static,
) {
    tricky(listener, move |path, stream| {
        let (status, (kind, body)) = match answer(path) {
            Some(found) => ("200 OK", found),
            None => ("404 Not Found", ("text/plain", String::new())),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // A client that has left has its reasons.
        let _ = stream.write_all(answer.as_bytes());
    });
}

/// Leaves each request, once it is read, to `answer`, on a thread of its own.
pub(crate) fn tricky(
    listener: TcpListener,
    answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let path = request(&stream);
                answer(&path, &mut stream);
            });
        }
    });
}

/// Reads a request; its path.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A page with a text of its own for each number.
pub(crate) fn page(number: usize) -> String {
    format!(
        "<html><head><title>Story {number}</title></head><body><article><h1>Story {number}</h1><p>{}</p></article></body></html>",
        text(number)
    )
}

/// A feed that announces pages `/1` and so on.
pub(crate) fn feed(port: u16, items: usize) -> String {
    let items: String = (1..=items)
        .map(|n| format!("<item><title>Story {n}</title><link>http://127.0.0.1:{port}/{n}</link><description>{}</description></item>", text(n)))
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title><link>http://127.0.0.1:{port}/</link>{items}</channel></rss>"
    )
}
