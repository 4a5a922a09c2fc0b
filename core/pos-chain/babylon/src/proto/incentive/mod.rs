//! `babylon.incentive`: rewards of stakers and finality providers. The package has no version suffix.

mod genesis;
mod messages;
mod records;

pub use genesis::*;
pub use messages::*;
pub use records::event_power_update;
pub use records::*;
