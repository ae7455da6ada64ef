//! Token buckets: how much a person, an organisation or an address may ask for in a time.
//!
//! On PostgreSQL all nodes share a bucket: a node takes a slice of it with one statement and spends that from
//! memory, so a light request costs no statement and the nodes together never admit more than the bucket holds.
//! What a node has taken and not spent is lost to the others for a moment, at most a slice each. On SQLite there
//! is one node, and the buckets live in its memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::Duration;
use evenhand_domain::error::Result;
use evenhand_domain::time::Timestamp;

use crate::door::App;

/// A slice is this part of a bucket: three nodes then hold back less than a tenth of it.
const SLICES: u32 = 32;
/// How long a slice may be spent, in seconds.
const SLICE_SECONDS: i64 = 10;
/// Buckets that are remembered; those that nobody draws from are forgotten first.
const BUCKETS_MAX: usize = 50_000;

/// How much a bucket holds and how fast it fills, in points of cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Most that can be spent at once; 0 is without limit.
    pub capacity: u32,
    /// Points that flow in, for each second.
    pub per_second: u32,
}

/// How a bucket stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Most that can be spent at once.
    pub limit: u32,
    /// What is left, as far as this node knows.
    pub remaining: u32,
    /// Seconds until the bucket is full again.
    pub reset_s: u32,
    /// Seconds until the request could succeed; none when it may run.
    pub retry_after_s: Option<u32>,
}

/// The buckets as this node knows them.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<HashMap<String, Local>>);

#[derive(Clone, Copy)]
struct Local {
    // Points that were taken from the shared bucket and are not spent.
    slice: u32,
    slice_until: Timestamp,
    // When the shared bucket will be full, in microseconds since 1970.
    full_at: i64,
    // Until then the shared bucket has nothing for us.
    empty_until: Timestamp,
}

impl Rate {
    fn micros_for(self, points: u32) -> i64 {
        i64::from(points) * 1_000_000 / i64::from(self.per_second.max(1))
    }

    fn quota(self, local: &Local, now: Timestamp, retry_after_s: Option<u32>) -> Quota {
        let missing_us = (local.full_at - now.micros()).max(0);
        let missing = missing_us.saturating_mul(self.per_second.into()) / 1_000_000;
        let remaining = (i64::from(self.capacity) - missing).max(0) + i64::from(local.slice);
        Quota {
            limit: self.capacity,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX).min(self.capacity),
            reset_s: seconds(missing_us),
            retry_after_s,
        }
    }
}

fn seconds(micros: i64) -> u32 {
    u32::try_from((micros.max(0) + 999_999) / 1_000_000).unwrap_or(u32::MAX)
}

impl Quotas {
    fn with<T>(&self, bucket: &str, now: Timestamp, change: impl FnOnce(&mut Local) -> T) -> T {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(bucket) {
            buckets.retain(|_, local| now.micros() < local.full_at);
        }
        let fresh = Local { slice: 0, slice_until: now, full_at: 0, empty_until: now };
        change(buckets.entry(bucket.to_owned()).or_insert(fresh))
    }
}

impl App {
    /// Spends `cost` from each of the buckets, or from none. Answers the tightest of them.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn spend(&self, buckets: &[(String, Rate)], cost: u32) -> Result<Option<Quota>> {
        let now = self.now();
        let mut tightest: Option<Quota> = None;
        for (index, (bucket, rate)) in buckets.iter().enumerate().filter(|(_, (_, rate))| rate.capacity > 0) {
            let quota = self.take(bucket, *rate, cost, now).await?;
            if quota.retry_after_s.is_some() {
                for (paid, rate) in buckets[..index].iter().filter(|(_, rate)| rate.capacity > 0) {
                    self.quotas().with(paid, now, |local| {
                        local.slice = (local.slice + cost).min(rate.capacity);
                        local.slice_until = now.plus(Duration::seconds(SLICE_SECONDS));
                    });
                }
                return Ok(Some(quota));
            }
            if tightest.is_none_or(|it| quota.remaining < it.remaining) {
                tightest = Some(quota);
            }
        }
        Ok(tightest)
    }

    async fn take(&self, bucket: &str, rate: Rate, cost: u32, now: Timestamp) -> Result<Quota> {
        let shared = !self.store().is_sqlite();
        // A request that costs more than the bucket holds empties it.
        let cost = cost.min(rate.capacity);
        let slice = if shared { cost.max(rate.capacity / SLICES) } else { cost };
        let known = self.quotas().with(bucket, now, |local| {
            if local.slice_until <= now {
                local.slice = 0;
            }
            if local.slice >= cost {
                local.slice -= cost;
                return Some(rate.quota(local, now, None));
            }
            let wait = local.empty_until.micros() - now.micros();
            (wait > 0).then(|| rate.quota(local, now, Some(seconds(wait))))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let (need, burst) = (rate.micros_for(slice), rate.micros_for(rate.capacity));
        let taken = if shared {
            self.store().take_quota(bucket, need, burst, now).await?
        } else {
            self.quotas().with(bucket, now, |local| {
                let full_at = local.full_at.max(now.micros()) + need;
                (full_at <= now.micros() + burst).then_some(full_at)
            })
        };
        Ok(self.quotas().with(bucket, now, |local| match taken {
            Some(full_at) => {
                local.full_at = full_at;
                local.slice += slice - cost;
                local.slice_until = now.plus(Duration::seconds(SLICE_SECONDS));
                rate.quota(local, now, None)
            }
            None => {
                // At least a slice must flow in before it is worth asking again.
                let wait = if shared { need } else { local.full_at + need - burst - now.micros() };
                local.empty_until = now.plus(Duration::microseconds(wait));
                rate.quota(local, now, Some(seconds(wait).max(1)))
            }
        }))
    }
}
