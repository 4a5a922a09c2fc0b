//! The power table of a block, fixed at its beginning (`chain.md` 9.2).

use super::{
    randomness,
    records::{
        ACTIVATED, DISTRIBUTION, Distribution, LAST_TABLE, POWER, Ranked, SIGNING_INFO, corrupt, params,
        stored_key,
    },
    rewards,
};
use crate::{
    app::{
        context::{BlockTime, Ctx},
        incentive::power::Moved,
        light_client,
        staking::{
            events as status_events,
            power_events::{self, PowerEvent},
            provider::is_slashed,
            records::{PROVIDERS, Stake, TIP_AT},
        },
    },
    error::{Broken, Failure},
};
use bitcoin::Txid;
use btc_staking_babylon::proto::{
    btcstaking::FinalityProviderStatus as Status, finality::FinalityProviderSigningInfo,
};
use btc_staking_protocol::{
    height::{BtcHeight, PosHeight},
    keys::FinalityProviderPublicKey as Key,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the events of a range of Bitcoin heights add up to.
#[derive(Debug, Default)]
struct Changes {
    sats: BTreeMap<Key, i128>,
    jailed: BTreeMap<Key, bool>,
    slashed: BTreeSet<Key>,
    /// Delegations that began to count, in the order of their events.
    activated: Vec<Moved>,
    /// Delegations that ceased to, expired ones last.
    unbonded: Vec<Moved>,
}

/// Computes distribution and power table of this block.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let height = ctx.block.height;
    let before = height.checked_sub(1).ok_or_else(|| corrupt("block 0 is executed"))?;
    let tip = light_client::tip_height(ctx.state)?;
    let from = match TIP_AT.get(ctx.state, &before)? {
        Some(tip) => BtcHeight::new(tip),
        None => light_client::base(ctx.state)?.height,
    };
    TIP_AT.put(ctx.state, &height, &tip.to_u32())?;
    let changes = consume_events(ctx, from, tip)?;
    let old = DISTRIBUTION.get(ctx.state, &before)?.unwrap_or_default();
    let new = distribute(ctx, &old, &changes)?;
    write_table(ctx, &new)?;
    rewards::after_delegations_moved(ctx, &changes.activated, &changes.unbonded, &old)?;
    announce(ctx, &old, &new, &changes)?;
    if !new.providers.is_empty() {
        DISTRIBUTION.put(ctx.state, &height, &new)?;
    }
    Ok(())
}

/// Steps 1 to 5. Expiries come behind everything else of the range, slashings behind those.
fn consume_events(ctx: &mut Ctx<'_, '_>, from: BtcHeight, to: BtcHeight) -> Result<Changes, Failure> {
    let mut changes = Changes::default();
    let (mut expired, mut slashed) = (vec![], vec![]);
    for height in from.to_u32()..=to.to_u32() {
        for event in power_events::take(ctx.state, BtcHeight::new(height))? {
            match event {
                PowerEvent::Active(txid) => changes.add(ctx, &stake(ctx, &txid)?)?,
                PowerEvent::Unbonded(txid) => {
                    let stake = stake(ctx, &txid)?;
                    if stake.has_quorum(ctx.state)? {
                        changes.subtract(ctx, &stake)?;
                    }
                }
                PowerEvent::Jailed(key) => {
                    ctx.emit(status_events::provider_status(&key, Status::Jailed));
                    changes.jailed.insert(key, true);
                }
                PowerEvent::Unjailed(key) => {
                    changes.jailed.insert(key, false);
                }
                PowerEvent::Expired(txid) => expired.push(txid),
                PowerEvent::Slashed(key) => slashed.push(key),
            }
        }
    }
    for txid in expired {
        ctx.emit(status_events::expired(txid));
        let stake = stake(ctx, &txid)?;
        if !stake.is_unbonded_early() && stake.has_quorum(ctx.state)? {
            changes.subtract(ctx, &stake)?;
        }
    }
    for key in slashed {
        ctx.emit(status_events::provider_status(&key, Status::Slashed));
        changes.slashed.insert(key);
    }
    Ok(changes)
}

fn stake(ctx: &Ctx<'_, '_>, txid: &Txid) -> Result<Stake, Failure> {
    let missing = || corrupt(format!("power event of unknown delegation {txid}"));
    Ok(Stake::find(ctx.state, txid)?.ok_or_else(missing)?)
}

impl Changes {
    fn add(&mut self, ctx: &Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
        self.activated.push(rewards::moved(ctx, stake)?);
        self.change(stake.provider()?, i128::from(stake.record.total_sat));
        Ok(())
    }
    fn subtract(&mut self, ctx: &Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
        self.unbonded.push(rewards::moved(ctx, stake)?);
        self.change(stake.provider()?, -i128::from(stake.record.total_sat));
        Ok(())
    }
    /// Whether a status that says more than inactive was announced.
    fn announced(&self, key: &Key) -> bool {
        self.slashed.contains(key) || self.jailed.get(key) == Some(&true)
    }
    fn change(&mut self, key: Key, sats: i128) {
        let sum = self.sats.entry(key).or_default();
        *sum = sum.saturating_add(sats);
    }
}

/// Steps 6 to 9.
fn distribute(ctx: &Ctx<'_, '_>, old: &Distribution, changes: &Changes) -> Result<Distribution, Failure> {
    let mut providers = carried_over(old, changes)?;
    let known: BTreeSet<&[u8]> = old.providers.iter().map(|ranked| ranked.key.as_slice()).collect();
    for (key, sats) in &changes.sats {
        if !known.contains(key.to_bytes().as_slice()) {
            providers.extend(newcomer(ctx, key, *sats)?);
        }
    }
    for ranked in &mut providers {
        let key = stored_key(&ranked.key)?;
        ranked.timestamped = randomness::usable_at(ctx.state, &key, ctx.block.height)?.is_some();
    }
    let mut distribution = Distribution { providers, active: 0 };
    distribution.rank(params(ctx.state)?.max_active_finality_providers);
    Ok(distribution)
}

impl Distribution {
    /// Steps 8 and 9: ranks everyone, at most `slots` of them active.
    pub(super) fn rank(&mut self, slots: u32) {
        self.providers.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let active = self.providers.iter().take(slots).take_while(|ranked| ranked.may_be_active()).count();
        self.active = u32::try_from(active).unwrap_or(u32::MAX);
    }
}

fn carried_over(old: &Distribution, changes: &Changes) -> Result<Vec<Ranked>, Failure> {
    let mut kept = vec![];
    for ranked in &old.providers {
        let key = stored_key(&ranked.key)?;
        if changes.slashed.contains(&key) {
            continue;
        }
        let mut ranked = ranked.clone();
        let delta = changes.sats.get(&key).copied().unwrap_or(0);
        ranked.sats = new_sats(&key, ranked.sats, delta)?;
        ranked.jailed = changes.jailed.get(&key).copied().unwrap_or(ranked.jailed);
        if ranked.sats > 0 {
            kept.push(ranked);
        }
    }
    Ok(kept)
}

fn newcomer(ctx: &Ctx<'_, '_>, key: &Key, sats: i128) -> Result<Option<Ranked>, Failure> {
    let record = PROVIDERS.get(ctx.state, key)?.ok_or_else(|| corrupt("delegation to nobody"))?;
    if is_slashed(&record) {
        return Ok(None);
    }
    let sats = new_sats(key, 0, sats)?;
    Ok((sats > 0).then(|| Ranked {
        key: key.to_bytes().to_vec(),
        address: record.addr,
        commission: record.commission.unwrap_or_default(),
        sats,
        timestamped: false,
        jailed: record.jailed,
    }))
}

/// Removing more than is there stops the chain, as it does in the reference.
fn new_sats(key: &Key, sats: u64, delta: i128) -> Result<u64, Failure> {
    let sum = i128::from(sats).saturating_add(delta);
    let why = || format!("power of finality provider {key} would become {sum} sat");
    u64::try_from(sum).map_err(|_| Broken::Halt(why()).into())
}

impl Ranked {
    const fn may_be_active(&self) -> bool {
        !self.jailed && self.timestamped && self.sats > 0
    }
}

/// Those that cannot be active last, by key; the others by power, then by key.
fn rank(ranked: &Ranked) -> (bool, std::cmp::Reverse<u64>, &[u8]) {
    let last = ranked.jailed || !ranked.timestamped;
    (last, std::cmp::Reverse(if last { 0 } else { ranked.sats }), &ranked.key)
}

fn write_table(ctx: &mut Ctx<'_, '_>, new: &Distribution) -> Result<(), Failure> {
    if new.active().is_empty() {
        return Ok(());
    }
    let height = ctx.block.height;
    for ranked in new.active() {
        POWER.put(ctx.state, &(height, stored_key(&ranked.key)?), &ranked.sats)?;
    }
    if ACTIVATED.get(ctx.state, &())?.is_none() {
        ACTIVATED.put(ctx.state, &(), &height.to_u64())?;
    }
    LAST_TABLE.put(ctx.state, &(), &height.to_u64())
}

/// Step 11: who became active, then who became inactive, each in key order.
fn announce(
    ctx: &mut Ctx<'_, '_>,
    old: &Distribution,
    new: &Distribution,
    changes: &Changes,
) -> Result<(), Failure> {
    let was_active = keys(old.active())?;
    for key in keys(new.active())?.difference(&was_active) {
        start_signing(ctx, key)?;
        ctx.emit(status_events::provider_status(key, Status::Active));
        rewards::after_provider_entered(ctx, key)?;
    }
    let was_inactive = keys(old.inactive())?;
    let present = keys(&new.providers)?;
    let dropped = keys(new.inactive())?.difference(&was_inactive).copied().collect::<BTreeSet<_>>();
    let gone = was_active.difference(&present).copied().collect::<BTreeSet<_>>();
    for key in dropped.union(&gone) {
        if was_active.contains(key) {
            rewards::after_provider_left(ctx, key)?;
        }
        if !changes.announced(key) && !is_jailed_in(new, old, key) {
            ctx.emit(status_events::provider_status(key, Status::Inactive));
        }
    }
    Ok(())
}

/// Whether the distribution says that a finality provider is in jail: the new one or, when it left, the old one.
fn is_jailed_in(new: &Distribution, old: &Distribution, key: &Key) -> bool {
    let bytes = key.to_bytes();
    let find = |all: &Distribution| all.providers.iter().find(|ranked| ranked.key == bytes).cloned();
    find(new).or_else(|| find(old)).is_some_and(|ranked| ranked.jailed)
}

/// The keys of some finality providers, in order.
pub(super) fn keys(ranked: &[Ranked]) -> Result<BTreeSet<Key>, Broken> {
    ranked.iter().map(|ranked| stored_key(&ranked.key)).collect()
}

/// A full window of grace; what was missed before is not forgotten.
pub(super) fn start_signing(ctx: &mut Ctx<'_, '_>, key: &Key) -> Result<(), Failure> {
    let mut info = SIGNING_INFO.get(ctx.state, key)?.unwrap_or_else(|| FinalityProviderSigningInfo {
        fp_btc_pk: key.to_bytes().to_vec(),
        ..Default::default()
    });
    info.start_height = i64::try_from(ctx.block.height.to_u64()).map_err(corrupt)?;
    info.jailed_until = Some(BlockTime::EPOCH.to_proto());
    SIGNING_INFO.put(ctx.state, key, &info)
}

/// Power of a finality provider at a height; `None` without a table entry.
pub(crate) fn power_at(
    state: &crate::state::State<'_>,
    height: PosHeight,
    key: &Key,
) -> Result<Option<u64>, Failure> {
    POWER.get(state, &(height, *key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(key: u8, sats: u64, timestamped: bool, jailed: bool) -> Ranked {
        Ranked { key: vec![key; 32], sats, timestamped, jailed, ..Default::default() }
    }

    #[test]
    fn power_ranks_before_key_and_those_who_cannot_be_active_come_last_by_key() {
        let mut providers = [
            ranked(1, 900, false, false),
            ranked(5, 10, true, false),
            ranked(4, 30, true, false),
            ranked(3, 30, true, false),
            ranked(0, 800, true, true),
        ];
        providers.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let order: Vec<u8> = providers.iter().map(|ranked| ranked.key[0]).collect();
        assert_eq!(order, [3, 4, 5, 0, 1]);
        let active = providers.iter().take_while(|ranked| ranked.may_be_active()).count();
        assert_eq!(active, 3);
    }

    #[test]
    fn the_last_mark_of_jail_wins_and_slashing_beats_it() {
        let key = |byte: u8| {
            let secret = btc_staking_crypto::key::SigningKey::from_bytes(&[byte; 32]).unwrap();
            Key::new(*secret.public_key())
        };
        let of = |byte: u8| Ranked { key: key(byte).to_bytes().to_vec(), ..ranked(0, 50, true, false) };
        let old = Distribution { providers: vec![of(1), of(2), of(3)], active: 3 };
        let changes = Changes {
            sats: BTreeMap::from([(key(3), -50)]),
            jailed: BTreeMap::from([(key(1), true), (key(2), true)]),
            slashed: BTreeSet::from([key(2)]),
            ..Default::default()
        };
        let kept = carried_over(&old, &changes).unwrap();
        assert_eq!(kept.len(), 1, "one is slashed, one has no satoshi left");
        assert!(kept[0].jailed);
    }

    #[test]
    fn taking_more_than_there_is_stops_the_chain() {
        let key = Key::new(*btc_staking_crypto::key::SigningKey::from_bytes(&[1; 32]).unwrap().public_key());
        assert_eq!(new_sats(&key, 5, -5), Ok(0));
        assert!(matches!(new_sats(&key, 5, -6), Err(Failure::Broken(Broken::Halt(_)))));
    }
}
