//! Rows of targets; the versions of their terms stand in [`terms`], what they rest on in [`derivations`].

use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{EntityId, TargetId, TeamId, UserId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::targets::{
    LateActivation, Target, TargetLevel, TargetOwner, TargetState, TargetTerm, Terms,
};
use evenhand_domain::time::{Period, PeriodKind, Timestamp};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row;
use crate::scope::own_teams;
use crate::store::{Reader, Stored, Tx};

mod departments;
mod derivations;
mod snapshots;
mod terms;

row::entity!(entity, "targets", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    owner_user_id: Option<Uuid>,
    owner_team_id: Option<Uuid>,
    period_kind: String,
    period_start: Date,
    level: String,
    state: String,
    parent_id: Option<Uuid>,
    approver_id: Option<Uuid>,
    buffer: String,
    published_at: Option<DateTimeUtc>,
    activated_at: Option<DateTimeUtc>,
    late_reason: Option<String>,
    late_approver_id: Option<Uuid>,
    closed_at: Option<DateTimeUtc>,
    withdrawn_at: Option<DateTimeUtc>,
    withdraw_reason: Option<String>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
});
use entity::{Column, Entity, Model as Row};

/// Whoever signs for a department reaches the targets of all, see [`Permission::CommitSupport`]; everybody else
/// acts on what they may read.
const SLICE: &[Permission] = &[Permission::ReadTargets, Permission::CommitSupport];

const NEWEST_FIRST: Keyset<Column> =
    Keyset { column: Column::CreatedAt, id: Column::Id, direction: Direction::Desc };

/// A value as it stands in a text column.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("no JSON: {error}")))
}

pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(table: &str, id: Uuid, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| bad_row(table, id, &error.to_string()))
}

fn owner(row: &Row) -> Result<TargetOwner> {
    match (row.owner_user_id, row.owner_team_id) {
        (Some(user), None) => Ok(TargetOwner::User(UserId::from_uuid(user))),
        (None, Some(team)) => Ok(TargetOwner::Team(TeamId::from_uuid(team))),
        _ => Err(bad_row("targets", row.id, "not one owner")),
    }
}

fn period(row: &Row) -> Result<Period> {
    let bad = |what: &str| bad_row("targets", row.id, what);
    let kind = PeriodKind::parse(&row.period_kind).ok_or_else(|| bad("unknown kind of period"))?;
    Period::new(kind, row.period_start).map_err(|problem| bad(&problem.message))
}

fn restore(row: Row, terms: terms::Versions) -> Result<Target> {
    let bad = |what: &str| bad_row("targets", row.id, what);
    let (owner, period) = (owner(&row)?, period(&row)?);
    let late_activation = row.late_reason.zip(row.late_approver_id);
    Ok(Target {
        id: TargetId::from_uuid(row.id),
        version: row.version,
        owner,
        period,
        level: TargetLevel::parse(&row.level).ok_or_else(|| bad("unknown level"))?,
        state: TargetState::parse(&row.state).ok_or_else(|| bad("unknown state"))?,
        parent_id: row.parent_id.map(TargetId::from_uuid),
        terms: terms.standing.ok_or_else(|| bad("no terms"))?,
        amendment: terms.amendment,
        history: terms.history,
        buffer: parse_json("targets", row.id, &row.buffer)?,
        published_at: row.published_at.map(Timestamp::new),
        activated_at: row.activated_at.map(Timestamp::new),
        late_activation: late_activation
            .map(|(reason, approver)| LateActivation { reason, approver_id: UserId::from_uuid(approver) }),
        closed_at: row.closed_at.map(Timestamp::new),
        withdrawn_at: row.withdrawn_at.map(Timestamp::new),
        withdraw_reason: row.withdraw_reason,
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, target: &Target) -> Result<Row> {
    let (owner_user_id, owner_team_id) = match target.owner {
        TargetOwner::User(user) => (Some(user.uuid()), None),
        TargetOwner::Team(team) => (None, Some(team.uuid())),
    };
    let approver = |terms: &Terms| terms.band_override.as_ref().map(|found| found.approver_id.uuid());
    let late = target.late_activation.as_ref();
    Ok(Row {
        org_id,
        id: target.id.uuid(),
        version: target.version,
        owner_user_id,
        owner_team_id,
        period_kind: target.period.kind().as_str().to_owned(),
        period_start: target.period.start(),
        level: target.level.as_str().to_owned(),
        state: target.state.as_str().to_owned(),
        parent_id: target.parent_id.map(EntityId::uuid),
        approver_id: target.amendment.as_ref().and_then(approver).or_else(|| approver(&target.terms)),
        buffer: json(&target.buffer)?,
        published_at: target.published_at.map(Timestamp::utc),
        activated_at: target.activated_at.map(Timestamp::utc),
        late_reason: late.map(|late| late.reason.clone()),
        late_approver_id: late.map(|late| late.approver_id.uuid()),
        closed_at: target.closed_at.map(Timestamp::utc),
        withdrawn_at: target.withdrawn_at.map(Timestamp::utc),
        withdraw_reason: target.withdraw_reason.clone(),
        created_at: target.created_at.utc(),
        updated_at: target.updated_at.utc(),
    })
}

impl Stored for Target {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await?;
        terms::write(tx, self).await?;
        departments::write(tx, self).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self)?, columns, (org, self.id.uuid(), expected)).await?;
        terms::write(tx, self).await?;
        departments::write(tx, self).await
    }
}

/// Targets that are [the caller's](own), and those for which the caller may sign in the name of a department.
fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let select = Entity::find().filter(Column::OrgId.eq(reader.org()?));
    let Some(mut seen) = own(reader)? else { return Ok(select) };
    if let (Some(user), Ok(_)) = (reader.grant().user(), reader.grant().also(Permission::CommitSupport)) {
        seen = seen.add(Column::Id.in_subquery(departments::owed_by(reader, user.uuid())?));
    }
    Ok(select.filter(seen))
}

/// Targets of people in reach, of the teams to which the caller belongs or below those that they lead, and
/// those whose terms wait for the caller's approval; `None` where all are.
fn own(reader: &Reader<'_>) -> Result<Option<Condition>> {
    let Some(owned) = reader.people(SLICE)?.include(Column::OwnerUserId) else { return Ok(None) };
    let user = reader.grant().user().map(EntityId::uuid).ok_or(Error::Forbidden)?;
    let own = Condition::any()
        .add(owned)
        .add(Column::OwnerTeamId.in_subquery(teams_in_reach(reader)?))
        .add(Column::ApproverId.eq(user));
    Ok(Some(own))
}

/// Ids of the targets that are the caller's, for conditions on what they rest on: a department sees what it owes
/// and for what, and not how somebody worked before.
fn own_targets(reader: &Reader<'_>) -> Result<SelectStatement> {
    let all = Condition::all().add(Column::OrgId.eq(reader.org()?)).add_option(own(reader)?);
    Ok(Entity::find().filter(all).select_only().column(Column::Id).into_query())
}

/// Those of `ids` that `reader` sees.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let rows = visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id);
    rows.into_tuple().all(&reader.db).await.map_err(database_error)
}

fn filtered(reader: &Reader<'_>, filter: &Filter<TargetTerm>) -> Result<Select<Entity>> {
    let term = |term: &TargetTerm| match term {
        TargetTerm::Id(ids) => page::one_of(Column::Id, ids, EntityId::uuid),
        TargetTerm::OwnerUser(users) => page::one_of(Column::OwnerUserId, users, EntityId::uuid),
        TargetTerm::OwnerTeam(teams) => page::one_of(Column::OwnerTeamId, teams, EntityId::uuid),
        TargetTerm::Level(levels) => page::one_of(Column::Level, levels, TargetLevel::as_str),
        TargetTerm::State(states) => page::one_of(Column::State, states, TargetState::as_str),
        TargetTerm::PeriodKind(kinds) => page::one_of(Column::PeriodKind, kinds, PeriodKind::as_str),
        TargetTerm::PeriodStart(day) => page::range(Column::PeriodStart, day, |day| day),
        TargetTerm::Parent(parents) => page::one_of(Column::ParentId, parents, EntityId::uuid),
    };
    Ok(visible(reader)?.filter(page::condition(filter, &term)))
}

async fn with_terms(reader: &Reader<'_>, rows: Vec<Row>) -> Result<Vec<Target>> {
    let mut terms = terms::of_targets(reader, rows.iter().map(|row| row.id).collect()).await?;
    rows.into_iter()
        .map(|row| {
            let versions = terms.remove(&row.id).unwrap_or_default();
            restore(row, versions)
        })
        .collect()
}

impl Reader<'_> {
    /// A target.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn target(&self, id: TargetId) -> Result<Target> {
        self.targets_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` that are visible, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn targets_by_ids(&self, ids: &[TargetId]) -> Result<Vec<Target>> {
        let rows = visible(self)?.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        with_terms(self, rows.all(&self.db).await.map_err(database_error)?).await
    }

    /// A page of targets, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn targets(&self, page: &PageRequest, filter: &Filter<TargetTerm>) -> Result<Page<Target>> {
        let place = |row: &Row| (SortKey::Time(Timestamp::new(row.created_at)), row.id);
        let found = page::fetch(&self.db, filtered(self, filter)?, &NEWEST_FIRST, page, place, Ok).await?;
        let (rows, cursors): (Vec<Row>, Vec<_>) = found.items.into_iter().unzip();
        let items = with_terms(self, rows).await?.into_iter().zip(cursors).collect();
        Ok(Page { items, has_next: found.has_next, has_previous: found.has_previous })
    }

    /// Number of targets.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_targets(&self, filter: &Filter<TargetTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// The visible targets of which these are made and which are not withdrawn, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn targets_below(&self, parents: &[TargetId]) -> Result<Vec<Target>> {
        below(self, visible(self)?, parents).await
    }

    /// A target, whoever may see it. Unscoped: a unit adds up for whoever changes a part of it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn unscoped_target(&self, id: TargetId) -> Result<Target> {
        self.unscoped_targets_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` that exist, in no particular order. Unscoped, as [`Reader::unscoped_target`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_targets_by_ids(&self, ids: &[TargetId]) -> Result<Vec<Target>> {
        let rows = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        with_terms(self, rows.all(&self.db).await.map_err(database_error)?).await
    }

    /// All targets of which this one is made and which are not withdrawn. Unscoped, as
    /// [`Reader::unscoped_target`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_targets_below(&self, parent: TargetId) -> Result<Vec<Target>> {
        self.unscoped_parts(&[parent]).await
    }

    /// All targets of which these are made and which are not withdrawn. Unscoped, as [`Reader::unscoped_target`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_parts(&self, parents: &[TargetId]) -> Result<Vec<Target>> {
        below(self, Entity::find().filter(Column::OrgId.eq(self.org()?)), parents).await
    }

    /// The owner's target for a period and level that is not withdrawn. Unscoped: there is one, whoever sees it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_live_target(
        &self,
        owner: TargetOwner,
        period: Period,
        level: TargetLevel,
    ) -> Result<Option<TargetId>> {
        let live = live(self.org()?, &[owner], period, level).select_only().column(Column::Id);
        let id: Option<Uuid> = live.into_tuple().one(&self.db).await.map_err(database_error)?;
        Ok(id.map(TargetId::from_uuid))
    }

    /// The targets of `owners` for a period and level that are not withdrawn. Unscoped: callers name owners whose
    /// targets the grant may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_live_targets(
        &self,
        owners: &[TargetOwner],
        period: Period,
        level: TargetLevel,
    ) -> Result<Vec<Target>> {
        let live = live(self.org()?, owners, period, level);
        with_terms(self, live.all(&self.db).await.map_err(database_error)?).await
    }

    /// Those of `targets` that are the caller's and not only their department's. Asks nothing where no department can
    /// see more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn own_among(&self, targets: &[TargetId]) -> Result<Vec<TargetId>> {
        if self.scope(SLICE)? != Scope::Team {
            return Ok(targets.to_vec());
        }
        let rows = Entity::find()
            .filter(Column::Id.is_in(targets.iter().map(|id| id.uuid())))
            .filter(Column::Id.in_subquery(own_targets(self)?))
            .select_only()
            .column(Column::Id);
        let ids: Vec<Uuid> = rows.into_tuple().all(&self.db).await.map_err(database_error)?;
        Ok(ids.into_iter().map(TargetId::from_uuid).collect())
    }

    /// Up to `limit` visible targets of a period that count, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn active_targets(&self, period: Period, limit: u64) -> Result<Vec<Target>> {
        let rows = visible(self)?
            .filter(Column::PeriodStart.eq(period.start()))
            .filter(Column::PeriodKind.eq(period.kind().as_str()))
            .filter(Column::State.eq(TargetState::Active.as_str()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(limit);
        with_terms(self, rows.all(&self.db).await.map_err(database_error)?).await
    }

    /// Whether the grant may see the targets of a person.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn person_has_visible_targets(&self, user: UserId) -> Result<bool> {
        self.person_in_scope(user, SLICE).await
    }

    /// Those of `people` whose targets the grant may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn people_with_visible_targets(&self, people: &[UserId]) -> Result<Vec<UserId>> {
        self.people_in_scope(people, SLICE).await
    }

    /// Whether the grant may see the targets of a team: any team, or one to which the caller belongs or that lies
    /// below those that they lead.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn team_has_visible_targets(&self, team: TeamId) -> Result<bool> {
        let within = match self.scope(SLICE)? {
            Scope::Organization => None,
            Scope::Team | Scope::Own => Some(teams_in_reach(self)?),
        };
        self.has_team(team, within).await
    }
}

/// The teams to which the caller belongs or that lie below those that they lead.
fn teams_in_reach(reader: &Reader<'_>) -> Result<SelectStatement> {
    let user = reader.grant().user().map(EntityId::uuid).ok_or(Error::Forbidden)?;
    let below = reader.scope(SLICE)? == Scope::Team;
    Ok(own_teams(reader.org()?, user, reader.grant().today(reader.now()), below))
}

fn owned(owners: &[TargetOwner]) -> Condition {
    let (mut users, mut teams) = (Vec::new(), Vec::new());
    for owner in owners {
        match owner {
            TargetOwner::User(user) => users.push(user.uuid()),
            TargetOwner::Team(team) => teams.push(team.uuid()),
        }
    }
    Condition::any().add(Column::OwnerUserId.is_in(users)).add(Column::OwnerTeamId.is_in(teams))
}

fn live(org: Uuid, owners: &[TargetOwner], period: Period, level: TargetLevel) -> Select<Entity> {
    Entity::find()
        .filter(Column::OrgId.eq(org))
        .filter(owned(owners))
        .filter(Column::PeriodStart.eq(period.start()))
        .filter(Column::PeriodKind.eq(period.kind().as_str()))
        .filter(Column::Level.eq(level.as_str()))
        .filter(Column::State.ne(TargetState::Withdrawn.as_str()))
}

async fn below(reader: &Reader<'_>, from: Select<Entity>, parents: &[TargetId]) -> Result<Vec<Target>> {
    let rows = from
        .filter(Column::ParentId.is_in(parents.iter().map(|id| id.uuid())))
        .filter(Column::State.ne(TargetState::Withdrawn.as_str()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id);
    with_terms(reader, rows.all(&reader.db).await.map_err(database_error)?).await
}
