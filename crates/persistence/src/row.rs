//! Writing rows: the three statements that every slice needs.

use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use crate::error::database_error;

/// Rows in one insert: only these sizes, so that a connection keeps few prepared statements. With one for each
/// number of rows, those of an import would fill the memory. SQLite takes 32,766 values: 127 columns.
const BATCH_ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Inserts one row.
pub(crate) async fn insert<E>(db: &impl ConnectionTrait, row: E::Model) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    E::insert(row.into_active_model().reset_all())
        .exec_without_returning(db)
        .await
        .map_err(database_error)
        .map(drop)
}

/// Inserts many rows, in statements that both databases take.
pub(crate) async fn insert_all<E>(
    db: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = E::Model>,
) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let rows: Vec<_> = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    for batch in batches(rows) {
        E::insert_many(batch).exec_without_returning(db).await.map_err(database_error)?;
    }
    Ok(())
}

/// The rows in parts of a few sizes, largest first.
pub(crate) fn batches<R>(mut rows: Vec<R>) -> impl Iterator<Item = Vec<R>> {
    std::iter::from_fn(move || {
        let size = BATCH_ROWS.into_iter().find(|size| *size <= rows.len())?;
        let rest = rows.split_off(size);
        Some(std::mem::replace(&mut rows, rest))
    })
}

/// Overwrites the row of organisation `org` with this id and the expected version; `columns` are those three.
///
/// # Errors
/// [`Error::Conflict`] when there is no such row.
pub(crate) async fn update<E>(
    db: &impl ConnectionTrait,
    row: E::Model,
    columns: [E::Column; 3],
    (org, id, expected): (Uuid, Uuid, Version),
) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let [org_column, id_column, version_column] = columns;
    let updated = E::update_many()
        .set(row.into_active_model().reset_all())
        .filter(org_column.eq(org))
        .filter(id_column.eq(id))
        .filter(version_column.eq(expected))
        .exec(db)
        .await
        .map_err(database_error)?;
    if updated.rows_affected == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// Declares the entity of a table in a module of its own.
macro_rules! entity {
    ($module:ident, $table:literal, { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model { $($(#[$meta])* pub $field: $type,)* }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}
pub(crate) use entity;
