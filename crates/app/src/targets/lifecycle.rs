//! What happens to agreed terms: support is signed and delivered, and the target counts.

use chrono::NaiveDate;
use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::id::{SupportResourceId, TargetId};
use evenhand_domain::targets::Target;
use evenhand_persistence::Tx;

use super::unit::settle;
use super::{acting, check_manages, check_owner, load, person};
use crate::door::Command;

/// A department signs that it will deliver a resource.
#[derive(Debug)]
pub struct CommitSupport {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// Which resource.
    pub resource_id: SupportResourceId,
}

impl Command for CommitSupport {
    const PERMISSION: Permission = Permission::CommitSupport;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        let acting = acting(tx, target.owner).await?;
        let caller = tx.read().user(person(tx)?.0).await?;
        let Some(stay) = caller.membership_on(acting.today()) else {
            let message = "You are in no team today; somebody of the department signs.";
            return Err(Problem::new(Code::NotPermitted, message).at("resourceId").into());
        };
        let department = tx.read().team(stay.team_id).await?.name;
        let change = target.commit_support(self.resource_id, &department, &acting)?;
        let committed = tx.save(change).await?;
        settle(tx, committed).await
    }
}

/// Records that a resource was delivered.
#[derive(Debug)]
pub struct DeliverSupport {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// Which resource.
    pub resource_id: SupportResourceId,
    /// Local day on which it came; `None` means today.
    pub delivered_on: Option<NaiveDate>,
}

impl Command for DeliverSupport {
    const PERMISSION: Permission = Permission::CommitSupport;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        let acting = acting(tx, target.owner).await?;
        let day = self.delivered_on.unwrap_or_else(|| acting.today());
        let change = target.deliver_support(self.resource_id, day, &acting)?;
        tx.save(change).await
    }
}

/// Lets a target count from the first day of its period.
#[derive(Debug)]
pub struct ActivateTarget {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// Why, for a target that was published after its period began.
    pub reason: Option<String>,
}

impl Command for ActivateTarget {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        check_owner(&tx.read(), target.owner, "id").await?;
        let acting = acting(tx, target.owner).await?;
        check_manages(tx, &acting)?;
        let change = target.activate(self.reason.as_deref(), &acting)?;
        tx.save(change).await
    }
}
