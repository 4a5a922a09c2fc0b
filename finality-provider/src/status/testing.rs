//! A board for tests, with every value filled in.

use super::{Board, ChainStatus, NodeStatus, Presence, ProviderStatus, Report, Standing};
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::height::PosHeight;

pub(crate) const KEY: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";

pub(crate) fn subject() -> Subject {
    Subject { finality_provider: KEY.parse().unwrap(), chain_id: "bbn-1".parse().unwrap() }
}

/// A provider that votes, all of whose values are known.
pub(crate) fn provider() -> ProviderStatus {
    let h = |height| Some(PosHeight::new(height));
    ProviderStatus {
        voting: true,
        reason_code: None,
        reason: None,
        standing: Standing::Active,
        chain_height: h(1_234_567),
        last_voted_height: h(1_234_567),
        last_vote_at: Some(1_700_000_000),
        settled_below: h(1_234_568),
        committed_until: h(1_300_000),
        randomness_runway: Some(65_433),
        randomness_needed: Some(19_080),
        last_randomness_at: Some(1_699_990_000),
        usable_until: h(1_280_000),
        commitment_lag_epochs: Some(2),
        presence: Some(Presence { window: 10_000, missed: 12, allowed: 5_000, jailed_until: None }),
        unjailing: None,
        ..ProviderStatus::starting(&subject())
    }
}

pub(crate) fn chain() -> ChainStatus {
    let node = |name: &str, height, lag| NodeStatus {
        name: name.to_owned(),
        height: Some(PosHeight::new(height)),
        lag: Some(lag),
        trouble: None,
    };
    ChainStatus {
        chain_id: "bbn-1".to_owned(),
        height: Some(PosHeight::new(1_234_567)),
        last_polled_height: Some(PosHeight::new(1_234_567)),
        first_height: Some(PosHeight::new(1_200_000)),
        block_seconds: Some(10.0),
        account: "bbn1qyqszqgpqyqszqgpqyqszqgpqyqszqgpfgrzfn".to_owned(),
        balance: Some(12_345_678),
        denom: "ubbn".to_owned(),
        commitments_affordable: Some(1_234),
        nodes_required: 2,
        nodes: vec![
            node("127.0.0.1:26657", 1_234_567, 0),
            node("10.0.0.2:26657", 1_234_566, 1),
            node("10.0.0.3:26657", 1_234_467, 100),
        ],
    }
}

pub(crate) fn report() -> Report {
    Report { at: 1_700_000_004, providers: vec![provider()], chains: vec![chain()] }
}

/// A board that shows [`report`].
pub(crate) fn board() -> Board {
    let board = Board::default();
    board.add(&subject());
    board.update(&subject(), |status| *status = provider());
    board.update_chain(&subject(), |status| *status = chain());
    board
}
