//! Round trips and traps of the conversions.

mod messages;
mod properties;
mod records;
mod samples;
mod traps;
