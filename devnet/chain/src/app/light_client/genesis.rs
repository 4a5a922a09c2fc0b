//! The light client's state as a genesis.

use super::{ALLOW_LIST, AllowList, HEADERS, HeaderRecord, LargestReorg, REORG, append, header_info};
use crate::{
    app::restore::{NotImported, required, wrong},
    error::Failure,
    genesis::InvalidGenesis,
    state::{Order, State},
};
use bitcoin::{block::Header, consensus, hashes::Hash};
use btc_staking_babylon::proto::{
    btclightclient::{BTCHeaderInfo, GenesisState, Params},
    btcstaking::LargestBtcReOrg,
};
use btc_staking_protocol::{
    headers::{ChainedHeader, is_retarget_height},
    height::BtcHeight,
};

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let reporters = ALLOW_LIST.get(state, &())?.unwrap_or_default().reporters;
    let mut btc_headers = vec![];
    for entry in HEADERS.scan(state, Order::Ascending) {
        let (height, record) = entry?;
        btc_headers.push(header_info(&record.chained(height)?));
    }
    Ok(GenesisState { params: Some(Params { insert_headers_allow_list: reporters }), btc_headers })
}

/// The first header must be at a retarget height; the others link, with the work they add. Their own targets were checked
/// when they were reported.
pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let path = "btclightclient.btc_headers";
    let mut last: Option<ChainedHeader> = None;
    for (index, info) in genesis.btc_headers.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let header = parse(info, &path)?;
        let (height, work) = match &last {
            None => (BtcHeight::new(info.height), header.work()),
            Some(last) if header.prev_blockhash == last.hash => {
                (BtcHeight::new(last.height.to_u32().saturating_add(1)), last.work + header.work())
            }
            Some(last) => {
                let path = format!("{path}.header");
                let found = format!("child of {}", header.prev_blockhash);
                tracing::debug!(parent = %last.hash, "headers do not link");
                return Err(wrong(path, found, "the child of the header before").into());
            }
        };
        check(info, &ChainedHeader::new(header, height, work), &path)?;
        let chained = ChainedHeader::new(header, height, work);
        append(state, &chained)?;
        last = Some(chained);
    }
    match genesis.btc_headers.first() {
        None => return Err(wrong(path, "[]", "a base header at least").into()),
        Some(base) if !is_retarget_height(BtcHeight::new(base.height)) => {
            return Err(wrong(format!("{path}[0].height"), base.height, "a multiple of 2016").into());
        }
        Some(_) => {}
    }
    let reporters = genesis.params.clone().unwrap_or_default().insert_headers_allow_list;
    for (index, reporter) in reporters.iter().enumerate() {
        let path = format!("btclightclient.params.insert_headers_allow_list[{index}]");
        crate::app::restore::account(&path, reporter)?;
    }
    ALLOW_LIST.put(state, &(), &AllowList { reporters })?;
    Ok(())
}

fn parse(info: &BTCHeaderInfo, path: &str) -> Result<Header, InvalidGenesis> {
    consensus::deserialize(&info.header).map_err(|_| {
        wrong(format!("{path}.header"), hex::encode(&info.header), "a Bitcoin header of 80 bytes")
    })
}

fn check(info: &BTCHeaderInfo, header: &ChainedHeader, path: &str) -> Result<(), InvalidGenesis> {
    if info.height != header.height.to_u32() {
        return Err(wrong(format!("{path}.height"), info.height, "one above the header before"));
    }
    if info.hash != header.hash.to_byte_array() {
        return Err(wrong(format!("{path}.hash"), hex::encode(&info.hash), "the hash of the header"));
    }
    if info.work != header.work.to_string().into_bytes() {
        let found = String::from_utf8_lossy(&info.work).into_owned();
        return Err(wrong(format!("{path}.work"), found, "the work of all headers up to this one"));
    }
    Ok(())
}

/// The deepest reorg, which the staking module's genesis holds.
pub(crate) fn export_reorg(state: &State<'_>) -> Result<Option<LargestBtcReOrg>, Failure> {
    let Some(reorg) = REORG.get(state, &())? else { return Ok(None) };
    Ok(Some(LargestBtcReOrg {
        block_diff: reorg.depth,
        rollback_from: Some(header_info(&reorg.from.chained(BtcHeight::new(reorg.from_height))?)),
        rollback_to: Some(header_info(&reorg.to.chained(BtcHeight::new(reorg.to_height))?)),
    }))
}

pub(crate) fn import_reorg(
    state: &mut State<'_>,
    reorg: Option<&LargestBtcReOrg>,
    path: &str,
) -> Result<(), NotImported> {
    let Some(reorg) = reorg else { return Ok(()) };
    let (from, to) = (
        end(reorg.rollback_from.as_ref(), &format!("{path}.rollback_from"))?,
        end(reorg.rollback_to.as_ref(), &format!("{path}.rollback_to"))?,
    );
    let record = LargestReorg {
        depth: reorg.block_diff,
        from_height: from.height.to_u32(),
        from: HeaderRecord::of(&from),
        to_height: to.height.to_u32(),
        to: HeaderRecord::of(&to),
    };
    REORG.put(state, &(), &record)?;
    Ok(())
}

fn end(info: Option<&BTCHeaderInfo>, path: &str) -> Result<ChainedHeader, InvalidGenesis> {
    let info = required(path, info)?;
    let work = std::str::from_utf8(&info.work).ok().and_then(parse_work);
    let work = work.ok_or_else(|| wrong(format!("{path}.work"), hex::encode(&info.work), "a number"))?;
    let header = ChainedHeader::new(parse(info, path)?, BtcHeight::new(info.height), work);
    check(info, &header, path)?;
    Ok(header)
}

/// Work from decimal digits.
fn parse_work(digits: &str) -> Option<bitcoin::Work> {
    let mut bytes = [0u8; 32];
    for digit in digits.bytes() {
        let mut carry = u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        for byte in bytes.iter_mut().rev() {
            carry += u16::from(*byte) * 10;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bitcoin::Work::from_be_bytes(bytes))
}
