//! The same scripts through miniscript: descriptors that a descriptor wallet can import.
//!
//! Spec: `bitcoin.md` 1.6 and 2.2. This path shares no code with [`crate::script`]; tests hold the two to the same
//! bytes. Wallets that import a descriptor watch the output and, given keys, know its spending conditions; the internal
//! key is the NUMS point, so no wallet can offer a key spend.

use crate::{
    committee::CovenantCommittee, height::Timelock, keys::StakerPublicKey, output::internal_key,
    script::StakeKeys,
};
use bitcoin::XOnlyPublicKey;
use miniscript::{
    Descriptor, Miniscript, RelLockTime, Tap, Terminal, Threshold, descriptor::TapTree, miniscript::limits,
};
use std::sync::Arc;

type Fragment = Arc<Miniscript<XOnlyPublicKey, Tap>>;

const WELL_TYPED: &str =
    "signature checks, thresholds and timelocks of checked keys are well-typed miniscript";

/// Returns the descriptor of the staking output.
pub(crate) fn staking_descriptor(keys: &StakeKeys, staking_time: Timelock) -> Descriptor<XOnlyPublicKey> {
    let early = TapTree::combine(leaf(timelock(keys.staker(), staking_time)), leaf(unbonding(keys)));
    taproot(TapTree::combine(early, leaf(slashing(keys))))
}

/// Returns the descriptor of the unbonding output.
pub(crate) fn unbonding_descriptor(keys: &StakeKeys, unbonding_time: Timelock) -> Descriptor<XOnlyPublicKey> {
    taproot(TapTree::combine(leaf(timelock(keys.staker(), unbonding_time)), leaf(slashing(keys))))
}

/// Returns the descriptor of the change output of a slashing.
pub(crate) fn refund_descriptor(staker: &StakerPublicKey, lock: Timelock) -> Descriptor<XOnlyPublicKey> {
    taproot(leaf(timelock(staker, lock)))
}

fn taproot(tree: TapTree<XOnlyPublicKey>) -> Descriptor<XOnlyPublicKey> {
    Descriptor::new_tr(internal_key(), Some(tree)).expect(WELL_TYPED)
}
fn leaf(script: Fragment) -> TapTree<XOnlyPublicKey> {
    TapTree::Leaf(script)
}

/// `and_v(v:pk(S),older(t))`
fn timelock(staker: &StakerPublicKey, lock: Timelock) -> Fragment {
    let lock = RelLockTime::try_from(lock.to_sequence()).expect("a timelock type is never zero");
    and_v(verify(pk(staker.x_only())), node(Terminal::Older(lock)))
}

/// `and_v(v:pk(S),multi_a(q,C..))`
fn unbonding(keys: &StakeKeys) -> Fragment {
    and_v(verify(pk(keys.staker().x_only())), quorum(keys.committee()))
}

/// `and_v(v:pk(S),and_v(v:multi_a(1,F..),multi_a(q,C..)))`, with `pk` in place of a threshold over one key
fn slashing(keys: &StakeKeys) -> Fragment {
    let providers: Vec<_> = keys.finality_providers().iter().map(|key| *key.x_only()).collect();
    let provider = verify(multi(1, providers));
    and_v(verify(pk(keys.staker().x_only())), and_v(provider, quorum(keys.committee())))
}

fn quorum(committee: &CovenantCommittee) -> Fragment {
    let members = committee.keys().iter().map(|key| *key.x_only()).collect();
    multi(committee.quorum(), members)
}

fn multi(threshold: u32, keys: Vec<XOnlyPublicKey>) -> Fragment {
    if let [key] = keys.as_slice() {
        return pk(key);
    }
    let k = usize::try_from(threshold).expect("u32 fits usize on every supported target");
    let threshold: Threshold<_, { limits::MAX_PUBKEYS_IN_CHECKSIGADD }> =
        Threshold::new(k, keys).expect("a committee's quorum is at most its size, which is limited");
    node(Terminal::MultiA(threshold))
}

fn pk(key: &XOnlyPublicKey) -> Fragment {
    node(Terminal::Check(node(Terminal::PkK(*key))))
}
fn verify(inner: Fragment) -> Fragment {
    node(Terminal::Verify(inner))
}
fn and_v(left: Fragment, right: Fragment) -> Fragment {
    node(Terminal::AndV(left, right))
}
fn node(terminal: Terminal<XOnlyPublicKey, Tap>) -> Fragment {
    Arc::new(Miniscript::from_ast(terminal).expect(WELL_TYPED))
}
