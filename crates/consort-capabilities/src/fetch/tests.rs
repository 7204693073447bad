//! Claims about fetching, on real sockets: what servers do wrong, and what comes of it.

use std::{io::Write, sync::Arc, time::Duration};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::*;
use crate::{
    egress,
    testing::{Act, Drip, Endless, Say, Server, Stall, answer, head, ok, redirect, unhex},
};

const LIMIT: u64 = 1 << 20;

/// 100 MiB of zeros in 172 bytes.
const BROTLI_BOMB: &str = "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77ffcffff837f02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffe3ffff1ffc1300715800a07bffc7ffff3ff82700e2b00040f7fe8fffff7ff04f00c4610180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77ff9ffff837f02200e0b0074ef7f00";

async fn fetch(script: impl Fn(&str) -> Vec<Act>) -> Result<Fetched, StepError> {
    let server = Server::new().await;
    server.during(script, server.fetcher().fetch(&server.url("/"), LIMIT)).await
}

/// As `fetch`, by somebody with little patience.
async fn hurried(script: impl Fn(&str) -> Vec<Act>) -> StepError {
    let server = Server::new().await;
    let fetcher = server.fetcher_with(|config| {
        config.idle = Duration::from_millis(100);
        config.total = Duration::from_millis(500);
    });
    server.during(script, fetcher.fetch(&server.url("/"), LIMIT)).await.unwrap_err()
}

async fn failure(script: impl Fn(&str) -> Vec<Act>) -> StepError {
    fetch(script).await.unwrap_err()
}

async fn category(script: impl Fn(&str) -> Vec<Act>) -> Category {
    failure(script).await.category()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[tokio::test]
async fn a_page_comes_with_its_type_and_its_last_address() {
    let server = Server::new().await;
    let script = |path: &str| match path {
        "/a?x=1" => redirect("../b#part"),
        "/b" => answer("200 OK\r\nContent-Type: text/html; charset=utf-8", "<p>Hello"),
        _ => panic!("{path}"),
    };
    let (fetcher, url) = (server.fetcher(), server.url("/a?x=1#top"));
    let fetched = server.during(script, fetcher.fetch(&url, LIMIT)).await.unwrap();
    assert_eq!(fetched.bytes, b"<p>Hello");
    assert_eq!(fetched.media_type.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(fetched.url, server.url("/b"));
}

#[tokio::test]
async fn chunked_and_unmeasured_bodies_are_read_whole() {
    let chunked = "200 OK\r\nTransfer-Encoding: chunked";
    let chunks = || vec![head(chunked), Say(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".to_vec())];
    assert_eq!(fetch(|_| chunks()).await.unwrap().bytes, b"abcde");
    let until_close = || vec![head("200 OK\r\nConnection: close"), Say(b"abc".to_vec())];
    assert_eq!(fetch(|_| until_close()).await.unwrap().bytes, b"abc");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let script = |path: &str| redirect(if path == "/" { "/other" } else { "/" });
    let error = failure(script).await;
    assert_eq!(error.category(), Category::ProcessingFailed);
    assert!(error.message().contains("in a circle"), "{error}");
}

#[tokio::test]
async fn redirects_without_end_end() {
    let error = failure(|path| redirect(&format!("{path}x"))).await;
    assert_eq!(error.category(), Category::ProcessingFailed);
    assert!(error.message().contains("more than 10 times"), "{error}");
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    for inside in [
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/",
        "//[::1]/",
        "http://0x7f.1:81/",
        "file:///etc/passwd",
        "http://user@a.example/",
        "gopher://a.example/",
        "http://10.0.0.1/",
    ] {
        assert_eq!(category(|_| redirect(inside)).await, Category::EgressDenied, "{inside}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let chunk =
        b"1000\r\n".iter().copied().chain([b'x'; 4096]).chain(*b"\r\n").collect::<Vec<u8>>();
    let chunked = || vec![head("200 OK\r\nTransfer-Encoding: chunked"), Endless(chunk.clone())];
    assert_eq!(category(|_| chunked()).await, Category::PayloadTooLarge);
    let plain = || vec![head("200 OK"), Endless(vec![b'x'; 4096])];
    assert_eq!(category(|_| plain()).await, Category::PayloadTooLarge);
}

#[tokio::test]
async fn an_endless_head_is_cut_off() {
    let lines =
        || vec![Say(b"HTTP/1.1 200 OK\r\n".to_vec()), Endless(b"X: yyyyyyyyyyyyyyyy\r\n".to_vec())];
    assert_eq!(category(|_| lines()).await, Category::Network);
    let line = || vec![Say(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Endless(vec![b'y'; 4096])];
    assert_eq!(category(|_| line()).await, Category::Network);
}

#[tokio::test]
async fn lies_about_the_length_are_found_out() {
    // Too much is not even begun.
    let huge = || vec![head("200 OK\r\nContent-Length: 99999999999"), Stall];
    assert_eq!(category(|_| huge()).await, Category::PayloadTooLarge);
    // Too little came.
    let short = || vec![head("200 OK\r\nContent-Length: 100"), Say(b"abc".to_vec())];
    let error = failure(|_| short()).await;
    assert_eq!(error.category(), Category::Network);
    assert!(error.message().contains("broke off"), "{error}");
    let absurd = || vec![head("200 OK\r\nContent-Length: -1"), Say(b"abc".to_vec())];
    assert_eq!(category(|_| absurd()).await, Category::Network);
    let two =
        || vec![head("200 OK\r\nContent-Length: 1\r\nContent-Length: 3"), Say(b"abc".to_vec())];
    assert_eq!(category(|_| two()).await, Category::Network);
}

#[tokio::test]
async fn a_connection_that_dies_half_way_is_no_page() {
    let chunked = || vec![head("200 OK\r\nTransfer-Encoding: chunked"), Say(b"5\r\nab".to_vec())];
    assert_eq!(category(|_| chunked()).await, Category::Network);
    let in_head = || vec![Say(b"HTTP/1.1 200 O".to_vec())];
    assert_eq!(category(|_| in_head()).await, Category::Network);
    assert_eq!(category(|_| Vec::new()).await, Category::Network);
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be() {
    let error = failure(|_| vec![Say(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec())]).await;
    assert_eq!(error.category(), Category::Network);
    assert!(error.message().contains("not HTTP"), "{error}");
}

#[tokio::test]
async fn a_server_that_stalls_is_left() {
    assert_eq!(hurried(|_| vec![Stall]).await.category(), Category::Timeout);
    let within = || vec![head("200 OK\r\nContent-Length: 9"), Say(b"abc".to_vec()), Stall];
    assert_eq!(hurried(|_| within()).await.category(), Category::Timeout);
}

#[tokio::test]
async fn a_server_that_trickles_is_left() {
    let drip = || vec![head("200 OK"), Drip(Duration::from_millis(20))];
    let error = hurried(|_| drip()).await;
    assert_eq!(error.category(), Category::Timeout);
    assert!(error.message().contains("did not come within"), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_a_network_failure() {
    let server = Server::new().await;
    let (fetcher, url) = (server.fetcher(), server.url("/"));
    drop(server);
    assert_eq!(fetcher.fetch(&url, LIMIT).await.unwrap_err().category(), Category::Network);
}

#[tokio::test]
async fn bombs_are_cut_off_while_they_unfold() {
    let zeros = vec![0; 100 << 20];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros)), ("br", unhex(BROTLI_BOMB))]
    {
        let packed = || answer(&format!("200 OK\r\nContent-Encoding: {name}"), &bomb);
        let fetched = fetch(|_| packed()).await.unwrap();
        let error = decompress(fetched.bytes, fetched.encoding, LIMIT).unwrap_err();
        assert_eq!(error.category(), Category::PayloadTooLarge, "{name}");
    }
}

#[tokio::test]
async fn packed_pages_are_unpacked_and_damaged_ones_refused() {
    let packed =
        [("gzip", gzip(b"hello")), ("zstd", zstd(b"hello")), ("br", unhex("0b028068656c6c6f03"))];
    for (name, bytes) in packed {
        let script = || answer(&format!("200 OK\r\nContent-Encoding: {name}"), &bytes);
        let fetched = fetch(|_| script()).await.unwrap();
        let unpacked = decompress(fetched.bytes.clone(), fetched.encoding, LIMIT).unwrap();
        assert_eq!(unpacked, b"hello", "{name}");
        let mut cut = fetched.bytes;
        cut.truncate(cut.len() - 3);
        let error = decompress(cut, fetched.encoding, LIMIT).unwrap_err();
        assert_eq!(error.category(), Category::ParseFailed, "{name}");
        let error = decompress(b"not packed".to_vec(), fetched.encoding, LIMIT).unwrap_err();
        assert_eq!(error.category(), Category::ParseFailed, "{name}");
    }
    let strange = || answer("200 OK\r\nContent-Encoding: gzip, gzip", "x");
    assert_eq!(category(|_| strange()).await, Category::ParseFailed);
}

#[tokio::test]
async fn what_a_status_means_is_told() {
    use Category::*;
    for (status, expected) in [
        ("404 Not Found", NotFound),
        ("410 Gone", NotFound),
        ("401 Unauthorized", Unauthenticated),
        ("403 Forbidden", PermissionDenied),
        ("429 Too Many Requests", RateLimited),
        ("451 Unavailable For Legal Reasons", PolicyViolation),
        ("418 I'm a teapot", InvalidRequest),
        ("500 Internal Server Error", Unavailable),
        ("503 Service Unavailable", Unavailable),
        ("504 Gateway Timeout", Timeout),
        ("204 No Content", ProcessingFailed),
    ] {
        let script =
            || vec![Say(format!("HTTP/1.1 {status}\r\nRetry-After: 7\r\n\r\n").into_bytes())];
        let error = failure(|_| script()).await;
        assert_eq!(error.category(), expected, "{status}");
        assert_eq!(error.retry_after_hint(), Some(Duration::from_secs(7)), "{status}");
    }
}

/// What comes of a page on a host with these rules.
async fn under(robots: Vec<Act>) -> Result<Fetched, StepError> {
    let server = Server::new().await;
    let fetcher = server.fetcher_with(|config| config.robots = true);
    let script = |path: &str| match path {
        "/robots.txt" => robots.clone(),
        "/rules" => ok("User-agent: *\nDisallow: /"),
        _ => ok("page"),
    };
    server.during(script, fetcher.fetch(&server.url("/page"), LIMIT)).await
}

#[tokio::test]
async fn robots_rules_are_kept() {
    let closed = under(ok("User-agent: *\nDisallow: /page")).await.unwrap_err();
    assert_eq!(closed.category(), Category::PolicyViolation);
    assert!(closed.message().contains("robots.txt"), "{closed}");
    assert!(under(ok("User-agent: *\nDisallow: /other")).await.is_ok());
    let packed = answer("200 OK\r\nContent-Encoding: gzip", gzip(b"User-agent: *\nDisallow: /"));
    assert_eq!(under(packed).await.unwrap_err().category(), Category::PolicyViolation);
}

#[tokio::test]
async fn no_robots_file_means_no_rules_and_no_answer_means_hands_off() {
    assert!(under(answer("404 Not Found", "")).await.is_ok());
    assert!(under(answer("403 Forbidden", "")).await.is_ok());
    let down = under(answer("503 Service Unavailable", "")).await.unwrap_err();
    assert_eq!(down.category(), Category::Unavailable);
    assert!(under(redirect("/robots.txt")).await.is_ok(), "a loop is no file");
    assert_eq!(under(redirect("/rules")).await.unwrap_err().category(), Category::PolicyViolation);
    assert_eq!(
        under(redirect("http://10.0.0.1/")).await.unwrap_err().category(),
        Category::EgressDenied
    );
}

#[tokio::test]
async fn an_endless_robots_file_is_read_as_far_as_it_must_be() {
    let endless = vec![
        head("200 OK"),
        Say(b"User-agent: *\nDisallow: /page\n".to_vec()),
        Endless(b"# blah blah\n".to_vec()),
    ];
    assert_eq!(under(endless).await.unwrap_err().category(), Category::PolicyViolation);
}

#[tokio::test]
async fn a_host_is_asked_for_its_rules_once() {
    let server = Server::new().await;
    let fetcher = server.fetcher_with(|config| config.robots = true);
    let client = async {
        for page in ["/a", "/b", "/c"] {
            fetcher.fetch(&server.url(page), LIMIT).await.unwrap();
        }
    };
    server.during(|_| ok(""), client).await;
    assert_eq!(server.times("/robots.txt"), 1);
}

#[tokio::test]
async fn a_secure_page_needs_a_certificate_that_is_trusted() {
    let provider = Arc::new(ring::default_provider());
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("../testing/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../testing/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("authority.pem");
    std::fs::write(&path, include_bytes!("../testing/authority.pem")).unwrap();
    for (authorities, trusted) in [(Some(path), true), (None, false)] {
        let server = Server::new().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let allow = vec!["127.0.0.1".to_owned()];
        let gate = Gate::new(egress::Config { allow, authorities, ..egress::Config::default() });
        let fetcher = Fetcher::new(gate.unwrap(), Config { robots: false, ..Config::default() });
        let serve = async {
            let stream = listener.accept().await.unwrap().0;
            if let Ok(stream) = acceptor.accept(stream).await {
                server.talk(stream, &|_: &str| ok("secret")).await.unwrap();
            }
        };
        let url = format!("https://127.0.0.1:{port}/");
        let (fetched, ()) = tokio::join!(fetcher.fetch(&url, LIMIT), serve);
        match fetched {
            Ok(fetched) => assert!(trusted && fetched.bytes == b"secret"),
            Err(error) => {
                assert!(!trusted, "{error:?}");
                assert_eq!(error.category(), Category::Network);
            }
        }
    }
}
