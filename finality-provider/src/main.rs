//! The `finality-provider` program: its library with the Babylon adapter.

use btc_staking_babylon::connector::BabylonConnector;
use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    btc_staking_finality_provider::cli::main_with(std::env::args_os(), Arc::new(BabylonConnector))
}
