//! Countering, signing and taking back.

use super::*;

#[test]
fn the_two_sides_answer_each_other_and_both_numbers_are_kept() {
    let first = proposed(new_terms());
    let first = sign(&first, &manager("2026-10-20")).expect("the manager signs").into_state();
    let change = first.counter(&fewer(), new_ids(), &owner("2026-10-21")).expect("an answer");
    assert_eq!(change.event().kind, EventKind::TargetCountered);
    let countered = change.into_state();
    assert_eq!((countered.state, countered.terms.number), (TargetState::Countered, 2));
    assert!(countered.terms.signatures.is_empty(), "signatures begin anew");
    let deals = |terms: &Terms| terms.find_line(Metric::DealsWon).map(|line| line.quantity);
    assert_eq!(deals(&countered.terms), Some(Quantity::Count(3)));
    assert_eq!(countered.history.iter().map(deals).collect::<Vec<_>>(), [Some(Quantity::Count(4))]);
    assert_eq!(countered.history[0].signatures.len(), 1, "what was signed before stays on record");

    let back =
        countered.counter(&new_terms(), new_ids(), &manager("2026-10-22")).expect("an answer").into_state();
    assert_eq!((back.state, back.terms.number, back.history.len()), (TargetState::Proposed, 3, 2));
    assert_eq!(signed(&back, "2026-10-23").state, TargetState::Agreed);
    assert_eq!(
        signed(&countered, "2026-10-23").state,
        TargetState::Agreed,
        "an answer can be accepted as it is"
    );
    assert_eq!(back.find_terms(2).and_then(deals), Some(Quantity::Count(3)));
}

#[test]
fn only_the_other_side_answers() {
    let (first, second) = (
        proposed(new_terms()),
        proposed(new_terms())
            .counter(&fewer(), new_ids(), &owner("2026-10-21"))
            .expect("an answer")
            .into_state(),
    );
    for (name, target, acting, expected) in [
        ("the owner", &first, owner("2026-10-21"), &[][..]),
        ("the manager's own side", &first, manager("2026-10-21"), &["INVALID_TRANSITION"]),
        ("the owner's own side", &second, owner("2026-10-21"), &["INVALID_TRANSITION"]),
        ("the manager", &second, manager("2026-10-21"), &[]),
        ("an administrator", &first, outsider("2026-10-21"), &["NOT_PERMITTED"]),
        ("an approver", &first, acting(CAT, Some(Side::Approver), "2026-10-21"), &["NOT_PERMITTED"]),
        ("too late", &first, owner("2026-12-01"), &["PERIOD_OVER"]),
    ] {
        assert_eq!(problems(target.counter(&fewer(), new_ids(), &acting)), expected, "{name}");
    }
    let easy = NewTerms { probability_ppm: Some(950_000), ..fewer() };
    assert_eq!(
        problems(first.counter(&easy, new_ids(), &owner("2026-10-21"))),
        ["lines TARGET_NOT_ACHIEVABLE"]
    );
    let late = amended_from("2026-11-02");
    assert_eq!(
        problems(first.counter(&late, new_ids(), &owner("2026-10-21"))),
        ["effectiveFrom NOT_APPLICABLE"]
    );
}

#[test]
fn a_negotiation_ends_some_time() {
    let mut target = proposed(new_terms());
    for number in 2..=TERMS_MAX {
        let acting = if number % 2 == 0 { owner("2026-10-21") } else { manager("2026-10-21") };
        target = target.counter(&new_terms(), new_ids(), &acting).expect("an answer").into_state();
    }
    assert_eq!(problems(target.counter(&new_terms(), new_ids(), &manager("2026-10-21"))), ["TOO_MANY"]);
}

#[test]
fn both_sides_sign_the_same_terms_and_nobody_signs_twice() {
    let target = proposed(new_terms());
    let once = sign(&target, &owner("2026-10-21")).expect("the owner signs");
    assert_eq!((once.event().kind, once.state().state), (EventKind::TargetSigned, TargetState::Proposed));
    let once = once.into_state();
    for (name, acting, expected) in [
        ("the manager", manager("2026-10-21"), &[][..]),
        ("the manager's manager", acting(CAT, Some(Side::Manager), "2026-10-21"), &[]),
        ("the owner again", owner("2026-10-21"), &["ALREADY_SIGNED"]),
        ("the owner as manager", acting(ADA, Some(Side::Manager), "2026-10-21"), &["NOT_PERMITTED"]),
        ("somebody else as owner", acting(DAN, Some(Side::Owner), "2026-10-21"), &["NOT_PERMITTED"]),
        ("an administrator", outsider("2026-10-21"), &["NOT_PERMITTED"]),
        ("an approver of nothing", acting(CAT, Some(Side::Approver), "2026-10-21"), &["NOT_PERMITTED"]),
        ("after the period", manager("2026-12-01"), &["PERIOD_OVER"]),
    ] {
        assert_eq!(problems(sign(&once, &acting)), expected, "{name}");
    }
    let both = sign(&once, &manager("2026-10-21")).expect("the manager signs");
    assert_eq!((both.event().kind, both.state().state), (EventKind::TargetAgreed, TargetState::Agreed));
    let terms = &both.state().terms;
    assert_eq!(terms.agreed_at, Some(manager("2026-10-21").now));
    assert!(terms.signatures.iter().all(|signature| signature.hash == both.state().hash(terms)));
}

#[test]
fn the_lead_signs_for_a_team_but_not_for_both_sides() {
    let led =
        NewTarget { owner: TargetOwner::Team(id(70)), lead_id: Some(id(ADA)), ..new_target(new_terms()) };
    let target = propose(&led, &manager("2026-10-20")).expect("a target");
    let once = sign(&target, &owner("2026-10-21")).expect("the lead signs").into_state();
    let as_manager = acting(ADA, Some(Side::Manager), "2026-10-21");
    assert_eq!(problems(sign(&once, &as_manager)), ["SELF_APPROVAL"]);
    assert_eq!(sign(&once, &manager("2026-10-21")).expect("agreed").state().state, TargetState::Agreed);
}

#[test]
fn other_terms_than_those_on_the_table_cannot_be_signed() {
    let first = proposed(new_terms());
    let seen = first.hash(&first.terms);
    let second = first.counter(&fewer(), new_ids(), &owner("2026-10-21")).expect("an answer").into_state();
    assert_eq!(problems(second.sign(&seen, &manager("2026-10-21"))), ["TERMS_CHANGED"]);
    assert_eq!(problems(second.sign("", &manager("2026-10-21"))), ["TERMS_CHANGED"]);
}

#[test]
fn an_exception_is_agreed_only_with_its_approver() {
    let target = signed(&proposed(overridden(200_000, CAT)), "2026-10-21");
    assert_eq!(target.state, TargetState::Proposed, "owner and manager alone do not agree on an exception");
    let approver = acting(CAT, Some(Side::Approver), "2026-10-22");
    assert_eq!(problems(sign(&target, &acting(DAN, Some(Side::Approver), "2026-10-22"))), ["NOT_PERMITTED"]);
    assert_eq!(sign(&target, &approver).expect("the approver signs").state().state, TargetState::Agreed);

    // The approver may be the manager who signs, as long as somebody else wrote it.
    let by_admin = propose(&new_target(overridden(200_000, CAT)), &outsider_author()).expect("a target");
    let once = sign(&by_admin, &owner("2026-10-21")).expect("the owner signs").into_state();
    let as_manager = acting(CAT, Some(Side::Manager), "2026-10-22");
    assert_eq!(sign(&once, &as_manager).expect("the approver signs").state().state, TargetState::Agreed);

    // An approver who has come to lead the team signs for the team, and approves nothing by it.
    let led = NewTarget { terms: overridden(200_000, CAT), ..new_target_of_team() };
    let target = propose(&led, &manager("2026-10-20")).expect("a target");
    let once = sign(&target, &acting(CAT, Some(Side::Owner), "2026-10-21"))
        .expect("the new lead signs")
        .into_state();
    let twice = sign(&once, &manager("2026-10-21")).expect("the manager signs").into_state();
    assert_eq!(twice.state, TargetState::Proposed);
    assert_eq!(problems(sign(&twice, &approver)), ["SELF_APPROVAL"]);
}

fn outsider_author() -> Acting {
    acting(DAN, None, "2026-10-20")
}

#[test]
fn the_canonical_text_is_a_contract() {
    let mut terms = supported(ResourceNeed::Required);
    terms.support.actions[0].text = "Visit\nline DEALS_WON 1".into();
    terms.lines.push(line(Metric::Revenue, usd(4_000_000)));
    terms.probability_ppm = Some(200_000);
    terms.band_override = overridden(0, CAT).band_override;
    let target = proposed(terms);
    assert_eq!(
        target.canonical(&target.terms),
        r#"evenhand target terms 1
target 00000000-0000-0000-0000-00000000000a
owner user 00000000-0000-0000-0000-000000000001
period MONTH 2026-11-01 2026-12-01
level BASE
number 1
author 00000000-0000-0000-0000-000000000002
effective from 2026-11-01
workdays 20
line LEADS_COLLECTED 134 per workday 7 by 2026-11-30
line LEAD_QUALITY 600000 ppm per workday - by 2026-11-30
line CALLS 240 per workday 12 by 2026-11-30
line PROSPECTS 24 per workday 2 by 2026-11-30
line DEALS_WON 4 per workday 1 by 2026-11-30
line REVENUE 40000.00 USD per workday 2000.00 USD by 2026-11-30
derivation 00000000-0000-0000-0000-000000000032
probability 200000 ppm TOO_HARD
override 00000000-0000-0000-0000-000000000003 "The fair falls into this month."
action by 2026-11-05 "Visit\nline DEALS_WON 1"
resource 00000000-0000-0000-0000-000000000065 REQUIRED ADVERTISING 2000.00 USD by 2026-11-10 from "Marketing"
"#
    );
    // By `sha256sum` over the text above.
    let hash = "511b914482bd14e3395880e524b6b549df05d6805e231d1e9a4aac758495666b";
    assert_eq!(target.hash(&target.terms), hash);
}

type Edit = fn(&mut Target);

#[test]
fn whatever_is_agreed_changes_the_hash() {
    let target = proposed(supported(ResourceNeed::Required));
    let before = target.hash(&target.terms);
    let changes: [(&str, Edit); 14] = [
        ("id", |target| target.id = id(11)),
        ("owner", |target| target.owner = TargetOwner::Team(id(ADA))),
        ("level", |target| target.level = TargetLevel::Sprint),
        ("number", |target| target.terms.number = 2),
        ("author", |target| target.terms.author_id = id(CAT)),
        ("first day", |target| target.terms.effective_from = date("2026-11-02")),
        ("workdays", |target| target.terms.workdays = 21),
        ("quantity", |target| target.terms.lines[0].quantity = Quantity::Count(135)),
        ("due day", |target| target.terms.lines[0].due_by = date("2026-11-29")),
        ("derivation", |target| target.terms.derivation_id = id::<DerivationId>(51)),
        ("probability", |target| target.terms.achievability = None),
        ("action", |target| target.terms.support.actions[0].text += "!"),
        ("resource", |target| target.terms.support.resources[0].need = ResourceNeed::Optional),
        ("department", |target| target.terms.support.resources[0].department += "!"),
    ];
    for (name, change) in changes {
        let mut changed = target.clone();
        change(&mut changed);
        assert_ne!(changed.hash(&changed.terms), before, "{name}");
    }
    let signed = agreed(supported(ResourceNeed::Required));
    assert_eq!(signed.hash(&signed.terms), before, "signatures do not");
}

#[test]
fn a_target_is_taken_back_by_others_than_its_owner_and_with_a_reason() {
    let target = proposed(new_terms());
    assert_eq!(problems(target.withdraw("No.", &owner("2026-10-21"))), ["SELF_APPROVAL"]);
    assert_eq!(problems(target.withdraw(" ", &manager("2026-10-21"))), ["reason REQUIRED"]);
    let change = target.withdraw("Wrong month.", &outsider("2026-10-21")).expect("taken back");
    assert_eq!(change.event().kind, EventKind::TargetWithdrawn);
    assert_eq!(change.state().withdraw_reason.as_deref(), Some("Wrong month."));
}
