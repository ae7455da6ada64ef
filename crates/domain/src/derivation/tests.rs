//! The whole derivation: from counts and days to numbers, dates, probability, bytes and prose.

use std::collections::BTreeMap;

use chrono::Duration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::calendars::WorkHours;
use crate::error::Code;
use crate::id::{EntityId, UserId};
use crate::money::Currency;
use crate::time::{DateRange, parse_date};

pub(crate) fn date(text: &str) -> NaiveDate {
    parse_date(text).expect("a date")
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).expect("a currency"))
}

fn year() -> DateRange {
    DateRange { from: date("2025-11-01"), to: date("2026-11-01") }
}

/// A deal on every `every`-th workday of `range`.
fn steady(range: DateRange, every: usize) -> Vec<DayCount> {
    let mut days = day_series(&BTreeMap::new(), range, &WorkHours::standard(chrono_tz::UTC), &[]);
    days.iter_mut().step_by(every).for_each(|day| day.count = 1);
    days
}

/// Four deals in November 2026, asked of somebody with a year of history in a larger team.
pub(crate) fn inputs() -> Inputs {
    let own = FunnelCounts {
        leads: 1_000,
        usable_leads: 560,
        calls: 1_400,
        prospects: 120,
        mature_prospects: 120,
        won_prospects: 18,
    };
    let team = FunnelCounts {
        leads: 8_000,
        usable_leads: 4_800,
        calls: 12_000,
        prospects: 1_000,
        mature_prospects: 1_000,
        won_prospects: 200,
    };
    let sizes = |minors: &[i64]| {
        let deals: Vec<_> = minors.iter().map(|&minor| money(minor, "USD")).collect();
        DealSizes::of(&deals).expect("one currency")
    };
    let lag = |workdays| Some(Lag { workdays, conversions: 18 });
    Inputs {
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        period: Period::new(PeriodKind::Month, date("2026-11-01")).expect("a month"),
        goal: Goal::Deals(4),
        band: Band::BASE,
        quality_ppm: Some(600_000),
        window: year(),
        maturity_days: 60,
        own,
        team,
        priors: Priors::default(),
        assumed: Assumed::default(),
        own_days: steady(year(), 5),
        team_days: vec![steady(year(), 5), steady(year(), 3)],
        season: None,
        own_sizes: sizes(&[100_000, 250_000, 400_000]),
        team_sizes: sizes(&[100_000, 250_000, 400_000, 900_000]),
        own_lags: Lags { lead_to_prospect: lag(5), prospect_to_deal: lag(20) },
        team_lags: Lags::default(),
        hired_on: None,
        ramp: None,
        hours: WorkHours::standard(chrono_tz::UTC),
        leave: vec![],
        draws: DRAWS_DEFAULT,
        cites: vec![],
    }
}

fn derive(inputs: Inputs) -> Derivation {
    Derivation::derive(inputs).expect("a derivation")
}

fn labels(derivation: &Derivation) -> Vec<DerivationLabel> {
    derivation.labels.iter().copied().collect()
}

const PROSE: &str = "
Asked for from 2026-11-01 to 2026-11-30, in 21 workdays: 4 deals.
From 18 deals in 120 prospects (15.0 %; team 20.0 %; 90 % interval 10.4 % to 21.1 %) follows a rate of 15.7 % (11/70).
From 120 prospects in 1400 calls (8.6 %; team 8.3 %; 90 % interval 7.4 % to 9.9 %) follows a rate of 8.5 % (41/480).
From 1400 calls in 560 usable leads (2.50; team 2.50; 90 % interval 2.39 to 2.61) follows a rate of 2.50 (5/2).
From 560 usable leads in 1000 leads (56.0 %; team 60.0 %; 90 % interval 53.4 % to 58.6 %) follows a rate of 56.1 % (143/255).
4 deals a month need 26 prospects (2 a day), 305 calls (15 a day), 204 leads (10 a day), of which 60.0 % usable.
At a mean of 2500.00 a deal (median 2500.00; 90 % interval of the median 1000.00 to 4000.00; 3 deals) that brings 10000.00 USD.
Wanted are leads from 2026-09-28 to 2026-10-26, calls from 2026-10-05 to 2026-11-02, prospects from 2026-10-05 to 2026-11-02, deals from 2026-11-02 to 2026-11-30.
In 10000 months drawn from the owner's own 260 workdays, one in ten brings at most 4.0 deals, half at most 4.0, nine in ten at most 5.0.
The goal is reached with a probability of 100.0 % (error 0.0 %), too easy for the band of 50.0 % to 85.0 %. No whole number of deals lies within it.
The owner reached it in 12 of 12 comparable months (90 % interval 81.6 % to 100.0 %).
Note: The days on which the first stages were wanted have passed: less time is left than the steps take.
Note: The season is unknown, so every month counts the same.
";

#[test]
fn four_deals_are_derived_and_told_in_plain_words() {
    let derivation = derive(inputs());
    let numbers = derivation.numbers;
    let totals = [numbers.prospects, numbers.calls, numbers.leads].map(|amount| amount.expect("known"));
    assert_eq!(totals.map(|amount| (amount.total, amount.per_workday)), [(26, 2), (305, 15), (204, 10)]);
    assert_eq!((numbers.workdays, numbers.deals), (21, 4));
    assert_eq!(derivation.revenue, Some(money(1_000_000, "USD")));
    assert_eq!(derivation.history_months, 12);
    assert_eq!(labels(&derivation), [DerivationLabel::LateStart, DerivationLabel::NoSeason]);
    assert_eq!(derivation.prose(), PROSE.trim());
}

#[test]
fn the_same_inputs_give_the_same_bytes_on_every_machine() {
    let derivation = derive(inputs());
    let bytes = derivation.bytes().expect("bytes");
    // Change METHOD_VERSION with these.
    assert_eq!(derivation.seed, "9ecf8a3212103f833d866eec4a52d95b192b37b4746b853cf1f815ab643a6597");
    let digest: String = sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "240e4fcea536c855b495ca6698757e4066b98c3a249f5d2850e53fc319522594");
    let stored: Derivation = serde_json::from_slice(&bytes).expect("a derivation");
    assert_eq!(stored, derivation);
    assert_eq!(stored.bytes().expect("bytes"), bytes);
    assert!(stored.reproduces().expect("a derivation"));
    let mut altered = stored.clone();
    altered.numbers.deals = 3;
    assert!(!altered.reproduces().expect("a derivation"));
    let mut altered = stored;
    altered.inputs.own.won_prospects += 1;
    assert!(!altered.reproduces().expect("a derivation"));
}

#[test]
fn steady_work_makes_a_goal_certain_or_impossible() {
    // A deal on every fifth workday: any five days in a row hold one, so 20 days hold four, 21 at most five.
    for (goal, ppm, verdict, reached) in
        [(4, 1_000_000, AchievabilityVerdict::TooEasy, 12), (6, 0, AchievabilityVerdict::TooHard, 0)]
    {
        let achievability =
            derive(Inputs { goal: Goal::Deals(goal), ..inputs() }).achievability.expect("history");
        assert_eq!((achievability.probability.ppm, achievability.verdict), (ppm, verdict), "{goal}");
        assert_eq!((achievability.basis, achievability.history_days), (HistoryBasis::Own, 260));
        let record = achievability.track_record;
        assert_eq!((record.reached, record.comparable), (reached, 12), "{goal}");
        assert_eq!(achievability.goals_within, None);
    }
    let fifth = derive(Inputs { goal: Goal::Deals(5), ..inputs() }).achievability.expect("history");
    // One start in five begins with the deal; the error of 10,000 draws is 0.4 %.
    assert!(fifth.probability.ppm.abs_diff(200_000) < 3 * fifth.probability.error_ppm, "{fifth:?}");
    assert_eq!(fifth.probability.error_ppm / 1_000, 4);
}

#[test]
fn a_short_history_gives_way_to_the_team_and_says_so() {
    use DerivationLabel::*;
    let recent = DateRange { from: date("2026-06-01"), to: date("2026-11-01") };
    let short = Inputs { own_days: steady(recent, 5), ..inputs() };
    let derivation = derive(short.clone());
    assert_eq!((derivation.history_months, labels(&derivation)), (5, vec![TeamPooled, LateStart, NoSeason]));
    let alone = derive(Inputs { team_days: vec![], ..short.clone() });
    assert_eq!(labels(&alone), [ShortHistory, LateStart, NoSeason]);

    // June is whole even though its first day on record is the first workday, and not if that is the second.
    let june = |day| DateRange { from: date(day), to: date("2026-07-01") };
    for (from, months) in [("2026-06-01", 1), ("2026-06-02", 0)] {
        let days = Inputs { own_days: steady(june(from), 5), ..inputs() };
        assert_eq!(derive(days).history_months, months, "{from}");
    }

    let nobody = Inputs {
        own: FunnelCounts::default(),
        own_days: vec![],
        own_sizes: None,
        own_lags: Lags::default(),
        ..inputs()
    };
    let derivation = derive(nobody.clone());
    assert_eq!(labels(&derivation), [TeamRate, TeamPooled, TeamDealSize, UnknownLag, NoSeason]);
    assert_eq!(derivation.numbers.prospects.map(|amount| amount.total), Some(20));
    assert!(
        derivation
            .prose()
            .contains("The owner has no prospects on record; the team's 200 deals in 1000 prospects")
    );

    let nothing = Inputs {
        team: FunnelCounts::default(),
        team_days: vec![],
        team_sizes: None,
        quality_ppm: None,
        ..nobody
    };
    let derivation = derive(nothing.clone());
    assert_eq!(labels(&derivation), [UnknownRate, NoHistory, UnknownLag, NoSeason]);
    let numbers = derivation.numbers;
    assert_eq!((numbers.prospects, numbers.calls, numbers.leads), (None, None, None));
    assert_eq!((derivation.achievability, derivation.revenue), (None, None));

    let rate = |numerator, denominator| Fraction::new(numerator, denominator);
    let assumed = Assumed {
        deals_per_prospect: rate(1, 6),
        prospects_per_call: rate(1, 10),
        calls_per_usable_lead: rate(3, 1),
    };
    let derivation = derive(Inputs { assumed, quality_ppm: Some(600_000), ..nothing });
    assert_eq!(labels(&derivation), [AssumedRate, NoHistory, UnknownLag, NoSeason]);
    assert_eq!(derivation.numbers.calls.map(|amount| amount.total), Some(240));
}

#[test]
fn a_new_hire_is_asked_for_less() {
    let hired = |day: &str| Inputs { hired_on: Some(date(day)), ..inputs() };
    let observed = Ramp { share_ppm: [100_000; RAMP_MONTHS], hires: 7 };
    use DerivationLabel::{ObservedRamp, StatedRamp};
    for (inputs, deals, workdays, label) in [
        // A quarter in the first month, half in the second, all from the fourth on.
        (hired("2026-11-02"), 1, 21, Some(StatedRamp)),
        (hired("2026-10-01"), 2, 21, Some(StatedRamp)),
        (hired("2026-08-01"), 4, 21, None),
        (hired("2000-01-01"), 4, 21, None),
        // 16 days at 25 % and then 5 at 50 %: 6.5 of 21 days, which is 1.24 of 4 deals.
        (hired("2026-10-24"), 2, 21, Some(StatedRamp)),
        // 11 of 21 days at 25 %.
        (Inputs { goal: Goal::Deals(40), ..hired("2026-11-16") }, 6, 11, Some(StatedRamp)),
        (Inputs { ramp: Some(observed), ..hired("2026-11-02") }, 1, 21, Some(ObservedRamp)),
    ] {
        let derivation = derive(inputs);
        let numbers = derivation.numbers;
        assert_eq!((numbers.deals, numbers.workdays), (deals, workdays), "{:?}", derivation.inputs.hired_on);
        let ramp = labels(&derivation).into_iter().find(|label| [StatedRamp, ObservedRamp].contains(label));
        assert_eq!(ramp, label, "{:?}", derivation.inputs.hired_on);
    }
    // The pooled days of the team are brought to the share of the hire, so that the judgement is fair.
    let recent = Inputs { own_days: vec![], goal: Goal::Deals(5), ..hired("2026-11-02") };
    let achievability = derive(recent).achievability.expect("history");
    assert_eq!(achievability.quantiles.p50 % 250_000, 0);
    assert!(achievability.quantiles.p90 <= 1_750_000, "{achievability:?}");
    let late = Derivation::derive(hired("2026-12-01")).expect_err("not there yet");
    assert!(matches!(late, Error::Rejected(problems) if problems[0].field == ["period"]));
}

#[test]
fn a_season_scales_what_past_months_tell() {
    let mut season = Season::flat();
    season.index_ppm[10] = 500_000;
    // November does half of the mean: half of what other months gave is expected, but as much as last November gave.
    let derivation = derive(Inputs { season: Some(season), goal: Goal::Deals(2), ..inputs() });
    let achievability = derivation.achievability.expect("history");
    assert!((2_000_000..=2_500_000).contains(&achievability.quantiles.p50), "{achievability:?}");
    assert_eq!(achievability.probability.ppm, 1_000_000);
    assert_eq!(labels(&derivation), [DerivationLabel::LateStart]);
}

#[test]
fn leave_makes_days_fuller_but_no_goal_smaller() {
    let leave = vec![DateRange { from: date("2026-11-16"), to: date("2026-12-01") }];
    let numbers = derive(Inputs { leave, ..inputs() }).numbers;
    assert_eq!((numbers.deals, numbers.workdays), (4, 10));
    assert_eq!(numbers.calls.map(|amount| (amount.total, amount.per_workday)), Some((305, 31)));
}

#[test]
fn a_goal_in_money_becomes_deals_at_the_mean() {
    let goal = |minor, code| Inputs { goal: Goal::Revenue(money(minor, code)), ..inputs() };
    let derivation = derive(goal(750_001, "USD"));
    assert_eq!((derivation.numbers.deals, derivation.revenue), (4, Some(money(1_000_000, "USD"))));
    assert!(derivation.prose().contains(": 7500.01 USD, which takes 4 deals."));
    let none = Inputs { own_sizes: None, team_sizes: None, ..goal(1, "USD") };
    let free =
        Inputs { own_sizes: DealSizes::of(&[money(0, "USD")]).expect("one currency"), ..goal(1, "USD") };
    for (inputs, code) in [
        (goal(750_001, "EUR"), Code::CurrencyMismatch),
        (none, Code::Required),
        (free, Code::OutOfRange),
        (goal(0, "USD"), Code::OutOfRange),
        (goal(-1, "USD"), Code::OutOfRange),
        (goal(i64::MAX, "USD"), Code::OutOfRange),
    ] {
        let refused = Derivation::derive(inputs).expect_err("no such goal");
        assert!(
            matches!(refused, Error::Rejected(problems) if problems[0].code == code && problems[0].field == ["goal"])
        );
    }
}

#[test]
fn wrong_inputs_are_all_named() {
    type Fault = fn(&mut Inputs);
    let faults: [(Fault, &str); 16] = [
        (|inputs| inputs.goal = Goal::Deals(0), "goal"),
        (|inputs| inputs.goal = Goal::Deals(u64::MAX), "goal"),
        (|inputs| inputs.band.min_ppm = 900_000, "band"),
        (|inputs| inputs.quality_ppm = Some(0), "qualityPpm"),
        (|inputs| inputs.quality_ppm = Some(1_000_001), "qualityPpm"),
        (|inputs| inputs.window.to = inputs.window.from, "window"),
        (|inputs| inputs.draws = 0, "draws"),
        (|inputs| inputs.draws = u32::MAX, "draws"),
        (|inputs| inputs.team.calls = u32::MAX, "team"),
        (|inputs| inputs.season = Some(Season { index_ppm: [0; 12], years: [0; 12] }), "season"),
        (|inputs| inputs.assumed.deals_per_prospect = Some(Fraction::whole(0)), "assumed"),
        (|inputs| inputs.assumed.prospects_per_call = Fraction::new(1, i128::MAX), "assumed"),
        (|inputs| inputs.own_days.push(inputs.own_days[0]), "ownDays"),
        (|inputs| inputs.own_days[0].count = i64::MIN, "ownDays"),
        (|inputs| inputs.team_days[1][0].date = inputs.window.to, "teamDays"),
        (|inputs| inputs.leave.push(inputs.period.days()), "period"),
    ];
    for (fault, field) in faults {
        let mut wrong = inputs();
        fault(&mut wrong);
        let Err(Error::Rejected(problems)) = Derivation::derive(wrong) else { panic!("{field}") };
        let fields: Vec<_> = problems.iter().flat_map(|problem| problem.field.iter()).collect();
        assert!(fields.contains(&&field.to_owned()), "{field}: {problems:?}");
    }
}

#[test]
fn a_series_loses_nothing_to_days_off() {
    let hours = WorkHours::standard(chrono_tz::UTC);
    let counts = |days: &[(&str, i64)]| {
        days.iter().map(|&(day, count)| (date(day), count)).collect::<BTreeMap<_, _>>()
    };
    let range = DateRange { from: date("2026-11-05"), to: date("2026-11-09") };
    let leave = DateRange { from: date("2026-11-05"), to: date("2026-11-06") };
    // From Thursday to Sunday; Sunday has no workday after it.
    for (found, leave, wanted) in [
        (counts(&[("2026-11-05", 1), ("2026-11-08", 2)]), vec![], vec![("2026-11-05", 1), ("2026-11-06", 2)]),
        (counts(&[("2026-11-05", 1), ("2026-11-09", 2)]), vec![leave], vec![("2026-11-06", 1)]),
        (counts(&[("2026-11-05", 1)]), vec![range], vec![]),
    ] {
        let series: Vec<_> =
            wanted.into_iter().map(|(day, count)| DayCount { date: date(day), count }).collect();
        assert_eq!(day_series(&found, range, &hours, &leave), series);
    }
}

prop_compose! {
    /// Inputs as sparse or as rich as they may come, with few draws.
    fn any_inputs()(
        own in prop::array::uniform6(0_u32..50),
        team in prop::array::uniform6(0_u32..400),
        own_days in prop::collection::btree_map(0_i64..365, -2_i64..4, 0..60),
        team_days in prop::collection::vec(prop::collection::btree_map(0_i64..365, 0_i64..4, 0..60), 0..3),
        (goal, quality) in (1_u64..200, prop::option::of(1_u32..=1_000_000)),
        hired in prop::option::of(-100_i64..380),
        kind in prop::sample::select(PeriodKind::ALL),
        sizes in prop::collection::vec(0_i64..1_000_000, 0..4),
        lag in prop::option::of(0_u32..60),
        season in any::<bool>(),
    ) -> Inputs {
        let counts = |[leads, usable_leads, calls, prospects, mature_prospects, won_prospects]: [u32; 6]| FunnelCounts {
            leads, usable_leads, calls, prospects, mature_prospects, won_prospects,
        };
        let day = |(offset, count): (i64, i64)| DayCount { date: year().from + Duration::days(offset), count };
        let series = |days: BTreeMap<i64, i64>| days.into_iter().map(day).collect::<Vec<_>>();
        let months = (1..=12).map(|month| MonthOutput {
            month: NaiveDate::from_ymd_opt(2025, month, 1).expect("a month"), output: month % 4, workdays: 20,
        });
        Inputs {
            own: counts(own),
            team: counts(team),
            own_days: series(own_days),
            team_days: team_days.into_iter().map(series).collect(),
            goal: Goal::Deals(goal),
            quality_ppm: quality,
            hired_on: hired.map(|offset| year().from + Duration::days(offset)),
            period: Period::around(kind, date("2026-11-05")),
            own_sizes: DealSizes::of(&sizes.iter().map(|&minor| money(minor, "USD")).collect::<Vec<_>>()).expect("one currency"),
            own_lags: Lags { lead_to_prospect: lag.map(|workdays| Lag { workdays, conversions: workdays }), prospect_to_deal: None },
            season: season.then(|| Season::of(&months.collect::<Vec<_>>())),
            draws: 100,
            ..inputs()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sparse_history_is_labelled_and_never_fatal(inputs in any_inputs()) {
        match Derivation::derive(inputs) {
            Ok(derivation) => {
                prop_assert!(derivation.reproduces().expect("a derivation"));
                let stored: Derivation = serde_json::from_slice(&derivation.bytes().expect("bytes")).expect("a derivation");
                prop_assert_eq!(&stored, &derivation);
                prop_assert!(derivation.prose().lines().count() >= 6);
                let open = derivation.numbers.prospects.is_none();
                prop_assert!(!open || derivation.labels.contains(&DerivationLabel::UnknownRate));
                prop_assert_eq!(derivation.achievability.is_none(), derivation.labels.contains(&DerivationLabel::NoHistory));
            }
            Err(Error::Rejected(problems)) => prop_assert!(problems.iter().all(|problem| problem.code == Code::OutOfRange)),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// Whoever asks for a goal that was told to be within the band is not refused: all goals meet the same draws.
    #[test]
    fn a_goal_that_is_told_to_be_within_the_band_is(inputs in any_inputs()) {
        let unramped = Inputs { hired_on: None, ..inputs };
        let Ok(derivation) = Derivation::derive(unramped.clone()) else { return Ok(()) };
        if let Some(range) = derivation.achievability.and_then(|judged| judged.goals_within) {
            for goal in [range.least, range.most].into_iter().filter(|goal| (1..=GOAL_DEALS_MAX).contains(goal)) {
                let asked = derive(Inputs { goal: Goal::Deals(goal), ..unramped.clone() });
                let verdict = asked.achievability.expect("history").verdict;
                prop_assert_eq!(verdict, AchievabilityVerdict::Within, "{} of {:?}", goal, range);
            }
        }
    }

    #[test]
    fn the_order_of_inputs_leaves_no_trace(
        (inputs, shuffled) in any_inputs().prop_flat_map(|inputs| {
            let shuffled = inputs.clone();
            (Just(inputs), Just(shuffled.own_days.clone()).prop_shuffle(), Just(shuffled.team_days.clone()).prop_shuffle())
                .prop_map(|(inputs, own_days, team_days)| (inputs.clone(), Inputs { own_days, team_days, ..inputs }))
        }),
    ) {
        if let Ok(derivation) = Derivation::derive(inputs) {
            prop_assert_eq!(derive(shuffled).bytes().expect("bytes"), derivation.bytes().expect("bytes"));
        }
    }

    #[test]
    fn a_larger_goal_lowers_no_number(inputs in any_inputs(), more in 1_u64..50) {
        let Goal::Deals(goal) = inputs.goal else { unreachable!("goals here are deals") };
        let larger = Inputs { goal: Goal::Deals(goal + more), ..inputs.clone() };
        if let (Ok(small), Ok(large)) = (Derivation::derive(inputs), Derivation::derive(larger)) {
            let totals = |derivation: &Derivation| {
                let FunnelNumbers { deals, prospects, calls, leads, .. } = derivation.numbers;
                (deals, [prospects, calls, leads].map(|amount| amount.map(|amount| (amount.total, amount.per_workday))))
            };
            let ((small_deals, small), (large_deals, large)) = (totals(&small), totals(&large));
            prop_assert!(small_deals <= large_deals);
            prop_assert!(small.into_iter().zip(large).all(|(small, large)| small <= large));
        }
    }
}
