//! Stake expansion: registered, signed by both committees, activated through the parent's report (`chain.md` 6.8, 6.11).

use super::support::{
    Refused, World, account, address, any, covenant, covenant_message,
    provider::Provider,
    secret,
    stake::{AMOUNT, Stake, funding_tx, possession},
};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut, Txid, consensus::serialize};
use btc_staking_babylon::{
    convert::request::{Registration, encode_request},
    proto::btcstaking::{MsgBtcStakeExpand, QueryBTCDelegationRequest},
};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, DelegationRequest, DelegationTerms, ExpansionRequest, plan_stake},
    height::Timelock,
    keys::StakerSecret,
    tx::expansion::build_expansion_tx,
};

/// A child of a stake, with what it takes to register and spend.
pub struct Child {
    terms: DelegationTerms,
    funding: Transaction,
    parent: bitcoin::Txid,
    /// Label of the staker key.
    staker: &'static str,
}

const FUNDING: u64 = 60_000;

/// An expansion of `parent` to `amount`.
fn expand(world: &World, parent: &Stake, provider: &Provider, amount: u64) -> Child {
    expand_by("parent", world, parent, provider, amount)
}

/// An expansion whose staker key has a label.
pub fn expand_by(
    label: &'static str,
    world: &World,
    parent: &Stake,
    provider: &Provider,
    amount: u64,
) -> Child {
    let staker = StakerSecret::from_bytes(&secret(label)).unwrap();
    let funding = format!("funding of {amount}");
    let output = TxOut { value: Amount::from_sat(FUNDING), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
    let funding = funding_tx(&funding, vec![output]);
    let time = Timelock::from_blocks(2000).unwrap();
    let plan =
        plan_stake(&world.params, staker.public_key(), &[provider.public()], Amount::from_sat(amount), time);
    let plan = plan.unwrap();
    let outpoint = OutPoint::new(funding.compute_txid(), 0);
    let tx = build_expansion_tx(parent.checked.staking_outpoint(), outpoint, plan.staking_output(), None);
    let terms = plan.with_funded(tx).unwrap().sign(&staker, &[0; 32]).unwrap();
    Child { terms, funding, parent: parent.txid(), staker: label }
}

impl Child {
    pub fn message(&self) -> MsgBtcStakeExpand {
        let staker = StakerSecret::from_bytes(&secret(self.staker)).unwrap();
        let request = DelegationRequest {
            staker_account: account("staker").account().clone(),
            possession: possession(staker.signing_key(), "staker"),
            terms: self.terms.clone(),
            inclusion: None,
            expansion: Some(ExpansionRequest {
                previous_staking_txid: self.parent,
                funding_tx: self.funding.clone(),
            }),
        };
        match encode_request(&request).unwrap() {
            Registration::Expand(message) => *message,
            Registration::Create(_) => panic!("not an ordinary stake"),
        }
    }

    pub fn txid(&self) -> Txid {
        self.terms.staking_tx.compute_txid()
    }

    pub fn covenant_set(&self, world: &World, parent: &Stake, i: usize) -> CovenantSignatureSet {
        let checked = self.terms.check(&world.params).unwrap();
        let pair = checked.check_expansion_by_any_staker(&parent.checked, &self.funding.output[0]).unwrap();
        pair.sign_covenant(&covenant()[i], &[5; 32]).unwrap()
    }

    /// The staking transaction with input 0 signed.
    fn spend(&self, world: &World, parent: &Stake) -> Transaction {
        let checked = self.terms.check(&world.params).unwrap();
        let pair = checked.check_expansion(&parent.checked, &self.funding.output[0]).unwrap();
        let sets = (0..3).map(|i| self.covenant_set(world, parent, i));
        let signatures: Vec<_> = sets.map(|set| (set.covenant, set.expansion.unwrap())).collect();
        let staker = parent.staker().sign(pair.sighash(), &[0; 32]);
        pair.assemble_previous_input(&signatures, &staker).unwrap()
    }
}

pub async fn send(world: &World, message: &MsgBtcStakeExpand) -> Result<(), Refused> {
    world.send("staker", vec![any(message)]).await.map(|_| ())
}

/// A refusal with this code and one of these words, with bars between them: two chains may say a thing differently.
pub fn expect(outcome: Result<(), Refused>, code: &str, words: &str) {
    let refused = outcome.expect_err(words);
    assert_eq!(refused.short(), code, "{refused:?}");
    let log = refused.log.to_lowercase();
    assert!(words.split('|').any(|word| log.contains(word)), "{words}: {refused:?}");
}

/// Registers, signs and activates an expansion, which takes over its parent's power, and breaks the rules on the way.
pub async fn live(world: &mut World) {
    let (one, two) = (Provider::new("provider-1", 1, 1000), Provider::new("provider-2", 1, 1000));
    world.mine(3, &[]).await;
    world.register(&one).await;
    world.register(&two).await;
    world.finalise_epochs().await;
    let parent = Stake::new(&world.params, "parent", one.public(), 1000);
    let child = expand(world, &parent, &one, AMOUNT + 50_000);

    expect(send(world, &child.message()).await, "btcstaking/1102", "not found");
    world.verified(&parent).await;
    expect(send(world, &child.message()).await, "undefined/1", "not active");
    let height = world.mine(3, &[parent.tx()]).await;
    world.must("watchtower", &parent.inclusion(&world.bitcoin.prove(height, parent.tx()))).await;
    world.activated().await;
    world.next_block().await;

    refuse_broken_requests(world, &parent, &child, &two).await;
    send(world, &child.message()).await.unwrap();
    let txid = child.terms.staking_tx.compute_txid();
    assert_eq!(world.status(txid).await, "PENDING");

    // Without the signature over the parent's spend there is no signing.
    let set = child.covenant_set(world, &parent, 0);
    let bare = CovenantSignatureSet { expansion: None, ..set.clone() };
    let bare = world.send("covenant", vec![any(&covenant_message(&bare))]).await.map(|_| ());
    expect(bare, "btcstaking/1110", "missing|empty stake expansion");
    for i in 0..3 {
        world.must("covenant", &covenant_message(&child.covenant_set(world, &parent, i))).await;
    }
    assert_eq!(world.status(txid).await, "VERIFIED");
    let told = QueryBTCDelegationRequest { staking_tx_hash_hex: txid.to_string() };
    let told = world.query(told).await.unwrap().btc_delegation.unwrap().stk_exp.unwrap();
    assert_eq!(told.previous_staking_tx_hash_hex, parent.txid().to_string());
    assert_eq!(told.other_funding_tx_out_hex, hex::encode(serialize(&child.funding.output[0])));
    assert_eq!(told.previous_stk_covenant_sigs.len(), 3);

    // The spend counts for the child once it is k deep; until then the parent keeps its power.
    let spend = child.spend(world, &parent);
    let height = world.mine(1, &[&spend]).await;
    let proof = world.bitcoin.prove(height, &spend);
    let mut report = parent.report(&spend, &proof);
    report.funding_transactions.push(serialize(&child.funding));
    let shallow = world.send("watchtower", vec![any(&report)]).await.map(|_| ());
    expect(shallow, "btcstaking/1119", "not k-deep");
    assert_eq!(world.power(&one).await, AMOUNT);
    let inclusion = btc_staking_babylon::proto::btcstaking::MsgAddBTCDelegationInclusionProof {
        staking_tx_hash: txid.to_string(),
        ..parent.inclusion(&proof)
    };
    let ordinary = world.send("watchtower", vec![any(&inclusion)]).await.map(|_| ());
    expect(ordinary, "undefined/1", "expansion");
    world.mine(2, &[]).await;
    world.must("watchtower", &report).await;
    assert_eq!(
        (world.status(parent.txid()).await.as_str(), world.status(txid).await.as_str()),
        ("UNBONDED", "ACTIVE")
    );
    world.next_block().await;
    assert_eq!(world.power(&one).await, AMOUNT + 50_000);
}

/// Section 6.8, row by row.
async fn refuse_broken_requests(world: &World, parent: &Stake, child: &Child, other: &Provider) {
    let good = child.message();
    let tx = |change: &dyn Fn(&mut Transaction)| {
        let mut tx = child.terms.staking_tx.clone();
        change(&mut tx);
        MsgBtcStakeExpand { staking_tx: serialize(&tx), ..good.clone() }
    };
    let elsewhere = OutPoint::new(parent.txid(), 1);
    let cases: [(MsgBtcStakeExpand, &str); 8] = [
        (MsgBtcStakeExpand { previous_staking_tx_hash: "zz".into(), ..good.clone() }, "row 2"),
        (MsgBtcStakeExpand { funding_tx: vec![1], ..good.clone() }, "row 2"),
        (tx(&|tx| tx.input.truncate(1)), "row 3"),
        (MsgBtcStakeExpand { previous_staking_tx_hash: "11".repeat(32), ..good.clone() }, "row 4"),
        (tx(&|tx| tx.input[1].previous_output.txid = parent.txid()), "row 5"),
        (tx(&|tx| tx.input[1].previous_output.vout = 7), "row 6"),
        (tx(&|tx| tx.input[0].previous_output = elsewhere), "row 15"),
        (expand(world, parent, other, AMOUNT + 50_000).message(), "row 11"),
    ];
    for (message, row) in cases {
        let refused = send(world, &message).await.expect_err(row);
        assert_eq!(refused.short(), "undefined/1", "{row}: {refused:?}");
    }
    expect(
        send(world, &expand(world, parent, other, AMOUNT - 1).message()).await,
        "undefined/1",
        "provider|fp of the stake expansion",
    );
    let one = Provider::new("provider-1", 1, 10);
    let smaller = expand(world, parent, &one, AMOUNT - 1);
    expect(send(world, &smaller.message()).await, "undefined/1", "below the previous|less than previous");
    let feeless = expand(world, parent, &one, AMOUNT + FUNDING);
    expect(send(world, &feeless.message()).await, "undefined/1", "leave no fee|invalid transaction fee");
    let foreign = MsgBtcStakeExpand { staker_addr: address("other"), ..good };
    let refused = world.send("other", vec![any(&foreign)]).await.unwrap_err();
    assert_eq!(refused.short(), "undefined/1");
    assert!(refused.log.contains("staker addr"), "{refused:?}");
}
