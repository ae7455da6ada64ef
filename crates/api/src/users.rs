//! Users, the viewer and the organisation in GraphQL.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use evenhand_app::users::{
    CountUsers, GetOrganization, ListUsers, MembershipsByUsers, MoveMember, UpdateUser, UsersByIds,
};
use evenhand_domain::access::{Actor, Role};
use evenhand_domain::api_clients::ApiScope;
use evenhand_domain::error::{Error, Problems};
use evenhand_domain::filter::Filter;
use evenhand_domain::id::{OrganizationId, TeamId, UserId};
use evenhand_domain::users::{self as domain, TeamRole, UserStatus, UserTerm, UserUpdate};
use evenhand_domain::{organizations, users};

use crate::calendars::{self, Leave, WorkCalendar};
use crate::context::{Request, total};
use crate::error::payload;
use crate::filters::{IdFilter, TextFilter, combine, enum_filter};
use crate::organizations::TargetBands;
use crate::page::{PageArgs, connection};
use crate::patch::patch;
use crate::scalars::{Currency, Date, DateTime, EmailAddress, Money, PeriodInput};
use crate::teams::{self, Team};
use crate::wire::Wire;
use crate::{ids, reconciliation};

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "users:name";

/// The organisation that the viewer belongs to.
pub(crate) struct Organization(organizations::Organization);

impl From<organizations::Organization> for Organization {
    fn from(organization: organizations::Organization) -> Self {
        Self(organization)
    }
}

/// A sales organisation: everything you see belongs to yours.
#[Object]
impl Organization {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// IANA time zone: whose midnight a business day starts at.
    async fn time_zone(&self) -> &str {
        self.0.time_zone.name()
    }

    /// Currency of amounts that name none.
    async fn currency(&self) -> Currency {
        Currency(self.0.currency)
    }

    /// How likely targets of each level should be reached; what lies outside needs an `override`.
    async fn target_bands(&self) -> TargetBands {
        self.0.bands.into()
    }

    /// When the organisation began to use the system.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Won revenue of the whole organisation in a period, one amount per currency; null where your role does
    /// not reach that far.
    async fn won_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period.")] period: PeriodInput,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Option<Vec<Money>>> {
        reconciliation::organization_revenue(ctx, &period, as_of).await
    }
}

/// A person of the organisation.
#[derive(Clone)]
pub(crate) struct User(domain::User);

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        Self(user)
    }
}

connection!(UserConnection, UserEdge, User, "users");

/// A person of the organisation.
#[Object]
impl User {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes, of memberships too; send it back when you update.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Full name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// E-mail address; null for people who cannot sign in.
    async fn email(&self) -> Option<EmailAddress> {
        self.0.email.clone().map(EmailAddress)
    }

    /// What the person may do.
    async fn role(&self) -> Wire<Role> {
        Wire(self.0.role)
    }

    /// Whether the person can sign in.
    async fn status(&self) -> Wire<UserStatus> {
        Wire(self.0.status)
    }

    /// First day of work, where known.
    async fn hired_on(&self) -> Option<Date> {
        self.0.hired_on.map(Date)
    }

    /// The team that the person is in today; null when in none.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        let today = Request::of(ctx).today();
        let stays = memberships(ctx, self.0.id).await?;
        match stays.iter().find(|stay| stay.covers(today)) {
            Some(stay) => teams::load(ctx, stay.team_id).await,
            None => Ok(None),
        }
    }

    /// All stays in teams, oldest first.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<Membership>> {
        Ok(memberships(ctx, self.0.id).await?.into_iter().map(Membership).collect())
    }

    /// The calendar whose hours count for the person: their own, else the organisation's default; null where there
    /// is neither, and Monday to Friday from 09:00 to 17:00 count.
    async fn calendar(&self, ctx: &Context<'_>) -> Result<Option<WorkCalendar>> {
        calendars::load(ctx, self.0.calendar_id).await
    }

    /// Days on which the person is away, oldest first.
    async fn leaves(&self, ctx: &Context<'_>) -> Result<Vec<Leave>> {
        calendars::leaves(ctx, self.0.id).await
    }

    /// Number of days in a period on which the person works: open days of their calendar without leave.
    async fn workdays(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period.")] period: PeriodInput,
    ) -> Result<u32> {
        calendars::workdays(ctx, self.0.id, &period).await
    }

    /// Won revenue credited to the person in a period, one amount per currency; null where you may not see it.
    async fn won_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period.")] period: PeriodInput,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Option<Vec<Money>>> {
        reconciliation::user_revenue(ctx, self.0.id, &period, as_of).await
    }

    /// When the person became known.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A dated stay of a person in a team.
pub(crate) struct Membership(users::Membership);

/// A dated stay of a person in a team; a person is in one team at a time.
#[Object]
impl Membership {
    /// The team.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        teams::load(ctx, self.0.team_id).await
    }

    /// What the person is there.
    async fn role(&self) -> Wire<TeamRole> {
        Wire(self.0.role)
    }

    /// First day.
    async fn valid_from(&self) -> Date {
        Date(self.0.valid_from)
    }

    /// First day that no longer counts; null while the stay lasts.
    async fn valid_to(&self) -> Option<Date> {
        self.0.valid_to.map(Date)
    }
}

async fn memberships(ctx: &Context<'_>, id: UserId) -> Result<Vec<users::Membership>> {
    let request = Request::of(ctx).asker();
    let stays = Request::of(ctx)
        .loaders()
        .memberships
        .load(id, |ids| async move { request.query(&MembershipsByUsers(ids)).await });
    Ok(stays.await?.unwrap_or_default())
}

/// The user with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: UserId) -> Result<Option<User>> {
    let request = Request::of(ctx).asker();
    let user = Request::of(ctx).loaders().users.load(id, |ids| async move {
        let users = request.query(&UsersByIds(ids)).await?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect::<HashMap<_, _>>())
    });
    Ok(user.await?.map(User))
}

/// The caller's organisation, if this is its id.
pub(crate) async fn load_organization(ctx: &Context<'_>, id: OrganizationId) -> Result<Option<Organization>> {
    let organization = Request::of(ctx).query(&GetOrganization).await?;
    Ok((organization.id == id).then_some(Organization(organization)))
}

/// The people who are in `team` or below it today.
pub(crate) async fn team_members(ctx: &Context<'_>, team: TeamId, page: PageArgs) -> Result<UserConnection> {
    list(ctx, page, Filter::Term(UserTerm::Team(team))).await
}

async fn list(ctx: &Context<'_>, page: PageArgs, filter: Filter<UserTerm>) -> Result<UserConnection> {
    let request = Request::of(ctx);
    let list = ListUsers { page: page.parse(BY_NAME)?, filter };
    let page = request.query(&list).await?;
    Ok(UserConnection::new(page, BY_NAME, total(request, CountUsers(list.filter))))
}

enum_filter!(RoleFilter, Role, "a role");
enum_filter!(UserStatusFilter, UserStatus, "the status of a user");

/// Which users. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct UserFilter {
    /// By id.
    id: Option<IdFilter>,
    /// By name, ignoring case and spacing.
    name: Option<TextFilter>,
    /// By e-mail address, ignoring case.
    email: Option<TextFilter>,
    /// By role.
    role: Option<RoleFilter>,
    /// By status.
    status: Option<UserStatusFilter>,
    /// In this team or a team below it, today.
    team_id: Option<ID>,
    /// All of these must hold as well.
    and: Option<Vec<UserFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<UserFilter>>,
    /// This must not hold.
    not: Option<Box<UserFilter>>,
}

impl UserFilter {
    fn parse(self, depth: usize) -> std::result::Result<Filter<UserTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(id) = &self.id {
            terms.push(UserTerm::Id(id.parse().map_err(|problem| problem.at("id"))?));
        }
        if let Some(name) = self.name {
            terms.extend(name.parse("name")?.into_iter().map(UserTerm::Name));
        }
        if let Some(email) = self.email {
            terms.extend(email.parse("email")?.into_iter().map(UserTerm::Email));
        }
        if let Some(role) = self.role {
            terms.push(UserTerm::Role(role.parse("role")?));
        }
        if let Some(status) = self.status {
            terms.push(UserTerm::Status(status.parse("status")?));
        }
        if let Some(team) = &self.team_id {
            terms.push(UserTerm::Team(ids::decode(team).map_err(|problem| problem.at("teamId"))?));
        }
        combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)
    }
}

/// Who sent the token.
pub(crate) struct Viewer(Actor);

/// You: the signed-in person, or the API client.
#[Object]
impl Viewer {
    /// Your entry in the directory; null for an API client.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0 {
            Actor::User(principal) => load(ctx, principal.user).await,
            Actor::Anonymous | Actor::Client(_) | Actor::System { .. } => Ok(None),
        }
    }

    /// Your role.
    async fn role(&self) -> Option<Wire<Role>> {
        match self.0 {
            Actor::User(principal) => Some(Wire(principal.role)),
            Actor::Client(client) => Some(Wire(client.role)),
            Actor::Anonymous | Actor::System { .. } => None,
        }
    }

    /// The client id of the API client; null for a person.
    async fn client_id(&self) -> Option<String> {
        match self.0 {
            Actor::Client(client) => Some(client.token.client.to_string()),
            Actor::Anonymous | Actor::User(_) | Actor::System { .. } => None,
        }
    }

    /// What the token of the API client is for, e.g. `complaints:read`; null for a person.
    async fn scopes(&self) -> Option<Vec<&str>> {
        match self.0 {
            Actor::Client(client) => Some(client.scopes.iter().map(ApiScope::as_str).collect()),
            Actor::Anonymous | Actor::User(_) | Actor::System { .. } => None,
        }
    }
}

/// Queries about the organisation and its people.
#[derive(Default)]
pub(crate) struct UserQueries;

#[Object]
impl UserQueries {
    /// You.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        match Request::of(ctx).actor() {
            Actor::Anonymous => Err(Error::Unauthenticated("sign in first").into()),
            actor => Ok(Viewer(actor)),
        }
    }

    /// Your organisation.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(Request::of(ctx).query(&GetOrganization).await?))
    }

    /// The people of your organisation, by name.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of users, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Which users; all if not given.")] filter: Option<UserFilter>,
    ) -> Result<UserConnection> {
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        list(ctx, PageArgs::forward(first, after), filter).await
    }
}

/// Input of `updateUser`. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct UpdateUserInput {
    /// The user.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New full name.
    name: Option<String>,
    /// New e-mail address, unique in the organisation.
    email: Option<EmailAddress>,
    /// New role; it counts from the next request on.
    role: Option<Wire<Role>>,
    /// `DEACTIVATED` ends all sessions at once; `ACTIVE` lets a deactivated person in again.
    status: Option<Wire<UserStatus>>,
    /// First day of work.
    hired_on: Option<Date>,
    /// The work calendar whose hours count for the person; null for the organisation's.
    calendar_id: MaybeUndefined<ID>,
}

/// Input of `moveMember`.
#[derive(InputObject)]
pub(crate) struct MoveMemberInput {
    /// The person to move.
    user_id: ID,
    /// The version of the user that you read.
    version: i32,
    /// The new team.
    team_id: ID,
    /// What the person is there; `MEMBER` if not given.
    role: Option<Wire<TeamRole>>,
    /// First day in the new team; today if not given.
    valid_from: Option<Date>,
}

payload! {
    /// Result of `updateUser`.
    UpdateUserPayload {
        /// The user after the change; null when the input was wrong.
        user: User
    }
}

payload! {
    /// Result of `moveMember`.
    MoveMemberPayload {
        /// The user with the new membership; null when the input was wrong.
        user: User
    }
}

/// Mutations of people.
#[derive(Default)]
pub(crate) struct UserMutations;

#[Object]
impl UserMutations {
    /// Changes profile, role, status or calendar of a person. For administrators.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserInput,
    ) -> Result<UpdateUserPayload> {
        UpdateUserPayload::of(
            async {
                let mut problems = Problems::default();
                let id = problems.take("id", ids::decode(&input.id));
                let calendar = problems.take("calendarId", patch(input.calendar_id).check(ids::decode));
                let (id, calendar_id) = problems.finish_with(|| Some((id?, calendar?)))?;
                let update = UserUpdate {
                    name: input.name,
                    email: input.email.map(|email| email.0),
                    role: input.role.map(|role| role.0),
                    status: input.status.map(|status| status.0),
                    hired_on: input.hired_on.map(|date| date.0),
                    calendar_id,
                };
                Request::of(ctx).execute(&UpdateUser { id, version: input.version, update }).await
            }
            .await,
        )
    }

    /// Moves a person to a team from a day on; the history of earlier teams is kept. For administrators.
    async fn move_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who moves where.")] input: MoveMemberInput,
    ) -> Result<MoveMemberPayload> {
        MoveMemberPayload::of(
            async {
                let mut problems = Problems::default();
                let user = problems.take("userId", ids::decode(&input.user_id));
                let team = problems.take("teamId", ids::decode(&input.team_id));
                let command = problems.finish_with(|| {
                    Some(MoveMember {
                        user: user?,
                        version: input.version,
                        team: team?,
                        role: input.role.map_or(TeamRole::Member, |role| role.0),
                        from: input.valid_from.map(|date| date.0),
                    })
                })?;
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }
}
