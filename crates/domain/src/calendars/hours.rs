//! Working hours, and arithmetic on them: workdays of a person, and clocks that run in open hours only.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, Duration, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Problem, Problems, Result};
use crate::organizations::parse_time_zone;
use crate::time::{DateRange, Timestamp, YEARS};
use crate::wire::wire_enum;

/// Minutes in a local day as clocks count them; a day on which clocks change has the same numbers.
pub const MINUTES_PER_DAY: i32 = 1_440;
/// Most open intervals in one day.
pub const INTERVALS_PER_DAY_MAX: usize = 8;
/// Most exceptions in one calendar: decades of holidays.
pub const EXCEPTIONS_MAX: usize = 1_000;
/// How far [`WorkHours::add`] and [`WorkHours::workday_before`] look, in days: ten years.
pub const HORIZON_DAYS_MAX: usize = 3_660;

const WEEK: usize = 7;

wire_enum! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Monday = "MONDAY",
        /// Tuesday.
        Tuesday = "TUESDAY",
        /// Wednesday.
        Wednesday = "WEDNESDAY",
        /// Thursday.
        Thursday = "THURSDAY",
        /// Friday.
        Friday = "FRIDAY",
        /// Saturday.
        Saturday = "SATURDAY",
        /// Sunday.
        Sunday = "SUNDAY",
    }
}

/// Minutes after local midnight `[from_minute, to_minute)`, 0 to [`MINUTES_PER_DAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenInterval {
    /// First open minute.
    pub from_minute: i32,
    /// First minute that is closed again.
    pub to_minute: i32,
}

/// An interval that is open every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeeklyInterval {
    /// On which day.
    pub weekday: Weekday,
    /// First open minute.
    pub from_minute: i32,
    /// First minute that is closed again.
    pub to_minute: i32,
}

/// A date whose hours differ from those of its weekday: a holiday, or a make-up workday (调休).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CalendarException {
    /// The local date.
    pub date: NaiveDate,
    /// Its open intervals; empty for a day that is closed.
    pub open: Vec<OpenInterval>,
}

/// Working hours as inputs, rows and logs write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoursInput {
    /// IANA time zone.
    pub time_zone: String,
    /// Open intervals of each week, in any order.
    pub weekly: Vec<WeeklyInterval>,
    /// Dates that differ, in any order.
    pub exceptions: Vec<CalendarException>,
}

/// Working hours that hold together: intervals in order, not empty, without overlap.
///
/// An instant is open from the first instant that shows the beginning of an interval until the first that
/// shows its end, see [`Timestamp::at_local`]; so changes of clocks lengthen or shorten a day, as they do in life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HoursInput", into = "HoursInput")]
pub struct WorkHours {
    zone: Tz,
    /// Monday first.
    weekly: [Vec<OpenInterval>; WEEK],
    exceptions: BTreeMap<NaiveDate, Vec<OpenInterval>>,
}

impl WorkHours {
    /// Monday to Friday, 09:00 to 17:00: the hours of an organisation that has set none.
    pub fn standard(zone: Tz) -> Self {
        let open = OpenInterval { from_minute: 9 * 60, to_minute: 17 * 60 };
        let weekly = std::array::from_fn(|day| if day < 5 { vec![open] } else { Vec::new() });
        Self { zone, weekly, exceptions: BTreeMap::new() }
    }

    /// Reads hours, from an input or from rows.
    ///
    /// # Errors
    /// `INVALID_FORMAT` of the zone; `OUT_OF_RANGE` for an interval that is empty, reversed or outside its day,
    /// or a date outside [`YEARS`]; `INTERVAL_OVERLAP`; `DUPLICATE` dates; `TOO_MANY`.
    pub fn new(input: &HoursInput) -> Result<Self> {
        let mut problems = Problems::default();
        let hours = Self::check(input, &mut problems);
        problems.finish_with(|| hours)
    }

    /// As [`WorkHours::new`]; problems join those of a larger input.
    pub(super) fn check(input: &HoursInput, problems: &mut Problems) -> Option<Self> {
        let zone = problems.take("timeZone", parse_time_zone(&input.time_zone));
        let mut weekly: [Vec<OpenInterval>; WEEK] = Default::default();
        let mut exceptions = BTreeMap::new();
        let mut fine = within(input.weekly.len(), WEEK * INTERVALS_PER_DAY_MAX, "weekly", problems)
            & within(input.exceptions.len(), EXCEPTIONS_MAX, "exceptions", problems);
        if !fine {
            return None;
        }
        for (day, &weekday) in weekly.iter_mut().zip(Weekday::ALL) {
            let of_day = input.weekly.iter().enumerate().filter(|(_, interval)| interval.weekday == weekday);
            let intervals = of_day.map(|(index, interval)| {
                let &WeeklyInterval { from_minute, to_minute, .. } = interval;
                (vec!["weekly".to_owned(), index.to_string()], OpenInterval { from_minute, to_minute })
            });
            fine &= in_order(intervals.collect(), problems).map(|open| *day = open).is_some();
        }
        for (index, exception) in input.exceptions.iter().enumerate() {
            let path = |field: &str| vec!["exceptions".to_owned(), index.to_string(), field.to_owned()];
            let mut refuse = |code, message: &str| {
                problems.push(Problem { field: path("date"), code, message: message.into() });
                fine = false;
            };
            if !YEARS.contains(&exception.date.year()) {
                refuse(Code::OutOfRange, "The year must lie between 1900 and 2200.");
            }
            if exceptions.contains_key(&exception.date) {
                refuse(Code::Duplicate, "A date stands at most once; put all its intervals there.");
            }
            let intervals = exception
                .open
                .iter()
                .enumerate()
                .map(|(number, &open)| ([path("open"), vec![number.to_string()]].concat(), open));
            let open = in_order(intervals.collect(), problems);
            fine &= open.is_some();
            exceptions.insert(exception.date, open.unwrap_or_default());
        }
        zone.filter(|_| fine).map(|zone| Self { zone, weekly, exceptions })
    }

    /// The hours as inputs and rows write them, in order.
    pub fn input(&self) -> HoursInput {
        let weekly = self.weekly.iter().zip(Weekday::ALL).flat_map(|(intervals, &weekday)| {
            intervals.iter().map(move |&OpenInterval { from_minute, to_minute }| WeeklyInterval {
                weekday,
                from_minute,
                to_minute,
            })
        });
        let exceptions =
            self.exceptions.iter().map(|(&date, open)| CalendarException { date, open: open.clone() });
        HoursInput {
            time_zone: self.zone.name().to_owned(),
            weekly: weekly.collect(),
            exceptions: exceptions.collect(),
        }
    }

    /// The zone whose clocks count.
    pub fn time_zone(&self) -> Tz {
        self.zone
    }

    /// The open intervals of a local date, in order; empty when it is closed.
    pub fn open_intervals(&self, date: NaiveDate) -> &[OpenInterval] {
        let weekday = date.weekday().num_days_from_monday() as usize;
        self.exceptions.get(&date).unwrap_or(&self.weekly[weekday])
    }

    /// True when any day from `from` on opens, looking at `days` days.
    pub fn opens_within(&self, from: NaiveDate, days: u64) -> bool {
        let to = from.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX);
        DateRange { from, to }.dates().any(|date| self.is_workday(date, &[]))
    }

    /// True when the date is open and not one of the days of leave.
    pub fn is_workday(&self, date: NaiveDate, leave: &[DateRange]) -> bool {
        !self.open_intervals(date).is_empty() && !leave.iter().any(|away| away.contains(date))
    }

    /// The workdays of a person in `range`, in order.
    pub fn workday_dates(&self, range: DateRange, leave: &[DateRange]) -> impl Iterator<Item = NaiveDate> {
        range.dates().filter(move |&date| self.is_workday(date, leave))
    }

    /// Number of workdays of a person in `range`.
    pub fn workdays(&self, range: DateRange, leave: &[DateRange]) -> u32 {
        u32::try_from(self.workday_dates(range, leave).count()).unwrap_or(u32::MAX)
    }

    /// The workday that lies `count` workdays before `date`; for 0, `date` or else the last workday before it.
    /// `None` when it is further than [`HORIZON_DAYS_MAX`] away.
    pub fn workday_before(&self, date: NaiveDate, count: u32, leave: &[DateRange]) -> Option<NaiveDate> {
        let back = std::iter::successors(Some(date), |day| day.pred_opt()).take(HORIZON_DAYS_MAX);
        // A date that is closed itself stands for the workday before it.
        back.filter(|&day| self.is_workday(day, leave)).nth(count as usize)
    }

    /// The earliest instant by which `open` has passed in open hours since `start`; `start` itself for zero.
    /// `None` for a negative duration, and when not that much is open within [`HORIZON_DAYS_MAX`].
    pub fn add(&self, start: Timestamp, open: Duration) -> Option<Timestamp> {
        if open <= Duration::zero() {
            return (open == Duration::zero()).then_some(start);
        }
        let mut left = open;
        for (from, to) in
            self.day_before(start).iter_days().take(HORIZON_DAYS_MAX).flat_map(|day| self.spans(day))
        {
            let from = from.max(start);
            let length = to.since(from).max(Duration::zero());
            if left <= length {
                return Some(from.plus(left));
            }
            left -= length;
        }
        None
    }

    /// The first open instant that is not before `at`; `None` when none comes within [`HORIZON_DAYS_MAX`].
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        // The smallest step of open time ends just after it.
        let step = Duration::microseconds(1);
        self.add(at, step).map(|after| after.plus(-step))
    }

    /// How much of `[from, to)` is open; negative when `to` lies before `from`.
    pub fn elapsed(&self, from: Timestamp, to: Timestamp) -> Duration {
        if to < from {
            return -self.elapsed(to, from);
        }
        let last = to.date_in(self.zone).succ_opt().unwrap_or(NaiveDate::MAX);
        let days = self.day_before(from).iter_days().take_while(|&day| day <= last);
        days.flat_map(|day| self.spans(day)).fold(Duration::zero(), |sum, (open, close)| {
            sum + close.min(to).since(open.max(from)).max(Duration::zero())
        })
    }

    /// Where clocks fall back across midnight, an instant of one local date can lie in an interval of
    /// the date next to it; so searches begin a day early and end a day late.
    fn day_before(&self, at: Timestamp) -> NaiveDate {
        at.date_in(self.zone).pred_opt().unwrap_or(NaiveDate::MIN)
    }

    /// The open intervals of a date as instants, in order.
    fn spans(&self, date: NaiveDate) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        // Checked to lie within a day, so the conversion cannot fail.
        let at = move |minute: i32| Timestamp::at_local(date, u16::try_from(minute).unwrap_or(0), self.zone);
        self.open_intervals(date).iter().map(move |open| (at(open.from_minute), at(open.to_minute)))
    }
}

impl TryFrom<HoursInput> for WorkHours {
    type Error = Error;
    fn try_from(input: HoursInput) -> Result<Self> {
        Self::new(&input)
    }
}

impl From<WorkHours> for HoursInput {
    fn from(hours: WorkHours) -> Self {
        hours.input()
    }
}

fn within(count: usize, most: usize, field: &str, problems: &mut Problems) -> bool {
    if count > most {
        let message = format!("At most {most} are allowed; these are {count}.");
        problems.push(Problem::new(Code::TooMany, message).at(field));
    }
    count <= most
}

/// The intervals of one day by their beginning; `None` when any is wrong. Each comes with its path.
fn in_order(
    mut intervals: Vec<(Vec<String>, OpenInterval)>,
    problems: &mut Problems,
) -> Option<Vec<OpenInterval>> {
    let mut fine = intervals.len() <= INTERVALS_PER_DAY_MAX;
    if let Some((path, _)) = intervals.get(INTERVALS_PER_DAY_MAX) {
        let message = format!("A day has at most {INTERVALS_PER_DAY_MAX} open intervals.");
        problems.push(Problem { field: path.clone(), code: Code::TooMany, message });
    }
    for (path, open) in &intervals {
        let (field, message) = if !(0..MINUTES_PER_DAY).contains(&open.from_minute) {
            ("fromMinute", "An interval begins between minute 0 and minute 1439 of its day.")
        } else if !(1..=MINUTES_PER_DAY).contains(&open.to_minute) {
            ("toMinute", "An interval ends between minute 1 and minute 1440 of its day.")
        } else if open.to_minute <= open.from_minute {
            ("toMinute", "An interval ends after it begins; split it at midnight.")
        } else {
            continue;
        };
        let field = [path.as_slice(), &[field.to_owned()]].concat();
        problems.push(Problem { field, code: Code::OutOfRange, message: message.into() });
        fine = false;
    }
    if !fine {
        return None;
    }
    intervals.sort_by_key(|&(_, open)| open);
    for pair in intervals.windows(2) {
        let [(_, before), (path, after)] = pair else { continue };
        if after.from_minute < before.to_minute {
            let message = "The interval overlaps another one of the same day; join them.";
            problems.push(Problem {
                field: path.clone(),
                code: Code::IntervalOverlap,
                message: message.into(),
            });
            fine = false;
        }
    }
    fine.then(|| intervals.into_iter().map(|(_, open)| open).collect())
}
