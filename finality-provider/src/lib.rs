//! The voting daemon.
