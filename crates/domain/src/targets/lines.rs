//! What a target asks for: metrics, quantities with their unit, and dated lines.

use std::collections::HashSet;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Code, Problem, Problems};
use crate::money::{AMOUNT_MINOR_MAX, Currency, Money};
use crate::time::Period;
use crate::wire::wire_enum;

/// The whole in parts per million: 100 %.
pub const WHOLE_PPM: i64 = 1_000_000;
/// Largest count that a target may ask for in one period.
pub const COUNT_MAX: i64 = 1_000_000_000;
/// Most workdays that a period can have.
pub const WORKDAYS_MAX: u32 = 366;
/// How long before its period a line or a piece of support may be due, in days: what becomes a deal in the
/// period is won over earlier.
pub const DUE_LEAD_DAYS_MAX: u64 = 366;

wire_enum! {
    /// What a target counts.
    Metric {
        /// Leads collected.
        LeadsCollected = "LEADS_COLLECTED",
        /// Share of the collected leads that are usable.
        LeadQuality = "LEAD_QUALITY",
        /// Calls made.
        Calls = "CALLS",
        /// Customers who became prospects.
        Prospects = "PROSPECTS",
        /// Deals won.
        DealsWon = "DEALS_WON",
        /// Revenue won.
        Revenue = "REVENUE",
    }
}

impl Metric {
    /// The five numbers that imply one another; a target has all of them.
    pub const FUNNEL: [Self; 5] =
        [Self::LeadsCollected, Self::LeadQuality, Self::Calls, Self::Prospects, Self::DealsWon];

    /// True where the number of a team is the sum of its members' numbers. A share is not: it is the ratio of
    /// two sums.
    pub fn is_additive(self) -> bool {
        self != Self::LeadQuality
    }
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quantity {
    /// Pieces: leads, calls, prospects, deals.
    Count(i64),
    /// A share in parts per million: 600 000 is 60 %.
    Share(i64),
    /// Money.
    Money(Money),
}

impl Quantity {
    /// The quantity of `metric` with this value: pieces, parts per million or minor units. `None` when a
    /// currency is missing for money, or given for anything else. For reading rows back.
    pub fn of(metric: Metric, value: i64, currency: Option<Currency>) -> Option<Self> {
        match (metric, currency) {
            (Metric::Revenue, Some(currency)) => Some(Self::Money(Money::new(value, currency))),
            (Metric::Revenue, None) | (_, Some(_)) => None,
            (Metric::LeadQuality, None) => Some(Self::Share(value)),
            (_, None) => Some(Self::Count(value)),
        }
    }

    /// The bare number: pieces, parts per million or minor units.
    pub fn value(self) -> i64 {
        match self {
            Self::Count(value) | Self::Share(value) => value,
            Self::Money(money) => money.minor,
        }
    }

    /// The currency, of money.
    pub fn currency(self) -> Option<Currency> {
        match self {
            Self::Money(money) => Some(money.currency),
            Self::Count(_) | Self::Share(_) => None,
        }
    }

    /// Another number in the same unit.
    #[must_use]
    pub fn with_value(self, value: i64) -> Self {
        match self {
            Self::Count(_) => Self::Count(value),
            Self::Share(_) => Self::Share(value),
            Self::Money(money) => Self::Money(Money::new(value, money.currency)),
        }
    }

    /// True when `metric` is counted in this unit.
    pub fn fits(self, metric: Metric) -> bool {
        Self::of(metric, self.value(), self.currency()) == Some(self)
    }

    /// Largest value that an input may name in this unit.
    fn most(self) -> i64 {
        match self {
            Self::Count(_) => COUNT_MAX,
            Self::Share(_) => WHOLE_PPM,
            Self::Money(_) => AMOUNT_MINOR_MAX,
        }
    }

    /// # Errors
    /// `OUT_OF_RANGE` unless the value lies between `least` and the bound of its unit.
    pub(super) fn check(self, least: i64) -> Result<Self, Problem> {
        if (least..=self.most()).contains(&self.value()) {
            return Ok(self);
        }
        let (least, most) = (self.with_value(least), self.with_value(self.most()));
        Err(Problem::new(Code::OutOfRange, format!("Expected {least} to {most}, not {self}.")))
    }

    /// The quantity as events tell it.
    pub(crate) fn view(self) -> Value {
        match self {
            Self::Count(count) => json!({ "count": count }),
            Self::Share(ppm) => json!({ "sharePpm": ppm }),
            Self::Money(money) => money.view(),
        }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Share(ppm) => write!(f, "{ppm} ppm"),
            Self::Money(money) => money.fmt(f),
        }
    }
}

/// A number of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What is counted.
    pub metric: Metric,
    /// How much.
    pub quantity: Quantity,
}

/// One number of a target, for the whole period and per workday, with the day it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetLine {
    /// What is counted.
    pub metric: Metric,
    /// How much in the period.
    pub quantity: Quantity,
    /// How much on each workday, rounded up; `None` for a share, which is the same every day.
    pub per_workday: Option<Quantity>,
    /// Last day on which it counts as done in time.
    pub due_by: NaiveDate,
}

impl TargetLine {
    /// The line that spreads `figure` over `workdays`, which are at least one.
    pub fn new(figure: Figure, workdays: u32, due_by: NaiveDate) -> Self {
        let Figure { metric, quantity } = figure;
        let days = i64::from(workdays.max(1));
        let per_workday = match quantity {
            Quantity::Share(_) => None,
            Quantity::Count(value) | Quantity::Money(Money { minor: value, .. }) => {
                let up = i64::from(value.rem_euclid(days) > 0);
                Some(quantity.with_value(value.div_euclid(days) + up))
            }
        };
        Self { metric, quantity, per_workday, due_by }
    }

    /// Metric and quantity.
    pub fn figure(&self) -> Figure {
        Figure { metric: self.metric, quantity: self.quantity }
    }

    /// The line as events tell it.
    pub(super) fn view(&self) -> Value {
        json!({
            "metric": self.metric, "quantity": self.quantity.view(),
            "perWorkday": self.per_workday.map(Quantity::view), "dueBy": self.due_by,
        })
    }
}

/// One wanted line of a target.
#[derive(Clone, Copy, Debug)]
pub struct NewLine {
    /// What is counted.
    pub metric: Metric,
    /// How much in the period.
    pub quantity: Quantity,
    /// Last day on which it counts as done in time.
    pub due_by: Option<NaiveDate>,
}

impl NewLine {
    /// Metric and quantity.
    pub(super) fn figure(self) -> Figure {
        Figure { metric: self.metric, quantity: self.quantity }
    }
}

/// The days on which something for `period` may be due.
pub(super) fn due_window(period: Period) -> std::ops::RangeInclusive<NaiveDate> {
    let first = period.start().checked_sub_days(Days::new(DUE_LEAD_DAYS_MAX)).unwrap_or(NaiveDate::MIN);
    let last = period.end().pred_opt().unwrap_or(NaiveDate::MAX);
    first..=last
}

/// # Errors
/// `OUT_OF_RANGE` for a day outside the [`due_window`].
pub(super) fn check_due(due_by: NaiveDate, period: Period) -> Result<NaiveDate, Problem> {
    let window = due_window(period);
    if window.contains(&due_by) {
        return Ok(due_by);
    }
    let message = format!("Expected a day from {} to {}.", window.start(), window.end());
    Err(Problem::new(Code::OutOfRange, message))
}

/// The lines of a target, in the order of [`Metric`]. Notes what is missing, wrong or undated in `problems`;
/// what is returned then is worth nothing.
pub(super) fn check_lines(
    lines: &[NewLine],
    period: Period,
    workdays: u32,
    problems: &mut Problems,
) -> Vec<TargetLine> {
    if !(1..=WORKDAYS_MAX).contains(&workdays) {
        let message = "The owner has no workday in this period.";
        problems.push(Problem::new(Code::OutOfRange, message).at("period"));
    }
    if lines.len() > Metric::ALL.len() {
        let message = format!("A target has at most one line per metric; these are {}.", lines.len());
        problems.push(Problem::new(Code::TooMany, message).at("lines"));
        return Vec::new();
    }
    let named =
        |metrics: Vec<Metric>| metrics.iter().map(|metric| metric.as_str()).collect::<Vec<_>>().join(", ");
    let has = |metric: &Metric| lines.iter().any(|line| line.metric == *metric);
    let missing: Vec<Metric> = Metric::FUNNEL.into_iter().filter(|metric| !has(metric)).collect();
    if !missing.is_empty() {
        let message = format!("Not quantified: give a number for {}.", named(missing));
        problems.push(Problem::new(Code::TargetNotQuantified, message).at("lines"));
    }
    let undated: Vec<Metric> =
        lines.iter().filter(|line| line.due_by.is_none()).map(|line| line.metric).collect();
    if !undated.is_empty() {
        let message = format!("Not dated: give the day on which it is due for {}.", named(undated));
        problems.push(Problem::new(Code::TargetNotDated, message).at("lines"));
    }
    let mut seen = HashSet::new();
    let mut checked: Vec<TargetLine> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut note = |field: &str, problem: Problem| {
            problems.push(problem.at(field).at(index.to_string()).at("lines"));
        };
        if !seen.insert(line.metric) {
            note("metric", Problem::new(Code::Duplicate, "A metric stands at most once."));
        }
        if !line.quantity.fits(line.metric) {
            let message = format!("{} is not counted in this unit.", line.metric.as_str());
            note("quantity", Problem::new(Code::NotApplicable, message));
        } else if let Err(problem) = line.quantity.check(1) {
            note("quantity", problem);
        }
        match line.due_by.map(|due_by| check_due(due_by, period)) {
            Some(Ok(due_by)) => checked.push(TargetLine::new(line.figure(), workdays, due_by)),
            Some(Err(problem)) => note("dueBy", problem),
            None => {} // Noted above, for all lines at once.
        }
    }
    checked.sort_by_key(|line| line.metric);
    checked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_date;

    fn usd(minor: i64) -> Quantity {
        Quantity::Money(Money::new(minor, Currency::parse("USD").expect("a currency")))
    }

    #[test]
    fn a_line_is_spread_over_workdays_rounded_up() {
        let due_by = parse_date("2026-11-30").expect("a date");
        for (metric, quantity, workdays, per_workday) in [
            (Metric::Calls, Quantity::Count(240), 20, Some(Quantity::Count(12))),
            (Metric::Calls, Quantity::Count(305), 21, Some(Quantity::Count(15))),
            (Metric::DealsWon, Quantity::Count(1), 21, Some(Quantity::Count(1))),
            (Metric::Revenue, usd(100), 3, Some(usd(34))),
            (Metric::LeadQuality, Quantity::Share(600_000), 20, None),
        ] {
            let line = TargetLine::new(Figure { metric, quantity }, workdays, due_by);
            assert_eq!(line.per_workday, per_workday, "{quantity} over {workdays}");
        }
    }

    #[test]
    fn each_metric_has_one_unit_and_rows_come_back() {
        for &metric in Metric::ALL {
            for quantity in [Quantity::Count(7), Quantity::Share(7), usd(7)] {
                let fits = match metric {
                    Metric::LeadQuality => matches!(quantity, Quantity::Share(_)),
                    Metric::Revenue => matches!(quantity, Quantity::Money(_)),
                    _ => matches!(quantity, Quantity::Count(_)),
                };
                assert_eq!(quantity.fits(metric), fits, "{metric:?} {quantity}");
            }
        }
        assert_eq!(Quantity::of(Metric::Revenue, 7, None), None);
        assert_eq!(Quantity::of(Metric::Calls, 7, usd(1).currency()), None);
    }
}
