//! The policies that say how soon complaints are answered.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::complaints::{NewSlaPolicy, SlaPolicy, SlaPolicyUpdate};
use evenhand_domain::error::{Error, Reference, Result};
use evenhand_domain::id::SlaPolicyId;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::patch::Patch;
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};

/// Adds a policy: complaints that are recorded or assessed from now on may follow it.
#[derive(Debug)]
pub struct CreateSlaPolicy(pub NewSlaPolicy);

impl Command for CreateSlaPolicy {
    const PERMISSION: Permission = Permission::ManageSlaPolicies;
    type Output = SlaPolicy;

    async fn run(&self, tx: &mut Tx) -> Result<SlaPolicy> {
        let change = SlaPolicy::create(&self.0, tx.new_id(), tx.now())?;
        if let Some(product) = self.0.criteria.product_id {
            tx.read().product(product).await.referenced("productId")?;
        }
        if let Some(calendar) = self.0.calendar_id {
            tx.read().work_calendar(calendar).await.referenced("calendarId")?;
        }
        tx.save(change).await
    }
}

/// Changes a policy. The clocks that follow it are recalculated, and keep what they promised before.
#[derive(Debug)]
pub struct UpdateSlaPolicy {
    /// Which policy.
    pub id: SlaPolicyId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: SlaPolicyUpdate,
}

impl Command for UpdateSlaPolicy {
    const PERMISSION: Permission = Permission::ManageSlaPolicies;
    type Output = SlaPolicy;

    async fn run(&self, tx: &mut Tx) -> Result<SlaPolicy> {
        let policy = tx.read().sla_policy(self.id).await?;
        if policy.version != self.version {
            return Err(Error::Conflict);
        }
        if let Patch::Set(calendar) = self.update.calendar_id {
            tx.read().work_calendar(calendar).await.referenced("calendarId")?;
        }
        let policy = tx.save(policy.update(&self.update, tx.now())?).await?;
        tx.look_at_all_complaints().await?;
        Ok(policy)
    }
}

/// Policies by id; unknown ids are left out.
#[derive(Debug)]
pub struct SlaPoliciesByIds(pub Vec<SlaPolicyId>);

impl Query for SlaPoliciesByIds {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<SlaPolicy>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<SlaPolicy>> {
        reader.sla_policies_by_ids(&self.0).await
    }
}

/// A page of policies, by name.
#[derive(Debug)]
pub struct ListSlaPolicies(pub PageRequest);

impl Query for ListSlaPolicies {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Page<SlaPolicy>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<SlaPolicy>> {
        reader.sla_policies(&self.0).await
    }
}

/// Number of policies.
#[derive(Debug)]
pub struct CountSlaPolicies;

impl Query for CountSlaPolicies {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_sla_policies().await
    }
}
