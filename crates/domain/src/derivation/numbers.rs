//! Back-calculation: from deals wanted to the prospects, calls and leads that they take.

use serde::{Deserialize, Serialize};

use super::rates::FunnelRates;
use super::statistics::median_bounds;
use crate::error::{Code, Problem, Result};
use crate::fraction::{Fraction, PPM};
use crate::money::{Currency, Money};

/// Largest number that a target may name; beyond it the rates on record are too small to reach the goal.
pub const NUMBER_MAX: u64 = 1_000_000_000_000;

/// An amount of work in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// In the whole period.
    pub total: u64,
    /// In each workday, rounded up.
    pub per_workday: u64,
}

/// The linked numbers of a funnel. A number whose rate is unknown is `None`, and all that rest on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunnelNumbers {
    /// Workdays of the person in the period.
    pub workdays: u32,
    /// Deals to win.
    pub deals: u64,
    /// Prospects to find: `⌈deals / deals per prospect⌉`.
    pub prospects: Option<Amount>,
    /// Calls to make: `⌈prospects / prospects per call⌉`.
    pub calls: Option<Amount>,
    /// Share of leads that are to be usable: the quality target, or else the person's own rate.
    pub usable_share: Option<Fraction>,
    /// Leads to collect: `⌈calls / (calls per usable lead · usable share)⌉`.
    pub leads: Option<Amount>,
}

impl FunnelNumbers {
    /// Back-calculates from `deals` over `workdays`, which are not zero. `quality_ppm` is the wanted share of
    /// usable leads in parts per million. A larger goal never lowers a number.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` when a number exceeds [`NUMBER_MAX`].
    pub fn new(
        deals: u64,
        rates: &FunnelRates,
        quality_ppm: Option<u32>,
        workdays: u32,
    ) -> Result<Self, Problem> {
        let quality = quality_ppm.and_then(|ppm| Fraction::new(ppm.into(), PPM.into()));
        let usable_share = quality.or(rates.usable_share.value);
        let amount = |above: Option<u64>, rate: Option<Fraction>| match (above, rate) {
            (Some(above), Some(rate)) => needed(above, rate, workdays).map(Some),
            _ => Ok(None),
        };
        let prospects = amount(Some(deals), rates.deals_per_prospect.value)?;
        let calls = amount(prospects.map(|amount| amount.total), rates.prospects_per_call.value)?;
        let calls_per_lead = match (rates.calls_per_usable_lead.value, usable_share) {
            (Some(calls), Some(share)) => Some(calls.times(share).ok_or_else(too_large)?),
            _ => None,
        };
        let leads = amount(calls.map(|amount| amount.total), calls_per_lead)?;
        Ok(Self { workdays, deals, prospects, calls, usable_share, leads })
    }
}

/// `⌈above / rate⌉` units of work.
fn needed(above: u64, rate: Fraction, workdays: u32) -> Result<Amount, Problem> {
    let total = Fraction::whole(above.into()).over(rate).map(Fraction::ceil);
    let total = total.and_then(|total| u64::try_from(total).ok()).filter(|&total| total <= NUMBER_MAX);
    let total = total.ok_or_else(too_large)?;
    Ok(Amount { total, per_workday: total.div_ceil(u64::from(workdays.max(1))) })
}

fn too_large() -> Problem {
    let message = "The rates on record are too small to reach this goal; lower it or state other rates.";
    Problem::new(Code::OutOfRange, message).at("goal")
}

/// Sizes of won deals in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DealSizes {
    /// Their currency; all amounts are in its minor units.
    pub currency: Currency,
    /// Number of deals, not zero.
    pub count: u32,
    /// Sum of their values.
    pub sum_minor: i64,
    /// Median; the mean of the middle two, halves to even.
    pub median_minor: i64,
    /// Lower end of the 90 % interval of the median.
    pub median_low_minor: i64,
    /// Upper end of the 90 % interval of the median.
    pub median_high_minor: i64,
}

impl DealSizes {
    /// Sizes of deals, given in any order. `None` without deals.
    ///
    /// # Errors
    /// `CURRENCY_MISMATCH`, or `OUT_OF_RANGE` when they sum to more than an i64 holds.
    pub fn of(deals: &[Money]) -> Result<Option<Self>, Problem> {
        let Some(&Money { currency, .. }) = deals.first() else { return Ok(None) };
        if deals.iter().any(|deal| deal.currency != currency) {
            let message = "The deals are in different currencies; derive from those in one.";
            return Err(Problem::new(Code::CurrencyMismatch, message));
        }
        let mut sorted: Vec<i64> = deals.iter().map(|deal| deal.minor).collect();
        sorted.sort_unstable();
        let too_many = || Problem::new(Code::OutOfRange, "The deals sum to more than can be counted.");
        let sum = sorted.iter().map(|&minor| i128::from(minor)).sum::<i128>();
        let middle = sorted[(sorted.len() - 1) / 2] as i128 + sorted[sorted.len() / 2] as i128;
        let (low, high) = median_bounds(sorted.len());
        Ok(Some(Self {
            currency,
            count: u32::try_from(sorted.len()).map_err(|_| too_many())?,
            sum_minor: i64::try_from(sum).map_err(|_| too_many())?,
            median_minor: rounded(middle, 2).ok_or_else(too_many)?,
            median_low_minor: sorted[low],
            median_high_minor: sorted[high],
        }))
    }

    /// The mean, halves to even.
    pub fn mean(&self) -> Option<Money> {
        self.revenue(1)
    }

    /// What so many deals bring at the mean, rounded once, halves to even.
    pub fn revenue(&self, deals: u64) -> Option<Money> {
        let minor = rounded(i128::from(self.sum_minor).checked_mul(deals.into())?, self.count.into())?;
        Some(Money::new(minor, self.currency))
    }

    /// Deals that bring at least `revenue` at the mean. `None` when the mean is not positive.
    pub fn deals_for(&self, revenue: Money) -> Option<u64> {
        let mean =
            Fraction::new(self.sum_minor.into(), self.count.into()).filter(|mean| mean.is_positive())?;
        u64::try_from(Fraction::whole(revenue.minor.into()).over(mean)?.ceil()).ok()
    }
}

fn rounded(numerator: i128, denominator: i128) -> Option<i64> {
    i64::try_from(Fraction::new(numerator, denominator)?.round()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rates::{Assumed, FunnelCounts, Priors};
    use super::*;

    /// Rates that are stated, not observed.
    fn stated(deals: (i128, i128), prospects: (i128, i128), calls: (i128, i128)) -> FunnelRates {
        let fraction = |(numerator, denominator)| Fraction::new(numerator, denominator);
        let assumed = Assumed {
            deals_per_prospect: fraction(deals),
            prospects_per_call: fraction(prospects),
            calls_per_usable_lead: fraction(calls),
        };
        let nothing = FunnelCounts::default();
        FunnelRates::new(&nothing, &nothing, &Priors::default(), &assumed)
    }

    fn totals(numbers: FunnelNumbers) -> [Option<(u64, u64)>; 3] {
        [numbers.prospects, numbers.calls, numbers.leads]
            .map(|amount| amount.map(|amount| (amount.total, amount.per_workday)))
    }

    #[test]
    fn deals_are_traced_back_to_calls_and_leads() {
        let rates = stated((1, 6), (1, 10), (3, 1));
        let numbers = FunnelNumbers::new(4, &rates, Some(600_000), 20).expect("numbers");
        assert_eq!(totals(numbers), [Some((24, 2)), Some((240, 12)), Some((134, 7))]);
        assert_eq!(numbers.usable_share, Fraction::new(3, 5));

        let own = FunnelCounts {
            leads: 0,
            usable_leads: 560,
            calls: 1_400,
            prospects: 120,
            mature_prospects: 120,
            won_prospects: 18,
        };
        let team = FunnelCounts {
            leads: 0,
            usable_leads: 4_800,
            calls: 12_000,
            prospects: 1_000,
            mature_prospects: 1_000,
            won_prospects: 200,
        };
        let rates = FunnelRates::new(&own, &team, &Priors::default(), &Assumed::default());
        let values = rates.all().map(|rate| rate.value.map(|value| value.to_string()));
        assert_eq!(values, [Some("11/70".into()), Some("41/480".into()), Some("5/2".into()), None]);
        let numbers = FunnelNumbers::new(4, &rates, Some(600_000), 21).expect("numbers");
        assert_eq!(totals(numbers), [Some((26, 2)), Some((305, 15)), Some((204, 10))]);
    }

    #[test]
    fn what_is_unknown_stays_open_and_what_is_absurd_is_refused() {
        let unknown = (1, 0);
        let rates = stated((1, 6), unknown, (3, 1));
        let numbers = FunnelNumbers::new(4, &rates, Some(600_000), 20).expect("numbers");
        assert_eq!(totals(numbers), [Some((24, 2)), None, None]);
        let numbers = FunnelNumbers::new(4, &stated((1, 6), (1, 10), (3, 1)), None, 20).expect("numbers");
        assert_eq!(totals(numbers), [Some((24, 2)), Some((240, 12)), None]);
        let tiny = (1, 1_000_000_000);
        for rates in [stated(tiny, tiny, (3, 1)), stated((1, i128::MAX), (1, 1), (1, 1))] {
            let problem = FunnelNumbers::new(1_000_000, &rates, None, 20).expect_err("too large");
            assert_eq!((problem.code, problem.field.join(".")), (Code::OutOfRange, "goal".into()));
        }
        let nothing = FunnelNumbers::new(0, &stated((1, 6), (1, 10), (3, 1)), None, 20).expect("numbers");
        assert_eq!(totals(nothing), [Some((0, 0)), Some((0, 0)), None]);
    }

    #[test]
    fn sizes_of_deals_are_exact() {
        let currency = Currency::parse("USD").expect("a currency");
        let money = |minor| Money::new(minor, currency);
        let sizes =
            |minors: &[i64]| DealSizes::of(&minors.iter().map(|&minor| money(minor)).collect::<Vec<_>>());
        assert_eq!(sizes(&[]), Ok(None));
        for (minors, mean, median, bounds) in [
            (&[5][..], 5, 5, (5, 5)),
            (&[3, 1, 2], 2, 2, (1, 3)),
            // Halves go to the even number: 2.5 and 3.5.
            (&[1, 4], 2, 2, (1, 4)),
            (&[3, 4], 4, 4, (3, 4)),
            (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 100], 10, 0, (0, 0)),
        ] {
            let sizes = sizes(minors).expect("one currency").expect("deals");
            let seen = (sizes.mean().map(|mean| mean.minor), sizes.median_minor);
            assert_eq!(seen, (Some(mean), median), "{minors:?}");
            assert_eq!((sizes.median_low_minor, sizes.median_high_minor), bounds, "{minors:?}");
        }
        let sizes_of = sizes(&[100, 101]).expect("one currency").expect("deals");
        assert_eq!(sizes_of.revenue(3), Some(money(302)));
        for (minor, deals) in [(1, 1), (100, 1), (101, 2), (201, 2), (202, 3)] {
            assert_eq!(sizes_of.deals_for(money(minor)), Some(deals), "{minor}");
        }
        assert_eq!(sizes(&[0, 0]).expect("one currency").expect("deals").deals_for(money(1)), None);
        let mixed = [money(1), Money::new(1, Currency::parse("EUR").expect("a currency"))];
        assert_eq!(DealSizes::of(&mixed).map_err(|problem| problem.code), Err(Code::CurrencyMismatch));
        assert_eq!(sizes(&[i64::MAX, 1]).map_err(|problem| problem.code), Err(Code::OutOfRange));
    }

    proptest! {
        #[test]
        fn a_larger_goal_never_lowers_a_number_and_each_number_suffices(
            deals in 0_u64..10_000,
            more in 0_u64..1_000,
            [a, b, c, d, e, f] in prop::array::uniform6(1_i128..100),
            quality in 100_000_u32..=1_000_000,
            workdays in 1_u32..80,
        ) {
            let rates = stated((a, b), (c, d), (e, f));
            let numbers = |deals| FunnelNumbers::new(deals, &rates, Some(quality), workdays).expect("numbers");
            let (small, large) = (numbers(deals), numbers(deals + more));
            for (small, large) in totals(small).into_iter().zip(totals(large)) {
                prop_assert!(small <= large);
            }
            let [prospects, calls, leads] = totals(small).map(|amount| i128::from(amount.expect("known").0));
            prop_assert!(prospects * a >= i128::from(deals) * b && (prospects - 1) * a < i128::from(deals) * b);
            prop_assert!(calls * c >= prospects * d && (calls - 1) * c < prospects * d);
            let usable = i128::from(quality) * e;
            prop_assert!(leads * usable >= calls * f * 1_000_000 && (leads - 1) * usable < calls * f * 1_000_000);
        }
    }
}
