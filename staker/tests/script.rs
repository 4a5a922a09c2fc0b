//! `staker script` on the real program: the worked example of `bitcoin.md` section 15.1, and what it refuses.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use serde_json::{Value, json};
use std::process::{Command, Output};

const STAKER: &str = "fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e";
const PROVIDER: &str = "dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d";
const COVENANT: [&str; 5] = [
    "43311589af63c2adda04fcd7792c038a05c12a4fe40351b3eb1612ff6b2e5a0e",
    "d415b187c6e7ce9da46ac888d20df20737d6f16a41639e68ea055311e1535dd9",
    "d27cd27dbff481bc6fc4aa39dd19405eb6010237784ecba13bab130a4a62df5d",
    "a3e107fee8879f5cf901161dbf4ff61c252ba5fec6f6407fe81b9453d244c02c",
    "c45753e856ad0abb06f68947604f11476c157d13b7efd54499eaa0f6918cf716",
];
const NUMS: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
const TIMELOCK_HASH: &str = "12e9928955be3a18e995b50db1a365e921b6e70eff628576a9ba472e595fa2fd";
const UNBONDING_HASH: &str = "45c6e465051c15ec4c832e137a906de3357afb12612cd61ff2f5b41b8f110ace";
const SLASHING_HASH: &str = "60603c7e1d9322c134b12055f23095555e5d44650c3d6a5fd39955c53333a4fd";
const INNER_BRANCH: &str = "2e287dccf8ba9e9ec68ed5141fbbec3c870d59b83d4267675be63d24b7e243a2";

/// The question of the worked example, with `replaced` in place of some flags' values.
fn script(replaced: &[(&str, &[&str])], json: bool) -> Output {
    let flags: [(&str, &[&str]); 7] = [
        ("--staker-key", &[STAKER]),
        ("--finality-provider", &[PROVIDER]),
        ("--covenant", &COVENANT),
        ("--quorum", &["3"]),
        ("--timelock", &["1000"]),
        ("--unbonding-time", &["101"]),
        ("--network", &["mainnet"]),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_staker"));
    command.arg("script");
    for (flag, values) in flags {
        let values = replaced.iter().find(|(name, _)| *name == flag).map_or(values, |(_, values)| values);
        command.arg(flag).args(values);
    }
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

fn parsed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Scripts, hashes, roots and the outputs' parities as `bitcoin.md` 15.1 states them.
#[test]
fn the_worked_example_is_reproduced() {
    let report = parsed(&script(&[], true));
    let head = format!("20{STAKER}ad");
    // Script order of the committee: C0, C3, C4, C2, C1.
    let [c0, c1, c2, c3, c4] = COVENANT;
    let quorum = format!("20{c0}ac20{c3}ba20{c4}ba20{c2}ba20{c1}ba539c");
    let timelock = json!({
        "script": format!("{head}02e803b2"),
        "leaf_hash": TIMELOCK_HASH,
        "control_block": format!("c1{NUMS}{UNBONDING_HASH}{SLASHING_HASH}"),
    });
    let unbonding = json!({
        "script": format!("{head}{quorum}"),
        "leaf_hash": UNBONDING_HASH,
        "control_block": format!("c1{NUMS}{TIMELOCK_HASH}{SLASHING_HASH}"),
    });
    let slashing_script = format!("{head}20{PROVIDER}ad{quorum}");
    let slashing = json!({
        "script": slashing_script,
        "leaf_hash": SLASHING_HASH,
        "control_block": format!("c1{NUMS}{INNER_BRANCH}"),
    });
    let leaves = json!({"timelock": timelock, "unbonding": unbonding, "slashing": slashing});
    assert_eq!(report["staking"]["leaves"], leaves);
    let staking = "5120ee53e90035a862d49e9e89604461482cb794557c8e49e169179357a7d2fb4a60";
    assert_eq!(report["staking"]["script_pubkey"], staking);
    let address = "bc1paef7jqp44p3df85739sygc2g9jmeg4tu3ey7z6ghjdt605hmffsqclncpw";
    assert_eq!(report["staking"]["address"], address);

    let output = &report["unbonding"];
    assert_eq!(
        output["script_pubkey"],
        "5120461beb272a5952e5e4ebd25650662c39cb964cacd68cc31e9988f7e0f57a4235"
    );
    assert_eq!(output["leaves"]["timelock"]["script"], format!("{head}0165b2"));
    assert_eq!(output["leaves"]["timelock"]["control_block"], format!("c1{NUMS}{SLASHING_HASH}"));
    assert_eq!(output["leaves"]["slashing"]["script"], slashing_script);
    assert_eq!(output["leaves"]["slashing"]["leaf_hash"], SLASHING_HASH);

    let refund = &report["refund"];
    let script = "51204c27ffb82b5b32d06e1ffe013ebd45e13c3184c419d50ca47fc6429b8467272c";
    assert_eq!(refund["script_pubkey"], script);
    let leaf = "781020b91adb74f1ba3d6b24dfffd22d62bbb747877df9503d292f8cc0cae7be";
    assert_eq!(refund["leaves"]["timelock"]["leaf_hash"], leaf);
    assert_eq!(refund["leaves"]["timelock"]["control_block"].as_str().unwrap().len(), 2 * 33);
}

#[test]
fn the_json_has_the_documented_keys_and_nothing_else() {
    let report = parsed(&script(&[], true));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&report), "refund staking unbonding");
    for (output, leaves) in [
        ("staking", "slashing timelock unbonding"),
        ("unbonding", "slashing timelock"),
        ("refund", "timelock"),
    ] {
        assert_eq!(keys(&report[output]), "address descriptor leaves script_pubkey");
        assert_eq!(keys(&report[output]["leaves"]), leaves);
        for leaf in report[output]["leaves"].as_object().unwrap().values() {
            assert_eq!(keys(leaf), "control_block leaf_hash script");
        }
        assert!(report[output]["descriptor"].as_str().unwrap().starts_with(&format!("tr({NUMS},")));
    }
}

#[test]
fn the_order_of_keys_and_of_flags_does_not_matter() {
    let expected = parsed(&script(&[], true));
    let mut reversed = COVENANT;
    reversed.reverse();
    assert_eq!(parsed(&script(&[("--covenant", &reversed)], true)), expected);
    let [c0, c1, c2, c3, c4] = COVENANT;
    let repeated = [c4, "--covenant", c0, c1, "--covenant", c2, c3];
    assert_eq!(parsed(&script(&[("--covenant", &repeated)], true)), expected);
}

#[test]
fn addresses_are_those_of_the_network() {
    for (network, start) in [
        ("mainnet", "bc1p"),
        ("bitcoin", "bc1p"),
        ("testnet", "tb1p"),
        ("testnet4", "tb1p"),
        ("signet", "tb1p"),
        ("regtest", "bcrt1p"),
    ] {
        let report = parsed(&script(&[("--network", &[network])], true));
        assert!(report["refund"]["address"].as_str().unwrap().starts_with(start), "{network}");
    }
}

#[test]
fn people_get_the_same_as_a_table() {
    let output = script(&[], false);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["staking output", "unbonding output", "slashing refund output", TIMELOCK_HASH, "tr("] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn wrong_questions_end_with_2_and_say_what_is_wrong() {
    let zeros = "00".repeat(32);
    let too_many = vec![PROVIDER; 11];
    for (flag, values, part) in [
        ("--staker-key", vec![&STAKER[2..]], "31 bytes"),
        ("--staker-key", vec!["xyz"], "not hexadecimal"),
        ("--staker-key", vec![zeros.as_str()], "not the x-coordinate"),
        ("--staker-key", vec![PROVIDER], "is both staker and finality provider"),
        ("--staker-key", vec![COVENANT[1]], "is both staker and covenant member"),
        ("--finality-provider", vec![COVENANT[0]], "is both finality provider and covenant member"),
        ("--finality-provider", vec![PROVIDER, PROVIDER], "is both finality provider and finality provider"),
        ("--finality-provider", too_many, "at most 10"),
        ("--covenant", vec![COVENANT[0], COVENANT[1], COVENANT[0]], "listed twice"),
        ("--quorum", vec!["0"], "out of range"),
        ("--quorum", vec!["6"], "out of range"),
        ("--quorum", vec!["three"], "invalid value"),
        ("--timelock", vec!["0"], "must be 1 to 65535"),
        ("--timelock", vec!["65536"], "must be 1 to 65535"),
        ("--unbonding-time", vec!["soon"], "number of blocks"),
        ("--network", vec!["litecoin"], "mainnet, testnet"),
    ] {
        let output = script(&[(flag, &values)], false);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {values:?}: {text}");
        assert!(text.contains(part), "{flag} {values:?}: {text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_failure_is_one_object_where_json_is_asked_for() {
    let output = script(&[("--quorum", &["6"])], true);
    let failure: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&failure["error"]["kind"], &failure["error"]["exit_code"]), (&json!("usage"), &json!(2)));
}
