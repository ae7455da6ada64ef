//! Backtests: exact scores, no peeking, and a picture that any browser can read.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::calendars::WorkHours;
use crate::derivation::day_series;
use crate::derivation::tests::{date, inputs};
use crate::time::{DateRange, PeriodKind};

fn quantiles(p10: i64, p25: i64, p50: i64, p75: i64, p90: i64) -> Quantiles {
    Quantiles { p10, p25, p50, p75, p90 }
}

#[test]
fn forecasts_are_scored_exactly() {
    let forecast = quantiles(1, 2, 3, 4, 5);
    for (outcomes, bias, wape, coverage, pinball) in [
        (vec![(quantiles(3, 3, 3, 3, 3), 3)], 0, Some(0), 1_000_000, 0),
        // Twice one too much, in sum 2 of 4; both inside.
        (vec![(forecast, 2), (forecast, 2)], 1, Some(500_000), 1_000_000, 0),
        // 5 too much and 3 too little: bias (5 - 3) / 2, error 8 of 2 + 6; both outside.
        (vec![(forecast, -2), (forecast, 6)], 1, Some(1_000_000), 0, 2),
        (vec![(forecast, 0)], 3, None, 0, 1),
        // A miss of 1,000 at level t costs t or 1 - t of it: (10 + 25 + 50 + 75 + 90) / 100 / 5 = 0.5.
        (vec![(quantiles(0, 0, 0, 0, 0), 1_000)], -1_000, Some(1_000_000), 0, 500),
    ] {
        let score = Score::of(&outcomes).expect("a score");
        let seen = (score.bias, score.wape_ppm, score.coverage_ppm, score.pinball);
        assert_eq!(seen, (bias, wape, coverage, pinball), "{outcomes:?}");
        assert_eq!(score.forecasts as usize, outcomes.len());
    }
    assert_eq!(Score::of(&[]), None);
    let extremes = quantiles(i64::MAX, i64::MAX, i64::MAX, i64::MAX, i64::MAX);
    assert_eq!(Score::of(&[(extremes, i64::MIN)]), None);
}

/// What was known before the month that begins on `start`, when every `every`-th workday brought a deal.
fn case(start: &str, every: usize, actual: i64) -> Case {
    let (first, to) = (date("2025-01-01"), date(start));
    let window = DateRange { from: first, to };
    let mut own_days = day_series(&BTreeMap::new(), window, &WorkHours::standard(chrono_tz::UTC), &[]);
    own_days.iter_mut().step_by(every).for_each(|day| day.count = 1);
    let period = Period::new(PeriodKind::Month, to).expect("a month");
    Case { inputs: Inputs { period, window, own_days, team_days: vec![], draws: 500, ..inputs() }, actual }
}

fn months() -> impl Iterator<Item = String> {
    (3..=12).map(|month| format!("2025-{month:02}-01"))
}

#[test]
fn each_period_is_forecast_from_what_was_known() {
    let mut cases: Vec<_> = months().map(|start| case(&start, 5, 4)).collect();
    cases.reverse();
    let backtest = Backtest::replay(cases).expect("a backtest");
    assert_eq!((backtest.outcomes.len(), backtest.unforecast), (10, 0));
    assert!(backtest.outcomes.is_sorted_by_key(|outcome| outcome.period.start()));
    // A deal every five workdays makes four or five in a month.
    let score = backtest.score.expect("a score");
    assert_eq!(score.coverage_ppm, 1_000_000);
    assert!(score.bias.abs() <= 1_000_000 && score.wape_ppm.expect("deals") <= 250_000, "{score:?}");
    let stored = serde_json::to_string(&backtest).expect("text");
    assert_eq!(serde_json::from_str::<Backtest>(&stored).expect("a backtest"), backtest);
}

#[test]
fn a_period_without_history_is_counted_and_one_that_peeks_is_refused() {
    let blank = |start| {
        let Case { inputs, actual } = case(start, 5, 4);
        Case { inputs: Inputs { own_days: vec![], ..inputs }, actual }
    };
    let backtest = Backtest::replay(vec![blank("2025-03-01"), case("2025-04-01", 5, 4)]).expect("a backtest");
    assert_eq!((backtest.outcomes.len(), backtest.unforecast), (1, 1));
    let empty = Backtest::replay(vec![]).expect("a backtest");
    assert_eq!((empty.outcomes.len(), empty.score), (0, None));

    let peeking = |mut case: Case, to: NaiveDate| {
        case.inputs.window.to = to;
        Backtest::replay(vec![blank("2025-03-01"), case]).expect_err("it peeks")
    };
    let fields = |error| match error {
        Error::Rejected(problems) => problems[0].field.join("."),
        other => panic!("{other}"),
    };
    assert_eq!(fields(peeking(case("2025-04-01", 5, 4), date("2025-04-02"))), "cases.1.window");
    // A day of the period itself lies outside the window.
    assert_eq!(fields(peeking(case("2025-04-01", 5, 4), date("2025-03-31"))), "cases.1.ownDays");
}

#[test]
fn the_picture_is_plain_svg_and_always_the_same() {
    let cases = || months().enumerate().map(|(index, start)| case(&start, 5, index as i64 - 2)).collect();
    let backtest = Backtest::replay(cases()).expect("a backtest");
    let picture = backtest.svg("Åsa <b>& \"Bo\"'s\0 team</b>");
    assert_eq!(picture, Backtest::replay(cases()).expect("a backtest").svg("Åsa <b>& \"Bo\"'s\0 team</b>"));
    assert!(picture.contains("<title>Åsa &lt;b&gt;&amp; &quot;Bo&quot;&apos;s  team&lt;/b&gt;</title>"));
    assert!(picture.contains(">2025-03</text>") && picture.contains(">2025-12</text>"));
    assert_eq!(picture.matches("<circle ").count(), 10);
    assert!(!picture.contains('\0') && picture.ends_with("</svg>\n"));

    let empty = Backtest::replay(vec![]).expect("a backtest").svg("");
    assert!(empty.contains("There was no history to forecast from."));
}

fn any_outcome() -> impl Strategy<Value = (Quantiles, i64)> {
    (prop::array::uniform5(-5_000_000_i64..50_000_000), -5_000_000_i64..50_000_000).prop_map(
        |(mut levels, actual)| {
            levels.sort_unstable();
            let [p10, p25, p50, p75, p90] = levels;
            (quantiles(p10, p25, p50, p75, p90), actual)
        },
    )
}

proptest! {
    #[test]
    fn scores_keep_their_laws(outcomes in prop::collection::vec(any_outcome(), 1..40)) {
        let score = Score::of(&outcomes).expect("a score");
        prop_assert!(score.pinball >= 0 && (0..=1_000_000).contains(&score.coverage_ppm));
        let interval = score.coverage_interval.expect("forecasts");
        prop_assert!(interval.low <= score.coverage_ppm && score.coverage_ppm <= interval.high);
        // The bias is never larger than the mean absolute error, which is the error times the mean actual.
        let absolute: i64 = outcomes.iter().map(|(forecast, actual)| (forecast.p50 - actual).abs()).sum();
        prop_assert!(score.bias.abs() <= absolute / outcomes.len() as i64 + 1);
        // Order does not matter.
        let mut reversed = outcomes.clone();
        reversed.reverse();
        prop_assert_eq!(Score::of(&reversed), Some(score));
        // Whoever knows what comes loses nothing.
        let perfect: Vec<_> = outcomes.iter().map(|&(_, actual)| (quantiles(actual, actual, actual, actual, actual), actual)).collect();
        let perfect = Score::of(&perfect).expect("a score");
        prop_assert_eq!((perfect.bias, perfect.pinball, perfect.coverage_ppm), (0, 0, 1_000_000));
    }

    #[test]
    fn every_picture_stays_inside_its_frame(
        outcomes in prop::collection::vec(any_outcome(), 0..40),
        kind in prop::sample::select(PeriodKind::ALL),
        title in ".{0,30}",
    ) {
        let outcome = |(index, (forecast, actual)): (usize, (Quantiles, i64))| Outcome {
            period: Period::around(kind, date("2020-01-15") + chrono::Months::new(index as u32)),
            forecast,
            actual,
            basis: HistoryBasis::Own,
        };
        let score = Score::of(&outcomes);
        let backtest = Backtest { outcomes: outcomes.into_iter().enumerate().map(outcome).collect(), unforecast: 0, score };
        let picture = backtest.svg(&title);
        // Elements are balanced: what is not closed in itself is closed later.
        let opened = picture.matches('<').count() - picture.matches("</").count();
        prop_assert_eq!(opened, picture.matches("/>").count() + picture.matches("</").count());
        for part in picture.split(" cy=\"").skip(1) {
            let y: i64 = part.split('"').next().expect("a value").parse().expect("a number");
            prop_assert!((64..=320).contains(&y), "{y}");
        }
    }
}
