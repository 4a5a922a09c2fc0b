use super::*;
use serde_json::{Value, json};

const KEY: &str = "03fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e";
const OTHER_KEY: &str = "02dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d";

fn version(version: u64, height: u64) -> Value {
    json!({
        "version": version, "activation_height": height, "staking_cap": 100_000_000_000u64, "tag": "62626e31",
        "covenant_pks": [KEY, OTHER_KEY], "covenant_quorum": 2, "unbonding_time": 1008, "unbonding_fee": 64_000,
        "max_staking_amount": 5_000_000, "min_staking_amount": 500_000, "max_staking_time": 64_000,
        "min_staking_time": 64_000, "confirmation_depth": 10
    })
}
fn file(versions: &[Value]) -> String {
    json!({ "versions": versions }).to_string()
}
fn three() -> [Value; 3] {
    [version(0, 857_910), version(1, 864_790), version(2, 874_088)]
}

#[test]
fn the_last_version_not_above_a_height_applies() {
    let history = Phase1History::from_json(&file(&three())).unwrap();
    for (height, expected) in
        [(857_909, None), (857_910, Some(0)), (864_789, Some(0)), (864_790, Some(1)), (900_000, Some(2))]
    {
        let found = history.at(BtcHeight::new(height)).map(|params| params.version.0);
        assert_eq!(found, expected, "{height}");
    }
    let first = &history.versions()[0];
    assert_eq!(first.tag, *b"bbn1");
    assert_eq!(first.limit, StakingLimit::Cap(Amount::from_sat(100_000_000_000)));
    assert!(first.covenant_committee.contains(&KEY[2..].parse().unwrap()));
}

type Edit = fn(&mut [Value; 3]);
type Expected = fn(&InvalidPhase1Version) -> bool;

#[test]
fn each_rule_is_broken_by_one_field_alone() {
    use InvalidPhase1Version as E;
    let edits: [(&str, Edit, Expected); 29] = [
        ("gap", |v| v[1]["version"] = 2.into(), |e| matches!(e, E::NotConsecutive { expected: 1, found: 2 })),
        ("repeated", |v| v[1]["version"] = 0.into(), |e| matches!(e, E::NotConsecutive { .. })),
        (
            "same height",
            |v| v[1]["activation_height"] = 857_910.into(),
            |e| matches!(e, E::ActivationHeight { found: 857_910, previous: 857_910 }),
        ),
        ("height 0", |v| v[0]["activation_height"] = 0.into(), |e| matches!(e, E::ActivationHeight { .. })),
        (
            "height beyond u32",
            |v| v[2]["activation_height"] = (1u64 << 32).into(),
            |e| matches!(e, E::OutOfRange { field: "activation_height", .. }),
        ),
        ("no limit", |v| v[1]["staking_cap"] = 0.into(), |e| matches!(e, E::Limit { .. })),
        ("both limits", |v| v[1]["cap_height"] = 5.into(), |e| matches!(e, E::Limit { .. })),
        (
            "cap drops",
            |v| v[1]["staking_cap"] = 99_999_999_999u64.into(),
            |e| matches!(e, E::CapDropped { .. }),
        ),
        (
            "cap drops past a version with a height",
            |v| {
                v[1]["staking_cap"] = 0.into();
                v[1]["cap_height"] = 5.into();
                v[2]["staking_cap"] = 99_999_999_999u64.into();
            },
            |e| matches!(e, E::CapDropped { .. }),
        ),
        (
            "cap below a stake",
            |v| v[0]["staking_cap"] = 4_999_999.into(),
            |e| matches!(e, E::CapBelowStake { .. }),
        ),
        (
            "cap beyond i64",
            |v| v[0]["staking_cap"] = (1u64 << 63).into(),
            |e| matches!(e, E::OutOfRange { field: "staking_cap", .. }),
        ),
        ("short tag", |v| v[0]["tag"] = "62626e".into(), |e| matches!(e, E::Tag(_))),
        ("tag in ASCII", |v| v[0]["tag"] = "bbn1".into(), |e| matches!(e, E::Tag(_))),
        (
            "no committee",
            |v| v[0]["covenant_pks"] = json!([]),
            |e| matches!(e, E::Committee(InvalidCommittee::Empty)),
        ),
        ("x-only key", |v| v[0]["covenant_pks"][0] = KEY[2..].into(), |e| matches!(e, E::CovenantKey(_))),
        (
            "key off the curve",
            |v| v[0]["covenant_pks"][0] = format!("02{}", "ff".repeat(32)).into(),
            |e| matches!(e, E::CovenantKey(_)),
        ),
        (
            "quorum 0",
            |v| v[0]["covenant_quorum"] = 0.into(),
            |e| matches!(e, E::OutOfRange { field: "covenant_quorum", .. }),
        ),
        (
            "quorum 3 of 2",
            |v| v[0]["covenant_quorum"] = 3.into(),
            |e| matches!(e, E::Committee(InvalidCommittee::Quorum { .. })),
        ),
        (
            "no unbonding fee",
            |v| v[0]["unbonding_fee"] = 0.into(),
            |e| matches!(e, E::OutOfRange { field: "unbonding_fee", .. }),
        ),
        (
            "amount beyond i64",
            |v| v[0]["max_staking_amount"] = (1u64 << 63).into(),
            |e| matches!(e, E::OutOfRange { field: "max_staking_amount", .. }),
        ),
        (
            "no smallest stake",
            |v| v[0]["min_staking_amount"] = 0.into(),
            |e| matches!(e, E::OutOfRange { field: "min_staking_amount", .. }),
        ),
        (
            "largest below smallest",
            |v| v[0]["max_staking_amount"] = 499_999.into(),
            |e| matches!(e, E::Range { field: "max_staking_amount", .. }),
        ),
        (
            "fee eats the stake",
            |v| v[0]["min_staking_amount"] = 64_999.into(),
            |e| matches!(e, E::UnbondingFee { min: 64_999, fee: 64_000 }),
        ),
        (
            "no unbonding time",
            |v| v[0]["unbonding_time"] = 0.into(),
            |e| matches!(e, E::OutOfRange { field: "unbonding_time", .. }),
        ),
        (
            "time beyond u16",
            |v| v[0]["max_staking_time"] = 65_536.into(),
            |e| matches!(e, E::OutOfRange { field: "max_staking_time", .. }),
        ),
        (
            "longest below shortest",
            |v| v[0]["max_staking_time"] = 63_999.into(),
            |e| matches!(e, E::Range { field: "max_staking_time", .. }),
        ),
        (
            "depth 1",
            |v| v[0]["confirmation_depth"] = 1.into(),
            |e| matches!(e, E::OutOfRange { field: "confirmation_depth", .. }),
        ),
        (
            "depth beyond u16",
            |v| v[0]["confirmation_depth"] = 65_536.into(),
            |e| matches!(e, E::OutOfRange { field: "confirmation_depth", .. }),
        ),
        (
            "cap height beyond u32",
            |v| {
                v[0]["staking_cap"] = 0.into();
                v[0]["cap_height"] = u64::MAX.into();
            },
            |e| matches!(e, E::OutOfRange { field: "cap_height", .. }),
        ),
    ];
    for (name, edit, expected) in edits {
        let mut versions = three();
        edit(&mut versions);
        match Phase1History::from_json(&file(&versions)) {
            Err(InvalidPhase1::Version { reason, .. }) => assert!(expected(&reason), "{name}: {reason}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn boundaries_that_hold_are_accepted() {
    let edits: [Edit; 6] = [
        |v| v[0]["min_staking_amount"] = 65_000.into(),
        |v| v[0]["staking_cap"] = 5_000_000.into(),
        |v| v[0]["confirmation_depth"] = 2.into(),
        |v| v[0]["max_staking_time"] = 65_535.into(),
        |v| {
            v[1]["staking_cap"] = 0.into();
            v[1]["cap_height"] = 864_799.into();
        },
        |v| v[0]["from_a_later_release"] = "ignored".into(),
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let mut versions = three();
        edit(&mut versions);
        assert!(Phase1History::from_json(&file(&versions)).is_ok(), "{at}");
    }
}

#[test]
fn files_of_another_form_are_refused() {
    assert_eq!(Phase1History::from_json(&file(&[])), Err(InvalidPhase1::Empty));
    for text in ["", "[]", "{}", "{\"versions\":[{}]}", "{\"versions\":[{\"version\":-1}]}"] {
        assert!(matches!(Phase1History::from_json(text), Err(InvalidPhase1::Json(_))), "{text}");
    }
    let mut versions = three();
    versions[1]["activation_height"] = 1.into();
    let error = Phase1History::from_json(&file(&versions)).unwrap_err();
    assert_eq!(error.to_string(), "phase-1 parameters at position 1 are invalid");
}
