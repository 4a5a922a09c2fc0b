//! Section 12: the transaction around the messages.

use super::Outcome;
use crate::support::{CHAIN, GAS, World, account, address, any, by_hand};
use bitcoin::consensus::serialize;
use btc_staking_babylon::{
    proto::{
        Any, AuthInfo, Coin, Fee, MsgDelegate, TxBody, TxRaw, btclightclient::MsgInsertHeaders,
        btcstaking::MsgAddCovenantSigs, epoching::MsgWrappedDelegate, incentive::MsgSetWithdrawAddress,
    },
    tx::{AccountState, GasAndFee, sign_tx},
};
use prost::Message;

/// A harmless message of the account "other".
fn harmless(label: &str) -> Any {
    let me = address(label);
    any(&MsgSetWithdrawAddress { delegator_address: me.clone(), withdraw_address: me })
}

/// A delegation of native coins.
fn native() -> MsgDelegate {
    let amount = Some(Coin { denom: "ubbn".into(), amount: "1".into() });
    MsgDelegate { delegator_address: address("other"), validator_address: "bbnvaloper1".into(), amount }
}

pub(super) async fn state(w: &World) -> AccountState {
    w.state("other").await
}

pub(super) fn refused(
    answer: Result<tendermint_rpc::endpoint::tx::Response, crate::support::Refused>,
) -> Outcome {
    let included = answer?;
    if included.tx_result.code.is_err() {
        return Err(crate::support::Refused::of(&included.tx_result));
    }
    Ok(())
}

/// Signs what the adapter would never build, for the account "other".
fn signed_by_hand(state: AccountState, body: &[u8], change: impl FnOnce(&mut AuthInfo)) -> Vec<u8> {
    by_hand::signed_by_hand("other", state, body, change)
}

fn body(messages: Vec<Any>) -> TxBody {
    TxBody { messages, ..Default::default() }
}

fn with_fee(state: AccountState, fee: Fee) -> Vec<u8> {
    signed_by_hand(state, &body(vec![harmless("other")]).encode_to_vec(), |auth| auth.fee = Some(fee))
}

pub(super) fn coins(denom: &str, amount: &str) -> Vec<Coin> {
    vec![Coin { denom: denom.to_owned(), amount: amount.to_owned() }]
}

/// A harmless transaction whose fee somebody else is to pay.
pub(super) fn paid_by(granter: &str, state: AccountState) -> Vec<u8> {
    signed_by_hand(state, &body(vec![harmless("other")]).encode_to_vec(), |auth| {
        auth.fee.as_mut().unwrap().granter = address(granter);
    })
}

/// A transaction of a refundable kind whose fee somebody else is to pay.
pub(super) fn granted(state: AccountState, granter: &str, amount: &str) -> Vec<u8> {
    let member = btc_staking_protocol::keys::StakerSecret::from_bytes(&[1; 32]).unwrap();
    let message = any(&MsgAddCovenantSigs {
        signer: address("other"),
        pk: member.public_key().to_bytes().to_vec(),
        staking_tx_hash: "00".repeat(32),
        slashing_tx_sigs: vec![vec![1; 65]],
        unbonding_tx_sig: vec![1; 64],
        slashing_unbonding_tx_sigs: vec![vec![1; 65]],
        stake_expansion_tx_sig: None,
    });
    signed_by_hand(state, &body(vec![message]).encode_to_vec(), |auth| {
        let fee = auth.fee.as_mut().unwrap();
        fee.granter = address(granter);
        fee.amount = coins("ubbn", amount);
    })
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World) -> Option<Outcome> {
    let bytes = match case {
        "tx_garbage" => vec![1, 2, 3],
        "tx_unknown_field" => {
            let mut encoded = body(vec![harmless("other")]).encode_to_vec();
            encoded.extend([0x38, 1]); // field 7
            signed_by_hand(state(w).await, &encoded, |_| {})
        }
        "tx_unknown_message" => {
            let message = Any { type_url: "/no.such.Msg".into(), value: vec![] };
            signed_by_hand(state(w).await, &body(vec![message]).encode_to_vec(), |_| {})
        }
        "tx_native_staking" => {
            signed_by_hand(state(w).await, &body(vec![any(&native())]).encode_to_vec(), |_| {})
        }
        "tx_wrapped_staking" => {
            let message = any(&MsgWrappedDelegate { msg: Some(native()) });
            signed_by_hand(state(w).await, &body(vec![message]).encode_to_vec(), |_| {})
        }
        "tx_native_malformed" => {
            let mut message = any(&native());
            message.value.extend([0x20, 1]); // field 4
            signed_by_hand(state(w).await, &body(vec![message]).encode_to_vec(), |_| {})
        }
        "tx_changed_key" => {
            let encoded = body(vec![harmless("other")]).encode_to_vec();
            let other = AccountState { number: 0, sequence: 0 };
            let gas = GasAndFee { limit: GAS, fee: 50_000 };
            let foreign = sign_tx(&account("staker"), CHAIN, other, vec![harmless("staker")], gas).unwrap();
            let foreign = TxRaw::decode(foreign.bytes.as_slice()).unwrap();
            let foreign = AuthInfo::decode(foreign.auth_info_bytes.as_slice()).unwrap();
            signed_by_hand(state(w).await, &encoded, |auth| {
                auth.signer_infos[0].public_key = foreign.signer_infos[0].public_key.clone();
            })
        }
        "tx_no_message" => signed_by_hand(state(w).await, &body(vec![]).encode_to_vec(), |_| {}),
        "tx_timed_out" => {
            let timed = TxBody { timeout_height: 1, ..body(vec![harmless("other")]) };
            signed_by_hand(state(w).await, &timed.encode_to_vec(), |_| {})
        }
        "tx_timeout_time" => {
            let mut encoded = body(vec![harmless("other")]).encode_to_vec();
            encoded.extend([0x2a, 2, 0x08, 1]); // field 5: one second after 1970
            signed_by_hand(state(w).await, &encoded, |_| {})
        }
        "tx_unordered" => {
            let mut encoded = body(vec![harmless("other")]).encode_to_vec();
            encoded.extend([0x20, 1]); // field 4
            signed_by_hand(state(w).await, &encoded, |_| {})
        }
        "tx_memo" => {
            let long = TxBody { memo: "x".repeat(257), ..body(vec![harmless("other")]) };
            signed_by_hand(state(w).await, &long.encode_to_vec(), |_| {})
        }
        "tx_no_fee" => with_fee(state(w).await, Fee { gas_limit: GAS, ..Default::default() }),
        "tx_foreign_fee" => {
            let amount = coins("uatom", "100000");
            with_fee(state(w).await, Fee { amount, gas_limit: GAS, ..Default::default() })
        }
        "tx_low_fee" => {
            let amount = coins("ubbn", "9999");
            with_fee(state(w).await, Fee { amount, gas_limit: GAS, ..Default::default() })
        }
        "tx_gas_cap" => {
            let amount = coins("ubbn", "1000000");
            with_fee(state(w).await, Fee { amount, gas_limit: 10_000_001, ..Default::default() })
        }
        "tx_no_gas" => {
            let amount = coins("ubbn", "1000000");
            with_fee(state(w).await, Fee { amount, gas_limit: 0, ..Default::default() })
        }
        "tx_refund_gas" => return Some(refund_without_gas(w).await),
        "tx_poor" => {
            let amount = coins("ubbn", "2000000000000000");
            with_fee(state(w).await, Fee { amount, gas_limit: GAS, ..Default::default() })
        }
        "tx_granted" => granted(state(w).await, "staker", "50000"),
        "tx_granted_low_fee" => granted(state(w).await, "staker", "9999"),
        "tx_granted_future_sequence" => {
            let ahead = state(w).await;
            granted(AccountState { sequence: ahead.sequence + 1, ..ahead }, "staker", "50000")
        }
        "tx_future_sequence" => {
            let ahead = state(w).await;
            let ahead = AccountState { sequence: ahead.sequence + 1, ..ahead };
            signed_by_hand(ahead, &body(vec![harmless("other")]).encode_to_vec(), |_| {})
        }
        "tx_foreign_chain" => {
            let gas = GasAndFee { limit: GAS, fee: 50_000 };
            sign_tx(&account("other"), "another-chain", state(w).await, vec![harmless("other")], gas)
                .unwrap()
                .bytes
        }
        "tx_signer_count" => {
            // Two messages of two signers, one signature.
            let messages = vec![harmless("other"), harmless("staker")];
            signed_by_hand(state(w).await, &body(messages).encode_to_vec(), |_| {})
        }
        "tx_foreign_key" => {
            let gas = GasAndFee { limit: GAS, fee: 50_000 };
            let fresh = AccountState { number: 0, sequence: 0 };
            // An account that has coins but no key yet is needed: "covenant" signs late in the fixture, so a new one.
            return Some(foreign_key(w, gas, fresh).await);
        }
        "tx_nobody" => {
            let gas = GasAndFee { limit: GAS, fee: 50_000 };
            let nobody = AccountState { number: 99, sequence: 0 };
            sign_tx(&account("nobody"), CHAIN, nobody, vec![harmless("nobody")], gas).unwrap().bytes
        }
        "tx_bad_signer" => {
            let message = any(&MsgInsertHeaders { signer: "bbn1xyz".into(), headers: vec![vec![0; 80]] });
            signed_by_hand(state(w).await, &body(vec![message]).encode_to_vec(), |_| {})
        }
        _ => return None,
    };
    Some(refused(w.broadcast(bytes).await))
}

/// Headers are reported with gas for all but the refund of the fee, which comes last.
async fn refund_without_gas(w: &World) -> Outcome {
    let headers = vec![serialize(&w.bitcoin.clone().mine(&[]))];
    let message = any(&MsgInsertHeaders { signer: address("other"), headers });
    let needed = w.simulate("other", vec![message.clone()]).await.unwrap();
    // Two balances are read and written for the refund; that costs more.
    let gas = GasAndFee { limit: needed - 3_000, fee: 50_000 };
    let before = state(w).await;
    let signed = sign_tx(&account("other"), CHAIN, before, vec![message], gas).unwrap();
    let included = w.broadcast(signed.bytes).await;
    if included.is_ok() {
        w.set_state("other", AccountState { sequence: before.sequence + 1, ..before });
    }
    refused(included)
}

/// The key of one account for the message of another that has none yet.
async fn foreign_key(w: &World, gas: GasAndFee, fresh: AccountState) -> Outcome {
    use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
    let send = MsgSend {
        from_address: address("other"),
        to_address: address("newcomer"),
        amount: coins("ubbn", "1000000"),
    };
    w.must("other", &send).await;
    let signed = sign_tx(&account("staker"), CHAIN, fresh, vec![harmless("newcomer")], gas).unwrap();
    refused(w.broadcast(signed.bytes).await)
}
