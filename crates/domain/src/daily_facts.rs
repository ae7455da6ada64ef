//! Daily facts: what each person did on each local day, as an exact sum of single [`Fact`]s.
//!
//! The sum does not depend on the order or grouping of the facts. What is recorded after a day was closed
//! is late: it is summed beside the closed figures and never mixed into them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::activities::ActivityKind;
use crate::customers::{Customer, CustomerStage, StageChange};
use crate::error::{Error, Result};
use crate::id::{CustomerId, UserId};
use crate::money::{Currency, Money};
use crate::time::Timestamp;

mod closing;
pub use closing::{CLOSE_DAYS_MAX, CLOSE_MARGIN_SECONDS, Closes, DayClose, FACT_DAYS_MAX};
mod plausibility;
pub use plausibility::{
    ENTRY_DELAY_DAYS_MAX, Flag, Implausibility, SHORT_CALL_SECONDS_MAX, SHORT_CALLS_MIN,
    TALK_SECONDS_PER_DAY_MAX, flags,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FactKind {
    /// A lead was collected.
    LeadCollected,
    /// A lead turned out to be usable.
    CustomerQualified,
    /// A customer became a prospect.
    BecameProspect(CustomerId),
    /// A prospect was given up. Counts nothing; it is looked at by [`flags`].
    ProspectDropped(CustomerId),
    /// A call, visit or message was logged; only calls are counted.
    Activity {
        /// What was done.
        kind: ActivityKind,
        /// How long it took, in seconds.
        seconds: Option<u32>,
        /// Whether somebody answered the call.
        connected: Option<bool>,
    },
    /// A deal was won.
    DealWon,
    /// A won deal was taken back.
    DealCancelled,
    /// A part of a deal was credited; negative when it was taken back.
    Credited(Money),
}

/// One thing that happened, for one person's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    /// Whose figures it belongs to.
    pub user_id: UserId,
    /// When it happened (business time); decides the day.
    pub occurred_at: Timestamp,
    /// When we were told (system time); decides whether it is late.
    pub recorded_at: Timestamp,
    /// What happened.
    pub kind: FactKind,
}

impl FactKind {
    /// The fact of a step in a customer's stage history. `None` for steps that are no work of the funnel; a revived
    /// lead is not collected again.
    pub fn of_step(customer: CustomerId, from: Option<CustomerStage>, to: CustomerStage) -> Option<Self> {
        match (from, to) {
            (None, CustomerStage::Lead) => Some(Self::LeadCollected),
            (_, CustomerStage::Qualified) => Some(Self::CustomerQualified),
            (_, CustomerStage::Prospect) => Some(Self::BecameProspect(customer)),
            (Some(CustomerStage::Prospect), CustomerStage::Lost | CustomerStage::Dormant) => {
                Some(Self::ProspectDropped(customer))
            }
            _ => None,
        }
    }
}

/// A direct, booked credit line, as far as figures follow from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookedLine {
    /// Who is credited; `None` is the unassigned part.
    pub user_id: Option<UserId>,
    /// How much; negative in a reversal.
    pub amount: Money,
    /// When the deal was won, or cancelled for a reversal.
    pub occurred_at: Timestamp,
    /// When the line was written.
    pub recorded_at: Timestamp,
    /// Whether it takes another one back.
    pub is_reversal: bool,
}

impl Fact {
    /// For whom a step of this customer counts: who collected a lead, else who looks after the customer when the
    /// step is recorded.
    pub fn worker(customer: &Customer, step: &StageChange) -> Option<UserId> {
        if step.from.is_none() { customer.collected_by } else { customer.owner_id }
    }

    /// The facts of a deal of `owner_id` with all its direct, booked lines.
    ///
    /// The deal itself counts once, for its owner when it was won: one deal split among three people is one
    /// deal, so that the deals of all persons are the deals of the company. A cancellation takes it back on
    /// the day of the cancellation. Revenue follows the lines, as in the reconciliation.
    pub fn of_deal(owner_id: UserId, lines: &[BookedLine]) -> impl Iterator<Item = Self> {
        let fact = |line: &BookedLine, user_id, kind| Self {
            user_id,
            occurred_at: line.occurred_at,
            recorded_at: line.recorded_at,
            kind,
        };
        // A win writes at least one direct line, and a cancellation one counterpart for each.
        let won = lines.iter().find(|line| !line.is_reversal);
        let cancelled = lines.iter().find(|line| line.is_reversal);
        let counts = [(won, FactKind::DealWon), (cancelled, FactKind::DealCancelled)];
        let counts = counts.into_iter().filter_map(move |(line, kind)| Some(fact(line?, owner_id, kind)));
        let credits = lines
            .iter()
            .filter_map(move |line| Some(fact(line, line.user_id?, FactKind::Credited(line.amount))));
        counts.chain(credits)
    }
}

/// Sums over some facts. Cancellations count negative, so a figure may be negative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Leads collected.
    pub leads: i64,
    /// Leads found usable.
    pub qualified: i64,
    /// Calls, answered or not.
    pub calls: i64,
    /// Calls that somebody answered.
    pub connected_calls: i64,
    /// Length of all calls, in seconds.
    pub talk_seconds: i64,
    /// Customers that became prospects.
    pub prospects: i64,
    /// Deals won less deals cancelled, counted for their owner, see [`Fact::of_deal`].
    pub deals: i64,
    /// Direct credits in minor units by currency; never holds a zero.
    pub revenue: BTreeMap<Currency, i64>,
}

impl Figures {
    /// Adds one fact.
    ///
    /// # Errors
    /// [`Error::Internal`] when a sum leaves the range of an i64: more than 9,000 deals of the largest amount.
    pub fn record(&mut self, kind: FactKind) -> Result<()> {
        match kind {
            FactKind::LeadCollected => add(&mut self.leads, 1),
            FactKind::CustomerQualified => add(&mut self.qualified, 1),
            FactKind::BecameProspect(_) => add(&mut self.prospects, 1),
            FactKind::Activity { kind: ActivityKind::Call, seconds, connected } => {
                add(&mut self.calls, 1)?;
                add(&mut self.connected_calls, i64::from(connected == Some(true)))?;
                add(&mut self.talk_seconds, i64::from(seconds.unwrap_or(0)))
            }
            FactKind::ProspectDropped(_) | FactKind::Activity { .. } => Ok(()),
            FactKind::DealWon => add(&mut self.deals, 1),
            FactKind::DealCancelled => add(&mut self.deals, -1),
            FactKind::Credited(amount) => self.add_revenue(amount),
        }
    }

    /// Adds other figures.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        for (sum, term) in self.counts_mut().into_iter().zip(other.counts()) {
            add(sum, term)?;
        }
        other.revenue.iter().try_for_each(|(&currency, &minor)| self.add_revenue(Money { minor, currency }))
    }

    /// Takes other figures away.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        for (sum, term) in self.counts_mut().into_iter().zip(other.counts()) {
            add(sum, -term)?;
        }
        other
            .revenue
            .iter()
            .try_for_each(|(&currency, &minor)| self.add_revenue(Money { minor: -minor, currency }))
    }

    fn add_revenue(&mut self, amount: Money) -> Result<()> {
        let sum = self.revenue.entry(amount.currency).or_default();
        add(sum, amount.minor)?;
        if *sum == 0 {
            self.revenue.remove(&amount.currency);
        }
        Ok(())
    }

    fn counts(&self) -> [i64; 7] {
        let Self { leads, qualified, calls, connected_calls, talk_seconds, prospects, deals, .. } = *self;
        [leads, qualified, calls, connected_calls, talk_seconds, prospects, deals]
    }

    /// In the order of [`COUNT_NAMES`], as [`Figures::counts`].
    fn counts_mut(&mut self) -> [&mut i64; 7] {
        let Self { leads, qualified, calls, connected_calls, talk_seconds, prospects, deals, .. } = self;
        [leads, qualified, calls, connected_calls, talk_seconds, prospects, deals]
    }

    /// All figures by name, for comparison.
    fn named(&self, prefix: &str) -> BTreeMap<String, i64> {
        let counts = COUNT_NAMES.into_iter().zip(self.counts());
        let counts = counts.map(|(name, count)| (format!("{prefix}{name}"), count));
        let revenue = self
            .revenue
            .iter()
            .map(|(currency, &minor)| (format!("{prefix}revenue.{}", currency.code()), minor));
        counts.chain(revenue).collect()
    }
}

const COUNT_NAMES: [&str; 7] =
    ["leads", "qualified", "calls", "connectedCalls", "talkSeconds", "prospects", "deals"];

/// What one person did on one local day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyFact {
    /// The person.
    pub user_id: UserId,
    /// The local day.
    pub date: NaiveDate,
    /// When the day was closed; `None` while it is open.
    pub closed_at: Option<Timestamp>,
    /// Sums of what was recorded in time: by `closed_at`, inclusive.
    pub figures: Figures,
    /// Sums of what was recorded after the day was closed.
    pub late: Figures,
    /// Number of late facts. They can cancel out in `late`, so they are counted too.
    pub late_entries: u32,
}

impl DailyFact {
    /// A day without work.
    pub fn empty(user_id: UserId, date: NaiveDate, closed_at: Option<Timestamp>) -> Self {
        let (figures, late) = (Figures::default(), Figures::default());
        Self { user_id, date, closed_at, figures, late, late_entries: 0 }
    }

    /// Adds a fact of this person and day.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn record(&mut self, fact: &Fact) -> Result<()> {
        if self.closed_at.is_some_and(|closed_at| fact.recorded_at > closed_at) {
            self.late_entries = self.late_entries.saturating_add(1);
            self.late.record(fact.kind)
        } else {
            self.figures.record(fact.kind)
        }
    }

    /// Adds other facts of the same person and day, which was closed at the same instant.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.late_entries = self.late_entries.saturating_add(other.late_entries);
        self.figures.merge(&other.figures)?;
        self.late.merge(&other.late)
    }

    /// Closed and late figures together.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn total(&self) -> Result<Figures> {
        let mut total = self.figures.clone();
        total.merge(&self.late)?;
        Ok(total)
    }

    /// This day with the figures that were frozen when it was closed; all else is late.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn frozen(self, figures: Figures) -> Result<Self> {
        let mut late = self.total()?;
        late.subtract(&figures)?;
        Ok(Self { figures, late, ..self })
    }

    /// Whether anything was recorded after the day was closed.
    pub fn has_late(&self) -> bool {
        self.late_entries > 0 || self.late != Figures::default()
    }

    fn named(&self) -> BTreeMap<String, i64> {
        let mut named = self.figures.named("");
        named.extend(self.late.named("late."));
        named.insert("lateEntries".into(), i64::from(self.late_entries));
        named
    }
}

/// Sums facts by person and local day, ordered by both. `closed_at` says when a person's day was closed.
///
/// # Errors
/// As for [`Figures::record`].
pub fn fold(
    facts: impl IntoIterator<Item = Fact>,
    zone: Tz,
    closed_at: impl Fn(UserId, NaiveDate) -> Option<Timestamp>,
) -> Result<Vec<DailyFact>> {
    let mut days: BTreeMap<(UserId, NaiveDate), DailyFact> = BTreeMap::new();
    for fact in facts {
        let (user, date) = (fact.user_id, fact.occurred_at.date_in(zone));
        let day = days.entry((user, date));
        day.or_insert_with(|| DailyFact::empty(user, date, closed_at(user, date))).record(&fact)?;
    }
    Ok(days.into_values().collect())
}

/// A figure that is not what the facts say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactDifference {
    /// The person.
    pub user_id: UserId,
    /// The local day.
    pub date: NaiveDate,
    /// The figure, for example `calls`, `revenue.USD` or `late.calls`.
    pub field: String,
    /// What is stored; 0 where nothing is.
    pub stored: i64,
    /// What the facts add up to.
    pub recomputed: i64,
}

impl std::fmt::Display for FactDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user_id, date, field, stored, recomputed } = self;
        write!(f, "{field} of person {user_id} on {date}: stored {stored}, recomputed {recomputed}")
    }
}

/// The first figure, by person, day and name, in which stored days differ from recomputed ones. A missing day
/// equals a day of zeros.
pub fn first_difference(stored: &[DailyFact], recomputed: &[DailyFact]) -> Option<FactDifference> {
    let by_day = |days: &[DailyFact]| -> BTreeMap<(UserId, NaiveDate), BTreeMap<String, i64>> {
        days.iter().map(|day| ((day.user_id, day.date), day.named())).collect()
    };
    let (stored, recomputed) = (by_day(stored), by_day(recomputed));
    let keys: BTreeSet<_> = stored.keys().chain(recomputed.keys()).collect();
    let nothing = BTreeMap::new();
    keys.into_iter().find_map(|key| {
        let &(user_id, date) = key;
        let (left, right) = (stored.get(key).unwrap_or(&nothing), recomputed.get(key).unwrap_or(&nothing));
        let fields: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        fields.into_iter().find_map(|field| {
            let value = |figures: &BTreeMap<String, i64>| figures.get(field).copied().unwrap_or(0);
            let (stored, recomputed) = (value(left), value(right));
            (stored != recomputed).then(|| FactDifference {
                user_id,
                date,
                field: field.clone(),
                stored,
                recomputed,
            })
        })
    })
}

fn add(sum: &mut i64, term: i64) -> Result<()> {
    let overflow = || Error::Internal("a sum of daily facts leaves the range of an i64".into());
    *sum = sum.checked_add(term).ok_or_else(overflow)?;
    Ok(())
}

#[cfg(test)]
mod tests;
