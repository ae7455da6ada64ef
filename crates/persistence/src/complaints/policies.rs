//! Rows of the policies that say how soon complaints are answered. The log keeps every version of them.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::complaints::{Channel, ClockMinutes, Criteria, SlaPolicy};
use evenhand_domain::customers::CustomerGrade;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{EntityId, ProductId, SlaPolicyId, WorkCalendarId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use super::parse_severity;
use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row;
use crate::store::{Reader, Stored, Tx};
use crate::targets::{json, parse_json};

row::entity!(entity, "sla_policies", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    name: String,
    name_key: String,
    severity: Option<String>,
    product_id: Option<Uuid>,
    customer_grade: Option<String>,
    channel: Option<String>,
    calendar_id: Option<Uuid>,
    ack_minutes: i32,
    first_response_minutes: i32,
    update_minutes: i32,
    resolution_minutes: i32,
    ladder: String,
    is_active: bool,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
});
use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] =
    &[Permission::ReadComplaints, Permission::HandleComplaints, Permission::ManageSlaPolicies];

fn restore(row: Row) -> Result<SlaPolicy> {
    let bad = |what: &str| bad_row("sla_policies", row.id, what);
    let grade = |text: &String| CustomerGrade::parse(text).ok_or_else(|| bad("unknown grade"));
    let channel = |text: &String| Channel::parse(text).ok_or_else(|| bad("unknown channel"));
    Ok(SlaPolicy {
        id: SlaPolicyId::from_uuid(row.id),
        version: row.version,
        criteria: Criteria {
            severity: parse_severity("sla_policies", row.id, row.severity.as_deref())?,
            product_id: row.product_id.map(ProductId::from_uuid),
            customer_grade: row.customer_grade.as_ref().map(grade).transpose()?,
            channel: row.channel.as_ref().map(channel).transpose()?,
        },
        calendar_id: row.calendar_id.map(WorkCalendarId::from_uuid),
        minutes: ClockMinutes {
            ack: row.ack_minutes,
            first_response: row.first_response_minutes,
            update: row.update_minutes,
            resolution: row.resolution_minutes,
        },
        ladder: parse_json("sla_policies", row.id, &row.ladder)?,
        is_active: row.is_active,
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
        name: row.name,
    })
}

fn to_row(org_id: Uuid, policy: &SlaPolicy) -> Result<Row> {
    let Criteria { severity, product_id, customer_grade, channel } = policy.criteria;
    Ok(Row {
        org_id,
        id: policy.id.uuid(),
        version: policy.version,
        name: policy.name.clone(),
        name_key: fold(&policy.name),
        severity: severity.map(|severity| severity.as_str().to_owned()),
        product_id: product_id.map(EntityId::uuid),
        customer_grade: customer_grade.map(|grade| grade.as_str().to_owned()),
        channel: channel.map(|channel| channel.as_str().to_owned()),
        calendar_id: policy.calendar_id.map(EntityId::uuid),
        ack_minutes: policy.minutes.ack,
        first_response_minutes: policy.minutes.first_response,
        update_minutes: policy.minutes.update,
        resolution_minutes: policy.minutes.resolution,
        ladder: json(&policy.ladder)?,
        is_active: policy.is_active,
        created_at: policy.created_at.utc(),
        updated_at: policy.updated_at.utc(),
    })
}

impl Stored for SlaPolicy {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self)?, columns, (org, self.id.uuid(), expected)).await
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // Whoever has to do with complaints may know how soon they are to be answered.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

impl Reader<'_> {
    /// A policy for complaints.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn sla_policy(&self, id: SlaPolicyId) -> Result<SlaPolicy> {
        self.sla_policies_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sla_policies_by_ids(&self, ids: &[SlaPolicyId]) -> Result<Vec<SlaPolicy>> {
        let rows = visible(self)?.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// All policies that complaints are still given to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn active_sla_policies(&self) -> Result<Vec<SlaPolicy>> {
        let rows = visible(self)?.filter(Column::IsActive.eq(true));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// A page of policies, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sla_policies(&self, page: &PageRequest) -> Result<Page<SlaPolicy>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, visible(self)?, &keyset, page, place, restore).await
    }

    /// Number of policies.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_sla_policies(&self) -> Result<i64> {
        page::count(&self.db, visible(self)?).await
    }
}
