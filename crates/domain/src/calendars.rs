//! Work calendars: when people work. Pure arithmetic on them stands in [`WorkHours`].

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EntityId, WorkCalendarId};
use crate::text;
use crate::time::{DateRange, Timestamp};

mod hours;
pub use hours::{
    CalendarException, EXCEPTIONS_MAX, HORIZON_DAYS_MAX, HoursInput, INTERVALS_PER_DAY_MAX, MINUTES_PER_DAY,
    OpenInterval, Weekday, WeeklyInterval, WorkHours,
};

/// A calendar must open at least once within this many days from the day on which it is saved.
pub const OPEN_WITHIN_DAYS: u64 = 366;

/// A named set of working hours.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkCalendar {
    /// Its id.
    pub id: WorkCalendarId,
    /// Counts changes.
    pub version: Version,
    /// Name; unique in the organisation, ignoring case.
    pub name: String,
    /// When people work.
    pub hours: WorkHours,
    /// Whether it counts for everybody who has none of their own; one calendar of an organisation does.
    pub is_default: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input of [`WorkCalendar::create`].
#[derive(Clone, Debug)]
pub struct NewWorkCalendar {
    /// Name.
    pub name: String,
    /// Zone, weekly intervals and exceptions.
    pub hours: HoursInput,
    /// Whether it counts for everybody who has none of their own.
    pub is_default: bool,
}

/// Input of [`WorkCalendar::update`]; `None` leaves a value, a list replaces the whole list.
#[derive(Clone, Debug, Default)]
pub struct WorkCalendarUpdate {
    /// New name.
    pub name: Option<String>,
    /// New IANA time zone.
    pub time_zone: Option<String>,
    /// New weekly intervals.
    pub weekly: Option<Vec<WeeklyInterval>>,
    /// New exceptions.
    pub exceptions: Option<Vec<CalendarException>>,
    /// Whether it counts for everybody who has none of their own.
    pub is_default: Option<bool>,
}

/// What decides on which days a person works.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkTime {
    /// The hours of their calendar.
    pub hours: WorkHours,
    /// When they are away.
    pub leave: Vec<DateRange>,
}

impl WorkTime {
    /// Number of workdays in `range`.
    pub fn workdays(&self, range: DateRange) -> u32 {
        self.hours.workdays(range, &self.leave)
    }
}

impl WorkCalendar {
    /// A new calendar. Paths of problems are those of a flat input: `weekly.0.toMinute`.
    ///
    /// # Errors
    /// Every field that is wrong, see [`WorkHours::new`]; `NEVER_OPEN`.
    pub fn create(input: &NewWorkCalendar, id: WorkCalendarId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(&input.name));
        let hours = opening(&input.hours, &mut problems, now);
        let calendar = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                name: name?,
                hours: hours?,
                is_default: input.is_default,
                created_at: now,
                updated_at: now,
            })
        })?;
        Ok(Change::created(EventKind::WorkCalendarCreated, calendar))
    }

    /// Changes the calendar as a whole; clocks and workdays are computed from the new hours from now on.
    ///
    /// # Errors
    /// As for [`WorkCalendar::create`].
    pub fn update(&self, input: &WorkCalendarUpdate, now: Timestamp) -> Result<Change<Self>> {
        let present = self.hours.input();
        let hours = HoursInput {
            time_zone: input.time_zone.clone().unwrap_or(present.time_zone),
            weekly: input.weekly.clone().unwrap_or(present.weekly),
            exceptions: input.exceptions.clone().unwrap_or(present.exceptions),
        };
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(input.name.as_ref().unwrap_or(&self.name)));
        let hours = opening(&hours, &mut problems, now);
        let is_default = input.is_default.unwrap_or(self.is_default);
        let after = problems.finish_with(|| {
            Some(Self { name: name?, hours: hours?, is_default, updated_at: now, ..self.clone() })
        })?;
        Ok(Change::updated(EventKind::WorkCalendarUpdated, self, after))
    }

    /// Another calendar counts from now on for everybody who has none of their own.
    pub fn give_way(&self, now: Timestamp) -> Change<Self> {
        let after = Self { is_default: false, updated_at: now, ..self.clone() };
        Change::updated(EventKind::WorkCalendarUpdated, self, after)
    }
}

/// Hours that open within a year: a clock on hours that never open would never run out.
fn opening(input: &HoursInput, problems: &mut Problems, now: Timestamp) -> Option<WorkHours> {
    let hours = WorkHours::check(input, problems)?;
    if !hours.opens_within(now.date_in(hours.time_zone()), OPEN_WITHIN_DAYS) {
        let message =
            format!("The calendar has no open interval within the next {OPEN_WITHIN_DAYS} days; add one.");
        problems.push(Problem::new(Code::NeverOpen, message).at("weekly"));
    }
    Some(hours)
}

impl Aggregate for WorkCalendar {
    const SUBJECT: SubjectType = SubjectType::WorkCalendar;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        let HoursInput { time_zone, weekly, exceptions } = self.hours.input();
        json!({
            "name": self.name, "timeZone": time_zone, "weekly": weekly, "exceptions": exceptions,
            "isDefault": self.is_default,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
