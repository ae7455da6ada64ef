//! Sessions and invitations: how a person gets in and out. Secrets are never part of the state, only hashes.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, JobRequest, SubjectType, Version};
use crate::error::{Code, Problem, Result};
use crate::id::{EntityId, InvitationId, SessionId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Why a session ended.
    EndReason {
        /// The person signed out.
        SignedOut = "SIGNED_OUT",
        /// A spent refresh token was used again: somebody has a copy.
        TokenReused = "TOKEN_REUSED",
        /// The person changed their password elsewhere.
        PasswordChanged = "PASSWORD_CHANGED",
        /// An administrator deactivated the person.
        Deactivated = "DEACTIVATED",
    }
}

/// A signed-in session: one family of refresh tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Counts changes.
    pub version: Version,
    /// Whose it is.
    pub user_id: UserId,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it ends at the latest, however often it is refreshed.
    pub expires_at: Timestamp,
    /// When it ended, and why.
    pub ended: Option<(Timestamp, EndReason)>,
}

impl Session {
    /// A new session that lasts at most `lifetime`.
    pub fn start(user_id: UserId, id: SessionId, lifetime: Duration, now: Timestamp) -> Change<Self> {
        let session =
            Self { id, version: 0, user_id, created_at: now, expires_at: now.plus(lifetime), ended: None };
        Change::created(EventKind::SessionStarted, session)
    }

    /// Ends the session; `None` when it has ended already.
    pub fn end(&self, reason: EndReason, now: Timestamp) -> Option<Change<Self>> {
        if self.ended.is_some() {
            return None;
        }
        let after = Self { ended: Some((now, reason)), ..self.clone() };
        Some(Change::updated(EventKind::SessionEnded, self, after))
    }

    /// Whether it can still be used.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}

impl Aggregate for Session {
    const SUBJECT: SubjectType = SubjectType::Session;
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
            "userId": self.user_id, "expiresAt": self.expires_at.to_string(),
            "endedReason": self.ended.map(|(_, reason)| reason),
        })
    }
}

/// An invitation to set a password. Only the hash of its token is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Counts changes.
    pub version: Version,
    /// Who is invited.
    pub user_id: UserId,
    /// Hash of the token in the link.
    pub token_hash: String,
    /// Who invites; `None` for the command line.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which it no longer works.
    pub expires_at: Timestamp,
    /// When it was used.
    pub accepted_at: Option<Timestamp>,
}

/// Input of [`Invitation::create`].
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Who is invited.
    pub user_id: UserId,
    /// Hash of the token in the link.
    pub token_hash: String,
    /// The token, encrypted, where it is to be mailed.
    pub mail_sealed_token: Option<String>,
    /// Who invites.
    pub created_by: Option<UserId>,
    /// How long it works.
    pub lifetime: Duration,
}

impl Invitation {
    /// A new invitation; mailed by a job where a sealed token is given.
    pub fn create(input: NewInvitation, id: InvitationId, now: Timestamp) -> Change<Self> {
        let invitation = Self {
            id,
            version: 0,
            user_id: input.user_id,
            token_hash: input.token_hash,
            created_by: input.created_by,
            created_at: now,
            expires_at: now.plus(input.lifetime),
            accepted_at: None,
        };
        let change = Change::created(EventKind::UserInvited, invitation);
        match input.mail_sealed_token {
            Some(sealed_token) => {
                change.with_job(JobRequest::SendInvitation { invitation: id, sealed_token })
            }
            None => change,
        }
    }

    /// Uses the invitation.
    ///
    /// # Errors
    /// `INVALID_INVITATION` when it was used or has expired.
    pub fn accept(&self, now: Timestamp) -> Result<Change<Self>> {
        if !self.is_open(now) {
            return Err(invalid_invitation().into());
        }
        let after = Self { accepted_at: Some(now), ..self.clone() };
        Ok(Change::updated(EventKind::InvitationAccepted, self, after))
    }

    /// Withdraws the invitation, because a newer one takes its place; `None` when it is not open.
    pub fn withdraw(&self, now: Timestamp) -> Option<Change<Self>> {
        let after = Self { expires_at: now, ..self.clone() };
        self.is_open(now).then(|| Change::updated(EventKind::InvitationWithdrawn, self, after))
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && now < self.expires_at
    }
}

/// The one answer for unknown, used, withdrawn and expired invitations alike.
pub fn invalid_invitation() -> Problem {
    Problem::new(Code::InvalidInvitation, "The invitation is unknown, used or expired; ask for a new one.")
        .at("token")
}

impl Aggregate for Invitation {
    const SUBJECT: SubjectType = SubjectType::Invitation;
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
            "userId": self.user_id, "expiresAt": self.expires_at.to_string(),
            "acceptedAt": self.accepted_at.map(|at| at.to_string()),
        })
    }
}
