//! The OAuth endpoints: tokens for API clients, their revocation, rotation of secrets, and every refusal by its name.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Duration;
use serde_json::{Value, json};
use std::time::Instant;

use crate::support::client::Stream;
use crate::support::programs::{Granted, Program};
use crate::support::{ADMIN_EMAIL, Client, PASSWORD, TestApp, both};

both!(
    a_secret_gives_a_token_by_both_methods,
    bad_requests_are_refused_by_name,
    scopes_can_be_asked_for_in_part_only,
    a_revoked_token_stops_working_at_once,
    tokens_expire,
    a_new_secret_works_beside_the_old_one_for_a_time,
    a_revoked_client_is_out_at_once,
    guessing_is_throttled_and_keeps_nobody_out,
    metadata_says_where_and_how,
    no_secret_and_no_token_is_kept,
);

const GRANT: &str = "grant_type=client_credentials";

fn in_form(program: &Program) -> String {
    format!("client_id={}&client_secret={}", program.client_id, program.secret)
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

async fn ask(client: &Client, program: &Program, more: &str) -> Granted {
    client.form("/oauth/token", &format!("{GRANT}&{}{more}", in_form(program)), &[]).await
}

async fn revoke(client: &Client, program: &Program, token: &str) -> Granted {
    client.form("/oauth/revoke", &format!("token={token}&{}", in_form(program)), &[]).await
}

/// Empty where the token works, else the code that tells otherwise.
async fn refusal(client: &Client) -> String {
    client.gql("{ viewer { role } }", json!({})).await.code().to_owned()
}

/// An open stream ends within seconds.
async fn ends(mut stream: Stream) {
    let begun = Instant::now();
    while stream.next().await.is_some() {}
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

/// Whether the connections of this client stay open.
async fn stays(t: &TestApp, client: &Client) -> bool {
    let identity = t.app.identify(client.access_token.as_ref().expect("a token")).await.expect("a token");
    t.app.live_identities(&[identity]).await.expect("looked up").contains(&identity)
}

fn token(granted: &Granted) -> &str {
    granted.body["access_token"].as_str().expect("a token")
}

async fn a_secret_gives_a_token_by_both_methods(t: TestApp) {
    let program = t.program("Web form", "SERVICE_AGENT", &["complaints:write", "complaints:read"]).await;
    let by_form = ask(&t.anonymous(), &program, "").await;
    let header = basic(&program.client_id, &program.secret);
    let authorization = [("authorization", header.as_str())];
    let by_header = t.anonymous().form("/oauth/token", GRANT, &authorization).await;
    let named = format!("{GRANT}&client_id={}", program.client_id);
    let named_twice = t.anonymous().form("/oauth/token", &named, &authorization).await;
    for granted in [&by_form, &by_header, &named_twice] {
        assert_eq!(granted.outcome(), (200, ""), "{granted:?}");
        assert_eq!(granted.headers["cache-control"], "no-store");
        assert_eq!(granted.headers["pragma"], "no-cache");
        assert_eq!(granted.headers["content-type"], "application/json");
        let body = &granted.body;
        assert_eq!(
            (&body["token_type"], &body["expires_in"], &body["scope"]),
            (&json!("Bearer"), &json!(600), &json!("complaints:read complaints:write"))
        );
        assert!(body.get("refresh_token").is_none(), "the secret renews it");
        assert_eq!(refusal(&t.anonymous().with_token(token(granted))).await, "");
    }
    let claims = token(&by_form).split('.').nth(1).expect("three parts");
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(program.client_id), &json!(program.client_id))
    );
    assert_eq!(claims["scope"], "complaints:read complaints:write");
    assert!(claims.get("sid").is_none(), "it has no session");
}

async fn bad_requests_are_refused_by_name(t: TestApp) {
    let program = t.program("Web form", "ADMIN", &["deals:read"]).await;
    let Program { client_id: id, secret, .. } = &program;
    let good = in_form(&program);
    let header = basic(id, secret);
    let none = "";
    for (form, header, outcome) in [
        (good.clone(), none, (400, "invalid_request")),
        (format!("grant_type=&{good}"), none, (400, "invalid_request")),
        (format!("grant_type=password&username=x&password=y&{good}"), none, (400, "unsupported_grant_type")),
        (format!("grant_type=refresh_token&{good}"), none, (400, "unsupported_grant_type")),
        (format!("{GRANT}&{GRANT}&{good}"), none, (400, "invalid_request")),
        (format!("{GRANT}&{good}&client_secret={secret}"), none, (400, "invalid_request")),
        (format!("{GRANT}&x=1&x=2&{good}"), none, (400, "invalid_request")),
        (GRANT.into(), none, (401, "invalid_client")),
        (format!("{GRANT}&client_id={id}"), none, (401, "invalid_client")),
        (format!("{GRANT}&client_id={id}&client_secret=wrong"), none, (401, "invalid_client")),
        (format!("{GRANT}&client_id={}&client_secret={secret}", program.id), none, (401, "invalid_client")),
        (format!("{GRANT}&client_id=nobody&client_secret={secret}"), none, (401, "invalid_client")),
        (format!("{GRANT}&{good}"), &header, (400, "invalid_request")),
        (format!("{GRANT}&client_id=another"), &header, (400, "invalid_request")),
        (GRANT.into(), "Bearer x", (401, "invalid_client")),
        (format!("{GRANT}&{good}"), "Bearer x", (401, "invalid_client")),
        (GRANT.into(), "Basic !", (401, "invalid_client")),
        (GRANT.into(), &basic(id, "a&b"), (401, "invalid_client")),
        (format!("{GRANT}&{good}&scope=deals:write"), none, (400, "invalid_scope")),
        (format!("{GRANT}&{good}&scope=deals:read+nothing"), none, (400, "invalid_scope")),
        (format!("{GRANT}&{good}&padding={}", "x".repeat(20_000)), none, (413, "invalid_request")),
    ] {
        let headers = [("authorization", header)];
        let headers = if header.is_empty() { &[][..] } else { &headers };
        let refused = t.anonymous().form("/oauth/token", &form, headers).await;
        assert_eq!(refused.outcome(), outcome, "{form} {header}");
        assert_eq!(refused.headers["cache-control"], "no-store");
        assert_eq!(refused.headers.contains_key("www-authenticate"), refused.status == 401, "{form}");
        let text = refused.body["error_description"].as_str().expect("a text");
        let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        assert!(!text.is_empty() && text.chars().all(plain), "{text}");
    }
    for path in ["/oauth/token", "/oauth/revoke"] {
        let json = t.anonymous().post(path).header("content-type", "application/json").body("{}");
        assert_eq!(json.send().await.expect("an answer").status(), 400);
        let got = t.anonymous().get(&format!("{path}?{GRANT}&{good}")).send().await.expect("an answer");
        assert_eq!(
            (got.status().as_u16(), &got.headers()["allow"]),
            (405, &"POST".parse().expect("a value"))
        );
    }
    let metadata = t.anonymous().post("/.well-known/oauth-authorization-server").send().await;
    assert_eq!(metadata.expect("an answer").status(), 405);
}

async fn scopes_can_be_asked_for_in_part_only(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read", "deals:write", "customers:read"]).await;
    let part = ask(&t.anonymous(), &program, "&scope=customers:read+deals:read").await;
    assert_eq!(part.body["scope"], "customers:read deals:read");
    let client = t.anonymous().with_token(token(&part));
    let viewer = client.query("{ viewer { role clientId scopes user { id } } }").await;
    let expected = json!({ "role": "ADMIN", "clientId": program.client_id, "user": null,
        "scopes": ["customers:read", "deals:read"] });
    assert_eq!(viewer["viewer"], expected);
    let whole = ask(&t.anonymous(), &program, "&scope=").await;
    assert_eq!(
        whole.body["scope"], "customers:read deals:read deals:write",
        "without a value it is left out"
    );
    assert_eq!(
        t.admin().query("{ viewer { clientId scopes } }").await["viewer"],
        json!({ "clientId": null, "scopes": null })
    );
}

async fn a_revoked_token_stops_working_at_once(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read", "changes:read"]).await;
    let other = t.program("Other", "ADMIN", &["deals:read"]).await;
    let (one, two) = (t.enter(&program).await, t.enter(&program).await);
    let token_of = |client: &Client| client.access_token.clone().expect("a token");
    let stream = one.stream("subscription { changes { type } }", json!({})).await;

    for (by, token, outcome) in [
        (&other, token_of(&one), (400, "invalid_grant")),
        (&program, token_of(&t.admin()), (400, "invalid_grant")),
        (&program, "no token".replace(' ', "+"), (200, "")),
        (&program, String::new(), (400, "invalid_request")),
    ] {
        assert_eq!(revoke(&t.anonymous(), by, &token).await.outcome(), outcome, "{token}");
    }
    let unproven = format!("token={}&client_id={}&client_secret=wrong", token_of(&one), program.client_id);
    let refused = t.anonymous().form("/oauth/revoke", &unproven, &[]).await;
    assert_eq!(refused.outcome(), (401, "invalid_client"));
    assert_eq!((refusal(&one).await.as_str(), refusal(&two).await.as_str()), ("", ""));

    for _ in 0..2 {
        let revoked = revoke(&t.anonymous(), &program, &token_of(&one)).await;
        assert_eq!((revoked.status, &revoked.body), (200, &Value::Null), "as often as one likes");
    }
    assert_eq!(refusal(&one).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&two).await, "", "the other token goes on");
    assert_eq!((stays(&t, &one).await, stays(&t, &two).await), (false, true));
    ends(stream).await;

    let kept = "SELECT COUNT(*) FROM revoked_tokens";
    t.app.tidy().await.expect("tidied");
    assert_eq!(t.sql().await.number(kept).await, 1);
    t.clock.advance(Duration::hours(2));
    t.app.tidy().await.expect("tidied");
    assert_eq!(t.sql().await.number(kept).await, 0, "it has ended by itself");
    assert_eq!(refusal(&one).await, "UNAUTHENTICATED");
}

async fn tokens_expire(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read"]).await;
    let client = t.enter(&program).await;
    t.clock.advance(Duration::seconds(604));
    assert_eq!(refusal(&client).await, "");
    t.clock.advance(Duration::seconds(1));
    assert_eq!(refusal(&client).await, "UNAUTHENTICATED");
    let expired = client.access_token.clone().expect("a token");
    assert_eq!(revoke(&t.anonymous(), &program, &expired).await.outcome(), (200, ""));
    assert_eq!(refusal(&t.enter(&program).await).await, "");
}

/// Rotates, and answers the program with its new secret.
async fn rotate(t: &TestApp, program: &Program, version: i64, overlap: Value) -> Program {
    let input = json!({ "id": program.id, "version": version, "overlapMinutes": overlap });
    let fields = "apiClient { version secretGeneration oldSecretExpiresAt } clientSecret";
    let rotated = t.admin().mutate("rotateApiClientSecret", input, fields).await;
    let payload = rotated.ok();
    assert_eq!(payload["apiClient"]["secretGeneration"], version + 1);
    assert_eq!(payload["apiClient"]["oldSecretExpiresAt"].is_null(), overlap == 0);
    let secret = payload["clientSecret"].as_str().expect("a secret").to_owned();
    Program { secret, ..program.clone() }
}

async fn a_new_secret_works_beside_the_old_one_for_a_time(t: TestApp) {
    let enters = async |program: &Program| ask(&t.anonymous(), program, "").await.status;
    let first = t.program("Sync", "ADMIN", &["deals:read"]).await;
    let second = rotate(&t, &first, 1, json!(5)).await;
    assert_ne!(first.secret, second.secret);
    let (by_first, by_second) = (t.enter(&first).await, t.enter(&second).await);
    t.clock.advance(Duration::seconds(299));
    assert_eq!((enters(&first).await, enters(&second).await), (200, 200));
    assert_eq!((refusal(&by_first).await.as_str(), refusal(&by_second).await.as_str()), ("", ""));
    t.clock.advance(Duration::seconds(1));
    assert_eq!((enters(&first).await, enters(&second).await), (401, 200), "the overlap is over");
    assert_eq!(refusal(&by_first).await, "UNAUTHENTICATED", "a token lives no longer than its secret");
    assert_eq!((stays(&t, &by_first).await, stays(&t, &by_second).await), (false, true));
    assert_eq!(refusal(&by_second).await, "");

    // At once, where the old one is known to others; and a day where nothing is said.
    let third = rotate(&t, &second, 2, json!(0)).await;
    assert_eq!((enters(&second).await, enters(&third).await), (401, 200));
    assert_eq!(refusal(&by_second).await, "UNAUTHENTICATED");
    let fourth = rotate(&t, &third, 3, Value::Null).await;
    t.clock.advance(Duration::seconds(24 * 3600 - 1));
    assert_eq!((enters(&third).await, enters(&fourth).await), (200, 200));
    t.clock.advance(Duration::seconds(1));
    assert_eq!((enters(&third).await, enters(&fourth).await), (401, 200));
    let admin = t.sign_in(ADMIN_EMAIL, PASSWORD).await;
    let rotate = async |version: i64, overlap: i64| {
        let input = json!({ "id": fourth.id, "version": version, "overlapMinutes": overlap });
        admin.mutate("rotateApiClientSecret", input, "clientSecret").await.problems()
    };
    assert_eq!(rotate(3, 0).await, [": CONFLICT"]);
    assert_eq!(rotate(4, -1).await, ["input.overlapMinutes: OUT_OF_RANGE"]);
    assert_eq!(rotate(4, 10_081).await, ["input.overlapMinutes: OUT_OF_RANGE"]);
    assert_eq!(enters(&fourth).await, 200, "nothing has changed");
}

async fn a_revoked_client_is_out_at_once(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read", "changes:read"]).await;
    let client = t.enter(&program).await;
    let stream = client.stream("subscription { changes { type } }", json!({})).await;
    let input = json!({ "id": program.id, "version": 1 });
    let revoked = t.admin().mutate("revokeApiClient", input, "apiClient { revokedAt version }").await;
    assert!(revoked.ok()["apiClient"]["revokedAt"].is_string());
    assert!(!stays(&t, &client).await);
    assert_eq!(refusal(&client).await, "UNAUTHENTICATED");
    ends(stream).await;
    assert_eq!(ask(&t.anonymous(), &program, "").await.outcome(), (401, "invalid_client"));
    for (name, input) in [
        ("revokeApiClient", json!({ "id": program.id, "version": 2 })),
        ("rotateApiClientSecret", json!({ "id": program.id, "version": 2 })),
        ("updateApiClient", json!({ "id": program.id, "version": 2, "name": "Alive" })),
    ] {
        let outcome = t.admin().mutate(name, input, "apiClient { id }").await;
        assert_eq!(outcome.problems(), ["input.id: INVALID_TRANSITION"], "{name}");
    }
    // Its name is free for the one that takes its place.
    t.program("sync", "ADMIN", &["deals:read"]).await;
}

async fn guessing_is_throttled_and_keeps_nobody_out(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read"]).await;
    let wrong = Program { secret: "wrong".into(), ..program.clone() };
    let from = |host: u8| t.anonymous().at_address(&format!("198.51.100.{host}"));
    for host in 0..5 {
        assert_eq!(ask(&from(host), &wrong, "").await.outcome(), (401, "invalid_client"), "{host}");
    }
    let refused = ask(&from(6), &wrong, "").await;
    assert_eq!(refused.outcome(), (429, "temporarily_unavailable"));
    let wait: i64 = refused.headers["retry-after"].to_str().expect("a text").parse().expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(ask(&from(6), &program, "").await.outcome(), (200, ""), "who has the secret comes in");

    for attempt in 0..30 {
        let unknown = Program { client_id: format!("unknown-{attempt}"), ..wrong.clone() };
        assert_eq!(ask(&from(9), &unknown, "").await.outcome(), (401, "invalid_client"), "{attempt}");
    }
    assert_eq!(
        ask(&from(9), &Program { client_id: "one-more".into(), ..wrong.clone() }, "").await.status,
        429
    );
    t.clock.advance(Duration::seconds(wait));
    assert_eq!(ask(&from(6), &wrong, "").await.status, 401, "the window is over");
}

async fn metadata_says_where_and_how(t: TestApp) {
    let response =
        t.anonymous().get("/.well-known/oauth-authorization-server").send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    let found: Value = response.json().await.expect("JSON");
    let url = "https://sales.example";
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    for (name, value) in [
        ("issuer", json!(url)),
        ("token_endpoint", json!(format!("{url}/oauth/token"))),
        ("revocation_endpoint", json!(format!("{url}/oauth/revoke"))),
        ("jwks_uri", json!(format!("{url}/.well-known/jwks.json"))),
        ("grant_types_supported", json!(["client_credentials"])),
        ("response_types_supported", json!([])),
        ("token_endpoint_auth_methods_supported", methods.clone()),
        ("revocation_endpoint_auth_methods_supported", methods),
    ] {
        assert_eq!(found[name], value, "{name}");
    }
    let scopes = found["scopes_supported"].as_array().expect("scopes");
    assert!(scopes.contains(&json!("complaints:write")) && scopes.len() == 18, "{scopes:?}");
}

async fn no_secret_and_no_token_is_kept(t: TestApp) {
    let first = t.program("Sync", "ADMIN", &["deals:read"]).await;
    let second = rotate(&t, &first, 1, json!(60)).await;
    assert!(second.secret.len() >= 43, "256 bits");
    let client = t.enter(&second).await;
    ask(&t.anonymous(), &Program { secret: "a guess".replace(' ', "-"), ..second.clone() }, "").await;
    t.settle().await;
    let data = t.admin().query("{ auditEntries(first: 100) { nodes { change { before after } } } }").await;
    let sql = t.sql().await;
    let mut stored = sql.texts("SELECT secret_hash || COALESCE(old_secret_hash, '') FROM api_clients").await;
    stored.extend(sql.texts("SELECT COALESCE(before, '') || after FROM events").await);
    stored.extend(sql.texts("SELECT bucket FROM throttles").await);
    stored.push(data.to_string());
    let everything = stored.join("\n");
    assert!(everything.contains("secretGeneration"), "{everything}");
    let token = client.access_token.expect("a token");
    for secret in [first.secret.as_str(), &second.secret, &token, "a-guess", "secretHash"] {
        assert!(!everything.contains(secret), "a secret lies in the database");
    }
}
