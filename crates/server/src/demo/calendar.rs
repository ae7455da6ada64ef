//! When the demo organisation works, and how hard the month is.

use chrono::{Datelike, Days, Duration, Months, NaiveDate, Weekday};
use chrono_tz::Tz;
use evenhand_domain::time::{Period, PeriodKind, Timestamp};

/// The time zone of the organisation.
pub(super) const ZONE: Tz = chrono_tz::Europe::Berlin;
/// How much history there is.
const HISTORY_MONTHS: u32 = 14;
/// Work done in a month, in percent of an average one, from January.
const SEASON_PERCENT: [u32; 12] = [88, 96, 112, 99, 97, 109, 84, 72, 106, 107, 112, 86];
/// Days off for everybody, as (month, day).
const HOLIDAYS: &[(u32, u32)] = &[(1, 1), (1, 6), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)];
/// The last days of a quarter, in which everybody pushes.
const PUSH_DAYS: u64 = 12;

/// First day of the history that ends on `last`.
pub(super) fn first_day(last: NaiveDate) -> NaiveDate {
    last.checked_sub_months(Months::new(HISTORY_MONTHS)).unwrap_or(last) + Days::new(1)
}

/// Whether anybody works on `date`.
pub(super) fn is_workday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) && !HOLIDAYS.contains(&(date.month(), date.day()))
}

/// `date`, or the first day after it on which people work.
pub(super) fn workday_from(date: NaiveDate) -> NaiveDate {
    workday_after(date, 0)
}

/// The workday that lies `count` workdays after `date`; for 0, `date` or the first one after it.
pub(super) fn workday_after(date: NaiveDate, count: u32) -> NaiveDate {
    date.iter_days().filter(|day| is_workday(*day)).nth(count as usize).unwrap_or(date)
}

/// The workday that lies `count` workdays before `date`; for 0, `date` or the last one before it.
pub(super) fn workday_before(date: NaiveDate, count: u32) -> NaiveDate {
    let back = std::iter::successors(Some(date), |day| day.pred_opt());
    back.filter(|day| is_workday(*day)).nth(count as usize).unwrap_or(date)
}

/// How much is done on a day like `date`, in percent of an average workday.
pub(super) fn season_percent(date: NaiveDate) -> u32 {
    let month = SEASON_PERCENT[date.month0() as usize % SEASON_PERCENT.len()];
    let weekday = match date.weekday() {
        Weekday::Fri => 78,
        Weekday::Mon => 97,
        _ => 108,
    };
    month * weekday / 100
}

/// Whether the quarter ends within a few days after `date`.
pub(super) fn is_quarter_end(date: NaiveDate) -> bool {
    let month = date.month0() / 3 * 3 + 1;
    let start = NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date);
    Period::new(PeriodKind::Quarter, start).is_ok_and(|quarter| date + Days::new(PUSH_DAYS) >= quarter.end())
}

/// The instant `seconds` after midnight of a workday. Clocks change on Sundays only.
pub(super) fn at(date: NaiveDate, seconds: u32) -> Timestamp {
    Timestamp::start_of(date, ZONE).plus(Duration::seconds(seconds.into()))
}
