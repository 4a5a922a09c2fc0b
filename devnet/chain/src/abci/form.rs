//! Our values as ABCI 2.0 spells them.

use crate::{
    app::{BlockTime, TxResult},
    event::Event,
};
use cosmrs::proto::{
    Timestamp,
    tendermint::v0_38::abci::{self, ExecTxResult, ResponseCheckTx},
};

/// Gas as a signed number, saturating.
fn gas(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Events; every attribute is indexed.
pub(crate) fn events(events: Vec<Event>) -> Vec<abci::Event> {
    events
        .into_iter()
        .map(|event| abci::Event {
            r#type: event.kind,
            attributes: event
                .attributes
                .into_iter()
                .map(|attribute| abci::EventAttribute {
                    key: attribute.key,
                    value: attribute.value,
                    index: true,
                })
                .collect(),
        })
        .collect()
}

/// Result of a transaction in a block.
pub(crate) fn exec_tx_result(result: TxResult) -> ExecTxResult {
    ExecTxResult {
        code: result.code,
        data: result.data.into(),
        log: result.log,
        info: String::new(),
        gas_wanted: gas(result.gas_wanted),
        gas_used: gas(result.gas_used),
        events: events(result.events),
        codespace: result.codespace,
    }
}

/// Answer of the mempool's check.
pub(super) fn check_tx(result: TxResult) -> ResponseCheckTx {
    let ExecTxResult { code, data, log, info, gas_wanted, gas_used, events, codespace } =
        exec_tx_result(result);
    ResponseCheckTx { code, data, log, info, gas_wanted, gas_used, events, codespace }
}

/// Time of a block from its header.
pub(super) fn block_time(time: Option<&Timestamp>) -> Option<BlockTime> {
    let time = time?;
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(BlockTime { seconds: time.seconds, nanos })
}
