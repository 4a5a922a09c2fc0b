//! What modules do outside transactions, in the order of `chain.md` 13.

use super::{
    bank,
    context::{BlockInfo, Ctx},
    costaking, distribution, epochs, feegrant, finality, incentive, light_client, mint, restore, staking,
};
use crate::{error::Failure, event::Event, genesis::Genesis, state::State};
use btc_staking_protocol::height::BtcDepth;

/// Writes the state a chain starts from.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    if let Some(imported) = &genesis.imported {
        return restore::import(state, &imported.modules).map_err(Failure::from);
    }
    bank::init(state, genesis)?;
    mint::init(state, genesis)?;
    incentive::init(state, genesis)?;
    costaking::init(state, genesis)?;
    light_client::init(state, genesis)?;
    epochs::init(state, genesis)?;
    staking::params::init(state, genesis)?;
    staking::lists::init(state, genesis)?;
    finality::records::init(state, genesis)?;
    staking::index::update(state)
}

/// Runs before the transactions of a block.
pub(crate) fn begin(state: &mut State<'_>, block: &BlockInfo) -> Result<Vec<Event>, Failure> {
    let mut ctx = Ctx::new(state, block);
    epochs::pre_block(&mut ctx)?;
    // Events from before the beginning of a block say no phase.
    let mut events = std::mem::take(&mut ctx.events);
    mint::begin_block(&mut ctx)?;
    incentive::begin_block(&mut ctx)?;
    costaking::begin_block(&mut ctx)?;
    distribution::begin_block(&mut ctx)?;
    epochs::begin_block(&mut ctx)?;
    finality::power::begin_block(&mut ctx)?;
    events.extend(in_phase(ctx.events, "BeginBlock"));
    Ok(events)
}

/// Runs after the transactions of a block.
pub(crate) fn end(state: &mut State<'_>, block: &BlockInfo) -> Result<Vec<Event>, Failure> {
    let mut ctx = Ctx::new(state, block);
    feegrant::end_block(&mut ctx)?;
    epochs::end_block(&mut ctx)?;
    epochs::checkpoint::evaluate(&mut ctx)?;
    let k = epochs::params(ctx.state)?.confirmation_depth;
    light_client::check_halt(ctx.state, BtcDepth::new(k))?;
    finality::end_block(&mut ctx)?;
    staking::index::update(ctx.state)?;
    Ok(in_phase(ctx.events, "EndBlock"))
}

fn in_phase(events: Vec<Event>, phase: &str) -> Vec<Event> {
    events.into_iter().map(|event| event.with("mode", phase)).collect()
}
