//! Rows of the departments that owe something for a target, by which they find it.

use evenhand_domain::error::Result;
use evenhand_domain::id::EntityId;
use evenhand_domain::targets::Target;
use sea_orm::sea_query::{OnConflict, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use crate::error::database_error;
use crate::scope::own_teams;
use crate::store::{Reader, Tx};
use crate::{row, teams};

row::entity!(entity, "target_departments", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    department_key: String,
    #[sea_orm(primary_key, auto_increment = false)]
    target_id: Uuid,
});
use entity::{Column, Entity};

/// Writes those of a target over what is there.
pub(super) async fn write(tx: &Tx, target: &Target) -> Result<()> {
    let (org_id, target_id) = (tx.org()?, target.id.uuid());
    let keys = target.department_keys();
    Entity::delete_many()
        .filter(Column::OrgId.eq(org_id))
        .filter(Column::TargetId.eq(target_id))
        .filter(Column::DepartmentKey.is_not_in(&keys))
        .exec(&tx.db)
        .await
        .map_err(database_error)?;
    if keys.is_empty() {
        return Ok(());
    }
    let row = |department_key| entity::Model { org_id, department_key, target_id }.into_active_model();
    Entity::insert_many(keys.into_iter().map(row))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&tx.db)
        .await
        .map_err(database_error)?;
    Ok(())
}

/// Ids of the targets for which a team of `user` owes something today.
pub(super) fn owed_by(reader: &Reader<'_>, user: Uuid) -> Result<SelectStatement> {
    let org = reader.org()?;
    let own = own_teams(org, user, reader.grant().today(reader.now()), false);
    Ok(Entity::find()
        .select_only()
        .column(Column::TargetId)
        .filter(Column::OrgId.eq(org))
        .filter(Column::DepartmentKey.in_subquery(teams::name_keys(org, own)))
        .into_query())
}
