//! Surveys of how complaints were handled: mailed, reminded of, answered once, and silence is only silence.

use chrono::Duration;
use evenhand_app::App;
use evenhand_persistence::{IdSource, Store, StoreOptions};
use serde_json::{Value, json};

use crate::complaints::{input_of, record};
use crate::customers::{change, collect, node, values};
use crate::mail::send_all;
use crate::support::mail::MailServer;
use crate::support::{Client, ORGANIZATION, TestApp, assemble, both};

both!(
    a_survey_is_mailed_reminded_of_and_answered_once,
    silence_ends_without_a_response_and_is_no_satisfaction,
    a_low_score_takes_the_complaint_up_again,
    without_a_mail_server_surveys_wait,
    what_cannot_be_delivered_is_taken_back,
    two_workers_mail_each_survey_once,
    links_are_not_guessed,
);

/// Closes a complaint of somebody with this address; answers its opaque id.
async fn closed(t: &TestApp, more: Value) -> String {
    let admin = t.admin();
    let customer = collect(&admin, json!({ "name": "Rhein" })).await;
    let id = record(&admin, &customer, more).await;
    let owner = node(&admin, &id, "... on Complaint { owner { id } }").await["owner"]["id"].clone();
    for step in
        ["acknowledgeComplaint", "assessComplaint", "assignComplaint", "offerResponse", "acceptResponse"]
    {
        let input = input_of(step, owner.as_str().expect("an id"), "");
        change(t, &admin, step, &id, input, "complaint { id }").await.ok();
    }
    close(t, &id).await;
    id
}

async fn close(t: &TestApp, id: &str) {
    let input = json!({ "rootCause": "FUSE" });
    change(t, &t.admin(), "closeComplaint", id, input, "complaint { id }").await.ok();
}

fn reporter(address: &str) -> Value {
    json!({ "reporter": { "name": "Rita", "addresses": [{ "channel": "PHONE", "address": "+49 1" },
        { "channel": "EMAIL", "address": address }] } })
}

/// What a worker does in a minute; how many mails it sent.
async fn work(app: &App) -> usize {
    app.proceed_surveys().await.expect("looked for");
    send_all(app).await
}

fn token(mail: &str) -> String {
    let link = mail.split("https://sales.example/survey#token=").nth(1).expect("a link");
    link.split_whitespace().next().expect("a token").to_owned()
}

async fn answer(by: &Client, token: &str, scores: &[i32]) -> (String, Vec<String>) {
    let input = json!({ "token": token, "scores": scores, "comment": "Thank you." });
    let outcome = by.mutate("answerSurvey", input, "answered").await;
    (outcome.code(), outcome.problems())
}

async fn form(by: &Client, token: &str) -> Value {
    let query =
        "query($token: String!) { surveyForm(token: $token) { organization complaintNumber questions } }";
    by.gql(query, json!({ "token": token })).await.ok()["surveyForm"].clone()
}

async fn surveys(t: &TestApp, id: &str) -> Value {
    let fields = "... on Complaint { state reopenCount surveys { id state withdrawal scores meanScore verdict comment \
        reminders nextDueAt sentAt answeredAt complaint { number } } }";
    node(&t.admin(), id, fields).await
}

async fn score(t: &TestApp) -> Value {
    let query = "{ surveyScore(period: { kind: MONTH, start: \"2026-01-01\" }) { sent answered satisfied dissatisfied \
        silent responseRate meanScore satisfiedShare low high } }";
    t.admin().query(query).await["surveyScore"].clone()
}

async fn a_survey_is_mailed_reminded_of_and_answered_once(mut t: TestApp) {
    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    let id = closed(&t, reporter("rita@customer.example")).await;
    t.clock.advance(Duration::hours(23));
    assert_eq!(work(&app).await, 0, "it has its time");
    t.later(Duration::hours(1)).await;
    assert_eq!(work(&app).await, 1);
    let mail = server.mail().await;
    assert!(mail.contains("To: rita@customer.example") && mail.contains("Hello Rita"), "{mail}");
    assert!(mail.contains("Subject: How did we handle your complaint R-000001?"), "{mail}");
    assert!(!mail.contains("smokes"), "{mail}");
    let token = token(&mail);
    assert_eq!(work(&app).await, 0, "once");

    let asked = form(&t.anonymous(), &token).await;
    assert_eq!(
        (&asked["organization"], &asked["complaintNumber"]),
        (&json!(ORGANIZATION), &json!("R-000001"))
    );
    assert_eq!(asked["questions"].as_array().expect("questions").len(), 5);

    t.later(Duration::days(3)).await;
    assert_eq!(work(&app).await, 1);
    let reminder = server.mail().await;
    assert!(reminder.contains("Subject: Reminder:") && reminder.contains("reminder 1 of 2"), "{reminder}");
    assert_eq!(self::token(&reminder), token);

    let anonymous = t.anonymous();
    assert_eq!(answer(&anonymous, &token, &[5, 5]).await.1, ["input.scores: OUT_OF_RANGE"]);
    assert_eq!(answer(&anonymous, &token, &[5, 5, 5, 5, 6]).await.1, ["input.scores.4: OUT_OF_RANGE"]);
    let (one, other) = tokio::join!(
        answer(&anonymous, &token, &[5, 4, 5, 5, 4]),
        answer(&anonymous, &token, &[5, 4, 5, 5, 4])
    );
    let mut codes = [one.0, other.0];
    codes.sort();
    assert_eq!(codes, ["", "INVALID_SURVEY"], "one of two at once");
    assert_eq!(answer(&anonymous, &token, &[1, 1, 1, 1, 1]).await.1, ["input.token: INVALID_SURVEY"]);
    assert_eq!(form(&anonymous, &token).await, Value::Null);

    let seen = surveys(&t, &id).await;
    let survey = &seen["surveys"][0];
    assert_eq!((&survey["state"], &survey["verdict"]), (&json!("ANSWERED"), &json!("SATISFIED")));
    assert_eq!((&survey["meanScore"], &survey["comment"]), (&json!("4.60"), &json!("Thank you.")));
    assert_eq!((&survey["reminders"], &survey["nextDueAt"]), (&json!(1), &Value::Null));
    assert_eq!(survey["complaint"]["number"], "R-000001");
    assert_eq!((&seen["state"], &seen["reopenCount"]), (&json!("CLOSED"), &json!(0)));
    let by_id = node(&t.admin(), survey["id"].as_str().expect("an id"), "... on Survey { state }").await;
    assert_eq!(by_id["state"], "ANSWERED");
    let expected = json!({ "sent": 1, "answered": 1, "satisfied": 1, "dissatisfied": 0, "silent": 0,
        "responseRate": "1.000000", "meanScore": "4.60", "satisfiedShare": "1.000000", "low": "0.206543",
        "high": "1.000000" });
    assert_eq!(score(&t).await, expected);
    t.later(Duration::days(30)).await;
    assert_eq!(work(&app).await, 0, "who has answered is left in peace");
}

async fn silence_ends_without_a_response_and_is_no_satisfaction(mut t: TestApp) {
    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    let silent = closed(&t, reporter("silent@customer.example")).await;
    closed(&t, reporter("content@customer.example")).await;
    t.later(Duration::days(1)).await;
    assert_eq!(work(&app).await, 2);
    let mails = [server.mail().await, server.mail().await];
    let of = |name: &str| token(mails.iter().find(|mail| mail.contains(name)).expect("a mail"));
    assert_eq!(answer(&t.anonymous(), &of("content@"), &[5, 5, 5, 5, 5]).await.0, "");
    for (days, mails) in [(2, 0), (1, 1), (3, 0), (1, 1), (6, 0), (1, 0)] {
        t.later(Duration::days(days)).await;
        assert_eq!(work(&app).await, mails);
    }
    let seen = surveys(&t, &silent).await;
    let survey = &seen["surveys"][0];
    assert_eq!((&survey["state"], &survey["reminders"]), (&json!("NO_RESPONSE"), &json!(2)));
    assert_eq!(survey["verdict"], Value::Null);
    assert_eq!(
        answer(&t.anonymous(), &of("silent@"), &[5, 5, 5, 5, 5]).await.1,
        ["input.token: INVALID_SURVEY"]
    );
    let score = score(&t).await;
    assert_eq!((&score["sent"], &score["answered"], &score["silent"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&score["satisfied"], &score["responseRate"]), (&json!(1), &json!("0.500000")));
    // Whoever sees no complaint sees no opinion of one.
    let rep = t.user("REP", "Nora").await;
    let query = "{ surveyScore(period: { kind: MONTH, start: \"2026-01-01\" }) { sent } }";
    assert_eq!(rep.query(query).await["surveyScore"]["sent"], 0);
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(stranger.query(query).await["surveyScore"]["sent"], 0);
    // However many complaints, their surveys cost one statement.
    let cost = async |first: i32| {
        let query = format!("{{ complaints(first: {first}) {{ nodes {{ number surveys {{ state }} }} }} }}");
        let answer = t.admin().gql(&query, json!({})).await;
        (answer.ok()["complaints"]["nodes"].as_array().expect("nodes").len(), answer.statements)
    };
    let (few, many) = (cost(1).await, cost(2).await);
    assert_eq!((few.0, many.0, few.1), (1, 2, many.1));
}

async fn a_low_score_takes_the_complaint_up_again(mut t: TestApp) {
    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    let id = closed(&t, reporter("rita@customer.example")).await;
    t.later(Duration::days(1)).await;
    work(&app).await;
    let token = token(&server.mail().await);
    assert_eq!(answer(&t.anonymous(), &token, &[1, 2, 1, 2, 1]).await.0, "");
    let seen = surveys(&t, &id).await;
    assert_eq!((&seen["state"], &seen["reopenCount"]), (&json!("INVESTIGATING"), &json!(1)));
    assert_eq!(seen["surveys"][0]["verdict"], "DISSATISFIED");
    t.settle().await;
    let fields =
        "... on Complaint { timeline(first: 100) { nodes { type after } } clocks { kind round outcome } }";
    let found = node(&t.admin(), &id, fields).await;
    let nodes = found["timeline"]["nodes"].as_array().expect("nodes").clone();
    let reopened = nodes.iter().find(|node| node["type"] == "complaint.reopened").expect("an event");
    let escalation = &reopened["after"]["escalation"];
    assert_eq!((&escalation["cause"], &escalation["rung"]), (&json!("REOPENED"), &json!(2)));
    let running = |kind: &str| json!({ "kind": kind, "round": 2, "outcome": "RUNNING" });
    let clocks = found["clocks"].as_array().expect("clocks");
    assert!(clocks.contains(&running("RESOLUTION")), "{found}");
    assert_eq!(score(&t).await["dissatisfied"], 1);

    // Once it is closed again, it is asked about again; and a reopening takes that back.
    let rest = [("offerResponse", input_of("offerResponse", "", "")), ("acceptResponse", json!({}))];
    for (step, input) in rest {
        change(&t, &t.admin(), step, &id, input, "complaint { id }").await.ok();
    }
    close(&t, &id).await;
    t.later(Duration::days(1)).await;
    t.app.proceed_surveys().await.expect("queued");
    let reason = json!({ "reason": "It smokes again." });
    change(&t, &t.admin(), "reopenComplaint", &id, reason, "complaint { id }").await.ok();
    assert_eq!(work(&app).await, 0, "the mail was taken back");
    let seen = surveys(&t, &id).await;
    assert_eq!(values(&seen["surveys"], "state"), ["WITHDRAWN", "ANSWERED"]);
    assert_eq!(seen["surveys"][0]["withdrawal"], "REOPENED");
    let dropped = "{ outbox(filter: { state: { eq: DROPPED } }) { nodes { purpose aboutId lastError } } }";
    let dropped = t.admin().query(dropped).await["outbox"]["nodes"].clone();
    assert_eq!(dropped[0]["aboutId"], seen["surveys"][0]["id"]);
}

async fn without_a_mail_server_surveys_wait(mut t: TestApp) {
    let id = closed(&t, reporter("rita@customer.example")).await;
    for _ in 0..20 {
        t.later(Duration::days(1)).await;
        assert_eq!(work(&t.app).await, 0);
    }
    let waiting =
        "{ outbox(filter: { state: { eq: WAITING } }) { nodes { purpose address attempts aboutType } } }";
    let waiting = t.admin().query(waiting).await["outbox"]["nodes"].clone();
    let expected = json!([{ "purpose": "SURVEY", "address": "rita@customer.example", "attempts": 0, "aboutType": "survey" }]);
    assert_eq!(waiting, expected, "nobody is reminded of what they did not get");
    assert_eq!(score(&t).await["sent"], 0, "who was not asked is not silent");

    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    assert_eq!(work(&app).await, 1);
    let token = token(&server.mail().await);
    assert_eq!(score(&t).await["sent"], 1);
    for (days, mails) in [(0, 0), (2, 0), (1, 1)] {
        t.later(Duration::days(days)).await;
        assert_eq!(work(&app).await, mails, "who gets it late has as long to answer");
    }
    assert_eq!(answer(&t.anonymous(), &token, &[3, 3, 3, 3, 3]).await.0, "");
    assert_eq!(surveys(&t, &id).await["surveys"][0]["verdict"], "NEUTRAL");
}

async fn what_cannot_be_delivered_is_taken_back(mut t: TestApp) {
    let nowhere = closed(&t, json!({})).await;
    t.later(Duration::days(1)).await;
    assert_eq!(work(&t.app).await, 0);
    let seen = surveys(&t, &nowhere).await;
    assert_eq!(
        (&seen["surveys"][0]["state"], &seen["surveys"][0]["withdrawal"]),
        (&json!("WITHDRAWN"), &json!("NO_ADDRESS"))
    );

    let refused = closed(&t, reporter("rita@customer.example")).await;
    let server = MailServer::start(&["554 we do not know you"]).await;
    let app = t.with_mail(server.mailer());
    t.later(Duration::days(1)).await;
    assert_eq!(work(&app).await, 1);
    let failed = "{ outbox(filter: { state: { eq: FAILED } }) { nodes { lastError } } }";
    let failed = t.admin().query(failed).await["outbox"]["nodes"][0]["lastError"].clone();
    assert!(failed.as_str().is_some_and(|error| error.contains("we do not know you")), "{failed}");
    t.later(Duration::days(3)).await;
    assert_eq!(work(&app).await, 0);
    assert_eq!(surveys(&t, &refused).await["surveys"][0]["withdrawal"], "UNDELIVERED");
    assert_eq!(score(&t).await["sent"], 0);
}

async fn two_workers_mail_each_survey_once(mut t: TestApp) {
    let mut server = MailServer::start(&[]).await;
    for number in 0..8 {
        closed(&t, reporter(&format!("reporter{number}@customer.example"))).await;
    }
    t.later(Duration::days(1)).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let ids = IdSource::from_os().expect("ids");
        let store = Store::connect(&StoreOptions::new(&t.database.url), ids).await.expect("a store");
        workers.push((assemble(store.clone(), t.clock.clone(), Some(server.mailer())), store));
    }
    let (one, two) = tokio::join!(work(&workers[0].0), work(&workers[1].0));
    // Where both were at the same survey, one of them leaves it to the next minute.
    let later = work(&workers[0].0).await;
    assert_eq!(one + two + later, 8);
    let mut to: Vec<String> = server
        .rest()
        .iter()
        .filter_map(|mail| mail.lines().find(|line| line.starts_with("To: ")).map(str::to_owned))
        .collect();
    to.sort();
    let expected: Vec<_> = (0..8).map(|number| format!("To: reporter{number}@customer.example")).collect();
    assert_eq!(to, expected);
    for (_, store) in workers {
        store.close().await.expect("closed");
    }
}

async fn links_are_not_guessed(t: TestApp) {
    let guesser = t.anonymous().at_address("203.0.113.7");
    for _ in 0..15 {
        assert_eq!(form(&guesser, "AAAA").await, Value::Null);
        assert_eq!(answer(&guesser, "guess", &[1]).await.1, ["input.token: INVALID_SURVEY"]);
    }
    assert_eq!(answer(&guesser, "guess", &[1]).await.0, "RATE_LIMITED");
    let elsewhere = t.anonymous().at_address("203.0.113.8");
    assert_eq!(answer(&elsewhere, "guess", &[1]).await.0, "INVALID_SURVEY");
    assert_eq!(answer(&elsewhere, &"x".repeat(100_000), &[1]).await.1, ["input.token: TOO_LONG"]);
}
