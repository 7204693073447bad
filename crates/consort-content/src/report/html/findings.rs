//! The panels that interpret: first look, claims, rhetoric, sentiment, wording.

use super::charts;
use super::page::Page;
use crate::analyse::verify::{Verdict, Verification};
use crate::analyse::{Claim, Extreme, RhetoricCue};
use crate::report::Report;

/// Summary and the few numbers that matter.
pub(super) fn glance(page: &mut Page, report: &Report) {
    let found = &report.findings;
    page.section("glance", "At a glance", None);
    if let Some(summary) = &found.summary {
        page.raw("<ol class=\"summary\">\n");
        for sentence in &summary.sentences {
            page.raw("<li dir=\"auto\">");
            page.text(&sentence.text);
            page.raw(" ");
            page.jump(&sentence.place);
            page.raw("</li>\n");
        }
        page.raw("</ol>\n<p class=\"quiet\">Sentences of the text, word for word.</p>\n");
    } else {
        page.raw("<p class=\"quiet\">No sentence was fit for a summary.</p>\n");
    }
    page.raw("<ul class=\"tiles\">\n");
    tile(page, "claims", ["claim worth checking", "claims worth checking"], found.claims.len());
    tile(page, "rhetoric", ["rhetoric cue", "rhetoric cues"], found.rhetoric.len());
    tile(page, "quotes", ["quotation", "quotations"], found.quotes.len());
    verdicts(page, &report.verification);
    if let Some(sentiment) = &found.sentiment {
        page.raw("<li><a href=\"#sentiment\"><b>");
        page.text(&sentiment.label.to_string());
        page.raw("</b> sentiment ");
        page.raw(if sentiment.score >= 0.0 { "+" } else { "\u{2212}" });
        page.decimal(sentiment.score.abs(), 2);
        page.raw("</a></li>\n");
    }
    if let Some(readability) = &found.readability {
        page.raw("<li><a href=\"#wording\"><b>grade ");
        page.decimal(readability.grade, 0);
        page.raw("</b> reading level</a></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// What the evidence says, where it says something.
fn verdicts(page: &mut Page, checks: &[Verification]) {
    let counts = [
        (Verdict::Supported, " supported"),
        (Verdict::Mixed, " partly right or misleading"),
        (Verdict::Disputed, " disputed"),
        (Verdict::Refuted, " refuted"),
    ];
    for (verdict, label) in counts {
        let count = checks.iter().filter(|check| check.verdict == verdict).count();
        if count > 0 {
            page.raw("<li><a href=\"#claims\"><b class=\"");
            page.raw(colour(verdict));
            page.raw("\">");
            page.number(count as u64);
            page.raw("</b>");
            page.raw(label);
            page.raw("</a></li>\n");
        }
    }
}

/// Class of a verdict's colour.
pub(super) const fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "good",
        Verdict::Refuted => "bad",
        Verdict::Mixed | Verdict::Disputed => "mixed",
        Verdict::NotChecked => "open",
    }
}

fn tile(page: &mut Page, id: &'static str, labels: [&'static str; 2], count: usize) {
    let label = labels[usize::from(count != 1)];
    if count == 0 {
        page.raw("<li><span><b>0</b> ");
        page.raw(label);
        page.raw("</span></li>\n");
        return;
    }
    page.raw("<li><a href=\"#");
    page.raw(id);
    page.raw("\"><b>");
    page.number(count as u64);
    page.raw("</b> ");
    page.raw(label);
    page.raw("</a></li>\n");
}

/// Claims by rank, each with what made the rank and what the evidence says.
pub(super) fn claims(page: &mut Page, report: &Report) {
    let claims = &report.findings.claims;
    if claims.is_empty() {
        return;
    }
    page.section("claims", "Claims worth checking", Some(claims.len()));
    page.raw("<p class=\"quiet\">Ranked by how much they deserve a check. The rank says nothing about whether they are true.</p>\n");
    let checks = &report.verification;
    let alike = checks.first().filter(|first| {
        let same = |check: &Verification| {
            (check.verdict, &check.reason) == (Verdict::NotChecked, &first.reason)
        };
        checks.iter().all(|check| check.evidence.is_empty() && same(check))
    });
    // One reason for all of them is said once.
    if let Some(check) = alike {
        verdict(page, check);
    }
    page.raw("<ol class=\"cards\">\n");
    for (rank, claim) in claims.iter().enumerate() {
        if rank == SHOWN {
            fold(page, claims.len() - SHOWN, "more claims");
        }
        let check = checks.iter().find(|check| check.claim == claim.id);
        one_claim(page, report, claim, check.filter(|_| alike.is_none()));
    }
    unfold(page, claims.len());
    page.raw("</ol>\n</section>\n");
}

/// Entries shown before a list folds.
const SHOWN: usize = 8;

/// Starts the folded part of a list.
pub(super) fn fold(page: &mut Page, count: usize, what: &'static str) {
    page.raw("<li class=\"fold\"><details><summary>");
    page.number(count as u64);
    page.raw(" ");
    page.raw(what);
    page.raw("</summary><ul class=\"cards\">\n");
}

/// Ends it, if it was started.
pub(super) fn unfold(page: &mut Page, count: usize) {
    if count > SHOWN {
        page.raw("</ul></details></li>\n");
    }
}

fn one_claim(page: &mut Page, report: &Report, claim: &Claim, check: Option<&Verification>) {
    page.raw("<li class=\"card\"><p dir=\"auto\">");
    if let Some(speaker) = &claim.speaker {
        charts::speaker(page, report, speaker);
        page.raw(" ");
    }
    page.text(&claim.text);
    page.raw(" ");
    page.jump(&claim.place);
    page.raw("</p>\n");
    if let Some(check) = check {
        verdict(page, check);
    }
    page.raw("<details class=\"rank\"><summary><span class=\"meter\">");
    charts::bar(page, "claim", claim.score);
    page.raw("<span>");
    page.decimal(claim.score, 2);
    page.raw(" why</span></span></summary>\n<p class=\"chips\">");
    for feature in &claim.features {
        page.raw(if feature.weight >= 0.0 {
            "<span class=\"chip up\">"
        } else {
            "<span class=\"chip down\">"
        });
        page.text(&feature.name.replace('_', " "));
        page.raw(if feature.weight >= 0.0 { " +" } else { " \u{2212}" });
        page.decimal(feature.weight.abs(), 1);
        page.raw("</span>");
    }
    page.raw("</p></details>\n</li>\n");
}

fn verdict(page: &mut Page, check: &Verification) {
    page.raw("<p class=\"verdict\"><b class=\"");
    page.raw(colour(check.verdict));
    page.raw("\">");
    page.text(&check.verdict.to_string());
    page.raw("</b> ");
    page.text(&check.reason);
    page.raw("</p>\n");
    if check.evidence.is_empty() {
        return;
    }
    page.raw("<ul class=\"evidence\">\n");
    for piece in &check.evidence {
        let evidence = &piece.evidence;
        page.raw("<li><q dir=\"auto\">");
        page.text(&evidence.quote);
        page.raw("</q> ");
        page.link(evidence.url.as_deref().unwrap_or_default(), &evidence.source);
        let via = evidence.via.as_ref().map(|via| format!("from {via}"));
        for detail in
            [&evidence.published, &evidence.rating, &via, &piece.set_aside].into_iter().flatten()
        {
            page.raw(" · ");
            page.text(detail);
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n");
}

/// Rhetoric cues, gathered by technique, the most frequent first.
pub(super) fn rhetoric(page: &mut Page, report: &Report) {
    let cues = &report.findings.rhetoric;
    if cues.is_empty() {
        return;
    }
    page.section("rhetoric", "Rhetoric", Some(cues.len()));
    page.raw("<p class=\"quiet\">Wording that persuades without arguing. A cue is no proof of bad faith, and says nothing about truth.</p>\n<ul class=\"cards\">\n");
    let mut rules: Vec<(&str, Vec<&RhetoricCue>)> = Vec::new();
    for cue in cues {
        match rules.iter_mut().find(|(rule, _)| *rule == cue.rule) {
            Some((_, known)) => known.push(cue),
            None => rules.push((&cue.rule, vec![cue])),
        }
    }
    rules.sort_by_key(|(_, known)| std::cmp::Reverse(known.len()));
    for (rule, known) in rules {
        page.raw("<li class=\"card\"><p><b>");
        page.text(&known[0].name);
        page.raw("</b> <small>");
        page.number(known.len() as u64);
        page.raw("</small> <code>");
        page.text(rule);
        page.raw("</code> <small>right in ");
        page.percent(known[0].confidence);
        page.raw(" of labelled hits</small><br><span class=\"quiet\">");
        page.text(&known[0].why);
        page.raw("</span></p>\n<ul class=\"plain\">\n");
        for cue in known.iter().take(12) {
            page.raw("<li><mark class=\"cue\" dir=\"auto\">");
            page.text(&cue.text);
            page.raw("</mark> ");
            page.jump(&cue.place);
            if cue.quoted {
                page.raw(" <small>quoted</small>");
            }
            if let Some(speaker) = &cue.speaker {
                page.raw(" <small>");
                page.text(speaker);
                page.raw("</small>");
            }
            page.raw("</li>\n");
        }
        page.raw("</ul></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// Sentiment overall and its extremes.
pub(super) fn sentiment(page: &mut Page, report: &Report) {
    let Some(sentiment) = &report.findings.sentiment else { return };
    page.section("sentiment", "Sentiment", None);
    page.raw("<p>Overall <b>");
    page.text(&sentiment.label.to_string());
    page.raw("</b>: ");
    page.percent(sentiment.positive);
    page.raw(" of sentences are positive, ");
    page.percent(sentiment.negative);
    page.raw(" negative.</p>\n<ul class=\"cards\">\n");
    for (label, extreme) in [("Most positive", &sentiment.high), ("Most negative", &sentiment.low)]
    {
        if let Some(extreme) = extreme {
            one_extreme(page, label, extreme);
        }
    }
    page.raw("</ul>\n</section>\n");
}

fn one_extreme(page: &mut Page, label: &'static str, extreme: &Extreme) {
    page.raw("<li class=\"card\"><p><small>");
    page.raw(label);
    page.raw(" (");
    page.raw(if extreme.score >= 0.0 { "+" } else { "\u{2212}" });
    page.decimal(extreme.score.abs(), 2);
    page.raw(")</small><br><span dir=\"auto\">");
    page.text(&extreme.text);
    page.raw("</span> ");
    page.jump(&extreme.place);
    page.raw("</p></li>\n");
}

/// Readability and word rates.
pub(super) fn wording(page: &mut Page, report: &Report) {
    let found = &report.findings;
    if found.readability.is_none() && found.indicators.is_empty() {
        return;
    }
    page.section("wording", "Wording", None);
    if let Some(scores) = &found.readability {
        page.raw("<table><caption>Readability: school grades by five formulas, and Flesch's ease</caption>\n");
        let rows = [
            ("Flesch reading ease", scores.flesch_reading_ease),
            ("Flesch-Kincaid grade", scores.flesch_kincaid_grade),
            ("Gunning fog", scores.gunning_fog),
            ("SMOG", scores.smog),
            ("Automated readability", scores.automated_readability),
            ("Coleman-Liau", scores.coleman_liau),
        ];
        for (name, value) in rows {
            page.raw("<tr><th scope=\"row\">");
            page.raw(name);
            page.raw("</th><td>");
            page.decimal(value, 1);
            page.raw("</td></tr>\n");
        }
        page.raw("</table>\n");
    }
    if !found.indicators.is_empty() {
        page.raw("<details><summary>Word rates that research has linked, weakly, to deception</summary>\n<p class=\"quiet\">Rates, not a judgement: they say nothing about this text's truth or about any person. Published effects are small, and a classifier built on such cues was right in 61 of 100 cases.</p>\n<table>\n");
        for indicator in &found.indicators {
            page.raw("<tr><th scope=\"row\">");
            page.text(&indicator.name);
            page.raw("<br><small>");
            page.text(&indicator.weakness);
            page.raw("</small></th><td>");
            page.decimal(indicator.per_100_words, 1);
            page.raw(" per 100 words</td></tr>\n");
        }
        page.raw("</table></details>\n");
    }
    page.raw("</section>\n");
}
