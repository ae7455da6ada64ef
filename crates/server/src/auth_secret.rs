//! The secret that seals the signing keys: whether one is strong enough, and the key file beside a SQLite
//! database that holds the one made for an installation that names none. Secrets are never shown.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Fewest bytes of a secret, and the random bytes of a made one: 256 bits.
const SECRET_BYTES_MIN: usize = 32;
/// Fewest different characters. 32 random hexadecimal digits have fewer once in millions.
const SECRET_CHARS_DISTINCT_MIN: usize = 10;
/// Longest key file that is read.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// What people write while a secret is missing. Refused where these words are half of the text or more.
const PLACEHOLDER_WORDS: &[&str] = &[
    "secret",
    "password",
    "passwort",
    "passphrase",
    "changeme",
    "change",
    "evenhand",
    "example",
    "default",
    "please",
    "insecure",
    "development",
    "production",
    "replace",
    "qwerty",
    "letmein",
    "admin",
    "token",
    "value",
    "super",
    "long",
    "test",
    "demo",
    "here",
    "this",
    "with",
    "your",
    "key",
    "jwt",
    "my",
];

/// A text that is used but never shown: `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the code that needs it; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Why a secret protects nothing, in words for its owner; `None` where it is strong enough.
pub(crate) fn weakness(secret: &str) -> Option<String> {
    if secret.len() < SECRET_BYTES_MIN {
        return Some(format!("it has {} bytes, and at least {SECRET_BYTES_MIN} are needed", secret.len()));
    }
    let chars = secret.chars().collect::<Vec<_>>();
    let distinct = chars.iter().collect::<BTreeSet<_>>().len();
    if distinct < SECRET_CHARS_DISTINCT_MIN {
        return Some(format!(
            "it has {distinct} different characters, and at least {SECRET_CHARS_DISTINCT_MIN} are needed"
        ));
    }
    if (1..=chars.len() / 2).any(|period| chars.iter().zip(&chars[period..]).all(|(one, next)| one == next)) {
        return Some("it repeats a pattern".into());
    }
    let step = |pair: &&[char]| u32::from(pair[0]).abs_diff(u32::from(pair[1])) <= 1;
    if chars.windows(2).filter(step).count() * 2 >= chars.len() {
        return Some("it runs like abc or 123".into());
    }
    let mut rest = secret.to_lowercase();
    for word in PLACEHOLDER_WORDS {
        rest = rest.replace(word, "");
    }
    let count = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    if count(&rest) * 2 <= count(secret) {
        return Some("it is made of well-known words".into());
    }
    None
}

/// The file of a SQLite URL; `None` for a database in memory.
pub(crate) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let in_memory =
        path.is_empty() || path == ":memory:" || query.split('&').any(|pair| pair == "mode=memory");
    (!in_memory).then(|| PathBuf::from(path))
}

/// A new secret.
///
/// # Errors
/// The reason, where the operating system gives no random bytes.
pub(crate) fn generate() -> Result<Secret, String> {
    let mut bytes = [0; SECRET_BYTES_MIN];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(Secret(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The secret in the key file of `database`, made first where it is missing. Of two processes that start
/// at once, one makes the file and both read it.
///
/// # Errors
/// The reason, with the path: the file cannot be made or read, is open to others, or holds a weak secret.
pub(crate) fn from_key_file(database: &Path) -> Result<Secret, String> {
    let mut path = database.as_os_str().to_owned();
    path.push(".key");
    let path = PathBuf::from(path);
    let describe = |error: std::io::Error| format!("key file {}: {error}", path.display());
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(&path, &generate()?).map_err(describe)?;
            File::open(&path)
        }
        opened => opened,
    };
    read(file.map_err(describe)?, &path)
}

/// Writes the whole file under another name and links it into place: nobody ever reads half a key, and a
/// key that is there already wins.
fn create(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name is durable only once the directory is; the key must not be lost after it sealed something.
    #[cfg(unix)]
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(())
}

fn read(file: File, path: &Path) -> Result<Secret, String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(format!(
                "key file {path} is open to other users of this machine; run: chmod 600 {path}"
            ));
        }
    }
    let mut text = String::new();
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| format!("key file {}: {error}", path.display()))?;
    let secret = text.trim();
    match weakness(secret) {
        None => Ok(Secret::new(secret)),
        Some(weakness) => Err(format!("key file {}: {weakness}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_refused_with_the_reason() {
        let pi = "3141592653589793238462643383279502884197";
        for (secret, reason) in [
            ("", "0 bytes"),
            ("q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5Ga", "31 bytes"),
            ("abababbbabaabbbababbbababaabbabbabab", "2 different"),
            ("q7Vn2xKf9Lw4Zt8Rq7Vn2xKf9Lw4Zt8R", "repeats"),
            ("q7Vn2xKf9Lwq7Vn2xKf9Lwq7Vn2xKf9Lwq7Vn", "repeats"),
            ("abcdefghijklmnopqrstuvwxyz0123456789", "runs"),
            ("please-change-this-secret-key-password", "well-known words"),
            ("my-super-secret-evenhand-jwt-key-2024!", "well-known words"),
        ] {
            let weakness = weakness(secret).expect(secret);
            assert!(weakness.contains(reason), "{secret}: {weakness}");
        }
        for strong in ["q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5GaE", "9f86d081884c7d659a2feaa0c55ad015", pi] {
            assert_eq!(weakness(strong), None, "{strong}");
        }
        for _ in 0..1000 {
            assert_eq!(weakness(generate().expect("a secret").expose()), None);
        }
    }

    #[test]
    fn the_file_of_a_database_is_found_in_its_url() {
        let path = |url| sqlite_path(url).map(|path| path.display().to_string());
        assert_eq!(path("sqlite://evenhand.db").as_deref(), Some("evenhand.db"));
        assert_eq!(path("sqlite:///var/lib/e.db?mode=rwc").as_deref(), Some("/var/lib/e.db"));
        assert_eq!(path("sqlite:e.db").as_deref(), Some("e.db"));
        for none in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x?mode=memory", "postgres://host/db"] {
            assert_eq!(path(none), None, "{none}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("evenhand.db");
        let made = from_key_file(&database).expect("made");
        assert_eq!(from_key_file(&database).expect("read"), made);
        create(&directory.path().join("evenhand.db.key"), &generate().expect("a secret"))
            .expect("left alone");
        assert_eq!(from_key_file(&database).expect("read"), made, "the first key wins");
        assert_eq!(std::fs::read_dir(&directory).expect("listed").count(), 1, "no draft is left");
        assert!(!format!("{made:?}").contains(made.expose()));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_or_that_is_weak_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let (database, key) = (directory.path().join("e.db"), directory.path().join("e.db.key"));
        from_key_file(&database).expect("made");
        let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).expect("mode");
        assert_eq!(std::fs::metadata(&key).expect("made").permissions().mode() & 0o777, 0o600);
        mode(0o644);
        assert!(from_key_file(&database).is_err_and(|reason| reason.contains("chmod 600")));
        mode(0o600);
        std::fs::write(&key, "short").expect("written");
        assert!(from_key_file(&database).is_err_and(|reason| reason.contains("5 bytes")));
    }
}
