//! API clients, as an administrator makes them and as they get their tokens.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Client, TestApp};

/// An API client with its secret.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its opaque id.
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) secret: String,
}

/// An answer of an OAuth endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Granted {
    /// The error, empty where there is none, behind the status.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap_or_default())
    }
}

impl Client {
    /// Sends a form, which is given as it goes over the wire, with more headers.
    pub(crate) async fn form(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Granted {
        let mut request = self.post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(form.to_owned()).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Granted { status, headers, body: serde_json::from_str(&text).unwrap_or_default() }
    }
}

impl TestApp {
    /// A new API client of [`ORGANIZATION`](crate::support::ORGANIZATION).
    pub(crate) async fn program(&self, name: &str, role: &str, scopes: &[&str]) -> Program {
        let input = json!({ "name": name, "role": role, "scopes": scopes });
        let made =
            self.admin().mutate("createApiClient", input, "apiClient { id clientId } clientSecret").await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let payload = made.ok();
        Program {
            id: text(&payload["apiClient"]["id"]),
            client_id: text(&payload["apiClient"]["clientId"]),
            secret: text(&payload["clientSecret"]),
        }
    }

    /// The program with a token for all of its scopes.
    pub(crate) async fn enter(&self, program: &Program) -> Client {
        let Program { client_id, secret, .. } = program;
        let form = format!("grant_type=client_credentials&client_id={client_id}&client_secret={secret}");
        let granted = self.anonymous().form("/oauth/token", &form, &[]).await;
        assert_eq!(granted.outcome(), (200, ""), "{granted:?}");
        self.anonymous().with_token(granted.body["access_token"].as_str().expect("a token"))
    }
}
