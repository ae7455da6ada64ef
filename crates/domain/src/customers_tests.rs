//! Tests of customers: the transition table, the guards of each step, and random walks.

use proptest::prelude::*;

use super::*;
use crate::access::Role;
use crate::activities::{ActivityKind, NewActivity};
use crate::error::Error;

const NOW: &str = "2026-11-23T10:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn id<T: EntityId>(number: u128) -> T {
    T::from_uuid(Uuid::from_u128(number))
}

fn new_customer() -> NewCustomer {
    NewCustomer {
        number: "C-000001".into(),
        name: " Acme Corporation ".into(),
        kind: CustomerKind::Company,
        grade: Some(CustomerGrade::B),
        sector: Some("technology".into()),
        source: None,
        owner_id: Some(id(7)),
        collected_by: Some(id(7)),
        collected_at: Some(at("2026-01-05T09:00:00Z")),
    }
}

fn collected() -> Advance {
    Customer::create(&new_customer(), id(1), id(100), Some(id(8)), at(NOW)).expect("a customer")
}

fn customer_in(stage: CustomerStage) -> Customer {
    Customer { stage, ..collected().change.into_state() }
}

/// A step that breaks no guard but perhaps the table.
fn step_to(stage: CustomerStage) -> NewStage<'static> {
    NewStage {
        stage,
        occurred_at: None,
        reason: Some("budget cut".into()),
        evidence: Some(NewEvidence::Document("letter of intent".into())),
    }
}

fn call_with(customer: CustomerId) -> Activity {
    let input = NewActivity {
        kind: ActivityKind::Call,
        customer_id: Some(customer),
        deal_id: None,
        user_id: id(7),
        started_at: at(NOW),
        seconds: None,
        connected: Some(true),
        outcome: None,
        note: None,
    };
    Activity::log(&input, id(50), None, at(NOW)).expect("an activity").into_state()
}

fn problems<T: std::fmt::Debug>(result: Result<T>) -> Vec<(String, Code)> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => {
            problems.into_iter().map(|problem| (problem.field.join("."), problem.code)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn one(field: &str, code: Code) -> Vec<(String, Code)> {
    vec![(field.to_owned(), code)]
}

#[test]
fn a_new_customer_is_a_lead_with_a_first_step_and_a_first_owner() {
    let Advance { change, step } = collected();
    let customer = change.state();
    assert_eq!((customer.version, customer.stage), (1, CustomerStage::Lead));
    assert_eq!(change.event().kind, EventKind::CustomerCollected);
    assert_eq!((step.from, step.to, step.by), (None, CustomerStage::Lead, Some(id(8))));
    assert_eq!((step.at, step.recorded_at), (at("2026-01-05T09:00:00Z"), at(NOW)));
    let period = OwnerPeriod { customer_id: id(1), owner_id: Some(id(7)), from: step.at, to: None };
    assert_eq!(customer.first_period(), period);
    assert_eq!(
        customer.view(),
        json!({
            "number": "C-000001", "name": "Acme Corporation", "kind": "COMPANY", "stage": "LEAD", "grade": "B",
            "sector": "technology", "source": null, "ownerId": Uuid::from_u128(7),
            "collectedById": Uuid::from_u128(7), "collectedAt": "2026-01-05T09:00:00Z",
        })
    );
}

#[test]
fn all_wrong_fields_are_named_at_once() {
    let input = NewCustomer {
        number: "".into(),
        name: "a\0".into(),
        sector: Some("x".repeat(101)),
        source: Some(" ".into()),
        collected_at: Some(at("2026-11-23T10:00:00.000001Z")),
        ..new_customer()
    };
    let found = problems(Customer::create(&input, id(1), id(100), None, at(NOW)));
    let wanted = [
        ("number", Code::Required),
        ("name", Code::InvalidCharacter),
        ("sector", Code::TooLong),
        ("source", Code::Required),
        ("collectedAt", Code::InFuture),
    ];
    assert_eq!(found, wanted.map(|(field, code)| (field.to_owned(), code)));
}

#[test]
fn only_the_steps_of_the_table_are_possible() {
    use CustomerStage::*;
    let allowed = [
        (Lead, Qualified, EventKind::CustomerQualified),
        (Lead, Lost, EventKind::CustomerLost),
        (Lead, Dormant, EventKind::CustomerBecameDormant),
        (Qualified, Prospect, EventKind::CustomerBecameProspect),
        (Qualified, Lost, EventKind::CustomerLost),
        (Qualified, Dormant, EventKind::CustomerBecameDormant),
        (Prospect, Signed, EventKind::CustomerSigned),
        (Prospect, Lost, EventKind::CustomerLost),
        (Prospect, Dormant, EventKind::CustomerBecameDormant),
        (Signed, Lost, EventKind::CustomerLost),
        (Signed, Dormant, EventKind::CustomerBecameDormant),
        (Lost, Lead, EventKind::CustomerRevived),
        (Dormant, Lead, EventKind::CustomerRevived),
    ];
    for &from in CustomerStage::ALL {
        assert_eq!(CustomerStage::parse(from.as_str()), Some(from));
        for &to in CustomerStage::ALL {
            let customer = customer_in(from);
            let result = customer.advance(&step_to(to), customer.collected_at, id(101), None, at(NOW));
            match allowed.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
                Some((.., event)) => {
                    let Advance { change, step } = result.expect("an allowed step");
                    assert_eq!((change.event().kind, change.state().stage), (*event, to));
                    assert_eq!((step.from, step.to, change.state().version), (Some(from), to, 2));
                }
                None => {
                    assert_eq!(problems(result), one("stage", Code::InvalidTransition), "{from:?} -> {to:?}")
                }
            }
        }
    }
    let refused = customer_in(Lead).advance(&step_to(Prospect), at(NOW), id(101), None, at(NOW));
    let message = refused.expect_err("a skipped stage").to_string();
    assert_eq!(message, "rejected: From LEAD the next stage is QUALIFIED or LOST or DORMANT, not PROSPECT.");
}

#[test]
fn a_step_needs_its_evidence_reason_and_time() {
    use CustomerStage::*;
    let (own, foreign) = (call_with(id(1)), call_with(id(2)));
    let prospect = |evidence| NewStage { evidence, reason: None, ..step_to(Prospect) };
    let lost =
        |reason: Option<&str>| NewStage { reason: reason.map(Into::into), evidence: None, ..step_to(Lost) };
    let when = |text| NewStage { occurred_at: Some(at(text)), ..step_to(Dormant) };
    let document = |text: String| Some(NewEvidence::Document(text));
    for (step, wanted) in [
        (prospect(None), one("evidence", Code::EvidenceRequired)),
        (prospect(Some(NewEvidence::Activity(&foreign))), one("evidence.activityId", Code::EvidenceRequired)),
        (prospect(document(" ".into())), one("evidence.document", Code::Required)),
        (prospect(document("x".repeat(2_001))), one("evidence.document", Code::TooLong)),
        (prospect(document("https://example.com/offer.pdf".into())), vec![]),
        (prospect(Some(NewEvidence::Activity(&own))), vec![]),
        (lost(None), one("reason", Code::Required)),
        (lost(Some("")), one("reason", Code::Required)),
        (lost(Some("chose a rival")), vec![]),
        (when("2026-03-01T00:00:00Z"), vec![]),
        (when("2026-02-28T23:59:59.999999Z"), one("occurredAt", Code::TooEarly)),
        (when("2026-11-23T10:00:00.000001Z"), one("occurredAt", Code::InFuture)),
    ] {
        let result =
            customer_in(Qualified).advance(&step, at("2026-03-01T00:00:00Z"), id(101), Some(id(9)), at(NOW));
        assert_eq!(problems(result), wanted, "{step:?}");
    }
    let input = prospect(Some(NewEvidence::Activity(&own)));
    let step =
        customer_in(Qualified).advance(&input, at(NOW), id(101), Some(id(9)), at(NOW)).expect("a step").step;
    assert_eq!((step.evidence, step.by), (Some(Evidence::Activity(id(50))), Some(id(9))));
}

#[test]
fn an_update_changes_what_it_names() {
    let customer = collected().change.into_state();
    let update = CustomerUpdate {
        name: Some("Acme".into()),
        grade: Patch::Set(CustomerGrade::A),
        sector: Patch::Clear,
        ..CustomerUpdate::default()
    };
    let later = at("2026-11-24T00:00:00Z");
    let change = customer.update(&update, later).expect("a change");
    let wanted = Customer {
        version: 2,
        name: "Acme".into(),
        grade: Some(CustomerGrade::A),
        sector: None,
        updated_at: later,
        ..customer.clone()
    };
    assert_eq!((change.state(), change.event().kind), (&wanted, EventKind::CustomerUpdated));
    let wrong = CustomerUpdate { source: Patch::Set("a\nb".into()), ..CustomerUpdate::default() };
    assert_eq!(problems(customer.update(&wrong, later)), one("source", Code::InvalidCharacter));
}

#[test]
fn a_customer_is_given_to_somebody_else_who_is_here_or_to_nobody() {
    let user = |number, status| User {
        id: id(number),
        version: 1,
        name: "Ada".into(),
        email: None,
        role: Role::Rep,
        status,
        deactivated_at: None,
        hired_on: None,
        calendar_id: None,
        created_at: at(NOW),
        updated_at: at(NOW),
        memberships: Vec::new(),
    };
    let customer = collected().change.into_state();
    let next = customer.assign(Some(&user(9, UserStatus::Active)), at(NOW)).expect("a new owner");
    assert_eq!(next.change.event().kind, EventKind::CustomerReassigned);
    assert_eq!(next.change.state().owner_id, Some(id(9)));
    assert_eq!(
        next.period,
        OwnerPeriod { customer_id: id(1), owner_id: Some(id(9)), from: at(NOW), to: None }
    );
    assert_eq!(customer.assign(None, at(NOW)).expect("no owner").period.owner_id, None);

    let same = customer.assign(Some(&user(7, UserStatus::Active)), at(NOW));
    assert_eq!(problems(same), one("ownerId", Code::InvalidTransition));
    let gone = customer.assign(Some(&user(9, UserStatus::Deactivated)), at(NOW));
    assert_eq!(problems(gone), one("ownerId", Code::UserDeactivated));
}

proptest! {
    /// Whatever is tried, the steps that were accepted form one unbroken chain forward in time,
    /// and the last one leads to the stage that the customer has.
    #[test]
    fn the_history_is_one_chain(tries in prop::collection::vec((0..6_usize, -50..60_i64), 0..40)) {
        let Advance { change, step } = collected();
        let (mut customer, mut history) = (change.into_state(), vec![step]);
        for (index, minutes) in tries {
            let last = history.last().expect("the first step").clone();
            let occurred_at = Some(last.at.plus(chrono::Duration::minutes(minutes)));
            let input = NewStage { occurred_at, ..step_to(CustomerStage::ALL[index]) };
            if let Ok(advance) = customer.advance(&input, last.at, id(101), None, at(NOW)) {
                customer = advance.change.into_state();
                history.push(advance.step);
            }
        }
        for pair in history.windows(2) {
            prop_assert_eq!(pair[1].from, Some(pair[0].to));
            prop_assert!(pair[0].at <= pair[1].at && pair[1].at <= at(NOW));
        }
        prop_assert_eq!(history.last().map(|step| step.to), Some(customer.stage));
        prop_assert_eq!(usize::try_from(customer.version), Ok(history.len()));
    }
}
