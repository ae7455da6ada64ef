//! The program itself, in processes of its own: what only a whole process can do, such as die.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ADMIN_EMAIL, ORGANIZATION, PASSWORD, SECRET};

/// The binary under test, built beside this one.
pub(crate) fn evenhand(database: &str) -> Command {
    let path = std::env::current_exe().expect("this test has a path");
    let path = path.parent().and_then(Path::parent).expect("target directory").join("evenhand");
    assert!(path.exists(), "{} is missing: build the workspace first, or use tests/run", path.display());
    let mut command = Command::new(path);
    command.env_clear().env("EVENHAND_AUTH__SECRET", SECRET).env("EVENHAND_LOG__FILTER", "error");
    command.args(["--database", database]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// A server process that dies with its owner.
pub(crate) struct Server {
    process: std::process::Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server on a free port, on a database that it makes or brings up to date.
    pub(crate) fn start(database: &str, directory: &Path) -> Self {
        let port = free_port();
        let process = evenhand(database)
            .current_dir(directory)
            .env("EVENHAND_HTTP__ADDRESS", format!("127.0.0.1:{port}"))
            .env("EVENHAND_HTTP__WORKERS", "1")
            // One person writes as fast as they can, and a server that is killed keeps its part of a bucket.
            .env("EVENHAND_QUOTAS__USER_CAPACITY", "0")
            .env("EVENHAND_QUOTAS__ORGANIZATION_CAPACITY", "0")
            .args(["serve", "--migrate"])
            .spawn()
            .expect("the server starts");
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already, which is what this is for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The organisation of the demo.
pub(crate) const DEMO_ORGANIZATION: &str = "Kestrel & Vale Labelling";
/// Its administrator.
pub(crate) const DEMO_ADMIN_EMAIL: &str = "ines.falkenberg@kestrel-vale.example";
/// Everybody's password in it.
pub(crate) const DEMO_PASSWORD: &str = "fair-shares-for-all";
/// Longest time in which the demo must be there.
const DEMO_TIMEOUT: Duration = Duration::from_secs(300);

/// Builds the demo into a new SQLite file, as anybody would make it.
pub(crate) async fn build_demo(path: &Path) {
    let mut demo = evenhand(&format!("sqlite://{}", path.display()))
        .current_dir(path.parent().expect("a directory"))
        .args(["demo", "--address", &format!("127.0.0.1:{}", free_port())])
        .spawn()
        .expect("the demo starts");
    // The file gets its name once it is complete.
    let started = Instant::now();
    while !path.exists() && started.elapsed() < DEMO_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    demo.kill().expect("it ran");
    demo.wait().expect("it ended");
}

/// Makes [`ORGANIZATION`] with its administrator, as a person would.
pub(crate) fn create_administrator(database: &str, directory: &Path) {
    use std::io::Write;
    let mut process = evenhand(database)
        .current_dir(directory)
        .args(["admin", "create", "--organization", ORGANIZATION, "--email", ADMIN_EMAIL, "--password-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("admin create starts");
    process.stdin.take().expect("a pipe").write_all(PASSWORD.as_bytes()).expect("the password is read");
    assert!(process.wait().expect("admin create ends").success());
}

/// Asks a server; none when it did not answer.
pub(crate) async fn gql(
    http: &reqwest::Client,
    url: &str,
    token: &str,
    query: &str,
    variables: Value,
) -> Option<Value> {
    let mut request = http.post(format!("{url}/graphql")).timeout(Duration::from_secs(10));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.ok()?;
    answer.json().await.ok()
}

/// Waits until the server answers, and signs in.
pub(crate) async fn sign_in(http: &reqwest::Client, url: &str) -> String {
    let started = Instant::now();
    loop {
        let query = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }";
        let input = json!({ "input": { "email": ADMIN_EMAIL, "password": PASSWORD } });
        if let Some(answer) = gql(http, url, "", query, input).await
            && let Some(token) = answer["data"]["signIn"]["accessToken"].as_str()
        {
            return token.to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "no sign-in within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn wait_ready(http: &reqwest::Client, url: &str, max: Duration) {
    let started = Instant::now();
    while http
        .get(format!("{url}/ready"))
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
        .eq(&false)
    {
        assert!(started.elapsed() < max, "not ready within {max:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
