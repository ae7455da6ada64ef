//! The complaints of customers that somebody has to think of: open ones, and those that were recorded a while ago.

use std::collections::HashMap;

use evenhand_domain::complaints::{Complaint, ComplaintSort, ComplaintState, OpenComplaints, Severity};
use evenhand_domain::error::Result;
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{CustomerId, EntityId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::{Column, Entity, Row, keyset, restore, sort_key, visible};
use crate::error::database_error;
use crate::page::{self, Each};
use crate::store::Reader;

#[derive(FromQueryResult)]
struct OpenRow {
    customer_id: Uuid,
    complaints: i64,
    serious: i64,
}

fn of(reader: &Reader<'_>, customers: &[CustomerId]) -> Result<Select<Entity>> {
    Ok(visible(reader)?.filter(Column::CustomerId.is_in(customers.iter().map(|id| id.uuid()))))
}

impl Reader<'_> {
    /// How many visible complaints of each of `customers` are open, and how many of those are serious; customers without
    /// any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_complaints_of_customers(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, OpenComplaints>> {
        let severe = Column::Severity.is_in(Severity::SERIOUS.map(Severity::as_str));
        let serious =
            CaseStatement::new().case(severe.or(Column::IsSafetyRisk.eq(true)), 1_i64).finally(0_i64);
        let rows = of(self, customers)?
            .filter(Column::EndedAt.is_null())
            .select_only()
            .column(Column::CustomerId)
            .column_as(Column::Id.count(), "complaints")
            .column_as(Expr::expr(serious).sum().cast_as("BIGINT"), "serious")
            .group_by(Column::CustomerId)
            .into_model::<OpenRow>()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let open = |row: OpenRow| {
            let open = OpenComplaints { count: count(row.complaints), serious: count(row.serious) };
            (CustomerId::from_uuid(row.customer_id), open)
        };
        Ok(rows.into_iter().map(open).collect())
    }

    /// The newest `size` visible complaints of each of `customers` that are open or were recorded since an instant,
    /// duplicates left out, in one statement; customers without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recent_complaints_of_customers(
        &self,
        customers: &[CustomerId],
        since: Timestamp,
        size: u32,
    ) -> Result<HashMap<CustomerId, Vec<Complaint>>> {
        let select = of(self, customers)?
            .filter(Column::EndedAt.is_null().or(Column::RecordedAt.gte(since.utc())))
            .filter(Column::State.ne(ComplaintState::Merged.as_str()));
        let each = Each { parent: Column::CustomerId, org: (Column::OrgId, self.org()?), size };
        let newest_first = keyset(ComplaintSort::RecordedAt, Direction::Desc);
        let place = |row: &Row| (sort_key(ComplaintSort::RecordedAt, row), row.id);
        let restore = |row| restore(row).map(|complaint| (Some(complaint.customer_id), complaint));
        let pages = page::fetch_each(&self.db, select, &each, &newest_first, place, restore).await?;
        let complaints = |page: evenhand_domain::page::Page<Complaint>| {
            page.items.into_iter().map(|(complaint, _)| complaint).collect()
        };
        Ok(pages.into_iter().map(|(customer, page)| (customer, complaints(page))).collect())
    }
}
