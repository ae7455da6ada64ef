//! Rows of credit lines: only ever inserted.

use std::collections::HashMap;

use evenhand_domain::deals::{CreditBasis, CreditKind, CreditLine};
use evenhand_domain::error::Result;
use evenhand_domain::id::{CreditLineId, DealId, EntityId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::row;
use crate::scope::People;
use crate::store::{Reader, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_lines")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub deal_id: Uuid,
        pub user_id: Option<Uuid>,
        pub kind: String,
        pub basis: String,
        pub share_bp: i32,
        pub amount_minor: i64,
        pub currency: String,
        pub occurred_at: DateTimeUtc,
        pub recorded_at: DateTimeUtc,
        pub reverses_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
pub(crate) use entity::{Column, Entity, Model as Row};

pub(crate) fn restore(row: Row) -> Result<CreditLine> {
    let bad = |what: &str| bad_row("credit_lines", row.id, what);
    Ok(CreditLine {
        id: CreditLineId::from_uuid(row.id),
        deal_id: DealId::from_uuid(row.deal_id),
        user_id: row.user_id.map(UserId::from_uuid),
        kind: CreditKind::parse(&row.kind).ok_or_else(|| bad("unknown kind"))?,
        basis: CreditBasis::parse(&row.basis).ok_or_else(|| bad("unknown basis"))?,
        share_bp: row.share_bp,
        amount: Money::new(
            row.amount_minor,
            Currency::parse(&row.currency).map_err(|problem| bad(&problem.message))?,
        ),
        occurred_at: Timestamp::new(row.occurred_at),
        recorded_at: Timestamp::new(row.recorded_at),
        reverses: row.reverses_id.map(CreditLineId::from_uuid),
    })
}

/// Ids of the deals with a credit line for somebody among `people`.
pub(super) fn deals_that_credit(org: Uuid, people: &People) -> SelectStatement {
    let mut deals = Query::select();
    deals.column(Column::DealId).from(Entity).and_where(Column::OrgId.eq(org));
    if let Some(condition) = people.include(Column::UserId) {
        deals.and_where(condition);
    }
    deals
}

impl Tx {
    /// Appends credit lines. They belong to the change of a deal that is saved in the same transaction, whose
    /// event tells of them.
    ///
    /// # Errors
    /// [`Error::Conflict`](evenhand_domain::error::Error::Conflict) for a line that is reversed already;
    /// when the database cannot be written.
    pub async fn add_credit_lines(&self, lines: &[CreditLine]) -> Result<()> {
        let org_id = self.org()?;
        let row = |line: &CreditLine| Row {
            org_id,
            id: line.id.uuid(),
            deal_id: line.deal_id.uuid(),
            user_id: line.user_id.map(EntityId::uuid),
            kind: line.kind.as_str().to_owned(),
            basis: line.basis.as_str().to_owned(),
            share_bp: line.share_bp,
            amount_minor: line.amount.minor,
            currency: line.amount.currency.code().to_owned(),
            occurred_at: line.occurred_at.utc(),
            recorded_at: line.recorded_at.utc(),
            reverses_id: line.reverses.map(EntityId::uuid),
        };
        let rows: Vec<Row> = lines.iter().map(row).collect();
        row::insert_all::<Entity>(&self.db, rows).await
    }
}

impl Reader<'_> {
    /// All credit lines of each of `deals`, oldest first and the largest share before the others. Invisible deals and those without lines are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn credit_lines_by_deals(&self, deals: &[DealId]) -> Result<HashMap<DealId, Vec<CreditLine>>> {
        let rows = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::DealId.is_in(deals.iter().map(|id| id.uuid())))
            .filter(Column::DealId.in_subquery(super::visible_deals(self)?))
            .order_by_asc(Column::OccurredAt)
            .order_by_asc(Column::RecordedAt)
            .order_by_desc(Column::ShareBp)
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let mut lines: HashMap<DealId, Vec<CreditLine>> = HashMap::new();
        for row in rows {
            let line = restore(row)?;
            lines.entry(line.deal_id).or_default().push(line);
        }
        Ok(lines)
    }
}
