use super::*;
use bitcoin::{
    Amount, Network, ScriptBuf, Sequence, TxIn, TxOut, Witness, absolute, constants::genesis_block,
    hashes::Hash, transaction,
};
use btc_staking_protocol::height::BtcHeight;
use proptest::prelude::*;

/// A transaction of `number` that spends `inputs`.
fn tx(number: u32, inputs: &[OutPoint]) -> Transaction {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[1]]),
    };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(number),
        input: inputs.iter().map(input).collect(),
        output: vec![TxOut { value: Amount::from_sat(1_000), script_pubkey: ScriptBuf::new() }],
    }
}

fn outpoint(number: u8) -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([number; 32]), vout: u32::from(number) }
}

fn block(height: u32, txdata: Vec<Transaction>) -> ChainEvent {
    let mut block = genesis_block(Network::Regtest);
    block.header.nonce = height;
    block.txdata.extend(txdata);
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    let block_ref = BlockRef { height: BtcHeight::new(height), hash: block.block_hash() };
    ChainEvent::Connected { block_ref, block }
}

fn gone(event: &ChainEvent) -> ChainEvent {
    ChainEvent::Disconnected { block_ref: event.block_ref() }
}

fn root_of(event: &ChainEvent) -> bitcoin::TxMerkleNode {
    match event {
        ChainEvent::Connected { block, .. } => block.header.merkle_root,
        ChainEvent::Disconnected { .. } => panic!("no block"),
    }
}

#[test]
fn confirmations_and_spends_come_and_go_with_their_block() {
    let spender = tx(1, &[outpoint(1), outpoint(2)]);
    let txid = spender.compute_txid();
    let mut watch = Watch::new();
    watch.watch_txid(txid);
    watch.watch_outpoint(outpoint(2));
    let found = block(7, vec![tx(9, &[outpoint(9)]), spender.clone()]);
    let facts = watch.on_event(&found);
    assert_eq!(facts.len(), 2);
    let confirmation = watch.confirmation(&txid).unwrap().clone();
    assert_eq!((confirmation.index, &confirmation.tx), (2, &spender));
    assert_eq!(confirmation.inclusion_proof().verify(&txid, &root_of(&found)), Ok(()));
    let spend = watch.spend(&outpoint(2)).unwrap();
    assert_eq!((spend.input_index, &spend.spender), (1, &confirmation));
    assert!(watch.on_event(&found).is_empty(), "the same block again says nothing new");
    let facts = watch.on_event(&gone(&found));
    let block = found.block_ref();
    let undone =
        [WatchFact::Unspent { outpoint: outpoint(2), block }, WatchFact::Unconfirmed { txid, block }];
    assert_eq!(facts, undone);
    assert_eq!((watch.confirmation(&txid), watch.spend(&outpoint(2))), (None, None));
}

#[test]
fn only_the_block_that_brought_a_fact_takes_it_back() {
    let spender = tx(1, &[outpoint(1)]);
    let mut watch = Watch::new();
    watch.watch_outpoint(outpoint(1));
    let found = block(7, vec![spender]);
    watch.on_event(&found);
    assert!(watch.on_event(&gone(&block(8, vec![]))).is_empty());
    assert!(watch.spend(&outpoint(1)).is_some());
}

#[test]
fn what_is_not_watched_any_more_is_forgotten() {
    let spender = tx(1, &[outpoint(1)]);
    let mut watch = Watch::new();
    watch.watch_txid(spender.compute_txid());
    watch.watch_outpoint(outpoint(1));
    let found = block(7, vec![spender.clone()]);
    watch.on_event(&found);
    watch.unwatch_txid(&spender.compute_txid());
    watch.unwatch_outpoint(&outpoint(1));
    assert_eq!(watch, Watch::new());
    assert!(watch.on_event(&gone(&found)).is_empty());
}

#[test]
fn restored_facts_are_undone_like_seen_ones() {
    let spender = tx(1, &[outpoint(1)]);
    let found = block(7, vec![spender.clone()]);
    let mut seen = Watch::new();
    seen.watch_txid(spender.compute_txid());
    seen.watch_outpoint(outpoint(1));
    seen.on_event(&found);
    let text = serde_json::to_string(seen.spend(&outpoint(1)).unwrap()).unwrap();
    let spend: Spend = serde_json::from_str(&text).unwrap();
    let mut restored = Watch::new();
    restored.restore_confirmation(spend.spender.clone());
    assert!(restored.restore_spend(outpoint(1), spend.clone()));
    assert_eq!(restored, seen);
    assert!(!restored.restore_spend(outpoint(2), spend.clone()), "a spend of something else is refused");
    assert!(!restored.restore_spend(outpoint(1), Spend { input_index: 9, ..spend }));
    assert_eq!(restored, seen);
    assert_eq!(restored.on_event(&gone(&found)), seen.on_event(&gone(&found)));
}

#[test]
fn a_transaction_is_found_in_its_block_only() {
    let wanted = tx(1, &[outpoint(1)]);
    let event = block(7, vec![tx(2, &[outpoint(2)]), wanted.clone()]);
    let ChainEvent::Connected { block_ref, block } = &event else { panic!("a block") };
    let found = find_in_block(*block_ref, block, &wanted.compute_txid()).unwrap();
    assert_eq!((found.index, found.block), (2, *block_ref));
    assert_eq!(find_in_block(*block_ref, block, &tx(3, &[outpoint(3)]).compute_txid()), None);
}

proptest! {
    /// After any walk over blocks, the index says what a fresh one says that saw only the blocks still connected.
    #[test]
    fn an_index_forgets_exactly_what_was_disconnected(
        blocks in proptest::collection::vec(proptest::collection::vec(0_u8..12, 0..5), 1..12),
        pops in proptest::collection::vec(0_usize..4, 12),
    ) {
        let watched: Vec<u8> = (0..12).step_by(2).collect();
        let fresh = || {
            let mut watch = Watch::new();
            for number in &watched {
                watch.watch_outpoint(outpoint(*number));
                watch.watch_txid(tx(u32::from(*number), &[outpoint(*number)]).compute_txid());
            }
            watch
        };
        let mut watch = fresh();
        let mut stack: Vec<(ChainEvent, Vec<u8>)> = Vec::new();
        for (height, (numbers, pops)) in blocks.iter().zip(&pops).enumerate() {
            // No output is spent twice on one chain.
            let unspent: std::collections::BTreeSet<u8> = numbers
                .iter()
                .copied()
                .filter(|number| !stack.iter().any(|(_, spent)| spent.contains(number)))
                .collect();
            let txs = unspent.iter().map(|number| tx(u32::from(*number), &[outpoint(*number)])).collect();
            let event = block(u32::try_from(height).unwrap(), txs);
            for fact in watch.on_event(&event) {
                if let WatchFact::Confirmed { txid, confirmation } = fact {
                    prop_assert_eq!(confirmation.inclusion_proof().verify(&txid, &root_of(&event)), Ok(()));
                }
            }
            stack.push((event, unspent.into_iter().collect()));
            for _ in 0..*pops {
                if let Some((event, _)) = stack.pop() {
                    watch.on_event(&gone(&event));
                }
            }
            let mut naive = fresh();
            for (event, _) in &stack {
                naive.on_event(event);
            }
            prop_assert_eq!(&watch, &naive);
        }
    }
}
