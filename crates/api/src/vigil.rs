//! Watches over who stands behind open connections: who signs out, is deactivated, is revoked or lets the token run
//! out loses the connection within seconds. All of the node are asked for together, in a statement for all sessions
//! and two for all tokens of API clients.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evenhand_app::App;
use evenhand_app::tokens::Identity;

/// How often they are looked up. A connection is closed at most twice this long after its session or token.
const INTERVAL: Duration = Duration::from_secs(2);

/// Who stands behind the open connections of this node.
#[derive(Default)]
pub(crate) struct Vigil {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    // How many connections each has.
    watched: HashMap<Identity, usize>,
    ended: HashSet<Identity>,
    asked_at: Option<Instant>,
}

struct Watch {
    vigil: Arc<Vigil>,
    key: Identity,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.vigil.lock();
        if let Some(connections) = state.watched.get_mut(&self.key) {
            *connections -= 1;
            if *connections == 0 {
                state.watched.remove(&self.key);
                state.ended.remove(&self.key);
            }
        }
    }
}

impl Vigil {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the token of `identity` has expired, or its session or itself has ended; for ever where nobody is
    /// signed in.
    pub(crate) async fn until_ended(self: Arc<Self>, app: App, identity: Option<Identity>) {
        let Some(key) = identity else { return std::future::pending().await };
        *self.lock().watched.entry(key).or_default() += 1;
        let watch = Watch { vigil: self, key };
        loop {
            tokio::time::sleep(INTERVAL).await;
            if key.expired_at(app.now()) || watch.vigil.has_ended(&app, key).await {
                return;
            }
        }
    }

    async fn has_ended(&self, app: &App, key: Identity) -> bool {
        let ask: Option<Vec<Identity>> = {
            let mut state = self.lock();
            let due = state.asked_at.is_none_or(|at| at.elapsed() >= INTERVAL);
            due.then(|| {
                state.asked_at = Some(Instant::now());
                state.watched.keys().copied().collect()
            })
        };
        if let Some(keys) = ask {
            match app.live_identities(&keys).await {
                Ok(live) => self.lock().ended.extend(keys.into_iter().filter(|key| !live.contains(key))),
                // The next look is soon; a database that does not answer ends nobody.
                Err(error) => tracing::warn!(%error, "who stands behind open connections was not looked up"),
            }
        }
        self.lock().ended.contains(&key)
    }
}
