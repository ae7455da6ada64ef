//! Writing rows: the three statements that every slice needs.

use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use crate::error::database_error;

/// Bind values in one statement; SQLite takes 32,766.
const VALUES_MAX: usize = 30_000;

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
    use sea_orm::Iterable;
    let rows_max = VALUES_MAX / E::Column::iter().count().max(1);
    let mut rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).peekable();
    while rows.peek().is_some() {
        let chunk: Vec<_> = rows.by_ref().take(rows_max).collect();
        E::insert_many(chunk).exec_without_returning(db).await.map_err(database_error)?;
    }
    Ok(())
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
