//! What happens to one customer of the demo, before anybody has written it down.

use chrono::NaiveDate;
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::complaints::{Channel, Severity};
use evenhand_domain::customers::{CustomerGrade, CustomerKind, CustomerStage};
use evenhand_domain::deals::{CreditKind, DealStage};
use evenhand_domain::money::Money;
use evenhand_domain::time::Timestamp;

/// A customer from the day it was collected.
#[derive(Debug, PartialEq)]
pub(super) struct Story {
    pub(super) lead: Lead,
    pub(super) touches: Vec<Touch>,
    pub(super) steps: Vec<Step>,
    pub(super) deals: Vec<DealStory>,
    pub(super) complaints: Vec<ComplaintStory>,
}

/// A customer as collected.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lead {
    /// Who collected it, by place in the plan's list of people.
    pub(super) person: usize,
    pub(super) name: String,
    pub(super) city: &'static str,
    pub(super) kind: CustomerKind,
    pub(super) grade: Option<CustomerGrade>,
    pub(super) sector: &'static str,
    pub(super) source: &'static str,
    pub(super) at: Timestamp,
}

/// A call, visit or message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Touch {
    pub(super) kind: ActivityKind,
    pub(super) at: Timestamp,
    pub(super) seconds: Option<u32>,
    pub(super) connected: Option<bool>,
    pub(super) outcome: Option<&'static str>,
    pub(super) note: Option<&'static str>,
    /// Place in the deals of the story.
    pub(super) deal: Option<usize>,
}

/// Another stage of the customer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) stage: CustomerStage,
    pub(super) at: Timestamp,
    pub(super) reason: Option<&'static str>,
    pub(super) evidence: Option<Evidence>,
}

/// What shows that a stage was reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Evidence {
    /// Place in the touches of the story.
    Touch(usize),
    /// Title of a document.
    Document(&'static str),
}

/// A deal from its opening.
#[derive(Debug, PartialEq)]
pub(super) struct DealStory {
    /// Place among all deals of the history, in order of their opening.
    pub(super) number: usize,
    pub(super) opening: Opening,
    pub(super) steps: Vec<DealStep>,
}

/// A deal as opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    /// Who sells, by place in the plan's list of people.
    pub(super) person: usize,
    /// What is sold, by place in the list of goods.
    pub(super) good: usize,
    pub(super) pieces: u32,
    pub(super) value: Money,
    pub(super) at: Timestamp,
    pub(super) expected_on: NaiveDate,
}

/// What happens to a deal after its opening.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DealStep {
    pub(super) at: Timestamp,
    pub(super) kind: DealStepKind,
}

/// See [`DealStep`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DealStepKind {
    /// Another open stage.
    Move(DealStage),
    /// Won for this much; no credits means all for the owner.
    Win { value: Money, credits: Vec<Credit> },
    /// Lost, and why.
    Lose(&'static str),
    /// Taken back, and why.
    Cancel(&'static str),
}

/// A share in a won deal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Credit {
    /// Who, by place in the plan's list of people; `None` for nobody.
    pub(super) person: Option<usize>,
    pub(super) kind: CreditKind,
    pub(super) share_bp: i32,
}

/// A complaint from its record.
#[derive(Debug, PartialEq)]
pub(super) struct ComplaintStory {
    /// Place among all complaints of the history, in order of their record.
    pub(super) number: usize,
    pub(super) at: Timestamp,
    pub(super) matter: &'static Matter,
    /// What it is about, by place in the list of goods.
    pub(super) good: usize,
    pub(super) channel: Channel,
    pub(super) severity: Severity,
    pub(super) is_confidential: bool,
    /// Who handles it, by place in the plan's list of people.
    pub(super) agent: usize,
    pub(super) acts: Vec<(Timestamp, Act)>,
    /// What the customer says when asked how it was handled, and how many hours later; `None` for nothing.
    pub(super) reply: Option<(u32, i32)>,
}

/// What customers complain about.
#[derive(Debug, PartialEq)]
pub(super) struct Matter {
    pub(super) subject: &'static str,
    pub(super) description: &'static str,
    /// What they want; `None` where they named nothing.
    pub(super) remedy: Option<&'static str>,
    pub(super) response: &'static str,
    /// Code of what caused it.
    pub(super) root_cause: &'static str,
}

/// What is done with a complaint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Acknowledge,
    Assess,
    Begin,
    /// The customer is told how it goes.
    Tell(&'static str),
    /// The customer is awaited until then.
    AwaitCustomer(Timestamp),
    /// Somebody of ours is.
    AwaitUs(Timestamp),
    Resume,
    Offer,
    Dispute,
    Accept,
    Close,
    /// It happened again.
    Reopen,
    DeclareOutOfScope,
    /// The customer writes again; what comes is merged into this one. Takes the next number.
    Repeat,
}
