//! Clocks: how much open time the customer waits for what. A deadline is a pure function of the target minutes of a
//! policy version, of the hours of a calendar version, and of the pauses.
//!
//! Time is half-open: a clock that is stopped at the very instant at which its time is up has missed it. A deadline
//! that was missed stays missed, whatever moves it afterwards.

use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policies::{PolicyStamp, Service};
use super::{Complaint, Handling};
use crate::calendars::WorkHours;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What a customer waits for.
    ClockKind {
        /// To be told that the complaint has arrived.
        Ack = "ACK",
        /// To hear something of substance for the first time.
        FirstResponse = "FIRST_RESPONSE",
        /// To hear how it goes: the promise that there is news within this time, given anew with all news.
        Update = "UPDATE",
        /// To see it settled: what was accepted is done, and the complaint closed.
        Resolution = "RESOLUTION",
    }
}

wire_enum! {
    /// Why a deadline moved.
    RevisionReason as "DeadlineRevisionReason" {
        /// The severity was judged, and with it the policy chosen.
        Assessed = "ASSESSED",
        /// The customer is awaited.
        Paused = "PAUSED",
        /// The customer is no longer awaited.
        Resumed = "RESUMED",
        /// The policy changed.
        PolicyChanged = "POLICY_CHANGED",
        /// The calendar changed.
        CalendarChanged = "CALENDAR_CHANGED",
        /// A duplicate had been recorded earlier.
        Merged = "MERGED",
    }
}

wire_enum! {
    /// What became of a clock.
    ClockOutcome {
        /// Runs, and its time is not up.
        Running = "RUNNING",
        /// Was stopped before its time was up.
        Met = "MET",
        /// Its time was up before it was stopped.
        Missed = "MISSED",
    }
}

/// Time that does not count, `[from, to)`. It ends by itself at the instant until which the customer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// First instant that does not count.
    pub from: Timestamp,
    /// First instant that counts again.
    pub to: Timestamp,
}

/// A deadline that moved. The first one of a clock is the `from` of its first revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineRevision {
    /// The deadline before.
    pub from: Timestamp,
    /// The deadline after.
    pub to: Timestamp,
    /// When it moved.
    pub at: Timestamp,
    /// Why.
    pub reason: RevisionReason,
}

/// One wait of the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlaClock {
    /// For what.
    pub kind: ClockKind,
    /// The how manieth of its kind, from 1: news begins a new UPDATE, a reopening a new RESOLUTION.
    pub round: i32,
    /// When it began.
    pub starts_at: Timestamp,
    /// How much open time it has.
    pub target_minutes: i32,
    /// By what it was computed.
    pub policy: PolicyStamp,
    /// Time that does not count, in order and without overlap.
    pub pauses: Vec<Pause>,
    /// When its time is up.
    pub due_at: Timestamp,
    /// How the deadline moved, oldest first.
    pub revisions: Vec<DeadlineRevision>,
    /// When it was stopped.
    pub stopped_at: Option<Timestamp>,
    /// The deadline that was missed, once that is written down; see [`SlaClock::breached_at`].
    pub missed: Option<Timestamp>,
    /// Whether the system that a complaint was imported from says that it was met, which counts more than our hours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_met: bool,
}

/// Milliseconds in one percent of a minute: percentages of whole minutes stay exact.
const PERCENT_OF_MINUTE_MS: i64 = 600;

impl SlaClock {
    pub(super) fn start(kind: ClockKind, round: i32, at: Timestamp, service: &Service<'_>) -> Self {
        let mut clock = Self {
            kind,
            round,
            starts_at: at,
            target_minutes: service.minutes.of(kind),
            policy: service.stamp,
            pauses: Vec::new(),
            due_at: at,
            revisions: Vec::new(),
            stopped_at: None,
            missed: None,
            told_met: false,
        };
        clock.due_at = clock.at_percent(service.hours, 100);
        clock
    }

    /// When so many percent of its time have passed, pauses not counted.
    pub fn at_percent(&self, hours: &WorkHours, percent: i32) -> Timestamp {
        let units = i64::from(self.target_minutes) * i64::from(percent);
        let mut left = Duration::milliseconds(units * PERCENT_OF_MINUTE_MS);
        let mut from = self.starts_at;
        for pause in &self.pauses {
            let run = hours.elapsed(from, pause.from);
            if left <= run {
                break;
            }
            left -= run;
            from = pause.to;
        }
        // Where so much is never open every hour counts: nobody may wait for ever.
        hours.add(from, left).unwrap_or_else(|| from.plus(left))
    }

    /// How much open time has passed until `now`, or until it was stopped; pauses not counted.
    pub fn elapsed(&self, hours: &WorkHours, now: Timestamp) -> Duration {
        let end = self.stopped_at.unwrap_or(now).max(self.starts_at);
        let paused = self
            .pauses
            .iter()
            .filter(|pause| pause.from < end)
            .fold(Duration::zero(), |sum, pause| sum + hours.elapsed(pause.from, pause.to.min(end)));
        hours.elapsed(self.starts_at, end) - paused
    }

    /// True until it is stopped, in pauses too.
    pub fn is_running(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// True while it stands still.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.is_running() && self.pauses.iter().any(|pause| pause.from <= now && now < pause.to)
    }

    /// The first deadline that passed before the clock was stopped.
    pub fn breached_at(&self, now: Timestamp) -> Option<Timestamp> {
        let passed = !self.told_met && self.due_at <= self.stopped_at.unwrap_or(now);
        self.missed.or_else(|| passed.then_some(self.due_at))
    }

    /// What became of it.
    pub fn outcome(&self, now: Timestamp) -> ClockOutcome {
        match (self.breached_at(now), self.stopped_at) {
            (Some(_), _) => ClockOutcome::Missed,
            (None, Some(_)) => ClockOutcome::Met,
            (None, None) => ClockOutcome::Running,
        }
    }

    /// The number of its present deadline, from 0.
    pub fn revision(&self) -> i32 {
        i32::try_from(self.revisions.len()).unwrap_or(i32::MAX)
    }

    pub(super) fn stop(&mut self, now: Timestamp) {
        self.missed = self.breached_at(now);
        self.stopped_at = Some(now);
    }

    pub(super) fn pause(&mut self, until: Timestamp, service: &Service<'_>, now: Timestamp) {
        self.missed = self.breached_at(now);
        self.pauses.push(Pause { from: now, to: until });
        self.revise(service.hours, RevisionReason::Paused, now);
    }

    pub(super) fn resume(&mut self, service: &Service<'_>, now: Timestamp) {
        self.missed = self.breached_at(now);
        if let Some(pause) = self.pauses.last_mut() {
            pause.to = pause.to.min(now);
        }
        self.revise(service.hours, RevisionReason::Resumed, now);
    }

    /// Computes the deadline by another policy or calendar, or from another start.
    pub(super) fn recalculate(
        &mut self,
        starts_at: Timestamp,
        service: &Service<'_>,
        reason: RevisionReason,
        now: Timestamp,
    ) {
        self.missed = self.breached_at(now);
        self.starts_at = starts_at;
        self.target_minutes = service.minutes.of(self.kind);
        self.policy = service.stamp;
        self.revise(service.hours, reason, now);
    }

    fn revise(&mut self, hours: &WorkHours, reason: RevisionReason, now: Timestamp) {
        let due_at = self.at_percent(hours, 100);
        if due_at != self.due_at {
            self.revisions.push(DeadlineRevision { from: self.due_at, to: due_at, at: now, reason });
            self.due_at = due_at;
        }
    }

    pub(super) fn view(&self) -> Value {
        json!({ "kind": self.kind, "round": self.round, "dueAt": self.due_at })
    }
}

impl Complaint {
    /// Recalculates the running clocks that were computed by something else.
    pub(super) fn follow(&mut self, reason: Option<RevisionReason>, handling: &Handling<'_>) {
        let Handling { service, now, .. } = handling;
        for clock in self.clocks.iter_mut().filter(|clock| clock.is_running()) {
            let (old, new) = (clock.policy, service.stamp);
            if old == new {
                continue;
            }
            let is_policy = (old.policy_id, old.policy_version) != (new.policy_id, new.policy_version);
            let changed =
                if is_policy { RevisionReason::PolicyChanged } else { RevisionReason::CalendarChanged };
            clock.recalculate(clock.starts_at, service, reason.unwrap_or(changed), *now);
        }
    }

    /// The customer has heard something of substance.
    pub(super) fn tell_customer(&mut self, handling: &Handling<'_>) {
        self.stop(Some(ClockKind::FirstResponse), handling.now);
        self.renew_promise(handling);
    }

    /// News begin the next wait for news. It stands still while the customer is awaited.
    pub(super) fn renew_promise(&mut self, handling: &Handling<'_>) {
        let Handling { service, now, .. } = handling;
        let round = self.next_round(ClockKind::Update);
        let running = self.clocks.iter().filter(|clock| clock.is_running());
        let pause = running.flat_map(|clock| &clock.pauses).find(|pause| *now < pause.to).copied();
        self.stop(Some(ClockKind::Update), *now);
        let mut clock = SlaClock::start(ClockKind::Update, round, *now, service);
        if let Some(pause) = pause {
            clock.pause(pause.to, service, *now);
        }
        self.clocks.push(clock);
    }

    pub(super) fn next_round(&self, kind: ClockKind) -> i32 {
        let rounds = self.clocks.iter().filter(|clock| clock.kind == kind).map(|clock| clock.round);
        rounds.max().unwrap_or(0) + 1
    }

    pub(super) fn pause(&mut self, handling: &Handling<'_>) {
        let Some(until) = self.waits_until() else { return };
        for clock in self.clocks.iter_mut().filter(|clock| clock.is_running()) {
            clock.pause(until, &handling.service, handling.now);
        }
    }

    pub(super) fn unpause(&mut self, handling: &Handling<'_>) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.is_running()) {
            clock.resume(&handling.service, handling.now);
        }
    }

    pub(super) fn stop(&mut self, kind: Option<ClockKind>, now: Timestamp) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.is_running()) {
            if kind.is_none_or(|kind| clock.kind == kind) {
                clock.stop(now);
            }
        }
    }

    pub(super) fn end(&mut self, now: Timestamp) {
        self.stop(None, now);
        self.waiting = None;
        self.ended_at = Some(now);
    }
}
