//! Instants, the injected clock and reporting periods. No function here reads a clock.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};
use crate::wire::wire_enum;

/// The first and last year that an instant or a date may lie in; anything outside is a typing error.
pub const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// An instant in UTC, cut to microseconds: both databases give back exactly what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Cuts `at` to microseconds.
    pub fn new(at: DateTime<Utc>) -> Self {
        let micros = at.timestamp_micros();
        Self(DateTime::from_timestamp_micros(micros).unwrap_or(at))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The instant as chrono's type.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The calendar date of this instant in `zone`.
    pub fn date_in(self, zone: Tz) -> NaiveDate {
        self.0.with_timezone(&zone).date_naive()
    }

    /// This instant plus `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }

    /// Time since `earlier`; negative when that lies later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }

    /// Parses RFC 3339 with any offset, e.g. `2026-11-23T09:30:00.123456Z`.
    ///
    /// # Errors
    /// `INVALID_FORMAT` for anything else, `OUT_OF_RANGE` for a year outside [`YEARS`].
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| {
            Problem::new(Code::InvalidFormat, "Expected an RFC 3339 instant such as 2026-11-23T09:30:00Z.")
        })?;
        if !YEARS.contains(&at.year()) {
            return Err(Problem::new(Code::OutOfRange, "The year must lie between 1900 and 2200."));
        }
        Ok(Self::new(at.with_timezone(&Utc)))
    }

    /// The first instant of `date` in `zone`; where midnight does not exist, the first instant after the gap.
    pub fn start_of(date: NaiveDate, zone: Tz) -> Self {
        Self::at_local(date, 0, zone)
    }

    /// The first instant at which clocks in `zone` show `minute` minutes after midnight of `date`; 1440 is
    /// the next midnight. Where clocks skip that time, the first instant after the gap. Never decreases
    /// as the local time grows, so disjoint intervals of a local day stay disjoint.
    pub fn at_local(date: NaiveDate, minute: u16, zone: Tz) -> Self {
        let local = date.and_time(NaiveTime::MIN) + Duration::minutes(i64::from(minute));
        // Gaps end at a whole minute. The longest is a day: Samoa skipped 2011-12-30.
        (0..=GAP_MINUTES_MAX)
            .find_map(|minutes| zone.from_local_datetime(&(local + Duration::minutes(minutes))).earliest())
            .map_or_else(|| Self(Utc.from_utc_datetime(&local)), |at| Self(at.with_timezone(&Utc)))
    }
}

/// Longest stretch of local time that a change of clocks skips, in minutes.
const GAP_MINUTES_MAX: i64 = 1_440;

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
    }
}

/// Parses an ISO 8601 calendar date such as `2026-02-28`.
///
/// # Errors
/// `INVALID_FORMAT` for anything that is no such date (`2026-02-30`), `OUT_OF_RANGE` outside [`YEARS`].
pub fn parse_date(text: &str) -> Result<NaiveDate, Problem> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|date| date.format("%Y-%m-%d").to_string() == text)
        .ok_or_else(|| Problem::new(Code::InvalidFormat, "Expected a calendar date such as 2026-11-23."))?;
    if !YEARS.contains(&date.year()) {
        return Err(Problem::new(Code::OutOfRange, "The year must lie between 1900 and 2200."));
    }
    Ok(date)
}

/// The one source of `now`. The door reads it once for each command or query.
pub trait Clock: Send + Sync {
    /// The present instant, cut to microseconds.
    fn now(&self) -> Timestamp;
}

wire_enum! {
    /// Length of a reporting period.
    PeriodKind {
        /// Monday to Sunday.
        Week = "WEEK",
        /// A calendar month.
        Month = "MONTH",
        /// Three calendar months from January, April, July or October.
        Quarter = "QUARTER",
        /// A calendar year.
        Year = "YEAR",
    }
}

/// A reporting period: whole local days, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawPeriod")]
pub struct Period {
    kind: PeriodKind,
    start: NaiveDate,
}

/// A period that was read and not checked yet.
#[derive(Deserialize)]
struct RawPeriod {
    kind: PeriodKind,
    start: NaiveDate,
}

impl TryFrom<RawPeriod> for Period {
    type Error = String;
    fn try_from(raw: RawPeriod) -> Result<Self, String> {
        Self::new(raw.kind, raw.start).map_err(|problem| problem.message)
    }
}

impl Period {
    /// # Errors
    /// `NOT_A_PERIOD_START` when `start` is not the first day of a period of that kind.
    pub fn new(kind: PeriodKind, start: NaiveDate) -> Result<Self, Problem> {
        let first = match kind {
            PeriodKind::Week => start.weekday() == Weekday::Mon,
            PeriodKind::Month => start.day() == 1,
            PeriodKind::Quarter => start.day() == 1 && start.month0().is_multiple_of(3),
            PeriodKind::Year => start.day() == 1 && start.month() == 1,
        };
        if first && YEARS.contains(&start.year()) {
            Ok(Self { kind, start })
        } else {
            let wanted = match kind {
                PeriodKind::Week => "a Monday",
                PeriodKind::Month => "the first of a month",
                PeriodKind::Quarter => "1 January, 1 April, 1 July or 1 October",
                PeriodKind::Year => "1 January",
            };
            Err(Problem::new(
                Code::NotAPeriodStart,
                format!("The period must start on {wanted}; {start} does not."),
            )
            .at("start"))
        }
    }

    /// The period of that kind in which `date` lies.
    pub fn around(kind: PeriodKind, date: NaiveDate) -> Self {
        let first_of_month = date - Days::new(u64::from(date.day0()));
        let start = match kind {
            PeriodKind::Week => date - Days::new(u64::from(date.weekday().num_days_from_monday())),
            PeriodKind::Month => first_of_month,
            PeriodKind::Quarter => first_of_month - Months::new(date.month0() % 3),
            PeriodKind::Year => first_of_month - Months::new(date.month0()),
        };
        Self { kind, start }
    }

    /// The kind of this period.
    pub fn kind(self) -> PeriodKind {
        self.kind
    }

    /// First local day.
    pub fn start(self) -> NaiveDate {
        self.start
    }

    /// First local day after the period.
    pub fn end(self) -> NaiveDate {
        let (start, months) = match self.kind {
            PeriodKind::Week => return self.start + Days::new(7),
            PeriodKind::Month => (self.start, 1),
            PeriodKind::Quarter => (self.start, 3),
            PeriodKind::Year => (self.start, 12),
        };
        start + Months::new(months)
    }

    /// Its local days.
    pub fn days(self) -> DateRange {
        DateRange { from: self.start, to: self.end() }
    }

    /// The last instant in `zone` that belongs to the period; instants are whole microseconds.
    pub fn last_instant(self, zone: Tz) -> Timestamp {
        self.bounds(zone).1.plus(Duration::microseconds(-1))
    }

    /// The instants `[from, to)` that this period covers in `zone`.
    pub fn bounds(self, zone: Tz) -> (Timestamp, Timestamp) {
        (Timestamp::start_of(self.start, zone), Timestamp::start_of(self.end(), zone))
    }
}

/// Local days `[from, to)`; empty when `to` does not lie after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DateRange {
    /// First day.
    pub from: NaiveDate,
    /// First day that no longer counts.
    pub to: NaiveDate,
}

impl DateRange {
    /// True when `date` is one of the days.
    pub fn contains(self, date: NaiveDate) -> bool {
        self.from <= date && date < self.to
    }

    /// The days, in order.
    pub fn dates(self) -> impl Iterator<Item = NaiveDate> {
        self.from.iter_days().take_while(move |&date| date < self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    #[test]
    fn periods_start_on_their_first_day_only() {
        for (kind, start, end) in [
            (PeriodKind::Week, "2026-11-23", Some("2026-11-30")),
            (PeriodKind::Week, "2026-11-24", None),
            (PeriodKind::Month, "2024-02-01", Some("2024-03-01")),
            (PeriodKind::Month, "2024-02-02", None),
            (PeriodKind::Quarter, "2017-10-01", Some("2018-01-01")),
            (PeriodKind::Quarter, "2017-11-01", None),
            (PeriodKind::Year, "2017-01-01", Some("2018-01-01")),
            (PeriodKind::Year, "2017-04-01", None),
        ] {
            let period = Period::new(kind, date(start));
            assert_eq!(period.as_ref().ok().map(|period| period.end()), end.map(date), "{kind:?} {start}");
            if let Ok(period) = period {
                for day in period.days().dates() {
                    assert_eq!(Period::around(kind, day), period, "{kind:?} {day}");
                }
            }
        }
    }

    #[test]
    fn midnight_that_daylight_saving_skips_is_the_first_instant_after_it() {
        // São Paulo moved its clocks from 00:00 to 01:00 on 2018-11-04.
        let start = Timestamp::start_of(date("2018-11-04"), chrono_tz::America::Sao_Paulo);
        assert_eq!(start.to_string(), "2018-11-04T03:00:00.000000Z");
    }

    #[test]
    fn local_times_are_the_first_instant_that_shows_them() {
        for (zone, day, minute, instant) in [
            // Berlin skips 02:00 to 03:00, and repeats it in autumn.
            (chrono_tz::Europe::Berlin, "2026-03-29", 119, "2026-03-29T00:59:00.000000Z"),
            (chrono_tz::Europe::Berlin, "2026-03-29", 135, "2026-03-29T01:00:00.000000Z"),
            (chrono_tz::Europe::Berlin, "2026-03-29", 180, "2026-03-29T01:00:00.000000Z"),
            (chrono_tz::Europe::Berlin, "2026-10-25", 150, "2026-10-25T00:30:00.000000Z"),
            (chrono_tz::Europe::Berlin, "2026-10-25", 1440, "2026-10-25T23:00:00.000000Z"),
            // Samoa skipped this day.
            (chrono_tz::Pacific::Apia, "2011-12-30", 0, "2011-12-30T10:00:00.000000Z"),
            (chrono_tz::Asia::Shanghai, "2026-02-17", 540, "2026-02-17T01:00:00.000000Z"),
        ] {
            assert_eq!(Timestamp::at_local(date(day), minute, zone).to_string(), instant, "{day} {minute}");
        }
    }

    #[test]
    fn instants_are_cut_to_microseconds_and_bounded() {
        let at = Timestamp::parse("2026-11-23T10:00:00.123456789+08:00").expect("an instant");
        assert_eq!(at.to_string(), "2026-11-23T02:00:00.123456Z");
        for bad in
            ["", "2026-11-23", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "9999-01-01T00:00:00Z", "NaN"]
        {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
        for bad in ["2026-02-30", "26-1-1", "2026-1-1", "0000-00-00", "99999-01-01"] {
            assert!(parse_date(bad).is_err(), "{bad}");
        }
    }
}
