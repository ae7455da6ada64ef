//! Rows of the token buckets that all nodes share. Technical state, so there is no event.

use evenhand_domain::error::Result;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::error::database_error;
use crate::row::entity;
use crate::store::Store;

entity!(quota, "quotas", {
    #[sea_orm(primary_key, auto_increment = false)]
    bucket: String,
    full_at: i64,
});

impl Store {
    /// Takes from a bucket what needs `need_us` to flow in again, if it then is full within `burst_us`. Answers
    /// when it will be full, in microseconds since 1970; none when it holds too little. One atomic statement.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn take_quota(
        &self,
        bucket: &str,
        need_us: i64,
        burst_us: i64,
        now: Timestamp,
    ) -> Result<Option<i64>> {
        use quota::Column as Q;
        let full_at = || Expr::col((quota::Entity, Q::FullAt));
        let after = || {
            let base = CaseStatement::new().case(full_at().lt(now.micros()), now.micros()).finally(full_at());
            Expr::expr(base).add(need_us)
        };
        let statement = Query::insert()
            .into_table(quota::Entity)
            .columns([Q::Bucket, Q::FullAt])
            .values_panic([bucket.into(), (now.micros() + need_us).into()])
            .on_conflict(
                OnConflict::column(Q::Bucket)
                    .value(Q::FullAt, after())
                    .action_and_where(after().lte(now.micros() + burst_us))
                    .to_owned(),
            )
            .returning_col(Q::FullAt)
            .to_owned();
        let row = self.backend.write().query_one(&statement).await.map_err(database_error)?;
        row.map(|row| row.try_get("", "full_at").map_err(database_error)).transpose()
    }

    /// Forgets buckets that have been full since before `now`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_full_quotas(&self, now: Timestamp) -> Result<u64> {
        let gone = quota::Entity::delete_many()
            .filter(quota::Column::FullAt.lt(now.micros()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(gone.rows_affected)
    }
}
