//! Rows of the counters that throttle guessing. Technical state, shared by all nodes, so there is no event.

use chrono::Duration;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter,
};

use crate::error::database_error;
use crate::row::entity;
use crate::store::Store;

entity!(throttle, "throttles", {
    #[sea_orm(primary_key, auto_increment = false)]
    bucket: String,
    window_start: DateTimeUtc,
    attempts: i32,
});

impl Store {
    /// Counts an attempt in `bucket` and answers how many there were in the running window of `length`, and
    /// when the window ends. Shared by all nodes; a counter, so there is no event.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn count_attempt(
        &self,
        bucket: &str,
        length: Duration,
        now: Timestamp,
    ) -> Result<(i32, Timestamp)> {
        use throttle::Column as T;
        let expired = || Expr::col((throttle::Entity, T::WindowStart)).lte(now.plus(-length).utc());
        let statement = Query::insert()
            .into_table(throttle::Entity)
            .columns([T::Bucket, T::WindowStart, T::Attempts])
            .values_panic([bucket.into(), now.utc().into(), 1.into()])
            .on_conflict(
                OnConflict::column(T::Bucket)
                    .value(
                        T::Attempts,
                        CaseStatement::new()
                            .case(expired(), 1)
                            .finally(Expr::col((throttle::Entity, T::Attempts)).add(1)),
                    )
                    .value(
                        T::WindowStart,
                        CaseStatement::new()
                            .case(expired(), now.utc())
                            .finally(Expr::col((throttle::Entity, T::WindowStart))),
                    )
                    .to_owned(),
            )
            .returning_all()
            .to_owned();
        let row = self.backend.write().query_one(&statement).await.map_err(database_error)?;
        let row = row.ok_or_else(|| Error::Internal("an upsert returned no row".into()))?;
        let row = throttle::Model::from_query_result(&row, "").map_err(database_error)?;
        Ok((row.attempts, Timestamp::new(row.window_start).plus(length)))
    }

    /// Forgets the attempts in `bucket`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn clear_attempts(&self, bucket: &str) -> Result<()> {
        throttle::Entity::delete_by_id(bucket)
            .exec(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Takes back one counted attempt.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forgive_attempt(&self, bucket: &str) -> Result<()> {
        throttle::Entity::update_many()
            .col_expr(throttle::Column::Attempts, Expr::col(throttle::Column::Attempts).sub(1))
            .filter(throttle::Column::Bucket.eq(bucket))
            .filter(throttle::Column::Attempts.gt(0))
            .exec(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Remembers `bucket` until an instant.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn remember(&self, bucket: &str, until: Timestamp) -> Result<()> {
        let row = throttle::Model { bucket: bucket.to_owned(), window_start: until.utc(), attempts: 0 };
        throttle::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::column(throttle::Column::Bucket)
                    .update_column(throttle::Column::WindowStart)
                    .to_owned(),
            )
            .exec_without_returning(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Whether `bucket` is remembered at `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_known(&self, bucket: &str, now: Timestamp) -> Result<bool> {
        let row =
            throttle::Entity::find_by_id(bucket).one(self.backend.read()).await.map_err(database_error)?;
        Ok(row.is_some_and(|row| now.utc() < row.window_start))
    }

    /// Forgets windows that ended and addresses that are no longer known, before `now`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_old_attempts(&self, now: Timestamp) -> Result<u64> {
        let gone = throttle::Entity::delete_many()
            .filter(throttle::Column::WindowStart.lt(now.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(gone.rows_affected)
    }
}
