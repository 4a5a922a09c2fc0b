//! The simulator over bitcoind's JSON-RPC.
