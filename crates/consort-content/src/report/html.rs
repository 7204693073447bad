//! The report as one HTML page that needs nothing else: no network, no scripts from elsewhere.
//!
//! Text from the source reaches the page only through [`page::Page::text`] and [`page::Page::attribute`], which escape it; markup
//! can only be a literal of this crate. The page's own policy forbids every script and style but the two it
//! carries, by hash.

mod charts;
mod findings;
mod lists;
mod page;
mod reader;

use super::{Outcome, Report};
use page::Page;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// SHA-256 of the two, in Base64; a test recomputes them.
const STYLE_HASH: &str = include_str!("html/style.sha256");
const SCRIPT_HASH: &str = include_str!("html/script.sha256");

/// The report as a self-contained HTML page.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    page.raw("<body>\n<a class=\"skip\" href=\"#text\">Skip to the text</a>\n");
    header(&mut page, report);
    let body = panels(report);
    page.nav(&body);
    page.raw("<main>\n");
    page.append(body);
    reader::reader(&mut page, report);
    page.raw("</main>\n<script>");
    page.raw(SCRIPT);
    page.raw("</script>\n</body>\n</html>\n");
    page.finish()
}

fn panels(report: &Report) -> Page {
    let mut page = Page::default();
    charts::map(&mut page, report);
    page.raw("<div class=\"panels\">\n");
    findings::glance(&mut page, report);
    findings::claims(&mut page, report);
    findings::rhetoric(&mut page, report);
    lists::topics(&mut page, report);
    lists::entities(&mut page, report);
    findings::sentiment(&mut page, report);
    lists::speakers(&mut page, report);
    lists::timeline(&mut page, report);
    lists::quotes(&mut page, report);
    lists::links(&mut page, report);
    findings::wording(&mut page, report);
    lists::near_duplicates(&mut page, report);
    lists::not_done(&mut page, report);
    lists::provenance(&mut page, report);
    page.raw("</div>\n");
    page
}

fn head(page: &mut Page, report: &Report) {
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-");
    page.raw(STYLE_HASH.trim_ascii_end());
    page.raw("'; script-src 'sha256-");
    page.raw(SCRIPT_HASH.trim_ascii_end());
    page.raw("'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    page.text(report.title());
    page.raw(" · Consort report</title>\n<style>");
    page.raw(STYLE);
    page.raw("</style>\n</head>\n");
}

fn header(page: &mut Page, report: &Report) {
    let (source, found) = (&report.source, &report.findings);
    page.raw("<header>\n<p class=\"kicker\">Consort report");
    match &report.outcome {
        Outcome::Succeeded => {}
        Outcome::Degraded { .. } => page.raw(" <span class=\"badge warn\">degraded</span>"),
        Outcome::Skipped { .. } => page.raw(" <span class=\"badge warn\">not analysed</span>"),
    }
    page.raw("</p>\n<h1 dir=\"auto\">");
    page.text(report.title());
    page.raw("</h1>\n<p class=\"facts\">");
    // Of a moment (RFC 3339) the day says enough here.
    let day = source.published.as_deref().map(|at| match at.split_once('T') {
        Some((day, _)) if day.len() == 10 && day.starts_with(|c: char| c.is_ascii_digit()) => day,
        _ => at,
    });
    for fact in [source.byline.as_deref(), day].into_iter().flatten() {
        page.raw("<span dir=\"auto\">");
        page.text(fact);
        page.raw("</span>");
    }
    page.raw("<span>");
    page.link(&source.locator, &source.locator);
    page.raw("</span>");
    if let Some(language) = &found.language {
        page.raw("<span>");
        page.text(&language.name);
        page.raw("</span>");
    }
    page.raw("<span>");
    page.number(found.words);
    page.raw(" words</span><span>");
    // People read about 240 words of English prose a minute (Brysbaert 2019).
    page.number(found.words.div_ceil(240));
    page.raw(" min read</span></p>\n");
    match &report.outcome {
        Outcome::Succeeded => {}
        Outcome::Degraded { lost } => notice(page, "Less than a full report: ", &lost.join(" ")),
        Outcome::Skipped { reason } => notice(page, "The text was not analysed: ", reason),
    }
    page.raw("</header>\n");
}

fn notice(page: &mut Page, lead: &'static str, text: &str) {
    page.raw("<p class=\"notice\"><strong>");
    page.raw(lead);
    page.raw("</strong>");
    page.text(text);
    page.raw("</p>\n");
}

#[cfg(test)]
mod tests;
