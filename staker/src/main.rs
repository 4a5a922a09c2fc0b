//! The holder's command line, wired to Babylon's chain.

use btc_staking_babylon::connector::BabylonConnector;
use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    btc_staking_staker::main_with(std::env::args_os(), Arc::new(BabylonConnector))
}
