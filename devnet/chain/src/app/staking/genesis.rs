//! The staking module's state as a genesis.

use super::{
    lists::{ALLOWED, SOFT_DELETED},
    params::VERSIONS,
    power_events::{self, PowerEvent},
    records::{BY_PROVIDER, DELEGATIONS, PROVIDER_OF_ACCOUNT, PROVIDERS, Stake, TIP_AT, previous_of},
};
use crate::{
    app::{
        light_client,
        restore::{NotImported, account, provider_key, required, wrong},
    },
    error::Failure,
    genesis::InvalidGenesis,
    state::{Order, State},
};
use bitcoin::Txid;
use btc_staking_babylon::{
    convert::params::decode_staking_params,
    proto::btcstaking::{
        BTCDelegation, BTCDelegationStatus, BTCDelegator, BTCDelegatorDelegationIndex, BlockHeightBbnToBtc,
        EventBTCDelegationStateUpdate, EventIndex, EventPowerDistUpdate, FinalityProvider, GenesisState,
        event_power_dist_update::{
            Ev, EventJailedFinalityProvider, EventSlashedFinalityProvider, EventUnjailedFinalityProvider,
        },
    },
};
use btc_staking_protocol::{
    height::{BtcHeight, PosHeight},
    keys::StakerPublicKey,
    params::{ParamsHistory, ParamsVersion},
    tx::sanity::{TrailingBytes, parse_transaction},
};

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let mut genesis =
        GenesisState { largest_btc_reorg: light_client::genesis::export_reorg(state)?, ..Default::default() };
    for entry in VERSIONS.scan(state, Order::Ascending) {
        genesis.params.push(entry?.1);
    }
    for entry in PROVIDERS.scan(state, Order::Ascending) {
        let record = entry?.1;
        genesis.fp_bbn_addr.push(record.addr.clone());
        genesis.finality_providers.push(record);
    }
    for entry in DELEGATIONS.scan(state, Order::Ascending) {
        genesis.btc_delegations.push(entry?.1);
    }
    for entry in TIP_AT.scan(state, Order::Ascending) {
        let (height, tip) = entry?;
        let pair = BlockHeightBbnToBtc { block_height_bbn: height.to_u64(), block_height_btc: tip };
        genesis.block_height_chains.push(pair);
    }
    for entry in ALLOWED.scan(state, Order::Ascending) {
        genesis.allowed_staking_tx_hashes.push(entry?.0.to_string());
    }
    for entry in SOFT_DELETED.scan(state, Order::Ascending) {
        genesis.deleted_fps_btc_pk_hex.push(entry?.0.to_string());
    }
    export_delegators(state, &mut genesis)?;
    for ((height, number), event) in power_events::all(state)? {
        genesis.events.push(EventIndex {
            idx: number,
            block_height_btc: height.to_u32(),
            event: Some(EventPowerDistUpdate { ev: Some(wire_event(event)) }),
        });
    }
    Ok(genesis)
}

fn export_delegators(state: &State<'_>, genesis: &mut GenesisState) -> Result<(), Failure> {
    use bitcoin::hashes::Hash;
    for entry in BY_PROVIDER.scan(state, Order::Ascending) {
        let ((provider, staker, txid), ()) = entry?;
        let (fp_btc_pk, del_btc_pk) = (provider.to_bytes().to_vec(), staker.to_bytes().to_vec());
        let txid = txid.to_byte_array().to_vec();
        match genesis.btc_delegators.last_mut() {
            Some(last) if last.fp_btc_pk == fp_btc_pk && last.del_btc_pk == del_btc_pk => {
                last.idx.get_or_insert_default().staking_tx_hash_list.push(txid);
            }
            Some(_) | None => genesis.btc_delegators.push(BTCDelegator {
                idx: Some(BTCDelegatorDelegationIndex { staking_tx_hash_list: vec![txid] }),
                fp_btc_pk,
                del_btc_pk,
            }),
        }
    }
    Ok(())
}

fn wire_event(event: PowerEvent) -> Ev {
    let moved = |txid: Txid, status: BTCDelegationStatus| {
        Ev::BtcDelStateUpdate(EventBTCDelegationStateUpdate {
            staking_tx_hash: txid.to_string(),
            new_state: status.into(),
        })
    };
    match event {
        PowerEvent::Active(txid) => moved(txid, BTCDelegationStatus::Active),
        PowerEvent::Unbonded(txid) => moved(txid, BTCDelegationStatus::Unbonded),
        PowerEvent::Expired(txid) => moved(txid, BTCDelegationStatus::Expired),
        PowerEvent::Slashed(key) => {
            Ev::SlashedFp(EventSlashedFinalityProvider { pk: key.to_bytes().to_vec() })
        }
        PowerEvent::Jailed(key) => Ev::JailedFp(EventJailedFinalityProvider { pk: key.to_bytes().to_vec() }),
        PowerEvent::Unjailed(key) => {
            Ev::UnjailedFp(EventUnjailedFinalityProvider { pk: key.to_bytes().to_vec() })
        }
    }
}

pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    import_params(state, genesis)?;
    for (index, record) in genesis.finality_providers.iter().enumerate() {
        import_provider(state, record, &format!("btcstaking.finality_providers[{index}]"))?;
    }
    for (index, record) in genesis.btc_delegations.iter().enumerate() {
        import_delegation(state, record, &format!("btcstaking.btc_delegations[{index}]"))?;
    }
    check_parents(state, genesis)?;
    import_lists(state, genesis)?;
    for pair in &genesis.block_height_chains {
        TIP_AT.put(state, &PosHeight::new(pair.block_height_bbn), &pair.block_height_btc)?;
    }
    for (index, entry) in genesis.events.iter().enumerate() {
        let path = format!("btcstaking.events[{index}].event");
        let event = required(&path, entry.event.as_ref())?;
        let event = power_event(required(&path, event.ev.as_ref())?, &path)?;
        check_subject(state, event, &path)?;
        power_events::restore(state, BtcHeight::new(entry.block_height_btc), entry.idx, event)?;
    }
    let path = "btcstaking.largest_btc_reorg";
    light_client::genesis::import_reorg(state, genesis.largest_btc_reorg.as_ref(), path)
}

/// The index is the version; activation heights rise.
fn import_params(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let mut history = vec![];
    for (number, record) in (0u32..).zip(&genesis.params) {
        let version = ParamsVersion(number);
        let path = format!("btcstaking.params[{number}]");
        let decoded = decode_staking_params(version, record);
        history.push(decoded.map_err(|refused| wrong(path, refused, "valid"))?);
        VERSIONS.put(state, &version, record)?;
    }
    ParamsHistory::new(history).map_err(|refused| wrong("btcstaking.params", refused, "a history"))?;
    Ok(())
}

fn import_provider(state: &mut State<'_>, record: &FinalityProvider, path: &str) -> Result<(), NotImported> {
    let key = provider_key(&format!("{path}.btc_pk"), &record.btc_pk)?;
    if PROVIDERS.has(state, &key)? {
        return Err(wrong(format!("{path}.btc_pk"), key, "listed once").into());
    }
    let owner = account(&format!("{path}.addr"), &record.addr)?;
    if PROVIDER_OF_ACCOUNT.has(state, &owner)? {
        let expected = "an account without another finality provider";
        return Err(wrong(format!("{path}.addr"), &record.addr, expected).into());
    }
    PROVIDER_OF_ACCOUNT.put(state, &owner, &record.btc_pk)?;
    PROVIDERS.put(state, &key, record)?;
    Ok(())
}

fn import_delegation(state: &mut State<'_>, record: &BTCDelegation, path: &str) -> Result<(), NotImported> {
    let txid = check_delegation(state, record, path)?;
    if DELEGATIONS.has(state, &txid)? {
        return Err(wrong(format!("{path}.staking_tx"), txid, "listed once").into());
    }
    Stake::new(txid, record.clone()).save(state)?;
    Ok(())
}

/// Checks all that rules take for granted of a stored delegation, and returns its name.
fn check_delegation(state: &State<'_>, record: &BTCDelegation, path: &str) -> Result<Txid, NotImported> {
    let parse = |name: &str, bytes: &[u8]| {
        parse_transaction(bytes, TrailingBytes::Ignore)
            .map_err(|_| wrong(format!("{path}.{name}"), hex::encode(bytes), "a Bitcoin transaction"))
    };
    let staking_tx = parse("staking_tx", &record.staking_tx)?;
    parse("slashing_tx", &record.slashing_tx)?;
    let part = required(&format!("{path}.btc_undelegation"), record.btc_undelegation.as_ref())?;
    parse("btc_undelegation.unbonding_tx", &part.unbonding_tx)?;
    parse("btc_undelegation.slashing_tx", &part.slashing_tx)?;
    account(&format!("{path}.staker_addr"), &record.staker_addr)?;
    StakerPublicKey::from_slice(&record.btc_pk)
        .map_err(|_| wrong(format!("{path}.btc_pk"), hex::encode(&record.btc_pk), "a public key"))?;
    let fp_path = format!("{path}.fp_btc_pk_list");
    let [provider] = record.fp_btc_pk_list.as_slice() else {
        return Err(wrong(fp_path, record.fp_btc_pk_list.len(), "one key").into());
    };
    let provider = provider_key(&fp_path, provider)?;
    if !PROVIDERS.has(state, &provider)? {
        return Err(wrong(fp_path, provider, "a finality provider of finality_providers").into());
    }
    if VERSIONS.get(state, &ParamsVersion(record.params_version))?.is_none() {
        return Err(wrong(format!("{path}.params_version"), record.params_version, "a version").into());
    }
    let outputs = u32::try_from(staking_tx.output.len()).unwrap_or(u32::MAX);
    if record.staking_output_idx >= outputs {
        let found = record.staking_output_idx;
        return Err(wrong(format!("{path}.staking_output_idx"), found, "an output of staking_tx").into());
    }
    for (name, bytes) in [
        ("delegator_sig", &record.delegator_sig),
        ("btc_undelegation.delegator_slashing_sig", &part.delegator_slashing_sig),
    ] {
        if bytes.len() != 64 {
            return Err(wrong(format!("{path}.{name}"), hex::encode(bytes), "64 bytes").into());
        }
    }
    Ok(staking_tx.compute_txid())
}

/// Expansions refer to stakes that exist, in whatever order they are listed.
fn check_parents(state: &State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, record) in genesis.btc_delegations.iter().enumerate() {
        let path = || format!("btcstaking.btc_delegations[{index}].stk_exp.previous_staking_tx_hash");
        let parent = previous_of(record).map_err(|_| wrong(path(), "other bytes", "32 bytes"))?;
        if let Some(parent) = parent
            && !DELEGATIONS.has(state, &parent)?
        {
            return Err(wrong(path(), parent, "a delegation of btc_delegations").into());
        }
    }
    Ok(())
}

fn import_lists(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, text) in genesis.allowed_staking_tx_hashes.iter().enumerate() {
        let path = || format!("btcstaking.allowed_staking_tx_hashes[{index}]");
        let txid: Txid = text.parse().map_err(|_| wrong(path(), text, "a transaction id"))?;
        ALLOWED.put(state, &txid, &())?;
    }
    for (index, text) in genesis.deleted_fps_btc_pk_hex.iter().enumerate() {
        let path = || format!("btcstaking.deleted_fps_btc_pk_hex[{index}]");
        let key = text.parse().map_err(|_| wrong(path(), text, "a public key in hex"))?;
        SOFT_DELETED.put(state, &key, &())?;
    }
    Ok(())
}

fn power_event(ev: &Ev, path: &str) -> Result<PowerEvent, InvalidGenesis> {
    Ok(match ev {
        Ev::SlashedFp(event) => PowerEvent::Slashed(provider_key(path, &event.pk)?),
        Ev::JailedFp(event) => PowerEvent::Jailed(provider_key(path, &event.pk)?),
        Ev::UnjailedFp(event) => PowerEvent::Unjailed(provider_key(path, &event.pk)?),
        Ev::BtcDelStateUpdate(event) => {
            let hash = &event.staking_tx_hash;
            let txid = hash.parse::<Txid>().map_err(|_| wrong(path, hash, "a transaction id"))?;
            match BTCDelegationStatus::try_from(event.new_state) {
                Ok(BTCDelegationStatus::Active) => PowerEvent::Active(txid),
                Ok(BTCDelegationStatus::Unbonded) => PowerEvent::Unbonded(txid),
                Ok(BTCDelegationStatus::Expired) => PowerEvent::Expired(txid),
                Ok(
                    BTCDelegationStatus::Pending | BTCDelegationStatus::Verified | BTCDelegationStatus::Any,
                )
                | Err(_) => return Err(wrong(path, event.new_state, "ACTIVE, UNBONDED or EXPIRED")),
            }
        }
    })
}

fn check_subject(state: &State<'_>, event: PowerEvent, path: &str) -> Result<(), NotImported> {
    let known = match event {
        PowerEvent::Active(txid) | PowerEvent::Unbonded(txid) | PowerEvent::Expired(txid) => {
            DELEGATIONS.has(state, &txid)?
        }
        PowerEvent::Slashed(key) | PowerEvent::Jailed(key) | PowerEvent::Unjailed(key) => {
            PROVIDERS.has(state, &key)?
        }
    };
    if known { Ok(()) } else { Err(wrong(path, format!("{event:?}"), "about something that exists").into()) }
}
