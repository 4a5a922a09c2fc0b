//! What a chain tells about itself, held against the configuration and against what this program knows of a public
//! network.
//!
//! A node that lies about `k`, about the committee or about an epoch's length makes whoever believes it sign, wait or slash
//! wrongly. So a difference is refused before anything is read for use, with both values. Governance can change some of
//! these facts lawfully; then a person says so by naming the fact in `accept_changed`.
//!
//! | fact | told by | may be accepted |
//! |---|---|---|
//! | chain id | `status` of every node | no |
//! | account prefix | the chain takes an address with it | no |
//! | denomination | params of native staking | no |
//! | light client's base header | `BaseHeader` | no |
//! | versions of the staking params | `ParamsVersions` | no: they never change |
//! | `k`, `w`, checkpoint tag, epoch interval | params of their modules | yes |
//! | finality params | params of the module | need not: a warning, since the chain's are used |

use crate::{
    convert::ACCOUNT_PREFIX,
    proto::{QueryBalanceRequest, btccheckpoint, epoching},
    reader::{BabylonReader, sdk::StakingParamsRequest},
    tx::DENOM,
};
use btc_staking_pos_chain::{
    ChainError, ErrorKind, FinalityParams, LightClientReader, ParamsReader, Result, connect::ChainEndpoint,
};
use btc_staking_protocol::{
    keys::AccountAddress,
    network::{Network, NetworkProfile, UntrustedParams},
};
use sha2::{Digest, Sha256};
use std::fmt::Display;

/// Facts governance may change.
const CHANGEABLE: [&str; 4] = [
    "btccheckpoint.btc_confirmation_depth_k",
    "btccheckpoint.checkpoint_finalization_timeout_w",
    "btccheckpoint.checkpoint_tag_hex",
    "epoching.epoch_interval",
];

/// Differences found so far.
struct Differences<'a> {
    accepted: &'a [String],
    found: Vec<String>,
}

impl Differences<'_> {
    /// Notes a fact that the chain tells differently, unless it was accepted.
    fn compare<T: PartialEq + Display>(&mut self, fact: &str, told: T, known: T) {
        if told == known {
            return;
        }
        let is_changeable = CHANGEABLE.contains(&fact);
        if is_changeable && self.accepted.iter().any(|accepted| accepted == fact) {
            tracing::warn!(fact, %told, %known, "the chain is believed over this program, as configured");
            return;
        }
        let hint = if is_changeable {
            format!(" (if governance changed it, put {fact:?} into accept_changed)")
        } else {
            String::new()
        };
        self.found.push(format!("{fact} is {told} on the chain and {known} here{hint}"));
    }
}

/// Holds what the chain tells against the configuration and, for a public network, against its profile.
///
/// # Errors
/// [`Broken`](ErrorKind::Broken) with both values of everything that differs, or why the chain could not be asked.
pub(super) async fn check_chain(reader: &BabylonReader, endpoint: &ChainEndpoint) -> Result<()> {
    check_accepted(endpoint)?;
    let Some(network) = Network::with_chain_id(&endpoint.id) else {
        return match check_names(reader, endpoint).await {
            // A chain of one's own may have no block yet; it has no profile to be held against either.
            Err(error) if error.kind == ErrorKind::NotYet => Ok(()),
            checked => checked,
        };
    };
    check_names(reader, endpoint).await?;
    check_profile(reader, &network.profile(), &endpoint.accept_changed).await
}

/// A name that is no fact would be a slip that looks like a permission.
fn check_accepted(endpoint: &ChainEndpoint) -> Result<()> {
    match endpoint.accept_changed.iter().find(|fact| !CHANGEABLE.contains(&fact.as_str())) {
        None => Ok(()),
        Some(fact) => {
            let facts = CHANGEABLE.join(", ");
            Err(refused(format!("accept_changed names {fact:?}, what may change is {facts}")))
        }
    }
}

/// Whether the chain takes addresses of the configured prefix and stakes in the configured coin.
async fn check_names(reader: &BabylonReader, endpoint: &ChainEndpoint) -> Result<()> {
    let probe = AccountAddress::from_bytes(&endpoint.account_prefix, &module_address("gov"));
    let probe = probe.map_err(|error| refused(format!("account prefix: {error}")))?;
    let denom = endpoint.fee_denom.clone();
    let request = QueryBalanceRequest { address: probe.bech32().to_owned(), denom };
    if let Err(no) = reader.fetch(&request).await? {
        let (prefix, words) = (&endpoint.account_prefix, &no.log);
        return Err(refused(format!("the chain takes no addresses with prefix {prefix:?}: {words}")));
    }
    match reader.fetch(&StakingParamsRequest {}).await {
        Ok(Ok(response)) => {
            let told = response.params.unwrap_or_default().bond_denom;
            let mut differences = Differences { accepted: &[], found: Vec::new() };
            differences.compare("denomination", told.as_str(), endpoint.fee_denom.as_str());
            conclude(endpoint, differences)
        }
        // A chain without native staking has no such module; it is none of the public ones.
        Ok(Err(_)) | Err(ChainError { kind: ErrorKind::Broken, .. })
            if Network::with_chain_id(&endpoint.id).is_none() =>
        {
            Ok(())
        }
        Ok(Err(no)) => Err(refused(format!("the chain does not tell its denomination: {no}"))),
        Err(error) => Err(error),
    }
}

async fn check_profile(reader: &BabylonReader, profile: &NetworkProfile, accepted: &[String]) -> Result<()> {
    let mut differences = Differences { accepted, found: Vec::new() };
    let checkpoint = ask(reader, &btccheckpoint::QueryParamsRequest {}).await?.params.unwrap_or_default();
    let [k, w, tag, interval] = CHANGEABLE;
    differences.compare(k, checkpoint.btc_confirmation_depth, profile.confirmation_depth.to_u32());
    differences.compare(w, checkpoint.checkpoint_finalization_timeout, profile.finalization_timeout.to_u32());
    differences.compare(tag, checkpoint.checkpoint_tag.to_lowercase(), hex::encode(profile.checkpoint_tag));
    let epoching = ask(reader, &epoching::QueryParamsRequest {}).await?.params.unwrap_or_default();
    differences.compare(interval, epoching.epoch_interval, profile.epoch_interval);
    let base = reader.fetch_light_client_base().await?;
    let known = &profile.light_client_base;
    differences.compare(
        "btc.light_client_base_header",
        format!("{} at height {}", base.hash, base.height),
        format!("{} at height {}", known.hash, known.height),
    );
    check_params_versions(reader, profile, &mut differences).await?;
    warn_of_finality(&reader.fetch_finality_params().await?, profile);
    let id = &profile.chain_id;
    let known = ChainEndpoint::new(id, Vec::new());
    conclude(&known, differences)
}

/// Known versions must be told as they are, and all of them. Newer ones are for each role to judge.
async fn check_params_versions(
    reader: &BabylonReader,
    profile: &NetworkProfile,
    differences: &mut Differences<'_>,
) -> Result<()> {
    let told = reader.fetch_staking_params().await?;
    for version in &told {
        match profile.check_told_params(version) {
            Ok(()) => {}
            Err(UntrustedParams::Changed { version, .. }) => {
                let known = profile.params.version(version);
                let told = told.iter().find(|params| params.version == version);
                let fact = format!("btcstaking.params of version {version}");
                differences.compare(&fact, format!("{told:?}"), format!("{known:?}"));
            }
            Err(unknown @ UntrustedParams::Unknown { .. }) => {
                tracing::warn!("{unknown}; what is done under them depends on the role");
            }
        }
    }
    for known in profile.params.iter() {
        if !told.iter().any(|params| params.version == known.version) {
            let fact = format!("btcstaking.params of version {}", known.version);
            differences.compare(&fact, "missing", "known");
        }
    }
    Ok(())
}

/// Governance changes these now and then, and nothing is signed by them: the chain's are used.
fn warn_of_finality(told: &FinalityParams, profile: &NetworkProfile) {
    let known = &profile.finality;
    let told_all = (
        told.max_active_finality_providers,
        told.signed_blocks_window,
        told.finality_sig_timeout,
        told.min_signed_per_window,
        told.min_pub_rand,
        told.jail_duration_s,
        told.activation_height,
    );
    let known_all = (
        known.max_active_finality_providers,
        known.signed_blocks_window,
        known.finality_sig_timeout,
        known.min_signed_per_window,
        known.min_pub_rand,
        known.jail_duration_s,
        known.activation_height,
    );
    if told_all != known_all {
        tracing::warn!(?told, ?known, "finality params differ from those last known; the chain's are used");
    }
}

/// Asks for something every chain of this family has.
async fn ask<Q: crate::proto::Query>(reader: &BabylonReader, request: &Q) -> Result<Q::Response> {
    reader.fetch(request).await?.map_err(|no| refused(format!("the chain does not tell what it must: {no}")))
}

fn conclude(endpoint: &ChainEndpoint, differences: Differences<'_>) -> Result<()> {
    if differences.found.is_empty() {
        return Ok(());
    }
    Err(refused(format!("{} is not as it must be: {}", endpoint.id, differences.found.join("; "))))
}

/// Address of a module's account.
fn module_address(name: &str) -> [u8; 20] {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let (address, _) = digest.split_first_chunk().expect("32 bytes hold 20");
    *address
}

fn refused(why: String) -> ChainError {
    ChainError::new(ErrorKind::Broken, why)
}

/// Refuses names that this adapter cannot speak.
pub(super) fn check_configured_names(endpoint: &ChainEndpoint) -> Result<()> {
    if endpoint.account_prefix != ACCOUNT_PREFIX {
        let found = &endpoint.account_prefix;
        return Err(refused(format!("account prefix is {found:?}, Babylon's is {ACCOUNT_PREFIX:?}")));
    }
    if endpoint.fee_denom != DENOM {
        let found = &endpoint.fee_denom;
        return Err(refused(format!("fee denomination is {found:?}, Babylon takes only {DENOM:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
