//! The count of a provider's presence.

use super::*;
use crate::proto::{
    Timestamp,
    finality::{QuerySigningInfoRequest, QuerySigningInfoResponse, SigningInfoResponse},
};
use btc_staking_pos_chain::watch::{LivenessReader, SigningInfo};

fn info(missed: i64, jailed_until: i64) -> AbciAnswer {
    let signing_info = Some(SigningInfoResponse {
        fp_btc_pk_hex: provider().to_string(),
        start_height: 7,
        missed_blocks_counter: missed,
        jailed_until: Some(Timestamp { seconds: jailed_until, nanos: 0 }),
    });
    answered(&QuerySigningInfoResponse { signing_info })
}

#[tokio::test]
async fn presence_is_counted_for_whom_it_was_asked_and_nobody_who_was_never_active() {
    let (rpc, reader) = reader();
    let told = |missed_blocks, jailed_until| {
        Ok(Some(SigningInfo { start_height: PosHeight::new(7), missed_blocks, jailed_until }))
    };
    // Never jailed is told as the first moment of 1970 or of year 1.
    let table = [
        (info(4, 0), told(4, None)),
        (info(4, -62_135_596_800), told(4, None)),
        (info(0, 1_700_000_000), told(0, Some(1_700_000_000))),
        (
            refused("sdk", 22, "rpc error: code = NotFound desc = SigningInfo not found: key not found"),
            Ok(None),
        ),
    ];
    for (answer, expected) in table {
        rpc.answer::<QuerySigningInfoRequest>(answer);
        assert_eq!(reader.fetch_signing_info(&provider()).await, expected);
    }
    let other = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9".parse().unwrap();
    rpc.answer::<QuerySigningInfoRequest>(info(4, 0));
    assert_eq!(reader.fetch_signing_info(&other).await.unwrap_err().kind, ErrorKind::Broken);
    rpc.answer::<QuerySigningInfoRequest>(info(-1, 0));
    assert_eq!(reader.fetch_signing_info(&provider()).await.unwrap_err().kind, ErrorKind::Broken);
}
