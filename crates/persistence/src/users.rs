//! Rows of users and their memberships.

use std::collections::HashMap;

use evenhand_domain::access::{Permission, Role};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{EntityId, MembershipId, TeamId, UserId, WorkCalendarId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{Membership, TeamRole, User, UserStatus, UserTerm};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, Select,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row;
use crate::scope::lasts;
use crate::store::{Reader, Stored, Tx};
use crate::teams::closure;

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub name: String,
        pub name_key: String,
        pub email: Option<String>,
        pub email_key: Option<String>,
        pub role: String,
        pub status: String,
        pub deactivated_at: Option<DateTimeUtc>,
        pub hired_on: Option<Date>,
        pub calendar_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
pub(crate) use entity::{Column, Entity, Model as Row};

/// Dated stays in teams.
pub(crate) mod membership {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "memberships")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub team_id: Uuid,
        pub role: String,
        pub valid_from: Date,
        pub valid_to: Option<Date>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

const SLICE: &[Permission] = &[Permission::ReadUsers, Permission::ManageUsers];

/// Reads the name of a role, as stored in `table`.
pub(crate) fn parse_role(table: &str, id: Uuid, text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| bad_row(table, id, "unknown role"))
}

fn restore(row: Row, stays: Vec<membership::Model>) -> Result<User> {
    let memberships = stays
        .into_iter()
        .map(|stay| {
            Ok(Membership {
                id: MembershipId::from_uuid(stay.id),
                team_id: TeamId::from_uuid(stay.team_id),
                role: TeamRole::parse(&stay.role)
                    .ok_or_else(|| bad_row("memberships", stay.id, "unknown role"))?,
                valid_from: stay.valid_from,
                valid_to: stay.valid_to,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(User {
        id: UserId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        email: row.email,
        role: parse_role("users", row.id, &row.role)?,
        status: UserStatus::parse(&row.status).ok_or_else(|| bad_row("users", row.id, "unknown status"))?,
        deactivated_at: row.deactivated_at.map(Timestamp::new),
        hired_on: row.hired_on,
        calendar_id: row.calendar_id.map(WorkCalendarId::from_uuid),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
        memberships,
    })
}

fn to_row(org_id: Uuid, user: &User) -> Row {
    Row {
        org_id,
        id: user.id.uuid(),
        version: user.version,
        name: user.name.clone(),
        name_key: fold(&user.name),
        email: user.email.clone(),
        email_key: user.email.as_deref().map(fold),
        role: user.role.as_str().to_owned(),
        status: user.status.as_str().to_owned(),
        deactivated_at: user.deactivated_at.map(Timestamp::utc),
        hired_on: user.hired_on,
        calendar_id: user.calendar_id.map(EntityId::uuid),
        created_at: user.created_at.utc(),
        updated_at: user.updated_at.utc(),
    }
}

async fn write_memberships(tx: &Tx, user: &User) -> Result<()> {
    if user.memberships.is_empty() {
        return Ok(());
    }
    let org_id = tx.org()?;
    // Ended stays first: only one may be open at any moment.
    let mut stays: Vec<&Membership> = user.memberships.iter().collect();
    stays.sort_by_key(|stay| stay.valid_to.is_none());
    for stay in stays {
        let row = membership::Model {
            org_id,
            id: stay.id.uuid(),
            user_id: user.id.uuid(),
            team_id: stay.team_id.uuid(),
            role: stay.role.as_str().to_owned(),
            valid_from: stay.valid_from,
            valid_to: stay.valid_to,
        };
        membership::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::columns([membership::Column::OrgId, membership::Column::Id])
                    .update_column(membership::Column::ValidTo)
                    .to_owned(),
            )
            .exec_without_returning(&tx.db)
            .await
            .map_err(database_error)?;
    }
    Ok(())
}

impl Stored for User {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await?;
        write_memberships(tx, self).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await?;
        write_memberships(tx, self).await
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // The directory is open to every role of the organisation, and to nobody else.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

fn filtered(reader: &Reader<'_>, filter: &Filter<UserTerm>) -> Result<Select<Entity>> {
    let org = reader.org()?;
    let today = reader.grant().today(reader.now());
    let term = |term: &UserTerm| match term {
        UserTerm::Id(ids) => page::one_of(Column::Id, ids, EntityId::uuid),
        UserTerm::Name(name) => page::text(Column::NameKey, name),
        UserTerm::Email(email) => page::text(Column::EmailKey, email),
        UserTerm::Role(roles) => page::one_of(Column::Role, roles, Role::as_str),
        UserTerm::Status(statuses) => page::one_of(Column::Status, statuses, UserStatus::as_str),
        UserTerm::Team(team) => in_team(org, team.uuid(), today),
    };
    Ok(visible(reader)?.filter(page::condition(filter, &term)))
}

/// Users who are in `team` or below it on `today`.
fn in_team(org: Uuid, team: Uuid, today: chrono::NaiveDate) -> SimpleExpr {
    use membership::Column as M;
    let below = Query::select()
        .column(closure::Column::DescendantId)
        .from(closure::Entity)
        .and_where(closure::Column::OrgId.eq(org))
        .and_where(closure::Column::AncestorId.eq(team))
        .to_owned();
    let members = Query::select()
        .column(M::UserId)
        .from(membership::Entity)
        .and_where(M::OrgId.eq(org))
        .and_where(M::TeamId.in_subquery(below))
        .and_where(lasts(membership::Entity, today))
        .to_owned();
    Expr::col((Entity, Column::Id)).in_subquery(members)
}

async fn with_memberships(reader: &Reader<'_>, rows: Vec<Row>) -> Result<Vec<User>> {
    let mut stays: HashMap<Uuid, Vec<membership::Model>> = HashMap::new();
    for stay in memberships_of(reader, rows.iter().map(|row| row.id).collect()).await? {
        stays.entry(stay.user_id).or_default().push(stay);
    }
    rows.into_iter()
        .map(|row| {
            let stays = stays.remove(&row.id).unwrap_or_default();
            restore(row, stays)
        })
        .collect()
}

async fn memberships_of(reader: &Reader<'_>, users: Vec<Uuid>) -> Result<Vec<membership::Model>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    membership::Entity::find()
        .filter(membership::Column::OrgId.eq(reader.org()?))
        .filter(membership::Column::UserId.is_in(users))
        .order_by_asc(membership::Column::ValidFrom)
        .all(&reader.db)
        .await
        .map_err(database_error)
}

impl Reader<'_> {
    /// A user with all memberships.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn user(&self, id: UserId) -> Result<User> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        let row = row.ok_or(Error::NotFound)?;
        let stays = memberships_of(self, vec![row.id]).await?;
        restore(row, stays)
    }

    /// Those of `ids` that exist, without memberships, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(|row| restore(row, Vec::new())).collect()
    }

    /// The memberships of each of `ids`, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn memberships_by_users(&self, ids: &[UserId]) -> Result<HashMap<UserId, Vec<Membership>>> {
        let rows = visible(self)?
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let users = with_memberships(self, rows).await?;
        Ok(users.into_iter().map(|user| (user.id, user.memberships)).collect())
    }

    /// The user with this e-mail address, ignoring case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_user_by_email(&self, email: &str) -> Result<Option<User>> {
        let row = visible(self)?
            .filter(Column::EmailKey.eq(fold(email)))
            .one(&self.db)
            .await
            .map_err(database_error)?;
        match row {
            Some(row) => {
                let stays = memberships_of(self, vec![row.id]).await?;
                restore(row, stays).map(Some)
            }
            None => Ok(None),
        }
    }

    /// All users of the organisation with their memberships; for imports, which match people by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_users(&self) -> Result<Vec<User>> {
        let rows = visible(self)?.all(&self.db).await.map_err(database_error)?;
        with_memberships(self, rows).await
    }

    /// A page of users by name, without memberships.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self, page: &PageRequest, filter: &Filter<UserTerm>) -> Result<Page<User>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, filtered(self, filter)?, &keyset, page, place, |row| restore(row, Vec::new()))
            .await
    }

    /// Number of users.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_users(&self, filter: &Filter<UserTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// Number of active administrators besides `user`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn other_admins(&self, user: UserId) -> Result<u64> {
        visible(self)?
            .filter(Column::Role.eq(Role::Admin.as_str()))
            .filter(Column::Status.eq(UserStatus::Active.as_str()))
            .filter(Column::Id.ne(user.uuid()))
            .count(&self.db)
            .await
            .map_err(database_error)
    }
}

impl Tx {
    /// Makes changes of administrators wait for each other, so that two cannot remove the last two at once.
    ///
    /// # Errors
    /// [`Error::Contention`].
    pub async fn lock_administrators(&self) -> Result<()> {
        let statement = Query::update()
            .table(Entity)
            .value(Column::Version, Expr::col(Column::Version))
            .and_where(Column::OrgId.eq(self.org()?))
            .and_where(Column::Role.eq(Role::Admin.as_str()))
            .to_owned();
        self.db.execute(&statement).await.map_err(database_error).map(drop)
    }
}
