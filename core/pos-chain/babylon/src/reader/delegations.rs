//! Delegations and finality providers.

use super::{
    BabylonReader,
    query::{NoPage, broken, malformed},
};
use crate::{
    convert::{
        Result as Converted,
        bytes::required,
        delegation::{decode_delegation, decode_delegation_with, encode_status},
        known::KnownKeys,
        provider::decode_finality_provider,
    },
    proto::{
        Query,
        btcstaking::{
            BTCDelegationResponse, BTCDelegationStatus, QueryBTCDelegationRequest,
            QueryBTCDelegationsRequest, QueryFinalityProviderDelegationsRequest,
            QueryFinalityProviderRequest, QueryFinalityProvidersRequest,
        },
        finality::QueryFinalityProviderPowerAtHeightRequest,
    },
};
use async_trait::async_trait;
use bitcoin::Txid;
use btc_staking_pos_chain::{
    ChainError, DelegationReader, ErrorKind, FinalityProvider, FinalityProviderReader, Listing, Result,
    VotingPower,
};
use btc_staking_protocol::{
    delegation::{Delegation, DelegationStatus},
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};

#[async_trait]
impl DelegationReader for BabylonReader {
    async fn fetch_delegation(&self, staking_txid: &Txid) -> Result<Option<Delegation>> {
        let request = QueryBTCDelegationRequest { staking_tx_hash_hex: staking_txid.to_string() };
        let response = match self.ask(&request).await? {
            Ok(response) => response,
            Err(refused) if refused.is("btcstaking", 1102) => return Ok(None),
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let delegation = required("btc_delegation", response.btc_delegation.as_ref())
            .and_then(decode_delegation)
            .map_err(malformed::<QueryBTCDelegationRequest>)?;
        let found = delegation.terms.staking_tx.compute_txid();
        if found != *staking_txid {
            let why = format!("asked for stake {staking_txid}, got {found}");
            return Err(broken(QueryBTCDelegationRequest::PATH, why));
        }
        Ok(Some(delegation))
    }

    async fn fetch_delegations(&self, status: Option<DelegationStatus>) -> Result<Listing<Delegation>> {
        let filter = status.map_or(BTCDelegationStatus::Any, encode_status);
        let mut list = Collector::default();
        let request = QueryBTCDelegationsRequest { status: filter.into(), pagination: None };
        let followed = self
            .follow(request, |entries| {
                entries.iter().for_each(|entry| list.push_delegation(entry));
                entries.len()
            })
            .await?;
        followed.tell(&mut list.0.malformed);
        Ok(list.0)
    }

    async fn fetch_delegations_to(
        &self,
        finality_provider: &FinalityProviderPublicKey,
    ) -> Result<Listing<Delegation>> {
        let mut list = Collector::default();
        let request = QueryFinalityProviderDelegationsRequest {
            fp_btc_pk_hex: finality_provider.to_string(),
            pagination: None,
        };
        let followed = self
            .follow(request, |holders| {
                let entries = holders.iter().flat_map(|holder| &holder.dels);
                let count = entries.clone().count();
                entries.for_each(|entry| list.push_delegation(entry));
                count
            })
            .await;
        let followed = match followed {
            // A holder is one member here, and may have more stakes than an answer can hold. They must not hide by their
            // number: the list of all is paged by stake.
            Err(NoPage::TooLarge(_)) => return self.filter_delegations(finality_provider).await,
            followed => followed?,
        };
        followed.tell(&mut list.0.malformed);
        Ok(list.0)
    }
}

impl BabylonReader {
    async fn filter_delegations(
        &self,
        finality_provider: &FinalityProviderPublicKey,
    ) -> Result<Listing<Delegation>> {
        let mut all = self.fetch_delegations(None).await?;
        all.items.retain(|delegation| delegation.terms.finality_providers.contains(finality_provider));
        Ok(all)
    }
}

/// Gathers members of a list, good and bad, and remembers keys that come again.
struct Collector<T>(Listing<T>, KnownKeys);

impl<T> Default for Collector<T> {
    fn default() -> Self {
        Self(Listing { items: Vec::new(), malformed: Vec::new() }, KnownKeys::default())
    }
}

impl<T> Collector<T> {
    fn push(&mut self, decoded: Converted<T>, name: impl FnOnce() -> String) {
        match decoded {
            Ok(item) => self.0.items.push(item),
            Err(error) => self.0.malformed.push(format!("{}: {error}", name())),
        }
    }
}

impl Collector<Delegation> {
    fn push_delegation(&mut self, entry: &BTCDelegationResponse) {
        let decoded = decode_delegation_with(&self.1, entry);
        self.push(decoded, || name_of(entry));
    }
}

/// Names a delegation that did not convert: its transaction id if at least that can be told.
fn name_of(entry: &BTCDelegationResponse) -> String {
    match crate::convert::bytes::decode_told_tx_text("staking_tx_hex", &entry.staking_tx_hex) {
        Ok(tx) => format!("stake {}", tx.compute_txid()),
        Err(_) => format!("stake of {}", entry.staker_addr),
    }
}

#[async_trait]
impl FinalityProviderReader for BabylonReader {
    async fn fetch_finality_provider(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Option<FinalityProvider>> {
        let response =
            match self.ask(&QueryFinalityProviderRequest { fp_btc_pk_hex: key.to_string() }).await? {
                Ok(response) => response,
                Err(refused) if refused.is("btcstaking", 1100) => return Ok(None),
                Err(refused) => return Err(refused.into_chain_error()),
            };
        let provider = required("finality_provider", response.finality_provider.as_ref())
            .and_then(decode_finality_provider)
            .map_err(malformed::<QueryFinalityProviderRequest>)?;
        if provider.key != *key {
            let why = format!("asked for finality provider {key}, got {}", provider.key);
            return Err(broken(QueryFinalityProviderRequest::PATH, why));
        }
        Ok(Some(provider))
    }

    async fn fetch_finality_providers(&self) -> Result<Listing<FinalityProvider>> {
        let mut list = Collector::default();
        let followed = self
            .follow(QueryFinalityProvidersRequest { pagination: None }, |entries| {
                for entry in &entries {
                    list.push(decode_finality_provider(entry), || {
                        format!("finality provider {}", hex::encode(&entry.btc_pk))
                    });
                }
                entries.len()
            })
            .await?;
        followed.tell(&mut list.0.malformed);
        Ok(list.0)
    }

    async fn fetch_voting_power(
        &self,
        key: &FinalityProviderPublicKey,
        height: PosHeight,
    ) -> Result<VotingPower> {
        let request = QueryFinalityProviderPowerAtHeightRequest {
            fp_btc_pk_hex: key.to_string(),
            height: height.to_u64(),
        };
        match self.ask(&request).await? {
            Ok(response) if response.voting_power == 0 => Ok(VotingPower::None),
            Ok(response) => Ok(VotingPower::Has(response.voting_power)),
            // Nobody the chain does not know has power.
            Err(refused) if refused.is("btcstaking", 1100) => Ok(VotingPower::None),
            // Only state from that height on can tell that there is no table for it.
            Err(refused) if refused.is("finality", 1113) && refused.height < height.to_u64() => {
                let at = refused.height;
                let why = format!("{}: state of height {at} has no table for {height} yet", refused.path);
                Err(ChainError::new(ErrorKind::NotYet, why))
            }
            Err(refused) if refused.is("finality", 1113) => Ok(VotingPower::NoTable),
            Err(refused) => Err(refused.into_chain_error()),
        }
    }

    async fn fetch_voting_powers(
        &self,
        keys: &[FinalityProviderPublicKey],
        height: PosHeight,
    ) -> Result<Vec<VotingPower>> {
        self.read_powers(keys, height).await
    }
}
