//! Mail: it goes out once the change is committed, and again after trouble that passes.

use evenhand_app::invitations::InviteUser;
use evenhand_app::outbox::sealed;
use evenhand_app::secrets::Sealer;
use evenhand_app::{App, Command};
use evenhand_domain::access::{Permission, Role};
use evenhand_domain::change::SubjectType;
use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::messages::{MessageText, NewMessage, Purpose, Recipient};
use evenhand_domain::time::Clock;
use evenhand_persistence::Tx;
use serde_json::json;

use crate::support::mail::MailServer;
use crate::support::{ADMIN_EMAIL, PASSWORD, SECRET, TestApp, both};

both!(
    an_invitation_is_mailed_and_retried,
    messages_wait_for_their_time_and_for_a_mail_server,
    a_worker_that_dies_leaves_its_message_to_another,
    organisations_take_turns_and_workers_share,
);

async fn an_invitation_is_mailed_and_retried(t: TestApp) {
    let mut server = MailServer::start(&["421 come back later"]).await;
    let app = t.with_mail(server.mailer());
    let admin =
        app.authenticate(t.admin().access_token.as_deref().expect("signed in")).await.expect("an actor");
    let invitation = InviteUser {
        user: None,
        name: Some("Mara Mailed".into()),
        email: "mara@people.example".into(),
        role: Some(Role::Finance),
        team: None,
        hired_on: None,
    };
    let (_, link) = app.invite_user(&admin, &invitation, "mail-test").await.expect("invited");
    assert_eq!(link, None, "a mailed link is not shown");

    // The mail server is busy; the job stays and is due again later, not at once.
    assert!(app.run_due_job().await.expect("a job"));
    assert!(!app.run_due_job().await.expect("nothing due"));
    t.clock.advance(chrono::Duration::minutes(1));
    assert!(app.run_due_job().await.expect("a job"));
    let text = server.mail().await;
    assert!(text.contains("To: mara@people.example"), "{text}");
    let token =
        text.split("/invitation#token=").nth(1).expect("a link").split_whitespace().next().expect("a token");
    let input = json!({ "token": token, "password": PASSWORD });
    assert_eq!(t.anonymous().mutate("acceptInvitation", input, "accessToken").await.code(), "");
    assert!(!app.run_due_job().await.expect("nothing due"), "a sent mail is not sent again");
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM jobs").await, 0);
}

/// Queues a message, as a change would that causes it.
struct Queue(NewMessage);

impl Command for Queue {
    const PERMISSION: Permission = Permission::ReadOutbox;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        tx.queue(std::slice::from_ref(&self.0)).await
    }
}

async fn queue(t: &TestApp, organization: OrganizationId, change: impl FnOnce(&mut NewMessage)) {
    let mut message = NewMessage {
        purpose: Purpose::Notice,
        to: Recipient::Address("rita@customer.example".into()),
        about: (SubjectType::Organization, organization.uuid()),
        subject: "Hello".into(),
        text: MessageText::Plain("Good day".into()),
        due_at: t.clock.now(),
    };
    change(&mut message);
    let system = t.app.system(organization).await.expect("an actor");
    t.app.execute(&system, "mail-test", &Queue(message)).await.expect("queued");
}

/// Sends what is due; how many there were.
pub(crate) async fn send_all(app: &App) -> usize {
    let (mut last, mut count) = (None, 0);
    while app.send_due_message(&mut last).await.expect("claimed") {
        count += 1;
    }
    count
}

const OUTBOX: &str = "query($state: MessageState) { outbox(filter: { state: { eq: $state } }) { totalCount nodes { \
    purpose user { email } address aboutType aboutId subject state dueAt attempts lastError sentAt } } }";

async fn messages_wait_for_their_time_and_for_a_mail_server(mut t: TestApp) {
    let admin = t.app.authenticate(t.admin().access_token.as_deref().expect("signed in")).await;
    let me = admin.and_then(|admin| admin.grant(Permission::UseOwnAccount)).expect("an actor").user();
    let me = me.expect("a person");
    queue(&t, t.organization, |message| {
        message.to = Recipient::User(me);
        message.subject = "One\r\nBcc: eve@example.com".into();
    })
    .await;
    t.clock.advance(chrono::Duration::seconds(1));
    let sealer = Sealer::new(SECRET).expect("a sealer");
    let secret = sealed(&sealer, "https://sales.example/#token=canary").expect("sealed");
    queue(&t, t.organization, |message| {
        message.due_at = t.clock.now().plus(chrono::Duration::hours(1));
        message.text = secret;
    })
    .await;

    // Without a mail server nothing is tried.
    assert_eq!(send_all(&t.app).await, 0);
    let waiting = t.admin().gql(OUTBOX, json!({ "state": "WAITING" })).await;
    assert_eq!(waiting.data["outbox"]["totalCount"], 2, "{}", waiting.text);
    assert_eq!(waiting.data["outbox"]["nodes"][1]["user"]["email"], ADMIN_EMAIL, "{}", waiting.text);
    assert_eq!(waiting.data["outbox"]["nodes"][0]["attempts"], 0, "{}", waiting.text);
    assert!(!waiting.text.contains("canary"), "{}", waiting.text);
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM messages WHERE text LIKE '%canary%'").await, 0);

    // It is busy at first; the message is tried again later.
    let mut server = MailServer::start(&["421 come back later"]).await;
    let app = t.with_mail(server.mailer());
    assert_eq!(send_all(&app).await, 1);
    let again = t.admin().gql(OUTBOX, json!({ "state": "WAITING" })).await;
    assert!(again.text.contains("come back later"), "{}", again.text);
    t.clock.advance(chrono::Duration::minutes(1));
    assert_eq!(send_all(&app).await, 1);
    let mail = server.mail().await;
    assert!(mail.contains(&format!("To: {ADMIN_EMAIL}")), "{mail}");
    assert!(!mail.contains("\nBcc"), "{mail}");
    t.later(chrono::Duration::hours(1)).await;
    assert_eq!(send_all(&app).await, 1);
    let mail = server.mail().await;
    assert!(mail.contains("To: rita@customer.example") && mail.contains("#token=canary"), "{mail}");
    assert_eq!(send_all(&app).await, 0, "a sent mail is not sent again");

    let sent = t.admin().gql(OUTBOX, json!({ "state": "SENT" })).await;
    assert_eq!(sent.data["outbox"]["totalCount"], 2, "{}", sent.text);
    assert_eq!(sent.data["outbox"]["nodes"][0]["dueAt"], json!(null), "{}", sent.text);
    let texts = "SELECT COUNT(*) FROM messages WHERE text IS NOT NULL";
    assert_eq!(t.sql().await.number(texts).await, 0, "what was sent is not kept");
    t.clock.advance(chrono::Duration::days(91));
    t.app.tidy().await.expect("tidied");
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM messages").await, 0);
}

async fn a_worker_that_dies_leaves_its_message_to_another(t: TestApp) {
    queue(&t, t.organization, |_| {}).await;
    let lease_end = t.clock.now().plus(chrono::Duration::minutes(2));
    let claimed = t.store.claim_message(None, t.clock.now(), lease_end).await.expect("claimed");
    let claimed = claimed.expect("a message");

    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    assert_eq!(send_all(&app).await, 0, "it is leased");
    t.clock.advance(chrono::Duration::minutes(2));
    assert_eq!(send_all(&app).await, 1);
    let mail = server.mail().await;
    assert!(mail.contains(&format!("Message-ID: <{}@sales.example>", claimed.id)), "{mail}");
}

async fn organisations_take_turns_and_workers_share(t: TestApp) {
    let other = t.create_administrator("Sorrel Trading", "admin@sorrel.example").await;
    for _ in 0..10 {
        queue(&t, t.organization, |_| {}).await;
    }
    queue(&t, other, |message| message.subject = "Sorrel".into()).await;

    let mut server = MailServer::start(&[]).await;
    let app = t.with_mail(server.mailer());
    let mut last = None;
    for _ in 0..2 {
        assert!(app.send_due_message(&mut last).await.expect("claimed"));
    }
    let first: String = [server.mail().await, server.mail().await].concat();
    assert!(first.contains("Subject: Sorrel"), "the many of one do not hold up the other: {first}");

    let second = t.with_mail(server.mailer());
    let (left, right) = tokio::join!(send_all(&app), send_all(&second));
    assert_eq!(left + right, 9);
    let ids: std::collections::BTreeSet<String> = server
        .rest()
        .iter()
        .filter_map(|mail| mail.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 9, "each once");
}
