//! Moments in UTC, to the second, and where the present one comes from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC with a resolution of one second, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A moment that cannot be written in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time between the years 1 and 9999 (RFC 3339, or seconds since 1970)")]
pub struct TimeError(pub String);

impl Time {
    const FIRST: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
    const LAST: i64 = 253_402_207_200; // the last moment that jiff can express

    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The moment `seconds` after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`TimeError`] outside the years 1 to 9999.
    pub fn from_unix(seconds: i64) -> Result<Self, TimeError> {
        if (Self::FIRST..Self::LAST).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(TimeError(seconds.to_string()))
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC: `2026-11-23T14:10:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment:.0}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| TimeError(text.into()))?;
        Self::from_unix(moment.as_second()).map_err(|_| TimeError(text.into()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the present moment comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = std::time::SystemTime::now();
        let seconds = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
        };
        Time(seconds.clamp(Time::FIRST, Time::LAST - 1))
    }
}

/// A clock that stands still, for repeatable ids.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Time);

impl Clock for FixedClock {
    fn now(&self) -> Time {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_reads_back() {
        let time = Time::from_unix(1_795_443_000).unwrap();
        assert_eq!(time.to_string(), "2026-11-23T14:10:00Z");
        assert_eq!("2026-11-23T16:10:00+02:00".parse(), Ok(time));
    }

    #[test]
    fn times_outside_of_rfc_3339_are_refused() {
        for seconds in [i64::MIN, Time::FIRST - 1, Time::LAST, i64::MAX] {
            assert!(Time::from_unix(seconds).is_err());
        }
        for seconds in [Time::FIRST, -1, 0, Time::LAST - 1] {
            let time = Time::from_unix(seconds).unwrap();
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
