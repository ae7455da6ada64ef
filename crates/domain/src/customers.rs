//! Customers: companies and persons, their stage with its dated history, and who owns them.
//!
//! A stage is reached only by [`Customer::advance`], which also writes the step into the history;
//! the history is append-only, and its business times never run backwards.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::activities::Activity;
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::filter::{OneOf, Range, Text};
use crate::id::{ActivityId, CustomerId, EntityId, StageChangeId, UserId};
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;
use crate::users::{User, UserStatus};
use crate::wire::wire_enum;

wire_enum! {
    /// What a customer is by law.
    CustomerKind {
        /// An organisation.
        Company = "COMPANY",
        /// A human being.
        Person = "PERSON",
    }
}

wire_enum! {
    /// How far a customer has come.
    CustomerStage {
        /// Known by name; nobody has checked whether they could buy.
        Lead = "LEAD",
        /// Could buy: the data are usable and the need is plausible.
        Qualified = "QUALIFIED",
        /// Wants to buy; there is evidence for it.
        Prospect = "PROSPECT",
        /// Has bought.
        Signed = "SIGNED",
        /// Will not buy, or not any more.
        Lost = "LOST",
        /// Silent; may come back.
        Dormant = "DORMANT",
    }
}

wire_enum! {
    /// How much a customer is worth looking after, best first.
    CustomerGrade {
        /// Best.
        A = "A",
        /// Good.
        B = "B",
        /// Fair.
        C = "C",
        /// Poor.
        D = "D",
    }
}

impl CustomerStage {
    /// The stages that may follow this one: the whole transition table.
    pub fn next(self) -> &'static [CustomerStage] {
        use CustomerStage::*;
        match self {
            Lead => &[Qualified, Lost, Dormant],
            Qualified => &[Prospect, Lost, Dormant],
            Prospect => &[Signed, Lost, Dormant],
            Signed => &[Lost, Dormant],
            Lost | Dormant => &[Lead],
        }
    }

    /// The event that tells of reaching this stage. A lead that is reached by a step was given up before.
    fn event(self) -> EventKind {
        match self {
            Self::Lead => EventKind::CustomerRevived,
            Self::Qualified => EventKind::CustomerQualified,
            Self::Prospect => EventKind::CustomerBecameProspect,
            Self::Signed => EventKind::CustomerSigned,
            Self::Lost => EventKind::CustomerLost,
            Self::Dormant => EventKind::CustomerBecameDormant,
        }
    }

    fn check_next(self, to: Self) -> Result<(), Problem> {
        if self.next().contains(&to) {
            return Ok(());
        }
        let allowed = self.next().iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(" or ");
        Err(Problem::new(
            Code::InvalidTransition,
            format!("From {} the next stage is {allowed}, not {}.", self.as_str(), to.as_str()),
        ))
    }
}

/// A company or a person that is or may become a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Counts changes.
    pub version: Version,
    /// Number that people say on the phone; unique in the organisation, ignoring case.
    pub number: String,
    /// Name.
    pub name: String,
    /// Company or person.
    pub kind: CustomerKind,
    /// How far it has come.
    pub stage: CustomerStage,
    /// What it is worth, where graded.
    pub grade: Option<CustomerGrade>,
    /// Line of business.
    pub sector: Option<String>,
    /// Where the contact came from, e.g. a fair.
    pub source: Option<String>,
    /// Who looks after it now.
    pub owner_id: Option<UserId>,
    /// Who collected it.
    pub collected_by: Option<UserId>,
    /// When it was collected (business time).
    pub collected_at: Timestamp,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// What shows that a customer reached a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// An activity with this customer.
    Activity(ActivityId),
    /// Title or URL of a document.
    Document(String),
}

/// One dated step in the stage history. Steps are never changed or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct StageChange {
    /// Its id.
    pub id: StageChangeId,
    /// Whose step.
    pub customer_id: CustomerId,
    /// Stage before; `None` for the first step.
    pub from: Option<CustomerStage>,
    /// Stage reached.
    pub to: CustomerStage,
    /// When it happened (business time).
    pub at: Timestamp,
    /// When we were told (system time).
    pub recorded_at: Timestamp,
    /// Who told us; `None` for a job or an import.
    pub by: Option<UserId>,
    /// Why.
    pub reason: Option<String>,
    /// What shows it.
    pub evidence: Option<Evidence>,
}

/// A customer with the step that belongs to its change: both are written, or neither.
#[derive(Clone, Debug)]
#[must_use]
pub struct Advance {
    /// New state and event.
    pub change: Change<Customer>,
    /// New entry of the stage history.
    pub step: StageChange,
}

/// Who owned a customer over `[from, to)`.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerPeriod {
    /// The customer.
    pub customer_id: CustomerId,
    /// The owner; `None` while nobody was.
    pub owner_id: Option<UserId>,
    /// First instant.
    pub from: Timestamp,
    /// First instant that no longer counts; `None` while it lasts.
    pub to: Option<Timestamp>,
}

/// A customer with the owner period that its change begins. The open period before it ends at `period.from`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Reassignment {
    /// New state and event.
    pub change: Change<Customer>,
    /// The period that begins.
    pub period: OwnerPeriod,
}

/// Input of [`Customer::create`].
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// Number; the caller counts or imports it and checks that it is free.
    pub number: String,
    /// Name.
    pub name: String,
    /// Company or person.
    pub kind: CustomerKind,
    /// Grade.
    pub grade: Option<CustomerGrade>,
    /// Line of business.
    pub sector: Option<String>,
    /// Where the contact came from.
    pub source: Option<String>,
    /// Who looks after it.
    pub owner_id: Option<UserId>,
    /// Who collected it.
    pub collected_by: Option<UserId>,
    /// When it was collected; `None` means now.
    pub collected_at: Option<Timestamp>,
}

/// Input of [`Customer::update`]; `None` and [`Patch::Keep`] leave a value as it is.
#[derive(Clone, Debug, Default)]
pub struct CustomerUpdate {
    /// New name.
    pub name: Option<String>,
    /// New kind.
    pub kind: Option<CustomerKind>,
    /// New grade.
    pub grade: Patch<CustomerGrade>,
    /// New line of business.
    pub sector: Patch<String>,
    /// New origin.
    pub source: Patch<String>,
}

/// Evidence as given: the activity itself, so that the step can be checked against it.
#[derive(Clone, Debug)]
pub enum NewEvidence<'a> {
    /// An activity that the caller may read.
    Activity(&'a Activity),
    /// Title or URL of a document.
    Document(String),
}

/// Input of [`Customer::advance`].
#[derive(Clone, Debug)]
pub struct NewStage<'a> {
    /// The stage reached.
    pub stage: CustomerStage,
    /// When it happened; `None` means now.
    pub occurred_at: Option<Timestamp>,
    /// Why; required for LOST.
    pub reason: Option<String>,
    /// What shows it; required for PROSPECT.
    pub evidence: Option<NewEvidence<'a>>,
}

impl Customer {
    /// A new lead, with the first step of its history.
    ///
    /// # Errors
    /// Every field that is wrong; `IN_FUTURE` for `collectedAt`.
    pub fn create(
        input: &NewCustomer,
        id: CustomerId,
        step_id: StageChangeId,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Advance> {
        let mut problems = Problems::default();
        let number = problems.take("number", text::label(&input.number));
        let name = problems.take("name", text::name(&input.name));
        let sector = problems.take("sector", input.sector.as_deref().map(text::label).transpose());
        let source = problems.take("source", input.source.as_deref().map(text::label).transpose());
        let collected_at = problems.take("collectedAt", happened(input.collected_at, now));
        let customer = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                number: number?,
                name: name?,
                kind: input.kind,
                stage: CustomerStage::Lead,
                grade: input.grade,
                sector: sector?,
                source: source?,
                owner_id: input.owner_id,
                collected_by: input.collected_by,
                collected_at: collected_at?,
                created_at: now,
                updated_at: now,
            })
        })?;
        let step = StageChange {
            id: step_id,
            customer_id: id,
            from: None,
            to: customer.stage,
            at: customer.collected_at,
            recorded_at: now,
            by,
            reason: None,
            evidence: None,
        };
        Ok(Advance { change: Change::created(EventKind::CustomerCollected, customer), step })
    }

    /// Changes details; stage and owner have operations of their own.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn update(&self, input: &CustomerUpdate, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", input.name.as_deref().map(text::name).transpose());
        let sector = problems.take("sector", input.sector.check(|sector| text::label(sector)));
        let source = problems.take("source", input.source.check(|source| text::label(source)));
        let before = self.clone();
        let after = problems.finish_with(|| {
            Some(Self {
                name: name?.unwrap_or(before.name),
                kind: input.kind.unwrap_or(before.kind),
                grade: input.grade.clone().apply(before.grade),
                sector: sector?.apply(before.sector),
                source: source?.apply(before.source),
                updated_at: now,
                ..before
            })
        })?;
        Ok(Change::updated(EventKind::CustomerUpdated, self, after))
    }

    /// Moves the customer to another stage. `since` is the business time of the latest step so far.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`, `EVIDENCE_REQUIRED` (PROSPECT without evidence, or an activity of somebody else),
    /// `REQUIRED` (LOST without a reason), `IN_FUTURE`, `TOO_EARLY` (before `since`), or a wrong text.
    pub fn advance(
        &self,
        input: &NewStage<'_>,
        since: Timestamp,
        step_id: StageChangeId,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Advance> {
        let mut problems = Problems::default();
        problems.take("stage", self.stage.check_next(input.stage));
        let at = problems
            .take("occurredAt", happened(input.occurred_at, now).and_then(|at| not_before(at, since)));
        let reason = problems.take("reason", reason(input));
        let evidence = problems.take("evidence", self.evidence(input));
        let step = problems.finish_with(|| {
            Some(StageChange {
                id: step_id,
                customer_id: self.id,
                from: Some(self.stage),
                to: input.stage,
                at: at?,
                recorded_at: now,
                by,
                reason: reason?,
                evidence: evidence?,
            })
        })?;
        let after = Self { stage: input.stage, updated_at: now, ..self.clone() };
        Ok(Advance { change: Change::updated(input.stage.event(), self, after), step })
    }

    /// Gives the customer to another owner, or to nobody, from now on.
    ///
    /// # Errors
    /// `USER_DEACTIVATED`, or `INVALID_TRANSITION` when nothing would change.
    pub fn assign(&self, owner: Option<&User>, now: Timestamp) -> Result<Reassignment> {
        owner.map(Self::check_owner).transpose()?;
        let owner_id = owner.map(|user| user.id);
        if owner_id == self.owner_id {
            let problem = Problem::new(Code::InvalidTransition, "The customer has this owner already.");
            return Err(problem.at("ownerId").into());
        }
        let after = Self { owner_id, updated_at: now, ..self.clone() };
        let change = Change::updated(EventKind::CustomerReassigned, self, after);
        Ok(Reassignment {
            change,
            period: OwnerPeriod { customer_id: self.id, owner_id, from: now, to: None },
        })
    }

    /// Whether a customer can be given to this person.
    ///
    /// # Errors
    /// `USER_DEACTIVATED`.
    pub fn check_owner(owner: &User) -> Result<()> {
        if owner.status == UserStatus::Deactivated {
            let problem =
                Problem::new(Code::UserDeactivated, "This person is deactivated; choose somebody else.");
            return Err(problem.at("ownerId").into());
        }
        Ok(())
    }

    /// The owner period that a new customer begins: its owner counts from the day it was collected.
    pub fn first_period(&self) -> OwnerPeriod {
        OwnerPeriod { customer_id: self.id, owner_id: self.owner_id, from: self.collected_at, to: None }
    }

    fn evidence(&self, input: &NewStage<'_>) -> Result<Option<Evidence>, Problem> {
        match &input.evidence {
            Some(NewEvidence::Activity(activity)) if activity.customer_id == Some(self.id) => {
                Ok(Some(Evidence::Activity(activity.id)))
            }
            Some(NewEvidence::Activity(_)) => Err(Problem::new(
                Code::EvidenceRequired,
                "This activity is not with this customer; name one that is, or a document.",
            )
            .at("activityId")),
            Some(NewEvidence::Document(document)) => text::reference(document)
                .map(|document| Some(Evidence::Document(document)))
                .map_err(|problem| problem.at("document")),
            None if input.stage == CustomerStage::Prospect => Err(Problem::new(
                Code::EvidenceRequired,
                "Show that the customer wants to buy: name an activity with them, or a document.",
            )),
            None => Ok(None),
        }
    }
}

fn reason(input: &NewStage<'_>) -> Result<Option<String>, Problem> {
    let reason = input.reason.as_deref().map(text::note).transpose()?;
    if reason.is_none() && input.stage == CustomerStage::Lost {
        return Err(Problem::new(Code::Required, "Say why the customer was lost."));
    }
    Ok(reason)
}

fn happened(at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Problem> {
    let at = at.unwrap_or(now);
    if at > now {
        return Err(Problem::new(Code::InFuture, "The moment lies in the future; give one that has passed."));
    }
    Ok(at)
}

fn not_before(at: Timestamp, since: Timestamp) -> Result<Timestamp, Problem> {
    if at < since {
        let message = format!("The present stage was reached at {since}; the next step cannot be earlier.");
        return Err(Problem::new(Code::TooEarly, message));
    }
    Ok(at)
}

impl Aggregate for Customer {
    const SUBJECT: SubjectType = SubjectType::Customer;
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
            "number": self.number, "name": self.name, "kind": self.kind.as_str(), "stage": self.stage.as_str(),
            "grade": self.grade.map(CustomerGrade::as_str), "sector": self.sector, "source": self.source,
            "ownerId": self.owner_id, "collectedById": self.collected_by, "collectedAt": self.collected_at,
        })
    }
}

/// One comparison in a filter of customers.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum CustomerTerm {
    /// The id.
    Id(OneOf<CustomerId>),
    /// The name.
    Name(Text),
    /// The number.
    Number(Text),
    /// The stage.
    Stage(OneOf<CustomerStage>),
    /// Company or person.
    Kind(OneOf<CustomerKind>),
    /// The grade.
    Grade(OneOf<CustomerGrade>),
    /// The line of business.
    Sector(Text),
    /// The origin.
    Source(Text),
    /// The present owner.
    Owner(OneOf<UserId>),
    /// When it was collected.
    CollectedAt(Range<Timestamp>),
    /// When it was recorded.
    CreatedAt(Range<Timestamp>),
    /// Last change.
    UpdatedAt(Range<Timestamp>),
}

wire_enum! {
    /// What customers can be sorted by.
    CustomerSort as "CustomerOrderField" {
        /// When it was recorded.
        CreatedAt = "CREATED_AT",
        /// Last change.
        UpdatedAt = "UPDATED_AT",
        /// When it was collected.
        CollectedAt = "COLLECTED_AT",
        /// Name, ignoring case.
        Name = "NAME",
        /// Number, ignoring case.
        Number = "NUMBER",
    }
}

#[cfg(test)]
#[path = "customers_tests.rs"]
mod tests;
