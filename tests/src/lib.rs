//! What spans crates: the worked example as values, and fuzz targets for everything parsed from outside.
//!
//! `README.md` of this crate says which suite runs when and how to fuzz.

pub mod example;
pub mod fuzz;
