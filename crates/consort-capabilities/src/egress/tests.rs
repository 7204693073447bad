//! Claims about the gate: attacks that are known, and what it says to them.

use std::{collections::VecDeque, io, sync::Mutex};

use futures_util::future::BoxFuture;

use super::*;
use crate::testing::{Server, ok};

/// Gives one answer after the other, the last one for ever.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<Vec<IpAddr>>>);

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

impl Resolve for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(next.unwrap_or_default()) })
    }
}

fn gate(allow: &[&str], resolver: Arc<dyn Resolve>) -> Gate {
    let allow = allow.iter().map(ToString::to_string).collect();
    Gate::with_resolver(Config { allow, ..Config::default() }, resolver).unwrap()
}

fn strict() -> Gate {
    gate(&[], Answers::new(&[&[]]))
}

#[track_caller]
fn refused(url: &str) -> StepError {
    match strict().address(url) {
        Ok(address) => panic!("{url} is let through as {address:?}"),
        Err(error) => error,
    }
}

#[test]
fn loopback_is_refused_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.0x1",
        "017700000001",
        "0177.0.0.1",
        "0177.0.0.01",
        "127.000.000.001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::]",
        "①②⑦.⓪.⓪.①",
        "%31%32%37.0.0.1",
        "127。0。0。1",
    ] {
        for url in [format!("http://{host}/"), format!("https://{host}:8443/x?y#z")] {
            assert_eq!(refused(&url).category(), Category::EgressDenied, "{url}");
        }
    }
}

#[test]
fn private_networks_and_cloud_metadata_are_refused() {
    for host in [
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0xa9fea9fe",
        "2852039166",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let error = refused(&format!("http://{host}/latest/meta-data"));
        assert_eq!(error.category(), Category::EgressDenied, "{host}");
        assert!(error.suggested_actions()[0].contains("--allow"), "{error:?}");
    }
}

#[test]
fn only_the_web_is_reached() {
    for url in [
        "file:///etc/passwd",
        "ftp://a.example/",
        "gopher://a.example/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ws://a.example/",
        "jar:http://a.example!/",
        "dict://a.example:1/",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    ] {
        assert_eq!(refused(url).category(), Category::EgressDenied, "{url}");
    }
    for url in [
        "",
        "no address",
        "http://",
        "http://[::1",
        "http://a b/",
        "//a.example",
        "http://a.example:99999",
    ] {
        assert_eq!(refused(url).category(), Category::InvalidRequest, "{url}");
    }
}

#[test]
fn names_and_passwords_in_addresses_are_refused() {
    for url in [
        "http://user@a.example/",
        "http://user:secret@a.example/",
        "http://:secret@a.example/",
        "http://a.example@127.0.0.1/",
        "http://127.0.0.1\\@a.example@b.example/",
    ] {
        let error = refused(url);
        assert_eq!(error.category(), Category::EgressDenied, "{url}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    for inside in ["127.0.0.1", "10.1.1.1", "::1", "::ffff:192.168.0.1", "fd00::1"] {
        let gate = gate(&[], Answers::new(&[&[inside]]));
        let to = gate.address("http://innocent.example/").unwrap();
        let error = gate.dial(to.target()).await.unwrap_err();
        assert_eq!(error.category(), Category::EgressDenied, "{inside}");
        assert!(error.message().contains("innocent.example"), "{error}");
    }
}

#[tokio::test]
async fn one_private_address_among_public_ones_spoils_the_name() {
    let gate = gate(&[], Answers::new(&[&["93.184.216.34", "127.0.0.1"]]));
    let to = gate.address("http://mixed.example/").unwrap();
    assert_eq!(gate.dial(to.target()).await.unwrap_err().category(), Category::EgressDenied);
}

#[tokio::test]
async fn a_name_server_that_changes_its_mind_gains_nothing() {
    let server = Server::new().await;
    let allow = format!("127.0.0.1:{}", server.port());
    // Each connection is made to what was judged, by one look-up; the next answer is judged anew.
    let gate = gate(&[&allow], Answers::new(&[&["127.0.0.1"], &["127.0.0.2"]]));
    let to = gate.address(&format!("http://rebind.example:{}/", server.port())).unwrap();
    let client = async {
        let stream = gate.dial(to.target()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
        assert_eq!(gate.dial(to.target()).await.unwrap_err().category(), Category::EgressDenied);
    };
    server.during(|_| ok(""), client).await;
}

#[tokio::test]
async fn a_host_without_an_address_is_a_network_failure() {
    let gate = gate(&[], Answers::new(&[&[]]));
    let to = gate.address("http://nowhere.example/").unwrap();
    assert_eq!(gate.dial(to.target()).await.unwrap_err().category(), Category::Network);
}

#[test]
fn clients_of_a_proxy_are_judged_alike() {
    for authority in ["127.0.0.1:80", "2130706433:80", "0x7f.1:80", "[::1]:80", "10.0.0.1:443"] {
        let error = strict().target(authority).unwrap_err();
        assert_eq!(error.category(), Category::EgressDenied, "{authority}");
    }
    for authority in
        ["", "a.example", "a.example:", "a.example:x", ":80", "a b:80", "a/b:80", "u@a.example:80"]
    {
        let error = strict().target(authority).unwrap_err();
        assert_eq!(error.category(), Category::InvalidRequest, "{authority}");
    }
    assert!(strict().target("a.example:443").is_ok());
}
