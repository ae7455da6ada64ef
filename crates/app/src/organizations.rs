//! Settings of the organisation.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::organizations::{Organization, OrganizationUpdate};
use evenhand_persistence::Tx;

use crate::door::Command;

/// Changes settings of the caller's organisation.
#[derive(Debug)]
pub struct UpdateOrganization {
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: OrganizationUpdate,
}

impl Command for UpdateOrganization {
    const PERMISSION: Permission = Permission::ManageOrganization;
    type Output = Organization;

    async fn run(&self, tx: &mut Tx) -> Result<Organization> {
        let organization = tx.read().organization().await?;
        if organization.version != self.version {
            return Err(Error::Conflict);
        }
        tx.save(organization.update(&self.update)?).await
    }
}
