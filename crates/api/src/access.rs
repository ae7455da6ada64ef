//! Sign-in, sessions, passwords and invitations in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::access::{self, SignOut, SignedIn};
use evenhand_app::invitations::InviteUser;
use evenhand_domain::access::Role;
use evenhand_domain::error::{self, Problems};
use evenhand_domain::users::TeamRole;

use crate::context::Request;
use crate::error::{UserError, outcome, payload};
use crate::ids;
use crate::scalars::{Date, EmailAddress};
use crate::users::{self, User};
use crate::wire::Wire;

/// Longest password or token that is looked at, in bytes.
const SECRET_BYTES_MAX: usize = 8_192;

/// Input of `signIn`.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// E-mail address.
    email: String,
    /// Password.
    #[graphql(secret)]
    password: String,
    /// Name of the organisation; only for people whose address is known in several.
    organization: Option<String>,
}

/// Input of `refreshSession`.
#[derive(InputObject)]
pub(crate) struct RefreshSessionInput {
    /// The refresh token of the last `signIn` or `refreshSession`.
    #[graphql(secret)]
    refresh_token: String,
}

/// Input of `signOut`.
#[derive(InputObject)]
pub(crate) struct SignOutInput {
    /// True ends your sessions on all other devices too.
    #[graphql(default)]
    everywhere: bool,
}

/// Input of `changePassword`.
#[derive(InputObject)]
pub(crate) struct ChangePasswordInput {
    /// The present password.
    #[graphql(secret)]
    current_password: String,
    /// The new password: 8 to 1,024 characters, none of the common ones, not your name or address.
    #[graphql(secret)]
    new_password: String,
}

/// Input of `inviteUser`.
#[derive(InputObject)]
pub(crate) struct InviteUserInput {
    /// A person who is known already, for example by import; leave out for somebody new.
    user_id: Option<ID>,
    /// E-mail address to sign in with.
    email: EmailAddress,
    /// Full name; needed for somebody new.
    name: Option<String>,
    /// Role; needed for somebody new.
    role: Option<Wire<Role>>,
    /// Team to join today.
    team_id: Option<ID>,
    /// What the person is in that team; `MEMBER` if not given.
    team_role: Option<Wire<TeamRole>>,
    /// First day of work.
    hired_on: Option<Date>,
}

/// Input of `acceptInvitation`.
#[derive(InputObject)]
pub(crate) struct AcceptInvitationInput {
    /// The token of the invitation link.
    #[graphql(secret)]
    token: String,
    /// The password to set: 8 to 1,024 characters, none of the common ones, not your name or address.
    #[graphql(secret)]
    password: String,
}

macro_rules! session_payload {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(SimpleObject)]
        pub(crate) struct $name {
            /// JWT to send as `Authorization: Bearer …`.
            access_token: Option<String>,
            /// Exchange it with `refreshSession` before or after the access token expires. It works once.
            refresh_token: Option<String>,
            /// Life of the access token, in seconds.
            expires_in: Option<i32>,
            /// Who signed in.
            user: Option<User>,
            /// What is wrong with the input; empty when it worked.
            user_errors: Vec<UserError>,
        }

        impl $name {
            async fn of(ctx: &Context<'_>, result: error::Result<SignedIn>) -> Result<Self> {
                let (signed_in, user_errors) = outcome(result)?;
                let Some(signed_in) = signed_in else {
                    return Ok(Self { access_token: None, refresh_token: None, expires_in: None, user: None, user_errors });
                };
                Request::of(ctx).become_actor(signed_in.actor);
                Ok(Self {
                    access_token: Some(signed_in.access_token),
                    refresh_token: Some(signed_in.refresh_token),
                    expires_in: i32::try_from(signed_in.expires_in).ok(),
                    user: users::load(ctx, signed_in.user).await?,
                    user_errors,
                })
            }
        }
    };
}

session_payload! {
    /// Result of `signIn`.
    SignInPayload
}
session_payload! {
    /// Result of `refreshSession`.
    RefreshSessionPayload
}
session_payload! {
    /// Result of `acceptInvitation`.
    AcceptInvitationPayload
}

/// Result of `signOut`.
#[derive(SimpleObject)]
pub(crate) struct SignOutPayload {
    /// True when the session has ended.
    signed_out: bool,
    /// What is wrong with the input; empty when it worked.
    user_errors: Vec<UserError>,
}

payload! {
    /// Result of `changePassword`.
    ChangePasswordPayload {
        /// You; null when the input was wrong.
        user: User
    }
}

/// Result of `inviteUser`.
#[derive(SimpleObject)]
pub(crate) struct InviteUserPayload {
    /// The person who is invited; null when the input was wrong.
    user: Option<User>,
    /// The link to pass on, shown this once; null where the invitation was mailed.
    invitation_link: Option<String>,
    /// What is wrong with the input; empty when the mutation was carried out.
    user_errors: Vec<UserError>,
}

pub(crate) fn bounded(secret: &str, field: &str) -> error::Result<()> {
    if secret.len() <= SECRET_BYTES_MAX {
        return Ok(());
    }
    Err(error::Problem::new(error::Code::TooLong, "This is too long.").at(field).into())
}

/// Mutations of sign-in and accounts.
#[derive(Default)]
pub(crate) struct AccessMutations;

#[Object]
impl AccessMutations {
    /// Signs in with e-mail address and password. Needs no token.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who you are.")] input: SignInInput,
    ) -> Result<SignInPayload> {
        let request = Request::of(ctx);
        let result = async {
            bounded(&input.password, "password")?;
            bounded(&input.email, "email")?;
            let input = access::SignIn {
                email: input.email,
                password: input.password,
                organization: input.organization,
                address: request.address(),
            };
            request.app().sign_in(&input, request.request_id()).await
        }
        .await;
        SignInPayload::of(ctx, result).await
    }

    /// Exchanges a refresh token for a new access token and the next refresh token. Needs no access token.
    /// A refresh token that is used again later ends the session: somebody must have a copy of it.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> Result<RefreshSessionPayload> {
        let request = Request::of(ctx);
        let result = async {
            bounded(&input.refresh_token, "refreshToken")?;
            request.app().refresh_session(&input.refresh_token, request.request_id()).await
        }
        .await;
        RefreshSessionPayload::of(ctx, result).await
    }

    /// Ends this session; its access and refresh tokens stop working at once.
    async fn sign_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How far to sign out.")] input: SignOutInput,
    ) -> Result<SignOutPayload> {
        let result = Request::of(ctx).execute(&SignOut { everywhere: input.everywhere }).await;
        let (done, user_errors) = outcome(result)?;
        Ok(SignOutPayload { signed_out: done.is_some(), user_errors })
    }

    /// Sets a new password and ends your sessions on all other devices.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The present and the new password.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordPayload> {
        let request = Request::of(ctx);
        ChangePasswordPayload::of(
            async {
                bounded(&input.current_password, "currentPassword")?;
                bounded(&input.new_password, "newPassword")?;
                let (current, new) = (&input.current_password, &input.new_password);
                request.app().change_password(&request.actor(), current, new, request.request_id()).await
            }
            .await,
        )
    }

    /// Invites a person to sign in, or invites again; an earlier link stops working. For administrators.
    async fn invite_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is invited.")] input: InviteUserInput,
    ) -> Result<InviteUserPayload> {
        let request = Request::of(ctx);
        let result = async {
            let mut problems = Problems::default();
            let user = problems.take("userId", ids::decode_opt(input.user_id.as_ref()));
            let team = problems.take("teamId", ids::decode_opt(input.team_id.as_ref()));
            let role = input.team_role.map_or(TeamRole::Member, |role| role.0);
            let invite = problems.finish_with(|| {
                Some(InviteUser {
                    user: user?,
                    name: input.name,
                    email: input.email.0,
                    role: input.role.map(|role| role.0),
                    team: team?.map(|team| (team, role)),
                    hired_on: input.hired_on.map(|date| date.0),
                })
            })?;
            request.app().invite_user(&request.actor(), &invite, request.request_id()).await
        }
        .await;
        let (invited, user_errors) = outcome(result)?;
        let (user, invitation_link) =
            invited.map_or((None, None), |(user, link)| (Some(User::from(user)), link));
        Ok(InviteUserPayload { user, invitation_link, user_errors })
    }

    /// Uses an invitation: sets your password and signs you in. Needs no token but that of the link.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invitation and your password.")] input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload> {
        let request = Request::of(ctx);
        let result = async {
            bounded(&input.token, "token")?;
            bounded(&input.password, "password")?;
            request.app().accept_invitation(&input.token, &input.password, request.request_id()).await
        }
        .await;
        AcceptInvitationPayload::of(ctx, result).await
    }
}
