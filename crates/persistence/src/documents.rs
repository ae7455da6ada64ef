//! Rows of registered documents. Registered from the command line, so there is no event.
//!
//! Each lookup names the organisation; there is no grant, because it comes before anybody's rights are read.

use std::collections::HashSet;

use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::error::database_error;
use crate::row::entity;
use crate::store::Store;

entity!(trusted_document, "trusted_documents", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    hash: String,
    document: String,
    registered_at: DateTimeUtc,
});
entity!(trusted_client, "trusted_clients", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    client: String,
});

impl Store {
    /// Registers a document; one that is registered already stays as it is.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn register_document(
        &self,
        organization: OrganizationId,
        hash: &str,
        document: &str,
        now: Timestamp,
    ) -> Result<()> {
        let row = trusted_document::Model {
            org_id: organization.uuid(),
            hash: hash.to_owned(),
            document: document.to_owned(),
            registered_at: now.utc(),
        };
        trusted_document::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::columns([trusted_document::Column::OrgId, trusted_document::Column::Hash])
                    .update_column(trusted_document::Column::RegisteredAt)
                    .to_owned(),
            )
            .exec_without_returning(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// The registered document with this hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trusted_document(&self, organization: OrganizationId, hash: &str) -> Result<Option<String>> {
        let row = trusted_document::Entity::find_by_id((organization.uuid(), hash.to_owned()))
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        Ok(row.map(|row| row.document))
    }

    /// The clients of an organisation that may send registered documents only.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trusted_clients(&self, organization: OrganizationId) -> Result<HashSet<String>> {
        let rows = trusted_client::Entity::find()
            .filter(trusted_client::Column::OrgId.eq(organization.uuid()))
            .all(self.backend.read())
            .await
            .map_err(database_error)?;
        Ok(rows.into_iter().map(|row| row.client).collect())
    }

    /// Sets whether a client may send registered documents only.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn set_trusted_client(
        &self,
        organization: OrganizationId,
        client: &str,
        only: bool,
    ) -> Result<()> {
        let row = trusted_client::Model { org_id: organization.uuid(), client: client.to_owned() };
        let key = (row.org_id, row.client.clone());
        trusted_client::Entity::delete_by_id(key).exec(self.backend.write()).await.map_err(database_error)?;
        if only {
            let row = row.into_active_model().reset_all();
            let insert = trusted_client::Entity::insert(row).exec_without_returning(self.backend.write());
            insert.await.map_err(database_error)?;
        }
        Ok(())
    }
}
