//! The walls of the house: which crate may know which, and what nobody may do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::golden::{golden, read, root};

/// The crates, and which of ours each may name: a straight line, and one missing arrow, from `api` to
/// `persistence`, so that a resolver cannot name a table.
const ARROWS: &[(&str, &[&str])] = &[
    ("crates/domain", &[]),
    ("migrations", &[]),
    ("crates/persistence", &["evenhand-domain", "evenhand-migrations"]),
    ("crates/app", &["evenhand-domain", "evenhand-persistence"]),
    ("crates/api", &["evenhand-app", "evenhand-domain"]),
    ("crates/server", &["evenhand-api", "evenhand-app", "evenhand-domain", "evenhand-persistence"]),
];

/// Crates from outside that only these rooms may use, with everything whose name begins so.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("sea-orm", &["migrations", "crates/persistence"]),
    ("sea-query", &["migrations", "crates/persistence"]),
    ("sqlx", &["crates/persistence"]),
    ("async-graphql", &["crates/api"]),
    ("actix", &["crates/api", "crates/server"]),
    ("jsonwebtoken", &["crates/app"]),
    ("argon2", &["crates/app"]),
    ("lettre", &["crates/app"]),
    ("clap", &["crates/server"]),
    ("config", &["crates/server"]),
];

/// What the domain does not touch, with everything whose name begins so: it is pure.
const NOT_IN_DOMAIN: &[&str] = &[
    "tokio",
    "futures",
    "async",
    "actix",
    "sea-",
    "sqlx",
    "reqwest",
    "hyper",
    "tracing",
    "getrandom",
    "clap",
];

/// Not in the domain by just this name: it draws from the system. Generators that must be given a seed
/// (`rand_chacha`, `rand_core`) are pure, and simulations are to give the same numbers everywhere.
const RANDOM: &str = "rand";

fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest: toml::Table = read(&format!("{folder}/Cargo.toml")).parse().expect("TOML");
    let mut names = BTreeSet::new();
    for table in ["dependencies", "build-dependencies"] {
        names.extend(
            manifest
                .get(table)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(|table| table.keys().cloned()),
        );
    }
    assert!(manifest.get("target").is_none(), "{folder}: dependencies by platform would escape these rules");
    names
}

#[test]
fn the_crate_graph_is_a_straight_line() {
    let mut faults = Vec::new();
    for (folder, allowed) in ARROWS {
        for name in dependencies(folder) {
            if name.starts_with("evenhand") && !allowed.contains(&name.as_str()) {
                faults.push(format!("{folder} must not depend on {name}"));
            }
            for (prefix, rooms) in KEPT_IN {
                if name.starts_with(prefix) && !rooms.contains(folder) {
                    faults.push(format!("{folder} must not depend on {name}; that stays in {rooms:?}"));
                }
            }
            let impure = name == RANDOM || NOT_IN_DOMAIN.iter().any(|prefix| name.starts_with(prefix));
            if *folder == "crates/domain" && impure {
                faults.push(format!("{folder} is pure and must not depend on {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_crate_stands_in_the_graph() {
    let workspace: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let members: BTreeSet<&str> = workspace["workspace"]["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let mut known: BTreeSet<&str> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    known.insert("tests");
    assert_eq!(members, known);
    for member in members {
        let manifest: toml::Table = read(&format!("{member}/Cargo.toml")).parse().expect("TOML");
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{member} follows the lints of the workspace"
        );
    }
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

/// All Rust files below a folder, with their path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files.sort();
    let name = |path: &Path| path.strip_prefix(root()).expect("below the root").display().to_string();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("text"))).collect()
}

/// Lines of code that hold `word`, without comments.
fn lines_with(folder: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        for (number, line) in text.lines().enumerate() {
            if line.split("//").next().is_some_and(|code| code.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn only_persistence_speaks_to_tables() {
    for folder in ["crates/domain/src", "crates/app/src", "crates/api/src", "crates/server/src"] {
        for word in ["Entity::find", "sea_orm", "execute_unprepared", "query_as"] {
            assert_eq!(lines_with(folder, word), [""; 0], "{word} in {folder}");
        }
    }
    let matches = lines_with("crates/persistence/src", "DbBackend::");
    let elsewhere: Vec<_> =
        matches.iter().filter(|line| !line.starts_with("crates/persistence/src/backend.rs")).collect();
    assert!(elsewhere.is_empty(), "only backend.rs knows which database it talks to: {elsewhere:?}");
    for word in ["FOR UPDATE", "lock_exclusive", "lock_shared", ".lock("] {
        let lines: Vec<_> = lines_with("crates/persistence/src", word)
            .into_iter()
            // Mutexes around what lies in memory.
            .filter(|line| !line.contains("ids.rs") && !line.contains("reads.rs"))
            .collect();
        assert!(lines.is_empty(), "SQLite drops locks without a word: {lines:?}");
    }
}

#[test]
fn the_domain_reads_no_clock_and_does_nothing_later() {
    for word in
        ["async ", ".await", "Utc::now", "SystemTime", "Instant::now", "std::fs", "std::net", "std::env"]
    {
        assert_eq!(lines_with("crates/domain/src", word), [""; 0], "{word}");
    }
}

#[test]
fn reads_beyond_the_scope_are_listed() {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("crates") {
        for (_, rest) in text.match_indices("fn unscoped_").map(|(at, found)| (at, &text[at + found.len()..]))
        {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.entry(path.clone()).or_default().insert(format!("unscoped_{name}"));
        }
    }
    let text: String = names
        .iter()
        .flat_map(|(path, names)| names.iter().map(move |name| format!("{path} {name}\n")))
        .collect();
    golden("unscoped.txt", &text);
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut documents = vec![root().join("README.md"), root().join("migrations/README.md")];
    if let Ok(folder) = std::fs::read_dir(root().join("docs")) {
        documents.extend(
            folder
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|e| e == "md")),
        );
    }
    let mut dead = Vec::new();
    for document in documents.iter().filter(|path| path.exists()) {
        let text = std::fs::read_to_string(document).expect("text");
        for (_, rest) in text.match_indices("](").map(|(at, _)| (at, &text[at + 2..])) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !document.parent().expect("a folder").join(target).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
        // Paths in code spans that look like files of this repository must exist, too.
        for span in text.split('`').skip(1).step_by(2) {
            let path = span.split([':', '#']).next().unwrap_or_default();
            let ours = ["crates/", "tests/", "migrations/", "docs/", "examples/", ".ci/"]
                .iter()
                .any(|top| path.starts_with(top));
            let plain = !path.contains(['<', '*', '{', ' ', '\n', '…', '$']);
            if ours && plain && !root().join(path).exists() {
                dead.push(format!("{}: `{path}`", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is() {
    let all = ["crates", "migrations/src", "tests"].into_iter().flat_map(sources);
    let silent: Vec<String> =
        all.filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these do not begin with //!: {silent:?}");
}
