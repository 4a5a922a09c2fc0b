//! Events of a block.

use super::BabylonReader;
use crate::events::decode_event;
use async_trait::async_trait;
use btc_staking_pos_chain::{
    Listing, Result,
    event::{ChainEvent, EventReader, HintReader, Hints},
};
use btc_staking_protocol::height::PosHeight;

#[async_trait]
impl EventReader for BabylonReader {
    async fn fetch_events(&self, height: PosHeight) -> Result<Listing<ChainEvent>> {
        let results = self.rpc.block_results(height.to_u64()).await;
        let results = results.map_err(|error| error.into_chain_error("block_results"))?;
        let mut listing = Listing { items: Vec::new(), malformed: Vec::new() };
        for raw in results.tx_events.iter().chain(&results.block_events) {
            match decode_event(raw) {
                Ok(event) => listing.items.extend(event),
                Err(error) => listing.malformed.push(format!("event of block {height}: {error}")),
            }
        }
        Ok(listing)
    }
}

impl HintReader for BabylonReader {
    fn block_hints(&self) -> Box<dyn Hints> {
        self.rpc.block_hints()
    }
}
