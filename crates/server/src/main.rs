//! The program `evenhand`.

use std::process::ExitCode;

// A request makes thousands of small objects, which this one hands out faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evenhand_server::cli::main()
}
