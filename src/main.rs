//! The `landfast` program. Everything is in the library; see `landfast::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    landfast::cli::main()
}
