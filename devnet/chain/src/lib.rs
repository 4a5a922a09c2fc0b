//! The embedded staking chain: Babylon's rules as one application behind a CometBFT-compatible RPC.
