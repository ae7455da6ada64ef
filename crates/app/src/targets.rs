//! Targets: proposed from history, answered, signed, supported, split over a team, and brought into force.

use evenhand_domain::access::{Actor, Permission, Role, Scope};
use evenhand_domain::change::Version;
use evenhand_domain::derivation::Derivation;
use evenhand_domain::error::{Code, Error, Problem, Reference, Result};
use evenhand_domain::filter::Filter;
use evenhand_domain::id::{DerivationId, TargetId, TeamId, UserId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::targets::{Acting, Side, Target, TargetOwner, TargetTerm};
use evenhand_domain::users::TeamRole;
use evenhand_persistence::{Reader, Tx};

use crate::door::Query;

mod agreement;
mod cascade;
mod closing;
mod lifecycle;
mod numbers;
mod unit;

pub use agreement::{AgreeTarget, AmendTarget, CounterTarget, ProposeTarget, WithdrawTarget};
pub use cascade::{CascadeTarget, Cascaded};
pub use closing::{CLOSE_TARGETS_MAX, ClosePeriod, ClosedPeriod};
pub use lifecycle::{ActivateTarget, CommitSupport, DeliverSupport};
pub use numbers::{GivenLine, Wish};
pub use unit::MissingOfTargets;

/// Loads the target that a command is about, as the client saw it.
async fn load(tx: &Tx, id: TargetId, version: Version) -> Result<Target> {
    let target = tx.read().target(id).await?;
    if target.version == version { Ok(target) } else { Err(Error::Conflict) }
}

/// The person who acts; nobody signs or sets targets in the name of the system, nor does a program.
fn person(tx: &Tx) -> Result<(UserId, Role)> {
    match tx.grant().actor() {
        Actor::User(principal) => Ok((principal.user, principal.role)),
        Actor::Anonymous | Actor::Client(_) | Actor::System { .. } => Err(Error::Forbidden),
    }
}

/// Who speaks for which side of a target.
struct Sides {
    owners: Vec<UserId>,
    managers: Vec<UserId>,
}

impl Sides {
    /// The owner's side is the person, or those who lead the owning team; the manager's side is whoever leads a
    /// team above them and may set targets.
    async fn of(reader: &Reader<'_>, owner: TargetOwner) -> Result<Self> {
        let (team, above): (Option<TeamId>, i32) = match owner {
            TargetOwner::Team(team) => (Some(team), 1),
            TargetOwner::User(user) => {
                let user = reader.user(user).await?;
                let stay = user.membership_on(reader.grant().today(reader.now()));
                // Who leads a team is led from above it.
                let above = i32::from(stay.is_some_and(|stay| stay.role == TeamRole::Lead));
                (stay.map(|stay| stay.team_id), above)
            }
        };
        let leads = match team {
            Some(team) => reader.leads_above(team).await?,
            None => Vec::new(),
        };
        let owners = match owner {
            TargetOwner::User(user) => vec![user],
            TargetOwner::Team(_) => {
                leads.iter().filter(|lead| lead.depth == 0).map(|lead| lead.user_id).collect()
            }
        };
        let managers = leads
            .iter()
            .filter(|lead| lead.depth >= above && matches!(lead.role, Role::Manager | Role::Admin))
            .map(|lead| lead.user_id)
            .filter(|user| !owners.contains(user))
            .collect();
        Ok(Self { owners, managers })
    }

    /// The side of a person. An administrator stands in only where nobody leads the owner.
    fn side(&self, (user, role): (UserId, Role)) -> Option<Side> {
        if self.owners.contains(&user) {
            Some(Side::Owner)
        } else if self.managers.contains(&user) || (self.managers.is_empty() && role == Role::Admin) {
            Some(Side::Manager)
        } else {
            None
        }
    }
}

/// Who leads a team above a person and may set their targets.
pub(crate) async fn managers_of(reader: &Reader<'_>, person: UserId) -> Result<Vec<UserId>> {
    Ok(Sides::of(reader, TargetOwner::User(person)).await?.managers)
}

/// The caller as the target's rules see them.
async fn acting(tx: &Tx, owner: TargetOwner) -> Result<Acting> {
    let person = person(tx)?;
    let side = Sides::of(&tx.read(), owner).await?.side(person);
    Ok(acting_as(tx, person.0, side))
}

fn acting_as(tx: &Tx, user_id: UserId, side: Option<Side>) -> Acting {
    Acting { user_id, side, now: tx.now(), zone: tx.grant().zone() }
}

/// # Errors
/// `NOT_PERMITTED` for somebody who neither leads the owner nor is the owner, whom the rules refuse with a reason of
/// their own.
fn check_leads(acting: &Acting) -> Result<()> {
    if acting.side.is_some() {
        return Ok(());
    }
    let message =
        "Targets are set by those who lead their owner; an administrator stands in where nobody does.";
    Err(Problem::new(Code::NotPermitted, message).at("ownerId").into())
}

/// As [`check_leads`], for steps that an administrator takes for the whole organisation, too.
fn check_manages(tx: &Tx, acting: &Acting) -> Result<()> {
    if tx.grant().scope() == Scope::Organization { Ok(()) } else { check_leads(acting) }
}

/// The owner, whom `field` of the input names, must exist, and a person must still be here.
async fn check_owner(reader: &Reader<'_>, owner: TargetOwner, field: &str) -> Result<()> {
    match owner {
        TargetOwner::User(user) => {
            Target::check_owner(&reader.user(user).await.referenced(field)?).map_err(|error| error.at(field))
        }
        TargetOwner::Team(team) => reader.team(team).await.referenced(field).map(drop),
    }
}

/// Targets by id; those that the caller may not see are left out.
#[derive(Debug)]
pub struct TargetsByIds(pub Vec<TargetId>);

impl Query for TargetsByIds {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Vec<Target>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Target>> {
        reader.targets_by_ids(&self.0).await
    }
}

/// The targets of which some are made; those that the caller may not see are left out.
#[derive(Debug)]
pub struct TargetsBelow(pub Vec<TargetId>);

impl Query for TargetsBelow {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Vec<Target>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Target>> {
        reader.targets_below(&self.0).await
    }
}

/// Derivations by id; those of targets that the caller may not see are left out.
#[derive(Debug)]
pub struct DerivationsByIds(pub Vec<DerivationId>);

impl Query for DerivationsByIds {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Vec<(DerivationId, Derivation)>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.derivations_by_ids(&self.0).await
    }
}

/// A page of targets, newest first.
#[derive(Debug)]
pub struct ListTargets {
    /// Which part.
    pub page: PageRequest,
    /// Which targets.
    pub filter: Filter<TargetTerm>,
}

impl Query for ListTargets {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Page<Target>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Target>> {
        reader.targets(&self.page, &self.filter).await
    }
}

/// Number of targets.
#[derive(Debug)]
pub struct CountTargets(pub Filter<TargetTerm>);

impl Query for CountTargets {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_targets(&self.0).await
    }
}
