//! A state that holds nothing, to try things out on.

use super::layer::{Entries, KeyRange, Order, ReadState};
use crate::error::Broken;

/// Nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Empty;

impl ReadState for Empty {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        Ok(None)
    }
    fn scan<'a>(&'a self, _: &KeyRange, _: Order) -> Entries<'a> {
        Box::new(std::iter::empty())
    }
}
