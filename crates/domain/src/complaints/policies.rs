//! Policies: how soon the customer hears from us, on whose hours, and who is told when it takes longer.
//!
//! A complaint follows the most specific policy that fits it. [`Service`] is what clocks are computed by: one
//! version of a policy together with the hours of its calendar.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::clocks::ClockKind;
use super::escalation::{self, Rung};
use super::{Channel, Severity};
use crate::calendars::{WorkCalendar, WorkHours};
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::customers::CustomerGrade;
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EntityId, ProductId, SlaPolicyId, WorkCalendarId};
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;

/// Longest time that a policy may give, in open minutes: a year round the clock.
pub const TARGET_MINUTES_MAX: i32 = 527_040;

/// What a policy is for; what is not named fits everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Criteria {
    /// Complaints judged to be this severe.
    pub severity: Option<Severity>,
    /// Complaints about this product.
    pub product_id: Option<ProductId>,
    /// Complaints of customers of this grade.
    pub customer_grade: Option<CustomerGrade>,
    /// Complaints that came this way.
    pub channel: Option<Channel>,
}

/// What decides which policy a complaint follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How severe it is; `None` before that was judged.
    pub severity: Option<Severity>,
    /// What it is about.
    pub product_id: Option<ProductId>,
    /// The grade of the customer.
    pub customer_grade: Option<CustomerGrade>,
    /// How it came.
    pub channel: Channel,
}

impl Criteria {
    /// Whether a policy with these criteria fits.
    pub fn fit(&self, case: &Case) -> bool {
        fn named<T: PartialEq>(wanted: Option<T>, found: Option<T>) -> bool {
            wanted.is_none() || wanted == found
        }
        named(self.severity, case.severity)
            && named(self.product_id, case.product_id)
            && named(self.customer_grade, case.customer_grade)
            && named(self.channel, Some(case.channel))
    }

    /// More is more specific: first by the number of criteria, then severity before product before grade
    /// before channel.
    fn specificity(&self) -> (usize, [bool; 4]) {
        let named = [
            self.severity.is_some(),
            self.product_id.is_some(),
            self.customer_grade.is_some(),
            self.channel.is_some(),
        ];
        (named.iter().filter(|&&named| named).count(), named)
    }
}

/// Open minutes from the record of a complaint to each deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockMinutes {
    /// Until the customer is told that it has arrived.
    pub ack: i32,
    /// Until the customer hears something of substance.
    pub first_response: i32,
    /// Between two pieces of news for the customer.
    pub update: i32,
    /// Until it is settled.
    pub resolution: i32,
}

impl ClockMinutes {
    /// Half a working day, a day, two days and ten days of eight hours.
    pub const STANDARD: Self = Self { ack: 240, first_response: 480, update: 960, resolution: 4_800 };

    /// The minutes of one clock.
    pub fn of(&self, kind: ClockKind) -> i32 {
        match kind {
            ClockKind::Ack => self.ack,
            ClockKind::FirstResponse => self.first_response,
            ClockKind::Update => self.update,
            ClockKind::Resolution => self.resolution,
        }
    }

    fn check(self, problems: &mut Problems) -> Self {
        let fields = ["ackMinutes", "firstResponseMinutes", "updateMinutes", "resolutionMinutes"];
        for (field, &kind) in fields.into_iter().zip(ClockKind::ALL) {
            if !(1..=TARGET_MINUTES_MAX).contains(&self.of(kind)) {
                let message = format!("A clock has 1 to {TARGET_MINUTES_MAX} open minutes.");
                problems.push(Problem::new(Code::OutOfRange, message).at(field));
            }
        }
        self
    }
}

/// How soon complaints of some kind are answered.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaPolicy {
    /// Its id.
    pub id: SlaPolicyId,
    /// Counts changes.
    pub version: Version,
    /// Name; unique in the organisation, ignoring case.
    pub name: String,
    /// What it is for.
    pub criteria: Criteria,
    /// On whose hours its clocks run; `None` for those of the organisation.
    pub calendar_id: Option<WorkCalendarId>,
    /// How long each clock may run.
    pub minutes: ClockMinutes,
    /// Who is told when time passes, lowest rung first; never empty.
    pub ladder: Vec<Rung>,
    /// Whether complaints are still given to it; those that follow it go on.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input of [`SlaPolicy::create`].
#[derive(Clone, Debug)]
pub struct NewSlaPolicy {
    /// Name.
    pub name: String,
    /// What it is for.
    pub criteria: Criteria,
    /// On whose hours its clocks run.
    pub calendar_id: Option<WorkCalendarId>,
    /// How long each clock may run.
    pub minutes: ClockMinutes,
    /// Who is told when time passes; `None` is [`escalation::STANDARD_LADDER`].
    pub ladder: Option<Vec<Rung>>,
}

/// Input of [`SlaPolicy::update`]; `None` and [`Patch::Keep`] leave a value as it is.
#[derive(Clone, Debug, Default)]
pub struct SlaPolicyUpdate {
    /// New name.
    pub name: Option<String>,
    /// On whose hours its clocks run.
    pub calendar_id: Patch<WorkCalendarId>,
    /// How long each clock may run.
    pub minutes: Option<ClockMinutes>,
    /// Who is told when time passes.
    pub ladder: Option<Vec<Rung>>,
    /// Whether complaints are still given to it.
    pub is_active: Option<bool>,
}

impl SlaPolicy {
    /// A new policy. That product and calendar exist is for the caller to see to.
    ///
    /// # Errors
    /// Every field that is wrong; `OUT_OF_RANGE` for minutes and rungs, `TOO_MANY` rungs.
    pub fn create(input: &NewSlaPolicy, id: SlaPolicyId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(&input.name));
        let minutes = input.minutes.check(&mut problems);
        let ladder = input.ladder.clone().unwrap_or(escalation::STANDARD_LADDER.to_vec());
        escalation::check_ladder(&ladder, &mut problems);
        let policy = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                name: name?,
                criteria: input.criteria,
                calendar_id: input.calendar_id,
                minutes,
                ladder,
                is_active: true,
                created_at: now,
                updated_at: now,
            })
        })?;
        Ok(Change::created(EventKind::SlaPolicyCreated, policy))
    }

    /// Changes the policy; the clocks that follow it are to be recalculated,
    /// see [`Complaint::recalculate`](super::Complaint::recalculate). What it is for stays: another kind of
    /// complaint gets a policy of its own.
    ///
    /// # Errors
    /// As for [`SlaPolicy::create`].
    pub fn update(&self, input: &SlaPolicyUpdate, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(input.name.as_ref().unwrap_or(&self.name)));
        let minutes = input.minutes.unwrap_or(self.minutes).check(&mut problems);
        let ladder = input.ladder.clone().unwrap_or(self.ladder.clone());
        escalation::check_ladder(&ladder, &mut problems);
        let after = problems.finish_with(|| {
            Some(Self {
                name: name?,
                calendar_id: input.calendar_id.clone().apply(self.calendar_id),
                minutes,
                ladder,
                is_active: input.is_active.unwrap_or(self.is_active),
                updated_at: now,
                ..self.clone()
            })
        })?;
        Ok(Change::updated(EventKind::SlaPolicyUpdated, self, after))
    }
}

/// The policy that a complaint follows: the most specific of those that fit, and of equals the oldest.
/// `None` when none fits; then the standard of [`Service::new`] counts.
pub fn choose<'a>(policies: impl IntoIterator<Item = &'a SlaPolicy>, case: &Case) -> Option<&'a SlaPolicy> {
    policies
        .into_iter()
        .filter(|policy| policy.is_active && policy.criteria.fit(case))
        .max_by_key(|policy| (policy.criteria.specificity(), std::cmp::Reverse(policy.id)))
}

/// By which version of what a clock was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStamp {
    /// The policy; `None` where the organisation has none that fits.
    pub policy_id: Option<SlaPolicyId>,
    /// Its version; 0 without a policy.
    pub policy_version: Version,
    /// The calendar; `None` for the standard hours.
    pub calendar_id: Option<WorkCalendarId>,
    /// Its version; 0 without a calendar.
    pub calendar_version: Version,
}

/// What clocks are computed by.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Which versions these are.
    pub stamp: PolicyStamp,
    /// How long each clock may run.
    pub minutes: ClockMinutes,
    /// Who is told when time passes.
    pub ladder: &'a [Rung],
    /// When somebody is there.
    pub hours: &'a WorkHours,
}

impl<'a> Service<'a> {
    /// A policy, or what counts where none fits, on the hours of its calendar, else of the default one, else on
    /// `standard`.
    pub fn of(policy: Option<&'a SlaPolicy>, calendars: &'a [WorkCalendar], standard: &'a WorkHours) -> Self {
        let wanted = policy.and_then(|policy| policy.calendar_id);
        let is_wanted =
            |calendar: &&WorkCalendar| wanted.map_or(calendar.is_default, |wanted| calendar.id == wanted);
        let calendar = calendars.iter().find(is_wanted);
        let hours = calendar.map_or(standard, |calendar| &calendar.hours);
        Self::new(policy, calendar.map(|calendar| (calendar.id, calendar.version)), hours)
    }

    /// A policy, or what counts where none fits, on the hours of a calendar, or on other hours where there is none.
    pub fn new(
        policy: Option<&'a SlaPolicy>,
        calendar: Option<(WorkCalendarId, Version)>,
        hours: &'a WorkHours,
    ) -> Self {
        Self {
            stamp: PolicyStamp {
                policy_id: policy.map(|policy| policy.id),
                policy_version: policy.map_or(0, |policy| policy.version),
                calendar_id: calendar.map(|(id, _)| id),
                calendar_version: calendar.map_or(0, |(_, version)| version),
            },
            minutes: policy.map_or(ClockMinutes::STANDARD, |policy| policy.minutes),
            ladder: policy.map_or(&escalation::STANDARD_LADDER, |policy| &policy.ladder),
            hours,
        }
    }
}

impl Aggregate for SlaPolicy {
    const SUBJECT: SubjectType = SubjectType::SlaPolicy;
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
        json!({
            "name": self.name, "criteria": self.criteria, "calendarId": self.calendar_id,
            "minutes": self.minutes, "ladder": self.ladder, "isActive": self.is_active,
        })
    }
}
