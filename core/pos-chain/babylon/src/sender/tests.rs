//! The sender against a scripted node.

use super::*;
use crate::{
    proto::{Any, BaseAccount, QueryAccountRequest, QueryAccountResponse, SimulateRequest},
    rpc::{
        AbciAnswer, RpcError,
        fake::{FakeRpc, answered, failed, node_error, refused},
    },
};
use bitcoin::{BlockHash, Txid, hashes::Hash};
use btc_staking_pos_chain::{
    ErrorKind, MemoryOutbox, Outbox, OutboxEntry, OutboxError,
    message::{RefusalClass, RefusalKind, RewardKind},
};
use btc_staking_protocol::inclusion::InclusionProof;
use prost::{Message as _, Name as _};

const SECRET: [u8; 32] = [7; 32];

/// Patient enough for a busy machine: no test that succeeds waits for the deadline.
fn config() -> SenderConfig {
    SenderConfig {
        deadline: Duration::from_secs(30),
        poll_interval: Duration::from_millis(1),
        ..SenderConfig::new("bbn-test")
    }
}

/// For tests that wait for the deadline.
fn hasty() -> SenderConfig {
    SenderConfig { deadline: Duration::from_millis(300), ..config() }
}

/// A node with a funded account at sequence 5, and a sender.
fn funded(config: SenderConfig) -> (Arc<FakeRpc>, BabylonSender) {
    funded_with(config, &Arc::default())
}

fn funded_with(config: SenderConfig, outbox: &Arc<MemoryOutbox>) -> (Arc<FakeRpc>, BabylonSender) {
    let rpc = Arc::new(FakeRpc::default());
    let key = AccountKey::from_secret(&SECRET).unwrap();
    let address = key.account().bech32().to_owned();
    rpc.script().account =
        Some(BaseAccount { address, account_number: 3, sequence: 5, ..BaseAccount::default() });
    let outbox = Arc::<MemoryOutbox>::clone(outbox);
    let sender = BabylonSender::with_outbox(Arc::<FakeRpc>::clone(&rpc), key, config, outbox).unwrap();
    (rpc, sender)
}

/// Refundable.
fn proof(stake: u8) -> ChainMessage {
    let proof =
        InclusionProof { block_hash: BlockHash::from_byte_array([1; 32]), index: 1, siblings: vec![[2; 32]] };
    ChainMessage::AddInclusionProof { staking_txid: Txid::from_byte_array([stake; 32]), proof }
}
/// Not refundable.
fn withdraw() -> ChainMessage {
    ChainMessage::WithdrawReward(RewardKind::BtcStaker)
}

fn simulation_failure(index: usize, text: &str) -> crate::rpc::AbciAnswer {
    let log = format!(
        "rpc error: code = Unknown desc = failed to execute message; message index: {index}: {text} with gas used: '57041': unknown request"
    );
    refused("sdk", 6, &log)
}

fn accepted(outcome: &MessageOutcome) -> bool {
    matches!(outcome, MessageOutcome::Accepted { .. })
}
fn refusal(outcome: &MessageOutcome) -> RefusalKind {
    match outcome {
        MessageOutcome::Refused(refusal) => refusal.kind,
        MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) | MessageOutcome::Unknown(_) => {
            panic!("{outcome:?}")
        }
    }
}

#[tokio::test]
async fn a_batch_is_one_transaction_with_the_simulated_gas_and_its_fee() {
    let (rpc, sender) = funded(config());
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    assert!(outcomes.iter().all(accepted));
    let script = rpc.script();
    assert_eq!(script.sent.len(), 1);
    assert_eq!(script.sent[0].messages.len(), 2);
    assert_eq!(script.sent[0].sequence, 5);
    // 100,000 simulated, 150 percent, 0.01 ubbn.
    assert_eq!((script.sent[0].gas_limit, script.sent[0].fee.as_str()), (150_000, "1500ubbn"));
}

#[tokio::test]
async fn nothing_is_sent_for_no_messages() {
    let (rpc, sender) = funded(config());
    assert_eq!(sender.submit(Vec::new()).await, Ok(Vec::new()));
    assert!(rpc.script().requests.is_empty());
}

#[tokio::test]
async fn refundable_messages_travel_apart_and_order_is_kept() {
    let (rpc, sender) = funded(config());
    let outcomes = sender.submit(vec![proof(1), withdraw(), proof(2), proof(3)]).await.unwrap();
    assert!(outcomes.iter().all(accepted));
    let script = rpc.script();
    let counts: Vec<_> = script.sent.iter().map(|tx| tx.messages.len()).collect();
    assert_eq!(counts, [1, 1, 2]);
    let sequences: Vec<_> = script.sent.iter().map(|tx| tx.sequence).collect();
    assert_eq!(sequences, [5, 6, 7]);
}

#[tokio::test]
async fn the_same_message_twice_is_never_in_one_transaction() {
    let (rpc, sender) = funded(config());
    sender.submit(vec![proof(1), proof(1)]).await.unwrap();
    assert_eq!(rpc.script().sent.len(), 2);
}

#[tokio::test]
async fn a_batch_is_split_around_the_message_that_simulation_names() {
    let (rpc, sender) = funded(config());
    rpc.script().simulations.push_back(Ok(simulation_failure(1, "the BTC delegation is not found")));
    let outcomes = sender.submit(vec![proof(1), proof(2), proof(3)]).await.unwrap();
    assert!(accepted(&outcomes[0]) && accepted(&outcomes[2]));
    assert_eq!(refusal(&outcomes[1]), RefusalKind::DelegationNotFound);
    let script = rpc.script();
    assert_eq!(script.sent.len(), 1);
    assert_eq!(script.sent[0].messages.len(), 2);
}

#[tokio::test]
async fn what_the_chain_already_has_is_done_and_not_refused() {
    let (rpc, sender) = funded(config());
    rpc.script()
        .simulations
        .push_back(Ok(simulation_failure(0, "the delegation already has inclusion proof")));
    let outcomes = sender.submit(vec![proof(1)]).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::AlreadyDone(_)));
    assert!(rpc.script().sent.is_empty());
}

#[tokio::test]
async fn a_message_that_fails_in_its_block_gets_its_outcome_and_the_others_go_again() {
    let (rpc, sender) = funded(config());
    let log = "failed to execute message; message index: 0: x: the BTC staking tx is already used";
    rpc.script().results.push_back(failed("btcstaking", 1106, log));
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::AlreadyDone(_)));
    assert!(accepted(&outcomes[1]));
    // The failed transaction used sequence 5.
    assert_eq!(rpc.script().sent.iter().map(|tx| tx.sequence).collect::<Vec<_>>(), [5, 6]);
}

#[tokio::test]
async fn a_refusal_without_a_name_is_found_by_sending_each_message_alone() {
    let (rpc, sender) = funded(config());
    rpc.script().broadcasts.push_back(Ok(failed("undefined", 1, "something is off")));
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    assert!(outcomes.iter().all(accepted));
    assert_eq!(rpc.script().sent.len(), 2);
}

#[tokio::test]
async fn a_sequence_mismatch_teaches_the_right_sequence() {
    let log = "account sequence mismatch, expected 9, got 5: incorrect account sequence";
    for in_simulation in [true, false] {
        let (rpc, sender) = funded(config());
        if in_simulation {
            rpc.script().simulations.push_back(Ok(refused("sdk", 6, &format!("{log}: unknown request"))));
        } else {
            rpc.script().broadcasts.push_back(Ok(failed("sdk", 32, log)));
        }
        assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
        assert_eq!(rpc.script().sent[0].sequence, 9);
        assert!(accepted(&sender.submit(vec![proof(2)]).await.unwrap()[0]));
        assert_eq!(rpc.script().sent[1].sequence, 10);
    }
}

#[tokio::test]
async fn a_node_that_lags_behind_is_waited_for_and_no_sequence_is_used_twice() {
    let (rpc, sender) = funded(hasty());
    sender.submit(vec![proof(1)]).await.unwrap();
    let log = "account sequence mismatch, expected 5, got 6: incorrect account sequence";
    rpc.script().broadcasts.push_back(Ok(failed("sdk", 32, log)));
    assert!(accepted(&sender.submit(vec![proof(2)]).await.unwrap()[0]));
    assert_eq!(rpc.script().sent[1].sequence, 6);
    rpc.script().broadcasts.extend((0..10_000).map(|_| Ok(failed("sdk", 32, log))));
    let error = sender.submit(vec![proof(3)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert_eq!(rpc.script().sent.len(), 2);
}

#[tokio::test]
async fn a_transaction_the_node_already_has_counts_as_sent() {
    let (rpc, sender) = funded(config());
    rpc.script().broadcasts.push_back(Err(node_error("tx already exists in cache")));
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    assert_eq!(rpc.script().sent.len(), 1);
}

#[tokio::test]
async fn a_broadcast_without_answer_is_looked_for_before_anything_is_said() {
    let (rpc, sender) = funded(config());
    rpc.script().broadcasts.push_back(Err(RpcError::Unreachable("timeout".into())));
    rpc.script().unseen = 3;
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
}

#[tokio::test]
async fn a_full_mempool_is_waited_for() {
    let (rpc, sender) = funded(config());
    rpc.script().broadcasts.push_back(Err(node_error("mempool is full: number of txs 5000")));
    rpc.script().broadcasts.push_back(Ok(failed("sdk", 20, "mempool is full")));
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    assert_eq!(rpc.script().sent.len(), 1);
}

#[tokio::test]
async fn an_unknown_fate_is_an_error_and_the_transaction_is_followed_all_the_same() {
    let (rpc, sender) = funded(hasty());
    rpc.script().unseen = usize::MAX;
    let error = sender.submit(vec![proof(1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.detail.contains("re-read the chain"), "{}", error.detail);
    rpc.script().unseen = 0;
    assert!(accepted(&sender.submit(vec![proof(2)]).await.unwrap()[0]));
    // The same bytes may have been handed over again meanwhile, under the same sequence.
    let sequences = || {
        let mut sequences: Vec<_> = rpc.script().sent.iter().map(|tx| tx.sequence).collect();
        sequences.dedup();
        sequences
    };
    // The first one landed for nobody: the same message again is told so, and is not sent again. Once.
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    assert_eq!(sequences(), [5, 6]);
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    assert_eq!(sequences(), [5, 6, 7]);
}

#[tokio::test]
async fn an_error_in_a_later_transaction_leaves_the_earlier_outcomes() {
    let (rpc, sender) = funded(hasty());
    let gone = || Err(RpcError::Unreachable("down".into()));
    let simulated = crate::rpc::fake::answered(&crate::proto::SimulateResponse {
        gas_info: Some(crate::proto::GasInfo { gas_wanted: 0, gas_used: 1 }),
        result: None,
    });
    rpc.script().simulations.push_back(Ok(simulated));
    rpc.script().simulations.extend((0..10_000).map(|_| gone()));
    let outcomes = sender.submit(vec![proof(1), withdraw(), proof(2)]).await.unwrap();
    assert!(accepted(&outcomes[0]));
    for outcome in &outcomes[1..] {
        let MessageOutcome::Unknown(error) = outcome else { panic!("{outcome:?}") };
        assert_eq!(error.kind, ErrorKind::Transient);
    }
    assert_eq!(rpc.script().sent.len(), 1);
}

#[tokio::test]
async fn what_a_caller_gave_up_is_withdrawn_when_it_has_not_left() {
    let (rpc, sender) = funded(config());
    rpc.script().broadcasts.extend((0..8).map(|_| Err(node_error("mempool is full: number of txs 5000"))));
    let first = sender.submit(vec![proof(1)]);
    let second = sender.submit(vec![withdraw()]);
    // The second waits behind the first, and its caller does not wait for ever.
    let (first, second) = tokio::join!(first, tokio::time::timeout(Duration::from_millis(10), second));
    assert!(second.is_err());
    assert!(accepted(&first.unwrap()[0]));
    assert!(accepted(&sender.submit(vec![proof(2)]).await.unwrap()[0]));
    assert_eq!(rpc.script().sent.len(), 2);
}

#[tokio::test]
async fn an_account_nobody_funded_is_told_as_such_for_every_message() {
    let (rpc, sender) = funded(config());
    rpc.script().account = None;
    let outcomes = sender.submit(vec![proof(1), proof(2), withdraw()]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| refusal(outcome) == RefusalKind::InsufficientFunds));
    assert!(rpc.script().sent.is_empty());
}

#[tokio::test]
async fn missing_funds_are_told_once_and_not_looked_for_in_messages() {
    let (rpc, sender) = funded(config());
    let log = "spendable balance 1ubbn is smaller than 1500ubbn: insufficient funds";
    rpc.script().broadcasts.push_back(Ok(failed("sdk", 5, log)));
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| refusal(outcome) == RefusalKind::InsufficientFunds));
    assert_eq!(rpc.script().simulated, 1);
}

#[tokio::test]
async fn running_out_of_gas_in_a_block_is_tried_again_with_twice_the_limit() {
    let (rpc, sender) = funded(config());
    rpc.script().results.push_back(failed("sdk", 11, "out of gas in location: WritePerByte: out of gas"));
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    let limits: Vec<_> = rpc.script().sent.iter().map(|tx| tx.gas_limit).collect();
    assert_eq!(limits, [150_000, 300_000]);
}

#[tokio::test]
async fn more_gas_than_a_transaction_may_have_halves_the_batch() {
    let (rpc, sender) = funded(SenderConfig { max_gas: 149_999, ..config() });
    rpc.script().simulations.clear();
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    assert!(outcomes.iter().all(accepted));
    // Alone, each gets what there is.
    assert_eq!(rpc.script().sent.iter().map(|tx| tx.gas_limit).collect::<Vec<_>>(), [149_999, 149_999]);
}

#[tokio::test]
async fn a_message_that_alone_needs_more_gas_than_a_transaction_may_have_is_refused_for_good() {
    let (rpc, sender) = funded(SenderConfig { max_gas: 99_999, ..config() });
    let outcomes = sender.submit(vec![proof(1), proof(2)]).await.unwrap();
    for outcome in &outcomes {
        let kind = refusal(outcome);
        assert_eq!((kind, kind.class()), (RefusalKind::Other, RefusalClass::Reasoned));
    }
    assert!(rpc.script().sent.is_empty());
}

#[tokio::test]
async fn an_inclusion_in_a_block_that_cannot_be_is_not_believed() {
    for height in [0, 12] {
        // Simulated at height 1: its last block is 11.
        let (rpc, sender) = funded(hasty());
        rpc.script().heights.push_back(height);
        let error = sender.submit(vec![proof(1)]).await.unwrap_err();
        assert!(error.detail.contains(&format!("in block {height}")), "{error}");
        assert!(rpc.script().set_aside > 0);
    }
    let (rpc, sender) = funded(config());
    rpc.script().heights.push_back(11);
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
}

#[tokio::test]
async fn a_message_sent_from_the_wrong_account_is_refused_here() {
    use btc_staking_pos_chain::message::{CommissionRates, Description, FinalityProviderRegistration};
    use btc_staking_protocol::{possession::ProofOfPossession, rate::Decimal};
    let (rpc, sender) = funded(config());
    let registration = FinalityProviderRegistration {
        account: AccountAddress::from_bytes("bbn", &[9; 20]).unwrap(),
        finality_provider: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
            .parse()
            .unwrap(),
        possession: ProofOfPossession::Ecdsa([1; 65]),
        description: Description::default(),
        commission: CommissionRates {
            rate: Decimal::ZERO,
            max_rate: Decimal::ONE,
            max_change_rate: Decimal::ZERO,
        },
    };
    let message = ChainMessage::CreateFinalityProvider(Box::new(registration));
    let outcomes = sender.submit(vec![message, proof(1)]).await.unwrap();
    assert_eq!(refusal(&outcomes[0]), RefusalKind::Broken);
    assert!(accepted(&outcomes[1]));
    assert_eq!(rpc.script().sent.len(), 1);
}

#[tokio::test]
async fn passing_trouble_before_anything_is_sent_is_waited_out_and_lasting_trouble_is_told() {
    let (rpc, sender) = funded(hasty());
    rpc.script().simulations.push_back(Err(RpcError::Unreachable("down".into())));
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    let down = (0..10_000).map(|_| Err(RpcError::Unreachable("down".into())));
    rpc.script().simulations.extend(down);
    assert_eq!(sender.submit(vec![proof(2)]).await.unwrap_err().kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_node_without_simulation_is_broken_and_not_a_refusal_of_the_message() {
    let (rpc, sender) = funded(config());
    rpc.answer::<SimulateRequest>(refused("sdk", 6, "unknown query path: unknown request"));
    assert_eq!(sender.submit(vec![proof(1)]).await.unwrap_err().kind, ErrorKind::Broken);
}

#[tokio::test]
async fn callers_of_one_account_share_transactions_and_no_sequence_is_used_twice() {
    let (rpc, sender) = funded(config());
    let sender = Arc::new(sender);
    let tasks: Vec<_> = (0..8)
        .map(|stake| {
            let sender = Arc::clone(&sender);
            tokio::spawn(async move { sender.submit(vec![proof(stake)]).await })
        })
        .collect();
    for task in tasks {
        assert!(accepted(&task.await.unwrap().unwrap()[0]));
    }
    let script = rpc.script();
    assert_eq!(script.sent.iter().map(|tx| tx.messages.len()).sum::<usize>(), 8);
    assert!(script.sent.len() < 8);
    assert!(script.sent.iter().map(|tx| tx.sequence).eq(5..5 + u64::try_from(script.sent.len()).unwrap()));
}

/// The account as of a block.
fn account_at(height: u64, sequence: u64) -> AbciAnswer {
    let address = AccountKey::from_secret(&SECRET).unwrap().account().bech32().to_owned();
    let account = BaseAccount { address, account_number: 3, sequence, ..BaseAccount::default() };
    let any = Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() };
    AbciAnswer { height, ..answered(&QueryAccountResponse { account: Some(any) }) }
}

fn sequences(rpc: &FakeRpc) -> Vec<u64> {
    let mut sequences: Vec<_> = rpc.script().sent.iter().map(|tx| tx.sequence).collect();
    sequences.dedup();
    sequences
}

#[tokio::test]
async fn a_transaction_that_no_block_can_take_any_more_is_replaced_under_the_same_sequence() {
    let (rpc, sender) = funded(SenderConfig { resend_interval: Duration::from_millis(1), ..config() });
    rpc.script().unseen = 20;
    rpc.answer::<QueryAccountRequest>(account_at(1, 5));
    // Its last block is 11. At 10 it may still land, at 11 it is too late.
    rpc.answer::<QueryAccountRequest>(account_at(10, 5));
    rpc.answer::<QueryAccountRequest>(account_at(11, 5));
    assert!(accepted(&sender.submit(vec![proof(1)]).await.unwrap()[0]));
    assert_eq!(sequences(&rpc), [5]);
    assert_eq!(rpc.script().simulated, 2);
}

#[tokio::test]
async fn a_sequence_that_another_program_used_is_told_and_the_message_is_not_repeated() {
    let (rpc, sender) = funded(SenderConfig { resend_interval: Duration::from_millis(1), ..config() });
    rpc.script().unseen = usize::MAX;
    rpc.answer::<QueryAccountRequest>(account_at(1, 5));
    for _ in 0..10 {
        rpc.answer::<QueryAccountRequest>(account_at(11, 6));
    }
    let error = sender.submit(vec![proof(1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.detail.contains("does another program sign"), "{}", error.detail);
    assert_eq!(sequences(&rpc), [5]);
}

#[tokio::test]
async fn a_transaction_left_by_an_earlier_program_is_followed_and_its_message_is_not_sent_again() {
    let outbox = Arc::new(MemoryOutbox::default());
    let (rpc, sender) = funded_with(hasty(), &outbox);
    rpc.script().unseen = usize::MAX;
    assert!(sender.submit(vec![proof(1), proof(2)]).await.is_err());
    drop(sender);
    assert_eq!(outbox.entries().unwrap().len(), 1);
    rpc.script().unseen = 0;
    let key = AccountKey::from_secret(&SECRET).unwrap();
    let (again, records) = (Arc::<FakeRpc>::clone(&rpc), Arc::<MemoryOutbox>::clone(&outbox));
    let sender = BabylonSender::with_outbox(again, key, config(), records).unwrap();
    assert!(sender.submit(vec![proof(2), proof(1)]).await.unwrap().iter().all(accepted));
    assert_eq!(sequences(&rpc), [5]);
    assert_eq!(outbox.entries(), Ok(Vec::new()));
    assert!(accepted(&sender.submit(vec![proof(3)]).await.unwrap()[0]));
    assert_eq!(sequences(&rpc), [5, 6]);
}

#[tokio::test]
async fn an_outbox_with_what_this_account_did_not_sign_stops_the_sender() {
    let outbox = Arc::new(MemoryOutbox::default());
    let (rpc, sender) = funded_with(hasty(), &outbox);
    rpc.script().unseen = usize::MAX;
    assert!(sender.submit(vec![proof(1)]).await.is_err());
    drop(sender);
    let entry = outbox.entries().unwrap().remove(0);
    let spoilt = |change: fn(&mut OutboxEntry)| {
        let mut entry = entry.clone();
        change(&mut entry);
        entry
    };
    let table: [(&[u8; 32], OutboxEntry); 4] = [
        (&[8; 32], entry.clone()),
        (&SECRET, spoilt(|entry| entry.sequence = 9)),
        (&SECRET, spoilt(|entry| entry.hash[0] ^= 1)),
        (&SECRET, spoilt(|entry| entry.tx.clear())),
    ];
    for (secret, entry) in table {
        let outbox = MemoryOutbox::default();
        outbox.record(&entry).unwrap();
        let (again, key) = (Arc::<FakeRpc>::clone(&rpc), AccountKey::from_secret(secret).unwrap());
        let sender = BabylonSender::with_outbox(again, key, config(), Arc::new(outbox)).unwrap();
        let error = sender.submit(vec![proof(2)]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Broken);
        assert!(error.detail.contains("is not ours"), "{}", error.detail);
    }
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_recorded() {
    struct Full;
    impl Outbox for Full {
        fn entries(&self) -> std::result::Result<Vec<OutboxEntry>, OutboxError> {
            Ok(Vec::new())
        }
        fn record(&self, _: &OutboxEntry) -> std::result::Result<(), OutboxError> {
            Err(OutboxError("no space left on device".into()))
        }
        fn forget(&self, _: &[[u8; 32]]) -> std::result::Result<(), OutboxError> {
            Ok(())
        }
    }
    let (rpc, _) = funded(config());
    let key = AccountKey::from_secret(&SECRET).unwrap();
    let again = Arc::<FakeRpc>::clone(&rpc);
    let sender = BabylonSender::with_outbox(again, key, config(), Arc::new(Full)).unwrap();
    let error = sender.submit(vec![proof(1)]).await.unwrap_err();
    assert!(error.kind == ErrorKind::Broken && error.detail.contains("no space left"), "{error}");
    assert!(rpc.script().sent.is_empty());
}

#[tokio::test]
async fn an_internal_error_of_a_handler_is_a_refusal_and_not_trouble_of_the_node() {
    let (rpc, sender) = funded(config());
    let text = "rpc error: code = Internal desc = collections: not found: key 'x'";
    rpc.script().simulations.push_back(Ok(simulation_failure(0, text)));
    let outcomes = sender.submit(vec![withdraw()]).await.unwrap();
    assert_eq!(refusal(&outcomes[0]), RefusalKind::NothingToWithdraw);
}

#[test]
fn a_configuration_that_cannot_send_is_refused() {
    let key = || AccountKey::from_secret(&SECRET).unwrap();
    let make = |config| BabylonSender::new(Arc::new(FakeRpc::default()), key(), config).err();
    assert_eq!(make(SenderConfig::new("")), Some(InvalidSenderConfig::NoChainId));
    let low = SenderConfig { gas_percent: 99, ..config() };
    assert_eq!(make(low), Some(InvalidSenderConfig::GasPercent(99)));
    let none = SenderConfig { max_messages: 0, ..config() };
    assert_eq!(make(none), Some(InvalidSenderConfig::Zero("max_messages")));
    assert_eq!(make(config()), Some(InvalidSenderConfig::NoRuntime));
}
