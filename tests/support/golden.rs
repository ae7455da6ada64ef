//! Files that hold what the product promised last time. Review reads their diff.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A text file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares `actual` with a file of `tests/golden`, or writes the file when `ACCEPT_GOLDEN=1`.
#[track_caller]
pub(crate) fn golden(name: &str, actual: &str) {
    committed(&format!("tests/golden/{name}"), actual);
}

/// Compares `actual` with a committed file, or writes the file when `ACCEPT_GOLDEN=1`.
#[track_caller]
pub(crate) fn committed(path: &str, actual: &str) {
    let file = root().join(path);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected == actual {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "the switch of whoever runs the tests")]
    let accept = std::env::var("ACCEPT_GOLDEN").is_ok_and(|value| value == "1");
    if accept {
        std::fs::write(&file, actual).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    panic!(
        "{path} is not what the code says now:\n{}\nACCEPT_GOLDEN=1 tests/run test rewrites it; then read its diff.",
        difference(&expected, actual)
    );
}

/// The lines that only one of the two texts has, in their order, at most 60.
fn difference(expected: &str, actual: &str) -> String {
    let only_in = |text: &str, other: &str, sign: char| {
        let other: std::collections::HashSet<&str> = other.lines().collect();
        text.lines()
            .filter(|line| !other.contains(line))
            .map(|line| format!("{sign} {line}"))
            .collect::<Vec<_>>()
    };
    let mut lines = only_in(expected, actual, '-');
    lines.extend(only_in(actual, expected, '+'));
    if lines.is_empty() {
        return "(the same lines in another order or number)".into();
    }
    lines.truncate(60);
    lines.join("\n")
}
