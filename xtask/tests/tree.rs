//! Rules of the tree as tests: arrows between crates, licences, sizes and shapes of files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Who may depend on whom among our own crates. Anything unlisted may depend on none of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("consort-cli", &["consort"]),
    (
        "consort",
        &[
            "application",
            "bandit",
            "capabilities",
            "content",
            "core",
            "domain",
            "durable",
            "infrastructure",
            "resilience",
        ],
    ),
    ("consort-infrastructure", &["core", "resilience"]),
    ("consort-application", &["bandit", "core"]),
    ("consort-domain", &["content", "core"]),
    ("consort-capabilities", &["content", "core", "resilience"]),
    ("consort-durable", &["core"]),
    ("consort-testkit", &["core", "durable"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}

fn metadata(more: &[&str]) -> Value {
    #[expect(clippy::disallowed_methods, reason = "asks cargo about the tree")]
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(more)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn crates_depend_only_on_those_they_may() {
    for package in list(&metadata(&["--no-deps"]), "packages") {
        let name = package["name"].as_str().expect("a name");
        let allowed = ARROWS.iter().find(|(from, _)| *from == name).map_or(&[][..], |(_, to)| to);
        for dep in list(package, "dependencies") {
            if dep["path"].is_null() || dep["kind"] == "dev" {
                continue;
            }
            let to = dep["name"].as_str().expect("a name").trim_start_matches("consort-");
            assert!(allowed.contains(&to), "{name} must not depend on {to}");
        }
    }
}

#[test]
fn only_the_capabilities_crate_has_network_clients() {
    for package in list(&metadata(&["--no-deps"]), "packages") {
        let name = package["name"].as_str().expect("a name");
        for dep in list(package, "dependencies") {
            let client = [
                "reqwest",
                "hyper",
                "hyper-util",
                "ureq",
                "tokio-rustls",
                "rustls",
                "native-tls",
                "ssrf-guard",
                "hickory-resolver",
            ];
            let to = dep["name"].as_str().expect("a name");
            let allowed = name == "consort-capabilities" || dep["kind"] == "dev";
            assert!(allowed || !client.contains(&to), "{name} must not depend on {to}");
        }
    }
}

#[test]
fn connections_and_processes_begin_in_one_place_each() {
    let crates = root().join("crates");
    let product = |path: &&PathBuf| {
        let part = |name: &str| path.components().any(|part| part.as_os_str() == name);
        let test = path.file_name().is_some_and(|name| name == "tests.rs");
        path.starts_with(&crates) && part("src") && !part("tests") && !test
    };
    for (what, place) in [
        ("TcpStream::connect", "consort-capabilities/src/egress.rs"),
        ("TcpSocket::new", "no file"),
        ("UdpSocket::bind", "no file"),
        ("UnixStream::connect", "no file"),
        ("Command::new(", "consort-capabilities/src/child.rs"),
    ] {
        for path in sources().iter().filter(product) {
            let text = fs::read_to_string(path).expect("UTF-8");
            let here = path.ends_with(place) || !text.contains(what);
            assert!(here, "{}: `{what}` belongs in {place}", path.display());
        }
    }
}

#[test]
fn every_licence_in_the_tree_is_on_the_list() {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let deny: toml::Table = text.parse().expect("deny.toml is TOML");
    let allowed: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|l| l.as_str())
        .collect();
    let banned: Vec<&str> = deny["bans"]["deny"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|ban| ban["name"].as_str())
        .collect();
    // Packages of other platforms are not on this machine.
    let tree = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"]);
    for package in list(&tree, "packages") {
        let name = package["name"].as_str().expect("a name");
        assert!(!banned.contains(&name), "{name} is banned");
        let source = package["source"].as_str();
        assert!(
            source
                .is_none_or(|from| from
                    .starts_with("registry+https://github.com/rust-lang/crates.io-index")),
            "{name} comes from {source:?}"
        );
        let licence = package["license"].as_str().unwrap_or("none stated");
        // `OR` leaves a choice; of what is joined by `AND` all must be allowed.
        let fine = licence.replace('/', " OR ").split(" OR ").any(|choice| {
            choice.split(" AND ").all(|one| allowed.contains(&one.trim().trim_matches(['(', ')'])))
        });
        assert!(fine, "{name} is under `{licence}`, which deny.toml does not allow");
    }
}

fn sources() -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![root().join("crates"), root().join("xtask"), root().join("examples")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                all.push(path);
            }
        }
    }
    assert!(all.len() > 50, "found only {} files", all.len());
    all
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(text.starts_with("//!"), "{} does not open with `//!`", path.display());
    }
}

#[test]
fn no_file_is_longer_than_500_lines() {
    for path in sources() {
        let lines = fs::read_to_string(&path).expect("UTF-8").lines().count();
        let tests = path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs");
        assert!(tests || lines <= 500, "{} has {lines} lines", path.display());
    }
}

#[test]
fn select_in_durable_orchestrators_is_biased() {
    let domain = root().join("crates/consort-domain");
    for path in sources().iter().filter(|path| path.starts_with(&domain)) {
        let text = fs::read_to_string(path).expect("UTF-8");
        for (at, _) in text.match_indices("select! {") {
            let body = text[at + 9..].trim_start();
            assert!(body.starts_with("biased;"), "{}: an unbiased `select!`", path.display());
        }
    }
}

#[test]
fn the_guide_names_the_metrics_that_exist() {
    let docs = fs::read_to_string(root().join("docs/metrics.md")).expect("docs/metrics.md");
    for metric in consort_core::events::METRICS {
        assert!(docs.contains(metric.name), "docs/metrics.md lacks {}", metric.name);
        assert!(docs.contains(metric.help), "docs/metrics.md does not say: {}", metric.help);
    }
}
