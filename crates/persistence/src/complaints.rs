//! Rows of complaints; the policies that set their clocks stand in [`policies`], what customers said of their
//! handling in [`surveys`].

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::complaints::{
    Channel, Complaint, ComplaintSort, ComplaintState, ComplaintTerm, Confidentiality, Remedy, Severity,
};
use evenhand_domain::customers::CustomerGrade;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter, OneOf};
use evenhand_domain::id::{ComplaintId, ContactId, CustomerId, EntityId, ProductId, UserId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{ExprTrait, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Each, Keyset};
use crate::store::{Reader, Stored, Tx};
use crate::targets::{json, parse_json};
use crate::{counters, customers, row};

mod open;
mod policies;
mod statistics;
pub(crate) mod surveys;
mod timers;

pub use timers::DueComplaint;

row::entity!(entity, "complaints", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    number: String,
    number_key: String,
    customer_id: Uuid,
    contact_id: Option<Uuid>,
    reporter: Option<String>,
    subject: String,
    subject_key: String,
    description: String,
    channel: String,
    remedy_sought: Option<String>,
    product_id: Option<Uuid>,
    owner_id: Uuid,
    account_manager_id: Option<Uuid>,
    confidentiality: String,
    is_safety_risk: bool,
    attachments: String,
    state: String,
    severity: Option<String>,
    impact: Option<String>,
    urgency: Option<String>,
    occurred_at: Option<DateTimeUtc>,
    recorded_at: DateTimeUtc,
    next_action_due: DateTimeUtc,
    clocks: String,
    escalations: String,
    level: i32,
    waiting: Option<String>,
    response: Option<String>,
    root_cause: Option<String>,
    recourse: Option<String>,
    out_of_scope_reason: Option<String>,
    merged_into_id: Option<Uuid>,
    reopen_count: i32,
    ended_at: Option<DateTimeUtc>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
    look_at: Option<DateTimeUtc>,
});
use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] = &[Permission::ReadComplaints, Permission::HandleComplaints];

/// A severity, impact or urgency as stored in `table`.
fn parse_severity(table: &str, id: Uuid, text: Option<&str>) -> Result<Option<Severity>> {
    text.map(|text| Severity::parse(text).ok_or_else(|| bad_row(table, id, "unknown severity"))).transpose()
}

fn restore(row: Row) -> Result<Complaint> {
    fn parsed<T: serde::de::DeserializeOwned>(id: Uuid, text: Option<&String>) -> Result<Option<T>> {
        text.map(|text| parse_json("complaints", id, text)).transpose()
    }
    let id = row.id;
    let bad = |what: &str| bad_row("complaints", id, what);
    let severity = |text: &Option<String>| parse_severity("complaints", id, text.as_deref());
    Ok(Complaint {
        id: ComplaintId::from_uuid(id),
        version: row.version,
        customer_id: CustomerId::from_uuid(row.customer_id),
        contact_id: row.contact_id.map(ContactId::from_uuid),
        reporter: parsed(id, row.reporter.as_ref())?,
        channel: Channel::parse(&row.channel).ok_or_else(|| bad("unknown channel"))?,
        remedy: row.remedy_sought.map_or(Remedy::NoneNamed, Remedy::Sought),
        product_id: row.product_id.map(ProductId::from_uuid),
        owner_id: UserId::from_uuid(row.owner_id),
        account_manager_id: row.account_manager_id.map(UserId::from_uuid),
        confidentiality: Confidentiality::parse(&row.confidentiality)
            .ok_or_else(|| bad("unknown confidentiality"))?,
        is_safety_risk: row.is_safety_risk,
        attachments: parse_json("complaints", id, &row.attachments)?,
        state: ComplaintState::parse(&row.state).ok_or_else(|| bad("unknown state"))?,
        severity: severity(&row.severity)?,
        impact: severity(&row.impact)?,
        urgency: severity(&row.urgency)?,
        occurred_at: row.occurred_at.map(Timestamp::new),
        recorded_at: Timestamp::new(row.recorded_at),
        next_action_due: Timestamp::new(row.next_action_due),
        clocks: parse_json("complaints", id, &row.clocks)?,
        escalations: parse_json("complaints", id, &row.escalations)?,
        waiting: parsed(id, row.waiting.as_ref())?,
        response: parsed(id, row.response.as_ref())?,
        merged_into_id: row.merged_into_id.map(ComplaintId::from_uuid),
        ended_at: row.ended_at.map(Timestamp::new),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
        number: row.number,
        subject: row.subject,
        description: row.description,
        level: row.level,
        root_cause: row.root_cause,
        recourse: row.recourse,
        out_of_scope_reason: row.out_of_scope_reason,
        reopen_count: row.reopen_count,
    })
}

/// `now` is when to look at it next, as long as it is open: what was written may have something to raise.
fn to_row(org_id: Uuid, complaint: &Complaint, now: Timestamp) -> Result<Row> {
    let severity = |severity: Option<Severity>| severity.map(|severity| severity.as_str().to_owned());
    Ok(Row {
        org_id,
        id: complaint.id.uuid(),
        version: complaint.version,
        number: complaint.number.clone(),
        number_key: fold(&complaint.number),
        customer_id: complaint.customer_id.uuid(),
        contact_id: complaint.contact_id.map(EntityId::uuid),
        reporter: complaint.reporter.as_ref().map(json).transpose()?,
        subject: complaint.subject.clone(),
        subject_key: fold(&complaint.subject),
        description: complaint.description.clone(),
        channel: complaint.channel.as_str().to_owned(),
        remedy_sought: complaint.remedy.sought().map(str::to_owned),
        product_id: complaint.product_id.map(EntityId::uuid),
        owner_id: complaint.owner_id.uuid(),
        account_manager_id: complaint.account_manager_id.map(EntityId::uuid),
        confidentiality: complaint.confidentiality.as_str().to_owned(),
        is_safety_risk: complaint.is_safety_risk,
        attachments: json(&complaint.attachments)?,
        state: complaint.state.as_str().to_owned(),
        severity: severity(complaint.severity),
        impact: severity(complaint.impact),
        urgency: severity(complaint.urgency),
        occurred_at: complaint.occurred_at.map(Timestamp::utc),
        recorded_at: complaint.recorded_at.utc(),
        next_action_due: complaint.next_action_due.utc(),
        clocks: json(&complaint.clocks)?,
        escalations: json(&complaint.escalations)?,
        level: complaint.level,
        waiting: complaint.waiting.as_ref().map(json).transpose()?,
        response: complaint.response.as_ref().map(json).transpose()?,
        root_cause: complaint.root_cause.clone(),
        recourse: complaint.recourse.clone(),
        out_of_scope_reason: complaint.out_of_scope_reason.clone(),
        merged_into_id: complaint.merged_into_id.map(EntityId::uuid),
        reopen_count: complaint.reopen_count,
        ended_at: complaint.ended_at.map(Timestamp::utc),
        created_at: complaint.created_at.utc(),
        updated_at: complaint.updated_at.utc(),
        look_at: complaint.state.is_open().then_some(now.utc()),
    })
}

impl Stored for Complaint {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self, tx.now())?).await
    }

    async fn insert_all(complaints: &[&Self], tx: &Tx) -> Result<()> {
        let org = tx.org()?;
        let rows: Vec<Row> =
            complaints.iter().map(|complaint| to_row(org, complaint, tx.now())).collect::<Result<_>>()?;
        row::insert_all::<Entity>(&tx.db, rows).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self, tx.now())?, columns, (org, self.id.uuid(), expected))
            .await
    }
}

/// Complaints whose owner is in reach, and those of customers whose owner is. A confidential one is for its owner,
/// and for people who reach all: it is no business of a program.
fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let org = reader.org()?;
    let select = Entity::find().filter(Column::OrgId.eq(org));
    let people = reader.people(SLICE)?;
    let is_normal = Column::Confidentiality.eq(Confidentiality::Normal.as_str());
    let Some(owned) = people.include(Column::OwnerId) else {
        return Ok(if reader.grant().is_client() { select.filter(is_normal) } else { select });
    };
    let user = reader.grant().user().map(EntityId::uuid).ok_or(Error::Forbidden)?;
    let of_customers = customers::owned_by(org, &people).map(|ids| Column::CustomerId.in_subquery(ids));
    let normal = Condition::all().add(is_normal).add(Condition::any().add(owned).add_option(of_customers));
    Ok(select.filter(Condition::any().add(Column::OwnerId.eq(user)).add(normal)))
}

/// Ids of the complaints that `reader` sees, for conditions on what belongs to them.
fn visible_complaints(reader: &Reader<'_>) -> Result<SelectStatement> {
    Ok(visible(reader)?.select_only().column(Column::Id).into_query())
}

/// Those of `ids` that `reader` sees.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let rows = visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id);
    rows.into_tuple().all(&reader.db).await.map_err(database_error)
}

fn filtered(reader: &Reader<'_>, filter: &Filter<ComplaintTerm>) -> Result<Select<Entity>> {
    let (org, today) = (reader.org()?, reader.grant().today(reader.now()));
    let term = |term: &ComplaintTerm| match term {
        ComplaintTerm::Id(ids) => page::one_of(Column::Id, ids, EntityId::uuid),
        ComplaintTerm::Number(number) => page::text(Column::NumberKey, number),
        ComplaintTerm::Subject(subject) => page::text(Column::SubjectKey, subject),
        ComplaintTerm::State(states) => in_states(states),
        ComplaintTerm::Open(true) => Column::EndedAt.is_null(),
        ComplaintTerm::Open(false) => Column::EndedAt.is_not_null(),
        ComplaintTerm::Severity(severities) => page::one_of(Column::Severity, severities, Severity::as_str),
        ComplaintTerm::Channel(channels) => page::one_of(Column::Channel, channels, Channel::as_str),
        ComplaintTerm::Customer(customers) => page::one_of(Column::CustomerId, customers, EntityId::uuid),
        ComplaintTerm::Product(products) => page::one_of(Column::ProductId, products, EntityId::uuid),
        ComplaintTerm::Owner(users) => page::one_of(Column::OwnerId, users, EntityId::uuid),
        ComplaintTerm::Team(teams) => statistics::owner_in_team(org, today, teams),
        ComplaintTerm::RootCause(causes) => page::one_of(Column::RootCause, causes, |cause| cause),
        ComplaintTerm::RecordedAt(at) => page::range(Column::RecordedAt, at, Timestamp::utc),
        ComplaintTerm::NextActionDue(at) => page::range(Column::NextActionDue, at, Timestamp::utc),
        ComplaintTerm::UpdatedAt(at) => page::range(Column::UpdatedAt, at, Timestamp::utc),
    };
    Ok(visible(reader)?.filter(page::condition(filter, &term)))
}

/// Where all of the states are open, says so in the words of the partial indexes: they hold open complaints only.
fn in_states(states: &OneOf<ComplaintState>) -> SimpleExpr {
    let found = page::one_of(Column::State, states, ComplaintState::as_str);
    match states {
        OneOf::In(states) if states.iter().all(|state| state.is_open()) => {
            found.and(Column::EndedAt.is_null())
        }
        _ => found,
    }
}

fn keyset(sort: ComplaintSort, direction: Direction) -> Keyset<Column> {
    let column = match sort {
        ComplaintSort::RecordedAt => Column::RecordedAt,
        ComplaintSort::NextActionDue => Column::NextActionDue,
        ComplaintSort::UpdatedAt => Column::UpdatedAt,
        ComplaintSort::Number => Column::NumberKey,
    };
    Keyset { column, id: Column::Id, direction }
}

fn sort_key(sort: ComplaintSort, row: &Row) -> SortKey {
    match sort {
        ComplaintSort::RecordedAt => SortKey::Time(Timestamp::new(row.recorded_at)),
        ComplaintSort::NextActionDue => SortKey::Time(Timestamp::new(row.next_action_due)),
        ComplaintSort::UpdatedAt => SortKey::Time(Timestamp::new(row.updated_at)),
        ComplaintSort::Number => SortKey::Text(row.number_key.clone()),
    }
}

#[derive(FromQueryResult)]
struct CustomerCount {
    customer_id: Uuid,
    complaints: i64,
}

impl Tx {
    /// The next free number of a complaint. Others who ask for one wait for the end of this transaction.
    ///
    /// # Errors
    /// [`Error::Contention`] when another transaction holds the counter for too long.
    pub async fn free_complaint_number(&self) -> Result<String> {
        let columns = [Column::OrgId, Column::NumberKey];
        let numbers = counters::unscoped_free_numbers::<Entity>(self, "complaint", 'R', columns, 1).await?;
        Ok(numbers.concat())
    }
}

impl Reader<'_> {
    /// A complaint.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn complaint(&self, id: ComplaintId) -> Result<Complaint> {
        self.complaints_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` that are visible, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn complaints_by_ids(&self, ids: &[ComplaintId]) -> Result<Vec<Complaint>> {
        let rows = visible(self)?.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// The visible complaints with these folded numbers, each with its own, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_complaints_by_number_keys(
        &self,
        keys: &[String],
    ) -> Result<Vec<(ComplaintId, String)>> {
        let rows = visible(self)?.filter(Column::NumberKey.is_in(keys.iter().cloned()));
        let rows = rows.select_only().columns([Column::Id, Column::NumberKey]).into_tuple::<(Uuid, String)>();
        let rows = rows.all(&self.db).await.map_err(database_error)?;
        Ok(rows.into_iter().map(|(id, key)| (ComplaintId::from_uuid(id), key)).collect())
    }

    /// A page of complaints.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn complaints(
        &self,
        page: &PageRequest,
        filter: &Filter<ComplaintTerm>,
        sort: ComplaintSort,
        direction: Direction,
    ) -> Result<Page<Complaint>> {
        let place = |row: &Row| (sort_key(sort, row), row.id);
        let keyset = keyset(sort, direction);
        page::fetch(&self.db, filtered(self, filter)?, &keyset, page, place, restore).await
    }

    /// Number of complaints.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_complaints(&self, filter: &Filter<ComplaintTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// The first page of `size` complaints of each of `customers`, newest first, in one statement. Customers
    /// without complaints are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_complaints_of_customers(
        &self,
        customers: &[CustomerId],
        size: u32,
    ) -> Result<HashMap<CustomerId, Page<Complaint>>> {
        let of_customers = Column::CustomerId.is_in(customers.iter().map(|id| id.uuid()));
        let select = visible(self)?.filter(of_customers);
        let each = Each { parent: Column::CustomerId, org: (Column::OrgId, self.org()?), size };
        let newest_first = keyset(ComplaintSort::RecordedAt, Direction::Desc);
        let place = |row: &Row| (sort_key(ComplaintSort::RecordedAt, row), row.id);
        let restore = |row| restore(row).map(|complaint| (Some(complaint.customer_id), complaint));
        page::fetch_each(&self.db, select, &each, &newest_first, place, restore).await
    }

    /// Number of visible complaints of each of `customers`; those without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_complaints_of_customers(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, i64>> {
        let counts = visible(self)?
            .filter(Column::CustomerId.is_in(customers.iter().map(|id| id.uuid())))
            .select_only()
            .column(Column::CustomerId)
            .column_as(Column::Id.count(), "complaints")
            .group_by(Column::CustomerId)
            .into_model::<CustomerCount>()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let count = |row: CustomerCount| (CustomerId::from_uuid(row.customer_id), row.complaints);
        Ok(counts.into_iter().map(count).collect())
    }

    /// The grade of a customer. Unscoped: it decides how soon a complaint is answered, whoever handles it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn unscoped_customer_grade(&self, id: CustomerId) -> Result<Option<CustomerGrade>> {
        let row: Option<Option<String>> = customers::Entity::find()
            .filter(customers::Column::OrgId.eq(self.org()?))
            .filter(customers::Column::Id.eq(id.uuid()))
            .select_only()
            .column(customers::Column::Grade)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(database_error)?;
        let grade = row.ok_or(Error::NotFound)?;
        let unknown = || bad_row("customers", id, "unknown grade");
        grade.map(|grade| CustomerGrade::parse(&grade).ok_or_else(unknown)).transpose()
    }
}
