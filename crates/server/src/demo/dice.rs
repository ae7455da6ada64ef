//! The one source of chance of the demo: the same seed and stream give the same throws on every machine.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// Whole numbers from a stream of randomness.
pub(super) struct Dice(ChaCha12Rng);

impl Dice {
    /// Dice of their own for each `stream`, so that one person's luck does not depend on another's work.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number in `0..bound`; 0 for an empty range.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // The high half of a product with 32 random bits: a bias below 1 in 2^20 for the small bounds used here.
        let product = u64::from(self.0.next_u32()) * u64::from(bound);
        (product >> 32) as u32
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True with a chance of `percent` in 100.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.permille(percent * 10)
    }

    /// True with a chance of `permille` in 1,000.
    pub(super) fn permille(&mut self, permille: u32) -> bool {
        self.below(1_000) < permille
    }

    /// One of `items`, each as likely as the others. `items` must not be empty.
    pub(super) fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
        &items[self.below(bound) as usize]
    }

    /// One of `items`, as likely as its weight says. `items` must not be empty.
    pub(super) fn weighted<'t, T>(&mut self, items: &'t [(T, u32)]) -> &'t T {
        let mut left = self.below(items.iter().map(|(_, weight)| weight).sum());
        for (item, weight) in items {
            if left < *weight {
                return item;
            }
            left -= weight;
        }
        &items[0].0
    }
}
