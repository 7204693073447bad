//! Off-policy estimators at work: how far each is off where the truth is known, and what a real
//! log can and cannot tell.
//!
//! ```console
//! cargo run --release -p consort-bandit --example estimators -- DIGITS.csv [OBD.csv…]
//! ```
//! The first file is a classification set (`x0..,y`): three tenths of it teach two classifiers, the
//! rest is logged by one of them with half of the choices at random, and the other one, with a
//! tenth at random, is judged by that log, fifty times; the table tells the root mean square error
//! of each estimator relative to the truth. `agreement` does the same on logs of the Open Bandit
//! Pipeline. Further files are logs of the Open Bandit Dataset
//! (`item,click,pscore` among their columns): the uniform policy is judged by each, and one that
//! always shows the item that was clicked most.

mod known;
mod logged;

use std::error::Error;
use std::io::{Write, stdout};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args().skip(1);
    let known = paths.next().ok_or("usage: estimators DIGITS.csv [OBD.csv…]")?;
    let mut out = stdout().lock();
    known::report(&mut out, &known)?;
    for path in paths {
        logged::report(&mut out, &path)?;
    }
    Ok(out.flush()?)
}
