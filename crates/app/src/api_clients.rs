//! API clients: made by administrators, and how they get and give back tokens.
//!
//! A secret is random, so a fast hash protects it, and it leaves this room once. Guessing it is hopeless; failed
//! attempts are counted all the same, to spare the database, and never keep the right secret out.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::api_clients::{ApiClient, ApiClientUpdate, ApiScope, NewApiClient, Scopes};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{ApiClientId, EntityId, OrganizationId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_persistence::{Reader, Tx};
use uuid::Uuid;

use crate::door::{App, Command, Query};
use crate::secrets::{random_token, token_hash};
use crate::tokens::{Bearer, Identity};

/// How an API client proves who it is.
#[derive(Clone)]
pub struct ClientCredentials {
    /// Its client id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

/// What an API client gets for its secret.
#[derive(Clone)]
pub struct ClientAccess {
    /// JWT for the `Authorization` header.
    pub access_token: String,
    /// Life of the access token, in seconds.
    pub expires_in: i64,
    /// What it is for.
    pub scopes: Scopes,
}

/// A client whose secret was right.
struct Proven {
    organization: OrganizationId,
    client: ApiClient,
    // Of the secret.
    generation: i32,
}

impl App {
    /// Creates an API client. Answers its secret, too, this once.
    ///
    /// # Errors
    /// As [`ApiClient::create`], and `TAKEN` for the name of another one.
    pub async fn create_api_client(
        &self,
        actor: &Actor,
        input: NewApiClient,
        request_id: &str,
    ) -> Result<(ApiClient, String)> {
        let secret = random_token()?;
        let create = CreateApiClient { input, secret_hash: token_hash(&secret) };
        Ok((self.execute(actor, request_id, &create).await?, secret))
    }

    /// Gives an API client, as the caller saw it, a new secret beside the present one, which works on for so many
    /// minutes. Answers the new secret, this once.
    ///
    /// # Errors
    /// As [`ApiClient::rotate`], and [`Error::Conflict`].
    pub async fn rotate_api_client_secret(
        &self,
        actor: &Actor,
        (id, version): (ApiClientId, Version),
        overlap_minutes: i32,
        request_id: &str,
    ) -> Result<(ApiClient, String)> {
        let secret = random_token()?;
        let rotate = RotateSecret { id, version, secret_hash: token_hash(&secret), overlap_minutes };
        Ok((self.execute(actor, request_id, &rotate).await?, secret))
    }

    /// An access token for the scopes that are asked for by name, separated by spaces; `None` asks for all that the
    /// client has.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] whatever is wrong with the credentials, [`Error::Rejected`] for scopes that the
    /// client does not have, [`Error::Throttled`] after too many failures.
    pub async fn client_token(
        &self,
        credentials: &ClientCredentials,
        scope: Option<&str>,
    ) -> Result<ClientAccess> {
        let Proven { organization, client, generation } = self.prove_client(credentials).await?;
        let scopes = asked(scope, client.scopes)?;
        let (access_token, expires_in) =
            self.issue_client_token(organization, &client, generation, scopes).await?;
        self.store().note_client_use(organization, client.id, self.now()).await?;
        Ok(ClientAccess { access_token, expires_in, scopes })
    }

    /// Revokes an access token of the client. One that works no longer, or never did, is as good as revoked.
    ///
    /// # Errors
    /// As [`App::client_token`]; [`Error::Forbidden`] for a token of somebody else.
    pub async fn revoke_client_token(&self, credentials: &ClientCredentials, token: &str) -> Result<()> {
        let proven = self.prove_client(credentials).await?;
        let identity = match self.identify(token).await {
            Err(Error::Unauthenticated(_)) => return Ok(()),
            identity => identity?,
        };
        match identity {
            Identity { bearer: Bearer::Client { token, .. }, .. } if token.client == proven.client.id => {
                self.store().revoke_token(token, identity.expires_at(self.now())).await
            }
            _ => Err(Error::Forbidden),
        }
    }

    async fn prove_client(&self, credentials: &ClientCredentials) -> Result<Proven> {
        // In one spelling only, so that all attempts at a client are counted together.
        let id = Uuid::try_parse(&credentials.id).ok().filter(|id| id.to_string() == credentials.id);
        let found = match id {
            Some(id) => self.store().unscoped_api_client(ApiClientId::from_uuid(id)).await?,
            None => None,
        };
        let hash = token_hash(&credentials.secret);
        let fits = |stored: &str| verify_slices_are_equal(stored.as_bytes(), hash.as_bytes()).is_ok();
        let proven = found.and_then(|(organization, client)| {
            let (generation, _) = client.secrets(self.now()).find(|(_, stored)| fits(stored))?;
            Some(Proven { organization, client, generation })
        });
        if let Some(proven) = proven {
            return Ok(proven);
        }
        let address = credentials.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        self.throttle(&format!("client:{}", token_hash(&credentials.id)), &address).await?;
        Err(Error::Unauthenticated("client id or secret is wrong, or the client is revoked"))
    }
}

/// The scopes that are asked for, all of which the client must have.
fn asked(scope: Option<&str>, has: Scopes) -> Result<Scopes> {
    let names: Vec<&str> = scope.unwrap_or_default().split(' ').filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Ok(has);
    }
    let known = names.iter().map(|name| ApiScope::parse(name).filter(|&scope| has.contains(scope)));
    known.collect::<Option<Scopes>>().ok_or_else(|| {
        Problem::new(Code::NotPermitted, format!("The client has these scopes: {has}.")).at("scope").into()
    })
}

struct CreateApiClient {
    input: NewApiClient,
    secret_hash: String,
}

impl Command for CreateApiClient {
    const PERMISSION: Permission = Permission::ManageApiClients;
    type Output = ApiClient;

    async fn run(&self, tx: &mut Tx) -> Result<ApiClient> {
        let change = ApiClient::create(&self.input, self.secret_hash.clone(), tx.new_id(), tx.now())?;
        tx.save(change).await
    }
}

/// Loads the client that a command is about, as the caller saw it.
async fn load(tx: &Tx, id: ApiClientId, version: Version) -> Result<ApiClient> {
    let client = tx.read().api_client(id).await?;
    if client.version == version { Ok(client) } else { Err(Error::Conflict) }
}

struct RotateSecret {
    id: ApiClientId,
    version: Version,
    secret_hash: String,
    overlap_minutes: i32,
}

impl Command for RotateSecret {
    const PERMISSION: Permission = Permission::ManageApiClients;
    type Output = ApiClient;

    async fn run(&self, tx: &mut Tx) -> Result<ApiClient> {
        let client = load(tx, self.id, self.version).await?;
        tx.save(client.rotate(self.secret_hash.clone(), self.overlap_minutes, tx.now())?).await
    }
}

/// Changes name, role or scopes of an API client.
#[derive(Debug)]
pub struct UpdateApiClient {
    /// Which client.
    pub id: ApiClientId,
    /// The version that the caller saw.
    pub version: Version,
    /// What to change.
    pub update: ApiClientUpdate,
}

impl Command for UpdateApiClient {
    const PERMISSION: Permission = Permission::ManageApiClients;
    type Output = ApiClient;

    async fn run(&self, tx: &mut Tx) -> Result<ApiClient> {
        let client = load(tx, self.id, self.version).await?;
        tx.save(client.update(&self.update, tx.now())?).await
    }
}

/// Shuts an API client out for ever.
#[derive(Debug)]
pub struct RevokeApiClient {
    /// Which client.
    pub id: ApiClientId,
    /// The version that the caller saw.
    pub version: Version,
}

impl Command for RevokeApiClient {
    const PERMISSION: Permission = Permission::ManageApiClients;
    type Output = ApiClient;

    async fn run(&self, tx: &mut Tx) -> Result<ApiClient> {
        let client = load(tx, self.id, self.version).await?;
        tx.save(client.revoke(tx.now())?).await
    }
}

/// API clients by id; unknown ids are left out.
#[derive(Debug)]
pub struct ApiClientsByIds(pub Vec<ApiClientId>);

impl Query for ApiClientsByIds {
    const PERMISSION: Permission = Permission::ReadApiClients;
    type Output = Vec<ApiClient>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<ApiClient>> {
        reader.api_clients_by_ids(&self.0).await
    }
}

/// A page of API clients, by name.
#[derive(Debug)]
pub struct ListApiClients(pub PageRequest);

impl Query for ListApiClients {
    const PERMISSION: Permission = Permission::ReadApiClients;
    type Output = Page<ApiClient>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<ApiClient>> {
        reader.api_clients(&self.0).await
    }
}

/// Number of API clients.
#[derive(Debug)]
pub struct CountApiClients;

impl Query for CountApiClients {
    const PERMISSION: Permission = Permission::ReadApiClients;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_api_clients().await
    }
}
