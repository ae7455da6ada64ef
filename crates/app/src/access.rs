//! Getting in and out: sign-in, refresh, sign-out and passwords.
//!
//! Hashing takes tens of milliseconds, so it happens outside the transactions; each flow reads, hashes, and
//! then executes one command.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use chrono_tz::Tz;
use evenhand_domain::access::{Actor, Permission, Principal, Role};
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{OrganizationId, SessionId, UserId};
use evenhand_domain::sessions::{EndReason, Session};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{User, UserStatus};
use evenhand_persistence::{RefreshToken, Tx};

use crate::door::{App, Command};
use crate::passwords;
use crate::secrets::{random_token, token_hash};

/// Failed attempts for one account in a window, from addresses where it never signed in.
const ACCOUNT_ATTEMPTS_MAX: i32 = 5;
/// Failed attempts from one address in a window.
const ADDRESS_ATTEMPTS_MAX: i32 = 30;
/// The window.
const ATTEMPT_WINDOW_SECONDS: i64 = 60;
/// How long an address is known to an account after a sign-in. From a known address the owner has a budget
/// of their own, so that a stranger who guesses cannot lock them out.
const KNOWN_ADDRESS_DAYS: i64 = 30;
/// How long a spent refresh token still gives the same answer while that answer is unused: for parallel
/// requests, and for an answer that was lost on the way. After that a spent token ends the session.
const REFRESH_GRACE_SECONDS: i64 = 30;
/// What derived refresh tokens are keyed with.
const REFRESH_CONTEXT: &str = "refresh-token";

/// Lifetimes, names and links.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// `iss` of access tokens.
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// Life of an access token.
    pub access_token_lifetime: Duration,
    /// A session ends when it was not refreshed for this long.
    pub refresh_idle: Duration,
    /// A session ends after this long in any case.
    pub refresh_absolute: Duration,
    /// Life of an invitation.
    pub invitation_lifetime: Duration,
    /// How people reach the server, without a slash at the end.
    pub public_url: String,
}

/// What a client gets when it signs in or refreshes.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The person.
    pub user: UserId,
    /// The actor that further reads of this request are made for.
    pub actor: Actor,
    /// JWT for the `Authorization` header.
    pub access_token: String,
    /// Life of the access token, in seconds.
    pub expires_in: i64,
    /// Exchanges for the next pair; works once.
    pub refresh_token: String,
}

/// Input of [`App::sign_in`].
#[derive(Clone)]
pub struct SignIn {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Name of the organisation; needed only by people with one address in several.
    pub organization: Option<String>,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

fn sign_in_failed() -> Error {
    // One text for every cause, so that nobody learns which accounts exist.
    Problem::new(
        Code::SignInFailed,
        "E-mail address or password is wrong. If you belong to several organisations, name the one to sign in to.",
    )
    .into()
}

fn invalid_refresh_token() -> Error {
    Problem::new(Code::InvalidRefreshToken, "The refresh token is spent, expired or revoked; sign in again.")
        .at("refreshToken")
        .into()
}

impl App {
    /// Signs a person in with e-mail address and password.
    ///
    /// # Errors
    /// `SIGN_IN_FAILED` whatever is wrong, or [`Error::Throttled`].
    pub async fn sign_in(&self, input: &SignIn, request_id: &str) -> Result<SignedIn> {
        let account = token_hash(&fold(&input.email));
        let address = input.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let throttle = self.throttle(&account, &address).await?;
        let mut candidates = self.store().unscoped_candidates(&input.email).await?;
        if let Some(name) = &input.organization {
            candidates.retain(|candidate| candidate.organization_key == fold(name));
        }
        // Exactly one hash is computed, whether there is an account, one, or several.
        let candidate = if candidates.len() == 1 { candidates.pop() } else { None };
        let stored = candidate.as_ref().and_then(|candidate| candidate.password_hash.as_deref());
        let fits = self.services().passwords.verify(&input.password, stored).await?;
        let candidate = candidate
            .filter(|candidate| fits && candidate.status == UserStatus::Active)
            .ok_or_else(sign_in_failed)?;
        throttle.forgive(self, &account, &address).await?;
        let rehash = match &candidate.password_hash {
            Some(stored) if self.services().passwords.needs_rehash(stored) => {
                Some(self.services().passwords.hash(&input.password).await?)
            }
            _ => None,
        };
        let zone = self.store().unscoped_organization(candidate.organization).await?.time_zone;
        let start = StartSession {
            organization: candidate.organization,
            zone,
            user: candidate.user,
            refresh: random_token()?,
            lifetimes: self.services().access.clone(),
            rehash,
        };
        let session =
            self.execute(&Actor::Anonymous, request_id, &start).await.map_err(|error| match error {
                Error::NotFound => sign_in_failed(),
                other => other,
            })?;
        self.signed_in(session, start.refresh).await
    }

    /// Exchanges a refresh token for the next pair. The same token gives the same next token while that one
    /// is unused and fresh; used later, it ends the session, since somebody must have a copy.
    ///
    /// # Errors
    /// `INVALID_REFRESH_TOKEN`.
    pub async fn refresh_session(&self, token: &str, request_id: &str) -> Result<SignedIn> {
        let hash = token_hash(token);
        let known = self.store().unscoped_refresh_token(&hash).await?.ok_or_else(invalid_refresh_token)?;
        let zone = self.store().unscoped_organization(known.organization).await?.time_zone;
        let child = self.services().sealer.mac(REFRESH_CONTEXT, token.as_bytes())?;
        let child = URL_SAFE_NO_PAD.encode(child);
        let rotate = RotateRefreshToken {
            hash,
            child_hash: token_hash(&child),
            organization: known.organization,
            zone,
            idle: self.services().access.refresh_idle,
        };
        let rotated =
            self.execute(&Actor::Anonymous, request_id, &rotate).await.map_err(|error| match error {
                Error::NotFound => invalid_refresh_token(),
                other => other,
            })?;
        match rotated {
            Some(principal) => self.signed_in(principal, child).await,
            None => Err(invalid_refresh_token()),
        }
    }

    /// Sets the caller's password and ends all their other sessions.
    ///
    /// # Errors
    /// `WRONG_PASSWORD`, a password that is too weak, or [`Error::Throttled`].
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &str,
        new: &str,
        request_id: &str,
    ) -> Result<User> {
        actor.grant(ChangePassword::PERMISSION)?;
        let Actor::User(principal) = actor else {
            return Err(Error::Unauthenticated("sign in first"));
        };
        let throttle = self.throttle(&format!("password:{}", principal.user), "-").await?;
        let stored = self.store().unscoped_password_hash(principal.organization, principal.user).await?;
        if !self.services().passwords.verify(current, stored.as_deref()).await? {
            return Err(Problem::new(Code::WrongPassword, "The present password is wrong.")
                .at("currentPassword")
                .into());
        }
        throttle.forgive(self, &format!("password:{}", principal.user), "-").await?;
        let user = self.query(actor, &crate::users::UsersByIds(vec![principal.user])).await?;
        let user = user.first().ok_or(Error::NotFound)?;
        self.check_password(new, user, "newPassword")?;
        let hash = self.services().passwords.hash(new).await?;
        self.execute(actor, request_id, &ChangePassword { principal: *principal, hash }).await
    }

    /// How people and programs reach the server, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.services().access.public_url
    }

    pub(crate) fn check_password(&self, password: &str, user: &User, field: &str) -> Result<()> {
        let own = [user.email.as_deref().unwrap_or_default(), &user.name];
        passwords::check(password, &own).map_err(|problem| problem.at(field).into())
    }

    pub(crate) async fn signed_in(&self, principal: Principal, refresh_token: String) -> Result<SignedIn> {
        let (access_token, expires_in) =
            self.issue_access_token(principal.organization, principal.user, principal.session).await?;
        Ok(SignedIn {
            user: principal.user,
            actor: Actor::User(principal),
            access_token,
            expires_in,
            refresh_token,
        })
    }

    /// Counts a guess at a secret of this kind against an address before anything is looked up;
    /// [`App::forgive_guess`] takes it back once it was right.
    pub(crate) async fn count_guess(&self, bucket: &str) -> Result<()> {
        let (window, now) = (Duration::seconds(ATTEMPT_WINDOW_SECONDS), self.now());
        let (attempts, until) = self.store().count_attempt(bucket, window, now).await?;
        refuse_beyond(ADDRESS_ATTEMPTS_MAX, attempts, until, now)
    }

    /// A guess was right and does not count.
    pub(crate) async fn forgive_guess(&self, bucket: &str) -> Result<()> {
        self.store().forgive_attempt(bucket).await
    }

    /// Counts an attempt against `account` and `address` before anything is computed.
    pub(crate) async fn throttle(&self, account: &str, address: &str) -> Result<Throttle> {
        let window = Duration::seconds(ATTEMPT_WINDOW_SECONDS);
        let now = self.now();
        let known = self.store().is_known(&known_bucket(account, address), now).await?;
        let throttle = Throttle {
            account: if known {
                format!("account:{account}|{address}")
            } else {
                format!("account:{account}")
            },
            address: format!("address:{address}"),
        };
        for (bucket, max) in
            [(&throttle.address, ADDRESS_ATTEMPTS_MAX), (&throttle.account, ACCOUNT_ATTEMPTS_MAX)]
        {
            let (attempts, until) = self.store().count_attempt(bucket, window, now).await?;
            refuse_beyond(max, attempts, until, now)?;
        }
        Ok(throttle)
    }
}

fn refuse_beyond(max: i32, attempts: i32, until: Timestamp, now: Timestamp) -> Result<()> {
    if attempts <= max {
        return Ok(());
    }
    let wait = (until.micros() - now.micros()).div_euclid(1_000_000) + 1;
    Err(Error::Throttled { retry_after_s: u32::try_from(wait).unwrap_or(1) })
}

/// The buckets that an attempt was counted in.
pub(crate) struct Throttle {
    account: String,
    address: String,
}

impl Throttle {
    /// The attempt was right: it does not count, and the address is known from now on.
    async fn forgive(&self, app: &App, account: &str, address: &str) -> Result<()> {
        app.store().clear_attempts(&self.account).await?;
        app.store().forgive_attempt(&self.address).await?;
        app.store()
            .remember(&known_bucket(account, address), app.now().plus(Duration::days(KNOWN_ADDRESS_DAYS)))
            .await
    }
}

fn known_bucket(account: &str, address: &str) -> String {
    format!("known:{account}|{address}")
}

/// Begins a session for a person who proved who they are.
pub(crate) struct StartSession {
    pub(crate) organization: OrganizationId,
    pub(crate) zone: Tz,
    pub(crate) user: UserId,
    pub(crate) refresh: String,
    pub(crate) lifetimes: AccessSettings,
    pub(crate) rehash: Option<String>,
}

impl StartSession {
    pub(crate) async fn start(&self, tx: &mut Tx, role: Role, id: SessionId) -> Result<Principal> {
        let principal = Principal {
            organization: self.organization,
            user: self.user,
            session: id,
            role,
            zone: self.zone,
        };
        let session =
            tx.save(Session::start(self.user, id, self.lifetimes.refresh_absolute, tx.now())).await?;
        tx.add_refresh_token(&new_token(
            token_hash(&self.refresh),
            self.organization,
            &session,
            self.lifetimes.refresh_idle,
            tx.now(),
        ))
        .await?;
        if let Some(hash) = &self.rehash {
            tx.set_password_hash(self.user, hash).await?;
        }
        Ok(principal)
    }
}

impl Command for StartSession {
    const PERMISSION: Permission = Permission::SignIn;
    type Output = Principal;

    async fn run(&self, tx: &mut Tx) -> Result<Principal> {
        let role = tx.unscoped_active_role(self.organization, self.user).await?;
        let session = tx.new_id();
        tx.become_principal(Principal {
            organization: self.organization,
            user: self.user,
            session,
            role,
            zone: self.zone,
        })?;
        self.start(tx, role, session).await
    }
}

fn new_token(
    hash: String,
    organization: OrganizationId,
    session: &Session,
    idle: Duration,
    now: Timestamp,
) -> RefreshToken {
    RefreshToken {
        hash,
        organization,
        session: session.id,
        issued_at: now,
        expires_at: now.plus(idle).min(session.expires_at),
        spent_at: None,
        child_hash: None,
    }
}

/// Exchanges a refresh token; `None` when it was a replay and the session was ended.
struct RotateRefreshToken {
    hash: String,
    child_hash: String,
    organization: OrganizationId,
    zone: Tz,
    idle: Duration,
}

impl Command for RotateRefreshToken {
    const PERMISSION: Permission = Permission::SignIn;
    type Output = Option<Principal>;

    async fn run(&self, tx: &mut Tx) -> Result<Option<Principal>> {
        let now = tx.now();
        let token = tx.unscoped_refresh_token(&self.hash).await?.ok_or(Error::NotFound)?;
        let session = tx.unscoped_session(self.organization, token.session).await?;
        if !session.is_live(now) || now >= token.expires_at {
            return Err(Error::NotFound);
        }
        let role = tx.unscoped_active_role(self.organization, session.user_id).await?;
        let principal = Principal {
            organization: self.organization,
            user: session.user_id,
            session: session.id,
            role,
            zone: self.zone,
        };
        tx.become_principal(principal)?;
        if let Some(spent_at) = token.spent_at {
            let child = tx.unscoped_refresh_token(&self.child_hash).await?;
            let fresh = now < spent_at.plus(Duration::seconds(REFRESH_GRACE_SECONDS));
            if fresh && child.is_some_and(|child| child.spent_at.is_none()) {
                return Ok(Some(principal));
            }
            if let Some(end) = session.end(EndReason::TokenReused, now) {
                tx.save(end).await?;
            }
            return Ok(None);
        }
        if !tx.spend_refresh_token(&self.hash, &self.child_hash).await? {
            // A parallel request was faster; the next run finds its child.
            return Err(Error::Contention);
        }
        tx.add_refresh_token(&new_token(
            self.child_hash.clone(),
            self.organization,
            &session,
            self.idle,
            now,
        ))
        .await?;
        Ok(Some(principal))
    }
}

/// Ends the caller's session, or all of them.
#[derive(Debug)]
pub struct SignOut {
    /// Also end the sessions on all other devices.
    pub everywhere: bool,
}

impl Command for SignOut {
    const PERMISSION: Permission = Permission::UseOwnAccount;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let Actor::User(principal) = tx.grant().actor() else {
            return Err(Error::Unauthenticated("sign in first"));
        };
        end_sessions(tx, principal.user, EndReason::SignedOut, |session| {
            self.everywhere || session == principal.session
        })
        .await
    }
}

async fn end_sessions(
    tx: &mut Tx,
    user: UserId,
    reason: EndReason,
    which: impl Fn(SessionId) -> bool,
) -> Result<()> {
    for session in tx.read().unscoped_open_sessions(user).await? {
        if let Some(change) = session.end(reason, tx.now()).filter(|_| which(session.id)) {
            tx.save(change).await?;
        }
    }
    Ok(())
}

struct ChangePassword {
    principal: Principal,
    hash: String,
}

impl Command for ChangePassword {
    const PERMISSION: Permission = Permission::UseOwnAccount;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        let user = tx.read().user(self.principal.user).await?;
        let user = tx.save(user.password_changed(tx.now())).await?;
        tx.set_password_hash(user.id, &self.hash).await?;
        let current = self.principal.session;
        end_sessions(tx, user.id, EndReason::PasswordChanged, |session| session != current).await?;
        Ok(user)
    }
}
