//! Results in the form of the usual test harness, so that whoever counts tests counts these too.

use std::process::ExitCode;

use tokio::time::Instant;

/// What passed and what failed so far.
#[derive(Debug)]
pub(crate) struct Results {
    began: Instant,
    passed: usize,
    failed: usize,
}

impl Results {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), passed: 0, failed: 0 }
    }

    /// Notes the result of one test; `failures` is empty when it passed.
    pub(crate) fn note(&mut self, name: &str, failures: &[String]) {
        if failures.is_empty() {
            self.passed += 1;
            println!("test {name} ... ok");
        } else {
            self.failed += 1;
            println!("test {name} ... FAILED");
            failures.iter().take(20).for_each(|failure| println!("    {failure}"));
            if failures.len() > 20 {
                println!("    and {} more", failures.len() - 20);
            }
        }
    }

    /// Prints the closing line.
    pub(crate) fn close(self) -> ExitCode {
        let Self { began, passed, failed } = self;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
             0 filtered out; finished in {:.2}s\n",
            began.elapsed().as_secs_f64()
        );
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
