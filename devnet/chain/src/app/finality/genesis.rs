//! Finality's state as a genesis.

use super::records::{
    ACTIVATED, BLOCKS, COMMITS, DISTRIBUTION, Distribution, EVIDENCE, LAST_TABLE, MISSED, NEXT_TO_FINALISE,
    NEXT_TO_SETTLE, PARAMS, POWER, RANDOMNESS, Ranked, SIGNING_INFO, VOTES, corrupt, params,
};
use crate::{
    app::{
        auth::bech32,
        context::parse_account,
        restore::{NotImported, array, provider_key, required, wrong},
        staking::records::PROVIDERS,
    },
    error::Failure,
    genesis::InvalidGenesis,
    state::{Order, State},
};
use btc_staking_babylon::{convert::decimal::decode_decimal_bytes, proto::finality::*};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey as Key, rate::Decimal};
use std::collections::BTreeMap;

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let mut genesis = GenesisState {
        params: Some(params(state)?),
        next_height_to_finalize: NEXT_TO_FINALISE.get(state, &())?.unwrap_or(0),
        next_height_to_reward: NEXT_TO_SETTLE.get(state, &())?.unwrap_or(0),
        ..Default::default()
    };
    for entry in BLOCKS.scan(state, Order::Ascending) {
        genesis.indexed_blocks.push(entry?.1);
    }
    for entry in EVIDENCE.scan(state, Order::Ascending) {
        genesis.evidences.push(entry?.1);
    }
    for entry in VOTES.scan(state, Order::Ascending) {
        let ((height, key), finality_sig) = entry?;
        let block_height = height.to_u64();
        genesis.vote_sigs.push(VoteSig { block_height, fp_btc_pk: bytes(&key), finality_sig });
    }
    for entry in RANDOMNESS.scan(state, Order::Ascending) {
        let ((key, height), pub_rand) = entry?;
        let block_height = height.to_u64();
        genesis.public_randomness.push(PublicRandomness { block_height, fp_btc_pk: bytes(&key), pub_rand });
    }
    for entry in SIGNING_INFO.scan(state, Order::Ascending) {
        let (key, info) = entry?;
        genesis.signing_infos.push(SigningInfo { fp_btc_pk: bytes(&key), fp_signing_info: Some(info) });
    }
    for entry in MISSED.scan(state, Order::Ascending) {
        let (key, bits) = entry?;
        let missed_blocks = missed(&bits);
        genesis.missed_blocks.push(FinalityProviderMissedBlocks { fp_btc_pk: bytes(&key), missed_blocks });
    }
    for entry in POWER.scan(state, Order::Ascending) {
        let ((height, key), voting_power) = entry?;
        let block_height = height.to_u64();
        genesis.voting_powers.push(VotingPowerFP { block_height, fp_btc_pk: bytes(&key), voting_power });
    }
    export_commits(state, &mut genesis)?;
    export_distributions(state, &mut genesis)?;
    Ok(genesis)
}

fn bytes(key: &Key) -> Vec<u8> {
    key.to_bytes().to_vec()
}

fn export_commits(state: &State<'_>, genesis: &mut GenesisState) -> Result<(), Failure> {
    let mut starts: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
    for entry in COMMITS.scan(state, Order::Ascending) {
        let ((key, start), commit) = entry?;
        starts.entry(key).or_default().push(start.to_u64());
        let commit = PubRandCommitWithPK { fp_btc_pk: bytes(&key), pub_rand_commit: Some(commit) };
        genesis.pub_rand_commit.push(commit);
    }
    for (key, heights) in starts {
        let index = Some(PubRandCommitIndexValue { heights });
        genesis.pub_rand_commit_indexes.push(PubRandCommitIdx { fp_btc_pk: bytes(&key), index });
    }
    Ok(())
}

fn export_distributions(state: &State<'_>, genesis: &mut GenesisState) -> Result<(), Failure> {
    for entry in DISTRIBUTION.scan(state, Order::Ascending) {
        let (height, distribution) = entry?;
        let total_voting_power =
            distribution.active().iter().fold(0u64, |sum, ranked| sum.saturating_add(ranked.sats));
        let mut finality_providers = vec![];
        for ranked in distribution.providers {
            finality_providers.push(FinalityProviderDistInfo {
                btc_pk: ranked.key,
                addr: parse_account(&ranked.address)?.bytes().to_vec(),
                commission: Some(ranked.commission),
                total_bonded_sat: ranked.sats,
                is_timestamped: ranked.timestamped,
                is_jailed: ranked.jailed,
                is_slashed: false,
            });
        }
        let num_active_fps = distribution.active;
        genesis.vp_dst_cache.push(VotingPowerDistCacheBlkHeight {
            block_height: height.to_u64(),
            vp_distribution: Some(VotingPowerDistCache {
                total_voting_power,
                finality_providers,
                num_active_fps,
            }),
        });
    }
    Ok(())
}

/// The places of the bits that are set.
fn missed(bits: &[u8]) -> Vec<MissedBlock> {
    let places = (0i64..).zip(bits.iter().flat_map(|byte| (0..8).map(move |bit| byte & (1 << bit) != 0)));
    places.filter(|(_, missed)| *missed).map(|(index, missed)| MissedBlock { index, missed }).collect()
}

pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let params = required("finality.params", genesis.params.as_ref())?;
    check_params(params)?;
    PARAMS.put(state, &(), params)?;
    for block in &genesis.indexed_blocks {
        BLOCKS.put(state, &PosHeight::new(block.height), block)?;
    }
    import_votes(state, genesis)?;
    import_liveness(state, genesis)?;
    import_commits(state, genesis)?;
    import_power(state, genesis)?;
    if genesis.next_height_to_finalize > 0 {
        NEXT_TO_FINALISE.put(state, &(), &genesis.next_height_to_finalize)?;
    }
    if genesis.next_height_to_reward > 0 {
        NEXT_TO_SETTLE.put(state, &(), &genesis.next_height_to_reward)?;
    }
    Ok(())
}

fn check_params(params: &Params) -> Result<(), InvalidGenesis> {
    for (name, value) in [
        ("max_active_finality_providers", i64::from(params.max_active_finality_providers)),
        ("signed_blocks_window", params.signed_blocks_window),
        ("finality_sig_timeout", params.finality_sig_timeout),
        ("min_pub_rand", i64::try_from(params.min_pub_rand).unwrap_or(i64::MAX)),
    ] {
        if value < 1 {
            return Err(wrong(format!("finality.params.{name}"), value, "at least 1"));
        }
    }
    let path = "finality.params.min_signed_per_window";
    let fraction = decode_decimal_bytes(path, &params.min_signed_per_window);
    match fraction {
        Ok(fraction) if fraction <= Decimal::ONE => Ok(()),
        Ok(fraction) => Err(wrong(path, fraction, "0 to 1")),
        Err(_) => Err(wrong(path, hex::encode(&params.min_signed_per_window), "a decimal")),
    }
}

/// A finality provider that was imported before.
fn known(state: &State<'_>, path: &str, bytes: &[u8]) -> Result<Key, NotImported> {
    let key = provider_key(path, bytes)?;
    if PROVIDERS.has(state, &key)? {
        return Ok(key);
    }
    Err(wrong(path, key, "a finality provider of btcstaking.finality_providers").into())
}

fn import_votes(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, vote) in genesis.vote_sigs.iter().enumerate() {
        let path = format!("finality.vote_sigs[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &vote.fp_btc_pk)?;
        array(&format!("{path}.finality_sig"), &vote.finality_sig)?;
        VOTES.put(state, &(PosHeight::new(vote.block_height), key), &vote.finality_sig)?;
    }
    for (index, shown) in genesis.public_randomness.iter().enumerate() {
        let path = format!("finality.public_randomness[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &shown.fp_btc_pk)?;
        array(&format!("{path}.pub_rand"), &shown.pub_rand)?;
        RANDOMNESS.put(state, &(key, PosHeight::new(shown.block_height)), &shown.pub_rand)?;
    }
    for (index, evidence) in genesis.evidences.iter().enumerate() {
        let path = format!("finality.evidences[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &evidence.fp_btc_pk)?;
        EVIDENCE.put(state, &(key, PosHeight::new(evidence.block_height)), evidence)?;
    }
    Ok(())
}

fn import_liveness(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let window = genesis.params.as_ref().map_or(0, |params| params.signed_blocks_window);
    for (index, entry) in genesis.signing_infos.iter().enumerate() {
        let path = format!("finality.signing_infos[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &entry.fp_btc_pk)?;
        let info = required(&format!("{path}.fp_signing_info"), entry.fp_signing_info.as_ref())?;
        SIGNING_INFO.put(state, &key, info)?;
    }
    for (index, entry) in genesis.missed_blocks.iter().enumerate() {
        let path = format!("finality.missed_blocks[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &entry.fp_btc_pk)?;
        let mut bits: Vec<u8> = vec![];
        for missed in entry.missed_blocks.iter().filter(|missed| missed.missed) {
            let place = usize::try_from(missed.index).ok().filter(|_| missed.index < window);
            let expected = "a place below signed_blocks_window";
            let place =
                place.ok_or_else(|| wrong(format!("{path}.missed_blocks"), missed.index, expected))?;
            if bits.len() <= place / 8 {
                bits.resize(place / 8 + 1, 0);
            }
            bits[place / 8] |= 1 << (place % 8);
        }
        MISSED.put(state, &key, &bits)?;
    }
    Ok(())
}

fn import_commits(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, entry) in genesis.pub_rand_commit.iter().enumerate() {
        let path = format!("finality.pub_rand_commit[{index}]");
        let key = known(state, &format!("{path}.fp_btc_pk"), &entry.fp_btc_pk)?;
        let commit = required(&format!("{path}.pub_rand_commit"), entry.pub_rand_commit.as_ref())?;
        array(&format!("{path}.pub_rand_commit.commitment"), &commit.commitment)?;
        COMMITS.put(state, &(key, PosHeight::new(commit.start_height)), commit)?;
    }
    Ok(())
}

/// The first and the last height with a table follow from the tables.
fn import_power(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let (mut first, mut last) = (None, None);
    for (index, entry) in genesis.voting_powers.iter().enumerate() {
        let path = format!("finality.voting_powers[{index}].fp_btc_pk");
        let key = known(state, &path, &entry.fp_btc_pk)?;
        let height = entry.block_height;
        POWER.put(state, &(PosHeight::new(height), key), &entry.voting_power)?;
        first = Some(first.map_or(height, |first: u64| first.min(height)));
        last = last.max(Some(height));
    }
    if let (Some(first), Some(last)) = (first, last) {
        ACTIVATED.put(state, &(), &first)?;
        LAST_TABLE.put(state, &(), &last)?;
    }
    for (index, entry) in genesis.vp_dst_cache.iter().enumerate() {
        let path = format!("finality.vp_dst_cache[{index}].vp_distribution");
        let cache = required(&path, entry.vp_distribution.as_ref())?;
        let mut providers = vec![];
        for (index, info) in cache.finality_providers.iter().enumerate() {
            let path = format!("{path}.finality_providers[{index}].btc_pk");
            known(state, &path, &info.btc_pk)?;
            providers.push(Ranked {
                key: info.btc_pk.clone(),
                address: bech32(&info.addr),
                commission: info.commission.clone().unwrap_or_default(),
                sats: info.total_bonded_sat,
                timestamped: info.is_timestamped,
                jailed: info.is_jailed,
            });
        }
        let active = usize::try_from(cache.num_active_fps).map_err(corrupt)?;
        if active > providers.len() {
            let path = format!("{path}.num_active_fps");
            return Err(wrong(path, active, "at most the number of finality providers").into());
        }
        let distribution = Distribution { providers, active: cache.num_active_fps };
        DISTRIBUTION.put(state, &PosHeight::new(entry.block_height), &distribution)?;
    }
    Ok(())
}
