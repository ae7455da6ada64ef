//! Batching of nested reads: all keys that one step of a query asks for go to the database together.
//!
//! No timer and no foreign thread: a resolver notes its key and yields once, so that its siblings, which run
//! on the same task, can note theirs; whoever comes back first fetches for all. A loader lives as long as a
//! request and belongs to its actor, so nothing is shared between callers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use evenhand_domain::error::Result;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

type Batch<K, V> = Shared<BoxFuture<'static, Result<Arc<HashMap<K, V>>>>>;

struct State<K, V> {
    waiting: HashSet<K>,
    batches: HashMap<K, Batch<K, V>>,
}

/// A batching, caching loader of values by key.
pub(crate) struct Loader<K, V>(Mutex<State<K, V>>);

impl<K, V> Default for Loader<K, V> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: HashSet::new(), batches: HashMap::new() }))
    }
}

impl<K, V> Loader<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The value of `key`; `fetch` reads many at once and leaves out what does not exist or is not visible.
    pub(crate) async fn load<F>(&self, key: K, fetch: impl FnOnce(Vec<K>) -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<HashMap<K, V>>> + Send + 'static,
    {
        {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.batches.contains_key(&key) {
                state.waiting.insert(key.clone());
            }
        }
        tokio::task::yield_now().await;
        let batch = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match state.batches.get(&key) {
                Some(batch) => batch.clone(),
                None => {
                    let keys: Vec<K> = state.waiting.drain().collect();
                    let batch = fetch(keys.clone()).map(|values| values.map(Arc::new)).boxed().shared();
                    state.batches.extend(keys.into_iter().map(|key| (key, batch.clone())));
                    batch
                }
            }
        };
        Ok(batch.await?.get(&key).cloned())
    }

    /// Forgets everything, after a change.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.batches.clear();
        state.waiting.clear();
    }
}

/// What belongs to each key with a size. One query can ask for several sizes under different names; each is a batch of
/// its own.
pub(crate) async fn by_size<K, V, F>(
    keys: Vec<(K, u32)>,
    fetch: impl Fn(Vec<K>, u32) -> F,
) -> Result<HashMap<(K, u32), V>>
where
    K: Eq + Hash,
    F: Future<Output = Result<HashMap<K, V>>>,
{
    let mut sizes: BTreeMap<u32, Vec<K>> = BTreeMap::new();
    for (key, size) in keys {
        sizes.entry(size).or_default().push(key);
    }
    let mut found = HashMap::new();
    for (size, keys) in sizes {
        found.extend(fetch(keys, size).await?.into_iter().map(|(key, value)| ((key, size), value)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_each_other_is_fetched_together_and_once() {
        let loader = Loader::<u32, u32>::default();
        let fetches = Mutex::new(Vec::new());
        let load = |key: u32| {
            loader.load(key, |mut keys| {
                keys.sort_unstable();
                fetches.lock().expect("a list").push(keys.clone());
                async move { Ok(keys.into_iter().filter(|key| *key < 3).map(|key| (key, key * 10)).collect()) }
            })
        };
        let found = futures_util::future::join_all([1, 2, 3, 1].map(load)).await;
        let found: Vec<_> = found.into_iter().map(|value| value.expect("loaded")).collect();
        assert_eq!(found, [Some(10), Some(20), None, Some(10)]);
        assert_eq!(*fetches.lock().expect("a list"), [[1, 2, 3]]);
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_half_way_leaves_nothing_behind() {
        let asker = Arc::new(());
        let loader = Arc::new(Loader::<u32, u32>::default());
        let taken = Arc::clone(&asker);
        let load = loader.load(1, |_| async move {
            std::future::pending::<()>().await;
            drop(taken);
            Ok(HashMap::new())
        });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), load).await;
        assert!(waited.is_err() && Arc::strong_count(&asker) == 2, "it is being fetched");
        drop(loader);
        assert_eq!(Arc::strong_count(&asker), 1);
    }
}
