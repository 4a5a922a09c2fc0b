//! Nothing on the wire is forgotten: every message, query and event of `wire.md` 3, 5 and 6 has a definition, a golden
//! encoding and a fuzz target that starts from it.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_babylon::{
    convert::event::{PlainEvent, TypedEvent},
    proto::registry::{find_type, query_types, wire_types},
};
use btc_staking_tests::fuzz::{TARGETS, Target};
use std::collections::BTreeSet;

/// Messages by package (`wire.md` 3.1, 3.12, 3.13, 7.2).
const MESSAGES: [(&str, &[&str]); 8] = [
    (
        "babylon.btcstaking.v1",
        &[
            "MsgCreateFinalityProvider",
            "MsgEditFinalityProvider",
            "MsgCreateBTCDelegation",
            "MsgBtcStakeExpand",
            "MsgAddBTCDelegationInclusionProof",
            "MsgAddCovenantSigs",
            "MsgBTCUndelegate",
            "MsgSelectiveSlashingEvidence",
            "MsgUpdateParams",
        ],
    ),
    (
        "babylon.finality.v1",
        &[
            "MsgCommitPubRandList",
            "MsgAddFinalitySig",
            "MsgUnjailFinalityProvider",
            "MsgResumeFinalityProposal",
            "MsgUpdateParams",
        ],
    ),
    ("babylon.btclightclient.v1", &["MsgInsertHeaders", "MsgUpdateParams"]),
    ("babylon.btccheckpoint.v1", &["MsgInsertBTCSpvProof", "MsgUpdateParams"]),
    ("babylon.checkpointing.v1", &["MsgInjectedCheckpoint", "MsgWrappedCreateValidator"]),
    (
        "babylon.epoching.v1",
        &[
            "MsgWrappedDelegate",
            "MsgWrappedUndelegate",
            "MsgWrappedBeginRedelegate",
            "MsgWrappedCancelUnbondingDelegation",
            "MsgWrappedEditValidator",
            "MsgWrappedStakingUpdateParams",
            "MsgUpdateParams",
        ],
    ),
    ("babylon.incentive", &["MsgWithdrawReward", "MsgSetWithdrawAddress", "MsgUpdateParams"]),
    ("babylon.costaking.v1", &["MsgUpdateParams"]),
];

/// Queries by package (`wire.md` 5).
const QUERIES: [(&str, &[&str]); 10] = [
    (
        "babylon.btcstaking.v1",
        &[
            "Params",
            "ParamsVersions",
            "ParamsByVersion",
            "ParamsByBTCHeight",
            "FinalityProviders",
            "FinalityProvider",
            "BTCDelegations",
            "FinalityProviderDelegations",
            "BTCDelegation",
            "LargestBtcReOrg",
        ],
    ),
    (
        "babylon.finality.v1",
        &[
            "Params",
            "ActiveFinalityProvidersAtHeight",
            "FinalityProviderPowerAtHeight",
            "FinalityProviderCurrentPower",
            "ActivatedHeight",
            "ListPublicRandomness",
            "ListPubRandCommit",
            "Block",
            "ListBlocks",
            "VotesAtHeight",
            "Evidence",
            "ListEvidences",
            "SigningInfo",
            "SigningInfos",
            "VotingPowerDistribution",
        ],
    ),
    (
        "babylon.btclightclient.v1",
        &["Params", "Tip", "BaseHeader", "MainChain", "HeaderDepth", "Contains", "ContainsBytes", "Hashes"],
    ),
    ("babylon.btccheckpoint.v1", &["Params", "BtcCheckpointInfo", "BtcCheckpointsInfo", "EpochSubmissions"]),
    (
        "babylon.checkpointing.v1",
        &[
            "RawCheckpoint",
            "RawCheckpoints",
            "RawCheckpointList",
            "LastCheckpointWithStatus",
            "EpochStatus",
            "RecentEpochStatusCount",
            "BlsPublicKeyList",
        ],
    ),
    (
        "babylon.epoching.v1",
        &[
            "Params",
            "CurrentEpoch",
            "EpochInfo",
            "EpochsInfo",
            "EpochMsgs",
            "LatestEpochMsgs",
            "ValidatorLifecycle",
            "DelegationLifecycle",
            "EpochValSet",
        ],
    ),
    ("babylon.monitor.v1", &["EndedEpochBtcHeight", "ReportedCheckpointBtcHeight"]),
    (
        "babylon.incentive",
        &[
            "Params",
            "RewardGauges",
            "BTCStakingGauge",
            "DelegatorWithdrawAddress",
            "DelegationRewards",
            "FpCurrentRewards",
        ],
    ),
    ("babylon.costaking.v1", &["Params", "CostakerRewardsTracker", "CurrentRewards", "HistoricalRewards"]),
    ("babylon.mint.v1", &["InflationRate", "AnnualProvisions", "GenesisTime"]),
];

/// Typed events by package (`wire.md` 6.2, 6.3).
const EVENTS: [(&str, &[&str]); 6] = [
    (
        "babylon.btcstaking.v1",
        &[
            "EventFinalityProviderCreated",
            "EventFinalityProviderEdited",
            "EventFinalityProviderStatusChange",
            "EventBTCDelegationCreated",
            "EventCovenantSignatureReceived",
            "EventCovenantQuorumReached",
            "EventBTCDelegationInclusionProofReceived",
            "EventBTCDelgationUnbondedEarly",
            "EventUnexpectedUnbondingTx",
            "EventBTCDelegationExpired",
            "EventSelectiveSlashing",
        ],
    ),
    ("babylon.finality.v1", &["EventSlashedFinalityProvider", "EventJailedFinalityProvider"]),
    ("babylon.btclightclient.v1", &["EventBTCRollBack", "EventBTCHeaderInserted", "EventBTCRollForward"]),
    (
        "babylon.checkpointing.v1",
        &[
            "EventCheckpointAccumulating",
            "EventCheckpointSealed",
            "EventCheckpointSubmitted",
            "EventCheckpointConfirmed",
            "EventCheckpointFinalized",
            "EventCheckpointForgotten",
            "EventConflictingCheckpoint",
        ],
    ),
    (
        "babylon.epoching.v1",
        &[
            "EventBeginEpoch",
            "EventEndEpoch",
            "EventWrappedDelegate",
            "EventWrappedUndelegate",
            "EventWrappedBeginRedelegate",
            "EventWrappedCancelUnbondingDelegation",
            "EventWrappedEditValidator",
            "EventWrappedStakingUpdateParams",
            "EventHandleQueuedMsg",
            "EventUnlockFundsFailed",
            "EventSlashThreshold",
        ],
    ),
    ("babylon.costaking.v1", &["EventCostakersAddRewards"]),
];

/// Full names of a table.
fn full_names(table: &[(&str, &[&str])]) -> BTreeSet<String> {
    let names = |(package, names): &(&str, &[&str])| {
        names.iter().map(|name| format!("{package}.{name}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(names).collect()
}

/// Paths of the queries, and the full names of their requests and answers.
fn queries() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut paths, mut types) = (BTreeSet::new(), BTreeSet::new());
    for (package, methods) in QUERIES {
        for method in methods {
            paths.insert(format!("/{package}.Query/{method}"));
            types.insert(format!("{package}.Query{method}Request"));
            types.insert(format!("{package}.Query{method}Response"));
        }
    }
    (paths, types)
}

/// Every message with its answer; the injected one has none.
fn messages_and_answers() -> BTreeSet<String> {
    let messages = full_names(&MESSAGES);
    let answers = messages.iter().filter(|name| !name.ends_with("MsgInjectedCheckpoint"));
    let answers: Vec<_> = answers.map(|name| format!("{name}Response")).collect();
    messages.into_iter().chain(answers).collect()
}

/// Names that begin a line of a file of golden vectors.
fn golden(file: &str) -> BTreeSet<String> {
    let names = file.lines().filter(|line| !line.starts_with(['#', ' ']));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}
const GOLDEN_TYPES: &str = include_str!("../../core/pos-chain/babylon/tests/wire/node.txt");
const GOLDEN_EVENTS: &str = include_str!("../../core/pos-chain/babylon/tests/wire/events.txt");

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Names a target starts from, each with an example it understands.
fn fuzzed(name: &str, name_of: fn(&[u8]) -> String) -> BTreeSet<String> {
    let target = target(name);
    let understood = (target.seeds)().into_iter().filter(|seed| (target.run)(seed));
    understood.map(|seed| name_of(&seed)).collect()
}

/// The name in front of an example of `wire_type`.
fn framed_name(seed: &[u8]) -> String {
    let length = usize::from(seed[0]);
    String::from_utf8(seed[1..=length].to_vec()).unwrap()
}

/// The kind in an example of `typed_event`.
fn event_kind(seed: &[u8]) -> String {
    let (kind, _): (String, Vec<(String, String)>) = serde_json::from_slice(seed).unwrap();
    kind
}

/// Fails with the names that one side lacks.
fn assert_same(what: &str, found: &BTreeSet<String>, wanted: &BTreeSet<String>) {
    let missing: Vec<_> = wanted.difference(found).collect();
    let beyond: Vec<_> = found.difference(wanted).collect();
    assert!(
        missing.is_empty() && beyond.is_empty(),
        "{what}: missing {missing:?}, not in the tables {beyond:?}"
    );
}

#[test]
fn the_tables_count_what_the_specification_counts() {
    let count = |table: &[(&str, &[&str])]| table.iter().map(|(_, names)| names.len()).sum::<usize>();
    assert_eq!((count(&MESSAGES), count(&QUERIES), count(&EVENTS)), (31, 68, 35));
    assert_eq!((full_names(&MESSAGES).len(), queries().0.len(), full_names(&EVENTS).len()), (31, 68, 35));
}

#[test]
fn every_message_query_and_event_is_defined_and_nothing_else_is() {
    let of = |start: &str| -> BTreeSet<String> {
        let starts = |name: &String| name.rsplit('.').next().unwrap().starts_with(start);
        wire_types().map(|known| known.full_name()).filter(starts).collect()
    };
    assert_same("messages", &of("Msg"), &messages_and_answers());
    let (paths, types) = queries();
    assert_same("requests and answers", &of("Query"), &types);
    let defined = query_types().map(|query| query.path.to_owned()).collect();
    assert_same("query paths", &defined, &paths);
    assert_same("events", &TypedEvent::kinds().into_iter().collect(), &full_names(&EVENTS));
    assert!(full_names(&EVENTS).iter().all(|name| find_type(name).is_some()));
}

#[test]
fn everything_defined_has_a_golden_encoding() {
    let defined: BTreeSet<String> = wire_types().map(|known| known.full_name()).collect();
    assert_same("encodings", &golden(GOLDEN_TYPES), &defined);
    assert_same("events as text", &golden(GOLDEN_EVENTS), &full_names(&EVENTS));
}

#[test]
fn everything_defined_is_fuzzed_from_an_example_of_its_own() {
    let defined: BTreeSet<String> = wire_types().map(|known| known.full_name()).collect();
    assert_same("fuzzed types", &fuzzed("wire_type", framed_name), &defined);
    let plain = PlainEvent::KINDS.map(str::to_owned);
    let events = full_names(&EVENTS).into_iter().chain(plain).collect();
    assert_same("fuzzed events", &fuzzed("typed_event", event_kind), &events);
}
