//! Rows of the surveys of how complaints were handled.

use evenhand_domain::change::{SubjectType, Version};
use evenhand_domain::complaints::{REMINDERS, Survey, SurveyState, SurveyWithdrawal};
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{ComplaintId, EntityId, OrganizationId, SurveyId};
use evenhand_domain::messages::Purpose;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::visible_complaints;
use crate::error::{bad_row, database_error};
use crate::messages::{self, About};
use crate::row;
use crate::store::{Reader, Store, Stored, Tx};
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
    withdrawal: Option<String>,
    reminders: i32,
    next_due_at: Option<DateTimeUtc>,
    sent_at: Option<DateTimeUtc>,
    answered_at: Option<DateTimeUtc>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
});
use entity::Model as Row;
pub(super) use entity::{Column, Entity};

/// Surveys with their scores that are counted in one answer at most.
const SCORES_MAX: u64 = 100_000;

fn parse_state(id: Uuid, state: &str) -> Result<SurveyState> {
    SurveyState::parse(state).ok_or_else(|| bad_row("surveys", id, "unknown state"))
}

fn restore(row: Row) -> Result<Survey> {
    let withdrawal = row
        .withdrawal
        .as_deref()
        .map(|why| SurveyWithdrawal::parse(why).ok_or_else(|| bad_row("surveys", row.id, "unknown reason")));
    Ok(Survey {
        id: SurveyId::from_uuid(row.id),
        version: row.version,
        complaint_id: ComplaintId::from_uuid(row.complaint_id),
        state: parse_state(row.id, &row.state)?,
        questions: parse_json("surveys", row.id, &row.questions)?,
        scores: parse_json("surveys", row.id, &row.scores)?,
        comment: row.comment,
        withdrawal: withdrawal.transpose()?,
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
        withdrawal: survey.withdrawal.map(|why| why.as_str().to_owned()),
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

/// Surveys of complaints that `reader` sees.
fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    Ok(Entity::find()
        .filter(Column::OrgId.eq(reader.org()?))
        .filter(Column::ComplaintId.in_subquery(visible_complaints(reader)?)))
}

/// Those of `ids` whose complaint `reader` sees.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let rows = visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id);
    rows.into_tuple().all(&reader.db).await.map_err(database_error)
}

/// The survey of a row, for conditions on its messages.
fn about() -> About {
    About {
        org: Expr::col((Entity, Column::OrgId)),
        subject: SubjectType::Survey,
        id: Expr::col((Entity, Column::Id)),
    }
}

impl Store {
    /// Surveys that are due by `now`, those that have waited longest first. One whose mail has not gone out, or not
    /// long enough ago for its reader to answer, is none of them. Unscoped: a worker looks for all organisations.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_due_surveys(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<(OrganizationId, SurveyId)>> {
        let mut timely = Condition::any().add(Column::State.eq(SurveyState::Scheduled.as_str()));
        for reminders in 0..=REMINDERS {
            let Some(wait) = Survey::wait(reminders) else { continue };
            let out_of_reach = messages::waiting_or_sent_after(&about(), now.plus(-wait));
            timely = timely.add(Column::Reminders.eq(reminders).and(out_of_reach.not()));
        }
        let rows: Vec<(Uuid, Uuid)> = Entity::find()
            .filter(Column::NextDueAt.lte(now.utc()))
            .filter(timely)
            .order_by_asc(Column::NextDueAt)
            .limit(limit)
            .select_only()
            .columns([Column::OrgId, Column::Id])
            .into_tuple()
            .all(self.backend.read())
            .await
            .map_err(database_error)?;
        let id =
            |(organization, survey)| (OrganizationId::from_uuid(organization), SurveyId::from_uuid(survey));
        Ok(rows.into_iter().map(id).collect())
    }
}

impl Reader<'_> {
    /// The survey of a visible complaint.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn survey(&self, id: SurveyId) -> Result<Survey> {
        self.surveys_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` whose complaint is visible, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn surveys_by_ids(&self, ids: &[SurveyId]) -> Result<Vec<Survey>> {
        let rows = visible(self)?.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// The surveys of those of `complaints` that are visible, the newest first, in one statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn surveys_of_complaints(&self, complaints: &[ComplaintId]) -> Result<Vec<Survey>> {
        let rows = visible(self)?
            .filter(Column::ComplaintId.is_in(complaints.iter().map(|id| id.uuid())))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id);
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// State and scores of the surveys of visible complaints whose first mail was sent in `[from, to)`; what waits in
    /// the outbox has asked nobody yet.
    ///
    /// # Errors
    /// `TOO_MANY` for more surveys than are counted at once.
    pub async fn sent_surveys(
        &self,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(SurveyState, Vec<i32>)>> {
        let rows: Vec<(Uuid, String, String)> = visible(self)?
            .filter(Column::SentAt.gte(from.utc()))
            .filter(Column::SentAt.lt(to.utc()))
            .filter(messages::waiting(&about(), Purpose::Survey).not())
            .select_only()
            .columns([Column::Id, Column::State, Column::Scores])
            .limit(SCORES_MAX + 1)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        if rows.len() as u64 > SCORES_MAX {
            let message = format!("These are more than {SCORES_MAX} surveys; ask for a shorter period.");
            return Err(Problem::new(Code::TooMany, message).at("period").into());
        }
        let restore = |(id, state, scores): (Uuid, String, String)| {
            Ok((parse_state(id, &state)?, parse_json("surveys", id, &scores)?))
        };
        rows.into_iter().map(restore).collect()
    }

    /// The survey of a visible complaint that is not over; at most one is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn running_survey(&self, complaint: ComplaintId) -> Result<Option<Survey>> {
        let row = visible(self)?
            .filter(Column::ComplaintId.eq(complaint.uuid()))
            .filter(Column::NextDueAt.is_not_null())
            .one(&self.db)
            .await
            .map_err(database_error)?;
        row.map(restore).transpose()
    }
}
