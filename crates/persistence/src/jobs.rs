//! Background jobs: written in the transaction that causes them, leased, retried, and deleted once done.
//! The second of the two writers that bypass `save`: a job is technical state, not a fact of the business.

use evenhand_domain::change::JobRequest;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, JobId, OrganizationId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Store, Tx};

/// Longest error text that is kept with a job, in characters.
const ERROR_CHARS_MAX: usize = 500;

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "jobs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub org_id: Uuid,
        pub payload: String,
        pub state: String,
        pub due_at: DateTimeUtc,
        pub attempts: i32,
        pub leased_until: Option<DateTimeUtc>,
        pub last_error: Option<String>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

/// Dead jobs that are shown at most.
const DEAD_JOBS_MAX: u64 = 20;

const WAITING: &str = "WAITING";
const DEAD: &str = "DEAD";

/// A job that its transaction has yet to write.
#[derive(Debug)]
pub(crate) struct PendingJob {
    pub(crate) organization: OrganizationId,
    pub(crate) request: JobRequest,
}

/// A job that this worker holds until its lease ends.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Its id.
    pub id: JobId,
    /// The organisation that it works for.
    pub organization: OrganizationId,
    /// What to do.
    pub request: JobRequest,
    /// How often it was claimed, this time included.
    pub attempts: i32,
}

/// A job that was given up and waits to be looked at.
#[derive(Clone, Debug)]
pub struct DeadJob {
    /// Its id.
    pub id: JobId,
    /// The organisation that it worked for.
    pub organization: OrganizationId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last try failed.
    pub error: String,
}

impl Tx {
    pub(crate) async fn write_jobs(&self, jobs: Vec<PendingJob>) -> Result<()> {
        for job in jobs {
            let payload = serde_json::to_string(&job.request)
                .map_err(|error| Error::Internal(format!("job is no JSON: {error}")))?;
            let row = Row {
                id: self.new_id::<JobId>().uuid(),
                org_id: job.organization.uuid(),
                payload,
                state: WAITING.to_owned(),
                due_at: self.now().utc(),
                attempts: 0,
                leased_until: None,
                last_error: None,
                created_at: self.now().utc(),
            };
            row::insert::<Entity>(&self.db, row).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Claims the job that has been due longest, until `lease_end`. The lease is the safety: two workers that
    /// pick the same job race for one `UPDATE … WHERE`, and one of them gets it.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn claim_job(&self, now: Timestamp, lease_end: Timestamp) -> Result<Option<ClaimedJob>> {
        let free =
            || Condition::any().add(Column::LeasedUntil.is_null()).add(Column::LeasedUntil.lte(now.utc()));
        let due = Entity::find()
            .filter(Column::State.eq(WAITING))
            .filter(Column::DueAt.lte(now.utc()))
            .filter(free())
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::Id)
            .limit(1)
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        let Some(row) = due else { return Ok(None) };
        let claimed = Entity::update_many()
            .col_expr(Column::LeasedUntil, Expr::value(lease_end.utc()))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.eq(row.id))
            .filter(Column::Attempts.eq(row.attempts))
            .filter(free())
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        if claimed.rows_affected != 1 {
            return Ok(None);
        }
        let request = serde_json::from_str(&row.payload)
            .map_err(|error| bad_row("jobs", row.id, &error.to_string()))?;
        Ok(Some(ClaimedJob {
            id: JobId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.org_id),
            request,
            attempts: row.attempts + 1,
        }))
    }

    /// Deletes a job that is done.
    ///
    /// # Errors
    /// When the database cannot be reached; the job runs again after its lease.
    pub async fn finish_job(&self, job: &ClaimedJob) -> Result<()> {
        Entity::delete_by_id(job.id.uuid()).exec(self.backend.write()).await.map_err(database_error).map(drop)
    }

    /// Puts a failed job back until `due_at`, or gives up on it for good with `None`; it stays visible.
    ///
    /// # Errors
    /// When the database cannot be reached; the job runs again after its lease.
    pub async fn fail_job(&self, job: &ClaimedJob, due_at: Option<Timestamp>, error: &str) -> Result<()> {
        let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
        let mut update = Entity::update_many()
            .col_expr(Column::LeasedUntil, Expr::value(None::<chrono::DateTime<chrono::Utc>>))
            .col_expr(Column::LastError, Expr::value(error))
            .filter(Column::Id.eq(job.id.uuid()))
            .filter(Column::Attempts.eq(job.attempts));
        update = match due_at {
            Some(due_at) => update.col_expr(Column::DueAt, Expr::value(due_at.utc())),
            None => update.col_expr(Column::State, Expr::value(DEAD)),
        };
        update.exec(self.backend.write()).await.map_err(database_error).map(drop)
    }

    /// The newest jobs that were given up, at most 20.
    pub(crate) async fn dead_jobs(&self) -> Result<Vec<DeadJob>> {
        let rows = Entity::find()
            .filter(Column::State.eq(DEAD))
            .order_by_desc(Column::CreatedAt)
            .limit(DEAD_JOBS_MAX)
            .all(self.backend.read())
            .await
            .map_err(database_error)?;
        let dead = |row: Row| DeadJob {
            id: JobId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.org_id),
            created_at: Timestamp::new(row.created_at),
            attempts: row.attempts,
            error: row.last_error.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(dead).collect())
    }
}
