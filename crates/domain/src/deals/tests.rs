//! The rules of deals and credit as tables and as properties.

use proptest::prelude::*;

use super::*;
use crate::money::Currency;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn now() -> Timestamp {
    at("2026-11-23T09:00:00Z")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").expect("a currency"))
}

fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn line_ids() -> impl FnMut() -> CreditLineId {
    let mut last = 0;
    move || {
        last += 1;
        CreditLineId::from_uuid(Uuid::from_u128(last))
    }
}

fn new_deal() -> NewDeal {
    NewDeal {
        number: "D-1".into(),
        name: None,
        customer_id: Some(CustomerId::from_uuid(Uuid::from_u128(7))),
        product_id: None,
        owner_id: user(1),
        stage: None,
        value: Some(usd(10_000)),
        opened_at: Some(at("2017-03-01T00:00:00Z")),
        expected_close_on: None,
    }
}

fn open_deal() -> Deal {
    Deal::create(&new_deal(), DealId::from_uuid(Uuid::from_u128(3)), now()).expect("a deal").into_state()
}

fn direct(user_id: Option<UserId>, share_bp: i32) -> NewCredit {
    NewCredit { user_id, kind: CreditKind::Direct, share_bp }
}

fn overlay(user_id: Option<UserId>, share_bp: i32) -> NewCredit {
    NewCredit { user_id, kind: CreditKind::Overlay, share_bp }
}

fn win(deal: &Deal, credits: Vec<NewCredit>) -> Result<Credited> {
    deal.win(&WinDeal { credits, ..WinDeal::default() }, line_ids(), now())
}

fn minors(lines: &[CreditLine]) -> Vec<i64> {
    lines.iter().map(|line| line.amount.minor).collect()
}

/// `field.path CODE` of every problem.
fn problems<T>(result: Result<T>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => problems
            .iter()
            .map(|problem| format!("{} {}", problem.field.join("."), problem.code.as_str()).trim().to_owned())
            .collect(),
        Err(other) => vec![other.to_string()],
    }
}

#[test]
fn a_history_is_entered_today_with_its_own_dates() {
    let created = Deal::create(&new_deal(), DealId::from_uuid(Uuid::from_u128(3)), now()).expect("a deal");
    assert!(created.is_creation());
    let deal = created.into_state();
    assert_eq!(
        (deal.stage, deal.opened_at, deal.created_at),
        (DealStage::Prospecting, at("2017-03-01T00:00:00Z"), now())
    );

    let won_at = at("2017-03-31T00:00:00Z");
    let input = WinDeal { won_at: Some(won_at), value: Some(usd(105_400)), credits: Vec::new() };
    let won = deal.win(&input, line_ids(), now()).expect("a win");
    let state = won.change.state();
    assert_eq!((state.stage, state.won_at, state.value), (DealStage::Won, Some(won_at), Some(usd(105_400))));
    assert_eq!((state.version, state.updated_at), (2, now()));
    let [line] = &won.lines[..] else { panic!("one line, not {:?}", won.lines) };
    assert_eq!((line.user_id, line.share_bp, line.amount), (Some(user(1)), WHOLE_BP, usd(105_400)));
    assert_eq!((line.occurred_at, line.recorded_at, line.basis), (won_at, now(), CreditBasis::Booked));
    assert_eq!(won.change.event().after["credits"][0]["shareBp"], WHOLE_BP);

    let lost = deal.lose(Some(won_at), Some("too dear"), now()).expect("a loss").into_state();
    assert_eq!(
        (lost.stage, lost.lost_at, lost.close_reason.as_deref()),
        (DealStage::Lost, Some(won_at), Some("too dear"))
    );
}

#[test]
fn creation_names_everything_that_is_wrong() {
    let wrong = NewDeal {
        number: " ".into(),
        name: Some("a\0".into()),
        stage: Some(DealStage::Won),
        value: Some(usd(-1)),
        opened_at: Some(at("2026-11-23T09:00:01Z")),
        ..new_deal()
    };
    assert_eq!(
        problems(Deal::create(&wrong, DealId::from_uuid(Uuid::from_u128(3)), now())),
        [
            "number REQUIRED",
            "name INVALID_CHARACTER",
            "stage INVALID_TRANSITION",
            "value OUT_OF_RANGE",
            "openedAt IN_FUTURE"
        ],
    );
}

#[test]
fn an_update_keeps_clears_and_sets_while_the_deal_is_open() {
    let update = DealUpdate {
        name: Patch::Set(" Laptops ".into()),
        customer_id: Patch::Clear,
        owner_id: Some(user(2)),
        stage: Some(DealStage::Negotiating),
        ..DealUpdate::default()
    };
    let deal = open_deal().update(&update, now()).expect("an update").into_state();
    assert_eq!(
        (deal.name.as_deref(), deal.customer_id, deal.value),
        (Some("Laptops"), None, Some(usd(10_000)))
    );
    assert_eq!((deal.owner_id, deal.stage, deal.version), (user(2), DealStage::Negotiating, 2));

    let wrong =
        DealUpdate { stage: Some(DealStage::Lost), value: Patch::Set(usd(-5)), ..DealUpdate::default() };
    assert_eq!(problems(deal.update(&wrong, now())), ["stage INVALID_TRANSITION", "value OUT_OF_RANGE"]);
}

#[test]
fn only_the_steps_of_the_table_are_allowed() {
    for &stage in DealStage::ALL {
        let mut deal = open_deal();
        let lines = win(&deal, Vec::new()).expect("a win").lines;
        deal.stage = stage;
        deal.won_at = (!stage.is_open()).then(now);
        let refused = |problems: Vec<String>| problems == ["INVALID_TRANSITION"];
        assert_eq!(
            refused(problems(deal.update(&DealUpdate::default(), now()))),
            !stage.is_open(),
            "update {stage:?}"
        );
        assert_eq!(refused(problems(win(&deal, Vec::new()))), !stage.is_open(), "win {stage:?}");
        assert_eq!(refused(problems(deal.lose(None, None, now()))), !stage.is_open(), "lose {stage:?}");
        let cancelled = deal.cancel(None, "returned", &lines, line_ids(), now());
        assert_eq!(refused(problems(cancelled)), stage != DealStage::Won, "cancel {stage:?}");
    }
}

#[test]
fn winning_needs_customer_value_and_a_sound_date() {
    let bare = Deal { customer_id: None, value: None, ..open_deal() };
    assert_eq!(problems(win(&bare, Vec::new())), ["CUSTOMER_REQUIRED", "value REQUIRED"]);
    for (won_at, expected) in [
        ("2017-03-01T00:00:00Z", &[][..]),
        ("2017-02-28T23:59:59Z", &["wonAt TOO_EARLY"]),
        ("2026-11-23T09:00:00Z", &[]),
        ("2026-11-23T09:00:00.000001Z", &["wonAt IN_FUTURE"]),
    ] {
        let input = WinDeal { won_at: Some(at(won_at)), ..WinDeal::default() };
        assert_eq!(problems(open_deal().win(&input, line_ids(), now())), expected, "{won_at}");
    }
    let free = WinDeal { value: Some(usd(0)), ..WinDeal::default() };
    assert_eq!(minors(&open_deal().win(&free, line_ids(), now()).expect("a win").lines), [0]);
    let dear = WinDeal { value: Some(usd(AMOUNT_MINOR_MAX + 1)), ..WinDeal::default() };
    assert_eq!(problems(open_deal().win(&dear, line_ids(), now())), ["value OUT_OF_RANGE"]);
}

#[test]
fn credits_are_whole_and_name_each_person_once() {
    let (ada, bob) = (Some(user(1)), Some(user(2)));
    for (credits, expected) in [
        (vec![direct(ada, 10_000), overlay(ada, 10_000)], &[][..]),
        (vec![direct(ada, 5_000), direct(None, 5_000)], &[]),
        (vec![direct(ada, 9_999)], &["credits SHARES_NOT_WHOLE"]),
        (vec![overlay(ada, 10_000)], &["credits SHARES_NOT_WHOLE"]),
        (vec![direct(ada, 5_000), direct(ada, 5_000)], &["credits.1.userId DUPLICATE"]),
        (vec![direct(None, 5_000), direct(None, 5_000)], &["credits.1.userId DUPLICATE"]),
        (vec![direct(ada, 10_000), direct(bob, 0)], &["credits.1.shareBp OUT_OF_RANGE"]),
        (
            vec![direct(ada, 10_001), direct(bob, -1)],
            &["credits.0.shareBp OUT_OF_RANGE", "credits.1.shareBp OUT_OF_RANGE"],
        ),
        (vec![direct(ada, i32::MIN)], &["credits.0.shareBp OUT_OF_RANGE", "credits SHARES_NOT_WHOLE"]),
        (vec![direct(ada, 10_000), overlay(None, 1)], &["credits.1.userId REQUIRED"]),
        (vec![direct(ada, 10_000); CREDITS_MAX + 1], &["credits TOO_MANY"]),
    ] {
        assert_eq!(problems(win(&open_deal(), credits.clone())), expected, "{credits:?}");
    }
}

#[test]
fn odd_units_go_to_the_largest_fractions_then_to_the_earlier_line() {
    let deal = Deal { value: Some(usd(101)), ..open_deal() };
    let credits = vec![direct(Some(user(1)), 5_000), overlay(Some(user(2)), 5_000), direct(None, 5_000)];
    assert_eq!(minors(&win(&deal, credits).expect("a win").lines), [51, 51, 50]);
    let credits =
        vec![direct(Some(user(1)), 3_333), direct(Some(user(2)), 3_333), direct(Some(user(3)), 3_334)];
    assert_eq!(minors(&win(&deal, credits).expect("a win").lines), [34, 33, 34]);
}

#[test]
fn a_cancellation_reverses_every_line_on_its_own_day() {
    let credits = vec![direct(Some(user(1)), 2_500), direct(None, 7_500), overlay(Some(user(2)), 5_000)];
    let input = WinDeal { won_at: Some(at("2026-10-31T12:00:00Z")), credits, ..WinDeal::default() };
    let won = open_deal().win(&input, line_ids(), now()).expect("a win");
    let deal = won.change.state();
    let cancelled_at = at("2026-11-05T00:00:00Z");
    let cancel = |at, reason, lines: &[CreditLine]| deal.cancel(Some(at), reason, lines, line_ids(), now());

    let cancelled = cancel(cancelled_at, "returned", &won.lines).expect("a cancellation");
    assert_eq!(minors(&cancelled.lines), [-2_500, -7_500, -5_000]);
    for (line, reversal) in won.lines.iter().zip(&cancelled.lines) {
        assert_eq!(
            (reversal.reverses, reversal.user_id, reversal.kind),
            (Some(line.id), line.user_id, line.kind)
        );
        assert_eq!((reversal.occurred_at, reversal.recorded_at), (cancelled_at, now()));
    }
    let state = cancelled.change.state();
    assert_eq!((state.stage, state.won_at, state.value), (DealStage::Cancelled, deal.won_at, deal.value));
    assert_eq!(
        cancelled.change.event().after["credits"][0]["amount"],
        json!({ "amount": "-25.00", "currency": "USD" })
    );

    assert_eq!(
        problems(cancel(at("2026-10-31T11:59:59Z"), " ", &won.lines)),
        ["cancelledAt TOO_EARLY", "reason REQUIRED"]
    );
    assert_eq!(problems(cancel(at("2026-11-24T00:00:00Z"), "x", &won.lines)), ["cancelledAt IN_FUTURE"]);
    for wrong in [&won.lines[..1], &[], &cancelled.lines[..]] {
        assert!(matches!(cancel(cancelled_at, "x", wrong), Err(Error::Internal(_))), "{wrong:?}");
    }
}

/// Wanted credits that [`Deal::win`] accepts: direct shares that sum to the whole, and overlays.
pub(crate) fn any_credits() -> impl Strategy<Value = Vec<NewCredit>> {
    let weights = proptest::collection::vec(1..100_u64, 1..12);
    let overlays = proptest::collection::vec(1..=WHOLE_BP, 0..8);
    (weights, overlays, any::<bool>()).prop_map(|(weights, overlays, unassigned)| {
        let shares = crate::money::allocate(i64::from(WHOLE_BP), &weights);
        let numbered = |index: usize| Some(user(index as u128 + 1));
        let directs = shares.into_iter().enumerate().map(|(index, share)| {
            let user_id = numbered(index).filter(|_| index > 0 || !unassigned);
            direct(user_id, i32::try_from(share).expect("a share"))
        });
        let overlays = overlays.into_iter().enumerate().map(|(index, share)| overlay(numbered(index), share));
        directs.chain(overlays).collect()
    })
}

proptest! {
    #[test]
    fn direct_lines_make_up_the_value_and_each_is_near_its_share(
        minor in 0..=AMOUNT_MINOR_MAX,
        credits in any_credits(),
    ) {
        let deal = Deal { value: Some(usd(minor)), ..open_deal() };
        let lines = win(&deal, credits).expect("a win").lines;
        let direct = lines.iter().filter(|line| line.kind == CreditKind::Direct);
        prop_assert_eq!(direct.map(|line| line.amount.minor).sum::<i64>(), minor);
        for line in &lines {
            let off = i128::from(line.amount.minor) * i128::from(WHOLE_BP) - i128::from(minor) * i128::from(line.share_bp);
            prop_assert!(off.abs() < i128::from(WHOLE_BP), "{line:?}");
        }
    }

    #[test]
    fn a_win_and_its_cancellation_leave_nothing_to_anybody(
        minor in 0..=AMOUNT_MINOR_MAX,
        credits in any_credits(),
    ) {
        let deal = Deal { value: Some(usd(minor)), ..open_deal() };
        let won = win(&deal, credits).expect("a win");
        let reversals = won.change.state().cancel(None, "returned", &won.lines, line_ids(), now()).expect("a cancellation").lines;
        let mut sums = std::collections::HashMap::new();
        for line in won.lines.iter().chain(&reversals) {
            *sums.entry((line.user_id, line.kind)).or_insert(0) += line.amount.minor;
        }
        prop_assert!(sums.values().all(|&sum| sum == 0), "{sums:?}");
    }
}
