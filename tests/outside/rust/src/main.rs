//! A client that `graphql_client` generates from the schema: sign-in, two pages, a mutation that is refused, and a
//! subscription through `graphql-ws-client`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use graphql_client::{GraphQLQuery, Response};
use graphql_ws_client::Client;
use graphql_ws_client::graphql::StreamingOperation;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// How long the server may take to begin a subscription.
const BEGIN: Duration = Duration::from_millis(500);
/// How long an event may take to come.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Generates the types of operations, in a module for each.
macro_rules! operations {
    ($($name:ident),+) => {$(
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../../../schema.graphql",
            query_path = "src/operations.graphql",
            response_derives = "Debug"
        )]
        struct $name;
    )+};
}

operations!(SignIn, Page, CreateTeam, Watch);

/// The API over HTTP.
struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    /// The data of an answer without errors.
    async fn ask<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Outcome<Q::ResponseData> {
        let mut request = self.http.post(format!("{}/graphql", self.base)).json(&Q::build_query(variables));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        data(request.send().await?.error_for_status()?.json().await?)
    }

    async fn sign_in(&mut self) -> Outcome<()> {
        let input = sign_in::SignInInput {
            email: setting("EMAIL")?,
            password: setting("PASSWORD")?,
            organization: None,
        };
        let payload = self.ask::<SignIn>(sign_in::Variables { input }).await?.sign_in;
        self.token = payload.access_token.ok_or_else(|| format!("no token: {:?}", payload.user_errors))?;
        Ok(())
    }

    async fn two_pages(&self) -> Outcome<()> {
        let first = self.ask::<Page>(page::Variables { after: None }).await?.customers;
        let after = first.page_info.end_cursor;
        ensure(
            after.is_some() && first.page_info.has_next_page,
            "the first page says that a second follows",
        )?;
        let second = self.ask::<Page>(page::Variables { after }).await?.customers;
        let ids = |nodes: Vec<page::PageCustomersNodes>| nodes.into_iter().map(|node| node.id);
        let mut all: Vec<String> = ids(first.nodes).chain(ids(second.nodes)).collect();
        all.sort();
        all.dedup();
        ensure(all.len() == 4, &format!("two pages hold four customers: {all:?}"))
    }

    async fn create_team(&self, name: &str) -> Outcome<create_team::CreateTeamCreateTeam> {
        let input = create_team::CreateTeamInput { name: name.into(), parent_id: None };
        Ok(self.ask::<CreateTeam>(create_team::Variables { input }).await?.create_team)
    }

    async fn refused_mutation(&self) -> Outcome<()> {
        let payload = self.create_team("").await?;
        let field = payload.user_errors.first().and_then(|error| error.field.as_deref());
        let at_name = field.is_some_and(|path| path == ["input", "name"]);
        ensure(payload.team.is_none() && at_name, &format!("the name is refused: {payload:?}"))
    }

    async fn subscription(&self) -> Outcome<()> {
        let url = format!("{}/graphql/ws", self.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        let authorization = json!({ "authorization": format!("Bearer {}", self.token) });
        let mut events = Client::build(socket)
            .payload(authorization)?
            .subscribe(StreamingOperation::<Watch>::new(watch::Variables))
            .await?;
        // The socket is read only while somebody waits for an event, so both go on side by side.
        let cause = async {
            tokio::time::sleep(BEGIN).await;
            let payload = self.create_team(&format!("Outside Rust {}", std::process::id())).await?;
            payload
                .team
                .map(|team| team.id)
                .ok_or_else(|| format!("no team: {:?}", payload.user_errors).into())
        };
        let event = async {
            let event = tokio::time::timeout(BEGIN + EVENT_TIMEOUT, events.next()).await;
            data(event.map_err(|_| "no event came")?.ok_or("the subscription ended")??)
        };
        let (team, event): (Outcome<String>, Outcome<watch::ResponseData>) = tokio::join!(cause, event);
        let (team, change) = (team?, event?.changes);
        let right = change.type_ == "team.created" && change.subject_id == team;
        ensure(right, &format!("the event tells of team {team}: {change:?}"))
    }
}

/// What an answer holds, unless it holds errors.
fn data<T>(answer: Response<T>) -> Outcome<T> {
    match answer {
        Response { data: Some(data), errors: None, .. } => Ok(data),
        Response { errors, .. } => Err(format!("errors: {errors:?}").into()),
    }
}

fn ensure(holds: bool, what: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}

/// What `tests/outside/run` tells.
fn setting(name: &str) -> Outcome<String> {
    #[expect(clippy::disallowed_methods, reason = "how tests/outside/run tells where the server is")]
    std::env::var(format!("OUTSIDE_{name}")).map_err(|_| format!("OUTSIDE_{name} is not set").into())
}

async fn story() -> Outcome<()> {
    let mut api = Api { http: reqwest::Client::new(), base: setting("URL")?, token: String::new() };
    api.sign_in().await.map_err(|error| format!("sign-in: {error}"))?;
    api.two_pages().await.map_err(|error| format!("two pages: {error}"))?;
    api.refused_mutation().await.map_err(|error| format!("a mutation that is refused: {error}"))?;
    api.subscription().await.map_err(|error| format!("a subscription: {error}"))?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match story().await {
        Ok(()) => {
            println!("graphql_client: sign-in, two pages, a refused mutation, a subscription");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAILED  graphql_client: {error}");
            ExitCode::FAILURE
        }
    }
}
