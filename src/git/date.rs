//! Dates as people write them to Git.

use crate::model::Time;

use super::Error;

/// The moment that `text` means, seen from `now`.
///
/// Understands what `git log --since` does: `2 weeks ago`, `yesterday`, `2026-11-23` (midnight in
/// UTC), RFC 3339, RFC 2822, `@` with seconds since 1970. A date without a time zone is in UTC, so
/// that the answer is the same on every machine.
///
/// # Errors
///
/// [`Error::Date`] if `text` has none of these forms or lies outside the years 1 to 9999.
pub fn parse_date(text: &str, now: Time) -> Result<Time, Error> {
    let wrong = || Error::Date { text: text.into() };
    if let Ok(time) = text.trim().parse() {
        return Ok(time);
    }
    let moment = jiff::Timestamp::from_second(now.unix()).map_err(|_| wrong())?;
    let now = moment.to_zoned(jiff::tz::TimeZone::UTC);
    let date = gix::date::parse(text.trim(), Some(now)).map_err(|_| wrong())?;
    Time::from_unix(date.seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_mean_what_they_mean_to_git() {
        let now = Time::from_unix(1_795_443_000).unwrap();
        for (text, expected) in [
            ("2 weeks ago", "2026-11-09T14:10:00Z"),
            ("yesterday", "2026-11-22T14:10:00Z"),
            ("3.hours.ago", "2026-11-23T11:10:00Z"),
            ("1 month ago", "2026-10-23T14:10:00Z"),
            ("now", "2026-11-23T14:10:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
            ("2026-11-01 10:00:00 +0200", "2026-11-01T08:00:00Z"),
            ("Sun, 1 Nov 2026 10:00:00 +0000", "2026-11-01T10:00:00Z"),
            ("@0", "1970-01-01T00:00:00Z"),
            (" 1795443000 ", "2026-11-23T14:10:00Z"),
        ] {
            let time = parse_date(text, now).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(time.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let now = Time::from_unix(0).unwrap();
        for text in ["", "soon", "2026-13-01", "99999 years ago", "@999999999999999"] {
            let error = parse_date(text, now).expect_err(text);
            assert!(matches!(error, Error::Date { .. }));
        }
    }
}
