//! `consort analyze` of fifty pages on hosts of every bad habit: each run ends by its deadline, with
//! the right cause; also when the process is killed twice on the way.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
};

use serde_json::Value;

use crate::world::{PATIENCE, World, text};

/// Pages of each host.
const PAGES: usize = 5;

/// A kind of host.
struct Habit {
    name: &'static str,
    /// The ends that its pages may come to. `circuit_open` is the breaker speaking for a host that
    /// has failed often enough.
    ends: &'static [&'static str],
    /// In what is told of at least one page: whoever opened the breaker has met the host itself.
    told: &'static str,
}

static HABITS: [Habit; 10] = [
    habit("well", &["succeeded"], "succeeded"),
    habit("stalls", &["timeout", "circuit_open"], "time"),
    habit("resets", &["network", "circuit_open"], "broke off in the middle"),
    habit("floods", &["payload_too_large"], "is larger than"),
    habit("busy", &["succeeded"], "succeeded"),
    habit("rude", &["rate_limited"], "answered 429"),
    habit("lies", &["network", "circuit_open"], "broke off in the middle"),
    habit("dies", &["network", "circuit_open"], "broke off in the middle"),
    habit("broken", &["unavailable", "circuit_open"], "answered 500"),
    habit("gone", &["not_found"], "answered 404"),
];

const fn habit(name: &'static str, ends: &'static [&'static str], told: &'static str) -> Habit {
    Habit { name, ends, told }
}

/// Ends before their own cause is known, for who waits in a queue behind the slow, or whose time
/// was over while nobody worked.
const LATE: [&str; 2] = ["timeout", "deadline_exceeded"];

/// A host on loopback with a habit, which tells `asked` of each page that is asked for. Lasts as
/// long as the tests.
fn host(habit: &'static str, asked: mpsc::Sender<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, asked) = (seen.clone(), asked.clone());
            // A client that has left has its reasons.
            std::thread::spawn(move || {
                stream.and_then(|stream| serve(habit, stream, &seen, &asked))
            });
        }
    });
    port
}

fn serve(
    habit: &str,
    mut stream: TcpStream,
    seen: &Mutex<BTreeSet<String>>,
    asked: &mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    // The test may have heard enough.
    let _ = asked.send(path.clone());
    let number = path.trim_start_matches('/').parse().unwrap_or(0);
    let page = format!("<html><body><article><p>{}</p></article></body></html>", text(number));
    let answer = |status: &str, more: &str, length: usize, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{more}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    };
    let text = match habit {
        "stalls" => {
            // Until the client gives up.
            reader.read_line(&mut line)?;
            return Ok(());
        }
        "resets" => return Ok(()),
        _ if path == "/robots.txt" => answer("404 Not Found", "", 0, ""),
        "floods" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 65_536])?;
            }
        }
        "busy" if seen.lock().unwrap().insert(path.clone()) => {
            answer("429 Too Many Requests", "Retry-After: 1\r\n", 0, "")
        }
        "rude" => answer("429 Too Many Requests", "Retry-After: 3600\r\n", 0, ""),
        "lies" => answer("200 OK", "", 1_000_000, "<html>"),
        "dies" => answer("200 OK", "", page.len(), &page[..page.len() / 2]),
        "broken" => answer("500 Internal Server Error", "", 0, ""),
        "gone" => answer("404 Not Found", "", 0, ""),
        _ => answer("200 OK", "", page.len(), &page),
    };
    stream.write_all(text.as_bytes())
}

/// Fifty pages to report on.
struct Fifty {
    /// The command line.
    args: Vec<String>,
    /// Each page and the habit of its host, in the order of the command line.
    pages: Vec<(String, &'static Habit)>,
    /// A word for each request that a host gets.
    asked: mpsc::Receiver<String>,
}

fn fifty() -> Fifty {
    let (ask, asked) = mpsc::channel();
    let mut args: Vec<String> =
        ["analyze", "--out", "reports/", "--json", "--timeout", "8s", "--jobs", "12"]
            .map(str::to_owned)
            .to_vec();
    let mut hosts = Vec::new();
    for habit in &HABITS {
        hosts.push((host(habit.name, ask.clone()), habit));
    }
    let mut pages = Vec::new();
    for number in 1..=PAGES {
        for (port, habit) in &hosts {
            pages.push((format!("http://127.0.0.1:{port}/{number}"), *habit));
        }
    }
    for (port, _) in &hosts {
        args.extend(["--allow".to_owned(), format!("127.0.0.1:{port}")]);
    }
    args.extend(pages.iter().map(|(url, _)| url.clone()));
    Fifty { args, pages, asked }
}

#[track_caller]
fn judge(world: &World, answer: &Value, pages: &[(String, &Habit)]) {
    let inputs = answer["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), pages.len());
    let mut told = BTreeSet::new();
    for (input, (url, habit)) in inputs.iter().zip(pages) {
        assert_eq!(input["input"], url.as_str());
        let end = match input["error"]["category"].as_str() {
            Some(category) => category,
            None => input["status"].as_str().unwrap(),
        };
        assert!(habit.ends.contains(&end) || LATE.contains(&end), "{}: {input:#}", habit.name);
        if input.to_string().contains(habit.told) {
            told.insert(habit.name);
        }
    }
    assert_eq!(told.len(), HABITS.len(), "all but {told:?} are misjudged: {inputs:#?}");
    let well = inputs.iter().zip(pages).filter(|(_, (_, habit))| habit.ends == ["succeeded"]);
    let fine = well.filter(|(input, _)| input["error"].is_null()).count();
    assert!(fine >= PAGES, "most pages of the hosts that are well come through: {fine}");
    let open = world.runs().into_iter().filter(|run| run["state"] != "ended").count();
    assert_eq!(open, 0, "no run is left over");
}

#[test]
fn fifty_hostile_pages_end_by_their_deadline_with_their_own_cause() {
    let world = World::new();
    let Fifty { args, pages, .. } = fifty();
    let ended = world.run(&args);
    assert!(ended.code.is_some_and(|code| code >= 20), "the worst code of all: {ended:#?}");
    judge(&world, &ended.json(), &pages);
    assert_eq!(world.runs().len(), pages.len());
}

#[test]
fn a_process_killed_twice_on_hostile_pages_ends_like_any_other() {
    let world = World::new();
    let Fifty { args, pages, asked } = fifty();
    for requests in [20, 40] {
        // What was asked before is no progress of this process.
        while asked.try_recv().is_ok() {}
        let going = world.start(&args);
        for _ in 0..requests {
            asked.recv_timeout(PATIENCE).unwrap();
        }
        going.kill();
    }
    judge(&world, &world.run(&args).json(), &pages);
}
