//! Watches over the sessions behind open connections: who signs out, is deactivated or lets the token run out
//! loses the connection within seconds. One statement asks for all sessions of the node together.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evenhand_app::App;
use evenhand_app::tokens::Identity;
use evenhand_domain::id::{OrganizationId, SessionId};

/// How often the sessions are looked up. A connection is closed at most twice this long after its session.
const INTERVAL: Duration = Duration::from_secs(2);

type Key = (OrganizationId, SessionId);

/// The sessions of the open connections of this node.
#[derive(Default)]
pub(crate) struct Vigil {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    // How many connections each session has.
    watched: HashMap<Key, usize>,
    ended: HashSet<Key>,
    asked_at: Option<Instant>,
}

struct Watch {
    vigil: Arc<Vigil>,
    key: Key,
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

    /// Waits until the token of `identity` has expired or its session has ended; for ever where nobody is
    /// signed in.
    pub(crate) async fn until_ended(self: Arc<Self>, app: App, identity: Option<Identity>) {
        let Some(identity) = identity else { return std::future::pending().await };
        let key = (identity.organization, identity.session);
        *self.lock().watched.entry(key).or_default() += 1;
        let watch = Watch { vigil: self, key };
        loop {
            tokio::time::sleep(INTERVAL).await;
            if identity.expired_at(app.now()) || watch.vigil.has_ended(&app, key).await {
                return;
            }
        }
    }

    async fn has_ended(&self, app: &App, key: Key) -> bool {
        let ask: Option<Vec<Key>> = {
            let mut state = self.lock();
            let due = state.asked_at.is_none_or(|at| at.elapsed() >= INTERVAL);
            due.then(|| {
                state.asked_at = Some(Instant::now());
                state.watched.keys().copied().collect()
            })
        };
        if let Some(keys) = ask {
            match app.live_sessions(&keys).await {
                Ok(live) => self.lock().ended.extend(keys.into_iter().filter(|key| !live.contains(key))),
                // The next look is soon; a database that does not answer ends no session.
                Err(error) => tracing::warn!(%error, "the sessions of open connections were not looked up"),
            }
        }
        self.lock().ended.contains(&key)
    }
}
