//! Selective slashing: somebody shows a finality provider's secret key (`chain.md` 7).

use super::{events, provider};
use crate::{
    app::context::{Ctx, parse_account},
    error::{Failure, btcstaking as err, plain},
};
use bitcoin::secp256k1::constants::CURVE_ORDER;
use btc_staking_babylon::proto::btcstaking::MsgSelectiveSlashingEvidence;
use btc_staking_crypto::key::SigningKey;
use btc_staking_protocol::keys::FinalityProviderPublicKey;

/// Stateless form.
pub(crate) fn check_selective_slashing(msg: &MsgSelectiveSlashingEvidence) -> Result<(), Failure> {
    parse_account(&msg.signer)?;
    secret_of(msg).map(|_| ())
}

fn secret_of(msg: &MsgSelectiveSlashingEvidence) -> Result<[u8; 32], Failure> {
    let found = msg.recovered_fp_btc_sk.len();
    let secret = msg.recovered_fp_btc_sk.as_slice().try_into();
    secret.map_err(|_| plain(format!("malformed BTC SK. Expected length: 32, got {found}")))
}

/// Takes any 32 bytes as a number modulo the order of the curve, as the reference does.
fn reduced(mut secret: [u8; 32]) -> [u8; 32] {
    if secret < CURVE_ORDER {
        return secret;
    }
    let mut borrow = 0u16;
    for (digit, order) in secret.iter_mut().zip(CURVE_ORDER).rev() {
        let difference = 0x100 + u16::from(*digit) - u16::from(order) - borrow;
        borrow = u16::from(difference < 0x100);
        *digit = difference.to_be_bytes()[1];
    }
    secret
}

/// Slashes the finality provider whose key is shown.
pub(crate) fn selective_slashing(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgSelectiveSlashingEvidence,
) -> Result<(), Failure> {
    let secret = reduced(secret_of(msg)?);
    // Zero is nobody's key.
    let signing = SigningKey::from_slice(&secret).map_err(|_| err::FP_NOT_FOUND.bare())?;
    let key = FinalityProviderPublicKey::new(*signing.public_key());
    provider::slash(ctx, &key)?;
    ctx.emit(events::selective_slashing(&key, &secret));
    ctx.mark_refundable();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_numbers_modulo_the_order_of_the_curve() {
        let mut above = CURVE_ORDER;
        above[31] += 5;
        let mut five = [0; 32];
        five[31] = 5;
        let largest = reduced([0xff; 32]);
        assert_eq!(reduced(above), five);
        assert_eq!(reduced(CURVE_ORDER), [0; 32]);
        assert_eq!(reduced(five), five);
        // 2^256 - 1 - order
        assert_eq!(hex::encode(largest), "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe");
    }
}
