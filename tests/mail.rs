//! Invitations by mail: the link goes out once the change is committed, and again after trouble that passes.

use evenhand_app::invitations::InviteUser;
use evenhand_app::mail::Mailer;
use evenhand_domain::access::Role;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::{PASSWORD, TestApp, both};

both!(an_invitation_is_mailed_and_retried);

/// A mail server that answers `greetings` to one client after the other and keeps what it hears.
async fn mail_server(greetings: [&'static str; 2]) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let (heard, hear) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for greeting in greetings {
            let (stream, _) = listener.accept().await.expect("a client");
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let (mut text, mut in_data) = (String::new(), false);
            writer.write_all(format!("{greeting}\r\n").as_bytes()).await.expect("greeted");
            while let Ok(Some(line)) = lines.next_line().await {
                text += &format!("{line}\n");
                let answer = match line.split(' ').next().unwrap_or_default() {
                    "." => {
                        in_data = false;
                        // Told at once: the client may keep the connection for the next mail.
                        heard.send(std::mem::take(&mut text)).expect("somebody listens");
                        "250 taken"
                    }
                    _ if in_data => continue,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    _ => "250 fine",
                };
                if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (url, hear)
}

async fn an_invitation_is_mailed_and_retried(t: TestApp) {
    let (url, mut hear) = mail_server(["421 come back later", "220 ready"]).await;
    let app = t.with_mail(Mailer::new(&url, "Evenhand <no-reply@sales.example>").expect("a mailer"));
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
    let mail = hear.recv().await.expect("a mail");
    assert!(mail.contains("To: mara@people.example"), "{mail}");

    // Long lines come folded, and `=` encoded.
    let text = mail.replace("=\n", "").replace("=3D", "=");
    let token =
        text.split("/invitation#token=").nth(1).expect("a link").split_whitespace().next().expect("a token");
    let input = json!({ "token": token, "password": PASSWORD });
    assert_eq!(t.anonymous().mutate("acceptInvitation", input, "accessToken").await.code(), "");
    assert!(!app.run_due_job().await.expect("nothing due"), "a sent mail is not sent again");
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM jobs").await, 0);
}
