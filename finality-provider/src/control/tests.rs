use super::*;
use crate::control::errand::choose_key;
use btc_staking_daemon::{
    cli::Exit,
    clock::{Clock, SystemClock},
};
use btc_staking_eots_manager::{keys::EotsKey, records::Subject};
use btc_staking_pos_chain::{
    double::{ChainState, ScriptedChain},
    message::{ChainMessage, MessageOutcome, Refusal, RefusalKind},
    ports::{ErrorKind, FinalityProvider, Submitter as _},
    watch::SigningInfo,
};
use btc_staking_protocol::height::PosHeight;
use std::{sync::Arc, time::Duration};

fn eots_key() -> EotsKey {
    EotsKey::from_secret_bytes(&[9; 32]).unwrap()
}

fn key() -> FinalityProviderPublicKey {
    eots_key().public_key()
}

fn account(byte: u8) -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[byte; 20]).unwrap()
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn now() -> u64 {
    SystemClock::new().since_epoch().as_secs()
}

fn place(chain: &ScriptedChain) -> Place {
    Place {
        subject: Subject { finality_provider: key(), chain_id: "bbn-1".parse().unwrap() },
        chain: Arc::new(chain.clone()),
        submitter: Arc::new(chain.submitter(account(5))),
        registrar: None,
        prover: Prover::Key(Box::new(eots_key())),
        denom: "ubbn".to_owned(),
        patience: Duration::from_secs(5),
    }
}

fn registration() -> Action {
    Action::Register(Registration {
        description: Text { moniker: "one".to_owned(), ..Text::default() },
        commission_rate: d("0.05"),
        commission_max_rate: d("0.2"),
        commission_max_change_rate: d("0.01"),
    })
}

/// A chain on which the provider is registered by an account.
fn registered_by(byte: u8) -> ScriptedChain {
    let mut state = ChainState::new("bbn-1");
    let provider = FinalityProvider {
        key: key(),
        account: account(byte),
        description: Text { moniker: "one".to_owned(), website: "w".to_owned(), ..Text::default() }.into(),
        commission: CommissionRates { rate: d("0.05"), max_rate: d("0.2"), max_change_rate: d("0.01") },
        commission_set_at: Some(now() - 100_000),
        slashed: None,
        jailed: false,
        highest_voted_height: PosHeight::new(0),
    };
    state.finality_providers.insert(key(), provider);
    ScriptedChain::new(state)
}

async fn done(chain: &ScriptedChain, action: Action) -> Done {
    match place(chain).perform(action).await.unwrap() {
        Answer::Done(done) => done,
        Answer::Rewards(rewards) => panic!("{rewards}"),
    }
}

async fn refused(chain: &ScriptedChain, action: Action) -> (Exit, String) {
    let error = place(chain).perform(action).await.unwrap_err();
    (error.exit(), error.to_string())
}

fn edit(change: impl FnOnce(&mut Edit)) -> Action {
    let mut edit = Edit::default();
    change(&mut edit);
    Action::Edit(edit)
}

#[tokio::test]
async fn registering_twice_sends_once_and_an_account_has_one_provider() {
    let chain = ScriptedChain::new(ChainState::new("bbn-1"));
    let first = done(&chain, registration()).await;
    assert!(first.result == "registered" && first.tx_hash.is_some());
    let again = done(&chain, registration()).await;
    assert!(again.result == "registered already" && again.tx_hash.is_none());
    assert_eq!(chain.submitted().len(), 1);
    let chain = ScriptedChain::new(ChainState::new("bbn-1"));
    chain
        .answer_next(MessageOutcome::AlreadyDone("finality provider has already been registered".to_owned()));
    let (exit, text) = refused(&chain, registration()).await;
    assert!(exit == Exit::Rejected && text.contains("another finality provider"), "{text}");
}

#[tokio::test]
async fn an_edit_keeps_what_is_left_out_and_sends_nothing_that_changes_nothing() {
    let chain = registered_by(5);
    for nothing in [edit(|_| {}), edit(|edit| edit.commission_rate = Some(d("0.05")))] {
        assert_eq!(done(&chain, nothing).await.result, "nothing to change");
    }
    assert!(chain.submitted().is_empty());
    done(&chain, edit(|edit| edit.details = Some("new".to_owned()))).await;
    done(&chain, edit(|edit| edit.commission_rate = Some(d("0.06")))).await;
    let record = chain.update(|state| state.finality_providers[&key()].clone());
    assert_eq!((record.description.moniker.as_str(), record.description.website.as_str()), ("one", "w"));
    assert_eq!((record.description.details.as_str(), record.commission.rate), ("new", d("0.06")));
}

#[tokio::test]
async fn a_commission_against_the_rules_is_refused_before_it_is_sent() {
    let chain = registered_by(5);
    let commission = |text: &str| edit(|edit| edit.commission_rate = Some(d(text)));
    let (exit, text) = refused(&chain, commission("0.1")).await;
    assert!(exit == Exit::Refused && text.contains("choose 0.04 to 0.06"), "{text}");
    chain.update(|state| {
        state.finality_providers.get_mut(&key()).unwrap().commission_set_at = Some(now() - 3_600);
    });
    let (exit, text) = refused(&chain, commission("0.06")).await;
    assert!(exit == Exit::NotReady && text.contains("again in 23 h"), "{text}");
    assert!(chain.submitted().is_empty());
}

#[tokio::test]
async fn what_only_the_registering_account_can_do_is_refused_to_others_by_name() {
    let chain = registered_by(6);
    let actions = [
        edit(|edit| edit.details = Some("new".to_owned())),
        Action::WithdrawRewards(Reward::FinalityProvider),
        Action::SetWithdrawAddress(account(7)),
    ];
    for action in actions {
        let (exit, text) = refused(&chain, action).await;
        assert_eq!(exit, Exit::Refused);
        assert!(text.contains(account(6).bech32()) && text.contains(account(5).bech32()), "{text}");
    }
    chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().jailed = true);
    let (_, text) = refused(&chain, Action::Unjail).await;
    assert!(text.contains("[unjail] account_key_file"), "{text}");
    assert!(chain.submitted().is_empty());
    // With that account's key, unjailing is its doing.
    let registrar = Place { registrar: Some(Arc::new(chain.submitter(account(6)))), ..place(&chain) };
    registrar.perform(Action::Unjail).await.unwrap();
    let sent = chain.submitted();
    assert!(matches!(sent[0].message, ChainMessage::UnjailFinalityProvider(_)));
    assert_eq!(sent[0].account, account(6));
}

#[tokio::test]
async fn unjailing_waits_for_the_end_of_the_jail_time_and_never_helps_a_slashed_provider() {
    let chain = registered_by(5);
    assert_eq!(done(&chain, Action::Unjail).await.result, "not jailed");
    let jail = |until| {
        chain.update(|state| {
            state.finality_providers.get_mut(&key()).unwrap().jailed = true;
            let start_height = PosHeight::new(1);
            let info = SigningInfo { start_height, missed_blocks: 0, jailed_until: Some(until) };
            state.signing_infos.insert(key(), info);
        });
    };
    jail(now() + 7_200);
    let (exit, text) = refused(&chain, Action::Unjail).await;
    assert!(exit == Exit::NotReady && text.contains("over in 2 h"), "{text}");
    assert!(chain.submitted().is_empty());
    jail(now() - 1);
    assert_eq!(done(&chain, Action::Unjail).await.result, "unjailed");
    jail(now() - 1);
    let slashed = btc_staking_pos_chain::ports::SlashedAt {
        pos_height: PosHeight::new(1),
        btc_height: btc_staking_protocol::height::BtcHeight::new(1),
    };
    chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().slashed = Some(slashed));
    assert_eq!(refused(&chain, Action::Unjail).await.0, Exit::Refused);
}

#[tokio::test]
async fn rewards_are_told_and_withdrawing_none_is_no_failure() {
    let chain = registered_by(5);
    chain.update(|state| {
        state.balances.insert(account(5), 77);
        state.rewards.insert(account(5), vec![(RewardKind::FinalityProvider, 5), (RewardKind::BtcStaker, 0)]);
    });
    let Answer::Rewards(rewards) = place(&chain).perform(Action::Rewards).await.unwrap() else { panic!() };
    assert_eq!(rewards.rewards, [Amount { kind: Reward::FinalityProvider, amount: "5".to_owned() }]);
    assert!(rewards.to_string().contains("holds 77 ubbn"), "{rewards}");
    let withdrawal = || Action::WithdrawRewards(Reward::FinalityProvider);
    assert!(done(&chain, withdrawal()).await.tx_hash.is_some());
    chain.answer_next(MessageOutcome::Refused(Refusal {
        kind: RefusalKind::NothingToWithdraw,
        codespace: "incentive".to_owned(),
        code: 1102,
        text: "no reward".to_owned(),
    }));
    assert_eq!(done(&chain, withdrawal()).await.result, "nothing to withdraw");
}

#[tokio::test]
async fn a_lost_answer_is_told_as_such() {
    let chain = registered_by(5);
    chain.answer_next(MessageOutcome::Unknown(btc_staking_pos_chain::ports::ChainError::new(
        ErrorKind::Transient,
        "timeout",
    )));
    let (exit, text) = refused(&chain, Action::WithdrawRewards(Reward::FinalityProvider)).await;
    assert!(exit == Exit::Unreachable && text.contains("not known"), "{text}");
    assert_eq!(chain.submitter(account(5)).account(), &account(5));
}

#[test]
fn a_key_is_chosen_by_name_or_because_it_is_the_only_one() {
    let other = EotsKey::from_secret_bytes(&[8; 32]).unwrap().public_key();
    assert_eq!(choose_key(None, &[key()]).unwrap(), key());
    assert_eq!(choose_key(Some(other), &[key(), other]).unwrap(), other);
    assert!(choose_key(Some(other), &[key()]).unwrap_err().to_string().contains(&other.to_string()));
    let several = choose_key(None, &[key(), other]).unwrap_err().to_string();
    assert!(several.contains("--key") && several.contains(&other.to_string()), "{several}");
}

#[test]
fn an_errand_reads_as_it_is_documented() {
    let text = r#"{"chain": "bbn-1", "key": null, "action": {"edit": {"moniker": "two"}}}"#;
    let errand: Errand = serde_json::from_str(text).unwrap();
    assert_eq!(errand.action, edit(|edit| edit.moniker = Some("two".to_owned())));
    let unjail: Errand = serde_json::from_str(r#"{"action": "unjail"}"#).unwrap();
    assert_eq!((unjail.chain, unjail.action), (None, Action::Unjail));
    assert!(serde_json::from_str::<Errand>(r#"{"action": {"edit": {"monicker": "two"}}}"#).is_err());
}
