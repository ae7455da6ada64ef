//! A team's target together with those of which it is made: the law is kept at every step.

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{TargetId, UserId};
use evenhand_domain::targets::cascade::{Child, RollUp, buffer_of, check_roll_up};
use evenhand_domain::targets::{Target, TargetLine, TargetOwner, TargetState};
use evenhand_persistence::{Reader, Tx};

use super::acting;
use crate::derivations::{day_within, people_of};
use crate::door::Query;

/// The targets below one, with the people whom each counts.
#[derive(Default)]
struct Unit(Vec<(Target, Vec<UserId>)>);

impl Unit {
    async fn below(reader: &Reader<'_>, parent: &Target) -> Result<Self> {
        Ok(Self::below_each(reader, &[parent.id]).await?.remove(&parent.id).unwrap_or_default())
    }

    /// The units of several targets, in as many statements as that of one.
    async fn below_each(reader: &Reader<'_>, parents: &[TargetId]) -> Result<HashMap<TargetId, Self>> {
        let parts = reader.unscoped_parts(parents).await?;
        let today = reader.grant().today(reader.now());
        let team = |part: &Target| match part.owner {
            TargetOwner::User(_) => None,
            TargetOwner::Team(team) => Some((team, day_within(part.period, today))),
        };
        let teams: Vec<_> = parts.iter().filter_map(team).collect();
        let members = people_of(reader, &teams).await?;
        let mut units: HashMap<TargetId, Self> = HashMap::new();
        for part in parts {
            let people = match part.owner {
                TargetOwner::User(user) => vec![user],
                TargetOwner::Team(_) => {
                    team(&part).and_then(|team| members.get(&team)).cloned().unwrap_or_default()
                }
            };
            if let Some(parent) = part.parent_id {
                units.entry(parent).or_default().0.push((part, people));
            }
        }
        Ok(units)
    }

    /// The parts, as the law counts them; `changed` has other lines, or none any more.
    fn children<'a>(&'a self, changed: Option<(TargetId, Option<&'a [TargetLine]>)>) -> Vec<Child<'a>> {
        let child = |(target, persons): &'a (Target, Vec<UserId>)| {
            let lines = match changed {
                Some((id, lines)) if id == target.id => lines?,
                _ => &target.terms.lines[..],
            };
            Some(Child { owner: target.owner, persons, lines })
        };
        self.0.iter().filter_map(child).collect()
    }
}

/// What a target asks once its open terms stand.
fn pending(target: &Target) -> &[TargetLine] {
    &target.amendment.as_ref().unwrap_or(&target.terms).lines
}

/// True once the target of a team is published: from then on its members' targets have to go on adding up.
fn is_published(target: &Target) -> bool {
    matches!(target.state, TargetState::Committed | TargetState::Active)
}

/// Keeps the law of a published unit when a part of it gets other lines, or is withdrawn: what the members are
/// asked beyond the team becomes its buffer. With `save` unset it is only looked at: the lines may stand later.
///
/// # Errors
/// `ROLL_UP_BROKEN` when the members would be asked less than the team.
pub(super) async fn keep_law(
    tx: &mut Tx,
    part: &Target,
    lines: Option<&[TargetLine]>,
    save: bool,
) -> Result<()> {
    let Some(parent) = part.parent_id else { return Ok(()) };
    let parent = tx.read().unscoped_target(parent).await?;
    if !is_published(&parent) {
        return Ok(());
    }
    let unit = Unit::below(&tx.read(), &parent).await?;
    let buffer = buffer_of(&parent.terms.lines, &unit.children(Some((part.id, lines))))?;
    let present: Vec<_> = parent.buffer.iter().map(TargetLine::figure).collect();
    if save && buffer != present {
        let acting = acting(tx, parent.owner).await?;
        let change = parent.set_buffer(&buffer, &acting)?;
        tx.save(change).await?;
    }
    Ok(())
}

/// Commits the target if nothing is missing any more; else it waits as it is: whatever completes it comes by here
/// again.
async fn commit(tx: &mut Tx, target: Target) -> Result<Target> {
    if !target.is_ready_to_commit() {
        return Ok(target);
    }
    let units = Units::of(&tx.read(), &[&target]).await?;
    if !units.missing(&target)?.is_empty() || !target.missing(tx.grant().today(tx.now())).is_empty() {
        return Ok(target);
    }
    let acting = acting(tx, target.owner).await?;
    let mut target = target;
    if let (TargetOwner::Team(_), Some(amendment)) = (target.owner, &target.amendment) {
        let buffer = buffer_of(&amendment.lines, &units.children(target.id, None))?;
        target = tx.save(target.set_buffer(&buffer, &acting)?).await?;
    }
    let change = match (target.owner, units.above(&target)) {
        (TargetOwner::Team(_), _) => {
            let children = units.children(target.id, None);
            let unit = RollUp { lines: pending(&target), buffer: &target.buffer, children: &children };
            target.commit(Some(&unit), &acting)?
        }
        (TargetOwner::User(_), Some(parent)) => {
            let children = units.children(parent.id, Some(&target));
            let buffer = buffer_above(parent, &children)?;
            let unit = RollUp { lines: &parent.terms.lines, buffer: &buffer, children: &children };
            target.commit(Some(&unit), &acting)?
        }
        (TargetOwner::User(_), None) => target.commit(None, &acting)?,
    };
    keep_law(tx, &target, Some(pending(&target)), true).await?;
    tx.save(change).await
}

/// The targets of teams in which some targets stand: the one that each is a part of, and all parts of that one and
/// of each.
struct Units {
    above: HashMap<TargetId, Target>,
    below: HashMap<TargetId, Unit>,
}

impl Units {
    async fn of(reader: &Reader<'_>, targets: &[&Target]) -> Result<Self> {
        let parents: Vec<TargetId> = targets.iter().filter_map(|target| target.parent_id).collect();
        let above = reader.unscoped_targets_by_ids(&parents).await?;
        let teams = targets.iter().filter(|target| matches!(target.owner, TargetOwner::Team(_)));
        let units: Vec<TargetId> = parents.into_iter().chain(teams.map(|target| target.id)).collect();
        Ok(Self {
            above: above.into_iter().map(|target| (target.id, target)).collect(),
            below: Unit::below_each(reader, &units).await?,
        })
    }

    fn above(&self, target: &Target) -> Option<&Target> {
        self.above.get(&target.parent_id?)
    }

    /// The parts of a target, of which `changed` asks what it asks once its open terms stand.
    fn children<'a>(&'a self, parent: TargetId, changed: Option<&'a Target>) -> Vec<Child<'a>> {
        let changed = changed.map(|target| (target.id, Some(pending(target))));
        self.below.get(&parent).map(|unit| unit.children(changed)).unwrap_or_default()
    }

    /// What keeps the target of a team and its parts from adding up, and the target with its siblings to the one
    /// above.
    fn missing(&self, target: &Target) -> Result<Vec<Problem>> {
        let mut missing = problems(self.check_below(target))?;
        missing.extend(problems(self.check_above(target))?);
        Ok(missing)
    }

    /// An amendment leaves what the members are asked as it is, so its buffer is what is left then.
    fn check_below(&self, target: &Target) -> Result<()> {
        let TargetOwner::Team(_) = target.owner else { return Ok(()) };
        let children = self.children(target.id, None);
        match &target.amendment {
            Some(amendment) => buffer_of(&amendment.lines, &children).map(drop),
            None => check_roll_up(&RollUp {
                lines: &target.terms.lines,
                buffer: &target.buffer,
                children: &children,
            }),
        }
    }

    fn check_above(&self, target: &Target) -> Result<()> {
        let Some(parent) = self.above(target) else { return Ok(()) };
        let children = self.children(parent.id, Some(target));
        let buffer = buffer_above(parent, &children)?;
        check_roll_up(&RollUp { lines: &parent.terms.lines, buffer: &buffer, children: &children })
    }
}

/// What a check has found.
fn problems(checked: Result<()>) -> Result<Vec<Problem>> {
    match checked {
        Ok(()) => Ok(Vec::new()),
        Err(Error::Rejected(problems)) => Ok(problems),
        Err(error) => Err(error),
    }
}

/// The buffer with which the unit above must add up: as set, or what is left once it is published.
fn buffer_above(parent: &Target, children: &[Child<'_>]) -> Result<Vec<TargetLine>> {
    if !is_published(parent) {
        return Ok(parent.buffer.clone());
    }
    let line = |figure| TargetLine::new(figure, parent.terms.workdays, parent.period.start());
    Ok(buffer_of(&parent.terms.lines, children)?.into_iter().map(line).collect())
}

/// What keeps each of some agreed targets or amendments from being committed; nothing for those that do not wait,
/// and for those that the caller may not see.
#[derive(Debug)]
pub struct MissingOfTargets(pub Vec<TargetId>);

impl Query for MissingOfTargets {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = HashMap<TargetId, Vec<Problem>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let targets = reader.targets_by_ids(&self.0).await?;
        let waiting: Vec<&Target> = targets.iter().filter(|target| target.waits_for_commit()).collect();
        let units = Units::of(reader, &waiting).await?;
        let above: Vec<TargetId> = units.above.keys().copied().collect();
        let seen = reader.targets_by_ids(&above).await?;
        let today = reader.grant().today(reader.now());
        let missing = |target: &&Target| {
            let mut missing = target.missing(today);
            missing.extend(problems(units.check_below(target))?);
            let above = problems(units.check_above(target))?;
            if above.is_empty() || seen.iter().any(|parent| Some(parent.id) == target.parent_id) {
                missing.extend(above);
            } else {
                // The numbers are those of a team whose target the caller does not see.
                let message = "The targets of the team that this one is a part of do not add up yet.";
                missing.push(Problem::new(Code::RollUpBroken, message));
            }
            Ok((target.id, missing))
        };
        waiting.iter().map(missing).collect()
    }
}

/// Commits a target that may have become ready, and everything in its unit that waited for it.
pub(super) async fn settle(tx: &mut Tx, target: Target) -> Result<Target> {
    let target = commit(tx, target).await?;
    let mut waiting = tx.read().unscoped_targets_below(target.id).await?;
    if let Some(parent) = target.parent_id {
        waiting.extend(tx.read().unscoped_targets_below(parent).await?);
        waiting.push(tx.read().unscoped_target(parent).await?);
    }
    for other in waiting {
        if other.id != target.id {
            commit(tx, other).await?;
        }
    }
    tx.read().unscoped_target(target.id).await
}
