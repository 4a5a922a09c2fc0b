//! Fuzz targets for everything that is parsed from outside.
//!
//! A target is a pure function of bytes that panics when a parser panics or breaks a law, mostly that what was decoded
//! encodes to something that decodes to the same. It returns whether the input was understood. [`TARGETS`] names them all with valid examples to start from. Two
//! drivers run them: the mutations of [`mutate`] with every push (`tests/mutations.rs`), and coverage-guided fuzzing
//! (`fuzz/`, see `README.md`).

pub mod bitcoin;
pub mod chain;
pub mod config;
pub mod legacy;
pub mod mutate;
pub mod proofs;
pub mod wire;

/// A target and where to start from.
pub struct Target {
    /// Its name, also that of its coverage-guided driver.
    pub name: &'static str,
    /// Panics when a law is broken; returns whether the input was understood to the end.
    pub run: fn(&[u8]) -> bool,
    /// Valid examples, all of which are understood.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $module::$name,
            seeds: || $module::seeds(stringify!($name)),
        }),*];
    };
}

targets! {
    bitcoin::transaction, bitcoin::identify, bitcoin::header, bitcoin::inclusion_proof, bitcoin::cursor,
    bitcoin::confirmation,
    wire::message, wire::delegation, wire::staking_params, wire::provider, wire::evidence, wire::stored_commitment,
    wire::light_client_header, wire::event,
    chain::wire_type, chain::typed_event, chain::finality_params, chain::checkpoint_params, chain::chain_error,
    chain::wire_text, chain::header_info, chain::stored_evidence,
    proofs::possession, proofs::adaptor_signature, proofs::randomness_proof, proofs::two_votes,
    config::params_json, config::phase1_json, config::network_json, config::key_file, config::staker_config,
    config::slasher_config, config::covenant_config, config::finality_provider_config, config::account_address,
    config::decimal,
    legacy::bolt_file, legacy::eots_db, legacy::provider_db, legacy::jwe_file, legacy::keyring_item,
    legacy::armor_text, legacy::interchange_json,
}

/// Cuts an input into two at a length its first byte tells.
fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(*length))
}
