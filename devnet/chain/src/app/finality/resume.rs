//! Resuming finality after too many finality providers stopped voting (`chain.md` 10.8).
//!
//! The named ones go to jail and lose their power at every height since the one where finality halted, so that the votes
//! of the others suffice. Whoever takes their places in the caches becomes active, but gets no entry in the power tables
//! of those heights.

use super::{
    liveness, power,
    records::{ACTIVATED, DISTRIBUTION, Distribution, LAST_TABLE, POWER, VOTES, params, stored_key},
    rewards,
};
use crate::{
    app::{
        context::Ctx,
        staking::{events as status_events, provider::is_slashed, records::provider},
    },
    error::{Failure, panicked, plain},
};
use btc_staking_babylon::proto::btcstaking::FinalityProviderStatus as Status;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey as Key};
use std::collections::BTreeSet;

/// Jails finality providers that did not vote at `halted` and takes their power from there on.
///
/// # Errors
/// Plain errors for a height below the activation or ahead, for one who voted there, is unknown or was never active; a
/// crash for a height whose cache is gone.
pub(crate) fn resume(ctx: &mut Ctx<'_, '_>, keys: &[Key], halted: u64) -> Result<(), Failure> {
    check_height(ctx, halted)?;
    for key in keys {
        check_absent(ctx, key, PosHeight::new(halted))?;
        let record = provider(ctx.state, key)?;
        if !is_slashed(&record) && !record.jailed {
            liveness::jail_by_decision(ctx, key)?;
        }
    }
    let listed: BTreeSet<Key> = keys.iter().copied().collect();
    (halted..=ctx.block.height.to_u64()).try_for_each(|height| demote(ctx, PosHeight::new(height), &listed))
}

fn check_height(ctx: &Ctx<'_, '_>, halted: u64) -> Result<(), Failure> {
    let activation = params(ctx.state)?.finality_activation_height;
    if halted < activation {
        return Err(plain(format!(
            "finality halting height {halted} cannot be lower than finality activation height {activation}"
        )));
    }
    let now = ctx.block.height;
    if halted > now.to_u64() {
        return Err(plain(format!(
            "finality halting height {halted} is in the future, current height {now}"
        )));
    }
    Ok(())
}

fn check_absent(ctx: &Ctx<'_, '_>, key: &Key, halted: PosHeight) -> Result<(), Failure> {
    if VOTES.has(ctx.state, &(halted, *key))? {
        return Err(plain(format!("the finality provider {key} has voted for height {halted}")));
    }
    Ok(())
}

/// Takes the power of the listed at one height, and ranks the others anew among as many active ones.
fn demote(ctx: &mut Ctx<'_, '_>, height: PosHeight, listed: &BTreeSet<Key>) -> Result<(), Failure> {
    let old = DISTRIBUTION.get(ctx.state, &height)?;
    let old =
        old.ok_or_else(|| panicked("runtime error: invalid memory address or nil pointer dereference"))?;
    let mut new = old.clone();
    for ranked in &mut new.providers {
        let key = stored_key(&ranked.key)?;
        if listed.contains(&key) {
            ranked.jailed = true;
            POWER.put(ctx.state, &(height, key), &0)?;
            note_table(ctx, height)?;
        }
    }
    new.rank(old.active);
    announce(ctx, height, &old, &new)?;
    DISTRIBUTION.put(ctx.state, &height, &new)
}

/// Whoever takes a place becomes active; only the present height concerns the reward modules. Nobody is announced as
/// inactive: those who lost their places are in jail.
fn announce(
    ctx: &mut Ctx<'_, '_>,
    height: PosHeight,
    old: &Distribution,
    new: &Distribution,
) -> Result<(), Failure> {
    let (before, after) = (power::keys(old.active())?, power::keys(new.active())?);
    let present = height == ctx.block.height;
    for key in after.difference(&before) {
        power::start_signing(ctx, key)?;
        ctx.emit(status_events::provider_status(key, Status::Active));
        if present {
            rewards::after_provider_entered(ctx, key)?;
        }
    }
    let mut left = before.difference(&after).filter(|_| present);
    left.try_for_each(|key| rewards::after_provider_left(ctx, key))
}

/// An entry without power still makes a table.
fn note_table(ctx: &mut Ctx<'_, '_>, height: PosHeight) -> Result<(), Failure> {
    let height = height.to_u64();
    if ACTIVATED.get(ctx.state, &())?.is_none_or(|first| height < first) {
        ACTIVATED.put(ctx.state, &(), &height)?;
    }
    if LAST_TABLE.get(ctx.state, &())?.is_none_or(|last| height > last) {
        LAST_TABLE.put(ctx.state, &(), &height)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            context::{BlockInfo, BlockTime, ChainInfo},
            finality::records::{Ranked, SIGNING_INFO},
        },
        genesis::{BitcoinNetwork, RuleSet},
        state::{Meter, State, memory::MemoryBackend},
    };

    fn key(byte: u8) -> Key {
        Key::new(*btc_staking_crypto::key::SigningKey::from_bytes(&[byte; 32]).unwrap().public_key())
    }

    fn ranked(byte: u8, sats: u64) -> Ranked {
        Ranked { key: key(byte).to_bytes().to_vec(), sats, timestamped: true, ..Default::default() }
    }

    fn block(height: u64) -> BlockInfo {
        let chain = ChainInfo {
            chain_id: "chain-test".into(),
            network: BitcoinNetwork::Regtest,
            rules: RuleSet::Released,
            authority: "nobody".into(),
        };
        let time = BlockTime { seconds: 1_800_000_000, nanos: 0 };
        BlockInfo {
            chain,
            height: PosHeight::new(height),
            time,
            app_hash: [0; 32],
            validators: Default::default(),
        }
    }

    #[test]
    fn whoever_takes_a_place_is_active_without_an_entry_in_the_table() {
        let (backend, meter, block) = (MemoryBackend::default(), Meter::unlimited(), block(9));
        let mut state = State::new(&backend, &meter);
        let past = PosHeight::new(7);
        let before = Distribution { providers: vec![ranked(1, 30), ranked(2, 20), ranked(3, 10)], active: 2 };
        DISTRIBUTION.put(&mut state, &past, &before).unwrap();
        for (byte, sats) in [(1, 30), (2, 20)] {
            POWER.put(&mut state, &(past, key(byte)), &sats).unwrap();
        }
        let mut ctx = Ctx::new(&mut state, &block);
        demote(&mut ctx, past, &BTreeSet::from([key(1)])).unwrap();
        let states: Vec<_> = ctx.events.iter().map(|event| event.attributes[0].value.clone()).collect();
        assert_eq!(states, [format!("\"{}\"", key(3))], "the third became active");
        let after = DISTRIBUTION.get(&state, &past).unwrap().unwrap();
        let order: Vec<_> = after.providers.iter().map(|ranked| ranked.key.clone()).collect();
        assert_eq!(order, [2, 3, 1].map(|byte| key(byte).to_bytes().to_vec()));
        assert_eq!(after.active, 2, "as many as before");
        let power = [1, 2, 3].map(|byte| POWER.get(&state, &(past, key(byte))).unwrap());
        assert_eq!(power, [Some(0), Some(20), None]);
        assert_eq!(SIGNING_INFO.get(&state, &key(3)).unwrap().unwrap().start_height, 9);
    }

    #[test]
    fn a_height_whose_cache_is_gone_crashes_the_decision() {
        let (backend, meter, block) = (MemoryBackend::default(), Meter::unlimited(), block(9));
        let mut state = State::new(&backend, &meter);
        let mut ctx = Ctx::new(&mut state, &block);
        let Err(Failure::Refused(refusal)) = demote(&mut ctx, PosHeight::new(7), &BTreeSet::new()) else {
            panic!("not refused")
        };
        assert_eq!((refusal.codespace, refusal.code), ("undefined", 111_222));
    }
}
