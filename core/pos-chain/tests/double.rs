//! The scripted chain passes the contract suite and does what tests of roles rely on.

#![allow(clippy::unwrap_used)] // Helpers beside the tests unwrap as the tests do.

use bitcoin::{Network, Txid, block::Header, constants::genesis_block, hashes::Hash};
use btc_staking_pos_chain::{
    ChainMessage, ErrorKind, EventFollower, EvidenceReader, FinalityProvider, FinalityProviderReader,
    FinalityReader, HeadReader, LightClientHeader, LightClientReader, MessageOutcome, Refusal, RefusalKind,
    StoredCommitment, Submitter, VotingPower,
    contract::{Violation, check_events, check_finality, check_hints, check_reads, check_submission},
    double::{ChainState, ScriptedChain},
    event::ChainEvent,
    message::{CommissionRates, Description, FinalityProviderRegistration, RewardKind},
};
use btc_staking_protocol::{
    finality::{
        randomness::RandomnessCommitment,
        vote::{EotsSignature, MerkleProof, PublicRandomness, SignedVote, VoteMessage},
    },
    height::{BtcHeight, Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
    rate::Decimal,
};

const G: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn key() -> FinalityProviderPublicKey {
    G.parse().unwrap()
}
fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[1; 20]).unwrap()
}
fn at(height: u64) -> PosHeight {
    PosHeight::new(height)
}
fn rates() -> CommissionRates {
    CommissionRates { rate: Decimal::ZERO, max_rate: Decimal::ONE, max_change_rate: Decimal::ZERO }
}
fn vote(height: u64, app_hash: [u8; 32]) -> ChainMessage {
    ChainMessage::AddFinalitySignature(Box::new(SignedVote {
        finality_provider: key(),
        message: VoteMessage { height: at(height), app_hash },
        public_randomness: PublicRandomness::from_bytes([1; 32]),
        proof: MerkleProof { total: 1, index: 0, leaf_hash: [0; 32], aunts: Vec::new() },
        signature: EotsSignature::from_bytes(app_hash),
    }))
}
fn child(parent: &Header) -> Header {
    Header { prev_blockhash: parent.block_hash(), time: parent.time + 600, ..*parent }
}
/// A chain with one provider, a block to vote on and a light client of one header.
fn chain() -> ScriptedChain {
    let mut state = ChainState::new("bbn-test");
    let header = genesis_block(Network::Regtest).header;
    let base = LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(0) };
    state.light_client.push(base);
    state.push_block(at(10), [9; 32]);
    state.set_power(at(10), key(), 5);
    let provider = FinalityProvider {
        key: key(),
        account: account(),
        description: Description::default(),
        commission: rates(),
        commission_set_at: None,
        slashed: None,
        jailed: false,
        highest_voted_height: at(0),
    };
    state.finality_providers.insert(key(), provider);
    ScriptedChain::new(state)
}
fn is_accepted(outcome: &MessageOutcome) -> bool {
    matches!(outcome, MessageOutcome::Accepted { .. })
}

#[tokio::test]
async fn the_double_keeps_the_contract() {
    let chain = chain();
    check_reads(&chain).await.unwrap();
    check_events(&chain).await.unwrap();
    check_hints(&chain, false, async {}).await.unwrap();
    let good = vec![
        ChainMessage::SetWithdrawAddress(account()),
        vote(10, [9; 32]),
        ChainMessage::WithdrawReward(RewardKind::BtcStaker),
    ];
    check_submission(&chain, &chain.submitter(account()), good).await.unwrap();
    check_reads(&chain).await.unwrap();
}

#[tokio::test]
async fn the_suite_finds_a_chain_that_breaks_it() {
    let overlapping = chain();
    overlapping.update(|state| {
        let stored = |start| StoredCommitment {
            start_height: at(start),
            count: 10,
            root: [0; 32],
            epoch: Epoch::new(1),
        };
        state.commitments.insert(key(), vec![stored(1), stored(5)]);
    });
    let found = check_finality(&overlapping).await;
    assert!(
        matches!(found, Err(Violation::Broken { clause: "commitments do not overlap", .. })),
        "{found:?}"
    );
    let failing = chain();
    failing.fail_next_reads(1, ErrorKind::Transient);
    assert!(matches!(check_reads(&failing).await, Err(Violation::Failed { call: "fetch_head", .. })));
    let refusing = chain();
    let refusal =
        Refusal { kind: RefusalKind::Other, codespace: String::new(), code: 0, text: "scripted".into() };
    refusing.answer_next(MessageOutcome::Refused(refusal));
    let good = vec![vote(10, [9; 32]), vote(10, [9; 32])];
    assert!(check_submission(&refusing, &refusing.submitter(account()), good).await.is_err());
}

#[tokio::test]
async fn scripted_faults_pass_and_are_counted() {
    let chain = chain();
    chain.fail_next_reads(2, ErrorKind::NotYet);
    for _ in 0..2 {
        assert_eq!(chain.fetch_head().await.unwrap_err().kind, ErrorKind::NotYet);
    }
    assert!(chain.fetch_head().await.is_ok());
    let sender = chain.submitter(account());
    chain.fail_next_submissions(1, ErrorKind::Transient);
    assert!(sender.submit(vec![vote(10, [9; 32])]).await.is_err());
    // Its fate is unknown to the sender: it was handed over, and had no effect here.
    assert_eq!(chain.take_submitted().len(), 1);
    assert!(chain.fetch_votes(at(10)).await.unwrap().is_empty());
    assert!(is_accepted(&sender.submit(vec![vote(10, [9; 32])]).await.unwrap()[0]));
    assert_eq!(chain.submitted().len(), 1);
}

#[tokio::test]
async fn two_different_votes_at_one_height_are_evidence_in_either_order() {
    for hashes in [[[9; 32], [8; 32]], [[8; 32], [9; 32]]] {
        let chain = chain();
        let sender = chain.submitter(account());
        let first = sender.submit(vec![vote(10, hashes[0])]).await.unwrap();
        assert!(is_accepted(&first[0]));
        assert!(chain.fetch_evidences(at(0)).await.unwrap().items.is_empty());
        sender.submit(vec![vote(10, hashes[1])]).await.unwrap();
        let evidence = chain.fetch_evidences(at(0)).await.unwrap().items;
        assert_eq!(evidence.len(), 1);
        assert_eq!((evidence[0].canonical_app_hash, evidence[0].fork_app_hash), ([9; 32], [8; 32]));
        assert_eq!(evidence[0].canonical_signature, EotsSignature::from_bytes([9; 32]));
        assert!(chain.fetch_finality_provider(&key()).await.unwrap().unwrap().slashed.is_some());
        assert!(chain.fetch_evidences(at(11)).await.unwrap().items.is_empty());
    }
}

#[tokio::test]
async fn what_is_already_there_is_done_and_what_is_unknown_is_refused() {
    let chain = chain();
    let sender = chain.submitter(account());
    let registration = FinalityProviderRegistration {
        account: account(),
        finality_provider: key(),
        possession: ProofOfPossession::Ecdsa([0; 65]),
        description: Description::default(),
        commission: rates(),
    };
    let messages = vec![
        vote(10, [9; 32]),
        vote(10, [9; 32]),
        vote(99, [9; 32]),
        ChainMessage::CreateFinalityProvider(Box::new(registration)),
        ChainMessage::UnjailFinalityProvider(key()),
    ];
    let outcomes = sender.submit(messages).await.unwrap();
    assert!(is_accepted(&outcomes[0]));
    for done in [1, 3, 4] {
        assert!(matches!(outcomes[done], MessageOutcome::AlreadyDone(_)), "{done}");
    }
    assert!(
        matches!(&outcomes[2], MessageOutcome::Refused(refusal) if refusal.kind == RefusalKind::BlockNotFound)
    );
}

#[tokio::test]
async fn headers_extend_or_reorganise_the_light_client() {
    let chain = chain();
    let sender = chain.submitter(account());
    let base = genesis_block(Network::Regtest).header;
    let (a, b) = (child(&base), Header { nonce: 7, ..child(&base) });
    let insert = |headers: Vec<Header>| {
        let sender = sender.clone();
        async move { sender.submit(vec![ChainMessage::InsertHeaders(headers)]).await.unwrap().remove(0) }
    };
    assert!(is_accepted(&insert(vec![a]).await));
    assert!(is_accepted(&insert(vec![b, child(&b)]).await));
    let tip = chain.fetch_light_client_tip().await.unwrap();
    assert_eq!((tip.hash, tip.height), (child(&b).block_hash(), BtcHeight::new(2)));
    assert!(!chain.light_client_contains(&a.block_hash()).await.unwrap());
    assert!(matches!(insert(vec![b]).await, MessageOutcome::AlreadyDone(_)));
    let orphan = Header { prev_blockhash: bitcoin::BlockHash::from_byte_array([3; 32]), ..a };
    assert!(
        matches!(insert(vec![orphan]).await, MessageOutcome::Refused(refusal) if refusal.kind == RefusalKind::HeadersRejected)
    );
}

#[tokio::test]
async fn power_is_unknown_where_there_is_no_table() {
    let chain = chain();
    assert_eq!(chain.fetch_voting_power(&key(), at(10)).await, Ok(VotingPower::Has(5)));
    assert_eq!(chain.fetch_voting_power(&key(), at(11)).await, Ok(VotingPower::NoTable));
    chain.update(|state| state.set_power(at(11), key(), 0));
    assert_eq!(chain.fetch_voting_power(&key(), at(11)).await, Ok(VotingPower::None));
}

#[tokio::test]
async fn commitments_are_stored_with_the_running_epoch() {
    let chain = chain();
    chain.update(|state| state.epoch = Epoch::new(4));
    let commitment = RandomnessCommitment {
        finality_provider: key(),
        start_height: at(100),
        count: 50,
        root: [2; 32],
        signature: bitcoin::secp256k1::schnorr::Signature::from_slice(&[1; 64]).unwrap(),
    };
    chain.submitter(account()).submit(vec![ChainMessage::CommitRandomness(commitment)]).await.unwrap();
    let stored = chain.fetch_randomness_commitments(&key()).await.unwrap();
    assert_eq!((stored[0].start_height, stored[0].epoch), (at(100), Epoch::new(4)));
}

#[tokio::test]
async fn the_event_follower_leaves_no_gap_and_repeats_nothing() {
    let chain = chain();
    let expired = ChainEvent::DelegationExpired { staking_txid: Txid::from_byte_array([1; 32]) };
    chain.update(|state| {
        state.head.height = at(5);
        state.events.insert(at(3), vec![expired]);
    });
    let mut follower = EventFollower::after(at(0));
    let mut heights = Vec::new();
    let mut events = 0;
    chain.fail_next_reads(1, ErrorKind::Transient);
    assert!(follower.fetch_next(&chain, 2).await.is_err());
    loop {
        let blocks = follower.fetch_next(&chain, 2).await.unwrap();
        assert!(blocks.len() <= 2);
        if blocks.is_empty() {
            break;
        }
        events += blocks.iter().map(|block| block.events.items.len()).sum::<usize>();
        heights.extend(blocks.iter().map(|block| block.height.to_u64()));
    }
    assert_eq!((heights, events), (vec![1, 2, 3, 4, 5], 1));
    chain.update(|state| state.head.height = at(6));
    let mut restarted = EventFollower::after(at(5));
    assert_eq!(restarted.fetch_next(&chain, 9).await.unwrap()[0].height, at(6));
    assert_eq!(restarted.next_height(), at(7));
}
