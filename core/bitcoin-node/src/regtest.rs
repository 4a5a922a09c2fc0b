//! Runs bitcoind on regtest.
