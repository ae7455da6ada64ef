//! Access tokens: short-lived JWTs (RFC 9068) signed with Ed25519. They carry identity only, those of API clients also
//! the scopes that were asked for; what somebody may do is read from the database at every request, so that a change
//! of role or scopes bites at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use evenhand_domain::access::Actor;
use evenhand_domain::api_clients::{ApiClient, ClientToken, Scopes};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{ApiClientId, EntityId, OrganizationId, SessionId, UserId};
use evenhand_domain::time::Timestamp;
use evenhand_persistence::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::AccessSettings;
use crate::door::App;

/// Seconds by which clocks of nodes may differ.
const LEEWAY_SECONDS: i64 = 5;
/// How long verifiers may keep the published keys; a new key is published this long before it signs.
pub const KEY_CACHE_SECONDS: i64 = 300;
/// How often a node looks for new keys.
const RELOAD_SECONDS: i64 = 30;
/// How often at most a node looks again because a token names a key that it does not know.
const RELOAD_UNKNOWN_SECONDS: i64 = 1;
/// Tokens whose signature was found right and is not checked again: a check costs more than a light query.
const VERIFIED_TOKENS_MAX: usize = 10_000;
/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Where the sealed private keys belong.
const SEAL_CONTEXT: &str = "signing-key";

const BAD: Error = Error::Unauthenticated("the access token is not valid");
const SESSION_ENDED: Error = Error::Unauthenticated("the session has ended; sign in again");
const TOKEN_ENDED: Error = Error::Unauthenticated(
    "the client or its token was revoked, or its secret has retired; ask for another token",
);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    org: Uuid,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
    // Of people.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    // Of API clients: who, for what, and the generation of the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(rename = "gen", skip_serializing_if = "Option::is_none")]
    generation: Option<i32>,
}

impl Claims {
    /// Whom they name; none where they are neither a person's nor an API client's.
    fn bearer(&self) -> Option<Bearer> {
        let organization = OrganizationId::from_uuid(self.org);
        match (self.sid, self.client_id, &self.scope, self.generation) {
            (Some(session), None, None, None) => Some(Bearer::User {
                user: UserId::from_uuid(self.sub),
                session: SessionId::from_uuid(session),
            }),
            (None, Some(client), Some(scope), Some(generation)) if client == self.sub => {
                let client = ApiClientId::from_uuid(client);
                let token = ClientToken { organization, client, id: self.jti, generation };
                Some(Bearer::Client { token, scopes: Scopes::known(scope) })
            }
            _ => None,
        }
    }
}

/// Who sends a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bearer {
    /// A person.
    User {
        /// Who.
        user: UserId,
        /// The session that the token belongs to.
        session: SessionId,
    },
    /// An API client.
    Client {
        /// The token itself.
        token: ClientToken,
        /// What it was given for.
        scopes: Scopes,
    },
}

/// Whom an access token names; what they may do stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The organisation.
    pub organization: OrganizationId,
    /// Who.
    pub bearer: Bearer,
    expires_s: i64,
}

impl Identity {
    /// Whether the token is too old at `now`.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> bool {
        now.micros().div_euclid(1_000_000) >= self.expires_s
    }

    /// First instant at which the token is too old, seen from `now`.
    pub(crate) fn expires_at(&self, now: Timestamp) -> Timestamp {
        now.plus(Duration::seconds(self.expires_s - now.micros().div_euclid(1_000_000)))
    }
}

/// The keys of the installation as this node knows them, and how tokens are made and checked.
pub(crate) struct Tokens {
    issuer: String,
    audience: String,
    lifetime: Duration,
    keys: RwLock<Arc<Keys>>,
    // First instant at which an unknown key is looked for again.
    next_look_us: AtomicI64,
    // By the whole token, with the key that signed it: neither can be swapped for another.
    verified: Cache<String, Claims>,
}

struct Keys {
    loaded_at: Option<Timestamp>,
    all: Vec<SigningKey>,
    // The private key that signs now, opened once.
    signer: Option<(String, EncodingKey)>,
}

impl Tokens {
    pub(crate) fn new(settings: &AccessSettings) -> Self {
        Self {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            lifetime: settings.access_token_lifetime,
            keys: RwLock::new(Arc::new(Keys { loaded_at: None, all: Vec::new(), signer: None })),
            next_look_us: AtomicI64::new(i64::MIN),
            verified: Cache::new(VERIFIED_TOKENS_MAX),
        }
    }

    /// Another node may have made a key just now; but whoever invents names of keys shall not keep us busy.
    fn may_look_again(&self, now: Timestamp) -> bool {
        let next = now.plus(Duration::seconds(RELOAD_UNKNOWN_SECONDS)).micros();
        let allowed = |next_look: i64| (next_look <= now.micros() || next_look > next).then_some(next);
        self.next_look_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, allowed).is_ok()
    }

    fn cached(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl App {
    /// Makes the first signing key of an installation that has none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn ensure_signing_key(&self) -> Result<()> {
        if self.store().signing_keys().await?.is_empty() {
            self.add_signing_key(self.now()).await?;
        }
        Ok(())
    }

    /// Makes a new signing key. It is published now, signs after every verifier has had time to fetch it, and
    /// the keys before it retire when the last token that they signed has expired.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn rotate_signing_key(&self) -> Result<String> {
        // Where no key opens, nobody can sign in, and the new one begins at once.
        let wait = if matches!(self.check_signing_key().await, Ok(true)) { KEY_CACHE_SECONDS } else { 0 };
        self.add_signing_key(self.now().plus(Duration::seconds(wait))).await
    }

    /// Whether there is a key that signs now.
    ///
    /// # Errors
    /// [`Error::Internal`] when it does not open with the secret of this installation.
    pub async fn check_signing_key(&self) -> Result<bool> {
        Ok(self.reload_keys().await?.signer.is_some())
    }

    async fn add_signing_key(&self, active_from: Timestamp) -> Result<String> {
        let broken = |_| Error::Internal("no signing key could be made".into());
        let pair = Ed25519KeyPair::generate().map_err(broken)?;
        let private = pair.to_pkcs8v1().map_err(broken)?;
        let public_key = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let id = crate::secrets::token_hash(&public_key)[..16].to_owned();
        let key = SigningKey {
            id: id.clone(),
            public_key,
            sealed_private_key: self.services().sealer.seal(SEAL_CONTEXT, private.as_ref())?,
            created_at: self.now(),
            active_from,
            retired_at: None,
        };
        let last_use =
            active_from.plus(self.tokens().lifetime + Duration::seconds(RELOAD_SECONDS + LEEWAY_SECONDS));
        self.store().add_signing_key(&key, last_use).await?;
        self.reload_keys().await?;
        Ok(id)
    }

    /// The published keys as a JWK set (RFC 7517).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn jwks(&self) -> Result<serde_json::Value> {
        let now = self.now();
        let keys = self.store().signing_keys().await?;
        let keys: Vec<_> = keys
            .iter()
            .filter(|key| key.retired_at.is_none_or(|at| now < at))
            .map(|key| {
                serde_json::json!({
                    "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.id, "x": key.public_key,
                })
            })
            .collect();
        Ok(serde_json::json!({ "keys": keys }))
    }

    /// Whom an access token names. Reads nothing but the signing keys, which are cached.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is wrong in any way.
    pub async fn identify(&self, token: &str) -> Result<Identity> {
        let claims = self.verify(token).await?;
        Ok(Identity {
            organization: OrganizationId::from_uuid(claims.org),
            bearer: claims.bearer().ok_or(BAD)?,
            expires_s: claims.exp + LEEWAY_SECONDS,
        })
    }

    /// The person or API client whom a token names, as the database knows them now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the session has ended, or the token of a client no longer works.
    pub async fn principal(&self, identity: &Identity) -> Result<Actor> {
        let (store, now) = (self.store(), self.now());
        match identity.bearer {
            Bearer::User { user, session } => {
                let found = store.unscoped_principal(identity.organization, session, now).await?;
                found.filter(|found| found.user == user).map(Actor::User).ok_or(SESSION_ENDED)
            }
            Bearer::Client { token, scopes } => {
                let found = store.unscoped_client_principal(token, scopes, now).await?;
                found.map(Actor::Client).ok_or(TOKEN_ENDED)
            }
        }
    }

    /// Which of these identities are still alive: people by their sessions, API clients by their tokens.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn live_identities(&self, identities: &[Identity]) -> Result<HashSet<Identity>> {
        let (mut sessions, mut tokens) = (Vec::new(), Vec::new());
        for identity in identities {
            match identity.bearer {
                Bearer::User { session, .. } => sessions.push((identity.organization, session)),
                Bearer::Client { token, .. } => tokens.push(token),
            }
        }
        let sessions = self.store().unscoped_live_sessions(&sessions, self.now()).await?;
        let tokens = self.store().unscoped_live_tokens(&tokens, self.now()).await?;
        let lives = |identity: &&Identity| match &identity.bearer {
            Bearer::User { session, .. } => sessions.contains(&(identity.organization, *session)),
            Bearer::Client { token, .. } => tokens.contains(token),
        };
        Ok(identities.iter().filter(lives).copied().collect())
    }

    /// The actor behind an access token, as the database knows them now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is wrong in any way, or whose session has ended.
    pub async fn authenticate(&self, token: &str) -> Result<Actor> {
        self.principal(&self.identify(token).await?).await
    }

    /// The same actor as the database knows them now.
    ///
    /// # Errors
    /// As [`App::principal`].
    pub async fn renew(&self, actor: &Actor) -> Result<Actor> {
        let (store, now) = (self.store(), self.now());
        match actor {
            Actor::User(old) => {
                let renewed = store.unscoped_principal(old.organization, old.session, now).await?;
                renewed.map(Actor::User).ok_or(SESSION_ENDED)
            }
            Actor::Client(old) => {
                let renewed = store.unscoped_client_principal(old.token, old.scopes, now).await?;
                renewed.map(Actor::Client).ok_or(TOKEN_ENDED)
            }
            Actor::Anonymous | Actor::System { .. } => Ok(*actor),
        }
    }

    /// Signs an access token of a person. Answers the token and its life in seconds.
    pub(crate) async fn issue_access_token(
        &self,
        organization: OrganizationId,
        user: UserId,
        session: SessionId,
    ) -> Result<(String, i64)> {
        let claims = Claims { sid: Some(session.uuid()), ..self.claims(organization, user.uuid()) };
        self.sign(&claims).await
    }

    /// Signs an access token of an API client that has proved itself by the secret of `generation`.
    pub(crate) async fn issue_client_token(
        &self,
        organization: OrganizationId,
        client: &ApiClient,
        generation: i32,
        scopes: Scopes,
    ) -> Result<(String, i64)> {
        let claims = Claims {
            client_id: Some(client.id.uuid()),
            scope: Some(scopes.to_string()),
            generation: Some(generation),
            ..self.claims(organization, client.id.uuid())
        };
        self.sign(&claims).await
    }

    /// The claims that every token has.
    fn claims(&self, organization: OrganizationId, subject: Uuid) -> Claims {
        let now = self.now();
        let seconds = now.micros().div_euclid(1_000_000);
        Claims {
            iss: self.tokens().issuer.clone(),
            aud: self.tokens().audience.clone(),
            sub: subject,
            org: organization.uuid(),
            jti: self.store().new_id::<SessionId>(now).uuid(),
            iat: seconds,
            nbf: seconds,
            exp: seconds + self.tokens().lifetime.num_seconds(),
            sid: None,
            client_id: None,
            scope: None,
            generation: None,
        }
    }

    async fn sign(&self, claims: &Claims) -> Result<(String, i64)> {
        let keys = self.keys(self.now()).await?;
        let (id, key) =
            keys.signer.as_ref().ok_or_else(|| Error::Internal("there is no signing key".into()))?;
        let header =
            Header { typ: Some("at+jwt".into()), kid: Some(id.clone()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, claims, key)
            .map_err(|error| Error::Internal(format!("signing a token: {error}")))?;
        Ok((token, claims.exp - claims.iat))
    }

    async fn verify(&self, token: &str) -> Result<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(BAD);
        }
        let kid = key_id(token).ok_or(BAD)?;
        let now = self.now();
        let mut keys = self.keys(now).await?;
        if !keys.all.iter().any(|key| key.id == kid) && self.tokens().may_look_again(now) {
            keys = self.reload_keys().await?;
        }
        let key = keys
            .all
            .iter()
            .find(|key| key.id == kid && key.retired_at.is_none_or(|at| now < at))
            .ok_or(BAD)?;
        let claims = match self.tokens().verified.get(token) {
            Some(claims) => claims,
            None => {
                let claims = self.check_signature(token, key)?;
                self.tokens().verified.insert(token.to_owned(), claims.clone());
                claims
            }
        };
        let seconds = now.micros().div_euclid(1_000_000);
        if claims.nbf > seconds + LEEWAY_SECONDS || claims.iat > seconds + LEEWAY_SECONDS {
            return Err(BAD);
        }
        if seconds >= claims.exp + LEEWAY_SECONDS {
            return Err(Error::Unauthenticated("the access token has expired; refresh the session"));
        }
        Ok(claims)
    }

    /// What a token says, if `key` signed it for us. Times are for the caller to check.
    fn check_signature(&self, token: &str, key: &SigningKey) -> Result<Claims> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
        validation.set_issuer(&[&self.tokens().issuer]);
        validation.set_audience(&[&self.tokens().audience]);
        // Against the injected clock, not the library's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let public = DecodingKey::from_ed_components(&key.public_key)
            .map_err(|error| Error::Internal(format!("a stored public key is broken: {error}")))?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &public, &validation);
        decoded.map(|token| token.claims).map_err(|_| BAD)
    }

    async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>> {
        let keys = self.tokens().cached();
        if !keys.older_than(now, RELOAD_SECONDS) {
            return Ok(keys);
        }
        match self.reload_keys().await {
            // Who is signed in shall hear that the database is away, not that their token is wrong.
            Err(error) if !keys.all.is_empty() => {
                tracing::warn!(%error, "the signing keys could not be read again");
                Ok(keys)
            }
            outcome => outcome,
        }
    }

    async fn reload_keys(&self) -> Result<Arc<Keys>> {
        let now = self.now();
        let all = self.store().signing_keys().await?;
        let signer = match all.iter().find(|key| key.active_from <= now) {
            Some(key) => {
                let private = self.services().sealer.open(SEAL_CONTEXT, &key.sealed_private_key)?;
                Some((key.id.clone(), EncodingKey::from_ed_der(&private)))
            }
            None => None,
        };
        let keys = Arc::new(Keys { loaded_at: Some(now), all, signer });
        *self.tokens().keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&keys);
        Ok(keys)
    }
}

impl Keys {
    fn older_than(&self, now: Timestamp, seconds: i64) -> bool {
        self.loaded_at.is_none_or(|at| at.plus(Duration::seconds(seconds)) <= now || now < at)
    }
}

/// The key id of a token whose header is exactly what we issue. The library checks neither `typ` nor `crit`.
fn key_id(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&header).ok()?;
    let text = |name: &str| header.get(name).and_then(serde_json::Value::as_str);
    let ours = text("alg") == Some("EdDSA") && text("typ") == Some("at+jwt") && !header.contains_key("crit");
    ours.then(|| text("kid").map(str::to_owned)).flatten()
}
