//! Teams in GraphQL. The smallest slice: the one to imitate.

use async_graphql::{Context, ID, InputObject, Object, Result};
use evenhand_app::teams::{CountTeams, CreateTeam, ListTeams, TeamsBelow, TeamsByIds};
use evenhand_domain::error::Problems;
use evenhand_domain::id::TeamId;
use evenhand_domain::teams as domain;

use crate::context::{Request, total};
use crate::error::payload;
use crate::page::{PageArgs, connection};
use crate::scalars::{DateTime, Money, PeriodInput};
use crate::users::{UserConnection, team_members};
use crate::{ids, reconciliation};

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "teams:name";

/// A node of the team tree.
#[derive(Clone)]
pub(crate) struct Team(domain::Team);

impl From<domain::Team> for Team {
    fn from(team: domain::Team) -> Self {
        Self(team)
    }
}

connection!(TeamConnection, TeamEdge, Team, "teams");

/// A team: people who work for the same targets. Teams form a tree of any depth.
#[Object]
impl Team {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you update.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The team above; null at the top.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        match self.0.parent_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The teams directly below.
    async fn children(&self, ctx: &Context<'_>) -> Result<Vec<Team>> {
        let request = Request::of(ctx).asker();
        let below = Request::of(ctx).loaders().teams_below.load(self.0.id, |parents| async move {
            let mut below: std::collections::HashMap<TeamId, Vec<domain::Team>> = Default::default();
            for team in request.query(&TeamsBelow(parents)).await? {
                if let Some(parent) = team.parent_id {
                    below.entry(parent).or_default().push(team);
                }
            }
            for teams in below.values_mut() {
                teams.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
            }
            Ok(below)
        });
        Ok(below.await?.unwrap_or_default().into_iter().map(Team).collect())
    }

    /// The people who are in this team or below it today, by name.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of people, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<UserConnection> {
        team_members(ctx, self.0.id, PageArgs::forward(first, after)).await
    }

    /// Won revenue of this team and the teams below it in a period, one amount per currency; null where you may
    /// not see it. A person's credit counts for the team that the person was in on the day of the fact.
    async fn won_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period.")] period: PeriodInput,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Option<Vec<Money>>> {
        reconciliation::team_revenue(ctx, self.0.id, &period, as_of).await
    }

    /// When the team was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// The team with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: TeamId) -> Result<Option<Team>> {
    let request = Request::of(ctx).asker();
    let team = Request::of(ctx).loaders().teams.load(id, |ids| async move {
        let teams = request.query(&TeamsByIds(ids)).await?;
        Ok(teams.into_iter().map(|team| (team.id, team)).collect())
    });
    Ok(team.await?.map(Team))
}

/// Queries about teams.
#[derive(Default)]
pub(crate) struct TeamQueries;

#[Object]
impl TeamQueries {
    /// All teams of the organisation, by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of teams, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<TeamConnection> {
        let request = Request::of(ctx);
        let page = request.query(&ListTeams(PageArgs::forward(first, after).parse(BY_NAME)?)).await?;
        Ok(TeamConnection::new(page, BY_NAME, total(request, CountTeams)))
    }
}

/// Input of `createTeam`.
#[derive(InputObject)]
pub(crate) struct CreateTeamInput {
    /// Name, unique in the organisation, 1 to 200 characters.
    name: String,
    /// The team above; leave out for a team at the top.
    parent_id: Option<ID>,
}

payload! {
    /// Result of `createTeam`.
    CreateTeamPayload {
        /// The new team; null when the input was wrong.
        team: Team
    }
}

/// Mutations of teams.
#[derive(Default)]
pub(crate) struct TeamMutations;

#[Object]
impl TeamMutations {
    /// Creates a team. For administrators.
    async fn create_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new team.")] input: CreateTeamInput,
    ) -> Result<CreateTeamPayload> {
        CreateTeamPayload::of(
            async {
                let mut problems = Problems::default();
                let parent = problems.take("parentId", ids::decode_opt(input.parent_id.as_ref()));
                let command =
                    problems.finish_with(|| Some(CreateTeam { name: input.name, parent: parent? }))?;
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }
}
