//! The `eots-manager` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    btc_staking_eots_manager::cli::main_with(std::env::args_os())
}
