//! The program `evenhand`.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenhand_server::cli::main()
}
