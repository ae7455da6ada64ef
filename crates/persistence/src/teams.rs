//! Rows of teams and the closure of the tree.

use evenhand_domain::access::{Permission, Role};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{EntityId, TeamId, UserId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::teams::Team;
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{TeamRole, UserStatus};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, Select,
};
use uuid::Uuid;

use crate::error::database_error;
use crate::page::{self, Keyset};
use crate::scope::lasts;
use crate::store::{Reader, Stored, Tx};
use crate::{row, users};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "teams")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub name: String,
        pub name_key: String,
        pub parent_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

/// Every pair of a team and a team below it, itself included.
pub(crate) mod closure {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "team_closure")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ancestor_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub descendant_id: Uuid,
        pub depth: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

const SLICE: &[Permission] = &[Permission::ReadTeams, Permission::ManageTeams];

/// The names of teams as they are compared.
pub(crate) fn name_keys(org: Uuid, teams: SelectStatement) -> SelectStatement {
    Query::select()
        .column(Column::NameKey)
        .from(Entity)
        .and_where(Column::OrgId.eq(org))
        .and_where(Column::Id.in_subquery(teams))
        .to_owned()
}

fn restore(row: Row) -> Result<Team> {
    Ok(Team {
        id: TeamId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        parent_id: row.parent_id.map(TeamId::from_uuid),
        created_at: Timestamp::new(row.created_at),
    })
}

impl Stored for Team {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        let org_id = tx.org()?;
        let row = Row {
            org_id,
            id: self.id.uuid(),
            version: self.version,
            name: self.name.clone(),
            name_key: fold(&self.name),
            parent_id: self.parent_id.map(EntityId::uuid),
            created_at: self.created_at.utc(),
        };
        row::insert::<Entity>(&tx.db, row).await?;
        let above = match self.parent_id {
            Some(parent) => ancestors(&tx.read(), parent).await?,
            None => Vec::new(),
        };
        let mut line: Vec<(Uuid, i32)> =
            above.iter().map(|pair| (pair.ancestor_id, pair.depth + 1)).collect();
        line.push((self.id.uuid(), 0));
        let descendant_id = self.id.uuid();
        let line: Vec<_> = line
            .into_iter()
            .map(|(ancestor_id, depth)| closure::Model { org_id, ancestor_id, descendant_id, depth })
            .collect();
        row::insert_all::<closure::Entity>(&tx.db, line).await
    }

    async fn update(&self, _: &Tx, _: Version) -> Result<()> {
        Err(Error::Internal("teams are not changed yet".into()))
    }
}

async fn ancestors(reader: &Reader<'_>, team: TeamId) -> Result<Vec<closure::Model>> {
    closure::Entity::find()
        .filter(closure::Column::OrgId.eq(reader.org()?))
        .filter(closure::Column::DescendantId.eq(team.uuid()))
        .all(&reader.db)
        .await
        .map_err(database_error)
}

/// Somebody who leads a team or one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// How far above: 0 for the team itself.
    pub depth: i32,
}

#[derive(FromQueryResult)]
struct LeadRow {
    user_id: Uuid,
    role: String,
    depth: i32,
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // Every role that may see teams at all sees all of them.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

impl Reader<'_> {
    /// A team.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn team(&self, id: TeamId) -> Result<Team> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn teams_by_ids(&self, ids: &[TeamId]) -> Result<Vec<Team>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// A page of all teams, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn teams(&self, page: &PageRequest) -> Result<Page<Team>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, visible(self)?, &keyset, page, place, restore).await
    }

    /// Number of teams.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_teams(&self) -> Result<i64> {
        page::count(&self.db, visible(self)?).await
    }

    /// Number of teams from `team` up to the top, itself included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn team_depth(&self, team: TeamId) -> Result<usize> {
        let depth = closure::Entity::find()
            .filter(closure::Column::OrgId.eq(self.org()?))
            .filter(closure::Column::DescendantId.eq(team.uuid()))
            .count(&self.db)
            .await
            .map_err(database_error)?;
        Ok(usize::try_from(depth).unwrap_or(usize::MAX))
    }

    /// Everybody who leads `team` or a team above it today and has not left, nearest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leads_above(&self, team: TeamId) -> Result<Vec<Lead>> {
        use users::membership::Column as M;
        self.scope(SLICE)?;
        let (org, today) = (self.org()?, self.grant().today(self.now()));
        let line = Query::select()
            .columns([(users::Entity, users::Column::Role)])
            .column((users::membership::Entity, M::UserId))
            .column((closure::Entity, closure::Column::Depth))
            .from(users::membership::Entity)
            .inner_join(
                closure::Entity,
                Expr::col((closure::Entity, closure::Column::OrgId)).eq(org).and(
                    Expr::col((closure::Entity, closure::Column::AncestorId))
                        .equals((users::membership::Entity, M::TeamId)),
                ),
            )
            .inner_join(
                users::Entity,
                Expr::col((users::Entity, users::Column::OrgId)).eq(org).and(
                    Expr::col((users::Entity, users::Column::Id))
                        .equals((users::membership::Entity, M::UserId)),
                ),
            )
            .and_where(Expr::col((users::membership::Entity, M::OrgId)).eq(org))
            .and_where(Expr::col((closure::Entity, closure::Column::DescendantId)).eq(team.uuid()))
            .and_where(M::Role.eq(TeamRole::Lead.as_str()))
            .and_where(lasts(users::membership::Entity, today))
            .and_where(users::Column::Status.ne(UserStatus::Deactivated.as_str()))
            .order_by((closure::Entity, closure::Column::Depth), Order::Asc)
            .order_by((users::membership::Entity, M::UserId), Order::Asc)
            .to_owned();
        let rows = self.db.query_all(&line).await.map_err(database_error)?;
        let lead = |row: sea_orm::QueryResult| {
            let row = LeadRow::from_query_result(&row, "").map_err(database_error)?;
            let role = users::parse_role("users", row.user_id, &row.role)?;
            Ok(Lead { user_id: UserId::from_uuid(row.user_id), role, depth: row.depth })
        };
        rows.into_iter().map(lead).collect()
    }

    /// The teams directly below each of `parents`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn teams_below(&self, parents: &[TeamId]) -> Result<Vec<Team>> {
        let ids: Vec<Uuid> = parents.iter().map(|id| id.uuid()).collect();
        let rows =
            visible(self)?.filter(Column::ParentId.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// Whether there is a team, among those of `within` if given.
    pub(crate) async fn has_team(&self, id: TeamId, within: Option<SelectStatement>) -> Result<bool> {
        let mut select = visible(self)?.filter(Column::Id.eq(id.uuid()));
        if let Some(teams) = within {
            select = select.filter(Column::Id.in_subquery(teams));
        }
        select.count(&self.db).await.map(|found| found > 0).map_err(database_error)
    }
}
