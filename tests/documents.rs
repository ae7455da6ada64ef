//! Registered documents from the command line: what a file brings, what it is refused for, and who is held to it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use evenhand_app::secrets::token_hash;
use serde_json::{Value, json};

use crate::support::program::{Server, create_administrator, evenhand, sign_in};
use crate::support::{Answer, Client, ORGANIZATION};

/// How soon every node must know of a change.
const NOTICE_MAX: Duration = Duration::from_secs(10);
const REGISTERED: &str = "{ viewer { role } }";
const OTHER: &str = "{ viewer { user { name } } }";

/// Runs `evenhand documents`: exit code, standard output and standard error.
fn documents(database: &str, directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = evenhand(database);
    command.current_dir(directory).arg("documents").args(arguments).stdout(Stdio::piped());
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Sends a request as the client `name`; without a name where that is empty.
async fn ask(client: &Client, name: &str, body: Value) -> Answer {
    let mut request = client.post("/graphql").header("content-type", "application/json");
    if !name.is_empty() {
        request = request.header("x-client-name", name);
    }
    Answer::read(request.body(body.to_string()).send().await.expect("an answer")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_registers_documents_and_holds_clients_to_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let database = format!("sqlite://{}", directory.join("documents.db").display());
    create_administrator(&database, directory);
    let run = |arguments: &[&str]| documents(&database, directory, arguments);
    let file = |name: &str, content: &str| std::fs::write(directory.join(name), content).expect("written");
    let manifest = |documents: &[&str]| {
        json!(documents.iter().map(|it| (token_hash(it), it)).collect::<std::collections::BTreeMap<_, _>>())
            .to_string()
    };

    file("text.json", "viewer");
    file("foreign.json", &json!({ token_hash(OTHER): REGISTERED }).to_string());
    file("invalid.json", &manifest(&[REGISTERED, "{ viewer { salary } }"]));
    for (name, told) in [
        ("absent.json", "absent.json cannot be read"),
        ("text.json", "must hold a JSON object of documents by SHA-256"),
        ("foreign.json", "is not the SHA-256 of its document"),
        ("invalid.json", "Cannot query field \"salary\""),
    ] {
        let (code, printed, error) = run(&["register", name, "--organization", ORGANIZATION]);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{name}: {error}");
        assert!(error.starts_with("evenhand: ") && error.contains(told), "{name}: {error}");
    }
    file("good.json", &manifest(&[REGISTERED, "{ organization { name } }"]));
    let (code, _, error) = run(&["register", "good.json", "--organization", "Nobody"]);
    assert!(code == Some(1) && error.contains(ORGANIZATION), "{error}");
    assert_eq!(run(&["register", "good.json"]).0, Some(2), "an organisation must be named");

    let server = Server::start(&database, directory);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let token = sign_in(&http, &server.url).await;
    let client = Client::new(http, &server.url).with_token(&token);
    let by_hash = json!({ "documentId": format!("sha256:{}", token_hash(REGISTERED)) });
    let unknown = ask(&client, "", by_hash.clone()).await;
    assert_eq!(unknown.code(), "PERSISTED_QUERY_NOT_FOUND", "nothing came of the bad files");

    // The server need not be told: it reads what is registered where a request asks for it.
    let (code, printed, error) = run(&["register", "good.json", "--organization", ORGANIZATION]);
    assert_eq!((code, printed.as_str(), error.as_str()), (Some(0), "2 documents are registered\n", ""));
    assert_eq!(ask(&client, "", by_hash.clone()).await.ok()["viewer"]["role"], "ADMIN");

    let other = json!({ "query": OTHER });
    let until = async |code: &str| {
        let begun = Instant::now();
        while ask(&client, "till", other.clone()).await.code() != code {
            assert!(begun.elapsed() < NOTICE_MAX, "no {code:?} within {NOTICE_MAX:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    until("").await;
    let (code, printed, error) = run(&["only", "till", "--organization", ORGANIZATION]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(printed.contains("till may send registered documents only"), "{printed}");
    until("DOCUMENT_NOT_TRUSTED").await;
    ask(&client, "till", by_hash).await.ok();
    ask(&client, "till", json!({ "query": REGISTERED })).await.ok();
    for name in ["desk", ""] {
        ask(&client, name, other.clone()).await.ok();
    }
    let (code, printed, _) = run(&["only", "till", "--off", "--organization", ORGANIZATION]);
    assert!(code == Some(0) && printed.contains("till may send any document"), "{printed}");
    until("").await;
}
