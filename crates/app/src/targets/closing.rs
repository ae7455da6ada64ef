//! The end of a period: its results are frozen, and become the base of the next targets.

use std::collections::HashMap;

use chrono::{Days, Duration, NaiveDate};
use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::attainment::{FORECAST_DAYS, ForecastScore};
use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::targets::{Closing, Side, Target, TargetOwner};
use evenhand_domain::time::{Period, Timestamp};
use evenhand_persistence::{Reader, Tx};

use super::{Sides, acting_as, person};
use crate::attainment::{Look, attain_all, last_instant};
use crate::door::Command;
use crate::reconciliation::{Facts, prove};

/// Most targets that one call closes.
pub const CLOSE_TARGETS_MAX: u64 = 200;

/// Freezes the results of a period that is over: of all targets that count and that the caller manages.
#[derive(Debug)]
pub struct ClosePeriod {
    /// Which.
    pub period: Period,
}

/// What was closed.
#[derive(Clone, Debug, Default)]
pub struct ClosedPeriod {
    /// The closed targets.
    pub targets: Vec<Target>,
    /// Whether more than [`CLOSE_TARGETS_MAX`] targets counted; close again.
    pub has_more: bool,
}

impl Command for ClosePeriod {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = ClosedPeriod;

    async fn run(&self, tx: &mut Tx) -> Result<ClosedPeriod> {
        let mut active = tx.read().active_targets(self.period, CLOSE_TARGETS_MAX + 1).await?;
        let has_more = active.len() as u64 > CLOSE_TARGETS_MAX;
        active.truncate(CLOSE_TARGETS_MAX as usize);
        let managed = managed(tx, active).await?;
        let (reader, end) = (tx.read(), last_instant(self.period, &tx.read()));
        let facts = Facts { period: self.period, as_of: Some(end) };
        let proof = prove(&reader, &facts).await?.proof;
        let first_open_day = first_open_day(&reader, self.period).await?;
        let moments = forecasts(self.period, &reader);
        let looks: Vec<Look<'_>> = managed
            .iter()
            .flat_map(|(target, _)| moments.iter().chain([&end]).map(|&at| Look::at(target, at)))
            .collect();
        let attained = attain_all(&reader, &looks).await?;
        let mut targets = Vec::new();
        for ((target, side), looks) in managed.iter().zip(attained.chunks(moments.len() + 1)) {
            let Some((result, earlier)) = looks.split_last() else { continue };
            let projected: Vec<_> = earlier.iter().map(|look| look.lines.clone()).collect();
            let forecasts = ForecastScore::of(&projected, &result.lines);
            let closing = Closing { first_open_day, reconciliation: &proof };
            let acting = acting_as(tx, person(tx)?.0, *side);
            let closed =
                target.close(closing, (result.lines.clone(), forecasts), result.position, &acting)?;
            targets.push(tx.save_closed(closed).await?);
        }
        Ok(ClosedPeriod { targets, has_more })
    }
}

/// Those of `targets` that the caller closes, with the side on which they act: nobody closes their own.
///
/// # Errors
/// `NOT_APPLICABLE` without any; `SELF_APPROVAL` where all are the caller's own.
async fn managed(tx: &Tx, targets: Vec<Target>) -> Result<Vec<(Target, Option<Side>)>> {
    let person = person(tx)?;
    let everywhere = tx.grant().scope() == Scope::Organization;
    let mut sides: HashMap<TargetOwner, Option<Side>> = HashMap::new();
    let (mut managed, mut own) = (Vec::new(), false);
    for target in targets {
        let side = match sides.get(&target.owner) {
            Some(&side) => side,
            None => Sides::of(&tx.read(), target.owner).await?.side(person),
        };
        sides.insert(target.owner, side);
        match side {
            Some(Side::Owner) => own = true,
            None if !everywhere => {}
            side => managed.push((target, side)),
        }
    }
    let refuse = |code, message: &str| Err(Problem::new(code, message).at("period").into());
    match (managed.is_empty(), own) {
        (false, _) => Ok(managed),
        (true, true) => {
            refuse(Code::SelfApproval, "Only your own targets count in this period; others close them.")
        }
        (true, false) => refuse(Code::NotApplicable, "No target that you manage counts in this period."),
    }
}

/// The first day of the period whose work is not closed.
async fn first_open_day(reader: &Reader<'_>, period: Period) -> Result<Option<NaiveDate>> {
    let close = reader.day_close().await?;
    let open = close.map_or(period.start(), |close| (close.through + Days::new(1)).max(period.start()));
    Ok((open < period.end()).then_some(open))
}

/// The moments of the forecasts that are scored: the end of each week of the period but the last.
fn forecasts(period: Period, reader: &Reader<'_>) -> Vec<Timestamp> {
    let weeks = (1..).map(|week| period.start() + Days::new(FORECAST_DAYS * week));
    let ends = weeks.take_while(|&day| day < period.end());
    let moment = |day| Timestamp::start_of(day, reader.grant().zone()).plus(Duration::microseconds(-1));
    ends.map(moment).collect()
}
