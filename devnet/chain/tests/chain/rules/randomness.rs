//! Section 10.1: randomness commitments.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, address, provider::Provider};
use btc_staking_babylon::{convert::finality::encode_commitment, proto::finality::MsgCommitPubRandList};
use btc_staking_protocol::{finality::randomness::CommittedRandomness, height::PosHeight};

/// A commitment of provider 2, signed.
fn signed(f: &Fixture, start: u64, count: u64) -> MsgCommitPubRandList {
    let content = CommittedRandomness { start_height: PosHeight::new(start), count, root: [5; 32] };
    encode_commitment(&content.sign(f.two.key.signing_key(), &[0; 32]), &address("provider-2"))
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    let good = signed(f, 10_000, 10);
    let message = match case {
        "rand_signer" => MsgCommitPubRandList { signer: "bbn1nobody".into(), ..good },
        "rand_short_root" => MsgCommitPubRandList { commitment: vec![1; 31], ..good },
        "rand_none" => signed(f, 10_000, 0),
        "rand_overflow" => signed(f, u64::MAX, 10),
        "rand_too_far" => signed(f, w.node.height() + 200_000, 10),
        "rand_before_activation" => signed(f, 1, 10),
        "rand_too_few" => signed(f, 10_000, 9),
        "rand_no_key" => MsgCommitPubRandList { fp_btc_pk: vec![], ..good },
        "rand_unknown_provider" => {
            let fp_btc_pk = Provider::new("other", 2, 10).public().to_bytes().to_vec();
            MsgCommitPubRandList { fp_btc_pk, ..good }
        }
        "rand_signature" => MsgCommitPubRandList { num_pub_rand: 11, ..good },
        "rand_overlap" => signed(f, 3001, 10),
        _ => return None,
    };
    Some(refuse(w, "provider-2", &message).await)
}
