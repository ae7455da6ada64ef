//! The ladder: who is told when the time of a clock passes, or when something else leaves a complaint alone.
//!
//! A rung is raised once by its [key](EscalationKey). Whoever it names must take charge within a time, or the next
//! rung is raised. A notice waits for service hours, unless somebody's safety is at stake.
//!
//! What is still to be raised, and when, follows from the complaint, its clocks and the ladder alone
//! ([`Complaint::pending_rungs`]); so a job that runs late, twice or on two nodes raises the same.

use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clocks::{ClockKind, SlaClock};
use super::policies::Service;
use super::{Complaint, Handling, Step};
use crate::access::Role;
use crate::change::{Change, EventKind};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EscalationId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Most rungs of a ladder.
pub const RUNGS_MAX: usize = 10;
/// Largest share of a clock's time that a rung may name, in percent.
pub const PERCENT_MAX: i32 = 1_000;
/// Longest time to take charge, in open minutes.
pub const ACCEPT_MINUTES_MAX: i32 = 10_080;
/// The rung on which everything begins that is not a share of a clock's time.
pub const CONDITION_RUNG: i32 = 2;

/// All of a clock's time, in percent.
const WHOLE_PERCENT: i32 = 100;

wire_enum! {
    /// Whom a rung of the ladder names.
    EscalationRole {
        /// The owner of the complaint.
        Owner = "OWNER",
        /// Whoever leads the team of the owner.
        OwnerLead = "OWNER_LEAD",
        /// Whoever looks after the customer.
        AccountManager = "ACCOUNT_MANAGER",
        /// The service department.
        ServiceAgents = "SERVICE_AGENTS",
        /// All managers.
        Managers = "MANAGERS",
        /// All administrators.
        Admins = "ADMINS",
    }
}

wire_enum! {
    /// Why a rung of the ladder is raised.
    EscalationCause {
        /// The time to acknowledge passes.
        Ack = "ACK",
        /// The time for the first response passes.
        FirstResponse = "FIRST_RESPONSE",
        /// The time for news passes.
        Update = "UPDATE",
        /// The time to settle it passes.
        Resolution = "RESOLUTION",
        /// News were promised to the customer and did not come.
        UpdateMissed = "UPDATE_MISSED",
        /// The owner can no longer sign in, so nobody works on it.
        NoOwner = "NO_OWNER",
        /// The owner is on leave.
        OwnerAway = "OWNER_AWAY",
        /// The customer did not accept the response.
        Disputed = "DISPUTED",
        /// It was closed and is open again.
        Reopened = "REOPENED",
    }
}

/// Who offers to take charge of an escalation.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Who.
    pub user_id: UserId,
    /// What they are in the organisation.
    pub role: Role,
    /// Whether they lead the team of the owner, or a team above it.
    pub leads_owner: bool,
}

/// One rung of a ladder. Rungs are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rung {
    /// After which share of a clock's time it is raised.
    pub percent: i32,
    /// Whom it names.
    pub role: EscalationRole,
    /// Within how many open minutes one of them must take charge.
    pub accept_minutes: i32,
}

/// The owner, whoever leads them, all managers, and the administrators.
pub const STANDARD_LADDER: [Rung; 4] = [
    Rung { percent: 50, role: EscalationRole::Owner, accept_minutes: 120 },
    Rung { percent: 75, role: EscalationRole::OwnerLead, accept_minutes: 120 },
    Rung { percent: 100, role: EscalationRole::Managers, accept_minutes: 60 },
    Rung { percent: 150, role: EscalationRole::Admins, accept_minutes: 60 },
];

/// What one rung is raised for; no two escalations of a complaint have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscalationKey {
    /// Why.
    pub cause: EscalationCause,
    /// The round of the clock, or the how manieth absence, dispute or reopening, from 1.
    pub occurrence: i32,
    /// Which rung, from 1.
    pub rung: i32,
    /// The number of the clock's deadline, from 0; 0 for what has none.
    pub revision: i32,
}

/// A rung that was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Escalation {
    /// Its id.
    pub id: EscalationId,
    /// What it was raised for.
    pub key: EscalationKey,
    /// Whom it names.
    pub role: EscalationRole,
    /// When it had to be raised.
    pub arises_at: Timestamp,
    /// When it was.
    pub raised_at: Timestamp,
    /// When those whom it names are told.
    pub notify_at: Timestamp,
    /// When the next rung is raised unless somebody has taken charge.
    pub accept_by: Timestamp,
    /// Who took charge, and when.
    pub accepted: Option<(UserId, Timestamp)>,
}

/// Why nobody can be expected to work on a complaint; by the caller, from what it knows of the owner. May lie ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The owner cannot sign in since.
    Gone(Timestamp),
    /// The owner is on leave from then on.
    Away(Timestamp),
}

/// A rung that is still to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRung {
    /// When.
    pub arises_at: Timestamp,
    /// What for.
    pub key: EscalationKey,
    /// The event that tells of it.
    pub event: EventKind,
}

impl EscalationCause {
    fn of(kind: ClockKind) -> Self {
        match kind {
            ClockKind::Ack => Self::Ack,
            ClockKind::FirstResponse => Self::FirstResponse,
            ClockKind::Update => Self::Update,
            ClockKind::Resolution => Self::Resolution,
        }
    }

    /// The clock that must run for the cause to hold.
    fn clock(self) -> Option<ClockKind> {
        match self {
            Self::Ack => Some(ClockKind::Ack),
            Self::FirstResponse => Some(ClockKind::FirstResponse),
            Self::Update | Self::UpdateMissed => Some(ClockKind::Update),
            Self::Resolution => Some(ClockKind::Resolution),
            Self::NoOwner | Self::OwnerAway | Self::Disputed | Self::Reopened => None,
        }
    }
}

impl EscalationKey {
    fn is_same_but_for_revision(&self, other: &Self) -> bool {
        Self { revision: 0, ..*self } == Self { revision: 0, ..*other }
    }
}

impl Absence {
    fn since(self) -> (EscalationCause, Timestamp) {
        match self {
            Self::Gone(since) => (EscalationCause::NoOwner, since),
            Self::Away(since) => (EscalationCause::OwnerAway, since),
        }
    }
}

impl Complaint {
    /// All rungs that will be raised unless something is done, the next one first; a job looks again when that one
    /// arises. Empty once the complaint has ended.
    pub fn pending_rungs(&self, service: &Service<'_>, absence: Option<Absence>) -> Vec<PendingRung> {
        if !self.state.is_open() {
            return Vec::new();
        }
        let mut found: Vec<_> = self
            .clocks
            .iter()
            .filter(|clock| clock.is_running())
            .flat_map(|clock| shares(clock, service))
            .chain(absence.map(|absence| self.absent(absence, service)))
            .chain(self.unaccepted(service, absence))
            .filter(|pending| !self.is_raised(pending))
            .collect();
        found.sort_by_key(|pending| (pending.arises_at, pending.key));
        let mut next: Vec<PendingRung> = Vec::new();
        for pending in found {
            if !next.iter().any(|other| other.key.is_same_but_for_revision(&pending.key)) {
                next.push(pending);
            }
        }
        next
    }

    /// Raises the first pending rung whose time has come. To be repeated until there is none: each is an event.
    pub fn escalate(
        &self,
        absence: Option<Absence>,
        id: EscalationId,
        handling: &Handling<'_>,
    ) -> Option<Change<Self>> {
        let mut after = Self { updated_at: handling.now, ..self.clone() };
        after.follow(None, handling);
        let next = after.pending_rungs(&handling.service, absence).into_iter().next()?;
        if next.arises_at > handling.now {
            return None;
        }
        let escalation = after.raise(next.key, next.arises_at, id, handling);
        Some(after.save(self, next.event).with_detail("escalation", escalation))
    }

    /// Somebody takes charge of an escalation.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` once the complaint has ended, and when somebody has taken charge already; `NOT_FOUND`;
    /// `NOT_PERMITTED` for somebody whom it does not name. Managers in whose reach the complaint lies may take charge of
    /// everything but what names the administrators, and those of everything.
    pub fn accept_escalation(
        &self,
        id: EscalationId,
        by: &Standing,
        handling: &Handling<'_>,
    ) -> Result<Change<Self>> {
        let mut after = self.begin(Step::AcceptEscalation, handling)?;
        let Some(escalation) = after.escalations.iter_mut().find(|escalation| escalation.id == id) else {
            let message = "The complaint has no such escalation.";
            return Err(Problem::new(Code::NotFound, message).at("escalationId").into());
        };
        if escalation.accepted.is_some() {
            let message = "Somebody has taken charge of this escalation already.";
            return Err(Problem::new(Code::InvalidTransition, message).at("escalationId").into());
        }
        let is_named = match escalation.role {
            EscalationRole::Owner => by.user_id == self.owner_id,
            EscalationRole::OwnerLead => by.leads_owner,
            EscalationRole::AccountManager => Some(by.user_id) == self.account_manager_id,
            EscalationRole::ServiceAgents => by.role == Role::ServiceAgent,
            EscalationRole::Managers | EscalationRole::Admins => false,
        };
        let stands_above = match by.role {
            Role::Admin => true,
            Role::Manager => escalation.role != EscalationRole::Admins,
            Role::Rep | Role::ServiceAgent | Role::Finance => false,
        };
        if !(is_named || stands_above) {
            let message = "It is for somebody else to take charge: see the role that the escalation names.";
            return Err(Problem::new(Code::NotPermitted, message).at("escalationId").into());
        }
        escalation.accepted = Some((by.user_id, handling.now));
        let view = escalation.view();
        Ok(after.save(self, EventKind::EscalationAccepted).with_detail("escalation", view))
    }

    /// Raises a rung and gives what the log tells of it.
    pub(super) fn raise(
        &mut self,
        key: EscalationKey,
        arises_at: Timestamp,
        id: EscalationId,
        handling: &Handling<'_>,
    ) -> Value {
        let Handling { service, now, .. } = *handling;
        // A ladder that was shortened meanwhile ends with its last rung.
        let rung = usize::try_from(key.rung - 1).ok().and_then(|index| service.ladder.get(index));
        let rung = rung.or(service.ladder.last()).unwrap_or(&STANDARD_LADDER[0]);
        let wait = Duration::minutes(rung.accept_minutes.into());
        let (notify_at, accept_by) = if self.is_safety_risk {
            (now, now.plus(wait))
        } else {
            let notify_at = service.hours.next_open(now).unwrap_or(now);
            (notify_at, service.hours.add(notify_at, wait).unwrap_or_else(|| notify_at.plus(wait)))
        };
        let escalation = Escalation {
            id,
            key,
            role: rung.role,
            arises_at,
            raised_at: now,
            notify_at,
            accept_by,
            accepted: None,
        };
        let view = escalation.view();
        self.level = self.level.max(key.rung);
        self.escalations.push(escalation);
        view
    }

    /// The key of a rung that a step raises by itself.
    pub(super) fn key_of_step(
        &self,
        cause: EscalationCause,
        rung: i32,
        service: &Service<'_>,
    ) -> EscalationKey {
        let before = self.escalations.iter().filter(|escalation| escalation.key.cause == cause);
        let occurrence = before.map(|escalation| escalation.key.occurrence).max().unwrap_or(0) + 1;
        EscalationKey { cause, occurrence, rung: rung.min(last_rung(service)), revision: 0 }
    }

    /// A rung is raised once for each deadline, and not again for a deadline whose revision did not move it.
    fn is_raised(&self, pending: &PendingRung) -> bool {
        self.escalations.iter().any(|escalation| {
            escalation.key == pending.key
                || (escalation.key.is_same_but_for_revision(&pending.key)
                    && escalation.arises_at >= pending.arises_at)
        })
    }

    fn absent(&self, absence: Absence, service: &Service<'_>) -> PendingRung {
        let (cause, since) = absence.since();
        let key = EscalationKey {
            cause,
            occurrence: self.absences(absence),
            rung: CONDITION_RUNG.min(last_rung(service)),
            revision: 0,
        };
        PendingRung { arises_at: since, key, event: EventKind::ComplaintEscalated }
    }

    /// The how manieth absence of its kind this one is: one that was told of keeps its number.
    fn absences(&self, absence: Absence) -> i32 {
        let (cause, since) = absence.since();
        let told = || self.escalations.iter().filter(|escalation| escalation.key.cause == cause);
        match told().find(|escalation| escalation.arises_at == since) {
            Some(same) => same.key.occurrence,
            None => told().map(|escalation| escalation.key.occurrence).max().unwrap_or(0) + 1,
        }
    }

    /// The rungs above those of which nobody takes charge.
    fn unaccepted(
        &self,
        service: &Service<'_>,
        absence: Option<Absence>,
    ) -> impl Iterator<Item = PendingRung> {
        let last = last_rung(service);
        let highest = |key: &EscalationKey| {
            !self.escalations.iter().any(|other| {
                other.key.cause == key.cause
                    && other.key.occurrence == key.occurrence
                    && (other.key.rung, other.key.revision) > (key.rung, key.revision)
            })
        };
        self.escalations
            .iter()
            .filter(move |escalation| {
                escalation.accepted.is_none()
                    && escalation.key.rung < last
                    && highest(&escalation.key)
                    && self.holds(&escalation.key, absence)
            })
            .map(|escalation| PendingRung {
                arises_at: escalation.accept_by,
                key: EscalationKey { rung: escalation.key.rung + 1, ..escalation.key },
                event: EventKind::ComplaintEscalated,
            })
    }

    /// Whether the cause of an escalation is still there.
    fn holds(&self, key: &EscalationKey, absence: Option<Absence>) -> bool {
        match key.cause.clock() {
            Some(kind) => self
                .clocks
                .iter()
                .any(|clock| clock.kind == kind && clock.round == key.occurrence && clock.is_running()),
            None if matches!(key.cause, EscalationCause::NoOwner | EscalationCause::OwnerAway) => absence
                .is_some_and(|absence| {
                    absence.since().0 == key.cause && self.absences(absence) == key.occurrence
                }),
            None => true,
        }
    }
}

/// The rungs that a running clock reaches. The whole time of an UPDATE is the promise that was missed.
fn shares(clock: &SlaClock, service: &Service<'_>) -> impl Iterator<Item = PendingRung> {
    let key =
        |cause, rung| EscalationKey { cause, occurrence: clock.round, rung, revision: clock.revision() };
    let is_promise = clock.kind == ClockKind::Update;
    let missed = is_promise.then(|| PendingRung {
        arises_at: clock.due_at,
        key: key(EscalationCause::UpdateMissed, CONDITION_RUNG.min(last_rung(service))),
        event: EventKind::ClockBreached,
    });
    let rungs = (1..).zip(service.ladder);
    rungs
        .filter(move |(_, rung)| !(is_promise && rung.percent == WHOLE_PERCENT))
        .map(move |(number, rung)| PendingRung {
            arises_at: clock.at_percent(service.hours, rung.percent),
            key: key(EscalationCause::of(clock.kind), number),
            event: if rung.percent < WHOLE_PERCENT {
                EventKind::ClockWarned
            } else {
                EventKind::ClockBreached
            },
        })
        .chain(missed)
}

fn last_rung(service: &Service<'_>) -> i32 {
    i32::try_from(service.ladder.len()).unwrap_or(i32::MAX)
}

/// Notes what is wrong with a ladder.
pub(super) fn check_ladder(ladder: &[Rung], problems: &mut Problems) {
    if ladder.is_empty() {
        problems.push(Problem::required("ladder"));
    }
    if ladder.len() > RUNGS_MAX {
        let message = format!("A ladder has at most {RUNGS_MAX} rungs; this one has {}.", ladder.len());
        problems.push(Problem::new(Code::TooMany, message).at("ladder"));
        return;
    }
    let mut before = 0;
    for (index, rung) in ladder.iter().enumerate() {
        let mut refuse = |field: &str, message: String| {
            let problem = Problem::new(Code::OutOfRange, message).at(field);
            problems.push(problem.at(index.to_string()).at("ladder"));
        };
        if rung.percent <= before || rung.percent > PERCENT_MAX {
            refuse("percent", format!("The shares of the rungs rise, from 1 to {PERCENT_MAX} %."));
        }
        if !(1..=ACCEPT_MINUTES_MAX).contains(&rung.accept_minutes) {
            refuse(
                "acceptMinutes",
                format!("Somebody has 1 to {ACCEPT_MINUTES_MAX} minutes to take charge."),
            );
        }
        before = rung.percent;
    }
}

impl Escalation {
    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id, "cause": self.key.cause, "occurrence": self.key.occurrence, "rung": self.key.rung,
            "revision": self.key.revision, "role": self.role, "arisesAt": self.arises_at,
            "notifyAt": self.notify_at, "acceptBy": self.accept_by,
            "acceptedById": self.accepted.map(|(by, _)| by),
        })
    }
}
