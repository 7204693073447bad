//! Claims about media pages, with a stand-in for `yt-dlp`.

#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt};

use super::{transcribe::Transcriber, *};
use crate::{
    egress,
    testing::{Server, ok},
};

const CUES: &str = "WEBVTT\n\n00:00.000 --> 00:02.000\nHello there.\n";

/// A program that stands in for `yt-dlp`.
fn stand_in(folder: &Path, script: &str) -> Vec<String> {
    let path = folder.join("yt-dlp");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    vec![path.to_str().unwrap().to_owned()]
}

fn config(command: Vec<String>) -> Config {
    Config { command, ..Config::default() }
}

async fn words(gate: Gate, config: Config) -> Result<Words, StepError> {
    let media = Media::new(gate, config, 1 << 20);
    let page = media.gate.address("https://www.youtube.com/watch?v=-x&list=y").unwrap();
    assert!(media.covers(&page));
    media.words(&page).await
}

async fn told(script: &str) -> Result<Words, StepError> {
    let home = tempfile::tempdir().unwrap();
    let gate = Gate::new(egress::Config::default()).unwrap();
    words(gate, config(stand_in(home.path(), script))).await
}

#[test]
fn media_hosts_and_those_below_them_are_known() {
    let gate = Gate::new(egress::Config::default()).unwrap();
    let media = Media::new(gate.clone(), Config::default(), 1);
    let covers = |url: &str| media.covers(&gate.address(url).unwrap());
    assert!(covers("https://youtu.be/x"));
    assert!(covers("https://m.YouTube.com/watch"));
    assert!(!covers("https://notyoutube.com/"));
    assert!(!covers("https://youtube.com.evil.example/"));
    assert!(!covers("https://8.8.8.8/"));
}

#[tokio::test]
async fn captions_by_people_come_before_those_by_machines() {
    let both = format!("printf '{CUES}' > recording.en.vtt; printf x > recording.de-orig.vtt");
    let account = r#"echo '{"title": "A talk", "subtitles": {"en": []}}'"#;
    let words = told(&format!("{both}; {account}")).await.unwrap();
    assert_eq!(words.bytes, CUES.as_bytes());
    assert_eq!(words.name, "A talk.vtt");
    assert!(words.losses.is_empty(), "{words:?}");
}

#[tokio::test]
async fn captions_by_machines_are_said_to_be() {
    let words = told("echo WEBVTT > recording.en-orig.vtt; echo '{}'").await.unwrap();
    assert!(words.losses[0].contains("by a machine"), "{words:?}");
}

#[tokio::test]
async fn it_gets_no_settings_no_secrets_and_the_address_as_the_last_word() {
    let script = r#"
        for last; do :; done
        case "$*" in *"--ignore-config "*" -- https://www.youtube.com/watch?v=-x&list=y") ;; *) exit 7;; esac
        [ "$last" = 'https://www.youtube.com/watch?v=-x&list=y' ] || exit 8
        [ "$(env | cut -d= -f1 | grep -vE '^(PATH|HOME|LC_ALL|PWD|OLDPWD|SHLVL|_)$')" = "" ] || exit 9
        [ "$HOME" = "$(pwd)" ] || exit 10
        echo x > recording.en.vtt; echo '{}'"#;
    told(script).await.unwrap();
}

#[tokio::test]
async fn it_fetches_through_the_gate_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    // Speaks to the proxy that it was given, as yt-dlp does.
    let script = r#"
        while [ $# -gt 0 ]; do [ "$1" = --proxy ] && proxy=$2; shift; done
        exec python3 - "$proxy" <<'PY'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": sys.argv[1]}))
open("recording.en.vtt", "wb").write(opener.open("URL").read())
try:
    opener.open("http://127.0.0.1:1/")
    sys.exit(3)
except urllib.error.HTTPError as refused:
    assert refused.code == 403, refused
print("{}")
PY"#
    .replace("URL", &server.url("/captions"));
    let words = words(server.gate(), config(stand_in(home.path(), &script)));
    let words = server.during(|_| ok(CUES), words).await.unwrap();
    assert_eq!(words.bytes, CUES.as_bytes());
    assert_eq!(server.times("/captions"), 1);
}

#[tokio::test]
async fn without_yt_dlp_the_remedy_is_told() {
    let gate = Gate::new(egress::Config::default()).unwrap();
    let error = words(gate, config(vec!["/no/such/yt-dlp".to_owned()])).await.unwrap_err();
    assert_eq!(error.category(), Category::NotConfigured);
    assert!(error.suggested_actions()[0].contains("install it"), "{error:?}");
}

#[tokio::test]
async fn its_own_reason_is_passed_on() {
    let error = told("echo 'WARNING: x' >&2; echo 'ERROR: Video unavailable' >&2; exit 1").await;
    let error = error.unwrap_err();
    assert_eq!(error.category(), Category::ProcessingFailed);
    assert_eq!(error.causes(), ["Video unavailable"]);
    assert_eq!(told("echo no json").await.unwrap_err().category(), Category::ParseFailed);
}

#[tokio::test]
async fn it_is_killed_when_it_hangs() {
    let home = tempfile::tempdir().unwrap();
    let gate = Gate::new(egress::Config::default()).unwrap();
    let command = stand_in(home.path(), "sleep 1000");
    let config = Config { wall: Duration::from_millis(300), ..config(command) };
    assert_eq!(words(gate, config).await.unwrap_err().category(), Category::Timeout);
}

const RECORDS: &str = r#"case "$*" in *--skip-download*) ;; *) printf sound > recording.m4a;; esac; echo '{"title": "T"}'"#;

#[tokio::test]
async fn without_captions_and_transcriber_the_remedy_is_told() {
    let error = told(RECORDS).await.unwrap_err();
    assert_eq!(error.category(), Category::NotConfigured);
    assert!(error.message().contains("no captions"), "{error}");
}

#[tokio::test]
async fn a_recording_is_transcribed_by_a_command() {
    let home = tempfile::tempdir().unwrap();
    let script = r#"printf '{"segments": [{"start": 0, "end": 1, "text": "%s"}]}' "$(cat "$0")""#;
    let transcriber = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let gate = Gate::new(egress::Config::default()).unwrap();
    let mut config = config(stand_in(home.path(), RECORDS));
    config.transcriber = Some(Transcriber::Command(transcriber));
    let words = words(gate, config).await.unwrap();
    assert_eq!(words.bytes, br#"{"segments": [{"start": 0, "end": 1, "text": "sound"}]}"#);
    assert_eq!(words.name, "T.json");
    assert!(words.losses[0].contains("machine"), "{words:?}");
}

#[tokio::test]
async fn a_recording_is_transcribed_by_an_endpoint() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    let mut config = config(stand_in(home.path(), RECORDS));
    let url = server.url("/v1/audio/transcriptions");
    let key = Some(transcribe::Key::new("secret"));
    config.transcriber = Some(Transcriber::Endpoint { url, model: "m".to_owned(), key });
    assert!(!format!("{config:?}").contains("secret"));
    let words = server.during(|_| ok(r#"{"segments": []}"#), words(server.gate(), config));
    assert_eq!(words.await.unwrap().bytes, br#"{"segments": []}"#);
    assert_eq!(server.times("/v1/audio/transcriptions"), 1);
}
