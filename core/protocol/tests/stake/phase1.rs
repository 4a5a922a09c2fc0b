//! Phase-1 stakes: recognition, the quirks of the reference, and every refusal.

use crate::example::*;
use bitcoin::{ScriptBuf, Transaction, TxOut};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    identify::{NotIdentified as Refusal, Payload, Tag, identify_stake, is_possible_stake},
    keys::FinalityProviderPublicKey,
    output::SpendPath,
    script::InvalidStakeKeys,
};

fn tag() -> Tag {
    Tag::new(*b"bbn1")
}
fn members() -> CovenantCommittee {
    committee(0..5, 3)
}
fn payload() -> Payload {
    Payload {
        tag: tag(),
        staker: staker().public_key(),
        finality_provider: provider_key(),
        staking_time: 1000,
    }
}
fn staking_output() -> TxOut {
    TxOut { value: sat(100_000), script_pubkey: checked().outputs().staking.script_pubkey() }
}
fn stake(payload_output: TxOut) -> Transaction {
    tx_paying(vec![staking_output(), payload_output])
}
fn identify(tx: &Transaction) -> Result<(), Refusal> {
    identify_stake(tx, tag(), &members()).map(|_| ())
}

#[test]
fn a_phase_1_stake_is_found_with_everything_it_says() {
    let found = identify_stake(&stake(payload().build_output()), tag(), &members()).unwrap();
    assert_eq!((found.staking_index, found.payload_index), (0, 1));
    assert_eq!((found.value, found.payload), (sat(100_000), payload()));
    assert_eq!(found.output, checked().outputs().staking);
    assert_eq!(found.output.timelock_leaf().path(), SpendPath::Timelock);
    let mut any_value = stake(payload().build_output());
    any_value.output[0].value = sat(1);
    any_value.output[1].value = sat(5);
    any_value.output.swap(0, 1);
    let found = identify_stake(&any_value, tag(), &members()).unwrap();
    assert_eq!((found.staking_index, found.payload_index, found.value), (1, 0, sat(1)));
}

#[test]
fn payloads_round_trip() {
    assert_eq!(Payload::from_bytes(&payload().to_bytes()), Some(payload()));
    assert_eq!(Tag::from_hex("62626e31"), Some(tag()));
    assert_eq!(tag().to_string(), "62626e31");
    for text in ["", "62626e", "62626e3100", "zzzzzzzz"] {
        assert_eq!(Tag::from_hex(text), None, "{text}");
    }
}

#[test]
fn what_is_no_payload_is_skipped() {
    let valid = payload().build_output().script_pubkey.to_bytes();
    let edits: [fn(&mut Vec<u8>); 8] = [
        |script| script[6] = 1,
        |script| script[7..39].fill(0xff),
        |script| script[39..71].fill(0xff),
        |script| script.push(0),
        |script| {
            script.pop();
        },
        |script| script[0] = 0x51,
        |script| script[1] = 0x46,
        |script| script[1] = 0x48,
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut script = valid.clone();
        edit(&mut script);
        let output = TxOut { value: sat(0), script_pubkey: ScriptBuf::from_bytes(script) };
        assert_eq!(identify(&stake(output)), Err(Refusal::NoPayload), "edit {index}");
    }
}

#[test]
fn any_push_opcode_is_recognised_and_its_length_bytes_read_as_tag() {
    // bitcoin.md 5.1: `6a 4c 46`, `6a 4d 45 00` and `6a 4e 43 00 00 00` are 73 bytes too.
    let valid = payload().build_output().script_pubkey.to_bytes();
    for prefix in [&[0x4c, 0x46][..], &[0x4d, 0x45, 0x00], &[0x4e, 0x43, 0x00, 0x00, 0x00]] {
        let mut script = valid.clone();
        script[1..=prefix.len()].copy_from_slice(prefix);
        let found: [u8; 4] = script[2..6].try_into().unwrap();
        let tx = stake(TxOut { value: sat(0), script_pubkey: ScriptBuf::from_bytes(script) });
        let found = Tag::new(found);
        assert_eq!(identify(&tx), Err(Refusal::ForeignTag { found, expected: tag() }));
        identify_stake(&tx, found, &members()).unwrap();
        assert!(is_possible_stake(&tx, found) && !is_possible_stake(&tx, tag()));
    }
}

#[test]
fn each_refusal_of_a_phase_1_stake_has_its_reason() {
    let output = || payload().build_output();
    assert_eq!(identify(&tx_paying(vec![output()])), Err(Refusal::TooFewOutputs(1)));
    assert_eq!(identify(&stake(staking_output())), Err(Refusal::NoPayload));
    let foreign = Payload { tag: Tag::new(*b"xxxx"), ..payload() };
    let two = tx_paying(vec![staking_output(), output(), foreign.build_output()]);
    assert_eq!(identify(&two), Err(Refusal::SeveralPayloads { first: 1, second: 2 }));
    let zero = Payload { staking_time: 0, ..payload() };
    assert_eq!(identify(&stake(zero.build_output())), Err(Refusal::ZeroStakingTime));
    let own_provider = Payload {
        finality_provider: FinalityProviderPublicKey::new(*staker().public_key().x_only()),
        ..payload()
    };
    assert!(matches!(
        identify(&stake(own_provider.build_output())),
        Err(Refusal::Keys(InvalidStakeKeys::Duplicate { .. }))
    ));
    let other_time = Payload { staking_time: 1001, ..payload() };
    assert_eq!(identify(&stake(other_time.build_output())), Err(Refusal::NoStakingOutput));
    let richer = TxOut { value: sat(7), ..staking_output() };
    let twice = tx_paying(vec![staking_output(), output(), richer]);
    assert_eq!(identify(&twice), Err(Refusal::SeveralStakingOutputs { first: 0, second: 2 }));
    assert_eq!(
        identify(&stake(foreign.build_output())),
        Err(Refusal::ForeignTag { found: foreign.tag, expected: tag() })
    );
    let other_committee = identify_stake(&stake(output()), tag(), &committee(1..6, 3));
    assert_eq!(other_committee, Err(Refusal::NoStakingOutput));
}

#[test]
fn the_pre_filter_ignores_foreign_tags_and_bad_keys() {
    let output = payload().build_output();
    let foreign = Payload { tag: Tag::new(*b"xxxx"), ..payload() }.build_output();
    assert!(is_possible_stake(&stake(output.clone()), tag()));
    assert!(!is_possible_stake(&tx_paying(vec![output.clone()]), tag()));
    assert!(!is_possible_stake(&stake(foreign.clone()), tag()));
    let both = tx_paying(vec![staking_output(), output.clone(), foreign]);
    assert!(is_possible_stake(&both, tag()), "passes here and fails the parse");
    assert!(identify(&both).is_err());
    let twice = tx_paying(vec![staking_output(), output.clone(), output.clone()]);
    assert!(!is_possible_stake(&twice, tag()));
    let mut script = output.script_pubkey.to_bytes();
    script[7..39].fill(0xff);
    let bad_key = TxOut { value: sat(0), script_pubkey: ScriptBuf::from_bytes(script) };
    assert!(is_possible_stake(&stake(bad_key), tag()));
}
