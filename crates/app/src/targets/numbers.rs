//! From a derivation to the lines of a target.

use chrono::NaiveDate;
use evenhand_domain::derivation::{Amount, Assumed, Derivation, FunnelStage, Goal};
use evenhand_domain::error::{Code, Problem, Problems, Result};
use evenhand_domain::id::DerivationId;
use evenhand_domain::targets::{
    BandOverride, Figure, Implied, Metric, NewLine, NewSupport, NewTerms, Quantity,
};

/// What somebody wants of a target.
#[derive(Clone, Debug)]
pub struct Wish {
    /// How much.
    pub goal: Goal,
    /// Wanted share of usable leads in parts per million; `None` takes the owner's own rate.
    pub quality_ppm: Option<u32>,
    /// Rates for use where neither owner nor team has a history.
    pub assumed: Assumed,
    /// Numbers and days that take the place of derived ones.
    pub lines: Vec<GivenLine>,
    /// First day of an amendment.
    pub effective_from: Option<NaiveDate>,
    /// Who answers for unusual terms, and why.
    pub band_override: Option<BandOverride>,
    /// What is to be done and owed.
    pub support: NewSupport,
}

/// A number or day that somebody gives.
#[derive(Clone, Copy, Debug)]
pub struct GivenLine {
    /// Of which metric.
    pub metric: Metric,
    /// How much; `None` takes the derived number.
    pub quantity: Option<Quantity>,
    /// Until when; `None` takes the derived day.
    pub due_by: Option<NaiveDate>,
}

impl Wish {
    /// The terms that this wish and its derivation make.
    ///
    /// # Errors
    /// `DUPLICATE`, and `NOT_APPLICABLE` for numbers that follow from goal and quality.
    pub(super) fn terms(&self, derivation: &Derivation, id: DerivationId) -> Result<NewTerms> {
        let follow = lines(derivation, &figures(derivation));
        // Those that are given stand first: what is wrong with one is told at its place in the input.
        let mut lines = Vec::new();
        let mut problems = Problems::default();
        for (index, given) in self.lines.iter().enumerate() {
            let mut note = |field: &str, code, message: &str| {
                problems.push(Problem::new(code, message).at(field).at(index.to_string()).at("lines"));
            };
            if self.lines.iter().take(index).any(|earlier| earlier.metric == given.metric) {
                note("metric", Code::Duplicate, "A metric stands at most once.");
            }
            if given.quantity.is_some() && matches!(given.metric, Metric::DealsWon | Metric::LeadQuality) {
                let message =
                    "Deals follow from the goal, and the share of usable leads is the quality; say it there.";
                note("quantity", Code::NotApplicable, message);
            }
            let follows = follow.iter().find(|line| line.metric == given.metric);
            match given.quantity.or(follows.map(|line| line.quantity)) {
                Some(quantity) => lines.push(NewLine {
                    metric: given.metric,
                    quantity,
                    due_by: given.due_by.or_else(|| due_by(derivation, given.metric)),
                }),
                None => {
                    note("quantity", Code::Required, "No number follows from what is on record; give one.")
                }
            }
        }
        problems.finish()?;
        let given = |line: &NewLine| self.lines.iter().any(|given| given.metric == line.metric);
        lines.extend(follow.into_iter().filter(|line| !given(line)));
        Ok(NewTerms {
            lines,
            effective_from: self.effective_from,
            band_override: self.band_override.clone(),
            support: self.support.clone(),
            ..derived(derivation, id)
        })
    }
}

/// Terms of a member that are their part of the team's numbers. These are linked by the derivation of the team,
/// of which each is the member's part to the unit.
pub(super) fn share_terms(derivation: &Derivation, id: DerivationId, share: &[Figure]) -> NewTerms {
    let value = |metric| {
        share.iter().find(|figure| figure.metric == metric).map_or(0, |found| found.quantity.value())
    };
    let implied = Implied {
        prospects: value(Metric::Prospects),
        calls: value(Metric::Calls),
        leads: value(Metric::LeadsCollected),
        revenue: None,
    };
    NewTerms { lines: lines(derivation, share), implied: Some(implied), ..derived(derivation, id) }
}

/// The deals among some figures, as a goal.
pub(super) fn deals_of(share: &[Figure]) -> u64 {
    let deals = share.iter().find(|figure| figure.metric == Metric::DealsWon);
    deals.and_then(|figure| u64::try_from(figure.quantity.value()).ok()).unwrap_or(0)
}

/// What the derivation says by itself, without lines.
fn derived(derivation: &Derivation, id: DerivationId) -> NewTerms {
    NewTerms {
        lines: Vec::new(),
        effective_from: None,
        workdays: derivation.numbers.workdays,
        implied: implied(derivation),
        derivation_id: Some(id),
        probability_ppm: derivation.achievability.map(|found| found.probability.ppm),
        band: derivation.inputs.band,
        band_override: None,
        support: NewSupport::default(),
    }
}

fn count(amount: Option<Amount>) -> Option<i64> {
    i64::try_from(amount?.total).ok()
}

/// The linked numbers; what rests on an unknown rate is missing.
fn figures(derivation: &Derivation) -> Vec<Figure> {
    let numbers = &derivation.numbers;
    let revenue = match derivation.inputs.goal {
        // Whoever asks for an amount is asked for just that, unless a ramp lowers it.
        Goal::Revenue(goal) if numbers.deals == derivation.settled_deals => Some(goal),
        _ => derivation.revenue,
    };
    [
        (Metric::LeadsCollected, count(numbers.leads).map(Quantity::Count)),
        (Metric::LeadQuality, numbers.usable_share.and_then(|share| share.ppm()).map(Quantity::Share)),
        (Metric::Calls, count(numbers.calls).map(Quantity::Count)),
        (Metric::Prospects, count(numbers.prospects).map(Quantity::Count)),
        (Metric::DealsWon, i64::try_from(numbers.deals).ok().map(Quantity::Count)),
        (Metric::Revenue, revenue.map(Quantity::Money)),
    ]
    .into_iter()
    .filter_map(|(metric, quantity)| Some(Figure { metric, quantity: quantity? }))
    .collect()
}

fn implied(derivation: &Derivation) -> Option<Implied> {
    let numbers = &derivation.numbers;
    let revenue = match derivation.inputs.goal {
        Goal::Deals(_) => derivation.revenue,
        Goal::Revenue(_) => None,
    };
    Some(Implied {
        prospects: count(numbers.prospects)?,
        calls: count(numbers.calls)?,
        leads: count(numbers.leads)?,
        revenue,
    })
}

fn lines(derivation: &Derivation, figures: &[Figure]) -> Vec<NewLine> {
    let line = |&Figure { metric, quantity }: &Figure| NewLine {
        metric,
        quantity,
        due_by: due_by(derivation, metric),
    };
    figures.iter().map(line).collect()
}

/// The last day on which the stage of a metric is wanted.
fn due_by(derivation: &Derivation, metric: Metric) -> Option<NaiveDate> {
    let stage = match metric {
        Metric::LeadsCollected | Metric::LeadQuality => FunnelStage::Leads,
        Metric::Calls => FunnelStage::Calls,
        Metric::Prospects => FunnelStage::Prospects,
        Metric::DealsWon | Metric::Revenue => FunnelStage::Deals,
    };
    derivation.stages.iter().find(|dates| dates.stage == stage).map(|dates| dates.last_on)
}
