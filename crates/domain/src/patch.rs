//! Three-way input for a value that may be absent: leave it, take it away, or set it.
//! `Option` cannot say "take it away", so inputs of updates use this for optional values.

/// What an update does to an optional value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Take it away.
    Clear,
    /// Set it.
    Set(T),
}

impl<T> Patch<T> {
    /// Checks the value to be set, if there is one.
    ///
    /// # Errors
    /// What `check` says.
    pub fn check<U, E>(&self, check: impl FnOnce(&T) -> Result<U, E>) -> Result<Patch<U>, E> {
        Ok(match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(check(value)?),
        })
    }

    /// The value after the patch, where `present` is the one before it.
    pub fn apply(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_keeps_clears_or_sets() {
        for (patch, present, after) in [
            (Patch::Keep, Some(1), Some(1)),
            (Patch::Keep, None, None),
            (Patch::Clear, Some(1), None),
            (Patch::Set(2), Some(1), Some(2)),
            (Patch::Set(2), None, Some(2)),
        ] {
            assert_eq!(patch.clone().apply(present), after, "{patch:?} on {present:?}");
        }
        assert_eq!(Patch::Set("x").check(|_| Err::<(), _>("no")), Err("no"));
        assert_eq!(Patch::<&str>::Clear.check(|_| Err::<(), _>("no")), Ok(Patch::Clear));
    }
}
