//! What commands print about stakes. The JSON forms are part of the interface: amounts are integer satoshis, keys and
//! txids lower-case hex, what is not known is null.

use crate::{
    machine::Machine,
    position::{Position, Withdrawable},
    service::{Service, Withdrawn},
    stake::{Stake, Step},
    table::Table,
};
use bitcoin::{OutPoint, Txid};
use btc_staking_protocol::{
    delegation::DelegationStatus,
    height::{BtcHeight, Timelock},
    keys::FinalityProviderPublicKey,
    params::ParamsVersion,
    tx::withdrawal::WithdrawalKind,
};
use serde::Serialize;

/// Minutes between two blocks, on average.
const BLOCK_MINUTES: u32 = 10;

/// One stake, as `stake`, `list`, `show`, `resume`, `abandon` and `unbond` print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StakeReport {
    staking_txid: Txid,
    staking_vout: u32,
    state: &'static str,
    amount_sat: u64,
    fee_sat: u64,
    finality_provider: FinalityProviderPublicKey,
    staking_time: Timelock,
    unbonding_time: Timelock,
    params_version: ParamsVersion,
    /// What the chain tells: pending, verified, active, unbonded, expired; null when it was not asked or has no answer.
    chain_status: Option<&'static str>,
    /// Height of the transaction that created the output the coins are in.
    height: Option<BtcHeight>,
    /// Blocks on top of it.
    depth: Option<u32>,
    unbonding_txid: Txid,
    withdrawable: Option<WithdrawableReport>,
    slashing_txid: Option<Txid>,
    withdrawal_txid: Option<Txid>,
    /// Why it is over, when it ended before anything was signed.
    reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WithdrawableReport {
    kind: &'static str,
    outpoint: OutPoint,
    amount_sat: u64,
    from_height: BtcHeight,
    blocks_left: u32,
}

/// All stakes, as `list` prints them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListReport {
    /// Tip of the best chain.
    pub btc_height: Option<BtcHeight>,
    /// The stakes.
    pub stakes: Vec<StakeReport>,
}

/// A withdrawal, as `withdraw` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithdrawalReport {
    withdrawal_txid: Txid,
    destination: Option<String>,
    amount_sat: u64,
    fee_sat: u64,
    inputs: Vec<WithdrawnInputReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WithdrawnInputReport {
    staking_txid: Txid,
    kind: &'static str,
    outpoint: OutPoint,
    amount_sat: u64,
}

impl StakeReport {
    /// Describes a stake as of the service's last look at Bitcoin.
    pub fn new(service: &Service, machine: &Machine, status: Option<DelegationStatus>) -> Self {
        let (stake, checked) = (machine.stake(), machine.checked());
        let position = service.position(machine);
        let tip = service.tip().map(|tip| tip.height);
        let height = position.height();
        let withdrawable = position.withdrawable(checked);
        Self {
            staking_txid: stake.txid(),
            staking_vout: checked.staking_outpoint().vout,
            state: state(stake, position, withdrawable.as_ref(), tip, status),
            amount_sat: stake.amount.to_sat(),
            fee_sat: stake.fee.to_sat(),
            finality_provider: stake.finality_provider,
            staking_time: stake.staking_time,
            unbonding_time: stake.params.unbonding_time,
            params_version: stake.params.version,
            chain_status: status.map(status_word),
            height,
            depth: height.zip(tip).and_then(|(height, tip)| height.depth_under(tip)).map(|d| d.to_u32()),
            unbonding_txid: checked.unbonding_outpoint().txid,
            withdrawable: withdrawable.zip(tip).map(|(found, tip)| WithdrawableReport::new(&found, tip)),
            slashing_txid: position.slashing_txid(),
            withdrawal_txid: position.withdrawal_txid(),
            reason: stake.end_reason().map(ToString::to_string),
        }
    }

    /// The state's word.
    pub fn state(&self) -> &'static str {
        self.state
    }

    /// The report for people.
    pub fn to_table(&self) -> String {
        let mut table = Table::fields();
        table.row(["stake", &self.staking_txid.to_string()]);
        table.row(["state", self.state]);
        if let Some(reason) = &self.reason {
            table.row(["reason", reason]);
        }
        table.row(["amount", &format!("{} sat", self.amount_sat)]);
        table.row(["fee", &format!("{} sat", self.fee_sat)]);
        table.row(["finality provider", &self.finality_provider.to_string()]);
        table.row(["timelock", &blocks(u32::from(self.staking_time))]);
        table.row(["unbonding time", &blocks(u32::from(self.unbonding_time))]);
        table.row(["chain says", self.chain_status.unwrap_or("-")]);
        if let (Some(height), Some(depth)) = (self.height, self.depth) {
            table.row(["bitcoin height", &format!("{height}, {depth} deep")]);
        }
        table.row(["unbonding tx", &self.unbonding_txid.to_string()]);
        if let Some(txid) = self.slashing_txid {
            table.row(["slashing tx", &txid.to_string()]);
        }
        if let Some(found) = &self.withdrawable {
            table.row(["withdrawable", &found.to_text()]);
        }
        if let Some(txid) = self.withdrawal_txid {
            table.row(["withdrawal tx", &txid.to_string()]);
        }
        table.to_string()
    }
}

impl WithdrawableReport {
    fn new(found: &Withdrawable, tip: BtcHeight) -> Self {
        Self {
            kind: kind_word(found.input.kind()),
            outpoint: found.input.outpoint(),
            amount_sat: found.input.prevout().value.to_sat(),
            from_height: found.from_tip(),
            blocks_left: found.blocks_left(tip),
        }
    }

    fn to_text(&self) -> String {
        match self.blocks_left {
            0 => format!("{} sat, now", self.amount_sat),
            left => format!("{} sat, from height {}, in {}", self.amount_sat, self.from_height, blocks(left)),
        }
    }
}

impl ListReport {
    /// The report for people.
    pub fn to_table(&self) -> String {
        if self.stakes.is_empty() {
            return "no stakes\n".to_owned();
        }
        let mut table =
            Table::with_header(["STAKE", "STATE", "CHAIN", "AMOUNT (sat)", "DEPTH", "WITHDRAWABLE"]);
        for stake in &self.stakes {
            table.row([
                &stake.staking_txid.to_string(),
                stake.state,
                stake.chain_status.unwrap_or("-"),
                &stake.amount_sat.to_string(),
                &stake.depth.map_or_else(|| "-".to_owned(), |depth| depth.to_string()),
                &stake.withdrawable.as_ref().map_or_else(|| "-".to_owned(), WithdrawableReport::to_text),
            ]);
        }
        table.to_string()
    }
}

impl WithdrawalReport {
    /// Describes a withdrawal.
    pub fn new(withdrawn: &Withdrawn) -> Self {
        let inputs = withdrawn.inputs.iter().map(|input| WithdrawnInputReport {
            staking_txid: input.staking_txid,
            kind: kind_word(input.kind),
            outpoint: input.outpoint,
            amount_sat: input.amount.to_sat(),
        });
        Self {
            withdrawal_txid: withdrawn.txid,
            destination: withdrawn.destination.as_ref().map(ToString::to_string),
            amount_sat: withdrawn.amount.to_sat(),
            fee_sat: withdrawn.fee.to_sat(),
            inputs: inputs.collect(),
        }
    }

    /// The report for people.
    pub fn to_table(&self) -> String {
        let mut table = Table::fields();
        table.row(["withdrawal tx", &self.withdrawal_txid.to_string()]);
        table.row(["to", self.destination.as_deref().unwrap_or("-")]);
        table.row(["amount", &format!("{} sat", self.amount_sat)]);
        table.row(["fee", &format!("{} sat", self.fee_sat)]);
        for input in &self.inputs {
            let what = format!("{} sat, {} of stake {}", input.amount_sat, input.kind, input.staking_txid);
            table.row(["input", &what]);
        }
        table.to_string()
    }
}

fn state(
    stake: &Stake,
    position: Position,
    withdrawable: Option<&Withdrawable>,
    tip: Option<BtcHeight>,
    status: Option<DelegationStatus>,
) -> &'static str {
    let is_free = withdrawable.zip(tip).is_some_and(|(found, tip)| found.blocks_left(tip) == 0);
    match (position, &stake.step) {
        (Position::Absent, Step::Planned) => "planned",
        (Position::Absent, Step::Registered) => "registered",
        (Position::Absent, Step::Verified { .. }) => "verified",
        (Position::Absent, Step::Signed { .. }) => "broadcast",
        (Position::Absent, Step::Ended(_)) => "ended",
        (Position::Staked { .. }, _) if stake.unbonding.is_some() => "leaving",
        (Position::Staked { .. }, _) if is_free => "expired",
        (Position::Staked { .. }, _) if status == Some(DelegationStatus::Active) => "active",
        (Position::Staked { .. }, _) => "confirmed",
        (Position::Unbonding { .. }, _) if is_free => "unbonded",
        (Position::Unbonding { .. }, _) => "unbonding",
        (Position::Slashed { .. }, _) => "slashed",
        (Position::Withdrawn { .. }, _) => "withdrawn",
        (Position::Elsewhere { .. }, _) => "spent_elsewhere",
    }
}

fn status_word(status: DelegationStatus) -> &'static str {
    match status {
        DelegationStatus::Pending => "pending",
        DelegationStatus::Verified => "verified",
        DelegationStatus::Active => "active",
        DelegationStatus::Unbonded => "unbonded",
        DelegationStatus::Expired => "expired",
    }
}

fn kind_word(kind: WithdrawalKind) -> &'static str {
    match kind {
        WithdrawalKind::ExpiredStake => "expired_stake",
        WithdrawalKind::UnbondingOutput => "unbonding_output",
        WithdrawalKind::SlashingRefund => "slashing_refund",
    }
}

/// A number of blocks with the time they take on average.
fn blocks(count: u32) -> String {
    let minutes = u64::from(count) * u64::from(BLOCK_MINUTES);
    let time = match minutes {
        0..=119 => format!("{minutes} minutes"),
        120..=2_879 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    format!("{count} blocks (about {time})")
}
