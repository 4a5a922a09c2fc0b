use super::*;
use crate::dev;
use bitcoin::{
    Amount, ScriptBuf, Sequence, TapLeafHash, TapSighashType, TxIn, TxOut, Witness, absolute,
    hashes::Hash,
    opcodes,
    script::Builder,
    secp256k1::{Keypair, Message, Secp256k1, SecretKey},
    sighash::{Prevouts, SighashCache},
    taproot::{LeafVersion, TaprootBuilder, TaprootSpendInfo},
    transaction,
};
use proptest::prelude::*;

const FEE: Amount = Amount::from_sat(2_000);
const LOCK: u16 = 10;

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

fn simulator() -> Simulator {
    Simulator::new(Box::new(|| 1_700_000_000))
}

/// A taproot output that a key opens after a relative lock, and by nothing else: the shape of a timelock path.
struct Locked {
    keypair: Keypair,
    script: ScriptBuf,
    spend_info: TaprootSpendInfo,
}

impl Locked {
    fn new() -> Self {
        let secp = Secp256k1::new();
        let keypair = Keypair::from_secret_key(&secp, &SecretKey::from_slice(&[7; 32]).unwrap());
        let script = Builder::new()
            .push_x_only_key(&keypair.x_only_public_key().0)
            .push_opcode(opcodes::all::OP_CHECKSIGVERIFY)
            .push_int(i64::from(LOCK))
            .push_opcode(opcodes::all::OP_CSV)
            .into_script();
        let nobody = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0".parse().unwrap();
        let tree = TaprootBuilder::new().add_leaf(0, script.clone()).unwrap();
        let spend_info = tree.finalize(&secp, nobody).unwrap();
        Self { keypair, script, spend_info }
    }

    fn script_pubkey(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr_tweaked(self.spend_info.output_key())
    }

    /// Spends an output of this script with a valid signature, through the leaf.
    fn spend(&self, outpoint: OutPoint, output: TxOut, sequence: Sequence) -> Transaction {
        let mut tx = spend_one(outpoint, output.value - FEE, ScriptBuf::new_op_return([0; 4]), sequence);
        tx.output[0].script_pubkey = anyone().to_p2wsh();
        let leaf = TapLeafHash::from_script(&self.script, LeafVersion::TapScript);
        let sighash = SighashCache::new(&tx)
            .taproot_script_spend_signature_hash(0, &Prevouts::All(&[output]), leaf, TapSighashType::Default)
            .unwrap();
        let message = Message::from_digest(sighash.to_byte_array());
        let signature = Secp256k1::new().sign_schnorr_no_aux_rand(&message, &self.keypair);
        let control = self.spend_info.control_block(&(self.script.clone(), LeafVersion::TapScript)).unwrap();
        tx.input[0].witness = Witness::from_slice(&[
            signature.serialize().to_vec(),
            self.script.to_bytes(),
            control.serialize(),
        ]);
        tx
    }
}

fn anyone() -> ScriptBuf {
    Builder::new().push_opcode(opcodes::OP_TRUE).into_script()
}

fn spend_one(
    previous_output: OutPoint,
    value: Amount,
    script_pubkey: ScriptBuf,
    sequence: Sequence,
) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::from_slice(&[anyone().as_bytes()]),
        }],
        output: vec![TxOut { value, script_pubkey }],
    }
}

/// Mines `count` mature coins that anyone may spend.
async fn coins(simulator: &Simulator, count: u32) -> Vec<(OutPoint, Amount)> {
    let mined = simulator.mine(count, &anyone().to_p2wsh()).await.unwrap();
    simulator.mine(100, &anyone().to_p2wsh()).await.unwrap();
    let mut coins = Vec::new();
    for block in mined {
        let coinbase = simulator.fetch_block(&block.hash).await.unwrap().unwrap().txdata.remove(0);
        coins.push((OutPoint { txid: coinbase.compute_txid(), vout: 0 }, coinbase.output[0].value));
    }
    coins
}

async fn send(simulator: &Simulator, tx: &Transaction) -> BroadcastOutcome {
    simulator.broadcast(tx, BurnLimit::NONE).await.unwrap()
}

/// The reason in Bitcoin Core's words.
async fn refusal(simulator: &Simulator, tx: &Transaction) -> String {
    match send(simulator, tx).await {
        BroadcastOutcome::Refused(refusal) => refusal.text,
        accepted @ (BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown) => format!("{accepted:?}"),
    }
}

#[test]
fn timelocked_taproot_output_opens_on_time_with_the_right_witness_only() {
    run(async {
        let simulator = simulator();
        let (coin, value) = coins(&simulator, 1).await[0];
        let locked = Locked::new();
        let output = TxOut { value: value - FEE, script_pubkey: locked.script_pubkey() };
        let funding = spend_one(coin, output.value, output.script_pubkey.clone(), Sequence::MAX);
        let outpoint = OutPoint { txid: funding.compute_txid(), vout: 0 };
        assert_eq!(send(&simulator, &funding).await, BroadcastOutcome::Accepted);
        simulator.mine(1, &anyone().to_p2wsh()).await.unwrap();
        let ripe = locked.spend(outpoint, output.clone(), Sequence::from_height(LOCK));
        for _ in 1..LOCK {
            assert_eq!(refusal(&simulator, &ripe).await, "non-BIP68-final");
            simulator.mine(1, &anyone().to_p2wsh()).await.unwrap();
        }
        let mut wrong: Vec<Transaction> = [Sequence::from_height(LOCK - 1), Sequence::MAX]
            .map(|sequence| locked.spend(outpoint, output.clone(), sequence))
            .into();
        for item in 0..3 {
            let mut items = ripe.input[0].witness.to_vec();
            let middle = items[item].len() / 2;
            items[item][middle] ^= 1;
            let mut tx = ripe.clone();
            tx.input[0].witness = Witness::from_slice(&items);
            wrong.push(tx);
        }
        let mut other_amount = ripe.clone();
        other_amount.output[0].value -= Amount::ONE_SAT;
        wrong.push(other_amount);
        for tx in &wrong {
            let text = refusal(&simulator, tx).await;
            assert!(text.starts_with("mandatory-script-verify-flag-failed"), "{text}");
        }
        assert_eq!(send(&simulator, &ripe).await, BroadcastOutcome::Accepted);
    });
}

#[test]
fn relative_time_lock_opens_when_the_median_time_has_passed() {
    run(async {
        let simulator = simulator();
        // The first blocks follow one from 2011, so their median time jumps.
        let (coin, value) = coins(&simulator, 30).await[29];
        let sequence = Sequence::from_512_second_intervals(2);
        let tx = spend_one(coin, value - FEE, anyone().to_p2wsh(), sequence);
        let outcome = refusal(&simulator, &tx).await;
        assert_eq!(outcome, "non-BIP68-final", "a hundred blocks a second apart are no thousand seconds");
        simulator.advance_clock(2_000);
        simulator.mine(5, &anyone().to_p2wsh()).await.unwrap();
        assert_eq!(refusal(&simulator, &tx).await, "non-BIP68-final", "the median is not there yet");
        simulator.mine(1, &anyone().to_p2wsh()).await.unwrap();
        assert_eq!(send(&simulator, &tx).await, BroadcastOutcome::Accepted);
    });
}

type Mutation = Box<dyn Fn(&mut Transaction)>;

#[test]
fn malformed_and_non_standard_transactions_are_named() {
    run(async {
        let simulator = simulator();
        let (coin, value) = coins(&simulator, 1).await[0];
        let good = spend_one(coin, value - FEE, anyone().to_p2wsh(), Sequence::MAX);
        let mutations: Vec<(&str, Mutation)> = vec![
            ("bad-txns-vin-empty", Box::new(|tx| tx.input.clear())),
            ("bad-txns-vout-empty", Box::new(|tx| tx.output.clear())),
            ("bad-txns-txouttotal-toolarge", Box::new(|tx| tx.output[0].value = Amount::MAX)),
            ("bad-txns-inputs-duplicate", Box::new(|tx| tx.input.push(tx.input[0].clone()))),
            ("coinbase", Box::new(|tx| tx.input[0].previous_output = OutPoint::null())),
            ("bad-txns-in-belowout", Box::new(move |tx| tx.output[0].value = value + Amount::ONE_SAT)),
            ("version", Box::new(|tx| tx.version = transaction::Version(4))),
            (
                "scriptpubkey",
                Box::new(|tx| tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 30])),
            ),
            ("tx-size-small", Box::new(|tx| tx.output[0].script_pubkey = ScriptBuf::new())),
            (
                "scriptsig-not-pushonly",
                Box::new(|tx| tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0x61])),
            ),
            (
                "multi-op-return",
                Box::new(|tx| {
                    let note = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return([1]) };
                    tx.output.extend([note.clone(), note]);
                }),
            ),
            (
                "non-final",
                Box::new(|tx| {
                    tx.input[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
                    tx.lock_time = absolute::LockTime::from_consensus(1_700_010_000);
                }),
            ),
        ];
        for (reason, mutate) in mutations {
            let mut tx = good.clone();
            mutate(&mut tx);
            assert_eq!(refusal(&simulator, &tx).await, reason);
        }
        assert_eq!(send(&simulator, &good).await, BroadcastOutcome::Accepted);
    });
}

#[test]
fn replacing_or_evicting_a_parent_takes_its_children_along() {
    run(async {
        let simulator = simulator();
        let (coin, value) = coins(&simulator, 1).await[0];
        let parent = spend_one(coin, value - FEE, anyone().to_p2wsh(), Sequence::MAX);
        let made = OutPoint { txid: parent.compute_txid(), vout: 0 };
        let child = spend_one(made, value - FEE * 2, anyone().to_p2wsh(), Sequence::MAX);
        let places = async || {
            let mut places = Vec::new();
            for tx in [&parent, &child] {
                places.push(simulator.locate(&tx.compute_txid()).await.unwrap());
            }
            places
        };
        for tx in [&parent, &child] {
            assert_eq!(send(&simulator, tx).await, BroadcastOutcome::Accepted);
        }
        let beats_the_parent_only = spend_one(coin, value - FEE * 2, anyone().to_p2wsh(), Sequence::MAX);
        let text = refusal(&simulator, &beats_the_parent_only).await;
        assert!(text.contains("not enough additional fees"), "{text}");
        assert_eq!(places().await, [TxPlace::Mempool; 2]);
        let beats_both = spend_one(coin, value - FEE * 3, anyone().to_p2wsh(), Sequence::MAX);
        assert_eq!(send(&simulator, &beats_both).await, BroadcastOutcome::Accepted);
        assert_eq!(places().await, [TxPlace::Unknown; 2]);
        assert!(simulator.evict(&beats_both.compute_txid()));
        assert!(!simulator.evict(&beats_both.compute_txid()));
        for tx in [&parent, &child] {
            assert_eq!(send(&simulator, tx).await, BroadcastOutcome::Accepted);
        }
        assert!(simulator.evict(&parent.compute_txid()));
        assert_eq!(places().await, [TxPlace::Unknown; 2]);
    });
}

#[test]
fn fees_go_to_the_miner_and_subsidies_halve() {
    run(async {
        let simulator = simulator();
        let (coin, value) = coins(&simulator, 1).await[0];
        assert_eq!(value, Amount::from_int_btc(50));
        send(&simulator, &spend_one(coin, value - FEE, anyone().to_p2wsh(), Sequence::MAX)).await;
        let paid = async |block: &BlockRef| {
            simulator.fetch_block(&block.hash).await.unwrap().unwrap().txdata[0].output[0].value
        };
        let mined = simulator.mine(60, &anyone().to_p2wsh()).await.unwrap();
        assert_eq!(paid(&mined[0]).await, Amount::from_int_btc(50) + FEE);
        let halved = mined.iter().find(|block| block.height.to_u32() == 150).unwrap();
        assert_eq!(paid(halved).await, Amount::from_int_btc(25));
    });
}

#[test]
fn invalidating_the_genesis_block_or_an_unknown_one_is_refused() {
    run(async {
        let simulator = simulator();
        let genesis = simulator.fetch_tip().await.unwrap().hash;
        for hash in [genesis, BlockHash::all_zeros()] {
            assert!(simulator.invalidate(&hash).await.is_err());
        }
        assert!(simulator.reconsider(&BlockHash::all_zeros()).await.is_err());
        assert!(
            dev::reorg(&simulator, 1, &anyone().to_p2wsh()).await.is_err(),
            "there is nothing to replace"
        );
    });
}

/// What may happen to a node.
#[derive(Debug, Clone)]
enum Act {
    Spend(usize, u64),
    Mine(u32),
    Invalidate(u32),
    Reconsider,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_usize..8, 1_u64..10).prop_map(|(coin, fee)| Act::Spend(coin, fee)),
        3 => (1_u32..4).prop_map(Act::Mine),
        2 => (0_u32..6).prop_map(Act::Invalidate),
        1 => Just(Act::Reconsider),
    ];
    proptest::collection::vec(act, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is mined and taken back, what is unspent is what playing the best chain from its start leaves, and no
    /// satoshi appears or vanishes.
    #[test]
    fn unspent_outputs_are_those_of_the_best_chain(acts in acts()) {
        run(async {
            let simulator = simulator();
            let mut spendable = coins(&simulator, 8).await;
            let mut last_invalidated = None;
            for act in acts {
                match act {
                    Act::Spend(index, fee) => {
                        let (coin, value) = spendable[index];
                        let rest = value - FEE * fee;
                        let tx = spend_one(coin, rest, anyone().to_p2wsh(), Sequence::MAX);
                        let made = OutPoint { txid: tx.compute_txid(), vout: 0 };
                        // Half of the time the next spend builds on this one, else it is a rival.
                        if send(&simulator, &tx).await == BroadcastOutcome::Accepted && fee % 2 == 0 {
                            spendable[index] = (made, rest);
                        }
                    }
                    Act::Mine(blocks) => {
                        simulator.mine(blocks, &anyone().to_p2wsh()).await.unwrap();
                    }
                    Act::Invalidate(depth) => {
                        let tip = simulator.fetch_tip().await.unwrap().height;
                        let height = tip.checked_sub(depth).unwrap();
                        let hash = simulator.fetch_block_hash(height).await.unwrap().unwrap();
                        simulator.invalidate(&hash).await.unwrap();
                        last_invalidated = Some(hash);
                    }
                    Act::Reconsider => {
                        if let Some(hash) = last_invalidated.take() {
                            simulator.reconsider(&hash).await.unwrap();
                        }
                    }
                }
                simulator.lock().chain().check_against_replay();
            }
        });
    }
}
