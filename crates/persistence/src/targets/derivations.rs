//! Rows of derivations: only ever inserted.

use evenhand_domain::derivation::Derivation;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{DerivationId, EntityId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::{own_targets, parse_json, terms};
use crate::error::database_error;
use crate::row;
use crate::store::{Reader, Tx};

row::entity!(entity, "derivations", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    content: String,
    sha256: String,
    created_at: DateTimeUtc,
});
use entity::{Column, Entity};

impl Tx {
    /// Keeps a derivation for the terms that rest on it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_derivation(&self, derivation: &Derivation) -> Result<DerivationId> {
        let id: DerivationId = self.new_id();
        let content = String::from_utf8(derivation.bytes()?)
            .map_err(|error| Error::Internal(format!("a derivation is no text: {error}")))?;
        let row = entity::Model {
            org_id: self.org()?,
            id: id.uuid(),
            content,
            sha256: derivation.sha256()?,
            created_at: self.now().utc(),
        };
        row::insert::<Entity>(&self.db, row).await.map(|()| id)
    }
}

impl Reader<'_> {
    /// Those of `ids` on which terms of a target of the caller's own rest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn derivations_by_ids(&self, ids: &[DerivationId]) -> Result<Vec<(DerivationId, Derivation)>> {
        let seen = terms::Entity::find()
            .filter(terms::Column::OrgId.eq(self.org()?))
            .filter(terms::Column::TargetId.in_subquery(own_targets(self)?))
            .select_only()
            .column(terms::Column::DerivationId)
            .into_query();
        let rows = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .filter(Column::Id.in_subquery(seen))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter()
            .map(|row| {
                Ok((DerivationId::from_uuid(row.id), parse_json("derivations", row.id, &row.content)?))
            })
            .collect()
    }
}
