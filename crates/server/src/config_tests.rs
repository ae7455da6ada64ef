//! The settings under test: precedence, and refusal with key, origin and reason.

use super::*;

const STRONG: &str = "q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5GaE";

fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("user.toml");
    std::fs::write(&path, file).expect("written");
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let environment = pairs(environment).into_iter().collect();
    Settings::load(Some(&path), Some(environment), pairs(flags)).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_whole_and_as_documented() {
    let settings = load("", &[], &[]).expect("settings");
    assert_eq!(settings.database.url.expose(), "sqlite://evenhand.db");
    assert_eq!(settings.http.address.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.http.body_bytes_max, 1_048_576);
    assert!(settings.http.trusted_proxies.is_empty());
    assert_eq!(settings.auth.access_token_minutes, 10);
    assert_eq!(settings.days.close_after, 2);
    assert!(!settings.mail.is_configured());
    assert_eq!(settings.log.format, LogFormat::Text);
    assert!(settings.worker.enabled);
    for (key, _, range) in settings.ranges() {
        for end in [range.start(), range.end()] {
            let documented =
                DEFAULT_FILE.lines().any(|line| line.starts_with('#') && line.contains(&end.to_string()));
            assert!(documented, "{key}: {end}");
        }
    }
}

#[test]
fn each_layer_beats_the_one_before() {
    let file = "[http]\nworkers = 2\nbody_bytes_max = 2048\npublic_url = \"https://sales.example.com/\"\n\
                [log]\nformat = \"json\"";
    let environment = [
        ("EVENHAND_HTTP__WORKERS", "3"),
        ("EVENHAND_HTTP__BODY_BYTES_MAX", "4096"),
        ("EVENHAND_HTTP__TRUSTED_PROXIES", "10.0.0.1, ::1"),
        ("EVENHAND_WORKER__ENABLED", "false"),
        ("EVENHAND_AUTH__SECRET", "31415926535897932384626433832795028841"),
        ("HTTP__WORKERS", "9"),
        ("PATH", "/bin"),
    ];
    let settings = load(file, &environment, &[("http.workers", "4")]).expect("settings");
    assert_eq!(settings.http.workers, 4, "flag");
    assert_eq!(settings.http.body_bytes_max, 4096, "environment");
    assert_eq!(settings.http.trusted_proxies.len(), 2);
    assert!(!settings.worker.enabled);
    assert_eq!(settings.http.public_url, "https://sales.example.com", "file, without the slash");
    assert_eq!(settings.log.format, LogFormat::Json, "file");
    let secret = settings.sealing_secret().expect("a secret");
    assert_eq!(secret.expose(), "31415926535897932384626433832795028841", "digits stay a text");
}

#[test]
fn unknown_keys_are_refused_with_their_layer_and_the_nearest_key() {
    let refused = |file, environment: &[_], flags: &[_]| load(file, environment, flags).expect_err("refused");
    let text = refused("[http]\nadress = \"x\"\n[htttp]\nport = 1", &[], &[]);
    assert!(text.contains("http.adress (file ") && text.contains("htttp.port (file "), "{text}");
    let text = refused("", &[("EVENHAND_DATABASE_URL", "sqlite://x.db")], &[]);
    assert!(text.contains("did you mean database.url (in the environment EVENHAND_DATABASE__URL)"), "{text}");
    for (file, variable, flag) in
        [("port = 1", "EVENHAND_X", "x"), ("[http.address]\nx = 1", "EVENHAND_HTTP__", "http")]
    {
        refused(file, &[], &[]);
        refused("", &[(variable, "1")], &[]);
        refused("", &[], &[(flag, "1")]);
    }
}

#[test]
fn bad_values_are_refused_with_key_origin_and_reason() {
    for (file, expected) in [
        ("[http]\nworkers = true", "http.workers (file "),
        ("[http]\nworkers = 1.5", "expected a whole number"),
        ("[http]\nworkers = \"2\"", "expected a whole number"),
        ("[http]\nworkers = -1", "http.workers (file "),
        ("[http]\naddress = \"localhost\"", "http.address (file "),
        ("[http]\ntrusted_proxies = [\"proxy\"]", "http.trusted_proxies[0] (file "),
        ("[http]\ntrusted_proxies = \"10.0.0.1\"", "expected a list"),
        ("[limits]\nin_flight = 10001", "10001 is not in the range 0 to 10000"),
        ("[days]\nclose_after = 366", "366 is not in the range 0 to 365"),
        ("[quotas]\nuser_capacity = -1", "quotas.user_capacity"),
        ("[http]\npublic_url = \"example.com\"", "http.public_url (file "),
        ("[log]\nformat = \"xml\"", "log.format (file "),
        ("[log]\nfilter = \"evenhand=loud\"", "log.filter (file "),
        ("[database]\nurl = \"mysql://host\"", "database.url (file "),
        ("[mail]\nsmtp_url = \"smtp://host\"", "mail.from (default)"),
        ("[auth]\nissuer = \"\"", "auth.issuer (file "),
        ("[auth]\nrefresh_idle_days = 60\nrefresh_absolute_days = 30", "auth.refresh_idle_days (file "),
        ("[auth", "cannot be read"),
    ] {
        let text = load(file, &[], &[]).expect_err(file);
        assert!(text.contains(expected), "{file}: {text}");
    }
    let environment =
        [("EVENHAND_AUTH__ACCESS_TOKEN_MINUTES", "11"), ("EVENHAND_AUTH__INVITATION_DAYS", "0")];
    let text = load("", &environment, &[("http.body_bytes_max", "1")]).expect_err("refused");
    assert!(text.contains("(EVENHAND_AUTH__ACCESS_TOKEN_MINUTES): 11 is not in the range 1 to 10"), "{text}");
    assert!(text.contains("auth.invitation_days") && text.contains("http.body_bytes_max (flag)"), "{text}");
    let text = load("", &[("EVENHAND_WORKER__ENABLED", "yes")], &[]).expect_err("refused");
    assert!(text.contains("\"yes\" is not true or false"), "{text}");
    let missing = Settings::load(Some(Path::new("/nowhere/user.toml")), Some(HashMap::new()), Vec::new());
    assert!(missing.expect_err("refused").to_string().contains("file /nowhere/user.toml"));
}

#[test]
fn secrets_are_strong_or_refused_and_never_shown() {
    let text = load("", &[("EVENHAND_AUTH__SECRET", "changeme")], &[]).expect_err("refused");
    assert!(text.contains("auth.secret (EVENHAND_AUTH__SECRET): too weak: it has 8 bytes"), "{text}");
    assert!(!text.contains("changeme"));
    let hidden = [
        ("auth.secret", STRONG),
        ("database.url", "postgres://ada:hidden@host/db"),
        ("mail.smtp_url", "smtp://ada:hidden@host"),
        ("mail.from", "no-reply@example.com"),
    ];
    let shown = format!("{:?}", load("", &[], &hidden).expect("settings"));
    assert!(!shown.contains(STRONG) && !shown.contains("hidden@"), "{shown}");
}

#[test]
fn without_a_secret_sqlite_gets_one_and_postgresql_is_refused() {
    let secret = |url: &str| {
        load("", &[], &[("database.url", url)]).expect("settings").sealing_secret().map_err(|e| e.to_string())
    };
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("e.db").display());
    assert_eq!(secret(&url).expect("made"), secret(&url).expect("read"));
    assert!(directory.path().join("e.db.key").exists());
    assert_ne!(secret("sqlite::memory:").expect("made"), secret("sqlite::memory:").expect("made"));
    assert!(secret("postgres://host/db").expect_err("refused").contains("EVENHAND_AUTH__SECRET"));
}
