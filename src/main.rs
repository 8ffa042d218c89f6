//! `sportello`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    sportello::commands::main()
}
