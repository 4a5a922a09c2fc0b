//! The three taproot outputs of a stake: staking, unbonding and slashing refund.
//!
//! Spec: `bitcoin.md` 2. Every output is built from keys and timelocks alone and carries everything a spender needs:
//! leaf scripts, leaf hashes and control blocks. The internal key is the NUMS point of BIP-341, so there is no key
//! spend.
//!
//! | Output | Leaves | Merkle root |
//! |---|---|---|
//! | [`StakingOutput`] | timelock, unbonding, slashing | `B(B(timelock, unbonding), slashing)` |
//! | [`UnbondingOutput`] | timelock, slashing | `B(timelock, slashing)` |
//! | [`SlashingRefundOutput`] | timelock | the leaf itself |

use crate::{
    descriptor,
    height::Timelock,
    keys::StakerPublicKey,
    script::{StakeKeys, slashing_script, timelock_script, unbonding_script},
};
use bitcoin::{
    Address, Network, ScriptBuf, TapLeafHash, TapNodeHash, XOnlyPublicKey,
    hex::DisplayHex,
    key::{Parity, TweakedPublicKey},
    secp256k1::SECP256K1,
    taproot::{ControlBlock, LeafVersion, TaprootBuilder},
};
use std::{fmt, sync::LazyLock};

/// The NUMS point of BIP-341: nobody knows its discrete logarithm.
const INTERNAL_KEY: [u8; 32] = [
    0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07,
    0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
];

/// Returns the internal key of every output: the unspendable NUMS point of BIP-341.
pub fn internal_key() -> XOnlyPublicKey {
    static KEY: LazyLock<XOnlyPublicKey> = LazyLock::new(|| {
        XOnlyPublicKey::from_slice(&INTERNAL_KEY).expect("the NUMS point of BIP-341 is on the curve")
    });
    *KEY
}

/// The condition under which an output is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpendPath {
    /// By the staker alone, after the timelock.
    Timelock,
    /// By the staker with a covenant quorum, at any time.
    Unbonding,
    /// By staker, finality provider and a covenant quorum, as pre-signed.
    Slashing,
}

impl fmt::Display for SpendPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpendPath::Timelock => "timelock",
            SpendPath::Unbonding => "unbonding",
            SpendPath::Slashing => "slashing",
        })
    }
}

/// One leaf of an output with what a spend through it has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    path: SpendPath,
    script: ScriptBuf,
    hash: TapLeafHash,
    control_block: ControlBlock,
}

impl Leaf {
    /// Which of the conditions this is.
    pub const fn path(&self) -> SpendPath {
        self.path
    }
    /// The script.
    pub const fn script(&self) -> &ScriptBuf {
        &self.script
    }
    /// BIP-341 hash of the script, leaf version 0xc0.
    pub const fn hash(&self) -> TapLeafHash {
        self.hash
    }
    /// Proof that the output commits to the script; its first byte carries the parity of this output's key.
    pub const fn control_block(&self) -> &ControlBlock {
        &self.control_block
    }
}

/// A taproot tree with its output key; shared by the three outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tree<const N: usize> {
    leaves: [Leaf; N],
    merkle_root: TapNodeHash,
    output_key: TweakedPublicKey,
    output_key_parity: Parity,
}

impl<const N: usize> Tree<N> {
    /// Builds the tree of `leaves` at the depths given, which must describe a complete tree.
    fn build(leaves: [(SpendPath, ScriptBuf, u8); N]) -> Self {
        const COMPLETE: &str = "the depths given by the three outputs describe complete trees";
        let builder = leaves.iter().fold(TaprootBuilder::new(), |builder, (_, script, depth)| {
            builder.add_leaf(*depth, script.clone()).expect(COMPLETE)
        });
        let spend_info = builder.finalize(SECP256K1, internal_key()).expect(COMPLETE);
        let leaves = leaves.map(|(path, script, _)| {
            let versioned = (script, LeafVersion::TapScript);
            let control_block = spend_info.control_block(&versioned).expect("every leaf was added above");
            let script = versioned.0;
            let hash = TapLeafHash::from_script(&script, LeafVersion::TapScript);
            Leaf { path, script, hash, control_block }
        });
        Self {
            leaves,
            merkle_root: spend_info.merkle_root().expect("the tree has a leaf"),
            output_key: spend_info.output_key(),
            output_key_parity: spend_info.output_key_parity(),
        }
    }

    fn script_pubkey(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr_tweaked(self.output_key)
    }
    fn address(&self, network: Network) -> Address {
        Address::p2tr_tweaked(self.output_key, network)
    }
    fn leaf_by_hash(&self, hash: &TapLeafHash) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.hash == *hash)
    }
}

macro_rules! output_accessors {
    () => {
        /// The script of the output: `OP_1` and the 32-byte output key.
        pub fn script_pubkey(&self) -> ScriptBuf {
            self.tree.script_pubkey()
        }
        /// The output's address on `network`.
        pub fn address(&self, network: Network) -> Address {
            self.tree.address(network)
        }
        /// Root of the tree of leaves.
        pub const fn merkle_root(&self) -> TapNodeHash {
            self.tree.merkle_root
        }
        /// The tweaked key in the output.
        pub const fn output_key(&self) -> TweakedPublicKey {
            self.tree.output_key
        }
        /// Parity of the tweaked key, as control blocks carry it.
        pub const fn output_key_parity(&self) -> Parity {
            self.tree.output_key_parity
        }
        /// The timelock of the timelock leaf.
        pub const fn timelock(&self) -> Timelock {
            self.timelock
        }
        /// The leaf a spend by the staker alone goes through, after the timelock.
        pub const fn timelock_leaf(&self) -> &Leaf {
            &self.tree.leaves[0]
        }
        /// All leaves, in the order of the module's table.
        pub fn leaves(&self) -> &[Leaf] {
            &self.tree.leaves
        }
        /// Returns the leaf with this hash, if the output has it.
        pub fn leaf_by_hash(&self, hash: &TapLeafHash) -> Option<&Leaf> {
            self.tree.leaf_by_hash(hash)
        }
    };
}

/// The output that locks a stake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakingOutput {
    keys: StakeKeys,
    timelock: Timelock,
    tree: Tree<3>,
}

impl StakingOutput {
    /// Builds the output of `keys` with this staking time.
    pub fn new(keys: StakeKeys, staking_time: Timelock) -> Self {
        let tree = Tree::build([
            (SpendPath::Timelock, timelock_script(keys.staker(), staking_time), 2),
            (SpendPath::Unbonding, unbonding_script(&keys), 2),
            (SpendPath::Slashing, slashing_script(&keys), 1),
        ]);
        Self { keys, timelock: staking_time, tree }
    }
    output_accessors!();

    /// The keys in the scripts.
    pub const fn keys(&self) -> &StakeKeys {
        &self.keys
    }
    /// The leaf the unbonding transaction goes through.
    pub const fn unbonding_leaf(&self) -> &Leaf {
        &self.tree.leaves[1]
    }
    /// The leaf the slashing transaction goes through.
    pub const fn slashing_leaf(&self) -> &Leaf {
        &self.tree.leaves[2]
    }
    /// Returns the descriptor with checksum, importable by descriptor wallets.
    pub fn descriptor(&self) -> String {
        descriptor::staking_descriptor(&self.keys, self.timelock).to_string()
    }
}

/// The output of an unbonding transaction: still slashable until its timelock ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnbondingOutput {
    keys: StakeKeys,
    timelock: Timelock,
    tree: Tree<2>,
}

impl UnbondingOutput {
    /// Builds the output of `keys` with this unbonding time.
    pub fn new(keys: StakeKeys, unbonding_time: Timelock) -> Self {
        let tree = Tree::build([
            (SpendPath::Timelock, timelock_script(keys.staker(), unbonding_time), 1),
            (SpendPath::Slashing, slashing_script(&keys), 1),
        ]);
        Self { keys, timelock: unbonding_time, tree }
    }
    output_accessors!();

    /// The keys in the scripts.
    pub const fn keys(&self) -> &StakeKeys {
        &self.keys
    }
    /// The leaf the unbonding slashing transaction goes through.
    pub const fn slashing_leaf(&self) -> &Leaf {
        &self.tree.leaves[1]
    }
    /// Returns the descriptor with checksum, importable by descriptor wallets.
    pub fn descriptor(&self) -> String {
        descriptor::unbonding_descriptor(&self.keys, self.timelock).to_string()
    }
}

/// The change of a slashing transaction: what the staker keeps, after the unbonding time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlashingRefundOutput {
    staker: StakerPublicKey,
    timelock: Timelock,
    tree: Tree<1>,
}

impl SlashingRefundOutput {
    /// Builds the output of `staker` with this unbonding time.
    pub fn new(staker: StakerPublicKey, unbonding_time: Timelock) -> Self {
        let tree = Tree::build([(SpendPath::Timelock, timelock_script(&staker, unbonding_time), 0)]);
        Self { staker, timelock: unbonding_time, tree }
    }
    output_accessors!();

    /// Whose coins they are.
    pub const fn staker(&self) -> &StakerPublicKey {
        &self.staker
    }
    /// Returns the descriptor with checksum, importable by descriptor wallets.
    pub fn descriptor(&self) -> String {
        descriptor::refund_descriptor(&self.staker, self.timelock).to_string()
    }
}

/// The three outputs of one stake, built together from one set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakeOutputs {
    /// Locks the stake.
    pub staking: StakingOutput,
    /// Where unbonding leads.
    pub unbonding: UnbondingOutput,
    /// What either slashing leaves to the staker.
    pub refund: SlashingRefundOutput,
}

impl StakeOutputs {
    /// Builds the outputs of `keys`.
    pub fn new(keys: StakeKeys, staking_time: Timelock, unbonding_time: Timelock) -> Self {
        Self {
            refund: SlashingRefundOutput::new(*keys.staker(), unbonding_time),
            unbonding: UnbondingOutput::new(keys.clone(), unbonding_time),
            staking: StakingOutput::new(keys, staking_time),
        }
    }
    /// The keys in the scripts.
    pub const fn keys(&self) -> &StakeKeys {
        self.staking.keys()
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} leaf {}", self.path, self.script.as_bytes().as_hex())
    }
}
