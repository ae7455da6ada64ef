//! The team tree. The smallest slice: the one to imitate.

use evenhand_domain::access::Permission;
use evenhand_domain::error::{Reference, Result};
use evenhand_domain::id::TeamId;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::teams::Team;
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};

/// Creates a team.
#[derive(Debug)]
pub struct CreateTeam {
    /// Its name.
    pub name: String,
    /// The team above; `None` for the top.
    pub parent: Option<TeamId>,
}

impl Command for CreateTeam {
    const PERMISSION: Permission = Permission::ManageTeams;
    type Output = Team;

    async fn run(&self, tx: &mut Tx) -> Result<Team> {
        let parent = match self.parent {
            Some(id) => {
                let team = tx.read().team(id).await.referenced("parentId")?;
                let depth = tx.read().team_depth(id).await?;
                Some((team, depth))
            }
            None => None,
        };
        let above = parent.as_ref().map(|(team, depth)| (team, *depth));
        let change = Team::create(&self.name, above, tx.new_id(), tx.now())?;
        tx.save(change).await
    }
}

/// Teams by id; unknown ids are left out.
#[derive(Debug)]
pub struct TeamsByIds(pub Vec<TeamId>);

impl Query for TeamsByIds {
    const PERMISSION: Permission = Permission::ReadTeams;
    type Output = Vec<Team>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Team>> {
        reader.teams_by_ids(&self.0).await
    }
}

/// The teams directly below some teams.
#[derive(Debug)]
pub struct TeamsBelow(pub Vec<TeamId>);

impl Query for TeamsBelow {
    const PERMISSION: Permission = Permission::ReadTeams;
    type Output = Vec<Team>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Team>> {
        reader.teams_below(&self.0).await
    }
}

/// A page of teams, by name.
#[derive(Debug)]
pub struct ListTeams(pub PageRequest);

impl Query for ListTeams {
    const PERMISSION: Permission = Permission::ReadTeams;
    type Output = Page<Team>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Team>> {
        reader.teams(&self.0).await
    }
}

/// Number of teams.
#[derive(Debug)]
pub struct CountTeams;

impl Query for CountTeams {
    const PERMISSION: Permission = Permission::ReadTeams;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_teams().await
    }
}
