//! A team's target together with those of which it is made: the law is kept at every step.

use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{TargetId, UserId};
use evenhand_domain::targets::cascade::{Child, RollUp, buffer_of, check_roll_up};
use evenhand_domain::targets::{Acting, Target, TargetLine, TargetOwner, TargetState};
use evenhand_persistence::Tx;

use super::acting;
use crate::derivations::{day_within, people_of};

/// The targets below one, with the people whom each counts.
struct Unit(Vec<(Target, Vec<UserId>)>);

impl Unit {
    async fn below(tx: &Tx, parent: &Target) -> Result<Self> {
        let mut children = Vec::new();
        for child in tx.read().unscoped_targets_below(parent.id).await? {
            let people = match child.owner {
                TargetOwner::User(user) => vec![user],
                TargetOwner::Team(team) => {
                    let day = day_within(parent.period, tx.grant().today(tx.now()));
                    people_of(&tx.read(), team, day).await?
                }
            };
            children.push((child, people));
        }
        Ok(Self(children))
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

/// Keeps the law of a unit when a part of it gets other lines, or is withdrawn: what the members are asked beyond the
/// team becomes its buffer. With `save` unset it is only looked at: the lines may stand later.
///
/// # Errors
/// `ROLL_UP_BROKEN` when the members would be asked less than a team whose target is published.
pub(super) async fn keep_law(
    tx: &mut Tx,
    part: &Target,
    lines: Option<&[TargetLine]>,
    save: bool,
) -> Result<()> {
    let Some(parent) = part.parent_id else { return Ok(()) };
    let parent = tx.read().unscoped_target(parent).await?;
    if matches!(parent.state, TargetState::Closed | TargetState::Withdrawn) {
        return Ok(());
    }
    let unit = Unit::below(tx, &parent).await?;
    let buffer = match buffer_of(&parent.terms.lines, &unit.children(Some((part.id, lines)))) {
        // Nothing is published before it adds up; until then the members may ask for less.
        Err(Error::Rejected(_)) if !is_published(&parent) => return Ok(()),
        buffer => buffer?,
    };
    let present: Vec<_> = parent.buffer.iter().map(TargetLine::figure).collect();
    if save && buffer != present {
        let acting = acting(tx, parent.owner).await?;
        let change = parent.set_buffer(&buffer, &acting)?;
        tx.save(change).await?;
    }
    Ok(())
}

/// Commits the target if nothing is missing any more; else it waits as it is.
async fn commit(tx: &mut Tx, target: Target) -> Result<Target> {
    if !target.is_ready_to_commit() {
        return Ok(target);
    }
    match try_commit(tx, &target).await {
        Ok(committed) => Ok(committed),
        // The unit does not add up yet: whatever makes it add up comes by here again.
        Err(Error::Rejected(_)) => Ok(target),
        Err(error) => Err(error),
    }
}

async fn try_commit(tx: &mut Tx, target: &Target) -> Result<Target> {
    let acting = acting(tx, target.owner).await?;
    let parent = match target.parent_id {
        Some(id) => Some(tx.read().unscoped_target(id).await?),
        None => None,
    };
    let change = match (&parent, target.owner) {
        (_, TargetOwner::Team(_)) => {
            if let Some(parent) = &parent {
                check_above(tx, parent, target).await?;
            }
            return commit_team(tx, target, &acting).await;
        }
        (Some(parent), _) => {
            let unit = Unit::below(tx, parent).await?;
            let children = unit.children(Some((target.id, Some(pending(target)))));
            let buffer = buffer_above(parent, &children)?;
            let roll_up = RollUp { lines: &parent.terms.lines, buffer: &buffer, children: &children };
            target.commit(Some(&roll_up), &acting)?
        }
        (None, _) => target.commit(None, &acting)?,
    };
    keep_law(tx, target, Some(pending(target)), true).await?;
    tx.save(change).await
}

/// The buffer with which the unit above must add up: as set, or what is left once it is published.
fn buffer_above(parent: &Target, children: &[Child<'_>]) -> Result<Vec<TargetLine>> {
    if !is_published(parent) {
        return Ok(parent.buffer.clone());
    }
    let line = |figure| TargetLine::new(figure, parent.terms.workdays, parent.period.start());
    Ok(buffer_of(&parent.terms.lines, children)?.into_iter().map(line).collect())
}

async fn check_above(tx: &Tx, parent: &Target, target: &Target) -> Result<()> {
    let unit = Unit::below(tx, parent).await?;
    let children = unit.children(Some((target.id, Some(pending(target)))));
    let buffer = buffer_above(parent, &children)?;
    check_roll_up(&RollUp { lines: &parent.terms.lines, buffer: &buffer, children: &children })
}

/// Commits the target of a team. An amendment of it leaves what its members are asked as it is, so its buffer is
/// what is left then.
async fn commit_team(tx: &mut Tx, target: &Target, acting: &Acting) -> Result<Target> {
    let unit = Unit::below(tx, target).await?;
    let children = unit.children(None);
    let mut target = target.clone();
    if let Some(amendment) = &target.amendment {
        let buffer = buffer_of(&amendment.lines, &children)?;
        target = tx.save(target.set_buffer(&buffer, acting)?).await?;
    }
    let roll_up = RollUp { lines: pending(&target), buffer: &target.buffer, children: &children };
    let change = target.commit(Some(&roll_up), acting)?;
    keep_law(tx, &target, Some(pending(&target)), true).await?;
    tx.save(change).await
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
