//! API clients: programs of others that work with the API in their own name, within scopes.
//!
//! A client has a role, which says how far it reaches, and scopes, which say what it may ask for there. It proves
//! itself by a secret, of which only the hash is kept; each secret has a generation, which its tokens carry.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{Permission, Role};
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{ApiClientId, EntityId, OrganizationId};
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Longest time for which the old secret works beside the new one, in minutes: a week.
pub const OVERLAP_MINUTES_MAX: i32 = 10_080;
/// How long the old secret works where nothing else is said, in minutes: a day.
pub const OVERLAP_MINUTES: i32 = 1_440;

wire_enum! {
    /// What an API client may ask for. Names are a contract with integrations: never renamed or reused.
    ApiScope {
        /// The organisation and its settings.
        OrganizationRead = "organization:read",
        /// The directory of people and of API clients.
        UsersRead = "users:read",
        /// The team tree and who is in it.
        TeamsRead = "teams:read",
        /// Work calendars, leave and workdays.
        CalendarsRead = "calendars:read",
        /// Customers and their stage history.
        CustomersRead = "customers:read",
        /// Create, update, advance and assign customers.
        CustomersWrite = "customers:write",
        /// Products and list prices.
        ProductsRead = "products:read",
        /// Create and change products.
        ProductsWrite = "products:write",
        /// Calls, visits and messages.
        ActivitiesRead = "activities:read",
        /// Log calls, visits and messages.
        ActivitiesWrite = "activities:write",
        /// Deals, amounts and credit lines.
        DealsRead = "deals:read",
        /// Create, update, win, lose and cancel deals.
        DealsWrite = "deals:write",
        /// Won revenue, and the proof that it adds up.
        RevenueRead = "revenue:read",
        /// What people did on each day.
        FactsRead = "facts:read",
        /// Targets and the distance to them.
        TargetsRead = "targets:read",
        /// Complaints that are not confidential, their clocks and surveys.
        ComplaintsRead = "complaints:read",
        /// Record complaints and work on them.
        ComplaintsWrite = "complaints:write",
        /// The change feed, limited to changes of what the other scopes let the client read.
        ChangesRead = "changes:read",
    }
}

impl ApiScope {
    /// The scope that a permission needs; `None` is for people only, whatever a client's role. There is no other
    /// case, so that each new permission is decided here.
    pub fn of(permission: Permission) -> Option<Self> {
        use Permission::*;
        Some(match permission {
            ReadOrganization => Self::OrganizationRead,
            ReadUsers | ReadApiClients => Self::UsersRead,
            ReadTeams => Self::TeamsRead,
            ReadCalendars => Self::CalendarsRead,
            ReadCustomers => Self::CustomersRead,
            WriteCustomers | AssignCustomers => Self::CustomersWrite,
            ReadProducts => Self::ProductsRead,
            ManageProducts => Self::ProductsWrite,
            ReadActivities => Self::ActivitiesRead,
            LogActivities => Self::ActivitiesWrite,
            ReadDeals => Self::DealsRead,
            WriteDeals | CancelDeals => Self::DealsWrite,
            ReadRevenue | ReadReconciliation => Self::RevenueRead,
            ReadDailyFacts => Self::FactsRead,
            ReadTargets => Self::TargetsRead,
            ReadComplaints => Self::ComplaintsRead,
            HandleComplaints => Self::ComplaintsWrite,
            ReadChanges => Self::ChangesRead,
            // Accounts, and who may do what.
            SignIn | UseOwnAccount | ManageUsers | ManageTeams | ManageLeave | ManageApiClients
            // By what others are measured.
            | ManageOrganization | ManageCalendars | ManageSlaPolicies
            // What people agree on, sign or freeze.
            | ManageTargets | SignTargets | CommitSupport | CloseTargets | CloseDays
            // Everything at once: an import makes users, too, and the log and the mail show what is confidential.
            | ImportData | ReadAudit | ReadOutbox => return None,
        })
    }

    /// Whether it is for changes.
    pub fn is_write(self) -> bool {
        self.as_str().ends_with(":write")
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u32);

const _: () = assert!(ApiScope::ALL.len() <= u32::BITS as usize);

impl Scopes {
    /// Those of the names, separated by spaces, that are known; others mean nothing to this version.
    pub fn known(names: &str) -> Self {
        names.split(' ').filter_map(ApiScope::parse).collect()
    }

    /// Whether `scope` is one of them.
    pub fn contains(self, scope: ApiScope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The scopes, in the order of [`ApiScope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = ApiScope> {
        ApiScope::ALL.iter().copied().filter(move |&scope| self.contains(scope))
    }

    fn bit(scope: ApiScope) -> u32 {
        1 << scope as u32
    }
}

impl FromIterator<ApiScope> for Scopes {
    fn from_iter<I: IntoIterator<Item = ApiScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.iter().map(ApiScope::as_str).collect::<Vec<_>>().join(" "))
    }
}

/// A token of a client: what makes it work is looked up at every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientToken {
    /// The organisation.
    pub organization: OrganizationId,
    /// The client.
    pub client: ApiClientId,
    /// Its own id, by which it is revoked.
    pub id: Uuid,
    /// The generation of the secret that it was got with.
    pub generation: i32,
}

/// The secret before the present one, while both work.
#[derive(Clone, Debug, PartialEq)]
pub struct OldSecret {
    /// Its hash.
    pub hash: String,
    /// First instant at which it no longer works, nor any token that was got with it.
    pub expires_at: Timestamp,
}

/// A program of somebody else that works with the API in its own name.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiClient {
    /// Its id.
    pub id: ApiClientId,
    /// Counts changes.
    pub version: Version,
    /// Name; unique among those that are not revoked, ignoring case.
    pub name: String,
    /// How far it reaches.
    pub role: Role,
    /// What it may ask for; never empty.
    pub scopes: Scopes,
    /// Hash of the secret.
    pub secret_hash: String,
    /// Counts secrets, from 1.
    pub generation: i32,
    /// The secret before.
    pub old_secret: Option<OldSecret>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it was shut out; for ever.
    pub revoked_at: Option<Timestamp>,
    /// When it last got a token. Technical: no version counts it and no event tells it.
    pub last_used_at: Option<Timestamp>,
}

/// Input of [`ApiClient::create`].
#[derive(Clone, Debug)]
pub struct NewApiClient {
    /// Name.
    pub name: String,
    /// How far it reaches.
    pub role: Role,
    /// What it may ask for, by name.
    pub scopes: Vec<String>,
}

/// Input of [`ApiClient::update`]; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct ApiClientUpdate {
    /// New name.
    pub name: Option<String>,
    /// How far it reaches.
    pub role: Option<Role>,
    /// What it may ask for, by name.
    pub scopes: Option<Vec<String>>,
}

/// A name, a role that reaches the whole organisation, and scopes that this role can use.
fn check(name: &str, role: Role, scopes: &[String]) -> Result<(String, Scopes)> {
    let mut problems = Problems::default();
    let name = problems.take("name", text::name(name));
    let takes_clients = role.takes_clients();
    if !takes_clients {
        let message = "A client is nobody's own and leads no team: give it SERVICE_AGENT, FINANCE or ADMIN.";
        problems.push(Problem::new(Code::NotApplicable, message).at("role"));
    }
    if scopes.is_empty() {
        problems.push(Problem::required("scopes"));
    }
    if scopes.len() > ApiScope::ALL.len() {
        let message = format!("There are {} scopes.", ApiScope::ALL.len());
        return Err(Problem::new(Code::TooMany, message).at("scopes").into());
    }
    let mut known = Vec::new();
    for (index, name) in scopes.iter().enumerate() {
        let scope = scope(name).and_then(|scope| match takes_clients && !role.reaches(scope) {
            true => Err(not_reached(role, scope)),
            false => Ok(scope),
        });
        known.extend(problems.take("scopes", scope.map_err(|problem| problem.at(index.to_string()))));
    }
    problems.finish_with(|| Some((name?, known.into_iter().collect())))
}

fn scope(name: &str) -> Result<ApiScope, Problem> {
    ApiScope::parse(name).ok_or_else(|| {
        let known: Scopes = ApiScope::ALL.iter().copied().collect();
        Problem::new(Code::InvalidFormat, format!("There is no such scope. There are: {known}."))
    })
}

fn not_reached(role: Role, scope: ApiScope) -> Problem {
    let message = format!("{} does not reach what {} is for.", role.as_str(), scope.as_str());
    Problem::new(Code::NotPermitted, message)
}

impl ApiClient {
    /// A new client, with the hash of its first secret.
    ///
    /// # Errors
    /// Every field that is wrong: `NOT_APPLICABLE` for a role of teams or one's own, `INVALID_FORMAT` for an unknown
    /// scope, `NOT_PERMITTED` for one that the role cannot use.
    pub fn create(
        input: &NewApiClient,
        secret_hash: String,
        id: ApiClientId,
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let (name, scopes) = check(&input.name, input.role, &input.scopes)?;
        let client = Self {
            id,
            version: 0,
            name,
            role: input.role,
            scopes,
            secret_hash,
            generation: 1,
            old_secret: None,
            created_at: now,
            updated_at: now,
            revoked_at: None,
            last_used_at: None,
        };
        Ok(Change::created(EventKind::ApiClientCreated, client))
    }

    /// Changes name, role or scopes; they count from the next request on, for tokens that were given before, too.
    ///
    /// # Errors
    /// As [`ApiClient::create`]; `INVALID_TRANSITION` when it is revoked.
    pub fn update(&self, input: &ApiClientUpdate, now: Timestamp) -> Result<Change<Self>> {
        self.check_live()?;
        let role = input.role.unwrap_or(self.role);
        let before: Vec<String> = self.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        let scopes = input.scopes.as_deref().unwrap_or(&before);
        let (name, scopes) = check(input.name.as_ref().unwrap_or(&self.name), role, scopes)?;
        let after = Self { name, role, scopes, updated_at: now, ..self.clone() };
        Ok(Change::updated(EventKind::ApiClientUpdated, self, after))
    }

    /// Gives it a new secret, by its hash. The present one works on for so many minutes; one before that no longer.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when it is revoked, `OUT_OF_RANGE` for the overlap.
    pub fn rotate(&self, secret_hash: String, overlap_minutes: i32, now: Timestamp) -> Result<Change<Self>> {
        self.check_live()?;
        if !(0..=OVERLAP_MINUTES_MAX).contains(&overlap_minutes) {
            let message = format!("The old secret works on for 0 to {OVERLAP_MINUTES_MAX} minutes.");
            return Err(Problem::new(Code::OutOfRange, message).at("overlapMinutes").into());
        }
        let expires_at = now.plus(Duration::minutes(overlap_minutes.into()));
        let old = OldSecret { hash: self.secret_hash.clone(), expires_at };
        let after = Self {
            secret_hash,
            generation: self.generation + 1,
            old_secret: Some(old).filter(|old| now < old.expires_at),
            updated_at: now,
            ..self.clone()
        };
        Ok(Change::updated(EventKind::ApiClientSecretRotated, self, after))
    }

    /// Shuts it out for ever; its secrets and tokens stop working at once.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when it is revoked.
    pub fn revoke(&self, now: Timestamp) -> Result<Change<Self>> {
        self.check_live()?;
        let after = Self { revoked_at: Some(now), old_secret: None, updated_at: now, ..self.clone() };
        Ok(Change::updated(EventKind::ApiClientRevoked, self, after))
    }

    /// The secrets that work at `now`, by generation and hash; none once it is revoked.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = (i32, &str)> {
        let old = self.old_secret.iter().filter(move |old| now < old.expires_at);
        let all = [(self.generation, self.secret_hash.as_str())]
            .into_iter()
            .chain(old.map(|old| (self.generation - 1, old.hash.as_str())));
        all.filter(|_| self.revoked_at.is_none())
    }

    fn check_live(&self) -> Result<()> {
        if self.revoked_at.is_none() {
            return Ok(());
        }
        let message = "The client is revoked, and stays so; create another one.";
        Err(Problem::new(Code::InvalidTransition, message).at("id").into())
    }
}

impl Aggregate for ApiClient {
    const SUBJECT: SubjectType = SubjectType::ApiClient;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
        json!({
            "name": self.name, "role": self.role, "scopes": self.scopes.to_string(), "secretGeneration": self.generation,
            "oldSecretExpiresAt": instant(self.old_secret.as_ref().map(|old| old.expires_at)),
            "revokedAt": instant(self.revoked_at),
        })
    }
}

#[cfg(test)]
mod tests;
