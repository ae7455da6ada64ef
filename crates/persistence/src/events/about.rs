//! Parts of the log: what happened to one thing and to all that belongs to it.

use evenhand_domain::change::SubjectType;
use evenhand_domain::error::Result;
use evenhand_domain::id::{ComplaintId, CustomerId, EntityId};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Column, Entity, EventRecord, restore};
use crate::error::database_error;
use crate::store::Reader;

/// What a part of the log is about.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A customer, the deals with it, its complaints and what was done for it.
    Customer(CustomerId),
    /// A complaint and the surveys of how it was handled.
    Complaint(ComplaintId),
}

/// The ordinals of the events of a part of the log.
fn ordinals(org: Uuid, about: About) -> SelectStatement {
    let of = |subject: SubjectType| {
        Query::select()
            .column((Entity, Column::Ordinal))
            .from(Entity)
            .and_where(Column::OrgId.eq(org))
            .and_where(Column::Subject.eq(subject.as_str()))
            .to_owned()
    };
    let ids = |table: &'static str, column: &'static str, value: SimpleExpr| {
        Query::select()
            .column((table, "id"))
            .from(table)
            .and_where(Expr::col((table, "org_id")).eq(org))
            .and_where(Expr::col((table, column)).eq(value))
            .to_owned()
    };
    let (subject, id, parts) = match about {
        About::Complaint(id) => {
            let surveys = ids("surveys", "complaint_id", id.uuid().into());
            (SubjectType::Complaint, id.uuid(), vec![(SubjectType::Survey, surveys)])
        }
        About::Customer(id) => {
            let with_customer = |table| ids(table, "customer_id", id.uuid().into());
            let surveys = Query::select()
                .column(("surveys", "id"))
                .from("surveys")
                .and_where(Expr::col(("surveys", "org_id")).eq(org))
                .and_where(Expr::col(("surveys", "complaint_id")).in_subquery(with_customer("complaints")))
                .to_owned();
            let parts = vec![
                (SubjectType::Activity, with_customer("activities")),
                (SubjectType::Deal, with_customer("deals")),
                (SubjectType::Complaint, with_customer("complaints")),
                (SubjectType::Survey, surveys),
            ];
            (SubjectType::Customer, id.uuid(), parts)
        }
    };
    let mut own = of(subject).and_where(Column::SubjectId.eq(id)).to_owned();
    for (subject, ids) in parts {
        own.union(UnionType::All, of(subject).and_where(Column::SubjectId.in_subquery(ids)).to_owned());
    }
    own
}

impl Reader<'_> {
    /// Up to `limit` entries after `position`, in order, about one thing. The caller still has to drop what is not
    /// visible: see [`Reader::visible_subjects`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_events_about(
        &self,
        about: About,
        position: i64,
        limit: u64,
    ) -> Result<Vec<EventRecord>> {
        let org = self.org()?;
        let rows = Entity::find()
            .filter(Column::OrgId.eq(org))
            .filter(Column::Ordinal.in_subquery(ordinals(org, about)))
            .filter(Column::Position.gt(position))
            // A sum, lest SQLite walk the whole log in order of the column instead of looking up these few.
            .order_by_asc(Expr::col((Entity, Column::Position)).add(0))
            .limit(limit)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }
}
