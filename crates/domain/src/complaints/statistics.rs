//! Figures on complaints, counted from rows. Duplicates count once: what was merged is left out.

use super::clocks::{ClockKind, ClockOutcome};
use super::surveys::share_ppm;
use super::{Complaint, ComplaintState};
use crate::derivation::statistics::quantile;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// How many people hear of a complaint that is not settled from the customer. This number and the next one are a claim
/// that is often repeated and has no known source: for illustration, not for decisions.
pub const HEARERS_FIRST: u64 = 11;
/// How many people hear of it from each of those.
pub const HEARERS_EACH: u64 = 55;
/// How many people hear of one complaint: 616.
pub const HEARERS_OF_ONE: u64 = HEARERS_FIRST + HEARERS_FIRST * HEARERS_EACH;

wire_enum! {
    /// By what complaints are counted.
    ComplaintGroup {
        /// How bad they are.
        Severity = "SEVERITY",
        /// How they came.
        Channel = "CHANNEL",
        /// What they are about.
        Product = "PRODUCT",
        /// What caused them.
        RootCause = "ROOT_CAUSE",
        /// Who answers for them.
        Owner = "OWNER",
        /// How far they are.
        State = "STATE",
    }
}

/// How many people may hear of complaints that are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// From the customers themselves.
    pub first: u64,
    /// From those.
    pub second: u64,
    /// All.
    pub hearers: u64,
}

/// The exposure of so many complaints.
pub fn exposure(complaints: u32) -> Exposure {
    let first = u64::from(complaints) * HEARERS_FIRST;
    let second = first * HEARERS_EACH;
    Exposure { first, second, hearers: first + second }
}

/// What is counted of one complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplaintFigures {
    /// How far it is.
    pub state: ComplaintState,
    /// When we were first told.
    pub recorded_at: Timestamp,
    /// When something is to be done next.
    pub next_action_due: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How often it was reopened.
    pub reopen_count: i32,
    /// What became of each of its clocks.
    pub clocks: Vec<(ClockKind, ClockOutcome)>,
}

impl Complaint {
    /// What is counted of it.
    pub fn figures(&self, now: Timestamp) -> ComplaintFigures {
        ComplaintFigures {
            state: self.state,
            recorded_at: self.recorded_at,
            next_action_due: self.next_action_due,
            ended_at: self.ended_at,
            reopen_count: self.reopen_count,
            clocks: self.clocks.iter().map(|clock| (clock.kind, clock.outcome(now))).collect(),
        }
    }
}

/// What became of the clocks of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockCount {
    /// Which kind.
    pub kind: ClockKind,
    /// Stopped in time.
    pub met: u32,
    /// Stopped too late, or not yet and too late by now.
    pub missed: u32,
    /// Still running, in time.
    pub running: u32,
}

/// Figures on some complaints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplaintStatistic {
    /// How many there are.
    pub recorded: u32,
    /// How many are open.
    pub open: u32,
    /// How many of those have something overdue.
    pub overdue: u32,
    /// How many were closed and stayed so.
    pub closed: u32,
    /// How many were not for us to settle.
    pub out_of_scope: u32,
    /// How many were reopened at least once.
    pub reopened: u32,
    /// The reopened among those that were ever closed, in parts per million; `None` when none was.
    pub reopen_rate_ppm: Option<i64>,
    /// The age in seconds that half of the open ones do not exceed; `None` when none is open.
    pub open_age_median_s: Option<i64>,
    /// The age in seconds of the oldest open one.
    pub open_age_max_s: Option<i64>,
    /// The seconds from record to end that half of the closed ones did not exceed.
    pub closed_age_median_s: Option<i64>,
    /// What became of the clocks, one entry for each kind.
    pub clocks: Vec<ClockCount>,
    /// How many people may hear of the open ones.
    pub exposure: Exposure,
}

/// The figures of some complaints at `now`.
pub fn statistic<'a>(
    complaints: impl IntoIterator<Item = &'a ComplaintFigures>,
    now: Timestamp,
) -> ComplaintStatistic {
    let rows: Vec<_> = complaints.into_iter().filter(|row| row.state != ComplaintState::Merged).collect();
    let count = |wanted: &dyn Fn(&ComplaintFigures) -> bool| {
        u32::try_from(rows.iter().filter(|row| wanted(row)).count()).unwrap_or(u32::MAX)
    };
    let ages = |wanted: &dyn Fn(&ComplaintFigures) -> bool| {
        let rows = rows.iter().filter(|row| wanted(row));
        let age = |row: &&ComplaintFigures| row.ended_at.unwrap_or(now).since(row.recorded_at).num_seconds();
        let mut ages: Vec<i64> = rows.map(age).collect();
        ages.sort_unstable();
        ages
    };
    let is_open = |row: &ComplaintFigures| row.state.is_open();
    let is_closed = |row: &ComplaintFigures| row.state == ComplaintState::Closed;
    let was_reopened = |row: &ComplaintFigures| row.reopen_count > 0;
    let (open, reopened) = (count(&is_open), count(&was_reopened));
    let open_ages = ages(&is_open);
    let clocks = ClockKind::ALL.iter().map(|&kind| {
        let of = |wanted| {
            let clocks = rows.iter().flat_map(|row| &row.clocks);
            let count = clocks.filter(|&&clock| clock == (kind, wanted)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let (met, missed) = (of(ClockOutcome::Met), of(ClockOutcome::Missed));
        ClockCount { kind, met, missed, running: of(ClockOutcome::Running) }
    });
    ComplaintStatistic {
        recorded: count(&|_| true),
        open,
        overdue: count(&|row| is_open(row) && row.next_action_due <= now),
        closed: count(&is_closed),
        out_of_scope: count(&|row| row.state == ComplaintState::OutOfScope),
        reopened,
        reopen_rate_ppm: share_ppm(reopened, count(&|row| is_closed(row) || was_reopened(row))),
        open_age_median_s: quantile(&open_ages, 50),
        open_age_max_s: open_ages.last().copied(),
        closed_age_median_s: quantile(&ages(&is_closed), 50),
        clocks: clocks.collect(),
        exposure: exposure(open),
    }
}
