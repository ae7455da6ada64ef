//! The counters behind readable numbers such as C-000001. A number that was given out is never given out again.

use std::ops::Range;

use evenhand_domain::error::{Error, Result};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};

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

impl Tx {
    /// The next number of the organisation's counter `name`, from 1.
    ///
    /// # Errors
    /// [`Error::Contention`] when another transaction holds the counter for too long.
    pub async fn next_number(&self, name: &str) -> Result<i64> {
        Ok(self.next_numbers(name, 1).await?.start)
    }

    /// The next `count` numbers of the organisation's counter `name`, in one statement. Others who count wait
    /// for the end of this transaction.
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
