//! Random moves: what everybody might do next, sensible or not, and Bitcoin with its reorgs.

use super::super::support::{
    account, address, any,
    bitcoin::Bitcoin,
    provider::Provider,
    stake::{AMOUNT, Stake},
};
use super::{
    chain::Chain,
    dice::Dice,
    facts::{Facts, K, Place, Said},
};
use bitcoin::{Transaction, Txid, consensus::serialize};
use btc_staking_babylon::proto::{
    Any, btclightclient::MsgInsertHeaders, btcstaking::MsgSelectiveSlashingEvidence,
    finality::MsgUnjailFinalityProvider, incentive::MsgWithdrawReward,
};
use btc_staking_protocol::params::StakingParams;
use prost::{Message, Name};
use std::collections::{BTreeMap, VecDeque};

/// Stakes at most.
const STAKES: usize = 60;
const STAKERS: usize = 3;
const MEMBERS: usize = 5;

/// Everybody's keys and plans.
pub struct Players {
    pub params: StakingParams,
    pub providers: Vec<Provider>,
    pub stakes: Vec<Stake>,
    /// Their registered unbonding transactions, signed.
    unbondings: Vec<Transaction>,
    /// Provider, satoshis and time of each.
    terms: Vec<(usize, u64, u32)>,
    bitcoin: Bitcoin,
    /// Where transactions are on Bitcoin.
    mined: BTreeMap<Txid, u32>,
    waiting: VecDeque<Transaction>,
    /// Providers that do not vote, and until when.
    asleep: BTreeMap<usize, u64>,
    /// Hash in the header of every height, for votes.
    pub app_hashes: BTreeMap<u64, [u8; 32]>,
}

/// The next block's transactions.
pub struct Turn<'a> {
    pub dice: &'a mut Dice,
    pub chain: &'a mut Chain,
    pub facts: &'a Facts,
    pub said: Vec<Said>,
}

impl Turn<'_> {
    /// Says something, if the account is free; now and then without its end.
    fn say<M: Message + Name>(&mut self, label: &str, message: &M, said: Said) {
        let mut message = any(message);
        if self.dice.percent(4) {
            // The last field of every message here is longer.
            message.value.truncate(message.value.len() - 1 - self.dice.below(7));
            return self.say_any(label, message, Said::Nonsense);
        }
        self.say_any(label, message, said);
    }

    fn say_any(&mut self, label: &str, message: Any, said: Said) {
        if self.chain.is_free(label) {
            self.chain.send(label, message);
            self.said.push(said);
        }
    }
}

pub fn staker(stake: usize) -> String {
    format!("staker {}", stake % STAKERS)
}

/// Everybody who has coins.
pub fn labels(providers: usize) -> Vec<String> {
    let mut labels: Vec<String> = ["reporter", "watchtower", "other"].map(str::to_owned).into();
    labels.extend((0..STAKERS).map(staker));
    labels.extend((0..MEMBERS).map(|member| format!("member {member}")));
    for provider in 0..providers {
        labels.extend(["provider", "voter", "late voter"].map(|role| format!("{role} {provider}")));
    }
    labels
}

impl Players {
    pub fn new(params: StakingParams, providers: Vec<Provider>) -> Self {
        Self {
            params,
            providers,
            stakes: vec![],
            unbondings: vec![],
            terms: vec![],
            bitcoin: Bitcoin::new(),
            mined: BTreeMap::new(),
            waiting: VecDeque::new(),
            asleep: BTreeMap::new(),
            app_hashes: BTreeMap::new(),
        }
    }

    /// Makes the moves of a block.
    pub fn play(&mut self, turn: &mut Turn<'_>) {
        // Headers come before the rest, behind it, or not at all.
        let headers = turn.dice.below(5);
        if headers < 2 {
            self.mine(turn);
        }
        self.vote(turn);
        for _ in 0..turn.dice.between(2, 6) {
            self.stake(turn);
        }
        self.surprise(turn);
        if headers == 2 {
            self.mine(turn);
        }
    }

    fn place(&self, tx: &Transaction) -> Option<Place> {
        let height = *self.mined.get(&tx.compute_txid())?;
        Some(Place { height, block: self.bitcoin.header(height).block_hash() })
    }

    /// Mines what waits, sometimes on a fork that is shorter than `k`.
    pub fn mine(&mut self, turn: &mut Turn<'_>) {
        let (mut depth, mut blocks) = (0, turn.dice.between(1, 3));
        if turn.dice.percent(15) && self.bitcoin.tip_height() > 2 * K {
            depth = turn.dice.between(1, K - 1);
            blocks = depth + turn.dice.between(1, 2);
        }
        self.bitcoin.fork(usize::try_from(depth).unwrap());
        let from = self.bitcoin.tip_height() + 1;
        self.mined.retain(|_, height| *height < from);
        let mut headers = vec![];
        for _ in 0..blocks {
            let held = turn.dice.below(6);
            let txs: Vec<_> = (0..held).filter_map(|_| self.waiting.pop_front()).collect();
            let txs: Vec<_> = txs.iter().filter(|tx| !self.mined.contains_key(&tx.compute_txid())).collect();
            headers.push(self.bitcoin.mine(&txs));
            let height = self.bitcoin.tip_height();
            self.mined.extend(txs.iter().map(|tx| (tx.compute_txid(), height)));
        }
        let blocks = headers.iter().map(bitcoin::block::Header::block_hash).collect();
        let message = MsgInsertHeaders {
            signer: address("reporter"),
            headers: headers.iter().map(serialize).collect(),
        };
        // Never cut short: what is mined here must be what the chain knows.
        turn.say_any("reporter", any(&message), Said::Headers { from, blocks });
    }

    /// Votes of everybody for the last block, now and then for an older one or for a fork.
    fn vote(&mut self, turn: &mut Turn<'_>) {
        let last = turn.facts.height;
        for number in 0..self.providers.len() {
            // Now and then one is gone for long enough to go to jail.
            if turn.dice.percent(3) {
                self.asleep.insert(number, last + u64::from(turn.dice.between(5, 14)));
            }
            if self.asleep.get(&number).is_some_and(|until| last < *until) {
                continue;
            }
            let has_power = turn.facts.tables.get(&last).is_some_and(|table| table.contains_key(&number));
            if has_power && turn.facts.fallen() < 2 && turn.dice.below(30) == 0 {
                self.vote_for(turn, &format!("late voter {number}"), number, last, true);
            }
            if turn.dice.percent(90) {
                self.vote_for(turn, &format!("voter {number}"), number, last, false);
            }
            if turn.dice.percent(60) {
                let late = turn.facts.next_final + u64::from(turn.dice.between(0, 4));
                self.vote_for(turn, &format!("late voter {number}"), number, late, false);
            }
        }
    }

    fn vote_for(&mut self, turn: &mut Turn<'_>, label: &str, provider: usize, height: u64, fork: bool) {
        let (first, last, _) = turn.facts.providers[provider].randomness;
        let Some(app_hash) = self.app_hashes.get(&height) else { return };
        if !(first..=last).contains(&height) {
            return;
        }
        let app_hash = if fork { [9; 32] } else { *app_hash };
        let mut message = self.providers[provider].vote(height, app_hash);
        message.signer = address(label);
        turn.say(label, &message, Said::Vote { provider, height, fork });
    }

    /// One step in the life of some stake.
    fn stake(&mut self, turn: &mut Turn<'_>) {
        if self.stakes.len() < 4 || (self.stakes.len() < STAKES && turn.dice.percent(12)) {
            return self.begin(turn);
        }
        // Young stakes have more ahead of them.
        let count = self.stakes.len();
        let young = turn.dice.below(count.min(6));
        let stake = if turn.dice.percent(70) { count - 1 - young } else { turn.dice.below(count) };
        match turn.dice.below(12) {
            0 => self.waiting.push_back(self.stakes[stake].tx().clone()),
            1 | 2 => self.register(turn, stake),
            3..=7 => self.sign(turn, stake),
            8 | 9 => self.prove(turn, stake),
            _ => {
                let tip = turn.facts.tip();
                let active = turn.facts.stakes.iter().filter(|(_, stake)| stake.status(tip) == "ACTIVE");
                let active: Vec<usize> = active.map(|(number, _)| *number).collect();
                let any = active.is_empty() || turn.dice.percent(40);
                let chosen = if any { stake } else { active[turn.dice.below(active.len())] };
                self.spend(turn, chosen);
            }
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_>) {
        let stake = self.stakes.len();
        let provider = turn.dice.below(self.providers.len());
        let sats = AMOUNT + u64::from(turn.dice.between(0, 3)) * 50_000;
        let time = turn.dice.between(10, 45);
        let key = self.providers[provider].public();
        let label = format!("stake {stake}");
        let made = Stake::of(&staker(stake), &self.params, &label, key, (sats, time));
        if turn.dice.percent(60) {
            self.waiting.push_back(made.tx().clone());
        }
        self.unbondings.push(made.unbonding_tx());
        self.stakes.push(made);
        self.terms.push((provider, sats, time));
        if turn.dice.percent(50) {
            self.register(turn, stake);
        }
    }

    fn register(&mut self, turn: &mut Turn<'_>, stake: usize) {
        let (provider, sats, time) = self.terms[stake];
        let made = &self.stakes[stake];
        let proof = self.place(made.tx()).filter(|_| turn.dice.percent(70));
        let inclusion = proof.map(|place| self.bitcoin.prove(place.height, made.tx()));
        let said = Said::Register { stake, provider, sats, time, proof };
        turn.say(&staker(stake), &made.registration(inclusion), said);
    }

    fn sign(&mut self, turn: &mut Turn<'_>, stake: usize) {
        for member in 0..MEMBERS {
            if turn.dice.percent(50) {
                let label = format!("member {member}");
                let mut message = self.stakes[stake].covenant_sigs(member);
                message.signer = address(&label);
                turn.say(&label, &message, Said::Sign { stake, member });
            }
        }
    }

    fn prove(&mut self, turn: &mut Turn<'_>, stake: usize) {
        let made = &self.stakes[stake];
        let Some(place) = self.place(made.tx()) else {
            return self.waiting.push_back(made.tx().clone());
        };
        let mut message = made.inclusion(&self.bitcoin.prove(place.height, made.tx()));
        message.signer = address("other");
        turn.say("other", &message, Said::Prove { stake, place });
    }

    fn spend(&mut self, turn: &mut Turn<'_>, stake: usize) {
        let made = &self.stakes[stake];
        let spending = &self.unbondings[stake];
        let Some(place) = self.place(spending) else {
            if turn.dice.percent(20) {
                self.waiting.push_back(spending.clone());
            }
            return;
        };
        let message = made.report(spending, &self.bitcoin.prove(place.height, spending));
        turn.say("watchtower", &message, Said::Spend { stake, place });
    }

    /// What is rare.
    fn surprise(&mut self, turn: &mut Turn<'_>) {
        let provider = turn.dice.below(self.providers.len());
        let label = format!("provider {provider}");
        let key = &self.providers[provider];
        match turn.dice.below(60) {
            0..=14 => {
                let fp_btc_pk = key.public().to_bytes().to_vec();
                let message = MsgUnjailFinalityProvider { signer: address(&label), fp_btc_pk };
                turn.say(&label, &message, Said::Unjail { provider });
            }
            15 if provider == 0 => {
                let recovered_fp_btc_sk = key.key.signing_key().to_secret_bytes().to_vec();
                let message = MsgSelectiveSlashingEvidence { signer: address("other"), recovered_fp_btc_sk };
                turn.say("other", &message, Said::Show { provider });
            }
            16..=25 => {
                let (label, kind) = if turn.dice.percent(50) {
                    (label, "finality_provider")
                } else {
                    (staker(provider), "btc_staker")
                };
                let message = MsgWithdrawReward { r#type: kind.into(), address: address(&label) };
                turn.say(&label, &message, Said::Withdraw);
            }
            26..=30 => {
                turn.chain.send_bytes(account("other").account().bytes().to_vec());
                turn.said.push(Said::Nonsense);
            }
            31..=35 => {
                let message = Any { type_url: MsgWithdrawReward::type_url(), value: vec![0xff; 9] };
                turn.say_any("other", message, Said::Nonsense);
            }
            _ => {}
        }
    }
}
