//! The table of `wire.md` 4.5 and 4.6, as seen in blocks, in simulations and in queries.

mod rows;

use super::*;
use RefusalKind::*;

const fn failure<'a>(codespace: &'a str, code: u32, log: &'a str) -> Failure<'a> {
    Failure { codespace, code, log }
}

#[test]
fn every_registered_error_is_found_by_code_by_text_and_through_simulation() {
    for entry in REGISTRY.iter().filter(|entry| entry.codespace != "sdk") {
        let in_block = format!("failed to execute message; message index: 2: some detail: {}", entry.text);
        assert_eq!(find_registered(&failure(entry.codespace, entry.code, "")), Some(entry));
        assert_eq!(find_registered(&failure("undefined", 1, &in_block)), Some(entry), "{in_block}");
        let simulated = format!(
            "rpc error: code = Unknown desc = failed to execute message; message index: 0: {} with gas used: '57041': unknown request",
            entry.text
        );
        assert_eq!(find_registered(&failure("sdk", 6, &simulated)), Some(entry), "{simulated}");
        let place = "[/go/pkg/mod/cosmossdk.io/errors@v1.0.2/errors.go:155]"; // as babylond v4.3.1 writes it
        let with_place =
            format!("failed to execute message; message index: 0: detail: {} {place}", entry.text);
        assert_eq!(find_registered(&failure("undefined", 1, &with_place)), Some(entry), "{with_place}");
        let simulated = format!("{with_place} with gas used: '57041': unknown request");
        assert_eq!(find_registered(&failure("sdk", 6, &simulated)), Some(entry), "{simulated}");
        let queried = format!("{}: unknown request", entry.text.to_uppercase());
        assert_eq!(find_registered(&failure("sdk", 6, &queried)), Some(entry), "{queried}");
    }
}

#[test]
fn registered_texts_are_distinct() {
    for (index, entry) in REGISTRY.iter().enumerate() {
        let twin = REGISTRY[index + 1..].iter().find(|other| other.text.eq_ignore_ascii_case(entry.text));
        assert_eq!(twin, None, "{entry:?}");
    }
}

#[test]
fn failures_mean_what_the_tables_say() {
    let done = Meaning::Done;
    let no = Meaning::Refused;
    let table = [
        ("btcstaking", 1100, "x: the finality provider is not found", no(FinalityProviderNotFound)),
        ("btcstaking", 1102, "the BTC delegation is not found", no(DelegationNotFound)),
        ("btcstaking", 1103, "the finality provider has already been registered", done),
        ("btcstaking", 1104, "", no(FinalityProviderSlashed)),
        ("btcstaking", 1106, "the BTC staking tx is already used", done),
        ("btcstaking", 1107, "", no(NotACommitteeMember)),
        ("btcstaking", 1108, "value: the BTC staking tx is not valid", no(Other)),
        ("undefined", 1, "not k-deep: k=30; depth=2: the BTC staking tx is not valid", no(NotDeepEnough)),
        ("btcstaking", 1119, "not k-deep: k=30; depth=2: invalid undelegation request", no(NotDeepEnough)),
        ("btcstaking", 1119, "cannot unbond an unbonded BTC delegation: invalid undelegation request", done),
        ("btcstaking", 1119, "bad witness: invalid undelegation request", no(Other)),
        (
            "btcstaking",
            1110,
            "bad adaptor: the covenant signature is not valid",
            no(InvalidCovenantSignature),
        ),
        ("btcstaking", 1110, "already unbonded: the covenant signature is not valid", no(DelegationEnded)),
        ("btcstaking", 1121, "", no(FinalityProviderJailed)),
        ("btcstaking", 1122, "the finality provider is not jailed", done),
        ("btcstaking", 1123, "the covenant signature is already submitted", done),
        ("btcstaking", 1124, "", no(IncludedTooEarly)),
        ("undefined", 1, "the delegation ab already has inclusion proof", done),
        (
            "undefined",
            1,
            "the delegation ab has not received a quorum of covenant signatures",
            no(QuorumMissing),
        ),
        ("undefined", 1, "header that includes the staking tx is not found", no(HeaderUnknown)),
        ("finality", 1100, "Block is not found", no(BlockNotFound)),
        ("finality", 1103, "", no(RandomnessNotUsable)),
        ("finality", 1104, "", no(RandomnessNotUsable)),
        ("finality", 1111, "", no(RandomnessNotUsable)),
        ("undefined", 1, "collections: not found: key", no(RandomnessNotUsable)),
        ("finality", 1106, "", no(InvalidRandomness)),
        (
            "finality",
            1108,
            "does not have voting power at height 5: finality signature is not valid",
            no(NoVotingPower),
        ),
        ("finality", 1108, "bad proof: finality signature is not valid", no(Other)),
        ("finality", 1109, "duplicated finality vote", done),
        ("finality", 1115, "", no(FinalityNotActive)),
        ("finality", 1116, "", no(BlockAlreadyFinalised)),
        ("undefined", 1, "parent for provided hash is not maintained", no(HeadersRejected)),
        ("undefined", 1, "x: provided header does not satisfy header validation rules", no(HeadersRejected)),
        ("undefined", 1, "provided chain has not enough work", no(HeadersRejected)),
        ("btclightclient", 1108, "fork start with known header", done),
        (
            "sdk",
            5,
            "spendable balance 0ubbn is smaller than 400ubbn: insufficient funds",
            no(InsufficientFunds),
        ),
        ("sdk", 9, "account bbn1 does not exist: unknown address", no(InsufficientFunds)),
        ("sdk", 6, "spendable balance 0ubbn: insufficient funds: unknown request", no(InsufficientFunds)),
        ("sdk", 11, "out of gas in location: x; gasWanted: 1, gasUsed: 2: out of gas", no(NotNow)),
        ("sdk", 13, "insufficient fee", no(NotNow)),
        ("sdk", 19, "tx already in mempool", no(NotNow)),
        ("sdk", 20, "mempool is full", no(NotNow)),
        ("sdk", 32, "account sequence mismatch, expected 12, got 10: incorrect account sequence", no(NotNow)),
        ("sdk", 6, "mempool is full: unknown request", no(NotNow)),
        ("sdk", 4, "signature verification failed: unauthorized", no(Broken)),
        ("undefined", 111_222, "panic", no(Broken)),
        ("undefined", 111_222, "never seen before", no(Broken)),
        ("sdk", 6, "recovered: index out of range: panic with gas used: '5': unknown request", no(Broken)),
        ("undefined", 1, "never seen before", no(Other)),
        ("undefined", 1, "invalid fee", no(Broken)),
        ("sdk", 6, "message index: 0: never seen before with gas used: '5': unknown request", no(Other)),
        ("sdk", 6, "never seen before: unknown request", no(NotNow)),
        ("undefined", 1, "x: the BTC staking tx is not valid", no(Other)),
        ("somewhere", 7, "never seen before", no(Other)),
    ];
    for (codespace, code, log, meaning) in table {
        assert_eq!(classify(&failure(codespace, code, log)), meaning, "{codespace}/{code} {log}");
    }
}

#[test]
fn a_query_over_grpc_is_told_by_its_text_too() {
    let log = "codespace btcstaking code 1102: the BTC delegation is not found";
    assert_eq!(find_registered(&failure("", 2, log)).map(|entry| entry.code), Some(1102));
}

#[test]
fn a_simulated_vote_for_an_unindexed_height_names_its_position_and_its_error() {
    // wire.md 9
    let log = "rpc error: code = Unknown desc = failed to execute message; message index: 0: Block is not found with gas used: '57041': unknown request";
    assert_eq!(failed_message_index(log), Some(0));
    assert_eq!(classify(&failure("sdk", 6, log)), Meaning::Refused(BlockNotFound));
}

#[test]
fn a_refusal_carries_the_code_that_simulation_lost() {
    let log = "failed to execute message; message index: 1: the BTC delegation is not found with gas used: '5': unknown request";
    let MessageOutcome::Refused(refusal) = outcome(&failure("sdk", 6, log)) else { panic!("refused") };
    assert_eq!((refusal.codespace.as_str(), refusal.code), ("btcstaking", 1102));
    assert_eq!(refusal.text, log);
}

#[test]
fn numbers_are_read_from_logs_and_nothing_is_made_up() {
    let log = "account sequence mismatch, expected 12, got 10: incorrect account sequence";
    assert_eq!(expected_sequence(&failure("sdk", 32, log)), Some(12));
    assert_eq!(expected_sequence(&failure("sdk", 6, &format!("{log}: unknown request"))), Some(12));
    assert_eq!(expected_sequence(&failure("sdk", 5, log)), None);
    for log in ["", "message index: ", "message index: x", "message index: 99999999999999999999"] {
        assert_eq!(failed_message_index(log), None, "{log}");
        assert_eq!(expected_sequence(&failure("sdk", 32, log)), None, "{log}");
    }
}

#[test]
fn grpc_names_codespace_and_code_in_its_text() {
    // The registered text comes first there, and what wraps it may end in another registered text.
    let log = "rpc error: code = Unknown desc = codespace btcstaking code 1119: invalid undelegation request: the BTC staking tx is not valid";
    assert_eq!(find_registered(&failure("", 2, log)).map(|entry| entry.code), Some(1119));
    for log in [
        "codespace ",
        "codespace x code ",
        "codespace x code 5",
        "codespace x code y: z",
        "codespace sdk code 6: x",
    ] {
        assert_eq!(find_registered(&failure("", 2, log)), None, "{log}");
    }
}

#[test]
fn a_log_of_any_length_is_cut_and_still_understood() {
    let filling = "\u{1f980}".repeat(25_000_000);
    let log =
        format!("failed to execute message; message index: 7: {filling}: the BTC delegation is not found");
    let failed = failure("sdk", 6, &log);
    assert_eq!(failed_message_index(&log), Some(7));
    let MessageOutcome::Refused(refusal) = outcome(&failed) else { panic!("refused") };
    assert_eq!((refusal.kind, refusal.code), (DelegationNotFound, 1102));
    assert!(refusal.text.len() <= MOST_LOG + 16, "{}", refusal.text.len());
}

proptest::proptest! {
    #[test]
    fn every_log_means_something(
        codespace in "(sdk|undefined|btcstaking|finality||\\PC{0,8})",
        code in 0u32..1300,
        parts in proptest::collection::vec("(: |codespace | code |message index: |expected |9{0,25}|\\PC{0,12}|\\[|\\.go:\\])", 0..12),
    ) {
        let log = parts.concat();
        let failed = failure(&codespace, code, &log);
        proptest::prop_assert_ne!(classify(&failed), Meaning::Generic);
        let _ = (outcome(&failed), class(&failed), expected_sequence(&failed), failed_message_index(&log));
    }
}
