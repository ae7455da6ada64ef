//! Who may do what, to which rows: the whole permission table in one match.
//!
//! A [`Grant`] is the only key to the store, and [`Actor::grant`] is the only smith.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::api_clients::{ApiScope, ClientToken, Scopes};
use crate::error::{Error, Result};
use crate::id::{OrganizationId, SessionId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What a person is in the organisation.
    Role {
        /// Sells: own customers, activities and deals.
        Rep = "REP",
        /// Leads a team and all teams below it.
        Manager = "MANAGER",
        /// Looks after complaints of all customers; sees no amounts.
        ServiceAgent = "SERVICE_AGENT",
        /// Checks figures and pay; changes no customer.
        Finance = "FINANCE",
        /// Manages users, teams, products, settings and imports.
        Admin = "ADMIN",
    }
}

/// Which rows a permission reaches, widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every row of the organisation.
    Organization,
    /// Rows of the people in the teams that the caller leads, sub-teams included, and the caller's own.
    Team,
    /// The caller's own rows.
    Own,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a command or query asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// All permissions, in the order of the golden table.
            pub const ALL: &'static [Permission] = &[$(Permission::$name,)*];
        }
    };
}

permissions! {
    /// Sign in, refresh, accept an invitation: open to anybody.
    SignIn,
    /// One's own session, password and profile.
    UseOwnAccount,
    /// The organisation's name and settings.
    ReadOrganization,
    /// Change the organisation's settings.
    ManageOrganization,
    /// The directory of colleagues.
    ReadUsers,
    /// Invite people, change their role or status.
    ManageUsers,
    /// The team tree and who is in it.
    ReadTeams,
    /// Create teams and move members.
    ManageTeams,
    /// Work calendars, leave and workdays.
    ReadCalendars,
    /// Create and change work calendars.
    ManageCalendars,
    /// Record and cancel leave.
    ManageLeave,
    /// Customers and their stage history.
    ReadCustomers,
    /// Create, update and advance customers.
    WriteCustomers,
    /// Give a customer to another owner.
    AssignCustomers,
    /// Products and list prices.
    ReadProducts,
    /// Create and change products.
    ManageProducts,
    /// Calls, visits and messages.
    ReadActivities,
    /// Log calls, visits and messages.
    LogActivities,
    /// Deals, amounts and credit lines.
    ReadDeals,
    /// Create, update, win and lose deals.
    WriteDeals,
    /// Cancel a deal after it was won.
    CancelDeals,
    /// Won revenue of persons and teams.
    ReadRevenue,
    /// Targets, their derivation, and the distance to them.
    ReadTargets,
    /// Propose, amend, cascade, activate and withdraw targets.
    ManageTargets,
    /// Answer the terms of a target and sign them.
    SignTargets,
    /// Sign for support that one's department owes, and record its delivery.
    CommitSupport,
    /// Close a period and freeze the results of its targets.
    CloseTargets,
    /// Complaints, their clocks, escalations and surveys.
    ReadComplaints,
    /// Record complaints and work on them until they are closed.
    HandleComplaints,
    /// Create and change the policies that say how soon complaints are answered.
    ManageSlaPolicies,
    /// The proof that personal figures equal company figures.
    ReadReconciliation,
    /// What people did on each day: counts and won revenue.
    ReadDailyFacts,
    /// Close days, and check what was frozen.
    CloseDays,
    /// The change feed, limited to changes of what the caller may read.
    ReadChanges,
    /// The whole event log with requests and hashes.
    ReadAudit,
    /// Mail that waits, went out or failed.
    ReadOutbox,
    /// Import files and read the verdicts.
    ImportData,
    /// The programs that work with the API in their own name, and what they may do.
    ReadApiClients,
    /// Create API clients, change their secrets and scopes, and revoke them.
    ManageApiClients,
}

/// The table: role x permission -> scope; everything that is not written is denied.
fn scope(role: Role, permission: Permission) -> Option<Scope> {
    use Permission::*;
    use Role::*;
    use Scope::*;
    Some(match (permission, role) {
        (SignIn | UseOwnAccount, _) => Own,
        (
            ReadOrganization | ReadUsers | ReadTeams | ReadCalendars | ReadProducts | ReadChanges
            | ReadApiClients,
            _,
        ) => Organization,
        // Nobody signs for others; an administrator neither.
        (SignTargets, Admin) => Own,
        (_, Admin) => Organization,

        (
            ReadCustomers | WriteCustomers | ReadActivities | LogActivities | ReadDeals | WriteDeals
            | ReadRevenue | ReadTargets | SignTargets | ReadDailyFacts | ReadComplaints | HandleComplaints,
            Rep,
        ) => Own,
        (ManageLeave, Manager) => Team,
        (ReadCustomers | WriteCustomers | AssignCustomers, Manager) => Team,
        (ReadActivities | LogActivities, Manager) => Team,
        (ReadDeals | WriteDeals | CancelDeals | ReadRevenue | ReadDailyFacts, Manager) => Team,
        (ReadTargets | ManageTargets | SignTargets | CloseTargets, Manager) => Team,
        (ReadComplaints | HandleComplaints, Manager) => Team,
        // A department owes support to targets of other teams.
        (CommitSupport, Manager | Finance) => Organization,

        (ReadCustomers | ReadActivities, ServiceAgent) => Organization,
        (LogActivities, ServiceAgent) => Own,
        (ReadComplaints | HandleComplaints, ServiceAgent) => Organization,

        (ReadCustomers | ReadDeals | ReadRevenue | ReadReconciliation, Finance) => Organization,
        (ReadTargets | CloseTargets, Finance) => Organization,
        (ReadDailyFacts | CloseDays, Finance) => Organization,

        _ => return None,
    })
}

impl Role {
    /// Whether somebody of this role may do this at all, to some rows.
    pub fn may(self, permission: Permission) -> bool {
        scope(self, permission).is_some()
    }

    /// Whether an API client may have this role: it is nobody, so that "own" and "team" mean nothing for it.
    pub fn takes_clients(self) -> bool {
        matches!(self, Self::ServiceAgent | Self::Finance | Self::Admin)
    }

    /// Whether a client of this role can use `needed` for anything at all.
    pub fn reaches(self, needed: ApiScope) -> bool {
        Permission::ALL
            .iter()
            .any(|&it| ApiScope::of(it) == Some(needed) && scope(self, it) == Some(Scope::Organization))
    }
}

/// A person who has signed in, as the database knows them at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The organisation.
    pub organization: OrganizationId,
    /// The person.
    pub user: UserId,
    /// The session that the access token belongs to.
    pub session: SessionId,
    /// The person's role now, not when the token was made.
    pub role: Role,
    /// The organisation's time zone.
    pub zone: Tz,
}

/// An API client that has sent a token, as the database knows it at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPrincipal {
    /// The token, with the client and its organisation.
    pub token: ClientToken,
    /// How far the client reaches.
    pub role: Role,
    /// What it may ask for: what the token was asked for, as far as the client still has it.
    pub scopes: Scopes,
    /// The organisation's time zone.
    pub zone: Tz,
}

impl ClientPrincipal {
    /// Scopes ∩ role. What the role reaches only as one's own or a team's, a client does not reach.
    fn scope(&self, permission: Permission, scopes: Scopes) -> Result<Scope> {
        let needed = ApiScope::of(permission).ok_or(Error::ScopeMissing(None))?;
        if scope(self.role, permission) != Some(Scope::Organization) {
            return Err(Error::Forbidden);
        }
        let granted = scopes.contains(needed).then_some(Scope::Organization);
        granted.ok_or(Error::ScopeMissing(Some(needed)))
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody that we know.
    Anonymous,
    /// A signed-in person.
    User(Principal),
    /// A program of somebody else, in its own name.
    Client(ClientPrincipal),
    /// A job, the command line or the demo generator, acting for an organisation.
    System {
        /// The organisation.
        organization: OrganizationId,
        /// Its time zone.
        zone: Tz,
    },
}

impl Actor {
    /// The key to the store for `permission`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an anonymous caller, [`Error::Forbidden`] where the role has no scope,
    /// [`Error::ScopeMissing`] where the token of a client has not.
    pub fn grant(&self, permission: Permission) -> Result<Grant> {
        let scope = match self {
            Self::Anonymous if permission == Permission::SignIn => Scope::Own,
            Self::Anonymous => return Err(Error::Unauthenticated("sign in first")),
            Self::User(principal) => scope(principal.role, permission).ok_or(Error::Forbidden)?,
            Self::Client(client) => client.scope(permission, client.scopes)?,
            Self::System { .. } => Scope::Organization,
        };
        Ok(Grant { actor: *self, permission, scope })
    }

    /// The organisation's time zone; UTC for an anonymous caller.
    pub fn zone(&self) -> Tz {
        match *self {
            Self::User(Principal { zone, .. })
            | Self::Client(ClientPrincipal { zone, .. })
            | Self::System { zone, .. } => zone,
            Self::Anonymous => Tz::UTC,
        }
    }
}

/// Proof that `actor` may use `permission` within `scope`. Only [`Actor::grant`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    actor: Actor,
    permission: Permission,
    scope: Scope,
}

impl Grant {
    /// Who asks.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// What was asked for.
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// Which rows it reaches.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The organisation that every statement must filter by.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an anonymous grant, which has none.
    pub fn organization(&self) -> Result<OrganizationId> {
        match self.actor {
            Actor::User(principal) => Ok(principal.organization),
            Actor::Client(client) => Ok(client.token.organization),
            Actor::System { organization, .. } => Ok(organization),
            Actor::Anonymous => Err(Error::Unauthenticated("sign in first")),
        }
    }

    /// The person who asks, if it is one.
    pub fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(principal) => Some(principal.user),
            Actor::Anonymous | Actor::Client(_) | Actor::System { .. } => None,
        }
    }

    /// Whether an API client asks.
    pub fn is_client(&self) -> bool {
        matches!(self.actor, Actor::Client(_))
    }

    /// The organisation's time zone; UTC for an anonymous grant.
    pub fn zone(&self) -> Tz {
        self.actor.zone()
    }

    /// The organisation's calendar date at `now`; the UTC date for an anonymous grant.
    pub fn today(&self, now: Timestamp) -> NaiveDate {
        now.date_in(self.zone())
    }

    /// The same caller's grant for another permission, for reads that cross slices.
    ///
    /// # Errors
    /// As [`Actor::grant`].
    pub fn also(&self, permission: Permission) -> Result<Grant> {
        match self.actor {
            // What a change looks up to check its input is not what the client asks for: its role limits that alone.
            Actor::Client(client) if ApiScope::of(self.permission).is_some_and(ApiScope::is_write) => {
                let scope = client.scope(permission, ApiScope::ALL.iter().copied().collect())?;
                Ok(Self { permission, scope, ..*self })
            }
            actor => actor.grant(permission),
        }
    }
}

/// The permission table as text: the golden file that a review reads.
pub fn table() -> String {
    let mut text = format!("{:<20}", "permission");
    for &role in Role::ALL {
        text += &format!("{:<14}", format!("{role:?}"));
    }
    text = text.trim_end().to_owned() + "\n";
    for &permission in Permission::ALL {
        let mut line = format!("{:<20}", format!("{permission:?}"));
        for &role in Role::ALL {
            let cell = scope(role, permission).map_or("-".into(), |scope| format!("{scope:?}"));
            line += &format!("{cell:<14}");
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// The table of scopes as text: which scope a permission needs of an API client, and which roles then grant it.
pub fn client_table() -> String {
    let roles: Vec<Role> = Role::ALL.iter().copied().filter(|role| role.takes_clients()).collect();
    let names: String = roles.iter().map(|role| format!("{:<14}", format!("{role:?}"))).collect();
    let mut text = format!("{:<20}{:<20}{}\n", "permission", "scope", names.trim_end());
    for &permission in Permission::ALL {
        let needed = ApiScope::of(permission);
        let cell = |role: &Role| {
            let reached = needed.is_some() && scope(*role, permission) == Some(Scope::Organization);
            format!("{:<14}", if reached { "yes" } else { "-" })
        };
        let cells: String = roles.iter().map(cell).collect();
        let needed = needed.map_or("-", ApiScope::as_str);
        text += format!("{:<20}{needed:<20}{cells}", format!("{permission:?}")).trim_end();
        text += "\n";
    }
    text
}
