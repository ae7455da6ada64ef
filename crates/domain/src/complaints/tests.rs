//! The rules of complaints: every step from every state, the laws of clocks, and what becomes of nobody's complaint.

use chrono::Duration;

use super::*;
use crate::access::Role;
use crate::calendars::WorkHours;
use crate::error::{Error, Problem};
use crate::id::SlaPolicyId;
use crate::users::{NewUser, User, UserStatus};

mod clocks;
mod duplicates;
mod escalation;
mod groups;
mod history;
mod policies;
mod surveys;
mod walks;
mod workflow;

/// A Monday.
const MONDAY: &str = "2026-11-23T09:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn hour(hours: i64) -> Duration {
    Duration::hours(hours)
}

fn id<T: EntityId>(number: u128) -> T {
    T::from_uuid(Uuid::from_u128(number))
}

/// An administrator, who may take charge of everything.
fn admin(number: u128) -> Standing {
    Standing { user_id: id(number), role: Role::Admin, leads_owner: false }
}

fn user(number: u128) -> User {
    let new = NewUser { name: "Rosa".into(), email: None, role: Role::ServiceAgent, hired_on: None };
    User::create(&new, id(number), at(MONDAY)).expect("a user").into_state()
}

/// Monday to Friday, 09:00 to 17:00 UTC.
fn office() -> WorkHours {
    WorkHours::standard(chrono_tz::UTC)
}

fn service(hours: &WorkHours) -> Service<'_> {
    Service::new(None, None, hours)
}

fn handling<'a>(hours: &'a WorkHours, now: &str) -> Handling<'a> {
    Handling { by: Some(id(1)), service: service(hours), now: at(now) }
}

fn new_complaint() -> NewComplaint {
    NewComplaint {
        number: "C-1".into(),
        customer_id: id(7),
        contact_id: None,
        reporter: None,
        subject: "The printer smokes".into(),
        description: "It smokes\nand smells.".into(),
        channel: Channel::Phone,
        remedy: Some(Remedy::Sought("A new one".into())),
        product_id: None,
        owner_id: id(1),
        account_manager_id: Some(id(2)),
        confidentiality: Confidentiality::Normal,
        is_safety_risk: false,
        attachments: Vec::new(),
        occurred_at: None,
    }
}

fn recorded(hours: &WorkHours, now: &str) -> Complaint {
    Complaint::record(&new_complaint(), id(3), &handling(hours, now)).expect("a complaint").into_state()
}

const ASSESSMENT: Assessment = Assessment {
    severity: Severity::High,
    impact: Severity::Low,
    urgency: Severity::Medium,
    is_safety_risk: false,
};

fn note(audience: NoteAudience) -> NewNote {
    NewNote { text: "The part is on its way.".into(), audience, attachments: Vec::new() }
}

fn awaiting(side: Awaited, until: Timestamp) -> NewAwait {
    NewAwait { side, whom: "Ada".into(), until }
}

fn response() -> NewResponse {
    NewResponse { text: "We send you a new one.".into(), answer_by: None }
}

fn closing(complaint: &Complaint) -> CloseComplaint {
    let accepted = complaint.state == ComplaintState::Accepted;
    CloseComplaint {
        root_cause: "FUSE".into(),
        recourse: (!accepted).then(|| "The arbitration board".into()),
    }
}

/// A complaint that was recorded on Monday at nine, brought to a state by the shortest way, an hour for each step.
fn at_state(state: ComplaintState) -> Complaint {
    use ComplaintState::*;
    let hours = office();
    let step = |before: ComplaintState| {
        let complaint = at_state(before);
        let now = complaint.updated_at.plus(hour(1));
        (complaint, Handling { by: Some(id(1)), service: service(&hours), now })
    };
    let change = match state {
        Recorded => return recorded(&hours, MONDAY),
        Acknowledged => {
            let (complaint, handling) = step(Recorded);
            complaint.acknowledge(&handling)
        }
        Assessed => {
            let (complaint, handling) = step(Acknowledged);
            complaint.assess(&ASSESSMENT, &handling)
        }
        Investigating => {
            let (complaint, handling) = step(Assessed);
            complaint.assign(&user(1), &handling)
        }
        WaitingCustomer | WaitingInternal => {
            let (complaint, handling) = step(Investigating);
            let side = if state == WaitingCustomer { Awaited::Customer } else { Awaited::Internal };
            complaint.wait(&awaiting(side, handling.now.plus(hour(48))), &handling)
        }
        ResponseOffered => {
            let (complaint, handling) = step(Investigating);
            complaint.offer_response(&response(), &handling)
        }
        Accepted => {
            let (complaint, handling) = step(ResponseOffered);
            complaint.accept_response(&handling)
        }
        Closed => {
            let (complaint, handling) = step(Accepted);
            complaint.close(&closing(&complaint), id(5), &handling).map(|closed| closed.change)
        }
        OutOfScope => {
            let (complaint, handling) = step(Assessed);
            complaint.declare_out_of_scope("Ask your landlord.", &handling)
        }
        Merged => {
            let (complaint, handling) = step(Recorded);
            let survivor = Complaint { id: id(4), ..complaint.clone() };
            complaint.merge_into(&survivor, &handling).map(|merged| merged.duplicate)
        }
    };
    let complaint = change.expect("a step").into_state();
    assert_eq!(complaint.state, state);
    complaint
}

fn clock(complaint: &Complaint, kind: ClockKind) -> &SlaClock {
    complaint.clocks.iter().rev().find(|clock| clock.kind == kind).expect("a clock")
}

/// `field.path CODE` of every problem.
fn problems<T>(result: Result<T>) -> Vec<String> {
    let text = |problem: &Problem| {
        format!("{} {}", problem.field.join("."), problem.code.as_str()).trim().to_owned()
    };
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => problems.iter().map(text).collect(),
        Err(other) => vec![other.to_string()],
    }
}
