//! The directory: users, their roles and their teams.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Code, Error, Problem, Reference, Result};
use evenhand_domain::filter::Filter;
use evenhand_domain::id::{MembershipId, TeamId, UserId};
use evenhand_domain::organizations::Organization;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::patch::Patch;
use evenhand_domain::sessions::EndReason;
use evenhand_domain::users::{Membership, Move, TeamRole, User, UserStatus, UserTerm, UserUpdate};
use evenhand_persistence::{Reader, Tx};
use std::collections::HashMap;

use crate::door::{Command, Query};

/// Loads the user that a command is about, as the client saw it.
pub(crate) async fn load(tx: &Tx, id: UserId, version: Version) -> Result<User> {
    let user = tx.read().user(id).await?;
    if user.version == version { Ok(user) } else { Err(Error::Conflict) }
}

/// The person whom an input names in `field`, if `permission` lets the caller act for them.
pub(crate) async fn in_reach(tx: &Tx, id: UserId, permission: Permission, field: &str) -> Result<User> {
    let user = tx.read().user(id).await.referenced(field)?;
    if tx.read().person_in_scope(id, &[permission]).await? {
        return Ok(user);
    }
    let message = "You can do this for yourself and for people in the teams that you lead.";
    Err(Problem::new(Code::NotPermitted, message).at(field).into())
}

/// Changes profile, role or status of a user.
#[derive(Debug)]
pub struct UpdateUser {
    /// Who.
    pub id: UserId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: UserUpdate,
}

impl Command for UpdateUser {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        tx.lock_administrators().await?;
        let user = load(tx, self.id, self.version).await?;
        if let Patch::Set(calendar) = self.update.calendar_id {
            tx.read().work_calendar(calendar).await.referenced("calendarId")?;
        }
        let other_admins = tx.read().other_admins(self.id).await?;
        let user = tx.save(user.update(&self.update, other_admins, tx.now())?).await?;
        tx.look_at_complaints_of(user.id).await?;
        if user.status == UserStatus::Deactivated {
            for session in tx.read().unscoped_open_sessions(user.id).await? {
                if let Some(change) = session.end(EndReason::Deactivated, tx.now()) {
                    tx.save(change).await?;
                }
            }
        }
        Ok(user)
    }
}

/// Moves a user to a team from a day on.
#[derive(Debug)]
pub struct MoveMember {
    /// Who.
    pub user: UserId,
    /// The version that the client saw.
    pub version: Version,
    /// Where to.
    pub team: TeamId,
    /// What they are there.
    pub role: TeamRole,
    /// First day; today if `None`.
    pub from: Option<chrono::NaiveDate>,
}

impl Command for MoveMember {
    const PERMISSION: Permission = Permission::ManageTeams;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        let user = load(tx, self.user, self.version).await?;
        let team = tx.read().team(self.team).await.referenced("teamId")?;
        let from = self.from.unwrap_or_else(|| tx.grant().today(tx.now()));
        let step = Move { id: tx.new_id::<MembershipId>(), team_id: team.id, role: self.role, from };
        tx.save(user.move_to(&step, tx.now())?).await
    }
}

/// The caller's organisation.
#[derive(Debug)]
pub struct GetOrganization;

impl Query for GetOrganization {
    const PERMISSION: Permission = Permission::ReadOrganization;
    type Output = Organization;

    async fn run(&self, reader: &Reader<'_>) -> Result<Organization> {
        reader.organization().await
    }
}

/// Users by id; unknown ids are left out.
#[derive(Debug)]
pub struct UsersByIds(pub Vec<UserId>);

impl Query for UsersByIds {
    const PERMISSION: Permission = Permission::ReadUsers;
    type Output = Vec<User>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<User>> {
        reader.users_by_ids(&self.0).await
    }
}

/// Memberships of users, oldest first.
#[derive(Debug)]
pub struct MembershipsByUsers(pub Vec<UserId>);

impl Query for MembershipsByUsers {
    const PERMISSION: Permission = Permission::ReadUsers;
    type Output = HashMap<UserId, Vec<Membership>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.memberships_by_users(&self.0).await
    }
}

/// A page of users.
#[derive(Debug)]
pub struct ListUsers {
    /// Which part.
    pub page: PageRequest,
    /// Which users.
    pub filter: Filter<UserTerm>,
}

impl Query for ListUsers {
    const PERMISSION: Permission = Permission::ReadUsers;
    type Output = Page<User>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<User>> {
        reader.users(&self.page, &self.filter).await
    }
}

/// Number of users.
#[derive(Debug)]
pub struct CountUsers(pub Filter<UserTerm>);

impl Query for CountUsers {
    const PERMISSION: Permission = Permission::ReadUsers;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_users(&self.0).await
    }
}
