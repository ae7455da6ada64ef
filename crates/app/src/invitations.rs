//! Invitations and the first administrator: how people get their sign-in.

use chrono::Duration;
use chrono_tz::Tz;
use evenhand_domain::access::{Actor, Permission, Principal, Role};
use evenhand_domain::error::{Error, Problem, Reference, Result};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::organizations::{NewOrganization, Organization};
use evenhand_domain::sessions::{Invitation, NewInvitation, invalid_invitation};
use evenhand_domain::users::{Move, NewUser, TeamRole, User, UserUpdate};
use evenhand_persistence::Tx;

use crate::access::{SignedIn, StartSession};
use crate::door::{App, Command};
use crate::passwords;
use crate::secrets::{random_token, token_hash};

/// Where the sealed tokens of invitations belong.
pub(crate) const INVITATION_CONTEXT: &str = "invitation";

impl App {
    /// Invites a person to sign in. Where no mail is configured, the link is in the answer, this once.
    ///
    /// # Errors
    /// Every field that is wrong; `ALREADY_ACTIVE`.
    pub async fn invite_user(
        &self,
        actor: &Actor,
        input: &InviteUser,
        request_id: &str,
    ) -> Result<(User, Option<String>)> {
        let token = random_token()?;
        let mail = self.services().mailer.is_some();
        let command = Invite {
            input,
            token_hash: token_hash(&token),
            sealed: mail
                .then(|| self.services().sealer.seal(INVITATION_CONTEXT, token.as_bytes()))
                .transpose()?,
            lifetime: self.services().access.invitation_lifetime,
        };
        let user = self.execute(actor, request_id, &command).await?;
        Ok((user, (!mail).then(|| self.invitation_link(&token))))
    }

    /// Uses an invitation: sets the password, activates the person and signs them in.
    ///
    /// # Errors
    /// `INVALID_INVITATION`, or a password that is too weak.
    pub async fn accept_invitation(&self, token: &str, password: &str, request_id: &str) -> Result<SignedIn> {
        let found = self.store().unscoped_invitation(&token_hash(token)).await?;
        let (organization, invitation) = found.ok_or_else(|| Error::from(invalid_invitation()))?;
        invitation.accept(self.now())?;
        let system = self.system(organization).await?;
        let users = self.query(&system, &crate::users::UsersByIds(vec![invitation.user_id])).await?;
        let user = users.first().ok_or(Error::NotFound)?;
        self.check_password(password, user, "password")?;
        let hash = self.services().passwords.hash(password).await?;
        let zone = self.store().unscoped_organization(organization).await?.time_zone;
        let refresh = random_token()?;
        let accept = AcceptInvitation {
            invitation,
            hash,
            start: StartSession {
                organization,
                zone,
                user: user.id,
                refresh: refresh.clone(),
                lifetimes: self.services().access.clone(),
                rehash: None,
            },
        };
        let principal =
            self.execute(&Actor::Anonymous, request_id, &accept).await.map_err(|error| match error {
                // Somebody else used the same link at the same time.
                Error::Conflict => invalid_invitation().into(),
                other => other,
            })?;
        self.signed_in(principal, refresh).await
    }

    /// Makes an organisation with its first administrator, or another administrator of an existing one.
    /// For the command line: whoever runs it has the database and the secret.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub async fn create_administrator(&self, input: &NewAdministrator) -> Result<(Organization, User)> {
        passwords::check(&input.password, &[&input.email, &input.name])
            .map_err(|problem| problem.at("password"))?;
        let password_hash = self.services().passwords.hash(&input.password).await?;
        let existing = self.store().unscoped_organization_by_name(&input.organization.name).await?;
        let id = existing.as_ref().map_or_else(|| self.store().new_id(self.now()), |found| found.id);
        let zone = existing.as_ref().map_or(Tz::UTC, |found| found.time_zone);
        let actor = Actor::System { organization: id, zone };
        self.execute(&actor, "command-line", &CreateAdministrator { input, existing, password_hash }).await
    }

    /// The link that an invitation mail shows.
    pub(crate) fn invitation_link(&self, token: &str) -> String {
        format!("{}/invitation#token={token}", self.services().access.public_url)
    }
}

/// Input of [`App::invite_user`].
#[derive(Clone, Debug)]
pub struct InviteUser {
    /// A person who is known already, for example by import; `None` for somebody new.
    pub user: Option<UserId>,
    /// Full name; needed for somebody new.
    pub name: Option<String>,
    /// E-mail address that the invitation goes to.
    pub email: String,
    /// Role; needed for somebody new.
    pub role: Option<Role>,
    /// Team to join today.
    pub team: Option<(TeamId, TeamRole)>,
    /// First day of work.
    pub hired_on: Option<chrono::NaiveDate>,
}

struct Invite<'a> {
    input: &'a InviteUser,
    token_hash: String,
    sealed: Option<String>,
    lifetime: Duration,
}

impl Invite<'_> {
    /// The person to invite: named, or found by the address if still pending, or new.
    async fn person(&self, tx: &mut Tx) -> Result<User> {
        let known = match self.input.user {
            Some(id) => Some(tx.read().user(id).await.referenced("userId")?),
            None => tx.read().find_user_by_email(&self.input.email).await?,
        };
        let Some(user) = known else {
            let (name, role) = match (&self.input.name, self.input.role) {
                (Some(name), Some(role)) => (name.clone(), role),
                (None, _) => return Err(Problem::required("name").into()),
                (_, None) => return Err(Problem::required("role").into()),
            };
            let new =
                NewUser { name, email: Some(self.input.email.clone()), role, hired_on: self.input.hired_on };
            let change = User::create(&new, tx.new_id(), tx.now())?;
            return tx.save(change).await;
        };
        // Checks that the person can be invited at all.
        user.activate(tx.now())?;
        let update = UserUpdate {
            name: self.input.name.clone(),
            email: Some(self.input.email.clone()),
            role: self.input.role,
            hired_on: self.input.hired_on,
            ..UserUpdate::default()
        };
        let change = user.update(&update, 0, tx.now())?;
        tx.save(change).await
    }
}

impl Command for Invite<'_> {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        let mut user = self.person(tx).await?;
        if let Some((team, role)) = self.input.team {
            let team_id = tx.read().team(team).await.referenced("teamId")?.id;
            let from = tx.grant().today(tx.now());
            if user.membership_on(from).is_none_or(|stay| stay.team_id != team_id || stay.role != role) {
                let step = Move { id: tx.new_id(), team_id, role, from };
                user = tx.save(user.move_to(&step, tx.now())?).await?;
            }
        }
        for open in tx.read().open_invitations(user.id).await? {
            if let Some(change) = open.withdraw(tx.now()) {
                tx.save(change).await?;
            }
        }
        let invitation = NewInvitation {
            user_id: user.id,
            token_hash: self.token_hash.clone(),
            mail_sealed_token: self.sealed.clone(),
            created_by: tx.grant().user(),
            lifetime: self.lifetime,
        };
        let change = Invitation::create(invitation, tx.new_id(), tx.now());
        tx.save(change).await?;
        Ok(user)
    }
}

struct AcceptInvitation {
    invitation: Invitation,
    hash: String,
    start: StartSession,
}

impl Command for AcceptInvitation {
    const PERMISSION: Permission = Permission::SignIn;
    type Output = Principal;

    async fn run(&self, tx: &mut Tx) -> Result<Principal> {
        let session = tx.new_id();
        // The role is unknown until the person is read, and reading one's own entry needs none in particular.
        let (organization, zone) = (self.start.organization, self.start.zone);
        let mut principal = Principal { organization, user: self.start.user, session, role: Role::Rep, zone };
        tx.become_principal(principal)?;
        let user = tx.read().user(self.start.user).await?;
        principal.role = user.role;
        tx.become_principal(principal)?;
        tx.save(self.invitation.accept(tx.now())?).await?;
        let user = tx.save(user.activate(tx.now())?).await?;
        tx.set_password_hash(user.id, &self.hash).await?;
        self.start.start(tx, user.role, session).await
    }
}

/// Input of [`App::create_administrator`].
pub struct NewAdministrator {
    /// The organisation, found by name or made.
    pub organization: NewOrganization,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
}

struct CreateAdministrator<'a> {
    input: &'a NewAdministrator,
    existing: Option<Organization>,
    password_hash: String,
}

impl Command for CreateAdministrator<'_> {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = (Organization, User);

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output> {
        let organization = match &self.existing {
            Some(organization) => organization.clone(),
            None => {
                let id = tx.grant().organization()?;
                let change = Organization::create(&self.input.organization, id, tx.now())?;
                tx.save(change).await?
            }
        };
        let new = NewUser {
            name: self.input.name.clone(),
            email: Some(self.input.email.clone()),
            role: Role::Admin,
            hired_on: None,
        };
        let change = User::create(&new, tx.new_id(), tx.now())?;
        let user = tx.save(change).await?;
        let user = tx.save(user.activate(tx.now())?).await?;
        tx.set_password_hash(user.id, &self.password_hash).await?;
        Ok((organization, user))
    }
}
