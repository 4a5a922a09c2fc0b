//! What must hold after every block.

use super::super::support::{account, address};
use super::{
    Seen,
    chain::Chain,
    facts::Facts,
    moves::{Players, labels},
};
use bitcoin::{
    consensus::encode::serialize_hex,
    hashes::{Hash, sha256},
};
use btc_staking_babylon::proto::{
    Coin, QueryBalanceRequest, QuerySupplyOfRequest,
    btcstaking::{QueryBTCDelegationRequest, QueryBTCDelegationsRequest, QueryFinalityProviderRequest},
    finality::{QueryActiveFinalityProvidersAtHeightRequest, QueryBlockRequest},
    incentive::QueryRewardGaugesRequest,
};
use btc_staking_protocol::keys::AccountAddress;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of the modules that hold coins.
const MODULES: [&str; 6] = ["fee_collector", "distribution", "incentive", "costaking", "mint", "gov"];
/// Blocks below the last that may still become final, as far as we look every time.
const WINDOW: u64 = 25;

/// Holds the chain against the facts.
pub fn check(chain: &Chain, facts: &Facts, players: &Players, seen: &mut Seen) {
    check_power(chain, facts, seen);
    check_status(chain, facts, players);
    check_lists(chain, facts, players);
    check_finality(chain, facts);
    check_coins(chain, facts, seen);
    check_jail(chain, facts, seen);
    seen.finals = facts.finals.len();
    seen.late = facts.stakes.values().filter(|stake| stake.is_late()).count();
    (seen.slashed, seen.spent) = (facts.fallen(), facts.spent);
}

fn check_power(chain: &Chain, facts: &Facts, seen: &mut Seen) {
    let height = facts.height;
    let request = QueryActiveFinalityProvidersAtHeightRequest { height, pagination: None };
    let told = chain.query(request).unwrap().finality_providers;
    let told: BTreeMap<String, u64> =
        told.into_iter().map(|entry| (hex::encode(&entry.btc_pk_hex), entry.voting_power)).collect();
    let name = |(number, sats): (&usize, &u64)| (facts.providers[*number].key.clone(), *sats);
    let expected: BTreeMap<String, u64> = facts.tables.get(&height).into_iter().flatten().map(name).collect();
    assert_eq!(told, expected, "power at {height}");
    for provider in &facts.providers {
        let gone = provider.slashed_at.is_some_and(|at| at < height);
        assert!(!gone || !told.contains_key(&provider.key), "a slashed provider has power at {height}");
    }
    seen.powered += usize::from(!told.is_empty());
}

fn check_status(chain: &Chain, facts: &Facts, players: &Players) {
    for (number, stake) in &facts.stakes {
        let staking_tx_hash_hex = players.stakes[*number].txid().to_string();
        let told = chain.query(QueryBTCDelegationRequest { staking_tx_hash_hex }).unwrap();
        let told = told.btc_delegation.unwrap().status_desc;
        assert_eq!(told, stake.status(facts.tip()), "stake {number} at height {}", facts.height);
    }
}

/// Lists by status, which have an index of their own, hold the same.
fn check_lists(chain: &Chain, facts: &Facts, players: &Players) {
    // Another status in every block.
    let status = i32::try_from(facts.height % 5).unwrap();
    let name = ["PENDING", "VERIFIED", "ACTIVE", "UNBONDED", "EXPIRED"][usize::try_from(status).unwrap()];
    let told = chain.query(QueryBTCDelegationsRequest { status, pagination: None }).unwrap();
    let told: BTreeSet<String> = told.btc_delegations.into_iter().map(|entry| entry.staking_tx_hex).collect();
    let there = facts.stakes.iter().filter(|(_, stake)| stake.status(facts.tip()) == name);
    let there = there.map(|(number, _)| serialize_hex(players.stakes[*number].tx())).collect();
    assert_eq!(told, there, "{name} at height {}", facts.height);
}

/// What is final follows from tables and votes, one height after the other.
fn check_finality(chain: &Chain, facts: &Facts) {
    let Some(first) = facts.tables.keys().next() else { return };
    for height in facts.height.saturating_sub(WINDOW).max(*first)..=facts.height {
        let block = chain.query(QueryBlockRequest { height }).unwrap().block.unwrap();
        assert_eq!(block.finalized, facts.finals.contains(&height), "block {height} at {}", facts.height);
    }
    // Contiguous but for heights without a table.
    let Some(last) = facts.finals.last() else { return };
    let skipped = |height: &u64| !facts.finals.contains(height) && facts.tables.contains_key(height);
    assert_eq!((*first..*last).find(skipped), None, "a height was passed over");
}

fn ubbn(coins: &[Coin]) -> u64 {
    coins.iter().filter(|coin| coin.denom == "ubbn").map(|coin| coin.amount.parse::<u64>().unwrap()).sum()
}

fn balance(chain: &Chain, address: &str) -> u64 {
    let request = QueryBalanceRequest { address: address.to_owned(), denom: "ubbn".into() };
    ubbn(&chain.query(request).unwrap().balance.into_iter().collect::<Vec<_>>())
}

fn module(name: &str) -> String {
    let hash = sha256::Hash::hash(name.as_bytes()).to_byte_array();
    AccountAddress::from_bytes("bbn", &hash[..20]).unwrap().bech32().to_owned()
}

/// No coin is lost or made up, and the incentive module can pay everything it owes: it never promised more than came in.
fn check_coins(chain: &Chain, facts: &Facts, seen: &mut Seen) {
    let labels = labels(facts.providers.len());
    let people: u64 = labels.iter().map(|label| balance(chain, &address(label))).sum();
    let modules: u64 = MODULES.iter().map(|name| balance(chain, &module(name))).sum();
    let supply = chain.query(QuerySupplyOfRequest { denom: "ubbn".into() }).unwrap().amount.unwrap();
    assert_eq!(people + modules, ubbn(&[supply]), "height {}", facts.height);
    let (mut owed, mut paid) = (0, 0);
    for label in &labels {
        let request = QueryRewardGaugesRequest { address: account(label).account().bech32().to_owned() };
        let Ok(answer) = chain.query(request) else { continue };
        for gauge in answer.reward_gauges.values() {
            let (earned, withdrawn) = (ubbn(&gauge.coins), ubbn(&gauge.withdrawn_coins));
            owed += earned.checked_sub(withdrawn).expect("more was withdrawn than earned");
            paid += withdrawn;
        }
    }
    let held = balance(chain, &module("incentive"));
    assert!(owed <= held, "{owed} ubbn are owed of {held} at height {}", facts.height);
    assert!(paid >= seen.paid, "what was paid cannot shrink");
    seen.paid = paid;
}

fn check_jail(chain: &Chain, facts: &Facts, seen: &mut Seen) {
    for provider in &facts.providers {
        let request = QueryFinalityProviderRequest { fp_btc_pk_hex: provider.key.clone() };
        let Ok(told) = chain.query(request) else { continue };
        let told = told.finality_provider.unwrap();
        let expected = (provider.jailed_until.is_some(), provider.slashed_at.is_some());
        assert_eq!((told.jailed, told.slashed_babylon_height > 0), expected, "height {}", facts.height);
        seen.jailed += usize::from(told.jailed);
    }
}
