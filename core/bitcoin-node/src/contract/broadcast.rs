//! Laws about unspent outputs and transactions on their way into blocks.

use super::{
    Bench, Check, Coin,
    bench::{FEE, anyone, coin_of, elsewhere, spend, spend_to},
    call, present, require, require_refused,
};
use crate::ports::{BroadcastOutcome, BurnLimit, RefusalKind, TxPlace, UtxoView};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, TxOut, Txid,
    hashes::Hash,
    opcodes,
    script::{Builder, PushBytesBuf},
};
use btc_staking_protocol::height::BtcDepth;

/// An output is unspent in the chain until a block spends it, and in the mempool until a transaction does.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn outputs_are_seen_in_both_views(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let tx = spend(&coin, FEE, &anyone());
    let made = OutPoint { txid: tx.compute_txid(), vout: 0 };
    for view in [UtxoView::Chain, UtxoView::ChainAndMempool] {
        let found = present("a confirmed output is unspent", unspent(bench, &coin.outpoint, view).await?)?;
        require("a coinbase is known as one", found.coinbase, &found)?;
        require("an output has its value", found.output.value == coin.value, &found)?;
        let script = coin.witness_script.to_p2wsh();
        require("an output has its script", found.output.script_pubkey == script, &found)?;
        let unmade = unspent(bench, &made, view).await?;
        require("an output not yet made is none", unmade.is_none(), &unmade)?;
    }
    bench.send(&tx).await?;
    let in_chain = unspent(bench, &coin.outpoint, UtxoView::Chain).await?;
    require("the chain does not see an unconfirmed spend", in_chain.is_some(), &in_chain)?;
    let in_mempool = unspent(bench, &coin.outpoint, UtxoView::ChainAndMempool).await?;
    require("the mempool sees it", in_mempool.is_none(), &in_mempool)?;
    let in_chain = unspent(bench, &made, UtxoView::Chain).await?;
    require("the chain does not see an unconfirmed output", in_chain.is_none(), &in_chain)?;
    let in_mempool = unspent(bench, &made, UtxoView::ChainAndMempool).await?;
    let in_mempool = present("the mempool sees it", in_mempool)?;
    require("it has no depth", in_mempool.depth.is_none() && !in_mempool.coinbase, &in_mempool)?;
    for depth in 0..2 {
        bench.mine(1).await?;
        for view in [UtxoView::Chain, UtxoView::ChainAndMempool] {
            let spent = unspent(bench, &coin.outpoint, view).await?;
            require("a spent output is none", spent.is_none(), &spent)?;
            let found = present("a confirmed output is unspent", unspent(bench, &made, view).await?)?;
            require("depth counts blocks on top", found.depth == Some(BtcDepth::new(depth)), &found)?;
        }
    }
    Ok(())
}

/// A transaction is unknown, then in the mempool, then in the block that holds it; sending it again is no refusal.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn transactions_go_from_unknown_to_confirmed(bench: &mut Bench<'_>) -> Check {
    let tx = spend(&bench.take()?, FEE, &anyone());
    let txid = tx.compute_txid();
    require_place(bench, "an unseen transaction is unknown", &txid, TxPlace::Unknown).await?;
    bench.send(&tx).await?;
    require_place(bench, "an accepted transaction is in the mempool", &txid, TxPlace::Mempool).await?;
    let again = bench.broadcast(&tx).await?;
    let known = matches!(again, BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown);
    require("sending again is no refusal", known, &again)?;
    let block_ref = *present("a block was mined", bench.mine(1).await?.first())?;
    let place = TxPlace::Confirmed(block_ref);
    require_place(bench, "a mined transaction is in its block", &txid, place).await?;
    let block = call("fetch_block", bench.node.fetch_block(&block_ref.hash).await)?;
    let block = present("its block is there", block)?;
    require("the block holds it, witness and all", block.txdata.contains(&tx), &block)?;
    bench.mine(3).await?;
    require_place(bench, "it stays there", &txid, place).await?;
    let again = bench.broadcast(&tx).await?;
    require("a confirmed transaction is known", again == BroadcastOutcome::AlreadyKnown, &again)?;
    let spent = spend(&coin_of(&tx, 0, &anyone()), FEE, &anyone());
    bench.send(&spent).await?;
    bench.mine(1).await.map(drop)
}

/// An input that is spent or was never there is named as such.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn missing_inputs_are_named(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let nowhere = OutPoint { txid: Txid::from_byte_array([0xcd; 32]), vout: 0 };
    let unknown = spend(&Coin { outpoint: nowhere, ..coin.clone() }, FEE, &anyone());
    let outcome = bench.broadcast(&unknown).await?;
    require_refused("an unknown input is missing", &outcome, RefusalKind::MissingOrSpent)?;
    bench.send(&spend(&coin, FEE, &anyone())).await?;
    bench.mine(1).await?;
    let rival = spend(&coin, FEE * 2, &anyone());
    let outcome = bench.broadcast(&rival).await?;
    require_refused("a spent input is missing", &outcome, RefusalKind::MissingOrSpent)
}

/// A rival in the mempool gives way to more fee, and only to that.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn rivals_are_replaced_only_for_a_higher_fee(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let (first, poorer, richer) =
        (spend(&coin, FEE, &anyone()), spend(&coin, FEE / 2, &anyone()), spend(&coin, FEE * 2, &anyone()));
    bench.send(&first).await?;
    let outcome = bench.broadcast(&poorer).await?;
    require_refused("a poorer rival is refused", &outcome, RefusalKind::MempoolConflict)?;
    require_place(bench, "the first stays", &first.compute_txid(), TxPlace::Mempool).await?;
    bench.send(&richer).await?;
    require_place(bench, "a richer rival replaces it", &first.compute_txid(), TxPlace::Unknown).await?;
    let block = *present("a block was mined", bench.mine(1).await?.first())?;
    require_place(bench, "and is mined", &richer.compute_txid(), TxPlace::Confirmed(block)).await
}

/// A slashing output passes exactly when the limit allows it; a 71-byte OP_RETURN without value always does.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn burns_are_bounded(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let burnt = Amount::from_sat(50_000);
    let rest = coin.value.checked_sub(burnt + FEE).unwrap_or(Amount::ZERO);
    // The slashing script of Babylon's mainnet: OP_RETURN "babylon".
    let slashing = vec![
        TxOut { value: burnt, script_pubkey: op_return(b"babylon") },
        TxOut { value: rest, script_pubkey: anyone().to_p2wsh() },
    ];
    let tx = spend_to(&coin, slashing);
    for limit in [BurnLimit::NONE, BurnLimit(burnt - Amount::ONE_SAT)] {
        let outcome = call("broadcast", bench.node.broadcast(&tx, limit).await)?;
        require_refused("a burn above the limit is refused", &outcome, RefusalKind::BurnExceeded)?;
    }
    let outcome = call("broadcast", bench.node.broadcast(&tx, BurnLimit(burnt)).await)?;
    require("a burn within the limit passes", outcome == BroadcastOutcome::Accepted, &outcome)?;
    let coin = bench.take()?;
    let value = coin.value.checked_sub(FEE).unwrap_or(Amount::ZERO);
    let identified = spend_to(
        &coin,
        vec![
            TxOut { value, script_pubkey: anyone().to_p2wsh() },
            TxOut { value: Amount::ZERO, script_pubkey: op_return(&[0x62; 71]) },
        ],
    );
    bench.send(&identified).await?;
    bench.mine(1).await.map(drop)
}

/// Outputs too small to be worth spending are refused.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn dust_is_refused(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let script_pubkey = anyone().to_p2wsh();
    let dust = TxOut { value: script_pubkey.minimal_non_dust() - Amount::ONE_SAT, script_pubkey };
    let rest = TxOut { value: coin.value.checked_sub(FEE).unwrap_or(Amount::ZERO), ..dust.clone() };
    let outcome = bench.broadcast(&spend_to(&coin, vec![dust, rest])).await?;
    require_refused("dust is refused", &outcome, RefusalKind::Other)
}

/// A fee below the mempool's minimum is refused as such, and that minimum is told.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn fees_below_the_minimum_are_refused(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let outcome = bench.broadcast(&spend(&coin, Amount::ZERO, &anyone())).await?;
    require_refused("no fee is too low", &outcome, RefusalKind::FeeTooLow)?;
    let least = call("mempool_min_feerate", bench.node.mempool_min_feerate().await)?;
    require("there is a minimum", least.to_sat_per_kwu() > 0, least)?;
    let draft = spend(&coin, FEE, &anyone());
    let fee = present("its fee is a sum of money", least.fee_wu(draft.weight()))?;
    bench.send(&spend(&coin, fee + Amount::ONE_SAT, &anyone())).await?;
    call("estimate_feerate", bench.node.estimate_feerate(6).await)?;
    bench.mine(1).await.map(drop)
}

/// When a block goes, its transactions return to the mempool and can be mined again.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn reorged_transactions_come_back(bench: &mut Bench<'_>) -> Check {
    let tx = spend(&bench.take()?, FEE, &anyone());
    let child = spend(&coin_of(&tx, 0, &anyone()), FEE, &anyone());
    let (txid, child_txid) = (tx.compute_txid(), child.compute_txid());
    bench.send(&tx).await?;
    let first = *present("a block was mined", bench.mine(1).await?.first())?;
    bench.send(&child).await?;
    bench.mine(1).await?;
    call("invalidate", bench.node.invalidate(&first.hash).await)?;
    for txid in [&txid, &child_txid] {
        require_place(bench, "it is in the mempool again", txid, TxPlace::Mempool).await?;
    }
    let mined = call("mine", bench.node.mine(3, &elsewhere(0)).await)?;
    let mined_first = *present("a block was mined", mined.first())?;
    let place = TxPlace::Confirmed(mined_first);
    for txid in [&txid, &child_txid] {
        require_place(bench, "it is in the new block", txid, place).await?;
    }
    call("reconsider", bench.node.reconsider(&first.hash).await)?;
    require_place(bench, "a shorter branch changes nothing", &txid, place).await?;
    call("invalidate", bench.node.invalidate(&mined_first.hash).await)?;
    let place = TxPlace::Confirmed(first);
    require_place(bench, "without the longer branch it is back where it was", &txid, place).await
}

async fn require_place(bench: &Bench<'_>, clause: &'static str, txid: &Txid, place: TxPlace) -> Check {
    let found = call("locate", bench.node.locate(txid).await)?;
    require(clause, found == place, (found, place))
}

async fn unspent(
    bench: &Bench<'_>,
    outpoint: &OutPoint,
    view: UtxoView,
) -> Result<Option<crate::ports::UnspentOutput>, super::Violation> {
    call("fetch_unspent", bench.node.fetch_unspent(outpoint, view).await)
}

fn op_return(data: &[u8]) -> ScriptBuf {
    let mut bytes = PushBytesBuf::new();
    bytes.extend_from_slice(data).expect("the suite's data is short");
    Builder::new().push_opcode(opcodes::all::OP_RETURN).push_slice(bytes).into_script()
}
