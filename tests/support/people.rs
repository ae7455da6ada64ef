//! People and teams, made through the public API.

use std::ops::Deref;

use serde_json::{Value, json};

use super::{Client, PASSWORD, TestApp};

/// Somebody with an account, signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: Client,
    /// Opaque id of the user.
    pub(crate) id: String,
    pub(crate) email: String,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// The token in an invitation link.
pub(crate) fn invitation_token(payload: &Value) -> String {
    let link = payload["invitationLink"].as_str().expect("a link");
    link.split_once("#token=").expect("a token").1.to_owned()
}

impl TestApp {
    /// A new person of the role, e.g. `REP`, in no team.
    pub(crate) async fn user(&self, role: &str, name: &str) -> Person {
        self.person(&self.admin(), json!({ "role": role, "name": name })).await
    }

    /// A new person of the role in a team; `team_role` is `MEMBER` or `LEAD`.
    pub(crate) async fn user_in(&self, role: &str, name: &str, team: &str, team_role: &str) -> Person {
        let input = json!({ "role": role, "name": name, "teamId": team, "teamRole": team_role });
        self.person(&self.admin(), input).await
    }

    /// Invites and accepts; `invite` lacks only the e-mail address, which is made from the name.
    pub(crate) async fn person(&self, admin: &Client, mut invite: Value) -> Person {
        let name = invite["name"].as_str().expect("a name").to_lowercase().replace(' ', ".");
        let email = format!("{name}@people.example");
        invite["email"] = json!(email);
        let invited = admin.mutate("inviteUser", invite, "user { id } invitationLink").await;
        let payload = invited.ok();
        let id = payload["user"]["id"].as_str().expect("an id").to_owned();
        let input = json!({ "token": invitation_token(payload), "password": PASSWORD });
        let accepted = self.anonymous().mutate("acceptInvitation", input, "accessToken refreshToken").await;
        let client = self.anonymous().signed_in(accepted.ok()).expect("tokens");
        Person { client, id, email }
    }

    /// A new team; answers its opaque id.
    pub(crate) async fn team(&self, name: &str, parent: Option<&str>) -> String {
        let input = json!({ "name": name, "parentId": parent });
        let created = self.admin().mutate("createTeam", input, "team { id }").await;
        created.ok()["team"]["id"].as_str().expect("an id").to_owned()
    }

    /// The present version of an object, by its opaque id.
    pub(crate) async fn version(&self, id: &str) -> i64 {
        let query = "query($id: ID!) { node(id: $id) { ... on User { version } ... on Team { version } \
                     ... on Customer { version } ... on Deal { version } ... on Product { version } \
                     ... on Target { version } ... on Complaint { version } } }";
        let answer = self.admin().gql(query, json!({ "id": id })).await;
        answer.ok()["node"]["version"].as_i64().expect("a version")
    }
}
