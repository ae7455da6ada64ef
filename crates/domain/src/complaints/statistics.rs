//! Figures on complaints, counted from rows. Duplicates count once: what was merged is left out.

use std::collections::BTreeMap;

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
        /// The team that who answers for them is in today, without the teams below it.
        Team = "TEAM",
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

wire_enum! {
    /// What somebody should know before they contact a customer.
    CustomerWarningCode {
        /// A serious complaint is open: its severity is HIGH or CRITICAL, or somebody's safety is at stake.
        OpenSeriousComplaint = "OPEN_SERIOUS_COMPLAINT",
    }
}

/// The open complaints of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenComplaints {
    /// How many there are.
    pub count: u32,
    /// How many of them are serious: of [`Severity::SERIOUS`](super::Severity::SERIOUS), or somebody's safety is at stake.
    pub serious: u32,
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
    let mut tally = Tally::default();
    for row in complaints.into_iter().filter(|row| row.state != ComplaintState::Merged) {
        tally.add(row, now);
    }
    tally.finish()
}

/// Figures that are being counted: it does not grow by more than an age with each complaint.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    recorded: u32,
    overdue: u32,
    out_of_scope: u32,
    reopened: u32,
    ever_closed: u32,
    open_ages: Vec<i64>,
    closed_ages: Vec<i64>,
    outcomes: BTreeMap<(ClockKind, ClockOutcome), u32>,
}

impl Tally {
    /// Counts a complaint that is no duplicate.
    pub(super) fn add(&mut self, row: &ComplaintFigures, now: Timestamp) {
        let (is_open, is_closed) = (row.state.is_open(), row.state == ComplaintState::Closed);
        let was_reopened = row.reopen_count > 0;
        self.recorded += 1;
        self.overdue += u32::from(is_open && row.next_action_due <= now);
        self.out_of_scope += u32::from(row.state == ComplaintState::OutOfScope);
        self.reopened += u32::from(was_reopened);
        self.ever_closed += u32::from(is_closed || was_reopened);
        let age = row.ended_at.unwrap_or(now).since(row.recorded_at).num_seconds();
        if is_open {
            self.open_ages.push(age);
        } else if is_closed {
            self.closed_ages.push(age);
        }
        for &clock in &row.clocks {
            *self.outcomes.entry(clock).or_default() += 1;
        }
    }

    /// What was counted.
    pub(super) fn finish(mut self) -> ComplaintStatistic {
        self.open_ages.sort_unstable();
        self.closed_ages.sort_unstable();
        let count = |ages: &[i64]| u32::try_from(ages.len()).unwrap_or(u32::MAX);
        let open = count(&self.open_ages);
        let clocks = ClockKind::ALL.iter().map(|&kind| {
            let of = |outcome| self.outcomes.get(&(kind, outcome)).copied().unwrap_or(0);
            let (met, missed) = (of(ClockOutcome::Met), of(ClockOutcome::Missed));
            ClockCount { kind, met, missed, running: of(ClockOutcome::Running) }
        });
        ComplaintStatistic {
            recorded: self.recorded,
            open,
            overdue: self.overdue,
            closed: count(&self.closed_ages),
            out_of_scope: self.out_of_scope,
            reopened: self.reopened,
            reopen_rate_ppm: share_ppm(self.reopened, self.ever_closed),
            open_age_median_s: quantile(&self.open_ages, 50),
            open_age_max_s: self.open_ages.last().copied(),
            closed_age_median_s: quantile(&self.closed_ages, 50),
            clocks: clocks.collect(),
            exposure: exposure(open),
        }
    }
}
