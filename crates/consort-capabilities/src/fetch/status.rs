//! What the status of an answer means for whoever asked.

use std::time::{Duration, SystemTime};

use consort_core::{Category, StepError};
use hyper::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};

use super::text;

/// Longest pause that a server can ask us for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The failure that a status other than `200 OK` is.
pub(crate) fn error(url: &str, status: StatusCode, headers: &HeaderMap) -> StepError {
    let category = match status.as_u16() {
        404 | 410 => Category::NotFound,
        401 | 407 => Category::Unauthenticated,
        403 => Category::PermissionDenied,
        408 | 504 => Category::Timeout,
        429 => Category::RateLimited,
        451 => Category::PolicyViolation,
        400..=499 => Category::InvalidRequest,
        500..=599 => Category::Unavailable,
        _ => Category::ProcessingFailed,
    };
    let error = StepError::new(category, format!("`{url}` answered {status}"));
    let error = match retry_after(headers) {
        Some(pause) => error.retry_after(pause),
        None => error,
    };
    match category {
        Category::NotFound => error.hint("check the address in a browser"),
        Category::Unauthenticated | Category::PermissionDenied => {
            error.hint("open it in a browser, save the page and give that file")
        }
        Category::InvalidRequest => error.hint("check the address in a browser"),
        _ => error,
    }
}

/// The pause that the server asks for, in seconds or up to a time by its own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    let pause = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(&value).ok()?;
            let now: SystemTime = httpdate::parse_http_date(&text(headers, DATE)?).ok()?;
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        error("u", StatusCode::TOO_MANY_REQUESTS, &headers).retry_after_hint()
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_time_by_the_servers_clock() {
        assert_eq!(pause(&[("retry-after", "120")]), Some(Duration::from_secs(120)));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let until = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(pause(&[date, until]), Some(Duration::from_secs(60)));
        assert_eq!(pause(&[until]), None);
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        assert_eq!(pause(&[("retry-after", "99999999999")]), Some(LONGEST));
    }
}
