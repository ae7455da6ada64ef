//! An organisation with two teams, somebody of each role, and things that belong to one team or the other.
//! Every text of it carries marks, by which a leak is recognised.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_app::complaints::survey_token;
use evenhand_app::secrets::Sealer;
use evenhand_domain::api_clients::ApiScope;
use evenhand_domain::id::{EntityId, SurveyId};
use serde_json::{Value, json};

use crate::support::{Client, SECRET, TestApp};

/// A word in the texts of the world. Who finds it in an answer has seen something of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Anything at all of the organisation.
    Organization,
    /// A customer, deal or activity of the people in the north.
    North,
    /// The same of the people in the south.
    South,
    /// A deal, of any team.
    Deal,
    /// An activity, of any team.
    Activity,
    /// A complaint, of any team.
    Complaint,
    /// What only administrators see: imports and their rows.
    Administration,
}

impl Mark {
    pub(crate) const ALL: &'static [Mark] = &[
        Mark::Organization,
        Mark::North,
        Mark::South,
        Mark::Deal,
        Mark::Activity,
        Mark::Complaint,
        Mark::Administration,
    ];

    /// The word, in small letters.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Organization => "canary",
            Self::North => "northsecret",
            Self::South => "southsecret",
            Self::Deal => "dealsecret",
            Self::Activity => "activitysecret",
            Self::Complaint => "complaintsecret",
            Self::Administration => "adminsecret",
        }
    }
}

/// Somebody who asks.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    pub(crate) client: Client,
    blind_to: &'static [Mark],
}

impl Actor {
    /// Whether an answer to this actor may carry the mark.
    pub(crate) fn may_see(&self, mark: Mark) -> bool {
        !self.blind_to.contains(&mark)
    }
}

/// Ids are opaque ids of the API.
pub(crate) struct World {
    pub(crate) t: TestApp,
    pub(crate) actors: Vec<Actor>,
    pub(crate) north: String,
    pub(crate) rep: String,
    pub(crate) rep_email: String,
    other_lead: String,
    pub(crate) north_customer: String,
    pub(crate) south_customer: String,
    pub(crate) north_deal: String,
    pub(crate) south_deal: String,
    pub(crate) south_activity: String,
    pub(crate) south_complaint: String,
    pub(crate) agent: String,
    pub(crate) product: String,
    pub(crate) import: String,
}

/// The name of [`PROFILE`].
pub(crate) const PROFILE_NAME: &str = "canary adminsecret";
/// A profile that reads one file of teams.
pub(crate) const PROFILE: &str = "name = \"canary adminsecret\"\ncurrency = \"EUR\"\n[[sources]]\nkind = \"team\"\n\
    file = \"teams.csv\"\nkey = \"team:{team}\"\nfields = { name = \"{team}\" }\n";

/// The id of the object that a mutation made.
fn made(payload: &Value, object: &str) -> String {
    payload[object]["id"].as_str().expect("an id").to_owned()
}

/// The input of a complaint.
pub(crate) fn complaint(customer: &str, side: &str) -> Value {
    let text = format!("Canary complaintsecret {side}");
    json!({ "customerId": customer, "subject": text, "description": text, "channel": "PHONE", "noRemedyNamed": true })
}

impl World {
    pub(crate) async fn make(t: &TestApp) -> Self {
        use Mark::*;
        let north = t.team("Canary North", None).await;
        let south = t.team("Canary South", None).await;
        let rep = t.user_in("REP", "Canary Rosa", &north, "MEMBER").await;
        let other_rep = t.user_in("REP", "Canary Otto", &south, "MEMBER").await;
        let lead = t.user_in("MANAGER", "Canary Lea", &north, "LEAD").await;
        let other_lead = t.user_in("MANAGER", "Canary Mia", &south, "LEAD").await;
        let service = t.user("SERVICE_AGENT", "Canary Sam").await;
        let finance = t.user("FINANCE", "Canary Fay").await;
        let stranger = t.other_organization("Elsewhere").await;
        let all: Vec<&str> = ApiScope::ALL.iter().map(|scope| scope.as_str()).collect();
        let program = t.enter(&t.program("Canary Sync", "ADMIN", &all).await).await;
        let few = ["complaints:read", "complaints:write", "customers:read", "users:read", "changes:read"];
        let complaints = t.enter(&t.program("Canary Form", "SERVICE_AGENT", &few).await).await;
        let (rep_id, rep_email) = (rep.id.clone(), rep.email.clone());
        let (other_lead_id, agent) = (other_lead.id.clone(), service.id.clone());
        let (north_rep, south_rep) = (rep.client.clone(), other_rep.client.clone());
        let actor = |name, client, blind_to| Actor { name, client, blind_to };
        let actors = vec![
            actor("anonymous", t.anonymous(), Mark::ALL),
            actor("rep", rep.client, &[South, Administration]),
            actor("other rep", other_rep.client, &[North, Administration]),
            actor("manager", lead.client, &[South, Administration]),
            actor("other manager", other_lead.client, &[North, Administration]),
            actor("service agent", service.client, &[Deal, Administration]),
            actor("finance", finance.client, &[Activity, Complaint, Administration]),
            actor("admin", t.admin(), &[]),
            actor("foreign admin", stranger, Mark::ALL),
            actor("client", program, &[Administration]),
            actor("complaints client", complaints, &[Deal, Activity, Administration]),
        ];
        let mut world = Self {
            t: t.clone(),
            actors,
            north,
            rep: rep_id,
            rep_email,
            other_lead: other_lead_id,
            north_customer: String::new(),
            south_customer: String::new(),
            north_deal: String::new(),
            south_deal: String::new(),
            south_activity: String::new(),
            south_complaint: String::new(),
            agent,
            product: String::new(),
            import: String::new(),
        };
        world.fill(&north_rep, &south_rep).await;
        t.settle().await;
        world
    }

    async fn fill(&mut self, north: &Client, south: &Client) {
        self.product = self.new_product("Canary Product").await;
        self.north_customer = self.new_customer(north, "northsecret").await;
        self.south_customer = self.new_customer(south, "southsecret").await;
        self.north_deal = self.new_deal(north, &self.north_customer, "northsecret").await;
        self.south_deal = self.new_deal(south, &self.south_customer, "southsecret").await;
        for (client, deal) in [(north, &self.north_deal), (south, &self.south_deal)] {
            let input = json!({ "id": deal, "version": 1, "wonAt": "2026-01-14T09:00:00Z" });
            client.mutate("winDeal", input, "deal { id }").await.ok();
        }
        let note = |side: &str, customer: &str| json!({ "kind": "NOTE", "customerId": customer, "note": format!("Canary activitysecret {side}") });
        north.mutate("logActivity", note("northsecret", &self.north_customer), "activity { id }").await.ok();
        let logged =
            south.mutate("logActivity", note("southsecret", &self.south_customer), "activity { id }").await;
        self.south_activity = made(logged.ok(), "activity");
        self.new_complaint(north, &self.north_customer, "northsecret").await;
        self.south_complaint = self.new_complaint(south, &self.south_customer, "southsecret").await;
        let input = json!({ "profile": PROFILE, "files": [{ "name": "teams.csv", "content": "team\nCanary Imported\n" }] });
        let import = self.t.admin().mutate("startImport", input, "import { id }").await;
        self.import = made(import.ok(), "import");
        self.t.run_jobs().await;
    }

    async fn new_customer(&self, by: &Client, side: &str) -> String {
        let input = json!({
            "kind": "COMPANY", "name": format!("Canary customer {side}"), "source": format!("Canary {side}"),
        });
        made(by.mutate("createCustomer", input, "customer { id }").await.ok(), "customer")
    }

    async fn new_deal(&self, by: &Client, customer: &str, side: &str) -> String {
        let input = json!({
            "name": format!("Canary dealsecret {side}"), "customerId": customer, "productId": self.product,
            "value": { "amount": "1000.00", "currency": "EUR" }, "openedAt": "2026-01-10T09:00:00Z",
        });
        made(by.mutate("createDeal", input, "deal { id }").await.ok(), "deal")
    }

    async fn new_complaint(&self, by: &Client, customer: &str, side: &str) -> String {
        made(
            by.mutate("recordComplaint", complaint(customer, side), "complaint { id }").await.ok(),
            "complaint",
        )
    }

    fn client(&self, name: &str) -> &Client {
        &self.actors.iter().find(|actor| actor.name == name).expect("an actor").client
    }

    /// The administrator.
    pub(crate) fn admin(&self) -> Client {
        self.t.admin()
    }

    /// The rep in the north.
    pub(crate) fn northerner(&self) -> &Client {
        self.client("rep")
    }

    /// A new lead of the rep in the north.
    pub(crate) async fn fresh_customer(&self) -> String {
        self.new_customer(self.northerner(), "northsecret").await
    }

    /// A new open deal of the rep in the north.
    pub(crate) async fn fresh_deal(&self) -> String {
        self.new_deal(self.northerner(), &self.north_customer, "northsecret").await
    }

    /// A new won deal of the rep in the north.
    pub(crate) async fn fresh_won_deal(&self) -> String {
        let deal = self.fresh_deal().await;
        let input = json!({ "id": deal, "version": 1 });
        self.northerner().mutate("winDeal", input, "deal { id }").await.ok();
        deal
    }

    /// A new complaint of the customer in the north, after some steps with it; answers its id and version.
    pub(crate) async fn fresh_complaint(&self, steps: &[(&str, Value)]) -> Value {
        let id = self.new_complaint(self.northerner(), &self.north_customer, "northsecret").await;
        for (version, (step, more)) in (1..).zip(steps) {
            let mut input = json!({ "id": id, "version": version });
            input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            self.northerner().mutate(step, input, "complaint { id }").await.ok();
        }
        json!({ "id": id, "version": steps.len() + 1 })
    }

    /// The steps from a record to a closed complaint, with what they need.
    pub(crate) fn steps_to_the_end(&self) -> [(&'static str, Value); 6] {
        let severe = json!({ "severity": "HIGH", "impact": "LOW", "urgency": "LOW", "isSafetyRisk": false });
        [
            ("acknowledgeComplaint", json!({})),
            ("assessComplaint", severe),
            ("assignComplaint", json!({ "ownerId": self.rep })),
            ("offerResponse", json!({ "text": "Canary" })),
            ("acceptResponse", json!({})),
            ("closeComplaint", json!({ "rootCause": "CANARY" })),
        ]
    }

    /// The token of a survey that was sent, of a new complaint of the north.
    pub(crate) async fn survey(&self) -> String {
        let complaint = self.fresh_complaint(&self.steps_to_the_end()).await;
        let sql = self.t.sql().await;
        // A day passes for this survey only: nobody's token lasts that long. The world's complaints have no reporter.
        let reporter = "{\"name\":\"Rita\",\"addresses\":[{\"channel\":\"EMAIL\",\"address\":\"rita@customer.example\"}]}";
        sql.run(&format!("UPDATE complaints SET reporter = '{reporter}' WHERE state = 'CLOSED'")).await;
        sql.run("UPDATE surveys SET next_due_at = created_at WHERE state = 'SCHEDULED'").await;
        self.t.app.proceed_surveys().await.expect("queued");
        let query = "query($id: ID!) { node(id: $id) { ... on Complaint { surveys { id } } } }";
        let found = self.t.admin().gql(query, complaint).await.ok().clone();
        let opaque = found["node"]["surveys"][0]["id"].as_str().expect("an id").to_owned();
        let opaque = String::from_utf8(URL_SAFE_NO_PAD.decode(opaque).expect("base64")).expect("text");
        let id =
            opaque.rsplit(':').next().and_then(|id| id.parse().ok()).map(SurveyId::from_uuid).expect("an id");
        survey_token(&Sealer::new(SECRET).expect("a sealer"), self.t.organization, id).expect("a token")
    }

    /// A new product; names are unique, so `name` gets a number.
    pub(crate) async fn new_product(&self, name: &str) -> String {
        let input = json!({ "name": format!("{name} {}", self.unique().await) });
        made(self.t.admin().mutate("createProduct", input, "product { id }").await.ok(), "product")
    }

    /// The input of a calendar that opens on Mondays.
    pub(crate) fn calendar(name: &str) -> Value {
        let weekly = json!([{ "weekday": "MONDAY", "fromMinute": 540, "toMinute": 1020 }]);
        json!({ "name": name, "timeZone": "UTC", "weekly": weekly })
    }

    /// A new work calendar.
    pub(crate) async fn new_calendar(&self) -> String {
        let input = Self::calendar(&format!("Canary hours {}", self.unique().await));
        made(
            self.t.admin().mutate("createWorkCalendar", input, "workCalendar { id }").await.ok(),
            "workCalendar",
        )
    }

    /// New leave of the rep in the north, of one day in a month of its own.
    pub(crate) async fn new_leave(&self) -> String {
        let version = self.t.version(&self.rep).await;
        let day = format!("{}-01-01", 2101 + version % 90);
        let input = json!({ "userId": self.rep, "version": version, "from": day, "to": day });
        let recorded = self.t.admin().mutate("recordLeave", input, "user { leaves { id from } }").await;
        let leaves = recorded.ok()["user"]["leaves"].as_array().expect("leaves").clone();
        let new = leaves.iter().find(|leave| leave["from"] == day).expect("the new one");
        new["id"].as_str().expect("an id").to_owned()
    }

    /// A new API client.
    pub(crate) async fn new_program(&self) -> String {
        let name = format!("Canary program {}", self.unique().await);
        self.t.program(&name, "ADMIN", &["customers:read"]).await.id
    }

    /// A person who was invited but has not accepted, with the token of the invitation.
    pub(crate) async fn invited(&self) -> (String, String) {
        let input = json!({
            "name": "Canary Invited", "role": "REP", "email": format!("canary{}@people.example", self.unique().await),
        });
        let invited = self.t.admin().mutate("inviteUser", input, "user { id } invitationLink").await;
        (made(invited.ok(), "user"), crate::support::people::invitation_token(invited.ok()))
    }

    /// Number of closes so far.
    pub(crate) async fn closes(&self) -> i64 {
        self.t.sql().await.number("SELECT COUNT(*) FROM day_closes").await
    }

    /// A number that no earlier call answered, as long as each use of it makes something.
    pub(crate) async fn unique(&self) -> i64 {
        self.t.sql().await.number("SELECT COUNT(*) FROM events").await
    }

    /// What the owner of a target is asked; nothing is on record, so rates are stated and somebody answers for it.
    pub(crate) fn terms(&self) -> Value {
        let rates =
            json!({ "dealsPerProspect": "0.2", "prospectsPerCall": "0.1", "callsPerUsableLead": "3" });
        let answers = json!({ "reason": "Canary northsecret", "approverId": self.other_lead });
        json!({ "goal": { "deals": 4 }, "quality": "0.6", "assumedRates": rates, "override": answers })
    }

    /// The input of a target in a month that has none yet.
    pub(crate) async fn proposal(&self, owner: &str) -> Value {
        let months = self.t.sql().await.number("SELECT COUNT(*) FROM targets").await + 2;
        let start = format!("{}-{:02}-01", 2026 + months / 12, months % 12 + 1);
        let mut input = self.terms();
        input["ownerId"] = json!(owner);
        input["period"] = json!({ "kind": "MONTH", "start": start });
        input
    }

    /// A new target of the rep in the north, for which the department of the south owes something.
    pub(crate) async fn fresh_target(&self) -> String {
        let mut input = self.proposal(&self.rep).await;
        let due = input["period"]["start"].clone();
        let owed = json!({ "kind": "PRODUCT", "quantity": 2, "dueBy": due, "department": "Canary South" });
        input["support"] = json!({ "resources": [owed] });
        made(self.client("manager").mutate("proposeTarget", input, "target { id }").await.ok(), "target")
    }

    /// A new target of the team in the north.
    pub(crate) async fn fresh_team_target(&self) -> String {
        let input = self.proposal(&self.north).await;
        made(self.t.admin().mutate("proposeTarget", input, "target { id }").await.ok(), "target")
    }

    /// Id, version and what is to be signed and owed.
    pub(crate) async fn target(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Target { id version onTheTable { hash } \
                     supportPlan { resources { id } } } } }";
        self.client("manager").gql(query, json!({ "id": id })).await.ok()["node"].clone()
    }

    /// A new target that all have signed.
    pub(crate) async fn agreed_target(&self) -> String {
        let id = self.fresh_target().await;
        for name in ["rep", "manager", "other manager"] {
            let target = self.target(&id).await;
            let input =
                json!({ "id": id, "version": target["version"], "hash": target["onTheTable"]["hash"] });
            self.client(name).mutate("agreeTarget", input, "target { id }").await.ok();
        }
        id
    }

    /// What a department says of what it owes for a target.
    pub(crate) async fn owed(&self, id: &str) -> Value {
        let target = self.target(id).await;
        let resource = &target["supportPlan"]["resources"][0]["id"];
        json!({ "id": id, "version": target["version"], "resourceId": resource })
    }

    /// A new target for which the department has signed, too.
    pub(crate) async fn committed_target(&self) -> String {
        let id = self.agreed_target().await;
        let owed = self.owed(&id).await;
        self.client("other manager").mutate("commitSupport", owed, "target { id }").await.ok();
        id
    }
}
