//! When open complaints are to be looked at next. Like jobs, this bypasses `save`: it says when to work, not what
//! happened. Every write of an open complaint makes it due at once, see `to_row` of the parent; whoever looks moves it
//! to the next instant at which there is something to raise.

use evenhand_domain::complaints::Complaint;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{ComplaintId, EntityId, OrganizationId, UserId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Column, Entity, restore, visible};
use crate::error::database_error;
use crate::store::{Store, Tx};

/// A complaint whose time has come, and what it was due for.
#[derive(Debug)]
pub struct DueComplaint {
    /// The complaint.
    pub complaint: Complaint,
    /// Since when it was due.
    pub due_at: Timestamp,
}

impl Store {
    /// Open complaints of all organisations that are to be looked at, longest due first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_due_complaints(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<(OrganizationId, ComplaintId)>> {
        let rows: Vec<(Uuid, Uuid)> = Entity::find()
            .select_only()
            .columns([Column::OrgId, Column::Id])
            .filter(Column::LookAt.lte(now.utc()))
            .order_by_asc(Column::LookAt)
            .order_by_asc(Column::OrgId)
            .order_by_asc(Column::Id)
            .limit(limit)
            .into_tuple()
            .all(self.backend.read())
            .await
            .map_err(database_error)?;
        let ids = |(org, id)| (OrganizationId::from_uuid(org), ComplaintId::from_uuid(id));
        Ok(rows.into_iter().map(ids).collect())
    }

    /// Leaves a complaint that is due alone until `at`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn unscoped_postpone_complaint(
        &self,
        organization: OrganizationId,
        id: ComplaintId,
        at: Timestamp,
    ) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::LookAt, Expr::value(at.utc()))
            .filter(Column::OrgId.eq(organization.uuid()))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::LookAt.lt(at.utc()));
        update.exec(self.backend.write()).await.map_err(database_error).map(drop)
    }
}

impl Tx {
    /// The complaint if its time has come and nobody else looks at it at this moment. That nothing is raised twice is
    /// up to its version; that others skip it saves them the work.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_complaint(&self, id: ComplaintId) -> Result<Option<DueComplaint>> {
        let row = visible(&self.read())?
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::LookAt.lte(self.now().utc()))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&self.db)
            .await
            .map_err(database_error)?;
        let Some(row) = row else { return Ok(None) };
        let due_at = row.look_at.map_or(self.now(), Timestamp::new);
        Ok(Some(DueComplaint { complaint: restore(row)?, due_at }))
    }

    /// Says when to look at the complaint again, which is as it was read but for what this transaction saved; `None`
    /// when it is changed next.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else changed it, or asked to look at it, in the meantime.
    pub async fn look_again(
        &self,
        complaint: &Complaint,
        seen: Timestamp,
        at: Option<Timestamp>,
    ) -> Result<()> {
        let moved = Entity::update_many()
            .col_expr(Column::LookAt, Expr::value(at.map(Timestamp::utc)))
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::Id.eq(complaint.id.uuid()))
            .filter(Column::Version.eq(complaint.version))
            .filter(Column::LookAt.eq(seen.utc()))
            .exec(&self.db)
            .await
            .map_err(database_error)?;
        if moved.rows_affected == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Asks to look at all open complaints: something changed by which their clocks are computed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn look_at_all_complaints(&self) -> Result<()> {
        self.look_at(None).await
    }

    /// Asks to look at the open complaints of `owner`, who comes or goes.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn look_at_complaints_of(&self, owner: UserId) -> Result<()> {
        self.look_at(Some(owner)).await
    }

    async fn look_at(&self, owner: Option<UserId>) -> Result<()> {
        let mut update = Entity::update_many()
            .col_expr(Column::LookAt, Expr::value(self.now().utc()))
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::EndedAt.is_null());
        if let Some(owner) = owner {
            update = update.filter(Column::OwnerId.eq(owner.uuid()));
        }
        update.exec(&self.db).await.map_err(database_error).map(drop)
    }
}
