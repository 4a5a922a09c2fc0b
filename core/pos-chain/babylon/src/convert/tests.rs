//! Round trips and traps of the conversions.

mod messages;
mod records;
mod samples;
mod traps;
