//! Registered documents: what the clients of an organisation are known to ask.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::id::OrganizationId;
use evenhand_domain::time::Timestamp;
use serde::Deserialize;

use crate::door::App;
use crate::secrets::token_hash;

/// Most documents of one file.
const DOCUMENTS_MAX: usize = 5_000;
/// How long a node believes what it knows of an organisation's clients, in seconds.
const CLIENTS_SECONDS: i64 = 5;
/// Organisations that a node remembers; all are forgotten together when there are more.
const ORGANIZATIONS_MAX: usize = 10_000;

/// Clients that may send registered documents only, by organisation, and when that was read.
type Known = HashMap<OrganizationId, (Timestamp, Arc<HashSet<String>>)>;

/// What a node knows of clients.
#[derive(Default)]
pub(crate) struct Clients(Mutex<Known>);

/// The two kinds of manifest that tools write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// Apollo: a list of operations with a body each.
    Apollo { operations: Vec<Operation> },
    /// Relay and GraphQL Code Generator: documents by hash.
    ByHash(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// Reads the manifest of a client: its documents, each with the hash that names it.
///
/// # Errors
/// What is wrong with it, in words for a person.
pub fn read_manifest(text: &str) -> Result<Vec<(String, String)>> {
    let wrong = |message: String| Problem::new(Code::InvalidFormat, message);
    let manifest: Manifest = serde_json::from_str(text).map_err(|_| {
        wrong("The file must hold a JSON object of documents by SHA-256, or a manifest of Apollo.".into())
    })?;
    let documents: Vec<(String, String)> = match manifest {
        Manifest::Apollo { operations } => operations.into_iter().map(|it| (it.id, it.body)).collect(),
        Manifest::ByHash(documents) => documents.into_iter().collect(),
    };
    if documents.len() > DOCUMENTS_MAX {
        return Err(wrong(format!("The file holds more than {DOCUMENTS_MAX} documents.")).into());
    }
    let named = documents.into_iter().map(|(id, document)| {
        let hash = id.strip_prefix("sha256:").unwrap_or(&id).to_ascii_lowercase();
        if token_hash(&document) == hash {
            Ok((hash, document))
        } else {
            Err(wrong(format!("{id} is not the SHA-256 of its document.")).into())
        }
    });
    named.collect()
}

impl App {
    /// Registers a document of an organisation under its hash.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn register_document(
        &self,
        organization: OrganizationId,
        hash: &str,
        document: &str,
    ) -> Result<()> {
        self.store().register_document(organization, hash, document, self.now()).await
    }

    /// The registered document with this hash, in hexadecimal digits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trusted_document(&self, organization: OrganizationId, hash: &str) -> Result<Option<String>> {
        self.store().trusted_document(organization, hash).await
    }

    /// Sets whether `client` may send registered documents only; `*` is every client.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn set_trusted_client(
        &self,
        organization: OrganizationId,
        client: &str,
        only: bool,
    ) -> Result<()> {
        self.store().set_trusted_client(organization, client, only).await
    }

    /// Whether `client` may send registered documents only, as it was a few seconds ago.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_trusted_client(&self, organization: OrganizationId, client: &str) -> Result<bool> {
        let now = self.now();
        let listed = |clients: &HashSet<String>| clients.contains("*") || clients.contains(client);
        let known = {
            let known = self.clients().0.lock().unwrap_or_else(PoisonError::into_inner);
            known
                .get(&organization)
                .filter(|(at, _)| now < at.plus(Duration::seconds(CLIENTS_SECONDS)))
                .cloned()
        };
        if let Some((_, clients)) = known {
            return Ok(listed(&clients));
        }
        let clients = Arc::new(self.store().trusted_clients(organization).await?);
        let mut known = self.clients().0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ORGANIZATIONS_MAX {
            known.clear();
        }
        known.insert(organization, (now, Arc::clone(&clients)));
        Ok(listed(&clients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_both_kinds_are_read_and_wrong_hashes_refused() {
        let document = "{ viewer { role } }";
        let hash = token_hash(document);
        for text in [
            serde_json::json!({ hash.clone(): document }),
            serde_json::json!({ format!("sha256:{hash}"): document }),
            serde_json::json!({ "format": "apollo-persisted-query-manifest", "version": 1,
                "operations": [{ "id": hash, "name": "Role", "type": "query", "body": document }] }),
        ] {
            let read = read_manifest(&text.to_string()).expect("a manifest");
            assert_eq!(read, [(hash.clone(), document.to_owned())]);
        }
        for text in ["[]", "{", r#"{"abc": "{ viewer { role } }"}"#] {
            assert!(read_manifest(text).is_err(), "{text}");
        }
    }
}
