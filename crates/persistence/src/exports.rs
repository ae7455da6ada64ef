//! Rows of exports.

use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::exports::Export;
use evenhand_domain::id::{EntityId, ExportId, UserId};
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use crate::error::database_error;
use crate::row;
use crate::store::{Reader, Stored, Tx};
use crate::targets::{json, parse_json};

row::entity!(entity, "exports", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    selection: String,
    requested_by: Uuid,
    created_at: DateTimeUtc,
    expires_at: DateTimeUtc,
});
use entity::{Column, Entity, Model as Row};

fn restore(row: Row) -> Result<Export> {
    Ok(Export {
        id: ExportId::from_uuid(row.id),
        version: row.version,
        selection: parse_json("exports", row.id, &row.selection)?,
        requested_by: UserId::from_uuid(row.requested_by),
        created_at: Timestamp::new(row.created_at),
        expires_at: Timestamp::new(row.expires_at),
    })
}

fn to_row(org_id: Uuid, export: &Export) -> Result<Row> {
    Ok(Row {
        org_id,
        id: export.id.uuid(),
        version: export.version,
        selection: json(&export.selection)?,
        requested_by: export.requested_by.uuid(),
        created_at: export.created_at.utc(),
        expires_at: export.expires_at.utc(),
    })
}

impl Stored for Export {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self)?, columns, (org, self.id.uuid(), expected)).await
    }
}

/// One's own exports, whatever else one may see.
fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let user = reader.grant().user().map(EntityId::uuid).ok_or(Error::Forbidden)?;
    let own = Column::RequestedBy.eq(user);
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)).filter(own))
}

impl Reader<'_> {
    /// An export of the caller.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn export(&self, id: ExportId) -> Result<Export> {
        let row = visible(self)?.filter(Column::Id.eq(id.uuid()));
        row.one(&self.db).await.map_err(database_error)?.map_or(Err(Error::NotFound), restore)
    }
}
