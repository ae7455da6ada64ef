//! A client of the HTTP API, as anybody could write it.

use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

/// Sends requests to the application under test, signed in or not. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) base: Arc<str>,
    pub(crate) access_token: Option<String>,
    pub(crate) refresh_token: Option<String>,
    address: Option<String>,
}

/// An HTTP answer with a GraphQL body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The whole body, for searching.
    pub(crate) text: String,
    pub(crate) data: Value,
    pub(crate) errors: Vec<Value>,
    /// Number of SQL statements that it took.
    pub(crate) statements: u32,
}

/// The answer to a mutation sent by [`Client::mutate`].
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    /// The mutation's payload; null when there is none.
    pub(crate) payload: Value,
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, base: &str) -> Self {
        Self { http, base: base.into(), access_token: None, refresh_token: None, address: None }
    }

    /// The same client with another access token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { access_token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client, speaking to another server.
    pub(crate) fn at_base(&self, base: &str) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    /// The same client at another address, as a trusted proxy would report it.
    pub(crate) fn at_address(&self, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..self.clone() }
    }

    /// Sends a query.
    pub(crate) async fn gql(&self, query: &str, variables: Value) -> Answer {
        self.send(&json!({ "query": query, "variables": variables })).await
    }

    /// Sends a query without variables that must work, and answers its data.
    #[track_caller]
    pub(crate) fn query(&self, query: &str) -> impl Future<Output = Value> {
        let (caller, client, query) = (std::panic::Location::caller(), self.clone(), query.to_owned());
        async move {
            let answer = client.gql(&query, json!({})).await;
            assert!(answer.errors.is_empty(), "{caller}: {}", answer.text);
            answer.data
        }
    }

    /// Sends the mutation `name` with `input`, selecting `fields` of its payload and `userErrors`.
    pub(crate) async fn mutate(&self, name: &str, input: Value, fields: &str) -> Outcome {
        let (first, rest) = name.split_at(1);
        let input_type = format!("{}{rest}Input", first.to_uppercase());
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {fields} userErrors {{ field code message }} }} }}"
        );
        let answer = self.gql(&query, json!({ "input": input })).await;
        let payload = answer.data[name].clone();
        Outcome { answer, payload }
    }

    /// Sends a body to `/graphql`.
    pub(crate) async fn send(&self, body: &Value) -> Answer {
        self.send_raw("application/json", body.to_string().into_bytes()).await
    }

    /// Sends any bytes to `/graphql`.
    pub(crate) async fn send_raw(&self, content_type: &str, body: Vec<u8>) -> Answer {
        let request = self.post("/graphql").header(CONTENT_TYPE, content_type).body(body);
        Answer::read(request.send().await.expect("an answer")).await
    }

    /// A POST request with this client's credentials.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.credentials(self.http.post(format!("{}{path}", self.base)))
    }

    /// A GET request with this client's credentials.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.credentials(self.http.get(format!("{}{path}", self.base)))
    }

    fn credentials(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let mut request = request.header(ACCEPT, "application/graphql-response+json");
        if let Some(token) = &self.access_token {
            request = request.bearer_auth(token);
        }
        if let Some(address) = &self.address {
            request = request.header("x-forwarded-for", address);
        }
        request
    }

    /// Opens `/graphql/stream`.
    pub(crate) async fn stream(&self, query: &str, variables: Value) -> Stream {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self.post("/graphql/stream").header(CONTENT_TYPE, "application/json").body(body);
        Stream { response: request.send().await.expect("an answer"), buffer: String::new() }
    }

    /// What the session payload of a sign-in holds, as a client; none when it was refused.
    pub(crate) fn signed_in(&self, payload: &Value) -> Option<Self> {
        let token = |name: &str| payload[name].as_str().map(str::to_owned);
        let (access_token, refresh_token) = (token("accessToken"), token("refreshToken"));
        access_token.is_some().then(|| Self { access_token, refresh_token, ..self.clone() })
    }
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let statements = header("x-statements").and_then(|value| value.parse().ok()).unwrap_or_default();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        Self { status, data: body["data"].clone(), errors, statements, headers, text }
    }

    /// The data of an answer without errors.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Value {
        assert!(self.status == 200 && self.errors.is_empty(), "{} {}", self.status, self.text);
        &self.data
    }

    /// The code of the first top-level error; empty when there is none.
    pub(crate) fn code(&self) -> &str {
        self.errors.first().and_then(|error| error["extensions"]["code"].as_str()).unwrap_or_default()
    }
}

impl Outcome {
    /// The payload of a mutation that was carried out.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Value {
        self.answer.ok();
        let refused = self.payload["userErrors"].as_array().is_none_or(|errors| !errors.is_empty());
        assert!(!refused, "{}", self.answer.text);
        &self.payload
    }

    /// Why it was refused: the codes of `userErrors`, else the code of the top-level error, joined by commas.
    /// Empty when it was carried out.
    pub(crate) fn code(&self) -> String {
        let user_errors = self.payload["userErrors"].as_array().cloned().unwrap_or_default();
        let codes = user_errors.iter().filter_map(|error| error["code"].as_str());
        let codes: Vec<&str> =
            codes.chain((!self.answer.code().is_empty()).then(|| self.answer.code())).collect();
        codes.join(",")
    }

    /// The refusals as `path: CODE`, with the path inside the input.
    pub(crate) fn problems(&self) -> Vec<String> {
        let text = |error: &Value| {
            let field = error["field"].as_array().cloned().unwrap_or_default();
            let field: Vec<&str> = field.iter().filter_map(Value::as_str).collect();
            format!("{}: {}", field.join("."), error["code"].as_str().unwrap_or_default())
        };
        self.payload["userErrors"]
            .as_array()
            .map(|errors| errors.iter().map(text).collect())
            .unwrap_or_default()
    }
}

/// Server-sent events.
pub(crate) struct Stream {
    pub(crate) response: reqwest::Response,
    buffer: String,
}

impl Stream {
    /// The body of the next event; none when the stream has ended. Gives up after ten seconds.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let data: String = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
                let ended = event.contains("event: complete");
                self.buffer = rest.to_owned();
                if ended {
                    return None;
                }
                if !data.trim().is_empty() {
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
                continue;
            }
            let wait = tokio::time::timeout(std::time::Duration::from_secs(10), self.response.chunk());
            let chunk = wait.await.expect("an event within ten seconds").expect("a stream")?;
            self.buffer += &String::from_utf8_lossy(&chunk);
        }
    }
}
