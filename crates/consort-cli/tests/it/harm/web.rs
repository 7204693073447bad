//! Addresses and servers.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::Case;
use crate::{server, world::text};

pub(crate) fn addresses() -> Vec<Case> {
    let inside = "not a public address";
    let case = |what, url| Case::new(what, url, 14, inside);
    vec![
        Case::new("`file://`", "file:///etc/passwd", 14, "http"),
        Case::new("`ftp://`", "ftp://a.example/a", 14, "http"),
        Case::new("a name and password", "http://user:secret@93.184.216.34/", 14, "password"),
        Case::new("an address without a host", "http://", 10, "caused by"),
        case("loopback", "http://127.0.0.1/"),
        case("loopback by name", "http://localhost/"),
        case("loopback in decimal", "http://2130706433/"),
        case("loopback in octal", "http://0177.0.0.1/"),
        case("loopback in hexadecimal", "http://0x7f.1/"),
        case("loopback, short", "http://127.1/"),
        case("loopback in IPv6", "http://[::1]/"),
        case("loopback, mapped to IPv6", "http://[::ffff:127.0.0.1]/"),
        case("the address of none", "http://0.0.0.0/"),
        case("a private network", "http://10.0.0.1/"),
        case("cloud metadata", "http://169.254.169.254/latest/meta-data/"),
    ]
}

/// What a server does to a client that asked for a path.
type Trick = fn(&mut TcpStream, u16);

const TRICKS: [(&str, &str, i32, &str, Trick); 13] = [
    ("redirects in a circle", "/circle", 31, "redirects", |stream, _| {
        say(stream, "302 Found", "Location: /circle", b"");
    }),
    ("redirects to a private address", "/inside", 14, "not a public address", |stream, _| {
        say(stream, "302 Found", "Location: http://10.0.0.1/", b"");
    }),
    (
        "redirects to another port of this machine",
        "/port",
        14,
        "not a public address",
        |stream, port| {
            say(stream, "302 Found", &format!("Location: http://127.0.0.1:{}/", port ^ 1), b"");
        },
    ),
    ("redirects to a file", "/file", 14, "http", |stream, _| {
        say(stream, "302 Found", "Location: file:///etc/passwd", b"");
    }),
    ("an endless body", "/endless", 10, "larger than", |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    }),
    ("an endless head", "/head", 22, "caused by", |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-More: more\r\n").is_ok() {}
    }),
    ("a gzip bomb", "/bomb", 10, "unfolds", |stream, _| {
        say(stream, "200 OK", "Content-Encoding: gzip", &bomb());
    }),
    ("damaged gzip", "/damaged", 31, "", |stream, _| {
        say(stream, "200 OK", "Content-Encoding: gzip", b"\x1F\x8B\x08 no");
    }),
    ("an unknown encoding", "/encoding", 31, "packed as", |stream, _| {
        say(stream, "200 OK", "Content-Encoding: rot13", b"uryyb");
    }),
    ("what is not HTTP", "/smtp", 22, "", |stream, _| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    }),
    ("a server that hangs up", "/gone", 22, "", |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf");
    }),
    ("a server that stalls", "/stall", 20, "", |stream, _| {
        let _ = stream.read(&mut [0]);
    }),
    ("a page of another length than it says", "/lie", 0, "", |stream, _| {
        let page = format!("<html><body><article><p>{}</p></article></body></html>", text(1));
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page} and more",
            page.len()
        );
    }),
];

pub(crate) fn servers() -> Vec<Case> {
    let (listener, port) = server::bind();
    server::tricky(listener, move |path, stream| {
        match TRICKS.iter().find(|(_, known, ..)| *known == path) {
            Some((.., trick)) => trick(stream, port),
            None => say(stream, "404 Not Found", "X: -", b""),
        }
    });
    let allow = format!("127.0.0.1:{port}");
    let case = |(what, path, code, words, _): (_, &str, _, _, Trick)| {
        let url = format!("http://{allow}{path}");
        let patience = if path == "/stall" { "3s" } else { "50s" };
        Case::new(what, &url, code, words).with(["--allow", &allow, "--timeout", patience])
    };
    TRICKS.map(case).into()
}

fn say(stream: &mut TcpStream, status: &str, header: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A client that has left has its reasons.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// 100 MB of zeros, packed by hand: blocks of one byte repeated, by the fixed code of RFC 1951.
fn bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // One final block with the fixed code: the literal 0, then matches of 258 bytes one byte back.
    bits.push(1, 1);
    bits.push(1, 2);
    bits.code(0x30, 8);
    for _ in 0..400_000 {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    [b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".as_slice(), &bits.bytes].concat()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= (value >> bit & 1) as u8 * (1 << self.used);
            self.used = (self.used + 1) % 8;
        }
    }

    /// Codes go in from their first bit.
    fn code(&mut self, value: u32, count: u32) {
        self.push(value.reverse_bits() >> (32 - count), count);
    }
}
