//! Transactions the adapter would never build.

use super::{CHAIN, GAS, account, secret};
use bitcoin::secp256k1::{Message as Digest, SECP256K1, SecretKey};
use btc_staking_babylon::{
    proto::{AuthInfo, SignDoc, TxRaw},
    tx::{AccountState, GasAndFee, sign_tx},
};
use prost::Message;
use sha2::{Digest as _, Sha256};

/// Signs an encoded body with auth info that was changed, for the account of a label.
pub fn signed_by_hand(
    label: &str,
    state: AccountState,
    body: &[u8],
    change: impl FnOnce(&mut AuthInfo),
) -> Vec<u8> {
    let gas = GasAndFee { limit: GAS, fee: 50_000 };
    let usual = sign_tx(&account(label), CHAIN, state, vec![], gas).unwrap();
    let usual = TxRaw::decode(usual.bytes.as_slice()).unwrap();
    let mut auth = AuthInfo::decode(usual.auth_info_bytes.as_slice()).unwrap();
    change(&mut auth);
    let auth_info_bytes = auth.encode_to_vec();
    let document = SignDoc {
        body_bytes: body.to_vec(),
        auth_info_bytes: auth_info_bytes.clone(),
        chain_id: CHAIN.to_owned(),
        account_number: state.number,
    };
    let digest = Digest::from_digest(Sha256::digest(document.encode_to_vec()).into());
    let key = SecretKey::from_slice(&secret(label)).unwrap();
    let signature = SECP256K1.sign_ecdsa(&digest, &key).serialize_compact().to_vec();
    TxRaw { body_bytes: body.to_vec(), auth_info_bytes, signatures: vec![signature] }.encode_to_vec()
}
