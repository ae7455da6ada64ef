//! API clients in GraphQL. How they get tokens is not GraphQL: see the OAuth endpoints.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::api_clients::{
    ApiClientsByIds, CountApiClients, ListApiClients, RevokeApiClient, UpdateApiClient,
};
use evenhand_domain::access::Role;
use evenhand_domain::api_clients::{
    self as domain, ApiClientUpdate, ApiScope, NewApiClient, OVERLAP_MINUTES,
};
use evenhand_domain::error::Error;
use evenhand_domain::id::ApiClientId;

use crate::context::{Request, total};
use crate::error::{UserError, outcome, payload};
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::scalars::DateTime;
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "apiClients:name";

/// A program of somebody else that works with the API in its own name.
#[derive(Clone)]
pub(crate) struct ApiClient(domain::ApiClient);

impl From<domain::ApiClient> for ApiClient {
    fn from(client: domain::ApiClient) -> Self {
        Self(client)
    }
}

connection!(ApiClientConnection, ApiClientEdge, ApiClient, "API clients");

/// A program of somebody else that works with the API in its own name. It gets tokens at `/oauth/token` for its client
/// id and secret, and may do what both its role and its scopes allow; to sign, to approve and to administer is for people.
#[Object]
impl ApiClient {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you change it.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The client id by which it asks for tokens.
    async fn client_id(&self) -> String {
        self.0.id.to_string()
    }

    /// Name, unique among the clients that are not revoked.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How far it reaches: what people of this role reach in the whole organisation, except confidential complaints.
    async fn role(&self) -> Wire<Role> {
        Wire(self.0.role)
    }

    /// What it may ask for there, e.g. `complaints:read`.
    async fn scopes(&self) -> Vec<&str> {
        self.0.scopes.iter().map(ApiScope::as_str).collect()
    }

    /// The how manieth secret it has, from 1.
    async fn secret_generation(&self) -> i32 {
        self.0.generation
    }

    /// Until when the secret before it works beside it, and the tokens that were got with that; null where it does not.
    async fn old_secret_expires_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let now = Request::of(ctx).app().now();
        self.0.old_secret.as_ref().map(|old| old.expires_at).filter(|at| now < *at).map(DateTime)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it was shut out for ever; null while it may come in.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }

    /// When it last got a token; null where it never did.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }
}

/// The API client with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: ApiClientId) -> Result<Option<ApiClient>> {
    let request = Request::of(ctx).asker();
    let client = Request::of(ctx).loaders().api_clients.load(id, |ids| async move {
        let clients = request.query(&ApiClientsByIds(ids)).await?;
        Ok(clients.into_iter().map(|client| (client.id, client)).collect())
    });
    Ok(client.await?.map(ApiClient))
}

/// Queries about API clients.
#[derive(Default)]
pub(crate) struct ApiClientQueries;

#[Object]
impl ApiClientQueries {
    /// The API clients of your organisation, by name, also those that were revoked.
    async fn api_clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of API clients, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<ApiClientConnection> {
        let request = Request::of(ctx);
        let page = request.query(&ListApiClients(PageArgs::forward(first, after).parse(BY_NAME)?)).await?;
        Ok(ApiClientConnection::new(page, BY_NAME, total(request, CountApiClients)))
    }
}

/// Input of `createApiClient`.
#[derive(InputObject)]
pub(crate) struct CreateApiClientInput {
    /// Name, unique among the clients that are not revoked, 1 to 200 characters.
    name: String,
    /// How far it reaches: `SERVICE_AGENT`, `FINANCE` or `ADMIN`. A client is nobody and leads no team, so no other role
    /// makes sense.
    role: Wire<Role>,
    /// What it may ask for there, e.g. `complaints:read`; each must be of use to the role. All scopes stand in
    /// `scopes_supported` of `/.well-known/oauth-authorization-server`.
    scopes: Vec<String>,
}

/// Input of `updateApiClient`. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct UpdateApiClientInput {
    /// The API client.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New name.
    name: Option<String>,
    /// How far it reaches; it counts from the next request on.
    role: Option<Wire<Role>>,
    /// All that it may ask for from the next request on. Tokens that it has get narrower, but never wider.
    scopes: Option<Vec<String>>,
}

/// Input of `rotateApiClientSecret`.
#[derive(InputObject)]
pub(crate) struct RotateApiClientSecretInput {
    /// The API client.
    id: ID,
    /// The version that you read.
    version: i32,
    /// How long the present secret and its tokens work on beside the new one, in minutes, 0 to 10080; 1440, a day, if not
    /// given. A secret before the present one stops working at once.
    overlap_minutes: Option<i32>,
}

/// Input of `revokeApiClient`.
#[derive(InputObject)]
pub(crate) struct RevokeApiClientInput {
    /// The API client.
    id: ID,
    /// The version that you read.
    version: i32,
}

macro_rules! secret_payload {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(SimpleObject)]
        pub(crate) struct $name {
            /// The API client; null when the input was wrong.
            api_client: Option<ApiClient>,
            /// The new secret, shown this once.
            client_secret: Option<String>,
            /// What is wrong with the input; empty when the mutation was carried out.
            user_errors: Vec<UserError>,
        }

        impl $name {
            fn of(result: std::result::Result<(domain::ApiClient, String), Error>) -> Result<Self> {
                let (made, user_errors) = outcome(result)?;
                let (api_client, client_secret) = made.unzip();
                Ok(Self { api_client: api_client.map(ApiClient), client_secret, user_errors })
            }
        }
    };
}

secret_payload! {
    /// Result of `createApiClient`.
    CreateApiClientPayload
}
secret_payload! {
    /// Result of `rotateApiClientSecret`.
    RotateApiClientSecretPayload
}

payload! {
    /// Result of `updateApiClient`.
    UpdateApiClientPayload {
        /// The API client after the change; null when the input was wrong.
        api_client: ApiClient
    }
}

payload! {
    /// Result of `revokeApiClient`.
    RevokeApiClientPayload {
        /// The API client after the change; null when the input was wrong.
        api_client: ApiClient
    }
}

/// Mutations of API clients.
#[derive(Default)]
pub(crate) struct ApiClientMutations;

#[Object]
impl ApiClientMutations {
    /// Creates an API client and shows its secret, this once. For administrators.
    async fn create_api_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new API client.")] input: CreateApiClientInput,
    ) -> Result<CreateApiClientPayload> {
        let request = Request::of(ctx);
        let new = NewApiClient { name: input.name, role: input.role.0, scopes: input.scopes };
        CreateApiClientPayload::of(
            request.app().create_api_client(&request.actor(), new, request.request_id()).await,
        )
    }

    /// Changes name, role or scopes of an API client. For administrators.
    async fn update_api_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateApiClientInput,
    ) -> Result<UpdateApiClientPayload> {
        UpdateApiClientPayload::of(
            async {
                let id = ids::decode(&input.id).map_err(|problem| problem.at("id"))?;
                let role = input.role.map(|role| role.0);
                let update = ApiClientUpdate { name: input.name, role, scopes: input.scopes };
                Request::of(ctx).execute(&UpdateApiClient { id, version: input.version, update }).await
            }
            .await,
        )
    }

    /// Gives an API client a new secret and shows it, this once. Both secrets work for a time that you choose, so that
    /// nothing stands still while the new one is put in its place. For administrators.
    async fn rotate_api_client_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API client, and how long its old secret works.")]
        input: RotateApiClientSecretInput,
    ) -> Result<RotateApiClientSecretPayload> {
        let request = Request::of(ctx);
        let overlap = input.overlap_minutes.unwrap_or(OVERLAP_MINUTES);
        RotateApiClientSecretPayload::of(
            async {
                let id = ids::decode(&input.id).map_err(|problem| problem.at("id"))?;
                let (actor, of) = (request.actor(), (id, input.version));
                request.app().rotate_api_client_secret(&actor, of, overlap, request.request_id()).await
            }
            .await,
        )
    }

    /// Shuts an API client out for ever; its secrets and tokens stop working at once. For administrators.
    async fn revoke_api_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API client.")] input: RevokeApiClientInput,
    ) -> Result<RevokeApiClientPayload> {
        RevokeApiClientPayload::of(
            async {
                let id = ids::decode(&input.id).map_err(|problem| problem.at("id"))?;
                Request::of(ctx).execute(&RevokeApiClient { id, version: input.version }).await
            }
            .await,
        )
    }
}
