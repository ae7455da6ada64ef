//! From the target of a team to the targets of its members, and back.
//!
//! Law: for each metric that has a sum, `team = sum(members) - buffer`, with a buffer that is never negative
//! and visible to all. The lead quality has no sum: it is a standard that everybody in the team shares.

use std::collections::HashSet;

use super::lines::{Figure, Metric, Quantity, TargetLine, WORKDAYS_MAX};
use super::{TargetOwner, WHOLE_PPM};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::fraction::Fraction;
use crate::id::UserId;
use crate::money::allocate;

/// Largest capacity of a member; leaves room to weigh it by [`WORKDAYS_MAX`] workdays in a u64.
pub const CAPACITY_MAX: u64 = 1_000_000_000_000_000;
/// Most members that one target is split over, and most children of one unit.
pub const MEMBERS_MAX: usize = 10_000;

/// What a member can do in the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Who.
    pub user_id: UserId,
    /// What a member's own work says they do in a whole period, in any unit that all members share.
    pub capacity: u64,
    /// Workdays of the period that the member spends in this team: fewer for who joins, leaves or is away.
    pub workdays: u32,
}

/// A member's part of the target of the team.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Who.
    pub user_id: UserId,
    /// What they are asked, metric by metric, in the order of the team's figures.
    pub figures: Vec<Figure>,
}

/// One part of a unit: a member, or a team below with all that it counts.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    /// Whose target it is.
    pub owner: TargetOwner,
    /// The people whom it counts: the member, or those who belong to the team below.
    pub persons: &'a [UserId],
    /// What it asks.
    pub lines: &'a [TargetLine],
}

/// A team's target with the targets that it is made of.
#[derive(Clone, Copy, Debug)]
pub struct RollUp<'a> {
    /// What the team is asked.
    pub lines: &'a [TargetLine],
    /// What its members are asked beyond that.
    pub buffer: &'a [TargetLine],
    /// The targets of members and teams below that are neither withdrawn nor replaced.
    pub children: &'a [Child<'a>],
}

/// Splits a team's figures plus the buffer over its members by capacity and workdays. The parts of each metric
/// sum to team plus buffer exactly; units left over go to the largest fractions, ties by id. The answer is
/// ordered by id, and the order of `capacities` does not matter.
///
/// # Errors
/// `REQUIRED` without members; `TOO_MANY`; `DUPLICATE` for a member who stands twice; `OUT_OF_RANGE` for a capacity or
/// workdays beyond their bounds, or when nobody has any; what is wrong with the buffer, as in
/// [`Target::set_buffer`](super::Target::set_buffer).
pub fn cascade(lines: &[TargetLine], buffer: &[Figure], capacities: &[Capacity]) -> Result<Vec<Share>> {
    check_buffer(lines, buffer)?;
    check_capacities(capacities)?;
    let mut members = capacities.to_vec();
    members.sort_by_key(|member| member.user_id);
    let weights: Vec<u64> =
        members.iter().map(|member| member.capacity.saturating_mul(u64::from(member.workdays))).collect();
    let mut shares: Vec<Share> =
        members.iter().map(|member| Share { user_id: member.user_id, figures: Vec::new() }).collect();
    for line in lines {
        let extra = buffer.iter().find(|figure| figure.metric == line.metric);
        let total = line.quantity.value().saturating_add(extra.map_or(0, |figure| figure.quantity.value()));
        let parts =
            if line.metric.is_additive() { allocate(total, &weights) } else { vec![total; members.len()] };
        for (share, part) in shares.iter_mut().zip(parts) {
            share.figures.push(Figure { metric: line.metric, quantity: line.quantity.with_value(part) });
        }
    }
    Ok(shares)
}

/// Splits a quantity over stretches of a period by their workdays, exactly: for somebody who moves, one part for
/// each team. A share is the same in each. Without any workday all belongs to the first stretch.
pub fn split_by_workdays(quantity: Quantity, workdays: &[u32]) -> Vec<Quantity> {
    if let Quantity::Share(_) = quantity {
        return vec![quantity; workdays.len()];
    }
    let weights: Vec<u64> = workdays.iter().map(|&days| u64::from(days)).collect();
    allocate(quantity.value(), &weights).into_iter().map(|part| quantity.with_value(part)).collect()
}

/// Whether the unit adds up and counts nobody twice.
///
/// # Errors
/// `ROLL_UP_BROKEN` for each metric, with the difference; `CURRENCY_MISMATCH`; `DUPLICATE`; `TOO_MANY`.
pub fn check_roll_up(unit: &RollUp<'_>) -> Result<()> {
    let mut problems = Problems::default();
    unit.check(&mut problems);
    problems.finish()
}

/// The buffer that the law leaves to a team with these members.
///
/// # Errors
/// `ROLL_UP_BROKEN` for each metric in which the members are asked less than the team; the others of
/// [`check_roll_up`].
pub fn buffer_of(lines: &[TargetLine], children: &[Child<'_>]) -> Result<Vec<Figure>> {
    let mut problems = Problems::default();
    check_children(children, &mut problems);
    let mut buffer = Vec::new();
    for line in lines.iter().filter(|line| line.metric.is_additive()) {
        let Some(sum) = problems.take("children", sum_of(children, line.figure())) else { continue };
        let left = sum - i128::from(line.quantity.value());
        if left < 0 {
            problems.push(broken(line.figure(), sum, 0));
        }
        buffer.push(Figure { quantity: line.quantity.with_value(narrow(left)?), metric: line.metric });
    }
    problems.finish()?;
    Ok(buffer)
}

/// The figures that a team must be asked so that the law holds for these members. The lead quality is that of all
/// their leads together. Metrics that no member has are left out.
///
/// # Errors
/// `ROLL_UP_BROKEN` where the buffer is larger than what the members are asked; the others of [`check_roll_up`].
pub fn roll_up(children: &[Child<'_>], buffer: &[Figure]) -> Result<Vec<Figure>> {
    let mut problems = Problems::default();
    check_children(children, &mut problems);
    let mut team = Vec::new();
    for &metric in Metric::ALL {
        let Some(like) = children.iter().find_map(|child| line_of(child.lines, metric)) else { continue };
        if !metric.is_additive() {
            team.extend(quality_of(children).map(|quantity| Figure { metric, quantity }));
            continue;
        }
        let Some(sum) = problems.take("children", sum_of(children, like.figure())) else { continue };
        let extra =
            buffer.iter().find(|figure| figure.metric == metric).map_or(0, |figure| figure.quantity.value());
        let rest = sum - i128::from(extra);
        if rest < 0 {
            problems.push(broken(Figure { metric, quantity: like.quantity.with_value(0) }, sum, extra));
        }
        team.push(Figure { metric, quantity: like.quantity.with_value(narrow(rest)?) });
    }
    problems.finish()?;
    Ok(team)
}

impl RollUp<'_> {
    pub(super) fn check(&self, problems: &mut Problems) {
        check_children(self.children, problems);
        for line in self.lines.iter().filter(|line| line.metric.is_additive()) {
            let Some(sum) = problems.take("children", sum_of(self.children, line.figure())) else { continue };
            let buffer = line_of(self.buffer, line.metric).map_or(0, |line| line.quantity.value());
            if buffer < 0 || sum - i128::from(buffer) != i128::from(line.quantity.value()) {
                problems.push(broken(line.figure(), sum, buffer));
            }
        }
    }
}

/// # Errors
/// `NOT_APPLICABLE` for a share and for a metric that is not in `lines`, `CURRENCY_MISMATCH`, `DUPLICATE`,
/// `OUT_OF_RANGE` for a negative or huge one.
pub(super) fn check_buffer(lines: &[TargetLine], buffer: &[Figure]) -> Result<()> {
    let mut problems = Problems::default();
    if buffer.len() > Metric::ALL.len() {
        let message = format!("A buffer has at most one number per metric; these are {}.", buffer.len());
        return Err(Problem::new(Code::TooMany, message).at("buffer").into());
    }
    let mut seen = HashSet::new();
    for (index, figure) in buffer.iter().enumerate() {
        let mut note = |code, message: String| {
            problems.push(Problem::new(code, message).at(index.to_string()).at("buffer"));
        };
        let metric = figure.metric.as_str();
        if !seen.insert(figure.metric) {
            note(Code::Duplicate, format!("{metric} stands twice."));
        }
        match line_of(lines, figure.metric) {
            Some(line) if !line.metric.is_additive() => {
                note(Code::NotApplicable, format!("{metric} is the same for all; it has no buffer."));
            }
            Some(line) if line.quantity.with_value(figure.quantity.value()) != figure.quantity => {
                note(Code::CurrencyMismatch, format!("{metric} of the team is counted in another unit."));
            }
            Some(_) => {
                if let Err(problem) = figure.quantity.check(0) {
                    note(problem.code, problem.message);
                }
            }
            None => note(Code::NotApplicable, format!("The team has no target for {metric}.")),
        }
    }
    problems.finish()
}

fn check_capacities(capacities: &[Capacity]) -> Result<()> {
    let mut problems = Problems::default();
    if capacities.is_empty() {
        return Err(Problem::required("members").into());
    }
    if capacities.len() > MEMBERS_MAX {
        let message = format!("A target is split over at most {MEMBERS_MAX} members.");
        return Err(Problem::new(Code::TooMany, message).at("members").into());
    }
    let mut seen = HashSet::new();
    for (index, member) in capacities.iter().enumerate() {
        let mut note = |field: &str, code, message: String| {
            problems.push(Problem::new(code, message).at(field).at(index.to_string()).at("members"));
        };
        if !seen.insert(member.user_id) {
            note("userId", Code::Duplicate, "A member is counted once; add up their workdays.".into());
        }
        if member.workdays > WORKDAYS_MAX {
            note("workdays", Code::OutOfRange, format!("A period has at most {WORKDAYS_MAX} workdays."));
        }
        if member.capacity > CAPACITY_MAX {
            note("capacity", Code::OutOfRange, format!("A capacity is at most {CAPACITY_MAX}."));
        }
    }
    if capacities.iter().all(|member| member.capacity == 0 || member.workdays == 0) {
        let message = "Nobody has capacity and workdays in this period.";
        problems.push(Problem::new(Code::OutOfRange, message).at("members"));
    }
    problems.finish()
}

fn check_children(children: &[Child<'_>], problems: &mut Problems) {
    if children.len() > MEMBERS_MAX {
        let message = format!("A unit has at most {MEMBERS_MAX} targets below it.");
        return problems.push(Problem::new(Code::TooMany, message).at("children"));
    }
    let (mut owners, mut persons) = (HashSet::new(), HashSet::new());
    for (index, child) in children.iter().enumerate() {
        let twice = |what: &str| {
            let problem = Problem::new(Code::Duplicate, format!("{what} is counted twice."));
            problem.at(index.to_string()).at("children")
        };
        if !owners.insert(child.owner) {
            problems.push(twice("This owner"));
        } else if let Some(person) = child.persons.iter().find(|&&person| !persons.insert(person)) {
            problems.push(twice(&format!("Person {person}")));
        }
    }
}

fn line_of(lines: &[TargetLine], metric: Metric) -> Option<&TargetLine> {
    lines.iter().find(|line| line.metric == metric)
}

/// What the children are asked in the metric and unit of `like`; a child without it is asked nothing.
fn sum_of(children: &[Child<'_>], like: Figure) -> Result<i128, Problem> {
    let lines = children.iter().filter_map(|child| line_of(child.lines, like.metric));
    lines.map(|line| line.quantity).try_fold(0, |sum: i128, quantity| {
        if like.quantity.with_value(quantity.value()) == quantity {
            return Ok(sum + i128::from(quantity.value()));
        }
        let message = format!("{} is counted in different currencies.", like.metric.as_str());
        Err(Problem::new(Code::CurrencyMismatch, message))
    })
}

/// Usable leads by all leads; `None` while nobody is asked for leads.
fn quality_of(children: &[Child<'_>]) -> Option<Quantity> {
    let (mut usable, mut leads) = (0, 0);
    for child in children {
        let value = |metric| line_of(child.lines, metric).map_or(0, |line| i128::from(line.quantity.value()));
        usable += value(Metric::LeadsCollected) * value(Metric::LeadQuality);
        leads += value(Metric::LeadsCollected);
    }
    let ppm = Fraction::new(usable, leads)?.round();
    Some(Quantity::Share(i64::try_from(ppm).unwrap_or(WHOLE_PPM)))
}

fn narrow(value: i128) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::Internal("a sum of targets leaves the range of an i64".into()))
}

fn broken(team: Figure, sum: i128, buffer: i64) -> Problem {
    let off = sum - i128::from(buffer) - i128::from(team.quantity.value());
    let side = if off < 0 { "below" } else { "above" };
    let show = |value: i128| match i64::try_from(value) {
        Ok(value) => team.quantity.with_value(value).to_string(),
        Err(_) => value.to_string(),
    };
    let (sum, buffer, off) = (show(sum), show(buffer.into()), show(off.abs()));
    let (metric, asked) = (team.metric.as_str(), team.quantity);
    let message = format!(
        "{metric}: the members' {sum} less a buffer of {buffer} lie {off} {side} the team's {asked}."
    );
    Problem::new(Code::RollUpBroken, message).at("children")
}

#[cfg(test)]
mod tests;
