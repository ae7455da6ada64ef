//! How long a target takes to derive: `cargo bench -p evenhand-domain --bench derivation`.

use std::collections::BTreeMap;
use std::hint::black_box;

use chrono::{Months, NaiveDate};
use criterion::{Criterion, criterion_group, criterion_main};
use evenhand_domain::calendars::WorkHours;
use evenhand_domain::derivation::{
    Assumed, Band, DRAWS_DEFAULT, DayCount, DealSizes, Derivation, Draws, FunnelCounts, Goal, Inputs, Lag,
    Lags, Priors, day_series,
};
use evenhand_domain::id::{EntityId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::time::{DateRange, Period, PeriodKind};
use uuid::Uuid;

/// People whose days a new hire is judged by.
const TEAM: usize = 10;
/// Workdays of the month that is drawn.
const MONTH_DAYS: u32 = 21;
const SEED: [u8; 32] = [7; 32];

fn first_of_november(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 11, 1).expect("a date")
}

/// Workdays of the `months` before November 2026, with a deal on every `every`-th.
fn days(months: u32, every: usize) -> Vec<DayCount> {
    let to = first_of_november(2026);
    let from = to.checked_sub_months(Months::new(months)).expect("a date");
    let hours = WorkHours::standard(chrono_tz::UTC);
    let mut days = day_series(&BTreeMap::new(), DateRange { from, to }, &hours, &[]);
    days.iter_mut().step_by(every).for_each(|day| day.count = 1);
    days
}

/// Four deals in November 2026, asked of somebody of a team of ten, with `months` of history of their own.
fn inputs(months: u32) -> Inputs {
    let counts = |n: u32| FunnelCounts {
        leads: 1_000 * n,
        usable_leads: 560 * n,
        calls: 1_400 * n,
        prospects: 120 * n,
        mature_prospects: 120 * n,
        won_prospects: 18 * n,
    };
    let deals: Vec<_> =
        (1..=100).map(|n| Money::new(n * 10_000, Currency::parse("USD").expect("a currency"))).collect();
    let sizes = DealSizes::of(&deals).expect("one currency");
    let lags = |conversions| Lags {
        lead_to_prospect: Some(Lag { workdays: 5, conversions }),
        prospect_to_deal: Some(Lag { workdays: 20, conversions }),
    };
    Inputs {
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        period: Period::new(PeriodKind::Month, first_of_november(2026)).expect("a month"),
        goal: Goal::Deals(4),
        band: Band::BASE,
        quality_ppm: None,
        window: DateRange { from: first_of_november(2025), to: first_of_november(2026) },
        maturity_days: 60,
        own: counts(1),
        team: counts(10),
        priors: Priors::default(),
        assumed: Assumed::default(),
        own_days: days(months, 6),
        team_days: (0..TEAM).map(|person| days(12, 3 + person)).collect(),
        season: None,
        own_sizes: sizes,
        team_sizes: sizes,
        own_lags: lags(18),
        team_lags: lags(180),
        hired_on: None,
        ramp: None,
        hours: WorkHours::standard(chrono_tz::UTC),
        leave: vec![],
        draws: DRAWS_DEFAULT,
        cites: vec![],
    }
}

fn derivation(criterion: &mut Criterion) {
    for (name, months) in [("own year", 12), ("own quarter, drawn from the team", 3)] {
        let inputs = inputs(months);
        criterion.bench_function(&format!("derive/{name}"), |bencher| {
            bencher.iter(|| Derivation::derive(black_box(inputs.clone())).expect("a derivation"));
        });
    }
}

fn bootstrap(criterion: &mut Criterion) {
    let series = [days(24, 6).iter().map(|day| day.count).collect()];
    criterion.bench_function("draws/a month from two years", |bencher| {
        bencher.iter(|| Draws::new(black_box(&series), MONTH_DAYS, DRAWS_DEFAULT, SEED));
    });
}

criterion_group!(benches, derivation, bootstrap);
criterion_main!(benches);
