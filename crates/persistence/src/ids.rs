//! Where ids come from: UUIDv7 of the operation's `now` and a seeded source of randomness.

use std::sync::Mutex;

use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::EntityId;
use evenhand_domain::time::Timestamp;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use uuid::Uuid;

/// Makes ids. With a fixed seed and a fixed clock the same calls give the same ids.
#[derive(Debug)]
pub struct IdSource(Mutex<ChaCha12Rng>);

impl IdSource {
    /// A source for tests and demos.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(seed)))
    }

    /// A source seeded by the operating system.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system has no randomness to give.
    pub fn from_os() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
        Ok(Self(Mutex::new(ChaCha12Rng::from_seed(seed))))
    }

    /// The next id, ordered by `now` to the millisecond.
    pub fn next<I: EntityId>(&self, now: Timestamp) -> I {
        let mut random = [0; 10];
        // A poisoned lock only means that another thread panicked between two draws; the state stays valid.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(&mut random);
        let millis = u64::try_from(now.micros() / 1000).unwrap_or(0);
        I::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// A raw id, for rows that have no typed one.
    pub(crate) fn raw(&self, now: Timestamp) -> Uuid {
        self.next::<evenhand_domain::id::EventId>(now).uuid()
    }
}
