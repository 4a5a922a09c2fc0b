//! One command: a regtest Bitcoin node, the embedded staking chain and all roles; the guided demo.

use std::process::ExitCode;

fn main() -> ExitCode {
    btc_staking_devnet::cli::main_with(std::env::args_os())
}
