//! Passwords: which ones are good enough, and their slow hashes, made on a bounded pool.
//! A password is taken byte for byte as typed: never trimmed, cut or normalised, and never logged.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::text;
use tokio::sync::Semaphore;

use crate::secrets::random;

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password: far above any pass phrase, and cheap to hash.
pub const PASSWORD_CHARS_MAX: usize = 1024;

/// Cost of a hash, from the OWASP password storage cheat sheet for argon2id: 19 MiB, two passes, one lane.
const HASH_MEMORY_KIB: u32 = 19 * 1024;
const HASH_PASSES: u32 = 2;
const HASH_LANES: u32 = 1;
const HASH_SALT_BYTES: usize = 16;
const HASH_OUTPUT_BYTES: usize = 32;

/// Hashes made at one time: each takes a core and 19 MiB, so more would starve everything else.
const HASHES_AT_ONCE: usize = 2;
/// Callers that may wait for a hash: about two seconds' work. Later ones are told to come back.
const HASHES_WAITING_MAX: usize = 64;

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("common_passwords.txt").lines().filter(|line| !line.starts_with('#')).collect()
});

/// Whether `password` is good enough. `own_words` are the person's e-mail address and name.
///
/// # Errors
/// `TOO_SHORT`, `TOO_LONG`, `INVALID_CHARACTER` or `COMMON_PASSWORD`.
pub fn check(password: &str, own_words: &[&str]) -> Result<(), Problem> {
    let chars = password.chars().take(PASSWORD_CHARS_MAX + 1).count();
    if chars < PASSWORD_CHARS_MIN {
        let message = format!("At least {PASSWORD_CHARS_MIN} characters are needed; a few words are best.");
        return Err(Problem::new(Code::TooShort, message));
    }
    if chars > PASSWORD_CHARS_MAX {
        let message = format!("At most {PASSWORD_CHARS_MAX} characters are allowed.");
        return Err(Problem::new(Code::TooLong, message));
    }
    if password.chars().any(char::is_control) {
        return Err(Problem::new(Code::InvalidCharacter, "Control characters are not allowed."));
    }
    if COMMON.contains(password.to_lowercase().as_str()) {
        let message = "This password is among the most common ones; choose another.";
        return Err(Problem::new(Code::CommonPassword, message));
    }
    let letters = letters_of(password);
    let mut own =
        own_words.iter().flat_map(|word| [Some(*word), word.split_once('@').map(|(local, _)| local)]);
    if !letters.is_empty() && own.any(|word| word.is_some_and(|word| letters_of(word) == letters)) {
        let message = "The password must not be your name or e-mail address; choose another.";
        return Err(Problem::new(Code::CommonPassword, message));
    }
    Ok(())
}

fn letters_of(word: &str) -> String {
    text::fold(word).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Makes and checks hashes, few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    hasher: Argon2<'static>,
    /// One for each caller, waiting or served.
    places: Arc<Semaphore>,
    /// One for each hash being made.
    hashes: Arc<Semaphore>,
    /// Costs as much as a real hash, and no password fits it.
    dummy: Arc<str>,
}

impl Passwords {
    /// A pool of its own; make one for each process.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no random bytes.
    pub fn new() -> Result<Self> {
        let params = Params::new(HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES, Some(HASH_OUTPUT_BYTES))
            .map_err(|error| Error::Internal(format!("password cost: {error}")))?;
        let salt = STANDARD_NO_PAD.encode(random::<HASH_SALT_BYTES>()?);
        let output = STANDARD_NO_PAD.encode(random::<HASH_OUTPUT_BYTES>()?);
        let cost = format!("m={HASH_MEMORY_KIB},t={HASH_PASSES},p={HASH_LANES}");
        Ok(Self {
            hasher: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            places: Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING_MAX)),
            hashes: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            dummy: format!("$argon2id$v=19${cost}${salt}${output}").into(),
        })
    }

    /// The hash to store, as a PHC string. Check the password with [`check`] first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many callers wait.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let (hasher, password) = (self.hasher.clone(), password.to_owned());
        let salt = random::<HASH_SALT_BYTES>()?;
        self.bounded(move || {
            let hash = hasher.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|error| Error::Internal(format!("password hash: {error}")))
        })
        .await
    }

    /// Whether `password` fits the stored hash. Without a stored hash the answer is no, after the same
    /// time: an unknown account must not answer faster than a known one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many callers wait; [`Error::Internal`] when the stored hash is broken.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        // No stored hash was made of a longer one, and its bytes need not be hashed to know that.
        let fits = password.chars().nth(PASSWORD_CHARS_MAX).is_none();
        let password = if fits { password } else { "" }.to_owned();
        let known = fits && stored.is_some();
        let hash = stored.filter(|_| fits).unwrap_or(&self.dummy).to_owned();
        let hasher = self.hasher.clone();
        self.bounded(move || {
            let parsed = PasswordHash::new(&hash)
                .map_err(|error| Error::Internal(format!("stored password hash: {error}")))?;
            match hasher.verify_password(password.as_bytes(), &parsed) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(Error::Internal(format!("stored password hash: {error}"))),
            }
        })
        .await
    }

    /// Whether the stored hash was made at another cost than today's: hash the password again at the
    /// next sign-in.
    pub fn needs_rehash(&self, stored: &str) -> bool {
        let cost = PasswordHash::new(stored).ok().and_then(|hash| {
            let today =
                hash.algorithm == argon2::ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
            Params::try_from(&hash).ok().filter(|_| today)
        });
        cost.is_none_or(|cost| {
            (cost.m_cost(), cost.t_cost(), cost.p_cost()) != (HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES)
        })
    }

    /// Runs `work` off the event loop once there is room. A caller that goes away gives back its place
    /// only when the work is done, so that the bound holds whatever clients do.
    async fn bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Error::Unavailable("too many sign-ins at this moment".into()))?;
        let hash = Arc::clone(&self.hashes)
            .acquire_owned()
            .await
            .map_err(|error| Error::Internal(format!("password pool: {error}")))?;
        tokio::task::spawn_blocking(move || {
            let _permits = (place, hash);
            work()
        })
        .await
        .map_err(|error| Error::Internal(format!("password pool: {error}")))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<Code> {
        check(password, &["ada.lovelace@example.com", "Augusta Ada King"]).err().map(|problem| problem.code)
    }

    #[test]
    fn the_list_of_common_passwords_is_whole_and_folded() {
        assert_eq!(COMMON.len(), 3000);
        let fit = |word: &&str| word.chars().count() >= PASSWORD_CHARS_MIN && word.to_lowercase() == **word;
        assert!(COMMON.iter().all(fit));
    }

    #[test]
    fn short_long_common_and_own_passwords_are_refused() {
        assert_eq!(code("1234567"), Some(Code::TooShort));
        assert_eq!(code("äöüßäöü"), Some(Code::TooShort), "characters count, not bytes");
        assert_eq!(code(&"🦀".repeat(PASSWORD_CHARS_MAX + 1)), Some(Code::TooLong));
        assert_eq!(code("correct\0horse"), Some(Code::InvalidCharacter));
        for common in ["password", "Sunshine", "IloveYou", "1QAZ2wsx"] {
            assert_eq!(code(common), Some(Code::CommonPassword), "{common}");
        }
        for own in ["ada.lovelace@example.com", "Ada.Lovelace", "adalovelace", "AUGUSTA-ada-king"] {
            assert_eq!(code(own), Some(Code::CommonPassword), "{own}");
        }
        for good in ["correct horse battery", " leading and trailing ", "🦀🦀🦀🦀🦀🦀🦀🦀", "!!!!????"]
        {
            assert_eq!(code(good), None, "{good}");
        }
        assert_eq!(code(&"x".repeat(PASSWORD_CHARS_MAX)), None);
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone_and_states_the_promised_cost() {
        let passwords = Passwords::new().expect("a pool");
        // A long password that differs in its last character only, with a letter in composed form.
        let password = format!("{}é🦀", "x".repeat(PASSWORD_CHARS_MAX - 2));
        let hash = passwords.hash(&password).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&password, Some(&hash)).await.expect("an answer"));
        for wrong in [password.replace('🦀', "🦞"), password.replace('é', "e\u{301}"), format!("{password}x")]
        {
            assert!(!passwords.verify(&wrong, Some(&hash)).await.expect("an answer"));
        }
        assert!(!passwords.verify(&password, None).await.expect("an answer"));
        assert!(matches!(passwords.verify(&password, Some("plain")).await, Err(Error::Internal(_))));

        assert!(!passwords.needs_rehash(&hash));
        assert!(!passwords.needs_rehash(&passwords.dummy), "the dummy costs what a real hash costs");
        for old in [hash.replace("t=2", "t=1"), hash.replace("argon2id", "argon2i"), "plain".into()] {
            assert!(passwords.needs_rehash(&old), "{old}");
        }
    }

    #[tokio::test]
    async fn callers_beyond_the_queue_are_turned_away_and_cost_nothing() {
        let passwords = Passwords::new().expect("a pool");
        let every_place = u32::try_from(HASHES_AT_ONCE + HASHES_WAITING_MAX).expect("few places");
        let held = passwords.places.try_acquire_many(every_place).expect("all places");
        assert!(matches!(passwords.verify("correct horse", None).await, Err(Error::Unavailable(_))));
        drop(held);
        assert!(!passwords.verify("correct horse", None).await.expect("an answer"));
    }
}
