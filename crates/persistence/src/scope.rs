//! Scopes as SQL: whose rows a grant reaches.

use chrono::NaiveDate;
use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, UserId};
use sea_orm::sea_query::{
    Alias, Expr, ExprTrait, IntoColumnRef, JoinType, Query, SelectStatement, SimpleExpr, UnionType,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::error::database_error;
use crate::store::Reader;
use crate::{teams, users};

/// The people whose rows are in reach.
pub(crate) enum People {
    /// Everybody in the organisation.
    All,
    /// One person.
    Only(Uuid),
    /// The person and everybody in the teams that they lead today.
    Team { org: Uuid, user: Uuid, today: NaiveDate },
}

impl Reader<'_> {
    /// The people in reach for a slice (see [`Reader::scope`]).
    pub(crate) fn people(&self, slice: &[Permission]) -> Result<People> {
        let user = || self.grant().user().map(EntityId::uuid).ok_or(Error::Forbidden);
        Ok(match self.scope(slice)? {
            Scope::Organization => People::All,
            Scope::Own => People::Only(user()?),
            Scope::Team => {
                People::Team { org: self.org()?, user: user()?, today: self.grant().today(self.now()) }
            }
        })
    }

    /// Whether `user` is one of the people in reach for a slice: a command asks for its own permission before
    /// it puts somebody in charge. Answers without a statement unless the scope is a team.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn person_in_scope(&self, user: UserId, slice: &[Permission]) -> Result<bool> {
        let people = self.people(slice)?;
        let Some(included) = people.include((users::Entity, users::Column::Id)) else { return Ok(true) };
        if self.grant().user() == Some(user) {
            return Ok(true);
        }
        if matches!(people, People::Only(_)) {
            return Ok(false);
        }
        let found = users::Entity::find()
            .filter(users::Column::OrgId.eq(self.org()?))
            .filter(users::Column::Id.eq(user.uuid()))
            .filter(included)
            .count(&self.db)
            .await
            .map_err(database_error)?;
        Ok(found > 0)
    }

    /// Those of `people` who exist and are in reach for a slice, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn people_in_scope(&self, people: &[UserId], slice: &[Permission]) -> Result<Vec<UserId>> {
        let mut select = users::Entity::find()
            .filter(users::Column::OrgId.eq(self.org()?))
            .filter(users::Column::Id.is_in(people.iter().map(|id| id.uuid())))
            .select_only()
            .column(users::Column::Id);
        if let Some(in_reach) = self.people(slice)?.include((users::Entity, users::Column::Id)) {
            select = select.filter(in_reach);
        }
        let ids: Vec<Uuid> = select.into_tuple().all(&self.db).await.map_err(database_error)?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    /// Those of `people` who are in reach for a slice, by id.
    pub(crate) async fn people_in_reach(
        &self,
        people: &[UserId],
        slice: &[Permission],
    ) -> Result<Vec<UserId>> {
        let mut select = users::Entity::find()
            .filter(users::Column::OrgId.eq(self.org()?))
            .filter(users::Column::Id.is_in(people.iter().map(|id| id.uuid())))
            .order_by_asc(users::Column::Id)
            .select_only()
            .column(users::Column::Id);
        if let Some(in_reach) = self.people(slice)?.include((users::Entity, users::Column::Id)) {
            select = select.filter(in_reach);
        }
        let ids: Vec<Uuid> = select.into_tuple().all(&self.db).await.map_err(database_error)?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }
}

impl People {
    /// The condition that `column` names one of them; `None` where there is nothing to restrict.
    pub(crate) fn include(&self, column: impl IntoColumnRef + Copy) -> Option<SimpleExpr> {
        match self {
            Self::All => None,
            Self::Only(user) => Some(Expr::col(column).eq(*user)),
            Self::Team { org, user, today } => Some(
                Expr::col(column)
                    .eq(*user)
                    .or(Expr::col(column).in_subquery(led_people(*org, *user, *today))),
            ),
        }
    }
}

/// The teams that `user` belongs to on `today`, and those below a team that `user` leads then.
pub(crate) fn own_teams(org: Uuid, user: Uuid, today: NaiveDate, below: bool) -> SelectStatement {
    use teams::closure;
    use users::membership::Column as M;
    let stays = |role: Option<&str>| {
        let mut stays = Query::select()
            .column(M::TeamId)
            .from(users::membership::Entity)
            .and_where(M::OrgId.eq(org))
            .and_where(M::UserId.eq(user))
            .and_where(M::ValidFrom.lte(today))
            .cond_where(Condition::any().add(M::ValidTo.is_null()).add(M::ValidTo.gt(today)))
            .to_owned();
        if let Some(role) = role {
            stays.and_where(M::Role.eq(role));
        }
        stays
    };
    if !below {
        return stays(None);
    }
    let led = stays(Some("LEAD"));
    Query::select()
        .column(closure::Column::DescendantId)
        .from(closure::Entity)
        .and_where(closure::Column::OrgId.eq(org))
        .and_where(closure::Column::AncestorId.in_subquery(led))
        .union(UnionType::All, stays(None))
        .to_owned()
}

/// Everybody who is, on `today`, a member of a team that `user` leads on `today`, sub-teams included.
fn led_people(org: Uuid, user: Uuid, today: NaiveDate) -> SelectStatement {
    use teams::closure;
    use users::membership::Column as M;
    let (led, closed) = (Alias::new("led"), Alias::new("closed"));
    let lasts = |table: &Alias| {
        Expr::col((table.clone(), M::ValidFrom)).lte(today).and(
            Expr::col((table.clone(), M::ValidTo))
                .is_null()
                .or(Expr::col((table.clone(), M::ValidTo)).gt(today)),
        )
    };
    let member = Alias::new("member");
    Query::select()
        .column((member.clone(), M::UserId))
        .from_as(users::membership::Entity, member.clone())
        .join_as(
            JoinType::InnerJoin,
            closure::Entity,
            closed.clone(),
            Expr::col((closed.clone(), closure::Column::OrgId)).eq(org).and(
                Expr::col((closed.clone(), closure::Column::DescendantId))
                    .equals((member.clone(), M::TeamId)),
            ),
        )
        .join_as(
            JoinType::InnerJoin,
            users::membership::Entity,
            led.clone(),
            Expr::col((led.clone(), M::OrgId))
                .eq(org)
                .and(Expr::col((led.clone(), M::TeamId)).equals((closed, closure::Column::AncestorId))),
        )
        .and_where(Expr::col((member.clone(), M::OrgId)).eq(org))
        .and_where(Expr::col((led.clone(), M::UserId)).eq(user))
        .and_where(Expr::col((led.clone(), M::Role)).eq("LEAD"))
        .and_where(lasts(&led))
        .and_where(lasts(&member))
        .to_owned()
}
