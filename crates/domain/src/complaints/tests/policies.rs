//! Which policy is followed, and what a policy may say.

use super::*;
use crate::customers::CustomerGrade;

fn new_policy(criteria: Criteria) -> NewSlaPolicy {
    NewSlaPolicy {
        name: "Fast".into(),
        criteria,
        calendar_id: None,
        minutes: ClockMinutes::STANDARD,
        ladder: None,
    }
}

fn policy(number: u128, criteria: Criteria) -> SlaPolicy {
    SlaPolicy::create(&new_policy(criteria), id(number), at(MONDAY)).expect("a policy").into_state()
}

#[test]
fn the_most_specific_policy_that_fits_wins_whatever_the_order() {
    let any = Criteria::default();
    let severity = Some(Severity::High);
    let product_id = Some(id(40));
    let customer_grade = Some(CustomerGrade::A);
    let channel = Some(Channel::Phone);
    let policies = [
        policy(1, any),
        policy(2, any),
        policy(3, Criteria { channel, ..any }),
        policy(4, Criteria { customer_grade, ..any }),
        policy(5, Criteria { product_id, ..any }),
        policy(6, Criteria { severity, ..any }),
        policy(7, Criteria { customer_grade, channel, ..any }),
        policy(8, Criteria { severity, product_id, customer_grade, channel }),
        SlaPolicy { is_active: false, ..policy(9, Criteria { severity, product_id, ..any }) },
    ];
    let case = Case { severity: None, product_id: None, customer_grade: None, channel: Channel::Web };
    for (case, wanted) in [
        (case, 1),
        (Case { channel: Channel::Phone, ..case }, 3),
        (Case { channel: Channel::Phone, severity, ..case }, 6),
        (Case { severity, product_id, customer_grade, ..case }, 6),
        (Case { product_id, customer_grade, ..case }, 5),
        (Case { severity, customer_grade, channel: Channel::Phone, ..case }, 7),
        (Case { severity, product_id, customer_grade, channel: Channel::Phone }, 8),
        // Before it was judged, a severity fits no policy that names one.
        (Case { product_id, ..case }, 5),
    ] {
        for turn in 0..policies.len() {
            let mut turned = policies.clone();
            turned.rotate_left(turn);
            let chosen = choose(&turned, &case).map(|policy| policy.id);
            assert_eq!(chosen, Some(id::<SlaPolicyId>(wanted)), "{case:?}");
        }
    }
    assert_eq!(choose(&policies[2..], &case), None);
    let hours = office();
    let none = service(&hours);
    assert_eq!((none.minutes, none.stamp.policy_version), (ClockMinutes::STANDARD, 0));
}

#[test]
fn a_policy_names_everything_that_is_wrong_with_it() {
    let rung = |percent, accept_minutes| Rung { percent, role: EscalationRole::Owner, accept_minutes };
    let wrong = NewSlaPolicy {
        name: "".into(),
        minutes: ClockMinutes { ack: 0, resolution: TARGET_MINUTES_MAX + 1, ..ClockMinutes::STANDARD },
        ladder: Some(vec![rung(0, 1), rung(50, 0), rung(50, 1), rung(PERCENT_MAX + 1, ACCEPT_MINUTES_MAX)]),
        ..new_policy(Criteria::default())
    };
    assert_eq!(
        problems(SlaPolicy::create(&wrong, id(1), at(MONDAY))),
        [
            "name REQUIRED",
            "ackMinutes OUT_OF_RANGE",
            "resolutionMinutes OUT_OF_RANGE",
            "ladder.0.percent OUT_OF_RANGE",
            "ladder.1.acceptMinutes OUT_OF_RANGE",
            "ladder.2.percent OUT_OF_RANGE",
            "ladder.3.percent OUT_OF_RANGE",
        ]
    );
    let fine = policy(1, Criteria::default());
    assert_eq!(fine.ladder, STANDARD_LADDER);
    for (ladder, wanted) in
        [(vec![], "ladder REQUIRED"), ((1..=11).map(|percent| rung(percent, 1)).collect(), "ladder TOO_MANY")]
    {
        let update = SlaPolicyUpdate { ladder: Some(ladder), ..SlaPolicyUpdate::default() };
        assert_eq!(problems(fine.update(&update, at(MONDAY))), [wanted]);
    }
    let update = SlaPolicyUpdate { is_active: Some(false), ..SlaPolicyUpdate::default() };
    let retired = fine.update(&update, at(MONDAY)).expect("a change");
    assert_eq!((retired.state().version, retired.state().is_active), (2, false));
    assert_eq!(retired.event().after["ladder"][1]["role"], "OWNER_LEAD");
}
