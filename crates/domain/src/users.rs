//! People: directory entry, role, status and dated team memberships.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::Role;
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::filter::{OneOf, Text};
use crate::id::{EntityId, MembershipId, TeamId, UserId, WorkCalendarId};
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

mod leave;
pub use leave::{LEAVE_DAYS_MAX, Leave, LeaveChange, NewLeave};

wire_enum! {
    /// Whether a person can sign in.
    UserStatus {
        /// Known, for example by import or invitation, but has not set a password yet.
        Pending = "PENDING",
        /// Can sign in.
        Active = "ACTIVE",
        /// Cannot sign in; past figures keep the name.
        Deactivated = "DEACTIVATED",
    }
}

wire_enum! {
    /// What a person is in a team.
    TeamRole {
        /// Belongs to it.
        Member = "MEMBER",
        /// Leads it, and all teams below it.
        Lead = "LEAD",
    }
}

/// One comparison of a user filter.
#[derive(Clone, Debug)]
pub enum UserTerm {
    /// By id.
    Id(OneOf<UserId>),
    /// By name.
    Name(Text),
    /// By e-mail address.
    Email(Text),
    /// By role.
    Role(OneOf<Role>),
    /// By status.
    Status(OneOf<UserStatus>),
    /// In this team or a team below it, today.
    Team(TeamId),
}

/// A stay in a team: local dates `[valid_from, valid_to)`. A person is in one team at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// The team.
    pub team_id: TeamId,
    /// What the person is there.
    pub role: TeamRole,
    /// First day.
    pub valid_from: NaiveDate,
    /// First day that no longer counts; `None` while it lasts.
    pub valid_to: Option<NaiveDate>,
}

impl Membership {
    /// Whether it lasts on `date`.
    pub fn covers(&self, date: NaiveDate) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|end| date < end)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Counts changes, of memberships too.
    pub version: Version,
    /// Full name.
    pub name: String,
    /// E-mail address; unique in the organisation, ignoring case. Needed to sign in.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they can sign in.
    pub status: UserStatus,
    /// Since when they cannot sign in any more.
    pub deactivated_at: Option<Timestamp>,
    /// First day of work, where known.
    pub hired_on: Option<NaiveDate>,
    /// Whose hours count for them; `None` for those of the organisation.
    pub calendar_id: Option<WorkCalendarId>,
    /// When they became known.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// All stays in teams, oldest first, without overlap.
    pub memberships: Vec<Membership>,
}

/// Input of [`User::create`].
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Role.
    pub role: Role,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
}

/// Input of [`User::update`]; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct UserUpdate {
    /// New name.
    pub name: Option<String>,
    /// New e-mail address.
    pub email: Option<String>,
    /// New role.
    pub role: Option<Role>,
    /// Deactivate or reactivate.
    pub status: Option<UserStatus>,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
    /// Whose hours count for them.
    pub calendar_id: Patch<WorkCalendarId>,
}

/// Input of [`User::move_to`].
#[derive(Clone, Debug)]
pub struct Move {
    /// The new stay.
    pub id: MembershipId,
    /// The team.
    pub team_id: TeamId,
    /// What the person is there.
    pub role: TeamRole,
    /// First day in the new team.
    pub from: NaiveDate,
}

impl User {
    /// A person who is known but cannot sign in yet.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn create(input: &NewUser, id: UserId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(&input.name));
        let email = problems.take("email", input.email.as_deref().map(text::email).transpose());
        let user = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                name: name?,
                email: email?,
                role: input.role,
                status: UserStatus::Pending,
                deactivated_at: None,
                hired_on: input.hired_on,
                calendar_id: None,
                created_at: now,
                updated_at: now,
                memberships: Vec::new(),
            })
        })?;
        Ok(Change::created(EventKind::UserCreated, user))
    }

    /// Changes profile, role or status. `other_admins` is the number of other active administrators.
    ///
    /// # Errors
    /// A wrong field, `LAST_ADMIN`, or `INVALID_TRANSITION` for a status that only signing in can give.
    pub fn update(&self, input: &UserUpdate, other_admins: u64, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", input.name.as_deref().map(text::name).transpose());
        let email = problems.take("email", input.email.as_deref().map(text::email).transpose());
        if input.status == Some(UserStatus::Pending) && self.status != UserStatus::Pending {
            problems.push(
                Problem::new(Code::InvalidTransition, "A person who has signed in cannot be pending again.")
                    .at("status"),
            );
        }
        if input.status == Some(UserStatus::Active) && self.status == UserStatus::Pending {
            problems.push(
                Problem::new(
                    Code::InvalidTransition,
                    "A pending person becomes active by accepting an invitation.",
                )
                .at("status"),
            );
        }
        let mut after = self.clone();
        problems.finish()?;
        if let Some(Some(name)) = name {
            after.name = name;
        }
        if let Some(Some(email)) = email {
            after.email = Some(email);
        }
        after.role = input.role.unwrap_or(self.role);
        after.status = input.status.unwrap_or(self.status);
        after.deactivated_at =
            (after.status == UserStatus::Deactivated).then_some(self.deactivated_at.unwrap_or(now));
        after.hired_on = input.hired_on.or(self.hired_on);
        after.calendar_id = input.calendar_id.clone().apply(self.calendar_id);
        after.updated_at = now;
        if self.is_active_admin() && !after.is_active_admin() && other_admins == 0 {
            return Err(Problem::new(Code::LastAdmin, "Make somebody else an administrator first.").into());
        }
        Ok(Change::updated(EventKind::UserUpdated, self, after))
    }

    /// The person has set a password and can sign in from now on.
    ///
    /// # Errors
    /// `USER_DEACTIVATED`, or `ALREADY_ACTIVE`.
    pub fn activate(&self, now: Timestamp) -> Result<Change<Self>> {
        match self.status {
            UserStatus::Pending => {}
            UserStatus::Active => {
                return Err(Problem::new(Code::AlreadyActive, "This person can sign in already.").into());
            }
            UserStatus::Deactivated => return Err(deactivated()),
        }
        let after = Self { status: UserStatus::Active, updated_at: now, ..self.clone() };
        Ok(Change::updated(EventKind::UserUpdated, self, after))
    }

    /// The person has set a new password; the hash itself is kept apart and never logged.
    pub fn password_changed(&self, now: Timestamp) -> Change<Self> {
        Change::updated(EventKind::PasswordChanged, self, Self { updated_at: now, ..self.clone() })
    }

    /// Moves the person to a team from a day on. The present stay ends that day; history is kept.
    ///
    /// # Errors
    /// `MEMBERSHIP_OVERLAP` when the day lies before or inside an earlier stay that has ended,
    /// or on the first day of the present one; `USER_DEACTIVATED`.
    pub fn move_to(&self, input: &Move, now: Timestamp) -> Result<Change<Self>> {
        if self.status == UserStatus::Deactivated {
            return Err(deactivated());
        }
        let mut after = self.clone();
        if let Some(last) = after.memberships.last_mut() {
            let free_from = last.valid_to.unwrap_or(last.valid_from + chrono::Days::new(1));
            if input.from < free_from {
                return Err(Problem::new(
                    Code::MembershipOverlap,
                    format!(
                        "The person is in another team on {}; the earliest possible day is {free_from}.",
                        input.from
                    ),
                )
                .at("validFrom")
                .into());
            }
            last.valid_to.get_or_insert(input.from);
        }
        after.memberships.push(Membership {
            id: input.id,
            team_id: input.team_id,
            role: input.role,
            valid_from: input.from,
            valid_to: None,
        });
        after.updated_at = now;
        Ok(Change::updated(EventKind::MemberMoved, self, after))
    }

    /// The stay that covers `date`.
    pub fn membership_on(&self, date: NaiveDate) -> Option<&Membership> {
        self.memberships.iter().find(|stay| stay.covers(date))
    }

    fn is_active_admin(&self) -> bool {
        self.role == Role::Admin && self.status == UserStatus::Active
    }
}

fn deactivated() -> Error {
    Problem::new(Code::UserDeactivated, "This person is deactivated; reactivate them first.").into()
}

impl Aggregate for User {
    const SUBJECT: SubjectType = SubjectType::User;
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
        json!({
            "name": self.name, "email": self.email, "role": self.role, "status": self.status,
            "hiredOn": self.hired_on, "calendarId": self.calendar_id, "memberships": self.memberships,
        })
    }
}
