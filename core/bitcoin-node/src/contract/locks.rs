//! Laws about timelocks, maturity and scripts.

use super::{
    Bench, Check, Coin,
    bench::{FEE, anyone, coin_of, spend},
    call, present, require_refused,
};
use crate::ports::RefusalKind;
use bitcoin::{ScriptBuf, Sequence, absolute, opcodes, script::Builder};

/// Blocks the relative lock of the suite lasts.
const LOCK: u16 = 5;

/// A transaction waits for its lock time.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn absolute_locks_hold(bench: &mut Bench<'_>) -> Check {
    let tip = call("fetch_tip", bench.node.fetch_tip().await)?;
    // A lock of n lets the transaction into block n + 1, so this one misses the next block by one.
    let lock = present("there are more heights", tip.height.checked_add(1))?;
    let mut tx = spend(&bench.take()?, FEE, &anyone());
    tx.lock_time = absolute::LockTime::from_consensus(lock.to_u32());
    let outcome = bench.broadcast(&tx).await?;
    require_refused("an absolute lock holds", &outcome, RefusalKind::NonFinal)?;
    bench.mine(1).await?;
    bench.send(&tx).await?;
    bench.mine(1).await.map(drop)
}

/// An output with a relative lock opens in the block the lock says, not one earlier, and not to a smaller sequence.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn relative_locks_hold(bench: &mut Bench<'_>) -> Check {
    let locked = Builder::new().push_int(i64::from(LOCK)).push_opcode(opcodes::all::OP_CSV).into_script();
    let funding = spend(&bench.take()?, FEE, &locked);
    let coin = coin_of(&funding, 0, &locked);
    bench.send(&funding).await?;
    let early = locked_spend(&coin, LOCK);
    let outcome = bench.broadcast(&early).await?;
    require_refused("the lock of an unconfirmed output has not begun", &outcome, RefusalKind::NonFinal)?;
    bench.mine(1).await?;
    for _ in 1..LOCK {
        let outcome = bench.broadcast(&early).await?;
        require_refused("a relative lock holds", &outcome, RefusalKind::NonFinal)?;
        bench.mine(1).await?;
    }
    let outcome = bench.broadcast(&locked_spend(&coin, LOCK - 1)).await?;
    require_refused("a smaller sequence does not open it", &outcome, RefusalKind::ScriptFailed)?;
    bench.send(&early).await?;
    bench.mine(1).await.map(drop)
}

/// A coinbase cannot be spent before 100 blocks are on it.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn coinbases_mature(bench: &mut Bench<'_>) -> Check {
    let block = *present("a block was mined", bench.mine(1).await?.first())?;
    let coin = Bench::coinbase_coin(bench.node, &block).await?;
    let tx = spend(&coin, FEE, &anyone());
    let outcome = bench.broadcast(&tx).await?;
    require_refused("a young coinbase is refused", &outcome, RefusalKind::NonFinal)?;
    bench.mine(98).await?;
    let outcome = bench.broadcast(&tx).await?;
    require_refused("a coinbase is refused to the last block", &outcome, RefusalKind::NonFinal)?;
    bench.mine(1).await?;
    bench.send(&tx).await?;
    bench.mine(1).await.map(drop)
}

/// A script that ends in false, or that is not the one committed to, is refused.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn scripts_that_fail_are_refused(bench: &mut Bench<'_>) -> Check {
    let closed = Builder::new().push_opcode(opcodes::OP_FALSE).into_script();
    let funding = spend(&bench.take()?, FEE, &closed);
    bench.send(&funding).await?;
    bench.mine(1).await?;
    for witness_script in [closed.clone(), anyone(), ScriptBuf::new()] {
        let coin = Coin { witness_script, ..coin_of(&funding, 0, &closed) };
        let outcome = bench.broadcast(&spend(&coin, FEE, &anyone())).await?;
        require_refused("a failing script is refused", &outcome, RefusalKind::ScriptFailed)?;
    }
    Ok(())
}

fn locked_spend(coin: &Coin, blocks: u16) -> bitcoin::Transaction {
    let mut tx = spend(coin, FEE, &anyone());
    for input in &mut tx.input {
        input.sequence = Sequence::from_height(blocks);
    }
    tx
}
