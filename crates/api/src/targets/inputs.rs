//! What is wanted of a target, as input.

use async_graphql::{ID, InputObject, OneofObject};
use evenhand_app::targets::{GivenLine, Wish};
use evenhand_domain::derivation::{Assumed, Goal};
use evenhand_domain::error::{Code, Problem, Problems, Result};
use evenhand_domain::fraction::{Fraction, PPM};
use evenhand_domain::targets::{
    BandOverride, Figure, Metric, NewAction, NewResource, NewSupport, Quantity, ResourceKind, ResourceNeed,
};

use crate::ids;
use crate::scalars::{Date, Decimal, MoneyInput};
use crate::wire::Wire;

/// How much a target asks of a settled person: deals or revenue. Give exactly one.
#[derive(Clone, OneofObject)]
pub(crate) enum TargetGoalInput {
    /// So many deals, 1 to 1,000,000.
    Deals(i32),
    /// So much revenue, which the mean deal on record turns into deals.
    Revenue(MoneyInput),
}

impl TargetGoalInput {
    fn parse(&self) -> std::result::Result<Goal, Problem> {
        match self {
            Self::Deals(deals) => u64::try_from(*deals).map(Goal::Deals).map_err(|_| {
                Problem::new(Code::OutOfRange, "A goal is above zero and at most 1,000,000 deals.")
            }),
            Self::Revenue(money) => money.parse().map(Goal::Revenue).map_err(|problem| problem.at("revenue")),
        }
    }
}

/// A number or a day that takes the place of a derived one. It must follow from the goal within one unit.
#[derive(Clone, InputObject)]
pub(crate) struct TargetLineInput {
    /// Of which metric.
    metric: Wire<Metric>,
    /// How many; not for money.
    quantity: Option<i32>,
    /// How much money; only for money.
    money: Option<MoneyInput>,
    /// Last day on which it counts as done in time; the derived day if not given.
    due_by: Option<Date>,
}

impl TargetLineInput {
    fn quantity(&self) -> std::result::Result<Option<Quantity>, Problem> {
        quantity(self.quantity, self.money.as_ref())
    }
}

fn quantity(
    count: Option<i32>,
    money: Option<&MoneyInput>,
) -> std::result::Result<Option<Quantity>, Problem> {
    match (count, money) {
        (Some(_), Some(_)) => {
            Err(Problem::new(Code::NotApplicable, "Give either a number or money, not both.").at("money"))
        }
        (Some(count), None) => Ok(Some(Quantity::Count(count.into()))),
        (None, money) => {
            let money = money.map(MoneyInput::parse).transpose().map_err(|problem| problem.at("money"))?;
            Ok(money.map(Quantity::Money))
        }
    }
}

/// Rates for use where neither the owner nor the team has a history. They are labelled as assumed.
#[derive(Clone, InputObject)]
pub(crate) struct AssumedRatesInput {
    /// Deals per prospect, e.g. `0.2`.
    deals_per_prospect: Option<Decimal>,
    /// Prospects per call, e.g. `0.1`.
    prospects_per_call: Option<Decimal>,
    /// Calls per usable lead, e.g. `3`.
    calls_per_usable_lead: Option<Decimal>,
}

/// Why unusual terms are right, and who answers for that.
#[derive(Clone, InputObject)]
pub(crate) struct TargetOverrideInput {
    /// Why, 1 to 10,000 characters.
    reason: String,
    /// A manager or an administrator who is neither author nor owner, and who signs the terms as well.
    approver_id: ID,
}

impl TargetOverrideInput {
    pub(super) fn parse(&self) -> std::result::Result<BandOverride, Problem> {
        let approver_id = ids::decode(&self.approver_id).map_err(|problem| problem.at("approverId"))?;
        Ok(BandOverride { reason: self.reason.clone(), approver_id })
    }
}

/// Something to be done for a target.
#[derive(Clone, InputObject)]
pub(crate) struct SupportActionInput {
    /// What, 1 to 10,000 characters.
    text: String,
    /// Until when.
    due_by: Date,
}

/// Something that a department is to owe.
#[derive(Clone, InputObject)]
pub(crate) struct SupportResourceInput {
    /// What kind.
    kind: Wire<ResourceKind>,
    /// How many pieces; give this or money.
    quantity: Option<i32>,
    /// How much money; give this or a number of pieces.
    money: Option<MoneyInput>,
    /// Until when.
    due_by: Date,
    /// Name of the team that is to owe it; a member of it signs.
    department: String,
    /// Whether the target can do without.
    #[graphql(default_with = "Wire(ResourceNeed::Required)")]
    need: Wire<ResourceNeed>,
}

/// What is to be done for a target, and what departments are to owe to its owner.
#[derive(Clone, InputObject)]
pub(crate) struct SupportPlanInput {
    /// What is to be done, at most 50 actions.
    actions: Option<Vec<SupportActionInput>>,
    /// What departments are to owe, at most 50 resources.
    resources: Option<Vec<SupportResourceInput>>,
}

impl SupportPlanInput {
    fn parse(self) -> std::result::Result<NewSupport, Problem> {
        let action = |action: SupportActionInput| NewAction { text: action.text, due_by: action.due_by.0 };
        let resource = |(index, wanted): (usize, SupportResourceInput)| {
            let missing = || Problem::new(Code::Required, "Give a number of pieces or money.").at("quantity");
            let quantity = quantity(wanted.quantity, wanted.money.as_ref());
            let quantity = quantity.and_then(|quantity| quantity.ok_or_else(missing));
            Ok(NewResource {
                kind: wanted.kind.0,
                quantity: quantity.map_err(|found| found.at(index.to_string()).at("resources"))?,
                due_by: wanted.due_by.0,
                department: wanted.department,
                need: wanted.need.0,
            })
        };
        Ok(NewSupport {
            actions: self.actions.into_iter().flatten().map(action).collect(),
            resources: self
                .resources
                .into_iter()
                .flatten()
                .enumerate()
                .map(resource)
                .collect::<std::result::Result<_, Problem>>()?,
        })
    }
}

/// All that is wanted of a target.
pub(super) struct WishInput {
    pub(super) goal: TargetGoalInput,
    pub(super) quality: Option<Decimal>,
    pub(super) assumed_rates: Option<AssumedRatesInput>,
    pub(super) lines: Option<Vec<TargetLineInput>>,
    pub(super) effective_from: Option<Date>,
    pub(super) r#override: Option<TargetOverrideInput>,
    pub(super) support: Option<SupportPlanInput>,
}

/// Most digits of a rate; leaves room to reckon with it exactly.
const RATE_DIGITS_MAX: usize = 12;

/// An exact decimal number as a fraction; `None` for one of too many digits.
fn exact(decimal: &Decimal) -> Option<Fraction> {
    let (whole, rest) = decimal.0.split_once('.').unwrap_or((&decimal.0, ""));
    let rest = rest.trim_end_matches('0');
    let digits = format!("{whole}{rest}");
    let parsed = digits.parse().ok().filter(|_| digits.len() <= RATE_DIGITS_MAX);
    let scale = u32::try_from(rest.len()).ok().and_then(|places| 10_i128.checked_pow(places));
    parsed.zip(scale).and_then(|(number, scale)| Fraction::new(number, scale))
}

/// A share from 0 to 1 in parts per million, exact.
pub(crate) fn parts(decimal: &Decimal) -> Option<u32> {
    let ppm = exact(decimal)?.times(Fraction::whole(PPM.into())).filter(|ppm| ppm.denominator() == 1)?;
    u32::try_from(ppm.numerator()).ok().filter(|ppm| i64::from(*ppm) <= PPM)
}

fn fraction(decimal: &Decimal) -> std::result::Result<Fraction, Problem> {
    exact(decimal).filter(|rate| rate.is_positive()).ok_or_else(|| {
        let message = format!("Expected a number above zero of at most {RATE_DIGITS_MAX} digits.");
        Problem::new(Code::OutOfRange, message)
    })
}

fn quality(decimal: &Decimal) -> std::result::Result<u32, Problem> {
    parts(decimal).filter(|ppm| *ppm > 0).ok_or_else(|| {
        Problem::new(
            Code::OutOfRange,
            "The share of usable leads lies above 0 and not above 1, with at most six decimals.",
        )
    })
}

fn assumed(rates: Option<AssumedRatesInput>) -> std::result::Result<Assumed, Problem> {
    let Some(rates) = rates else { return Ok(Assumed::default()) };
    let rate = |field: &str, rate: Option<Decimal>| {
        rate.as_ref().map(fraction).transpose().map_err(|problem| problem.at(field))
    };
    Ok(Assumed {
        deals_per_prospect: rate("dealsPerProspect", rates.deals_per_prospect)?,
        prospects_per_call: rate("prospectsPerCall", rates.prospects_per_call)?,
        calls_per_usable_lead: rate("callsPerUsableLead", rates.calls_per_usable_lead)?,
    })
}

impl WishInput {
    pub(super) fn parse(self) -> Result<Wish> {
        let mut problems = Problems::default();
        let goal = problems.take("goal", self.goal.parse());
        let quality_ppm = problems.take("quality", self.quality.as_ref().map(quality).transpose());
        let assumed = problems.take("assumedRates", assumed(self.assumed_rates));
        let given = |(index, line): (usize, &TargetLineInput)| {
            let quantity = line.quantity().map_err(|problem| problem.at(index.to_string()))?;
            Ok(GivenLine { metric: line.metric.0, quantity, due_by: line.due_by.as_ref().map(|day| day.0) })
        };
        let lines: std::result::Result<_, Problem> =
            self.lines.iter().flatten().enumerate().map(given).collect();
        let lines = problems.take("lines", lines);
        let band_override =
            problems.take("override", self.r#override.as_ref().map(TargetOverrideInput::parse).transpose());
        let support = self.support.map(SupportPlanInput::parse).transpose();
        let support = problems.take("support", support);
        problems.finish_with(|| {
            Some(Wish {
                goal: goal?,
                quality_ppm: quality_ppm?,
                assumed: assumed?,
                lines: lines?,
                effective_from: self.effective_from.map(|day| day.0),
                band_override: band_override?,
                support: support?.unwrap_or_default(),
            })
        })
    }
}

/// What members are asked beyond their team.
pub(super) fn buffer(lines: Option<&Vec<TargetLineInput>>) -> std::result::Result<Vec<Figure>, Problem> {
    let figure = |(index, line): (usize, &TargetLineInput)| {
        let quantity = line.quantity().map_err(|problem| problem.at(index.to_string()))?;
        let missing = || Problem::required("quantity").at(index.to_string());
        Ok(Figure { metric: line.metric.0, quantity: quantity.ok_or_else(missing)? })
    };
    lines.into_iter().flatten().enumerate().map(figure).collect()
}
