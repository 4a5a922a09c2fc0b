//! Events against those the chain's own code emits.

use super::{
    fill::{Random, encode},
    table::Tables,
};
use btc_staking_babylon::{
    convert::{
        Problem,
        event::{PlainEvent, TypedEvent, decode_attributes, encode_event},
        json::Object,
    },
    proto::{btclightclient::*, btcstaking::*, checkpointing::*, costaking::*, epoching::*, finality::*},
    rpc::RawEvent,
};
use proptest::prelude::*;
use prost::{Message, Name};
use std::collections::BTreeSet;

/// Events the chain's own code made.
fn node() -> Vec<RawEvent> {
    let mut events: Vec<RawEvent> = vec![];
    for line in include_str!("events.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(attribute) => {
                let (name, value) = attribute.split_once(' ').unwrap();
                events.last_mut().unwrap().attributes.push((name.to_owned(), value.to_owned()));
            }
            None => events.push(RawEvent { kind: line.to_owned(), attributes: vec![] }),
        }
    }
    events
}

fn attribute(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn every_event_of_the_tables_is_known_and_the_chain_has_made_two_of_each() {
    let known: BTreeSet<String> = TypedEvent::kinds().into_iter().collect();
    let tables = Tables::read();
    let emitted = tables.section("6.").filter(|name| name.contains(".Event"));
    assert_eq!(known, emitted.map(str::to_owned).collect());
    let mut made: Vec<String> = node().into_iter().map(|event| event.kind).collect();
    made.sort();
    assert_eq!(made, known.iter().flat_map(|kind| [kind.clone(), kind.clone()]).collect::<Vec<_>>());
}

#[test]
fn every_event_is_read_and_emitted_as_the_chain_does() {
    for event in node() {
        let decoded = TypedEvent::decode(&event).unwrap().unwrap();
        assert_eq!(decoded.encode(), event);
    }
}

#[test]
fn what_a_chain_appends_and_what_nobody_asked_for_is_ignored() {
    for event in node() {
        let mut told = event.clone();
        told.attributes.reverse();
        told.attributes.insert(0, attribute("not_a_field", "no JSON"));
        told.attributes.push(attribute("msg_index", "0"));
        told.attributes.push(attribute("mode", "EndBlock"));
        assert_eq!(TypedEvent::decode(&told).unwrap().unwrap().encode(), event);
    }
    let others = RawEvent { kind: "message".to_owned(), attributes: vec![attribute("action", "/x")] };
    assert_eq!(TypedEvent::decode(&others), Ok(None));
}

#[test]
fn an_attribute_that_is_missing_or_there_twice_is_refused_by_its_name() {
    for event in node() {
        for place in 0..event.attributes.len() {
            let path = format!("{}.{}", event.kind, event.attributes[place].0);
            let mut missing = event.clone();
            missing.attributes.remove(place);
            let error = TypedEvent::decode(&missing).unwrap_err();
            assert_eq!((error.path.as_str(), &error.problem), (path.as_str(), &Problem::Missing));
            let mut twice = event.clone();
            twice.attributes.push(event.attributes[place].clone());
            let error = TypedEvent::decode(&twice).unwrap_err();
            assert_eq!((error.path, error.problem), (path, Problem::Twice));
        }
    }
}

/// Values of a form that a given value does not have.
fn wrong_values(value: &str) -> Vec<String> {
    let mut wrong: Vec<String> =
        ["", "x", "true", "1.5", "-1", "{\"a\":1}", "[[]]", "\"", "4294967296"].map(str::to_owned).to_vec();
    let unquoted = value.trim_matches('"');
    if unquoted.parse::<i128>().is_ok() {
        // 64 bits without quotes, 32 bits with them.
        wrong.push(if unquoted == value { format!("\"{value}\"") } else { unquoted.to_owned() });
        wrong.extend(
            ["\"\"", "\"+1\"", "\"01\"", "\"-0\"", "\"0x1\"", "\" 1\"", "\"1.0\"", "null"].map(str::to_owned),
        );
    } else if value.starts_with('"') {
        wrong.push(unquoted.to_owned());
        wrong.push("1".to_owned());
        wrong.push("[\"\"]".to_owned());
    } else if value.starts_with('[') {
        wrong.extend(["null", "\"\"", "[1]", "{}"].map(str::to_owned));
    } else if value.starts_with('{') {
        wrong.extend(["{}", "\"\"", "[]", "1"].map(str::to_owned));
        wrong.push(format!("[{value}]"));
    }
    wrong
}

#[test]
fn a_value_of_another_form_is_refused_by_the_name_of_its_attribute() {
    for event in node() {
        for place in 0..event.attributes.len() {
            let (name, value) = &event.attributes[place];
            for wrong in wrong_values(value) {
                let mut told = event.clone();
                told.attributes[place].1 = wrong.clone();
                let Err(error) = TypedEvent::decode(&told) else {
                    panic!("{}.{name} takes {wrong} in place of {value}", event.kind)
                };
                assert!(error.path.starts_with(&format!("{}.{name}", event.kind)), "{error}");
            }
        }
    }
}

#[test]
fn fields_inside_of_objects_are_held_to_their_forms() {
    // What stands in an object, what is put in its place, and the path of the error.
    let rows = [
        ("\"height\":3585981250", "\"height\":\"3585981250\"", "header.height"),
        ("\"height\":3585981250", "\"depth\":1", "header.height"),
        ("\"work\":\"8095481971928999360\"", "\"work\":8095481971928999360", "header.work"),
        ("\"work\":\"8095481971928999360\"", "\"work\":\"0x1\"", "header.work"),
        ("\"hash\":\"6873", "\"hash\":\"7873Z", "header.hash"),
        ("\"hash\":\"6873", "\"hash\":\"", "header.hash"),
        ("\"header\":\"6865", "\"header\":\"6865ff", "header.header"),
        ("\"status\":\"CKPT_STATUS_SEALED\"", "\"status\":1", "checkpoint.status"),
        ("\"status\":\"CKPT_STATUS_SEALED\"", "\"status\":\"SEALED\"", "checkpoint.status"),
        ("10.960935190Z", "10.96093519Z", "checkpoint.lifecycle[0].block_time"),
        ("10.960935190Z", "10.960935190+00:00", "checkpoint.lifecycle[0].block_time"),
        ("T18:53:10.960935190Z", " 18:53:10Z", "checkpoint.lifecycle[0].block_time"),
        ("2022-08-19", "2022-02-30", "checkpoint.lifecycle[0].block_time"),
        ("\"power_sum\":\"", "\"power_sum\":\"0", "checkpoint.power_sum"),
        ("\"bitmap\":\"Yml0bWFw\"", "\"bitmap\":\"Yml0bWF\"", "checkpoint.ckpt.bitmap"),
        ("\"denom\":\"denom\",\"amount\":\"", "\"denom\":\"denom\",\"amount\":\"-", "add_rewards[0].amount"),
        ("\"fp_btc_pk\":\"6670", "\"fp_btc_pk\":\"667A", "evidence.fp_btc_pk"),
        ("\"fp_btc_pk\":\"6670", "\"fp_btc_pk\":\"66", "evidence.fp_btc_pk"),
    ];
    for (good, bad, path) in rows {
        let mut hit = false;
        let outer = path.split(['.', '[']).next().unwrap();
        for event in node() {
            let holds = |(name, value): &(String, String)| name == outer && value.contains(good);
            let Some(place) = event.attributes.iter().position(holds) else { continue };
            hit = true;
            let mut told = event.clone();
            told.attributes[place].1 = told.attributes[place].1.replacen(good, bad, 1);
            let error = TypedEvent::decode(&told).unwrap_err();
            assert_eq!(error.path, format!("{}.{path}", event.kind), "{bad}");
        }
        assert!(hit, "{good} is nowhere");
    }
}

#[test]
fn plain_events_are_read_from_unquoted_text() {
    let plain = |kind: &str, attributes: &[(&str, &str)]| {
        let attributes = attributes.iter().map(|(name, value)| attribute(name, value)).collect();
        PlainEvent::decode(&RawEvent { kind: kind.to_owned(), attributes })
    };
    let Ok(Some(PlainEvent::StakingReward { amount })) =
        plain("btc_staking_reward", &[("amount", "5ibc/AB,12ubbn"), ("mode", "BeginBlock")])
    else {
        panic!("two coins")
    };
    assert_eq!((amount[1].denom.as_str(), amount[1].amount.as_str()), ("ubbn", "12"));
    let empty = plain("fp_direct_rewards", &[("amount", "")]).unwrap().unwrap();
    assert_eq!(empty, PlainEvent::ProviderReward { amount: vec![] });
    let shared = plain("validator_direct_rewards", &[("amount", "7ubbn"), ("validator_count", "4")]);
    assert!(matches!(shared, Ok(Some(PlainEvent::ValidatorReward { validator_count: 4, .. }))));
    let minted = [
        ("inflation_rate", "0.055000000000000000"),
        ("annual_provisions", "550000000000000.000000000000000000"),
        ("amount", "174"),
    ];
    assert!(matches!(plain("mint", &minted), Ok(Some(PlainEvent::Minted { amount: 174, .. }))));
    let (parent, child) = ("11".repeat(31) + "ab", "22".repeat(32));
    let upgrade = [("parent_staking_tx_hash", parent.as_str()), ("child_staking_tx_hash", &child)];
    let Ok(Some(PlainEvent::ParentUnbonded { parent: read, .. })) =
        plain("phantom_stake_expansion_remediated", &upgrade)
    else {
        panic!("two stakes")
    };
    assert_eq!(read.to_string(), parent);
    for kind in PlainEvent::KINDS {
        assert_eq!(plain(kind, &[]).unwrap_err().problem, Problem::Missing, "{kind}");
    }
    for coins in [
        "ubbn",
        "1",
        "\"1ubbn\"",
        "0ubbn",
        "01ubbn",
        "1ubbn,",
        "2ubbn,1atom",
        "1ubbn,1ubbn",
        "-1ubbn",
        "1 ubbn",
    ] {
        let error = plain("btc_staking_reward", &[("amount", coins)]).unwrap_err();
        assert_eq!(error.problem, Problem::Coins(coins.to_owned()));
        assert_eq!(error.path, "btc_staking_reward.amount");
    }
    assert_eq!(plain("transfer", &[]), Ok(None));
}

#[test]
fn strings_escape_what_html_and_javascript_would_take_for_their_own() {
    let event = EventJailedFinalityProvider { public_key: "a<b>&\u{2028}\u{2029}\"\\\n\u{1}é".to_owned() };
    let encoded = encode_event(&event);
    assert_eq!(encoded.attributes[0].1, "\"a\\u003cb\\u003e\\u0026\\u2028\\u2029\\\"\\\\\\n\\u0001é\"");
    assert_eq!(decode_attributes::<EventJailedFinalityProvider>(&encoded), Ok(event));
}

/// A value by a seed, printed and read again.
fn round_trip<E: Message + Default + Object + Name + PartialEq>(seed: u64) -> Result<(), TestCaseError> {
    let name: &'static str =
        TypedEvent::kinds().into_iter().find(|kind| *kind == E::full_name()).unwrap().leak();
    let bytes = encode(Tables::read(), name, &mut Random::well_formed(seed)).bytes;
    let event = E::decode(bytes.as_slice()).unwrap();
    let encoded = encode_event(&event);
    prop_assert_eq!(decode_attributes::<E>(&encoded), Ok(event));
    let typed = TypedEvent::decode(&encoded).unwrap().unwrap();
    prop_assert_eq!(typed.encode(), encoded);
    Ok(())
}

macro_rules! round_trips {
    ($seed:expr; $($event:ident),* $(,)?) => {{
        let kinds = [$($event::full_name()),*];
        prop_assert_eq!(kinds.into_iter().collect::<BTreeSet<_>>(), TypedEvent::kinds().into_iter().collect());
        $(round_trip::<$event>($seed)?;)*
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn events_with_any_values_survive_their_text(seed: u64) {
        round_trips! { seed;
            EventFinalityProviderCreated, EventFinalityProviderEdited, EventFinalityProviderStatusChange,
            EventBTCDelegationCreated, EventCovenantSignatureReceived, EventCovenantQuorumReached,
            EventBTCDelegationInclusionProofReceived, EventBTCDelgationUnbondedEarly, EventUnexpectedUnbondingTx,
            EventBTCDelegationExpired, EventSelectiveSlashing,
            EventSlashedFinalityProvider, EventJailedFinalityProvider,
            EventBTCRollBack, EventBTCHeaderInserted, EventBTCRollForward,
            EventCheckpointAccumulating, EventCheckpointSealed, EventCheckpointSubmitted, EventCheckpointConfirmed,
            EventCheckpointFinalized, EventCheckpointForgotten, EventConflictingCheckpoint,
            EventBeginEpoch, EventEndEpoch, EventWrappedDelegate, EventWrappedUndelegate,
            EventWrappedBeginRedelegate, EventWrappedCancelUnbondingDelegation, EventWrappedEditValidator,
            EventWrappedStakingUpdateParams, EventHandleQueuedMsg, EventUnlockFundsFailed, EventSlashThreshold,
            EventCostakersAddRewards,
        }
    }

    #[test]
    fn no_text_breaks_the_reader(kind in prop::sample::select(TypedEvent::kinds()), texts: Vec<String>) {
        let tables = Tables::read();
        let name: &'static str = kind.clone().leak();
        let attributes =
            tables.fields(name).iter().zip(&texts).map(|(field, text)| attribute(field.name, text)).collect();
        let _ = TypedEvent::decode(&RawEvent { kind, attributes });
        for kind in PlainEvent::KINDS {
            let attributes = texts.iter().map(|text| attribute("amount", text)).collect();
            let _ = PlainEvent::decode(&RawEvent { kind: kind.to_owned(), attributes });
        }
    }
}
