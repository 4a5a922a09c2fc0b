use super::*;
use btc_staking_daemon::config::{Loader, lenient_tables};

fn sample() -> Config {
    toml::from_str(SAMPLE).unwrap()
}

/// The sample with a list of two chains, the second one with everything a chain may have.
fn two_chains() -> String {
    SAMPLE.replace("\n[chain]\n", "\n[[chain]]\n").replace(
        "[randomness]",
        r#"[[chain]]
id = "bbn-test-6"
rpc = "http://127.0.0.1:1,http://127.0.0.1:2"
account_key_file = "other.key"
keys = ["84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0"]
[chain.randomness]
count = 700
[chain.voting]
batch = 7

[randomness]"#,
    )
}

#[test]
fn the_sample_loads_and_no_section_takes_unknown_keys() {
    assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
    let config = sample();
    assert_eq!((config.randomness, config.voting), (Randomness::default(), Voting::default()));
    assert!(config.plans().is_ok());
    let own_tables =
        SAMPLE.replace("[randomness]", "[chain.randomness]").replace("[voting]", "[chain.voting]");
    assert_eq!(lenient_tables::<Config>(&own_tables).unwrap(), Vec::<String>::new());
}

#[test]
fn every_chain_of_a_list_has_its_own_choices_and_else_those_for_all() {
    let config: Config = toml::from_str(&two_chains()).unwrap();
    let [first, second] = config.plans().unwrap().try_into().unwrap();
    assert_eq!((first.id.as_str(), first.keys.clone()), ("bbn-1", None));
    assert_eq!(first.account_key_file, config.account_key_file);
    assert_eq!((first.settings.plan.count, first.settings.batch), (50_000, 100));
    assert_eq!((second.id.as_str(), second.account_key_file.to_str()), ("bbn-test-6", Some("other.key")));
    assert_eq!((second.endpoint.rpc.len(), second.keys.map(|keys| keys.len())), (2, Some(1)));
    assert_eq!((second.settings.plan.count, second.settings.batch), (700, 7));
    assert_eq!(toml::from_str::<Config>(&toml::to_string(&config).unwrap()).unwrap(), config);
}

#[test]
fn a_command_about_one_chain_is_told_which() {
    let mut config: Config = toml::from_str(&two_chains()).unwrap();
    let unchosen = config.only_chain().unwrap_err().to_string();
    assert!(unchosen.contains("--chain") && unchosen.contains("bbn-test-6"), "{unchosen}");
    let unknown = config.clone().choose_chain("bbn-2").unwrap_err().to_string();
    assert!(unknown.contains("bbn-2") && unknown.contains("bbn-1, bbn-test-6"), "{unknown}");
    config.choose_chain("bbn-test-6").unwrap();
    assert_eq!(config.only_chain().unwrap().id.as_str(), "bbn-test-6");
    assert_eq!(sample().only_chain().unwrap().id.as_str(), "bbn-1");
}

#[test]
fn an_unknown_key_of_a_chain_is_named_with_its_place_and_numbers_may_come_as_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let load = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&path, text).unwrap();
        Loader::new("FP").file(&path).environment(variables.iter().copied()).load::<Config>()
    };
    let typo = load(&SAMPLE.replace("gas_price", "gas_prize"), &[]).unwrap_err().to_string();
    assert!(typo.contains("chain.gas_prize") && typo.contains("line"), "{typo}");
    let in_list = load(&two_chains().replace("batch = 7", "bunch = 7"), &[]).unwrap_err().to_string();
    assert!(in_list.contains("chain[1].voting.bunch"), "{in_list}");
    let variables = [("FP_CHAIN__AGREEMENT", "2"), ("FP_CHAIN__VOTING__BATCH", "9")];
    let config = load(SAMPLE, &variables).unwrap();
    let chain = &config.chain.0[0];
    assert_eq!((chain.endpoint.agreement, chain.voting.map(|voting| voting.batch)), (2, Some(9)));
}

fn socket() -> SignerAddress {
    SignerAddress { socket: Some("eots.sock".into()), ..SignerAddress::default() }
}

/// An address of another host, in the clear.
fn abroad() -> SignerAddress {
    let address = Some("192.0.2.1:12582".to_owned());
    SignerAddress { address, secret: Some("env:SECRET".to_owned()), ..SignerAddress::default() }
}

#[test]
fn the_keys_are_in_files_or_with_a_signer() {
    let mut config = sample();
    config.eots_key_files.clear();
    config.signer = Some(socket());
    config.plans().unwrap();
    let text = "eots_key_files = [\"finality-provider-eots.key\"]";
    let remote =
        SAMPLE.replace(text, "").replace("\n[chain]\n", "\n[signer]\nsocket = \"eots.sock\"\n[chain]\n");
    assert_eq!(toml::from_str::<Config>(&remote).unwrap(), config);
    assert_eq!(lenient_tables::<Config>(&remote).unwrap(), Vec::<String>::new());
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    type Change = fn(&mut Config);
    let key: fn() -> FinalityProviderPublicKey =
        || "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".parse().unwrap();
    let table: [(Change, &str); 14] = [
        (|c| c.chain.0[0].endpoint.id.clear(), "chain.id"),
        (|c| c.chain.0.clear(), "chain"),
        (|c| c.chain.0.push(c.chain.0[0].clone()), "bbn-1 is configured twice"),
        (|c| c.chain.0[0].keys = Some(Vec::new()), "keys is empty"),
        (|c| c.eots_key_files.clear(), "eots_key_files"),
        (|c| c.signer = Some(socket()), "must be empty"),
        (|c| (c.eots_key_files.clear(), c.signer = Some(SignerAddress::default())).1, "socket or address"),
        (|c| (c.eots_key_files.clear(), c.signer = Some(abroad())).1, "no loopback address"),
        (|c| c.randomness.count = 0, "randomness.count"),
        (|c| c.randomness.count = 320_001, "randomness.count"),
        (|c| c.randomness.lead = Lead::Blocks(0), "randomness.lead"),
        (|c| c.voting.batch = 0, "voting.batch"),
        (|c| c.voting.submit_timeout_ms = 999, "voting.submit_timeout_ms"),
        (|c| c.chain.0[0].voting = Some(Voting { batch: 0, ..c.voting }), "voting.batch"),
    ];
    for (change, name) in table {
        let mut config = sample();
        change(&mut config);
        assert!(config.plans().unwrap_err().to_string().contains(name), "{name}");
    }
    let mut config = sample();
    config.chain.0[0].keys = Some(vec![key(), key()]);
    assert!(config.plans().unwrap_err().to_string().contains("twice"));
}

#[test]
fn the_lead_is_a_number_of_blocks_or_auto() {
    let lead = |value: &str| {
        let text = SAMPLE.replace("lead = \"auto\"", &format!("lead = {value}"));
        toml::from_str::<Config>(&text).map(|config| config.randomness.lead)
    };
    assert_eq!(lead("\"auto\"").unwrap(), Lead::Auto);
    assert_eq!(lead("25000").unwrap(), Lead::Blocks(25_000));
    assert_eq!(lead("\"25000\"").unwrap(), Lead::Blocks(25_000));
    for wrong in ["-1", "\"automatic\"", "1.5"] {
        assert!(lead(wrong).unwrap_err().to_string().contains("a number of blocks, or \"auto\""), "{wrong}");
    }
}
