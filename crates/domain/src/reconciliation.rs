//! Reconciliation: the proof that personal figures and company figures are the same money.
//!
//! Law: for each currency and each `as_of`, the direct credits of all persons plus the unassigned part equal
//! the company's total. The two sides come from different places, the credit lines and the deals themselves,
//! so that a fault in either shows. The basis is booked revenue; overlay lines are outside the law.
//!
//! `as_of` is business time: what had happened by then, whenever it was entered. A cancellation counts as a
//! negative amount on the day of the cancellation, never on the day of the win: cancelling a deal today does
//! not change the figures of a period that is over. Only a fact that is entered late, with its true date, does.

use std::collections::BTreeMap;

use chrono::Duration;
use chrono_tz::Tz;

use crate::error::{Error, Result};
use crate::id::{DealId, UserId};
use crate::money::{Currency, Money};
use crate::time::{Period, Timestamp};

mod teams;
pub use teams::{SegmentFigure, Segments, Stay, TeamRevenue};

/// Deals won and cancelled within a [`window`], counted from the deals themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompanyFigure {
    /// Currency of the values.
    pub currency: Currency,
    /// Sum of the values of the deals won, in minor units.
    pub won_minor: i64,
    /// Number of deals won, those cancelled later included.
    pub won_deals: i64,
    /// Sum of the values of the deals cancelled, in minor units, not negative.
    pub cancelled_minor: i64,
    /// Number of deals cancelled.
    pub cancelled_deals: i64,
}

/// Sum of direct credit lines of one person within a [`window`]; several for one person are added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CreditFigure {
    /// Who is credited; `None` is the unassigned part.
    pub user_id: Option<UserId>,
    /// Signed sum.
    pub amount: Money,
}

/// A deal whose direct credit lines within a [`window`] differ from what it adds to the company's total.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The deal.
    pub deal_id: DealId,
    /// What the deal adds to the company's total.
    pub deal_amount: Money,
    /// Sum of its direct credit lines, in the same currency.
    pub credited_amount: Money,
}

/// Won revenue of one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonRevenue {
    /// The person.
    pub user_id: UserId,
    /// Won less cancelled; may be negative.
    pub amount: Money,
}

/// Both sides of the law in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrencyReconciliation {
    /// The currency of all amounts here.
    pub currency: Currency,
    /// Won less cancelled according to the deals, in minor units; may be negative.
    pub company_total_minor: i64,
    /// Number of deals won, those cancelled later included.
    pub won_deals: i64,
    /// Number of deals cancelled.
    pub cancelled_deals: i64,
    /// Direct credits by person, ordered by id.
    pub persons: Vec<PersonRevenue>,
    /// Direct credits of nobody.
    pub unassigned: Money,
    /// The first deal whose two sides differ; `None` when all agree.
    pub first_difference: Option<Difference>,
}

impl CurrencyReconciliation {
    /// True when the law holds, in sum and for each deal.
    pub fn balanced(&self) -> bool {
        let persons: i128 = self.persons.iter().map(|person| i128::from(person.amount.minor)).sum();
        let credited = persons + i128::from(self.unassigned.minor);
        credited == i128::from(self.company_total_minor) && self.first_difference.is_none()
    }
}

/// The proof for a period, up to `as_of`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconciliation {
    /// The period.
    pub period: Period,
    /// Business time up to which facts count, inclusive.
    pub as_of: Timestamp,
    /// One entry for each currency that occurs, ordered by code; empty when nothing was won or cancelled.
    pub currencies: Vec<CurrencyReconciliation>,
}

impl Reconciliation {
    /// Puts the raw figures of a [`window`] side by side. Of `differences`, the first in each currency is kept.
    ///
    /// # Errors
    /// [`Error::Internal`] when a sum leaves the range of an i64.
    pub fn build(
        period: Period,
        as_of: Timestamp,
        company: &[CompanyFigure],
        credits: &[CreditFigure],
        differences: &[Difference],
    ) -> Result<Self> {
        let mut sides: BTreeMap<&str, Sides> = BTreeMap::new();
        for figure in company {
            let total = &mut side(&mut sides, figure.currency).company;
            add(&mut total.won_minor, figure.won_minor)?;
            add(&mut total.won_deals, figure.won_deals)?;
            add(&mut total.cancelled_minor, figure.cancelled_minor)?;
            add(&mut total.cancelled_deals, figure.cancelled_deals)?;
        }
        for figure in credits {
            let credited = &mut side(&mut sides, figure.amount.currency).credited;
            add(credited.entry(figure.user_id).or_default(), figure.amount.minor)?;
        }
        for difference in differences {
            side(&mut sides, difference.deal_amount.currency).difference.get_or_insert(*difference);
        }
        let currencies = sides.into_values().map(Sides::finish).collect::<Result<_>>()?;
        Ok(Self { period, as_of, currencies })
    }

    /// True when the law holds in every currency.
    pub fn balanced(&self) -> bool {
        self.currencies.iter().all(CurrencyReconciliation::balanced)
    }
}

/// The instants `[from, until)` whose facts count for `period` at `as_of`, which is inclusive itself.
/// The window is empty (`until <= from`) when `as_of` lies before the period.
pub fn window(period: Period, zone: Tz, as_of: Timestamp) -> (Timestamp, Timestamp) {
    let (from, to) = period.bounds(zone);
    // Instants are whole microseconds, so the next one after `as_of` is the first that no longer counts.
    (from, to.min(as_of.plus(Duration::microseconds(1))))
}

/// What is known of one currency while figures are gathered.
struct Sides {
    company: CompanyFigure,
    credited: BTreeMap<Option<UserId>, i64>,
    difference: Option<Difference>,
}

impl Sides {
    fn finish(mut self) -> Result<CurrencyReconciliation> {
        let company = self.company;
        let money = |minor| Money::new(minor, company.currency);
        let unassigned = money(self.credited.remove(&None).unwrap_or(0));
        let person = |(user_id, minor): (Option<UserId>, i64)| {
            user_id.map(|user_id| PersonRevenue { user_id, amount: money(minor) })
        };
        Ok(CurrencyReconciliation {
            currency: company.currency,
            company_total_minor: company
                .won_minor
                .checked_sub(company.cancelled_minor)
                .ok_or_else(overflow)?,
            won_deals: company.won_deals,
            cancelled_deals: company.cancelled_deals,
            persons: self.credited.into_iter().filter_map(person).collect(),
            unassigned,
            first_difference: self.difference,
        })
    }
}

fn side<'a>(sides: &'a mut BTreeMap<&str, Sides>, currency: Currency) -> &'a mut Sides {
    sides.entry(currency.code()).or_insert_with(|| Sides {
        company: CompanyFigure {
            currency,
            won_minor: 0,
            won_deals: 0,
            cancelled_minor: 0,
            cancelled_deals: 0,
        },
        credited: BTreeMap::new(),
        difference: None,
    })
}

fn add(sum: &mut i64, term: i64) -> Result<()> {
    *sum = sum.checked_add(term).ok_or_else(overflow)?;
    Ok(())
}

fn overflow() -> Error {
    Error::Internal("a sum of the reconciliation leaves the range of an i64".into())
}

#[cfg(test)]
mod tests;
