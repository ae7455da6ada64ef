//! A clock that stands still until the test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration};
use evenhand_domain::time::{Clock, Timestamp};

/// The instant at which every test begins.
pub(crate) const START: &str = "2026-01-15T09:00:00Z";

/// Microseconds since 1970.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self::at(Timestamp::parse(START).expect("an instant"))
    }

    /// A clock that begins at another instant.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.micros()))
    }

    /// Lets `duration` pass for the whole application.
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.fetch_add(duration.num_microseconds().expect("a short time"), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::SeqCst);
        Timestamp::new(DateTime::from_timestamp_micros(micros).expect("a sane clock"))
    }
}
