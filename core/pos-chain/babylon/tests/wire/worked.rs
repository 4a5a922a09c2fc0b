//! The rows of `wire.md` 9, each by its text.

use btc_staking_babylon::{
    convert::{
        decimal::{decode_decimal, encode_decimal},
        event::encode_event,
        json::{Base64, Form, Span},
        params::encode_staking_params,
        proof::encode_inclusion,
    },
    errors::{Failure, Registered, failed_message_index, find_registered},
    proto::{
        Duration,
        btcstaking::{
            BTCUndelegation, DelegatorUnbondingInfo, EventBTCDelegationCreated,
            EventBTCDelegationInclusionProofReceived, EventCovenantQuorumReached, EventUnexpectedUnbondingTx,
            MsgEditFinalityProvider,
        },
        finality::MsgUnjailFinalityProvider,
        incentive::MsgWithdrawReward,
    },
    tx::GasPrice,
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::VoteMessage},
    height::PosHeight,
    inclusion::InclusionProof,
    network::Network,
    rate::Decimal,
};
use prost::{Message, Name};
use sha2::{Digest, Sha256};

/// A row: its text and the check of it.
type Row = (&'static str, fn());

const ROWS: [Row; 19] = [
    ("Dec 0.03 in MsgEditFinalityProvider field 4", || {
        let commission = Some(encode_decimal("0.03".parse().unwrap()));
        let edit = MsgEditFinalityProvider { commission, ..Default::default() };
        assert_eq!(edit.encode_to_vec(), [b"\x22\x11".as_slice(), b"30000000000000000"].concat());
    }),
    ("Dec 1", || {
        assert_eq!(encode_decimal(Decimal::ONE), "1000000000000000000");
        assert_eq!(decode_decimal("rate", "1000000000000000000"), Ok(Decimal::ONE));
    }),
    ("MsgUnjailFinalityProvider", || {
        let unjail = MsgUnjailFinalityProvider { signer: "bbn1".to_owned(), fp_btc_pk: vec![0xab; 32] };
        let by_hand = [b"\x0a\x04bbn1\x12\x20".as_slice(), &[0xab; 32]].concat();
        assert_eq!(unjail.encode_to_vec(), by_hand);
    }),
    ("Type URL of the reward message", || {
        assert_eq!(MsgWithdrawReward::type_url(), "/babylon.incentive.MsgWithdrawReward");
    }),
    ("TransactionKey for a block hash shown as 00000000...abcd", || {
        let block_hash = format!("{}abcd", "0".repeat(60)).parse().unwrap();
        let proof = encode_inclusion(&InclusionProof { block_hash, index: 0, siblings: vec![[1; 32]] });
        let hash = proof.key.unwrap().hash;
        assert_eq!((&hash[..2], &hash[2..]), ([0xcd, 0xab].as_slice(), [0; 30].as_slice()));
    }),
    ("Params JSON of mainnet: slashing_pk_script", || {
        let profile = Network::Mainnet.profile().into_fields();
        for params in profile.params.iter() {
            let wire = encode_staking_params(params).unwrap();
            assert_eq!(Base64::print(&wire.slashing_pk_script), "\"agdiYWJ5bG9u\"");
            assert_eq!(hex::encode(wire.slashing_pk_script), "6a07626162796c6f6e");
        }
    }),
    ("Event value of new_state", || {
        let event = EventCovenantQuorumReached { new_state: "ACTIVE".to_owned(), ..Default::default() };
        let value = attribute(&encode_event(&event), "new_state");
        assert_eq!((value.as_str(), value.len()), ("\"ACTIVE\"", 8));
    }),
    ("Event value of finality_provider_btc_pks_hex", || {
        let key = "ab".repeat(32);
        let finality_provider_btc_pks_hex = vec![key.clone()];
        let event = EventBTCDelegationCreated { finality_provider_btc_pks_hex, ..Default::default() };
        assert_eq!(attribute(&encode_event(&event), "finality_provider_btc_pks_hex"), format!("[\"{key}\"]"));
    }),
    ("Vote message for height 1", || {
        let message = VoteMessage { height: PosHeight::new(1), app_hash: [0xcc; 32] };
        assert_eq!(hex::encode(message.to_bytes()), format!("0000000000000001{}", "cc".repeat(32)));
        assert_eq!(message.to_bytes().len(), 40);
    }),
    ("Commit message", || {
        let content = CommittedRandomness { start_height: PosHeight::new(1), count: 2, root: [3; 32] };
        let bytes = [1u64.to_be_bytes().as_slice(), &2u64.to_be_bytes(), &[3; 32]].concat();
        assert_eq!(bytes.len(), 48);
        assert_eq!(content.hash().as_slice(), Sha256::digest(bytes).as_slice());
    }),
    ("Fee for gas 200000", || {
        assert_eq!(GasPrice::new("0.002".parse().unwrap()).unwrap().fee(200_000), 400);
        assert!(GasPrice::new("0.001999999999999999".parse().unwrap()).is_err());
        assert!(GasPrice::default().fee(200_000) >= 400);
    }),
    ("Simulated vote for an unindexed height, log", || {
        let log = "rpc error: code = Unknown desc = failed to execute message; message index: 0: \
                   Block is not found with gas used: '57041': unknown request";
        assert_eq!(registered("sdk", 6, log), ("finality", 1100));
        assert_eq!(failed_message_index(log), Some(0));
    }),
    ("The same over gRPC (a vote)", || {
        let log = "failed to execute message; message index: 0: Block is not found with gas used: '57041'";
        assert_eq!(registered("", 2, log), ("finality", 1100));
        assert_eq!(failed_message_index(log), Some(0));
    }),
    ("BTCDelegation of an unknown txid, abci_query", || {
        let log = "the BTC delegation is not found: unknown request";
        assert_eq!(registered("sdk", 6, log), ("btcstaking", 1102));
    }),
    ("The same over gRPC (a delegation)", || {
        let log = "codespace btcstaking code 1102: the BTC delegation is not found";
        assert_eq!(registered("", 2, log), ("btcstaking", 1102));
    }),
    ("EventUnexpectedUnbondingTx.spend_stake_tx_block_index = 3", || {
        let event = EventUnexpectedUnbondingTx { spend_stake_tx_block_index: 3, ..Default::default() };
        assert_eq!(attribute(&encode_event(&event), "spend_stake_tx_block_index"), "3");
    }),
    ("EventBTCDelegationInclusionProofReceived.start_height = 3", || {
        let start_height = 3.to_string();
        let event = EventBTCDelegationInclusionProofReceived { start_height, ..Default::default() };
        let value = attribute(&encode_event(&event), "start_height");
        assert_eq!((value.as_str(), value.len()), ("\"3\"", 3));
    }),
    ("jail_duration of 10 minutes in JSON", || {
        let jail_duration = Some(Duration { seconds: 600, nanos: 0 });
        assert_eq!(Span::print(&jail_duration), "\"600s\"");
        assert_eq!(Span::read("jail_duration", &"600s".into()), Ok(jail_duration));
    }),
    ("DelegatorUnbondingInfo present but empty inside BTCUndelegation", || {
        let delegator_unbonding_info = Some(DelegatorUnbondingInfo::default());
        let left = BTCUndelegation { delegator_unbonding_info, ..Default::default() };
        assert_eq!(left.encode_to_vec(), [0x32, 0x00]);
        assert_eq!(BTCUndelegation::decode([0x32, 0x00].as_slice()), Ok(left));
    }),
];

fn attribute(event: &btc_staking_babylon::rpc::RawEvent, name: &str) -> String {
    event.attributes.iter().find(|(key, _)| key == name).unwrap().1.clone()
}

fn registered(codespace: &str, code: u32, log: &str) -> (&'static str, u32) {
    let Registered { codespace, code, .. } = find_registered(&Failure { codespace, code, log }).unwrap();
    (codespace, *code)
}

#[test]
fn every_worked_check_of_the_specification_holds() {
    for (text, check) in ROWS {
        println!("{text}");
        check();
    }
}
