//! The engine against the same work done directly, and against the bare disk, side by side in one
//! run. `cargo bench -p consort-testkit` prints a table; `docs/benchmarks.md` keeps one.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod bare;
mod dispatch;
mod durable;
mod memory;
mod sample;
mod table;

use table::Table;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["memory", case, runs] = words[..] {
        // A process of its own, so that nothing else is in its memory.
        memory::child(case, runs.parse().unwrap_or(10_000));
        return;
    }
    let wanted = |name: &str| {
        let filters = || words.iter().filter(|word| !word.starts_with('-'));
        filters().count() == 0 || filters().any(|filter| name.contains(filter))
    };
    let mut table = Table::default();
    if wanted("dispatch") {
        dispatch::measure(&mut table);
    }
    if wanted("durable") {
        durable::measure(&mut table);
    }
    if wanted("memory") {
        memory::measure(&mut table);
    }
    println!("{table}");
}
