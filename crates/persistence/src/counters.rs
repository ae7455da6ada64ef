//! The counters behind readable numbers such as C-000001. A number that was given out is never given out again.

use std::ops::Range;

use evenhand_domain::error::{Error, Result};
use evenhand_domain::text::fold;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::error::database_error;
use crate::store::Tx;

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity};

/// The next `count` numbers of the counter `name` that no row of the organisation has yet, such as C-000001:
/// people may have chosen the very number that the counter comes to. `columns` are those of the organisation
/// and of the folded number. Others who count wait for the end of this transaction.
///
/// # Errors
/// [`Error::Contention`] when another transaction holds the counter for too long.
pub(crate) async fn unscoped_free_numbers<E: EntityTrait>(
    tx: &Tx,
    name: &str,
    letter: char,
    columns: [E::Column; 2],
    count: u32,
) -> Result<Vec<String>> {
    let [org, key] = columns;
    let mut free = Vec::new();
    let mut missing = count;
    while missing > 0 {
        let counted = tx.next_numbers(name, missing).await?;
        let numbers: Vec<String> = counted.map(|value| format!("{letter}-{value:06}")).collect();
        let taken: Vec<String> = E::find()
            .select_only()
            .column(key)
            .filter(org.eq(tx.org()?))
            .filter(key.is_in(numbers.iter().map(|number| fold(number))))
            .into_tuple()
            .all(&tx.db)
            .await
            .map_err(database_error)?;
        let before = free.len();
        free.extend(numbers.into_iter().filter(|number| !taken.contains(&fold(number))));
        missing -= u32::try_from(free.len() - before).unwrap_or(missing);
    }
    Ok(free)
}

impl Tx {
    /// The next `count` numbers of the organisation's counter `name`, from 1, in one statement. Others who count
    /// wait for the end of this transaction.
    ///
    /// # Errors
    /// [`Error::Contention`] when another transaction holds the counter for too long.
    pub async fn next_numbers(&self, name: &str, count: u32) -> Result<Range<i64>> {
        let count = i64::from(count);
        let upsert = Query::insert()
            .into_table(Entity)
            .columns([Column::OrgId, Column::Name, Column::Value])
            .values_panic([self.org()?.into(), name.into(), count.into()])
            .on_conflict(
                OnConflict::columns([Column::OrgId, Column::Name])
                    .value(Column::Value, Expr::col((Entity, Column::Value)).add(count))
                    .to_owned(),
            )
            .returning_col(Column::Value)
            .to_owned();
        let row = self.db.query_one(&upsert).await.map_err(database_error)?;
        let row = row.ok_or_else(|| Error::Internal(format!("counter {name} gave no number")))?;
        let last: i64 = row.try_get("", "value").map_err(database_error)?;
        Ok(last + 1 - count..last + 1)
    }
}
