# Shortcuts for `just`; every one of them is a plain command as well.

# Everything that CI checks.
check *steps:
    tests/run {{steps}}

# The server with sample data.
demo:
    cargo run --release -- demo

# Rewrites the golden files from what the code does now; read the diff before committing it.
accept:
    ACCEPT_GOLDEN=1 tests/run test
