//! What the two databases promise alike: order, uniqueness, numbers, and migrations that can be taken back.

use chrono::Duration;
use evenhand_migrations::Migrator;
use sea_orm_migration::MigratorTrait;
use serde_json::{Value, json};

use crate::golden::{postgres_schema, sqlite_schema};
use crate::support::{Backend, TestApp, TestDatabase, both, within};

both!(
    instants_keep_microseconds_and_their_order,
    texts_are_ordered_by_the_bytes_of_their_key,
    ids_are_ordered_by_creation,
    uniqueness_ignores_case_and_names_the_field,
    counts_and_sums_are_whole_numbers,
    writes_wait_for_each_other_instead_of_failing,
    the_log_outlives_its_migrations,
);

async fn instants_keep_microseconds_and_their_order(t: TestApp) {
    // With and without fractions: as text, "…00Z" and "…00.5Z" would sort wrongly.
    let mut last = 0;
    for (index, micros) in [0, 1, 500_000, 999_999, 1_000_000, 1_500_000].into_iter().enumerate() {
        t.clock.advance(Duration::microseconds(micros - last));
        last = micros;
        t.team(&format!("Team {index}"), None).await;
    }
    let texts = t.admin().query("{ teams { nodes { createdAt } } }").await;
    let created: Vec<&str> = texts["teams"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["createdAt"].as_str())
        .collect();
    assert_eq!(
        created,
        [
            "2026-01-15T09:00:00.000000Z",
            "2026-01-15T09:00:00.000001Z",
            "2026-01-15T09:00:00.500000Z",
            "2026-01-15T09:00:00.999999Z",
            "2026-01-15T09:00:01.000000Z",
            "2026-01-15T09:00:01.500000Z",
        ]
    );
    let sql = t.sql().await;
    assert_eq!(
        sql.texts("SELECT name FROM teams ORDER BY created_at").await,
        (0..6).map(|index| format!("Team {index}")).collect::<Vec<_>>()
    );

    // An instant given with another offset is the same instant, and ranges take both of their ends.
    t.settle().await;
    let query = "query($from: DateTime, $to: DateTime) { auditEntries(filter: { from: $from, to: $to, types: [\"team.created\"] }) { totalCount } }";
    for (from, to, count) in [
        ("2026-01-15T09:00:00Z", "2026-01-15T09:00:01Z", 4),
        ("2026-01-15T10:00:00+01:00", "2026-01-15T10:00:01+01:00", 4),
        ("2026-01-15T09:00:00.000001Z", "2026-01-15T09:00:00.999999Z", 2),
        ("2026-01-15T03:30:00.500000123-05:30", "2026-01-15T09:00:00.500001Z", 1),
        ("2026-01-15T09:00:01.500000Z", "2200-12-31T23:59:59Z", 1),
        ("2026-01-15T09:00:01.500001Z", "2200-12-31T23:59:59Z", 0),
    ] {
        let answer = t.admin().gql(query, json!({ "from": from, "to": to })).await;
        assert_eq!(answer.ok()["auditEntries"]["totalCount"], count, "{from} to {to}");
    }
}

async fn texts_are_ordered_by_the_bytes_of_their_key(t: TestApp) {
    // Given in an order of chance; expected by the bytes of the folded name, whatever the locale.
    for name in [
        "ß",
        "Zebra",
        "äpfel",
        "apple",
        "ÄRGER",
        "Apple 2",
        "_under",
        "10",
        "9",
        "é",
        "e\u{301}f",
        "日本",
        "🦔",
        "-dash",
        "ｚ",
    ] {
        t.team(name, None).await;
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let query = "query($after: String) { teams(first: 4, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } }";
        let answer = t.admin().gql(query, json!({ "after": after })).await;
        let teams = &answer.ok()["teams"];
        seen.extend(
            teams["nodes"]
                .as_array()
                .expect("nodes")
                .iter()
                .map(|node| node["name"].as_str().expect("a name").to_owned()),
        );
        after = teams["pageInfo"]["endCursor"].clone();
        if teams["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            "-dash",
            "10",
            "9",
            "_under",
            "apple",
            "Apple 2",
            "ｚ",
            "Zebra",
            "ß",
            "äpfel",
            "ÄRGER",
            "é",
            "e\u{301}f",
            "日本",
            "🦔"
        ]
    );
}

async fn ids_are_ordered_by_creation(t: TestApp) {
    for index in 0..5 {
        t.team(&format!("Team {index}"), None).await;
        t.clock.advance(Duration::milliseconds(1));
    }
    let names = t.sql().await.texts("SELECT name FROM teams ORDER BY id").await;
    assert_eq!(names, ["Team 0", "Team 1", "Team 2", "Team 3", "Team 4"]);
}

async fn uniqueness_ignores_case_and_names_the_field(t: TestApp) {
    t.team("Äußere Küste", None).await;
    for same in ["äußere küste", " ÄUßERE  KÜSTE ", "A\u{308}ußere Küste"] {
        let outcome = t.admin().mutate("createTeam", json!({ "name": same }), "team { id }").await;
        assert_eq!(outcome.problems(), ["input.name: TAKEN"], "{same}");
    }
    let first = t.user("REP", "Rosa Rep").await;
    let second = t.user("REP", "Rita Rep").await;
    let input = json!({ "id": second.id, "version": t.version(&second.id).await, "email": first.email.to_uppercase() });
    assert_eq!(t.admin().mutate("updateUser", input, "user { id }").await.problems(), ["input.email: TAKEN"]);
    // Ten at once: one is first.
    let attempts = (0..10).map(|_| {
        let client = t.admin();
        async move { client.mutate("createTeam", json!({ "name": "Only One" }), "team { id }").await.code() }
    });
    let mut codes = futures_util::future::join_all(attempts).await;
    codes.sort();
    assert_eq!(codes, [vec![""], vec!["TAKEN"; 9]].concat());
}

async fn counts_and_sums_are_whole_numbers(t: TestApp) {
    for index in 0..7 {
        t.team(&format!("Team {index}"), None).await;
    }
    let data = t.admin().query("{ teams(first: 2) { totalCount nodes { name } } users(filter: { role: { eq: FINANCE } }) { totalCount } }").await;
    assert_eq!(data["teams"]["totalCount"], 7);
    assert_eq!(data["users"]["totalCount"], 0);
    let largest = "SELECT COUNT(*) FROM teams WHERE 9007199254740993 - 1 < 9007199254740993";
    assert_eq!(t.sql().await.number(largest).await, 7);
}

async fn writes_wait_for_each_other_instead_of_failing(t: TestApp) {
    let writes = (0..40).map(|index| {
        let client = t.admin();
        async move {
            client
                .mutate("createTeam", json!({ "name": format!("Team {index}") }), "team { id }")
                .await
                .code()
        }
    });
    let codes = futures_util::future::join_all(writes).await;
    assert_eq!(codes, vec![""; 40]);
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM teams").await, 40);
}

#[test]
fn sqlite_is_recent_and_durable() {
    within(Backend::Sqlite, async {
        let database = TestDatabase::migrated(Backend::Sqlite).await;
        let sql = database.sql().await;
        let version = sql.texts("SELECT sqlite_version()").await.remove(0);
        let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        assert!(numbers >= vec![3, 50], "{version}");
        assert_eq!(sql.texts("PRAGMA journal_mode").await, ["wal"]);
        assert_eq!(sql.texts("PRAGMA integrity_check").await, ["ok"]);
    });
}

async fn up_down_up(backend: Backend) {
    let database = TestDatabase::empty(backend).await;
    let sql = database.sql().await;
    let schema = || async {
        match backend {
            Backend::Sqlite => sqlite_schema(&sql).await,
            Backend::Postgres => postgres_schema(&sql).await,
        }
    };
    Migrator::up(&sql.0, None).await.expect("up");
    let first = schema().await;
    assert!(first.contains("team_closure"));
    Migrator::down(&sql.0, None).await.expect("down");
    assert_eq!(schema().await.trim(), "", "nothing is left behind");
    Migrator::up(&sql.0, None).await.expect("up again");
    assert_eq!(schema().await, first);
    for _ in Migrator::migrations() {
        Migrator::down(&sql.0, Some(1)).await.expect("one down");
        Migrator::up(&sql.0, Some(1)).await.expect("one up");
        Migrator::down(&sql.0, Some(1)).await.expect("one down");
    }
    assert_eq!(schema().await.trim(), "");
    sql.0.close().await.expect("closed");
    database.remove().await;
}

async fn the_log_outlives_its_migrations(t: TestApp) {
    t.team("North", None).await;
    t.settle().await;
    let sql = t.sql().await;
    let rows = async || {
        sql.texts("SELECT ordinal || ' ' || position || ' ' || hash FROM events ORDER BY ordinal").await
    };
    let before = rows().await;
    let last = Migrator::migrations().iter().rev().position(|it| it.name().ends_with("_000017_api_clients"));
    let steps = u32::try_from(last.expect("the one that copies it") + 1).expect("few");
    Migrator::down(&sql.0, Some(steps)).await.expect("down");
    Migrator::up(&sql.0, None).await.expect("up");
    assert_eq!(rows().await, before);
    t.team("South", None).await;
    t.settle().await;
    let report = t.store.unscoped_verify_events(t.organization).await.expect("read");
    assert_eq!((report.fault, report.entries), (None, before.len() as i64 + 1));
}

#[test]
fn migrations_go_up_down_and_up_on_sqlite() {
    within(Backend::Sqlite, up_down_up(Backend::Sqlite));
}

#[test]
fn migrations_go_up_down_and_up_on_postgres() {
    within(Backend::Postgres, up_down_up(Backend::Postgres));
}
