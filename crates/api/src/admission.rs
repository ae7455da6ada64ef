//! How many requests run at the same time. A few wait a short while for their turn; the rest is told at once to
//! come back, which costs next to nothing, so that those who run are not slowed down by those who cannot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use evenhand_domain::id::OrganizationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{Limits, QUEUE_TIMEOUT};

/// The doorkeeper of this node.
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    of_one: usize,
    organizations: Mutex<HashMap<Option<OrganizationId>, Arc<Semaphore>>>,
}

/// The right to run; it ends when this is dropped.
pub(crate) struct Permit {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.in_flight)),
            waiting: Arc::new(Semaphore::new(limits.queue)),
            of_one: limits.in_flight_of_one,
            organizations: Mutex::default(),
        }
    }

    /// Waits for the turn of a request of `organization`; none when too many wait, or it takes too long.
    pub(crate) async fn enter(&self, organization: Option<OrganizationId>) -> Option<Permit> {
        let of_one = self.of_one(organization);
        let (one, all) = (Arc::clone(&of_one), Arc::clone(&self.all));
        if let (Ok(one), Ok(all)) = (of_one.try_acquire_owned(), Arc::clone(&self.all).try_acquire_owned()) {
            return Some(Permit { _of_one: one, _of_all: all });
        }
        let _place = Arc::clone(&self.waiting).try_acquire_owned().ok()?;
        let turn = async {
            // First one's own share: whoever waits for it must not hold what others could use.
            Some(Permit {
                _of_one: one.acquire_owned().await.ok()?,
                _of_all: all.acquire_owned().await.ok()?,
            })
        };
        tokio::time::timeout(QUEUE_TIMEOUT, turn).await.ok().flatten()
    }

    /// Whether as many run and wait as may: whoever comes now is told to come back before anything is read.
    pub(crate) fn is_full(&self) -> bool {
        self.all.available_permits() == 0 && self.waiting.available_permits() == 0
    }

    fn of_one(&self, organization: Option<OrganizationId>) -> Arc<Semaphore> {
        let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        // As many entries as requests can run or wait; the others are idle.
        if organizations.len() > self.all.available_permits() + 1_000 {
            organizations.retain(|_, permits| Arc::strong_count(permits) > 1);
        }
        let permits =
            organizations.entry(organization).or_insert_with(|| Arc::new(Semaphore::new(self.of_one)));
        Arc::clone(permits)
    }
}
