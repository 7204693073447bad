//! The report as Markdown, for terminals and files.

use std::fmt::Write;

use super::{Outcome, Report};
use crate::analyse::Place;

/// How Markdown is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Longest line in characters; lines are never broken inside a word.
    pub width: usize,
    /// Entries per list; the rest are counted in one line.
    pub entries: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { width: 100, entries: 10 }
    }
}

/// The report as Markdown. Text from the source is escaped: it cannot add headings, links or markup.
#[must_use]
pub fn markdown(report: &Report, style: &Style) -> String {
    let mut page = Page { out: String::new(), style: *style };
    let title = report.source.title.as_deref().unwrap_or(&report.source.locator);
    page.line(&format!("# {}", plain(title)));
    overview(&mut page, report);
    summary(&mut page, report);
    claims(&mut page, report);
    key_phrases(&mut page, report);
    sentiment(&mut page, report);
    readability(&mut page, report);
    not_done(&mut page, report);
    provenance(&mut page, report);
    page.out
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn heading(&mut self, text: &str) {
        self.line(&format!("\n## {text}\n"));
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// One list entry, wrapped with a hanging indent.
    fn item(&mut self, mark: &str, text: &str) {
        let indent = mark.chars().count() + 1;
        let mut column = indent;
        self.out.push_str(mark);
        for word in text.split_whitespace() {
            let width = word.chars().count();
            if column > indent && column + width + 1 > self.style.width {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(word);
            column += width;
        }
        self.out.push('\n');
    }

    fn more(&mut self, total: usize) {
        if total > self.style.entries {
            self.item(
                "-",
                &format!("… and {} more in the JSON report", total - self.style.entries),
            );
        }
    }
}

fn overview(page: &mut Page, report: &Report) {
    let (source, found) = (&report.source, &report.findings);
    let facts = [
        ("Source", Some(source.locator.clone())),
        ("By", source.byline.clone()),
        ("Published", source.published.clone()),
        (
            "Language",
            found
                .language
                .as_ref()
                .map(|l| format!("{} ({:.0} % sure)", l.name, l.confidence * 100.0)),
        ),
        ("Length", Some(format!("{} words, {} sentences", found.words, found.sentences))),
    ];
    page.line("");
    for (name, value) in facts {
        if let Some(value) = value {
            page.item("-", &format!("{name}: {}", plain(&value)));
        }
    }
    match &report.outcome {
        Outcome::Succeeded => {}
        Outcome::Degraded { lost } => {
            page.item("-", &format!("**Degraded**: {}", plain(&lost.join(" "))))
        }
        Outcome::Skipped { reason } => {
            page.item("-", &format!("**Not analysed**: {}", plain(reason)))
        }
    }
}

fn summary(page: &mut Page, report: &Report) {
    let Some(summary) = &report.findings.summary else { return };
    page.heading("Summary");
    for sentence in &summary.sentences {
        page.item("-", &format!("{} {}", plain(&sentence.text), at(&sentence.place)));
    }
}

fn claims(page: &mut Page, report: &Report) {
    let claims = &report.findings.claims;
    if claims.is_empty() {
        return;
    }
    page.heading("Claims worth checking");
    for (rank, claim) in claims.iter().take(page.style.entries).enumerate() {
        let said =
            claim.speaker.as_ref().map(|name| format!("{}: ", plain(name))).unwrap_or_default();
        let why: Vec<&str> = claim.features.iter().map(|feature| feature.name.as_str()).collect();
        let text = format!(
            "{said}{} {} — {:.2}: {}",
            plain(&claim.text),
            at(&claim.place),
            claim.score,
            why.join(", ")
        );
        page.item(&format!("{}.", rank + 1), &text);
    }
    page.more(claims.len());
}

fn key_phrases(page: &mut Page, report: &Report) {
    let phrases = &report.findings.key_phrases;
    if phrases.is_empty() {
        return;
    }
    page.heading("Key phrases");
    let named: Vec<String> = phrases
        .iter()
        .map(|phrase| format!("{} ({})", plain(&phrase.text), phrase.count))
        .collect();
    page.item("-", &named.join(", "));
}

fn sentiment(page: &mut Page, report: &Report) {
    let Some(sentiment) = &report.findings.sentiment else { return };
    page.heading("Sentiment");
    let (positive, negative) = (sentiment.positive * 100.0, sentiment.negative * 100.0);
    let score = sentiment.score;
    page.item(
        "-",
        &format!(
            "{} ({score:+.2}); {positive:.0} % of sentences positive, {negative:.0} % negative",
            sentiment.label
        ),
    );
    let bars: String = sentiment.curve.iter().map(|point| bar(point.score)).collect();
    page.item("-", &format!("Along the text: {bars}"));
    for (name, extreme) in [("Highest", &sentiment.high), ("Lowest", &sentiment.low)] {
        if let Some(extreme) = extreme {
            page.item(
                "-",
                &format!(
                    "{name} ({:+.2}): {} {}",
                    extreme.score,
                    plain(&extreme.text),
                    at(&extreme.place)
                ),
            );
        }
    }
}

/// A block whose height tells a score from -1 to 1.
fn bar(score: f64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = ((score + 1.0) / 2.0 * 7.0).round().clamp(0.0, 7.0);
    BARS[step as usize]
}

fn readability(page: &mut Page, report: &Report) {
    let Some(scores) = &report.findings.readability else { return };
    page.heading("Readability");
    page.item(
        "-",
        &format!(
            "School grade {:.1} (middle of five formulas); Flesch reading ease {:.1}",
            scores.grade, scores.flesch_reading_ease
        ),
    );
    let all = format!(
        "Flesch-Kincaid {:.1}, Gunning fog {:.1}, SMOG {:.1}, ARI {:.1}, Coleman-Liau {:.1}",
        scores.flesch_kincaid_grade,
        scores.gunning_fog,
        scores.smog,
        scores.automated_readability,
        scores.coleman_liau
    );
    page.item("-", &all);
}

fn not_done(page: &mut Page, report: &Report) {
    page.heading("Not done and why");
    let gaps = report.not_done();
    if gaps.is_empty() {
        page.item("-", "Nothing that this depth promises is missing.");
    }
    for gap in gaps {
        let remedy = gap.remedy.map(|remedy| format!(" Remedy: {remedy}")).unwrap_or_default();
        page.item("-", &plain(&format!("{}: {}{remedy}", gap.what, gap.why)));
    }
}

fn provenance(page: &mut Page, report: &Report) {
    page.heading("Provenance");
    let from = &report.provenance;
    let facts = [
        ("Run", from.run.clone()),
        ("Version", Some(from.version.clone()).filter(|version| !version.is_empty())),
        ("Depth", Some(format!("{:?}", from.depth).to_lowercase())),
        ("Content", from.content_hash.clone()),
        ("Finished", from.finished.clone()),
        ("Report form", Some(report.schema.clone())),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.item("-", &format!("{name}: {}", plain(&value)));
        }
    }
}

/// Sentence id and time of a place: `[s12 03:15]`.
fn at(place: &Place) -> String {
    let mut text = format!("[s{}", place.sentence);
    if let Some(time) = place.time_ms {
        let seconds = time / 1000;
        let _ = write!(text, " {:02}:{:02}", seconds / 60, seconds % 60);
    }
    text.push(']');
    text
}

/// Text of the source as plain Markdown: one line, control characters gone, markup escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' => {
                out.push('\\');
                out.push(c);
            }
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}
