//! Getting in and out: sign-in, refresh, sign-out, passwords, invitations and throttling.

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::people::invitation_token;
use crate::support::{ADMIN_EMAIL, Client, PASSWORD, Person, TestApp, both};

both!(
    signing_in_answers_tokens_and_the_person,
    every_failed_sign_in_gets_the_same_answer,
    parallel_refreshes_leave_one_live_chain,
    a_spent_refresh_token_ends_the_session_once_its_child_was_used,
    sessions_end_when_idle_and_after_ninety_days,
    signing_out_ends_the_session_at_once,
    a_new_password_ends_all_other_sessions,
    an_invitation_works_once,
    invitations_expire_and_are_withdrawn_by_newer_ones,
    deactivation_and_change_of_role_count_from_the_next_request,
    guessing_one_account_is_throttled_without_locking_its_owner_out,
    guessing_from_one_address_is_throttled,
    passwords_are_judged_before_they_are_taken,
    secrets_are_stored_as_hashes,
    what_has_expired_is_deleted,
);

async fn attempt(client: &Client, email: &str, password: &str) -> String {
    let input = json!({ "email": email, "password": password });
    client.mutate("signIn", input, "accessToken").await.code()
}

async fn refresh(client: &Client, token: &str) -> (String, Option<Client>) {
    let input = json!({ "refreshToken": token });
    let outcome = client.mutate("refreshSession", input, "accessToken refreshToken expiresIn").await;
    (outcome.code(), client.signed_in(&outcome.payload))
}

/// Empty when the client is signed in, else the code that tells otherwise.
async fn refusal(client: &Client) -> String {
    client.gql("{ viewer { role } }", json!({})).await.code().to_owned()
}

fn refresh_token(client: &Client) -> String {
    client.refresh_token.clone().expect("a token")
}

async fn signing_in_answers_tokens_and_the_person(t: TestApp) {
    let input = json!({ "email": ADMIN_EMAIL.to_uppercase(), "password": PASSWORD });
    let fields = "accessToken refreshToken expiresIn user { email role status }";
    let outcome = t.anonymous().mutate("signIn", input, fields).await;
    let payload = outcome.ok();
    assert_eq!(payload["expiresIn"], 600);
    assert_eq!(payload["user"], json!({ "email": ADMIN_EMAIL, "role": "ADMIN", "status": "ACTIVE" }));

    let client = t.anonymous().signed_in(payload).expect("tokens");
    let data =
        client.query("{ viewer { role user { email } } organization { name currency timeZone } }").await;
    assert_eq!(data["viewer"], json!({ "role": "ADMIN", "user": { "email": ADMIN_EMAIL } }));
    assert_eq!(refusal(&t.anonymous()).await, "UNAUTHENTICATED");

    t.clock.advance(Duration::seconds(604));
    assert_eq!(refusal(&client).await, "", "five seconds between clocks are forgiven");
    t.clock.advance(Duration::seconds(1));
    assert_eq!(refusal(&client).await, "UNAUTHENTICATED");
    // An expired access token does not stand in the way of its own renewal.
    let (code, renewed) = refresh(&client, &refresh_token(&client)).await;
    assert_eq!(code, "");
    assert_eq!(refusal(&renewed.expect("tokens")).await, "");
}

async fn every_failed_sign_in_gets_the_same_answer(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let pending = json!({ "email": "pending@people.example", "name": "Pia Pending", "role": "REP" });
    t.admin().mutate("inviteUser", pending, "user { id }").await.ok();
    let gone = t.user("REP", "Gus Gone").await;
    let leave = json!({ "id": gone.id, "version": t.version(&gone.id).await, "status": "DEACTIVATED" });
    t.admin().mutate("updateUser", leave, "user { id }").await.ok();

    let mut answers = Vec::new();
    for (index, (email, password, organization)) in [
        ("nobody@people.example", PASSWORD, None),
        (person.email.as_str(), "a wrong password", None),
        (person.email.as_str(), PASSWORD, Some("Another organisation")),
        ("pending@people.example", PASSWORD, None),
        (gone.email.as_str(), PASSWORD, None),
        ("", "", None),
    ]
    .into_iter()
    .enumerate()
    {
        let input = json!({ "email": email, "password": password, "organization": organization });
        let client = t.anonymous().at_address(&format!("198.51.100.{index}"));
        let outcome = client.mutate("signIn", input, "accessToken refreshToken user { id }").await;
        assert_eq!(outcome.code(), "SIGN_IN_FAILED", "{email}");
        answers.push(outcome.answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

async fn parallel_refreshes_leave_one_live_chain(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let token = refresh_token(&person);
    let attempts = (0..20).map(|_| refresh(&person.client, &token));
    let answers = futures_util::future::join_all(attempts).await;
    let mut children: Vec<String> = answers
        .into_iter()
        .map(|(code, client)| {
            assert_eq!(code, "");
            refresh_token(&client.expect("tokens"))
        })
        .collect();
    children.dedup();
    assert_eq!(children.len(), 1, "all were given the same next token");
    let live = "SELECT COUNT(*) FROM refresh_tokens WHERE spent_at IS NULL";
    // The administrator has the other one.
    assert_eq!(t.sql().await.number(live).await, 2);
}

async fn a_spent_refresh_token_ends_the_session_once_its_child_was_used(t: TestApp) {
    let first = t.user("REP", "Rosa Rep").await.client;
    let (_, second) = refresh(&first, &refresh_token(&first)).await;
    let second = second.expect("tokens");
    // The answer may have been lost on the way: the same token asks again and gets the same answer.
    let (code, again) = refresh(&first, &refresh_token(&first)).await;
    assert_eq!((code.as_str(), again.map(|again| refresh_token(&again))), ("", Some(refresh_token(&second))));
    let (_, third) = refresh(&second, &refresh_token(&second)).await;
    let third = third.expect("tokens");

    let (code, none) = refresh(&first, &refresh_token(&first)).await;
    assert!(none.is_none());
    assert_eq!(code, "INVALID_REFRESH_TOKEN", "somebody has a copy");
    for (name, client) in [("first", &first), ("second", &second), ("third", &third)] {
        assert_eq!(refusal(client).await, "UNAUTHENTICATED", "access token of the {name} pair");
        assert_eq!(refresh(client, &refresh_token(client)).await.0, "INVALID_REFRESH_TOKEN", "{name}");
    }
    t.settle().await;
    let data = t.admin().query("{ auditEntries(first: 1) { nodes { change { type after } } } }").await;
    let change = &data["auditEntries"]["nodes"][0]["change"];
    assert_eq!(
        (&change["type"], &change["after"]["endedReason"]),
        (&json!("session.ended"), &json!("TOKEN_REUSED"))
    );

    // An unused child is no excuse for ever.
    let person = t.user("REP", "Rita Rep").await;
    refresh(&person, &refresh_token(&person)).await.1.expect("tokens");
    t.clock.advance(Duration::seconds(31));
    assert_eq!(refresh(&person, &refresh_token(&person)).await.0, "INVALID_REFRESH_TOKEN");
    assert_eq!(refusal(&person).await, "UNAUTHENTICATED");
    for unknown in ["", "never issued", &"x".repeat(10_000)] {
        let code = refresh(&t.anonymous(), unknown).await.0;
        assert!(["INVALID_REFRESH_TOKEN", "TOO_LONG"].contains(&code.as_str()), "{code}");
    }
}

async fn sessions_end_when_idle_and_after_ninety_days(t: TestApp) {
    let idle = t.user("REP", "Ida Idle").await;
    let mut busy = t.user("REP", "Bea Busy").await.client;
    for day in (13..90).step_by(13) {
        t.clock.advance(Duration::days(13));
        let (code, next) = refresh(&busy, &refresh_token(&busy)).await;
        assert_eq!(code, "", "day {day}");
        busy = next.expect("tokens");
        if day > 14 {
            assert_eq!(refresh(&idle, &refresh_token(&idle)).await.0, "INVALID_REFRESH_TOKEN");
        }
    }
    t.clock.advance(Duration::days(12));
    assert_eq!(refresh(&busy, &refresh_token(&busy)).await.0, "INVALID_REFRESH_TOKEN", "day 90");
}

async fn signing_out_ends_the_session_at_once(t: TestApp) {
    let phone = t.user("REP", "Rosa Rep").await;
    let laptop = t.sign_in(&phone.email, PASSWORD).await;
    let tablet = t.sign_in(&phone.email, PASSWORD).await;
    laptop.mutate("signOut", json!({}), "signedOut").await.ok();
    assert_eq!(refusal(&laptop).await, "UNAUTHENTICATED");
    assert_eq!(refresh(&laptop, &refresh_token(&laptop)).await.0, "INVALID_REFRESH_TOKEN");
    assert_eq!((refusal(&phone).await.as_str(), refusal(&tablet).await.as_str()), ("", ""));

    tablet.mutate("signOut", json!({ "everywhere": true }), "signedOut").await.ok();
    assert_eq!(refusal(&phone).await, "UNAUTHENTICATED");
    let outcome = phone.mutate("signOut", json!({}), "signedOut").await;
    assert_eq!(outcome.code(), "UNAUTHENTICATED");
}

async fn a_new_password_ends_all_other_sessions(t: TestApp) {
    let here = t.user("REP", "Rosa Rep").await;
    let elsewhere = t.sign_in(&here.email, PASSWORD).await;
    let change = |current: &str, new: &str| {
        let input = json!({ "currentPassword": current, "newPassword": new });
        let client = here.client.clone();
        async move { client.mutate("changePassword", input, "user { id }").await.problems() }
    };
    let new = "nine loud storks";
    assert_eq!(change("not my password", new).await, ["input.currentPassword: WRONG_PASSWORD"]);
    assert_eq!(change(PASSWORD, "short").await, ["input.newPassword: TOO_SHORT"]);
    assert_eq!(refusal(&elsewhere).await, "");
    assert_eq!(change(PASSWORD, new).await, [""; 0]);

    assert_eq!(refusal(&here).await, "", "the session that changed it goes on");
    assert_eq!(refusal(&elsewhere).await, "UNAUTHENTICATED");
    assert_eq!(refresh(&elsewhere, &refresh_token(&elsewhere)).await.0, "INVALID_REFRESH_TOKEN");
    assert_eq!(attempt(&t.anonymous(), &here.email, PASSWORD).await, "SIGN_IN_FAILED");
    assert_eq!(attempt(&t.anonymous(), &here.email, new).await, "");
}

/// Invites and answers the token of the link.
async fn invite(t: &TestApp, input: Value) -> String {
    invitation_token(t.admin().mutate("inviteUser", input, "user { id } invitationLink").await.ok())
}

async fn accept(t: &TestApp, token: &str, password: &str) -> String {
    let input = json!({ "token": token, "password": password });
    t.anonymous().mutate("acceptInvitation", input, "accessToken user { status }").await.code()
}

async fn an_invitation_works_once(t: TestApp) {
    let token =
        invite(&t, json!({ "email": "nora@people.example", "name": "Nora New", "role": "FINANCE" })).await;
    assert_eq!(attempt(&t.anonymous(), "nora@people.example", PASSWORD).await, "SIGN_IN_FAILED");
    let attempts = (0..10).map(|_| accept(&t, &token, PASSWORD));
    let mut codes = futures_util::future::join_all(attempts).await;
    codes.sort();
    let refused = vec!["INVALID_INVITATION"; 9];
    assert_eq!(codes, [vec![""], refused].concat());
    assert_eq!(accept(&t, &token, PASSWORD).await, "INVALID_INVITATION");
    assert_eq!(attempt(&t.anonymous(), "nora@people.example", PASSWORD).await, "");

    let again = json!({ "email": "nora@people.example", "name": "Nora New", "role": "FINANCE" });
    assert_eq!(t.admin().mutate("inviteUser", again, "user { id }").await.code(), "ALREADY_ACTIVE");
    for (input, problem) in [
        (json!({ "email": "x@people.example", "role": "REP" }), "input.name: REQUIRED"),
        (json!({ "email": "x@people.example", "name": "X" }), "input.role: REQUIRED"),
        (json!({ "email": "x@people.example", "name": " ", "role": "REP" }), "input.name: REQUIRED"),
    ] {
        assert_eq!(t.admin().mutate("inviteUser", input, "user { id }").await.problems(), [problem]);
    }
}

async fn invitations_expire_and_are_withdrawn_by_newer_ones(t: TestApp) {
    let input = json!({ "email": "nora@people.example", "name": "Nora New", "role": "REP" });
    let first = invite(&t, input.clone()).await;
    let second = invite(&t, input.clone()).await;
    assert_eq!(accept(&t, &first, PASSWORD).await, "INVALID_INVITATION", "withdrawn");
    t.clock.advance(Duration::days(7));
    assert_eq!(accept(&t, &second, PASSWORD).await, "INVALID_INVITATION", "expired");
    assert_eq!(accept(&t, "no such token", PASSWORD).await, "INVALID_INVITATION");

    let admin = t.sign_in(ADMIN_EMAIL, PASSWORD).await;
    let third = invitation_token(admin.mutate("inviteUser", input, "invitationLink").await.ok());
    t.clock.advance(Duration::days(7) - Duration::seconds(1));
    assert_eq!(accept(&t, &third, PASSWORD).await, "");
}

async fn deactivation_and_change_of_role_count_from_the_next_request(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let update = |change: Value| {
        let (t, id) = (t.clone(), person.id.clone());
        async move {
            let mut input = json!({ "id": id, "version": t.version(&id).await });
            input.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
            t.admin().mutate("updateUser", input, "user { role status }").await.ok()["user"].clone()
        }
    };
    assert_eq!(person.gql("{ auditEntries { totalCount } }", json!({})).await.code(), "FORBIDDEN");
    update(json!({ "role": "ADMIN" })).await;
    assert_eq!(person.query("{ viewer { role } }").await["viewer"]["role"], "ADMIN");
    person.query("{ auditEntries { totalCount } }").await;
    update(json!({ "role": "REP" })).await;
    assert_eq!(person.gql("{ auditEntries { totalCount } }", json!({})).await.code(), "FORBIDDEN");

    update(json!({ "status": "DEACTIVATED" })).await;
    assert_eq!(refusal(&person).await, "UNAUTHENTICATED");
    assert_eq!(refresh(&person, &refresh_token(&person)).await.0, "INVALID_REFRESH_TOKEN");
    assert_eq!(attempt(&t.anonymous(), &person.email, PASSWORD).await, "SIGN_IN_FAILED");
    update(json!({ "status": "ACTIVE" })).await;
    assert_eq!(refusal(&person).await, "UNAUTHENTICATED", "an ended session stays ended");
    assert_eq!(attempt(&t.anonymous(), &person.email, PASSWORD).await, "");
}

async fn guessing_one_account_is_throttled_without_locking_its_owner_out(t: TestApp) {
    let Person { email, .. } = t.user("REP", "Rosa Rep").await;
    let owner = t.anonymous().at_address("192.0.2.10");
    assert_eq!(attempt(&owner, &email, PASSWORD).await, "", "from now on the address is known");

    // A guesser with many addresses still has one budget for the account.
    for guess in 0..5 {
        let stranger = t.anonymous().at_address(&format!("203.0.113.{guess}"));
        assert_eq!(attempt(&stranger, &email, "a wrong guess").await, "SIGN_IN_FAILED", "guess {guess}");
    }
    let stranger = t.anonymous().at_address("203.0.113.99");
    let input = json!({ "email": email.to_uppercase(), "password": PASSWORD });
    let outcome = stranger.mutate("signIn", input, "accessToken").await;
    assert_eq!(outcome.code(), "RATE_LIMITED", "even with the right password");
    let wait = outcome.answer.errors[0]["extensions"]["retryAfter"].as_i64().expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(
        attempt(&stranger, "other@people.example", PASSWORD).await,
        "SIGN_IN_FAILED",
        "other accounts go on"
    );

    assert_eq!(attempt(&owner, &email, PASSWORD).await, "", "the owner gets in from where they are known");
    t.clock.advance(Duration::seconds(wait));
    assert_eq!(attempt(&stranger, &email, PASSWORD).await, "");

    // At a known address the budget is the owner's own, and it has an end too.
    for _ in 0..5 {
        assert_eq!(attempt(&owner, &email, "a wrong guess").await, "SIGN_IN_FAILED");
    }
    assert_eq!(attempt(&owner, &email, PASSWORD).await, "RATE_LIMITED");
}

async fn guessing_from_one_address_is_throttled(t: TestApp) {
    let stranger = t.anonymous().at_address("203.0.113.7");
    for guess in 0..30 {
        let email = format!("guess{guess}@people.example");
        assert_eq!(attempt(&stranger, &email, "a wrong guess").await, "SIGN_IN_FAILED", "guess {guess}");
    }
    assert_eq!(attempt(&stranger, ADMIN_EMAIL, PASSWORD).await, "RATE_LIMITED");
    // What a client claims in front of the proxy's own entry is not believed.
    let claims = t.anonymous().at_address("192.0.2.77, 203.0.113.7");
    assert_eq!(attempt(&claims, ADMIN_EMAIL, PASSWORD).await, "RATE_LIMITED");
    let elsewhere = t.anonymous().at_address("203.0.113.8");
    assert_eq!(attempt(&elsewhere, ADMIN_EMAIL, PASSWORD).await, "");
}

async fn passwords_are_judged_before_they_are_taken(t: TestApp) {
    let token =
        invite(&t, json!({ "email": "zoe.mueller@people.example", "name": "Zoë Müller", "role": "REP" }))
            .await;
    for (password, code) in [
        ("7 chars".to_owned(), "TOO_SHORT"),
        ("ä".repeat(7), "TOO_SHORT"),
        ("a".repeat(1025), "TOO_LONG"),
        ("password123".to_owned(), "COMMON_PASSWORD"),
        ("PASSWORD123".to_owned(), "COMMON_PASSWORD"),
        ("zoe.mueller".to_owned(), "COMMON_PASSWORD"),
        ("Zoë  Müller".to_owned(), "COMMON_PASSWORD"),
        ("zero\0bytes\0inside".to_owned(), "INVALID_CHARACTER"),
    ] {
        assert_eq!(accept(&t, &token, &password).await, code, "{password:?}");
    }
    // Any character counts, nothing is cut off, and two ways to write é stay two passwords.
    let password = format!("{}caf\u{e9}", "🦔".repeat(1020));
    assert_eq!(accept(&t, &token, &password).await, "");
    let email = "zoe.mueller@people.example";
    assert_eq!(attempt(&t.anonymous(), email, &password).await, "");
    let cut: String = password.chars().take(1023).collect();
    let decomposed = password.replace('\u{e9}', "e\u{301}");
    for wrong in [cut, decomposed, password.to_uppercase(), format!("{password} ")] {
        assert_eq!(attempt(&t.anonymous(), email, &wrong).await, "SIGN_IN_FAILED");
    }
}

async fn secrets_are_stored_as_hashes(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let open =
        invite(&t, json!({ "email": "open@people.example", "name": "Olga Open", "role": "REP" })).await;
    t.settle().await;
    let sql = t.sql().await;
    for hash in sql.texts("SELECT password_hash FROM credentials").await {
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
    let mut stored = sql.texts("SELECT token_hash FROM invitations").await;
    stored.extend(sql.texts("SELECT token_hash FROM refresh_tokens").await);
    stored.extend(sql.texts("SELECT sealed_private_key FROM signing_keys").await);
    stored.extend(sql.texts("SELECT COALESCE(before, '') || after FROM events").await);
    stored.extend(sql.texts("SELECT payload FROM jobs").await);
    stored.extend(sql.texts("SELECT bucket FROM throttles").await);
    let everything = stored.join("\n");
    for secret in
        [&open, &refresh_token(&person), person.access_token.as_ref().expect("a token"), &PASSWORD.to_owned()]
    {
        assert!(!everything.contains(secret.as_str()), "a secret lies in the database");
    }
    assert!(!everything.contains("argon2"), "hashes of passwords stay out of the log");
}

async fn what_has_expired_is_deleted(t: TestApp) {
    t.user("REP", "Rosa Rep").await;
    attempt(&t.anonymous(), "nobody@people.example", "wrong password").await;
    let sql = t.sql().await;
    let (attempts, known) = (
        "SELECT COUNT(*) FROM throttles WHERE bucket NOT LIKE 'known:%'",
        "SELECT COUNT(*) FROM throttles WHERE bucket LIKE 'known:%'",
    );
    let tokens = "SELECT COUNT(*) FROM refresh_tokens";
    t.app.tidy().await.expect("tidied");
    assert!(sql.number(attempts).await > 0, "running windows stay");
    t.clock.advance(chrono::Duration::hours(2));
    t.app.tidy().await.expect("tidied");
    assert_eq!(sql.number(attempts).await, 0);
    assert!(
        sql.number(known).await > 0 && sql.number(tokens).await > 0,
        "known addresses and live tokens stay"
    );
    t.clock.advance(chrono::Duration::days(40));
    t.app.tidy().await.expect("tidied");
    assert_eq!((sql.number(known).await, sql.number(tokens).await), (0, 0));
}
