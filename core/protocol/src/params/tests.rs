use super::*;
use crate::network::Network;

/// Version 0 of the default genesis (`chain.md` 15), with a committee that needs no secrets.
fn fields() -> ParamsFields {
    let keys = Network::Mainnet.profile().params.latest().covenant_committee.keys()[..5].to_vec();
    ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(0),
        covenant_committee: CovenantCommittee::new(3, keys).unwrap(),
        min_staking_value: Amount::from_sat(10_000),
        max_staking_value: Amount::from_sat(10_000_000_000),
        min_staking_time: Timelock::from_blocks(400).unwrap(),
        max_staking_time: Timelock::from_blocks(65_535).unwrap(),
        slashing_script: ScriptBuf::from_hex(&format!("76a914{}88ac", "01".repeat(20))).unwrap(),
        min_slashing_fee: Amount::from_sat(1000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: Timelock::from_blocks(200).unwrap(),
        unbonding_fee: Amount::from_sat(1000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 1000,
        allow_list_expiration_height: 0,
    }
}

type Change = (&'static str, fn(&mut ParamsFields), fn(&InvalidParams) -> bool);

#[test]
fn each_rule_is_broken_by_one_field_alone() {
    assert!(StakingParams::new(fields()).is_ok());
    let changes: [Change; 16] = [
        (
            "quorum of 2 of 5",
            |f| {
                let keys = f.covenant_committee.keys().to_vec();
                f.covenant_committee = CovenantCommittee::new(2, keys).unwrap();
            },
            |e| matches!(e, InvalidParams::QuorumNotMajority { quorum: 2, members: 5 }),
        ),
        (
            "quorum of 2 of 4",
            |f| {
                let keys = f.covenant_committee.keys()[..4].to_vec();
                f.covenant_committee = CovenantCommittee::new(2, keys).unwrap();
            },
            |e| matches!(e, InvalidParams::QuorumNotMajority { quorum: 2, members: 4 }),
        ),
        (
            "no smallest stake",
            |f| f.min_staking_value = Amount::ZERO,
            |e| matches!(e, InvalidParams::Zero("min_staking_value_sat")),
        ),
        (
            "no largest stake",
            |f| f.max_staking_value = Amount::ZERO,
            |e| matches!(e, InvalidParams::Zero("max_staking_value_sat")),
        ),
        (
            "no slashing fee",
            |f| f.min_slashing_fee = Amount::ZERO,
            |e| matches!(e, InvalidParams::Zero("min_slashing_tx_fee_sat")),
        ),
        (
            "no unbonding fee",
            |f| f.unbonding_fee = Amount::ZERO,
            |e| matches!(e, InvalidParams::Zero("unbonding_fee_sat")),
        ),
        (
            "largest stake beyond i64",
            |f| f.max_staking_value = Amount::from_sat(1 << 63),
            |e| matches!(e, InvalidParams::AmountTooLarge { field: "max_staking_value_sat", .. }),
        ),
        (
            "slashing fee beyond i64",
            |f| f.min_slashing_fee = Amount::from_sat(u64::MAX),
            |e| matches!(e, InvalidParams::AmountTooLarge { field: "min_slashing_tx_fee_sat", .. }),
        ),
        (
            "smallest above largest stake",
            |f| f.max_staking_value = Amount::from_sat(9_999),
            |e| matches!(e, InvalidParams::StakingValues { .. }),
        ),
        (
            "shortest above longest time",
            |f| f.max_staking_time = Timelock::from_blocks(399).unwrap(),
            |e| matches!(e, InvalidParams::StakingTimes { .. }),
        ),
        (
            "unbonding fee of the smallest stake",
            |f| f.unbonding_fee = Amount::from_sat(10_000),
            |e| matches!(e, InvalidParams::UnbondingFee { .. }),
        ),
        (
            "commission above 1",
            |f| f.min_commission_rate = Decimal::from_scaled(Decimal::ONE.scaled() + 1),
            |e| matches!(e, InvalidParams::CommissionRate(_)),
        ),
        // 9000 sat at 0.06 are 540 sat, below the 546 of P2PKH.
        (
            "slashing output of 540 sat",
            |f| f.slashing_rate = "0.06".parse().unwrap(),
            |e| matches!(e, InvalidParams::SlashingOutputDust { amount, .. } if amount.to_sat() == 540),
        ),
        (
            "slashing output of 545 sat",
            |f| f.slashing_rate = "0.0606".parse().unwrap(),
            |e| matches!(e, InvalidParams::SlashingOutputDust { amount, .. } if amount.to_sat() == 545),
        ),
        (
            "slashing script that is no script",
            |f| f.slashing_script = ScriptBuf::from_bytes(vec![0x4c]),
            |e| matches!(e, InvalidParams::SlashingOutputDust { .. }),
        ),
        (
            "fee that leaves dust",
            |f| f.unbonding_fee = Amount::from_sat(9_999),
            |e| matches!(e, InvalidParams::SlashingOutputDust { .. }),
        ),
    ];
    for (name, change, expected) in changes {
        let mut fields = fields();
        change(&mut fields);
        let error = StakingParams::new(fields).expect_err(name);
        assert!(expected(&error), "{name}: {error}");
    }
}

#[test]
fn boundaries_that_hold_are_accepted() {
    let changes: [fn(&mut ParamsFields); 7] = [
        |f| f.max_staking_value = f.min_staking_value,
        |f| f.max_staking_time = f.min_staking_time,
        |f| f.max_staking_value = Amount::from_sat((1 << 63) - 1),
        |f| f.min_commission_rate = Decimal::ONE,
        |f| f.slashing_rate = "0.0607".parse().unwrap(), // 546 sat
        |f| {
            f.slashing_script = ScriptBuf::from_hex("6a07626162796c6f6e").unwrap();
            f.slashing_rate = "0.0001".parse().unwrap();
        },
        |f| f.unbonding_time = Timelock::from_blocks(65_535).unwrap(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut fields = fields();
        change(&mut fields);
        assert!(StakingParams::new(fields).is_ok(), "{at}");
    }
}

// History.

fn version(version: u32, height: u32) -> StakingParams {
    let fields = ParamsFields {
        version: ParamsVersion(version),
        btc_activation_height: BtcHeight::new(height),
        ..fields()
    };
    StakingParams::new(fields).unwrap()
}

#[test]
fn a_history_has_consecutive_versions_and_increasing_heights() {
    let heights = |found: u32, previous: u32| InvalidHistory::ActivationHeight {
        version: ParamsVersion(1),
        found: BtcHeight::new(found),
        previous: BtcHeight::new(previous),
    };
    let gap = |expected: u32, found: u32| InvalidHistory::Version {
        expected: ParamsVersion(expected),
        found: ParamsVersion(found),
    };
    for (versions, expected) in [
        (vec![], InvalidHistory::Empty),
        (vec![version(1, 5)], gap(0, 1)),
        (vec![version(0, 5), version(2, 6)], gap(1, 2)),
        (vec![version(0, 5), version(0, 6)], gap(1, 0)),
        (vec![version(0, 5), version(1, 5)], heights(5, 5)),
        (vec![version(0, 5), version(1, 4)], heights(4, 5)),
    ] {
        assert_eq!(ParamsHistory::new(versions), Err(expected));
    }
    let mut history = ParamsHistory::new(vec![version(0, 5)]).unwrap();
    assert_eq!(history.push(version(1, 5)), Err(heights(5, 5)));
    assert_eq!(history.latest().version, ParamsVersion(0));
    assert_eq!(history.push(version(1, 6)), Ok(()));
    assert_eq!(history.latest().version, ParamsVersion(1));
    assert_eq!(history.version(ParamsVersion(1)).map(|p| p.btc_activation_height), Some(BtcHeight::new(6)));
    assert_eq!(history.version(ParamsVersion(2)), None);
}

#[test]
fn the_version_with_the_largest_activation_height_not_above_applies() {
    let history = ParamsHistory::new(vec![version(0, 100), version(1, 110), version(2, 200)]).unwrap();
    for (height, expected) in [
        (99, None),
        (100, Some(0)),
        (109, Some(0)),
        (110, Some(1)),
        (199, Some(1)),
        (200, Some(2)),
        (u32::MAX, Some(2)),
    ] {
        let found = history.at(BtcHeight::new(height)).ok().map(|params| params.version.0);
        assert_eq!(found, expected, "{height}");
    }
    assert_eq!(
        history.at(BtcHeight::new(0)),
        Err(NoParams { height: BtcHeight::new(0), first: BtcHeight::new(100) })
    );
}

#[test]
fn a_history_round_trips_through_json_and_broken_json_is_refused() {
    let history = ParamsHistory::new(vec![version(0, 100), version(1, 110)]).unwrap();
    let json = serde_json::to_value(&history).unwrap();
    assert_eq!(ParamsHistory::from_json(&json.to_string()), Ok(history));
    assert_eq!(json[0]["slashing_rate"], "0.100000000000000000");
    assert_eq!(json[0]["min_staking_value_sat"], 10_000);
    type Edit = fn(&mut serde_json::Value);
    let edits: [(&str, Edit); 9] = [
        ("unknown field", |json| json[1]["minstaking"] = 1.into()),
        ("missing field `unbonding_fee_sat`", |json| {
            json[0].as_object_mut().unwrap().remove("unbonding_fee_sat");
        }),
        ("above max_staking_value_sat", |json| json[1]["max_staking_value_sat"] = 5.into()),
        ("timelock of 0 blocks", |json| json[0]["unbonding_time_blocks"] = 0.into()),
        ("timelock of 65536 blocks", |json| json[0]["max_staking_time_blocks"] = 65_536.into()),
        ("slashing rate 1", |json| json[0]["slashing_rate"] = "1".into()),
        ("params version 7 stands where version 1 belongs", |json| json[1]["version"] = 7.into()),
        ("activates at 100", |json| json[1]["btc_activation_height"] = 100.into()),
        ("quorum 6 is out of range", |json| json[0]["covenant_committee"]["quorum"] = 6.into()),
    ];
    for (reason, edit) in edits {
        let mut edited = json.clone();
        edit(&mut edited);
        let error = ParamsHistory::from_json(&edited.to_string()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}
