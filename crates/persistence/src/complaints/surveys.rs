//! Rows of the surveys of how complaints were handled.

use evenhand_domain::change::Version;
use evenhand_domain::complaints::{Survey, SurveyState};
use evenhand_domain::error::Result;
use evenhand_domain::id::{ComplaintId, EntityId, SurveyId};
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::visible_complaints;
use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Stored, Tx};
use crate::targets::{json, parse_json};

row::entity!(entity, "surveys", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    complaint_id: Uuid,
    state: String,
    questions: String,
    scores: String,
    comment: Option<String>,
    reminders: i32,
    next_due_at: Option<DateTimeUtc>,
    sent_at: Option<DateTimeUtc>,
    answered_at: Option<DateTimeUtc>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
});
use entity::Model as Row;
pub(super) use entity::{Column, Entity};

fn restore(row: Row) -> Result<Survey> {
    Ok(Survey {
        id: SurveyId::from_uuid(row.id),
        version: row.version,
        complaint_id: ComplaintId::from_uuid(row.complaint_id),
        state: SurveyState::parse(&row.state).ok_or_else(|| bad_row("surveys", row.id, "unknown state"))?,
        questions: parse_json("surveys", row.id, &row.questions)?,
        scores: parse_json("surveys", row.id, &row.scores)?,
        comment: row.comment,
        reminders: row.reminders,
        next_due_at: row.next_due_at.map(Timestamp::new),
        sent_at: row.sent_at.map(Timestamp::new),
        answered_at: row.answered_at.map(Timestamp::new),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, survey: &Survey) -> Result<Row> {
    Ok(Row {
        org_id,
        id: survey.id.uuid(),
        version: survey.version,
        complaint_id: survey.complaint_id.uuid(),
        state: survey.state.as_str().to_owned(),
        questions: json(&survey.questions)?,
        scores: json(&survey.scores)?,
        comment: survey.comment.clone(),
        reminders: survey.reminders,
        next_due_at: survey.next_due_at.map(Timestamp::utc),
        sent_at: survey.sent_at.map(Timestamp::utc),
        answered_at: survey.answered_at.map(Timestamp::utc),
        created_at: survey.created_at.utc(),
        updated_at: survey.updated_at.utc(),
    })
}

impl Stored for Survey {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self)?, columns, (org, self.id.uuid(), expected)).await
    }
}

/// Those of `ids` whose complaint `reader` sees.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let rows = Entity::find()
        .filter(Column::OrgId.eq(reader.org()?))
        .filter(Column::Id.is_in(ids))
        .filter(Column::ComplaintId.in_subquery(visible_complaints(reader)?))
        .select_only()
        .column(Column::Id);
    rows.into_tuple().all(&reader.db).await.map_err(database_error)
}

impl Reader<'_> {
    /// The survey of a visible complaint that is not over; at most one is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn running_survey(&self, complaint: ComplaintId) -> Result<Option<Survey>> {
        let row = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::ComplaintId.eq(complaint.uuid()))
            .filter(Column::ComplaintId.in_subquery(visible_complaints(self)?))
            .filter(Column::NextDueAt.is_not_null())
            .one(&self.db)
            .await
            .map_err(database_error)?;
        row.map(restore).transpose()
    }
}
