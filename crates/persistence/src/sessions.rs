//! Rows of sessions, invitations, credentials and refresh tokens.
//!
//! Much of this happens before anybody is signed in, hence the many `unscoped_`: each looks for exactly one
//! row by a secret, or by an e-mail address together with a password that is still to be checked.

use std::collections::HashSet;

use evenhand_domain::access::{Permission, Principal, Role};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, InvitationId, OrganizationId, SessionId, UserId};
use evenhand_domain::organizations::parse_time_zone;
use evenhand_domain::sessions::{EndReason, Invitation, Session};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::UserStatus;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QuerySelect, Statement,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::row::{self, entity};
use crate::store::{Reader, Store, Stored, Tx};
use crate::users;

/// Most accounts with one e-mail address that a sign-in looks at.
const CANDIDATES_MAX: u64 = 20;
/// Sessions that one statement looks up.
const SESSIONS_AT_ONCE: usize = 1_000;

/// Whom a live session belongs to. As text, because every request sends it and building it costs as much as sending.
const PRINCIPAL: &str = "SELECT u.id AS user_id, u.role, o.time_zone FROM sessions s \
    JOIN users u ON u.org_id = s.org_id AND u.id = s.user_id JOIN organizations o ON o.id = s.org_id \
    WHERE s.org_id = $1 AND s.id = $2 AND s.ended_at IS NULL AND s.expires_at > $3 AND u.status = 'ACTIVE'";

entity!(session, "sessions", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    user_id: Uuid,
    created_at: DateTimeUtc,
    expires_at: DateTimeUtc,
    ended_at: Option<DateTimeUtc>,
    ended_reason: Option<String>,
});
entity!(invitation, "invitations", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    user_id: Uuid,
    token_hash: String,
    created_by: Option<Uuid>,
    created_at: DateTimeUtc,
    expires_at: DateTimeUtc,
    accepted_at: Option<DateTimeUtc>,
});
entity!(credential, "credentials", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: Uuid,
    password_hash: String,
    changed_at: DateTimeUtc,
});
entity!(refresh_token, "refresh_tokens", {
    #[sea_orm(primary_key, auto_increment = false)]
    token_hash: String,
    org_id: Uuid,
    session_id: Uuid,
    issued_at: DateTimeUtc,
    expires_at: DateTimeUtc,
    spent_at: Option<DateTimeUtc>,
    child_hash: Option<String>,
});

/// An account that a sign-in with an e-mail address may mean.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The organisation.
    pub organization: OrganizationId,
    /// Its folded name.
    pub organization_key: String,
    /// The person.
    pub user: UserId,
    /// Whether they can sign in.
    pub status: UserStatus,
    /// Hash of the password, if one is set.
    pub password_hash: Option<String>,
}

/// A refresh token, by its hash.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    /// Hash of the token.
    pub hash: String,
    /// The organisation.
    pub organization: OrganizationId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// First instant at which it no longer works.
    pub expires_at: Timestamp,
    /// When it was exchanged.
    pub spent_at: Option<Timestamp>,
    /// Hash of the token that it was exchanged for.
    pub child_hash: Option<String>,
}

fn restore_session(row: session::Model) -> Result<Session> {
    let ended = match (row.ended_at, row.ended_reason.as_deref()) {
        (None, _) => None,
        (Some(at), reason) => {
            let reason = reason
                .and_then(EndReason::parse)
                .ok_or_else(|| bad_row("sessions", row.id, "unknown reason"))?;
            Some((Timestamp::new(at), reason))
        }
    };
    Ok(Session {
        id: SessionId::from_uuid(row.id),
        version: row.version,
        user_id: UserId::from_uuid(row.user_id),
        created_at: Timestamp::new(row.created_at),
        expires_at: Timestamp::new(row.expires_at),
        ended,
    })
}

fn session_row(org_id: Uuid, session: &Session) -> session::Model {
    session::Model {
        org_id,
        id: session.id.uuid(),
        version: session.version,
        user_id: session.user_id.uuid(),
        created_at: session.created_at.utc(),
        expires_at: session.expires_at.utc(),
        ended_at: session.ended.map(|(at, _)| at.utc()),
        ended_reason: session.ended.map(|(_, reason)| reason.as_str().to_owned()),
    }
}

impl Stored for Session {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<session::Entity>(&tx.db, session_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [session::Column::OrgId, session::Column::Id, session::Column::Version];
        row::update::<session::Entity>(
            &tx.db,
            session_row(org, self),
            columns,
            (org, self.id.uuid(), expected),
        )
        .await
    }
}

fn restore_invitation(row: invitation::Model) -> Invitation {
    Invitation {
        id: InvitationId::from_uuid(row.id),
        version: row.version,
        user_id: UserId::from_uuid(row.user_id),
        token_hash: row.token_hash,
        created_by: row.created_by.map(UserId::from_uuid),
        created_at: Timestamp::new(row.created_at),
        expires_at: Timestamp::new(row.expires_at),
        accepted_at: row.accepted_at.map(Timestamp::new),
    }
}

fn invitation_row(org_id: Uuid, invitation: &Invitation) -> invitation::Model {
    invitation::Model {
        org_id,
        id: invitation.id.uuid(),
        version: invitation.version,
        user_id: invitation.user_id.uuid(),
        token_hash: invitation.token_hash.clone(),
        created_by: invitation.created_by.map(EntityId::uuid),
        created_at: invitation.created_at.utc(),
        expires_at: invitation.expires_at.utc(),
        accepted_at: invitation.accepted_at.map(Timestamp::utc),
    }
}

impl Stored for Invitation {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<invitation::Entity>(&tx.db, invitation_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [invitation::Column::OrgId, invitation::Column::Id, invitation::Column::Version];
        row::update::<invitation::Entity>(
            &tx.db,
            invitation_row(org, self),
            columns,
            (org, self.id.uuid(), expected),
        )
        .await
    }
}

#[derive(FromQueryResult)]
struct PrincipalRow {
    user_id: Uuid,
    role: String,
    time_zone: String,
}

#[derive(FromQueryResult)]
struct CandidateRow {
    org_id: Uuid,
    name_key: String,
    user_id: Uuid,
    status: String,
    password_hash: Option<String>,
}

impl Store {
    /// The person behind a live session, as they are now. Unscoped: this is how a caller becomes known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_principal(
        &self,
        organization: OrganizationId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<Principal>> {
        let db = self.backend.read();
        let values = [organization.uuid().into(), session.uuid().into(), now.utc().into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), PRINCIPAL, values);
        let row = db.query_one_raw(statement).await.map_err(database_error)?;
        let Some(row) = row else { return Ok(None) };
        let row = PrincipalRow::from_query_result(&row, "").map_err(database_error)?;
        Ok(Some(Principal {
            organization,
            user: UserId::from_uuid(row.user_id),
            session,
            role: users::parse_role("users", row.user_id, &row.role)?,
            zone: parse_time_zone(&row.time_zone)
                .map_err(|problem| bad_row("organizations", organization, &problem.message))?,
        }))
    }

    /// Which of these sessions are alive, of people who are active. Unscoped: the open connections of a node belong
    /// to many organisations.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_live_sessions(
        &self,
        sessions: &[(OrganizationId, SessionId)],
        now: Timestamp,
    ) -> Result<HashSet<(OrganizationId, SessionId)>> {
        let mut live = HashSet::new();
        for part in sessions.chunks(SESSIONS_AT_ONCE) {
            let rows = session::Entity::find()
                .join(
                    sea_orm::JoinType::InnerJoin,
                    session::Entity::belongs_to(users::Entity)
                        .from((session::Column::OrgId, session::Column::UserId))
                        .to((users::Column::OrgId, users::Column::Id))
                        .into(),
                )
                .filter(session::Column::Id.is_in(part.iter().map(|(_, session)| session.uuid())))
                .filter(session::Column::EndedAt.is_null())
                .filter(session::Column::ExpiresAt.gt(now.utc()))
                .filter(users::Column::Status.eq(UserStatus::Active.as_str()))
                .select_only()
                .columns([session::Column::OrgId, session::Column::Id])
                .into_tuple::<(Uuid, Uuid)>()
                .all(self.backend.read())
                .await
                .map_err(database_error)?;
            live.extend(rows.into_iter().map(|(organization, session)| {
                (OrganizationId::from_uuid(organization), SessionId::from_uuid(session))
            }));
        }
        Ok(live)
    }

    /// The accounts with an e-mail address. Unscoped: a sign-in does not know its organisation yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_candidates(&self, email: &str) -> Result<Vec<Candidate>> {
        let (u, o, c) = (Alias::new("u"), Alias::new("o"), Alias::new("c"));
        let statement = Query::select()
            .column((u.clone(), users::Column::OrgId))
            .column((o.clone(), Alias::new("name_key")))
            .expr_as(Expr::col((u.clone(), users::Column::Id)), Alias::new("user_id"))
            .column((u.clone(), users::Column::Status))
            .column((c.clone(), credential::Column::PasswordHash))
            .from_as(users::Entity, u.clone())
            .join_as(
                sea_orm::JoinType::InnerJoin,
                Alias::new("organizations"),
                o.clone(),
                Expr::col((o, Alias::new("id"))).equals((u.clone(), users::Column::OrgId)),
            )
            .join_as(
                sea_orm::JoinType::LeftJoin,
                credential::Entity,
                c.clone(),
                Expr::col((c.clone(), credential::Column::OrgId))
                    .equals((u.clone(), users::Column::OrgId))
                    .and(Expr::col((c, credential::Column::UserId)).equals((u.clone(), users::Column::Id))),
            )
            .and_where(Expr::col((u, users::Column::EmailKey)).eq(fold(email)))
            .limit(CANDIDATES_MAX)
            .to_owned();
        let rows = self.backend.read().query_all(&statement).await.map_err(database_error)?;
        rows.iter()
            .map(|row| {
                let row = CandidateRow::from_query_result(row, "").map_err(database_error)?;
                Ok(Candidate {
                    organization: OrganizationId::from_uuid(row.org_id),
                    organization_key: row.name_key,
                    user: UserId::from_uuid(row.user_id),
                    status: UserStatus::parse(&row.status)
                        .ok_or_else(|| bad_row("users", row.user_id, "unknown status"))?,
                    password_hash: row.password_hash,
                })
            })
            .collect()
    }

    /// The hash of a person's password. Unscoped: callers pass the id of the person who asks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_password_hash(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<String>> {
        let row = credential::Entity::find_by_id((organization.uuid(), user.uuid()))
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        Ok(row.map(|row| row.password_hash))
    }

    /// The open invitation with this token hash, and its organisation. Unscoped: the token is the proof.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_invitation(
        &self,
        token_hash: &str,
    ) -> Result<Option<(OrganizationId, Invitation)>> {
        let row = invitation::Entity::find()
            .filter(invitation::Column::TokenHash.eq(token_hash))
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        Ok(row.map(|row| (OrganizationId::from_uuid(row.org_id), restore_invitation(row))))
    }

    /// The refresh token with this hash. Unscoped: the token is the proof.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>> {
        let row = refresh_token::Entity::find_by_id(hash)
            .one(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(row.map(restore_refresh_token))
    }
}

impl Store {
    /// Deletes refresh tokens that expired before `now`; the sessions that they belonged to stay.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_old_refresh_tokens(&self, now: Timestamp) -> Result<u64> {
        let gone = refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::ExpiresAt.lt(now.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(gone.rows_affected)
    }
}

fn restore_refresh_token(row: refresh_token::Model) -> RefreshToken {
    RefreshToken {
        hash: row.token_hash,
        organization: OrganizationId::from_uuid(row.org_id),
        session: SessionId::from_uuid(row.session_id),
        issued_at: Timestamp::new(row.issued_at),
        expires_at: Timestamp::new(row.expires_at),
        spent_at: row.spent_at.map(Timestamp::new),
        child_hash: row.child_hash,
    }
}

impl Reader<'_> {
    /// The sessions of `user` that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_open_sessions(&self, user: UserId) -> Result<Vec<Session>> {
        let rows = session::Entity::find()
            .filter(session::Column::OrgId.eq(self.org()?))
            .filter(session::Column::UserId.eq(user.uuid()))
            .filter(session::Column::EndedAt.is_null())
            .filter(session::Column::ExpiresAt.gt(self.now().utc()))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter().map(restore_session).collect()
    }

    /// An invitation.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn invitation(&self, id: InvitationId) -> Result<Invitation> {
        self.scope(&[Permission::ManageUsers])?;
        let row = invitation::Entity::find_by_id((self.org()?, id.uuid()))
            .one(&self.db)
            .await
            .map_err(database_error)?;
        row.map(restore_invitation).ok_or(Error::NotFound)
    }

    /// The invitations of `user` that can still be used.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_invitations(&self, user: UserId) -> Result<Vec<Invitation>> {
        self.scope(&[Permission::ManageUsers])?;
        let rows = invitation::Entity::find()
            .filter(invitation::Column::OrgId.eq(self.org()?))
            .filter(invitation::Column::UserId.eq(user.uuid()))
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::ExpiresAt.gt(self.now().utc()))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(rows.into_iter().map(restore_invitation).collect())
    }
}

impl Tx {
    /// Sets the hash of a person's password. The event is that of the change which the same transaction saves
    /// (activation or password change); the hash itself belongs in no log.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn set_password_hash(&self, user: UserId, hash: &str) -> Result<()> {
        use credential::Column as C;
        let row = credential::Model {
            org_id: self.org()?,
            user_id: user.uuid(),
            password_hash: hash.to_owned(),
            changed_at: self.now().utc(),
        };
        credential::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::columns([C::OrgId, C::UserId])
                    .update_columns([C::PasswordHash, C::ChangedAt])
                    .to_owned(),
            )
            .exec_without_returning(&self.db)
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Issues a refresh token. Tokens are the technical state of a session, whose events tell its story.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn add_refresh_token(&self, token: &RefreshToken) -> Result<()> {
        let row = refresh_token::Model {
            token_hash: token.hash.clone(),
            org_id: token.organization.uuid(),
            session_id: token.session.uuid(),
            issued_at: token.issued_at.utc(),
            expires_at: token.expires_at.utc(),
            spent_at: token.spent_at.map(Timestamp::utc),
            child_hash: token.child_hash.clone(),
        };
        row::insert::<refresh_token::Entity>(&self.db, row).await
    }

    /// Marks a token as exchanged for `child_hash`; false when another request was faster.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn spend_refresh_token(&self, hash: &str, child_hash: &str) -> Result<bool> {
        let spent = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::SpentAt, Expr::value(self.now().utc()))
            .col_expr(refresh_token::Column::ChildHash, Expr::value(child_hash))
            .filter(refresh_token::Column::TokenHash.eq(hash))
            .filter(refresh_token::Column::SpentAt.is_null())
            .exec(&self.db)
            .await
            .map_err(database_error)?;
        Ok(spent.rows_affected == 1)
    }

    /// The refresh token with this hash, inside this transaction.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>> {
        let row = refresh_token::Entity::find_by_id(hash).one(&self.db).await.map_err(database_error)?;
        Ok(row.map(restore_refresh_token))
    }

    /// A session, by an id that a refresh token proved.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn unscoped_session(&self, organization: OrganizationId, id: SessionId) -> Result<Session> {
        let row = session::Entity::find_by_id((organization.uuid(), id.uuid()))
            .one(&self.db)
            .await
            .map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore_session)
    }

    /// The role of an active user of `organization`, for a transaction that is about to become that person.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such active user.
    pub async fn unscoped_active_role(&self, organization: OrganizationId, user: UserId) -> Result<Role> {
        let row = users::Entity::find_by_id((organization.uuid(), user.uuid()))
            .filter(users::Column::Status.eq(UserStatus::Active.as_str()))
            .select_only()
            .column(users::Column::Role)
            .into_tuple::<String>()
            .one(&self.db)
            .await
            .map_err(database_error)?;
        users::parse_role("users", user.uuid(), &row.ok_or(Error::NotFound)?)
    }
}
