//! At least one document for each root field. Mutations get a fresh object of the rep in the north each time,
//! so that one caller's success does not change what the next one gets. A mutation that would work anywhere
//! carries no mark, since it may answer what its caller sent.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::world::{PROFILE, PROFILE_NAME, World};
use super::{complaints, nothing};
use crate::support::PASSWORD;

/// How a sample is sent.
pub(crate) enum Ask {
    /// The document.
    Query(&'static str),
    /// The fields of the payload that are selected beside `userErrors`.
    Mutation(&'static str),
    /// The document, of which the first event is awaited.
    Subscription(&'static str),
}

/// Makes the variables, or the input of a mutation.
type Input = for<'a> fn(&'a World) -> BoxFuture<'a, Value>;

/// A sample of a root field.
pub(crate) struct Sample {
    /// `Query.customers`; a word in brackets behind it tells several samples of one field apart.
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) input: Input,
}

impl Sample {
    /// The root field, such as `Query.customers`.
    pub(crate) fn field(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or_default()
    }
}

pub(super) fn query(name: &'static str, document: &'static str, input: Input) -> Sample {
    Sample { name, ask: Ask::Query(document), input }
}

pub(super) fn mutation(name: &'static str, fields: &'static str, input: Input) -> Sample {
    Sample { name, ask: Ask::Mutation(fields), input }
}

pub(super) fn subscription(name: &'static str, document: &'static str, input: Input) -> Sample {
    Sample { name, ask: Ask::Subscription(document), input }
}

pub(super) fn none(_: &World) -> BoxFuture<'_, Value> {
    async { nothing() }.boxed()
}

/// All samples, in the order in which they run: those that end a session come last.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = queries();
    samples.extend(narrow_queries());
    samples.extend(subscriptions());
    samples.extend(people());
    samples.extend(sales());
    samples.extend(targets());
    samples.extend(complaints::samples());
    samples.extend(sessions());
    samples
}

fn queries() -> Vec<Sample> {
    vec![
        query(
            "Query.viewer",
            "{ viewer { role scopes user { id name email team { name } memberships { team { name } } } } }",
            none,
        ),
        query(
            "Query.organization",
            "{ organization { id name currency timeZone createdAt targetBands { base { min } } } }",
            none,
        ),
        query(
            "Query.organization (revenue)",
            "{ organization { wonRevenue(period: { kind: MONTH, start: \"2026-01-01\" }) { amount } } }",
            none,
        ),
        query(
            "Query.users",
            "{ users(first: 100) { totalCount nodes { id name email role status hiredOn team { name } memberships { team { name } } } } }",
            none,
        ),
        query(
            "Query.users (revenue)",
            "{ users(first: 100) { totalCount nodes { wonRevenue(period: { kind: MONTH, start: \"2026-01-01\" }) { amount } } } }",
            none,
        ),
        query(
            "Query.teams",
            "{ teams(first: 100) { totalCount nodes { id name parent { name } children { name } members { totalCount nodes { name } } } } }",
            none,
        ),
        query(
            "Query.users (workdays)",
            "{ users(first: 100) { totalCount nodes { calendar { name } leaves { from to } workdays(period: { kind: MONTH, start: \"2026-01-01\" }) } } }",
            none,
        ),
        query(
            "Query.workCalendars",
            "{ workCalendars(first: 100) { totalCount nodes { id name isDefault timeZone weekly { weekday } exceptions { date } } } }",
            none,
        ),
        query(
            "Query.products",
            "{ products(first: 100) { totalCount nodes { id name code series listPrice { amount } } } }",
            none,
        ),
        query(
            "Query.customers",
            "{ customers(first: 100) { totalCount nodes { id name number source sector owner { name } collectedBy { name } \
             stageHistory { reason evidenceDocument recordedBy { name } } } } }",
            none,
        ),
        query(
            "Query.customers (deals)",
            "{ customers(first: 100) { totalCount nodes { deals { totalCount nodes { name number } } } } }",
            none,
        ),
        query(
            "Query.customers (activities)",
            "{ customers(first: 100) { totalCount nodes { activities { totalCount nodes { note } } } } }",
            none,
        ),
        query(
            "Query.customers (history)",
            "{ customers(first: 100) { totalCount nodes { history(first: 20) { nodes { type before after actor { name } } } } } }",
            none,
        ),
        query(
            "Query.deals",
            "{ deals(first: 100) { totalCount nodes { id name number owner { name } customer { name source } \
             product { name } value { amount } credits { amount { amount } user { name } } } } }",
            none,
        ),
        query(
            "Query.activities",
            "{ activities(first: 100) { totalCount nodes { id note user { name } recordedBy { name } } } }",
            none,
        ),
        query(
            "Query.activities (linked)",
            "{ activities(first: 100) { totalCount nodes { customer { name } deal { name } } } }",
            none,
        ),
        query(
            "Query.reconciliation",
            "{ reconciliation(period: { kind: MONTH, start: \"2026-01-01\" }) { balanced currencies { companyTotal { amount } \
             persons { user { name } amount { amount } } teams { team { name } amount { amount } } } } }",
            none,
        ),
        query(
            "Query.apiClients",
            "{ apiClients(first: 100) { totalCount nodes { id name clientId role scopes revokedAt lastUsedAt } } }",
            none,
        ),
        query(
            "Query.changes",
            "{ changes(first: 100) { nodes { subjectType type subjectId before after actor { name email } client { name } } } }",
            none,
        ),
        query(
            "Query.outbox",
            "{ outbox(first: 100) { totalCount nodes { purpose subject address user { name } } } }",
            none,
        ),
        query(
            "Query.auditEntries",
            "{ auditEntries(first: 100) { totalCount nodes { requestId hash change { type before after actor { name } } } } }",
            none,
        ),
    ]
}

/// What is asked for by name: things of the south, which the north must not even notice.
fn narrow_queries() -> Vec<Sample> {
    const NODE: &str = "query($id: ID!) { node(id: $id) { id ... on Customer { name deals { nodes { name } } } \
        ... on Deal { dealName: name customer { name } credits { amount { amount } } } ... on Activity { note } \
        ... on Import { profile rows { nodes { reason } } } ... on User { name email } } }";
    vec![
        query(
            "Query.dailyFacts (of a rep in the north)",
            "query($id: ID!) { dailyFacts(userId: $id, from: \"2026-01-13\", to: \"2026-01-15\") { date user { name } \
             calls revenue { amount } flags { message } } }",
            |w| async { json!({ "id": w.rep }) }.boxed(),
        ),
        query("Query.node (user)", NODE, |w| async { json!({ "id": w.rep }) }.boxed()),
        query("Query.node (deal in the south)", NODE, |w| async { json!({ "id": w.south_deal }) }.boxed()),
        query("Query.node (activity in the south)", NODE, |w| {
            async { json!({ "id": w.south_activity }) }.boxed()
        }),
        query("Query.node (import)", NODE, |w| async { json!({ "id": w.import }) }.boxed()),
        query(
            "Query.node (customer in the south)",
            "query($id: ID!) { node(id: $id) { id ... on Customer { name source owner { name } stageHistory { reason } } } }",
            |w| async { json!({ "id": w.south_customer }) }.boxed(),
        ),
        query(
            "Query.nodes",
            "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Customer { name } ... on Deal { dealName: name } ... on Product { name } } }",
            |w| {
                async { json!({ "ids": [w.north_customer, w.south_customer, w.north_deal, w.south_deal, w.product] }) }.boxed()
            },
        ),
        query(
            "Query.customers (south by name)",
            "{ customers(filter: { name: { contains: \"southsecret\" } }) { totalCount } }",
            none,
        ),
        query(
            "Query.customers (not the north)",
            "query($id: ID!) { customers(filter: { not: { id: { eq: $id } } }, orderBy: { field: NAME, direction: DESC }) { totalCount nodes { name } } }",
            |w| async { json!({ "id": w.north_customer }) }.boxed(),
        ),
        query(
            "Query.deals (of a customer in the south)",
            "query($id: ID!) { deals(filter: { customer: { eq: $id } }) { totalCount nodes { name } } }",
            |w| async { json!({ "id": w.south_customer }) }.boxed(),
        ),
        query(
            "Query.deals (of a rep in the north)",
            "query($id: ID!) { deals(filter: { owner: { eq: $id } }) { totalCount nodes { name } } }",
            |w| async { json!({ "id": w.rep }) }.boxed(),
        ),
        query(
            "Query.activities (of a customer in the south)",
            "query($id: ID!) { activities(filter: { customer: { eq: $id } }) { totalCount nodes { note } } }",
            |w| async { json!({ "id": w.south_customer }) }.boxed(),
        ),
        query(
            "Query.users (of a team)",
            "query($id: ID!) { users(filter: { teamId: $id }) { totalCount nodes { name } } }",
            |w| async { json!({ "id": w.north }) }.boxed(),
        ),
        query(
            "Query.auditEntries (of a deal)",
            "query($id: ID!) { auditEntries(filter: { subjectId: $id }) { totalCount nodes { change { after } } } }",
            |w| async { json!({ "id": w.south_deal }) }.boxed(),
        ),
    ]
}

fn subscriptions() -> Vec<Sample> {
    vec![
        // From the beginning of the feed: what comes first is the organisation itself.
        subscription(
            "Subscription.changes",
            "subscription { changes(after: \"ZmVlZDow\") { type before after actor { name } } }",
            none,
        ),
        subscription(
            "Subscription.changes (deals)",
            "subscription { changes(after: \"ZmVlZDow\", types: [\"deal.created\"]) { type after } }",
            none,
        ),
        subscription(
            "Subscription.importProgress",
            "subscription($id: ID!) { importProgress(id: $id) { state profile counts { created } } }",
            |w| async { json!({ "id": w.import }) }.boxed(),
        ),
    ]
}

fn people() -> Vec<Sample> {
    vec![
        // To whom another organisation belongs, this is another version.
        mutation("Mutation.updateOrganization", "organization { id name }", |w| {
            async {
                let found = w.t.admin().query("{ organization { version } }").await;
                let bands = json!({ "sprint": { "min": "0.2", "max": "0.6" } });
                json!({ "version": found["organization"]["version"], "targetBands": bands })
            }
            .boxed()
        }),
        mutation("Mutation.createTeam", "team { id name }", |w| {
            async { json!({ "name": format!("Canary team {}", w.unique().await), "parentId": w.north }) }
                .boxed()
        }),
        mutation("Mutation.inviteUser", "user { id name } invitationLink", |w| {
            async {
                let email = format!("canary{}@people.example", w.unique().await);
                json!({ "name": "Canary New", "role": "REP", "email": email, "teamId": w.north })
            }
            .boxed()
        }),
        mutation("Mutation.inviteUser (known)", "user { id name } invitationLink", |w| {
            async {
                let (id, _) = w.invited().await;
                json!({ "userId": id, "email": format!("canary{}@people.example", w.unique().await) })
            }
            .boxed()
        }),
        mutation("Mutation.updateUser", "user { id name }", |w| {
            async { json!({ "id": w.rep, "version": w.t.version(&w.rep).await, "name": "Canary Rosa" }) }
                .boxed()
        }),
        mutation("Mutation.moveMember", "user { id team { name } }", |w| {
            async { json!({ "userId": w.invited().await.0, "version": 1, "teamId": w.north }) }.boxed()
        }),
        mutation("Mutation.createWorkCalendar", "workCalendar { id name }", |w| {
            async { World::calendar(&format!("New hours {}", w.unique().await)) }.boxed()
        }),
        mutation("Mutation.updateWorkCalendar", "workCalendar { id name }", |w| {
            async { json!({ "id": w.new_calendar().await, "version": 1, "isDefault": true }) }.boxed()
        }),
        mutation("Mutation.recordLeave", "user { id name }", |w| {
            async {
                let version = w.t.version(&w.rep).await;
                let day = format!("2100-{:02}-01", version % 12 + 1);
                json!({ "userId": w.rep, "version": version, "from": day, "to": day })
            }
            .boxed()
        }),
        mutation("Mutation.cancelLeave", "user { id name }", |w| {
            async {
                let leave = w.new_leave().await;
                json!({ "userId": w.rep, "version": w.t.version(&w.rep).await, "leaveId": leave })
            }
            .boxed()
        }),
        // Each close needs days of its own.
        mutation("Mutation.closeDays", "closedThrough", |w| {
            async { json!({ "through": format!("2025-{:02}-01", w.closes().await + 1) }) }.boxed()
        }),
        mutation("Mutation.createApiClient", "apiClient { id name } clientSecret", |w| {
            async {
                let name = format!("New program {}", w.unique().await);
                json!({ "name": name, "role": "FINANCE", "scopes": ["deals:read"] })
            }
            .boxed()
        }),
        mutation("Mutation.updateApiClient", "apiClient { id name }", |w| {
            async { json!({ "id": w.new_program().await, "version": 1, "scopes": ["deals:read"] }) }.boxed()
        }),
        mutation("Mutation.rotateApiClientSecret", "apiClient { id name } clientSecret", |w| {
            async { json!({ "id": w.new_program().await, "version": 1 }) }.boxed()
        }),
        mutation("Mutation.revokeApiClient", "apiClient { id name }", |w| {
            async { json!({ "id": w.new_program().await, "version": 1 }) }.boxed()
        }),
        mutation("Mutation.startImport", "import { id profile }", |_| {
            async {
                let files = json!([{ "name": "teams.csv", "content": "team\nDry\n" }]);
                json!({ "profile": PROFILE.replace(PROFILE_NAME, "own"), "files": files, "dryRun": true })
            }
            .boxed()
        }),
    ]
}

fn sales() -> Vec<Sample> {
    vec![
        mutation("Mutation.createProduct", "product { id name }", |w| {
            async { json!({ "name": format!("New product {}", w.unique().await) }) }.boxed()
        }),
        mutation("Mutation.updateProduct", "product { id name }", |w| {
            async {
                json!({ "id": w.new_product("Canary other product").await, "version": 1, "series": "Canary" })
            }
            .boxed()
        }),
        mutation("Mutation.createCustomer", "customer { id name }", |_| {
            async { json!({ "kind": "COMPANY", "name": "Of the caller" }) }.boxed()
        }),
        mutation("Mutation.createCustomer (for another)", "customer { id name }", |w| {
            async { json!({ "kind": "COMPANY", "name": "Canary northsecret", "ownerId": w.rep }) }.boxed()
        }),
        mutation("Mutation.updateCustomer", "customer { id name }", |w| {
            async { json!({ "id": w.fresh_customer().await, "version": 1, "sector": "Canary northsecret" }) }
                .boxed()
        }),
        mutation("Mutation.advanceCustomer", "customer { id name stage }", |w| {
            async { json!({ "id": w.fresh_customer().await, "version": 1, "stage": "QUALIFIED" }) }.boxed()
        }),
        mutation("Mutation.assignCustomer", "customer { id name owner { name } }", |w| {
            async { json!({ "id": w.fresh_customer().await, "version": 1, "ownerId": null }) }.boxed()
        }),
        mutation("Mutation.logActivity", "activity { id note customer { name } }", |w| {
            async { json!({ "kind": "NOTE", "note": "Canary activitysecret northsecret", "customerId": w.north_customer }) }.boxed()
        }),
        mutation("Mutation.logActivity (for another)", "activity { id note }", |w| {
            async { json!({ "kind": "NOTE", "note": "Canary activitysecret northsecret", "userId": w.rep }) }
                .boxed()
        }),
        mutation("Mutation.createDeal", "deal { id name customer { name } }", |w| {
            async { json!({ "name": "Canary dealsecret northsecret", "customerId": w.north_customer }) }
                .boxed()
        }),
        mutation("Mutation.createDeal (for another)", "deal { id name }", |w| {
            async { json!({ "name": "Canary dealsecret northsecret", "ownerId": w.rep }) }.boxed()
        }),
        mutation("Mutation.updateDeal", "deal { id name }", |w| {
            async { json!({ "id": w.fresh_deal().await, "version": 1, "stage": "NEGOTIATING" }) }.boxed()
        }),
        mutation("Mutation.winDeal", "deal { id name credits { amount { amount } } }", |w| {
            async { json!({ "id": w.fresh_deal().await, "version": 1 }) }.boxed()
        }),
        mutation("Mutation.loseDeal", "deal { id name closeReason }", |w| {
            async { json!({ "id": w.fresh_deal().await, "version": 1, "reason": "Canary northsecret" }) }
                .boxed()
        }),
        mutation("Mutation.cancelDeal", "deal { id name }", |w| {
            async { json!({ "id": w.fresh_won_deal().await, "version": 2, "reason": "Canary northsecret" }) }
                .boxed()
        }),
    ]
}

fn targets() -> Vec<Sample> {
    const FIELDS: &str = "target { id state lines { metric quantity } }";
    vec![
        query("Query.targets", "{ targets { totalCount } }", none),
        query(
            "Query.attainment",
            "query($owner: ID!) { attainment(ownerId: $owner, period: { kind: MONTH, start: \"2026-01-01\" }) { \
             owner { ... on User { name } } lines { metric actual { number money { amount } } } } }",
            |w| async { json!({ "owner": w.rep }) }.boxed(),
        ),
        query(
            "Query.attainment (of a team)",
            "query($owner: ID!) { attainment(ownerId: $owner, period: { kind: MONTH, start: \"2026-01-01\" }) { \
             owner { ... on Team { name } } lines { metric actual { number money { amount } } } } }",
            |w| async { json!({ "owner": w.north }) }.boxed(),
        ),
        query(
            "Query.leaderboard",
            "query($team: ID!) { leaderboard(teamId: $team, metric: DEALS_WON, period: { kind: MONTH, start: \
             \"2026-01-01\" }) { rank user { name } actual { number } } }",
            |w| async { json!({ "team": w.north }) }.boxed(),
        ),
        subscription(
            "Subscription.attainmentChanged",
            "subscription($owner: ID!) { attainmentChanged(ownerId: $owner, period: { kind: MONTH, start: \
             \"2026-01-01\" }) { owner { ... on User { name } } lines { metric actual { number } } } }",
            |w| async { json!({ "owner": w.rep }) }.boxed(),
        ),
        // Nothing counts there, which those are told who may close.
        mutation("Mutation.closePeriod", "targets { id }", |_| {
            async { json!({ "period": { "kind": "MONTH", "start": "2025-01-01" } }) }.boxed()
        }),
        mutation("Mutation.proposeTarget", FIELDS, |w| w.proposal(&w.rep).boxed()),
        mutation("Mutation.counterTarget", FIELDS, |w| {
            async {
                let mut input = w.terms();
                input["id"] = json!(w.fresh_target().await);
                input["version"] = json!(1);
                input
            }
            .boxed()
        }),
        mutation("Mutation.agreeTarget", FIELDS, |w| {
            async {
                let target = w.target(&w.fresh_target().await).await;
                json!({ "id": target["id"], "version": target["version"], "hash": target["onTheTable"]["hash"] })
            }
            .boxed()
        }),
        mutation("Mutation.withdrawTarget", FIELDS, |w| {
            async { json!({ "id": w.fresh_target().await, "version": 1, "reason": "Canary" }) }.boxed()
        }),
        mutation("Mutation.cascadeTarget", "target { id } children { id }", |w| {
            async {
                let id = w.fresh_team_target().await;
                json!({ "id": id, "version": 1, "override": w.terms()["override"] })
            }
            .boxed()
        }),
        mutation("Mutation.commitSupport", FIELDS, |w| {
            async { w.owed(&w.agreed_target().await).await }.boxed()
        }),
        mutation("Mutation.deliverSupport", FIELDS, |w| {
            async { w.owed(&w.committed_target().await).await }.boxed()
        }),
        // Its period has not begun, which those are told who may bring it into force.
        mutation("Mutation.activateTarget", FIELDS, |w| {
            async {
                let target = w.target(&w.committed_target().await).await;
                json!({ "id": target["id"], "version": target["version"] })
            }
            .boxed()
        }),
        mutation("Mutation.amendTarget", FIELDS, |w| {
            async {
                let mut input = w.terms();
                input["id"] = json!(w.fresh_target().await);
                input["version"] = json!(1);
                input["effectiveFrom"] = json!("2027-01-01");
                input
            }
            .boxed()
        }),
    ]
}

fn sessions() -> Vec<Sample> {
    vec![
        // These sign somebody in whoever asks, so they do not show whom.
        mutation("Mutation.signIn", "expiresIn", |w| {
            async { json!({ "email": w.rep_email, "password": PASSWORD }) }.boxed()
        }),
        mutation("Mutation.refreshSession", "expiresIn", |w| {
            async { json!({ "refreshToken": w.t.sign_in(&w.rep_email, PASSWORD).await.refresh_token }) }
                .boxed()
        }),
        mutation("Mutation.acceptInvitation", "expiresIn", |w| {
            async { json!({ "token": w.invited().await.1, "password": PASSWORD }) }.boxed()
        }),
        mutation("Mutation.changePassword", "user { id }", |_| {
            async { json!({ "currentPassword": PASSWORD, "newPassword": "nine loud storks" }) }.boxed()
        }),
        mutation("Mutation.signOut", "signedOut", none),
    ]
}
