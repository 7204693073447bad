//! Claims about the proxy, by clients that play the child process.

use super::*;
use crate::testing::{Server, ok};

async fn ask(proxy: &Proxy, request: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "plays the child process")]
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn with_password(proxy: &Proxy, request: &str) -> String {
    let password = base64(format!("consort:{}", proxy.password).as_bytes());
    request.replacen("\r\n", &format!("\r\nProxy-Authorization: Basic {password}\r\n"), 1)
}

#[test]
fn base64_is_as_rfc_4648_gives_it() {
    for (plain, coded) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
    {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}

#[tokio::test]
async fn plain_requests_and_tunnels_pass() {
    let server = Server::new().await;
    let proxy = Proxy::bind(server.gate()).await.unwrap();
    let (url, port) = (server.url("/a?b"), server.port());
    let client = async {
        let plain =
            format!("GET {url} HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n");
        let plain = ask(&proxy, &with_password(&proxy, &plain)).await;
        assert!(plain.starts_with("HTTP/1.1 200 OK") && plain.ends_with("hello"), "{plain}");
        let tunnel =
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
        let tunnel = ask(&proxy, &with_password(&proxy, &tunnel)).await;
        assert!(tunnel.contains("established") && tunnel.ends_with("hello"), "{tunnel}");
    };
    server.during(|_| ok("hello"), proxy.during(client)).await;
    assert_eq!(*server.asked.lock().unwrap(), ["/a?b", "/c"]);
}

#[tokio::test]
async fn nobody_passes_without_the_password() {
    let server = Server::new().await;
    let proxy = Proxy::bind(server.gate()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\n\r\n", server.url("/"));
    let client = async {
        assert!(ask(&proxy, &request).await.starts_with("HTTP/1.1 407"));
        let wrong = request.replacen("\r\n", "\r\nProxy-Authorization: Basic eDp5\r\n", 1);
        assert!(ask(&proxy, &wrong).await.starts_with("HTTP/1.1 407"));
    };
    server.during(|_| ok(""), proxy.during(client)).await;
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_leads_inside_is_refused() {
    let server = Server::new().await;
    let proxy = Proxy::bind(server.gate()).await.unwrap();
    let client = async {
        for line in [
            "CONNECT 127.0.0.1:1",
            "CONNECT [::1]:443",
            "CONNECT 0x7f.1:80",
            "CONNECT 169.254.169.254:80",
            "GET http://10.0.0.1/",
            "GET http://2130706433/",
            "POST http://user@a.example/",
        ] {
            let request = format!("{line} HTTP/1.1\r\n\r\n");
            let answer = ask(&proxy, &with_password(&proxy, &request)).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{line}: {answer}");
        }
        for line in ["GET /", "GET ftp://a.example/", "CONNECT x", "x", "GET http://a b/"] {
            let request = format!("{line} HTTP/1.1\r\n\r\n");
            let answer = ask(&proxy, &with_password(&proxy, &request)).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
        }
    };
    proxy.during(client).await;
}
