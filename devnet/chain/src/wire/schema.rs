//! What each message may hold: field numbers, wire types and the lengths checked in decoding (`wire.md` 1.1, 2, 3).

mod governance;
pub(crate) mod native;

/// What one field may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Integers, booleans, enums.
    Varint,
    /// Strings and bytes of any length.
    Bytes,
    /// Bytes of exactly this length.
    Fixed(usize),
    /// A decimal: ASCII of the scaled integer, or empty for an unset one.
    Decimal,
    /// A nested message.
    Message(&'static Schema),
    /// A `google.protobuf.Any` holding a message known by type URL.
    Any,
}

/// The fields of one message.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    fields: &'static [(u32, Kind)],
}

impl Schema {
    const fn new(name: &'static str, fields: &'static [(u32, Kind)]) -> Self {
        Self { name, fields }
    }
    /// What field `number` may hold; `None` for unknown fields.
    pub(crate) fn field(&self, number: u32) -> Option<Kind> {
        self.fields.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
    }
}

use Kind::{Any, Bytes, Decimal, Fixed, Message, Varint};

const KEY: Kind = Fixed(32);
const HASH: Kind = Fixed(32);

pub(crate) static ANY: Schema = Schema::new("google.protobuf.Any", &[(1, Bytes), (2, Bytes)]);
static TIMESTAMP: Schema = Schema::new("google.protobuf.Timestamp", &[(1, Varint), (2, Varint)]);
static DURATION: Schema = Schema::new("google.protobuf.Duration", &[(1, Varint), (2, Varint)]);
static COIN: Schema = Schema::new("cosmos.base.v1beta1.Coin", &[(1, Bytes), (2, Bytes)]);
static DESCRIPTION: Schema = Schema::new(
    "cosmos.staking.v1beta1.Description",
    &[(1, Bytes), (2, Bytes), (3, Bytes), (4, Bytes), (5, Bytes)],
);
static POSSESSION: Schema =
    Schema::new("babylon.btcstaking.v1.ProofOfPossessionBTC", &[(1, Varint), (2, Bytes)]);
static COMMISSION: Schema =
    Schema::new("babylon.btcstaking.v1.CommissionRates", &[(1, Decimal), (2, Decimal), (3, Decimal)]);
static TRANSACTION_KEY: Schema =
    Schema::new("babylon.btccheckpoint.v1.TransactionKey", &[(1, Varint), (2, HASH)]);
static INCLUSION: Schema =
    Schema::new("babylon.btcstaking.v1.InclusionProof", &[(1, Message(&TRANSACTION_KEY)), (2, Bytes)]);
static SPV_PROOF: Schema = Schema::new(
    "babylon.btccheckpoint.v1.BTCSpvProof",
    &[(1, Bytes), (2, Varint), (3, Bytes), (4, Fixed(80))],
);
static MERKLE_PROOF: Schema =
    Schema::new("tendermint.crypto.Proof", &[(1, Varint), (2, Varint), (3, Bytes), (4, Bytes)]);

/// The envelope that is broadcast.
pub(crate) static TX_RAW: Schema =
    Schema::new("cosmos.tx.v1beta1.TxRaw", &[(1, Bytes), (2, Bytes), (3, Bytes)]);
/// The part that holds the messages.
pub(crate) static TX_BODY: Schema = Schema::new(
    "cosmos.tx.v1beta1.TxBody",
    &[(1, Any), (2, Bytes), (3, Varint), (4, Varint), (5, Message(&TIMESTAMP)), (1023, Any), (2047, Any)],
);
static MODE_SINGLE: Schema = Schema::new("cosmos.tx.v1beta1.ModeInfo.Single", &[(1, Varint)]);
static MODE_INFO: Schema =
    Schema::new("cosmos.tx.v1beta1.ModeInfo", &[(1, Message(&MODE_SINGLE)), (2, Bytes)]);
static SIGNER_INFO: Schema =
    Schema::new("cosmos.tx.v1beta1.SignerInfo", &[(1, Any), (2, Message(&MODE_INFO)), (3, Varint)]);
static FEE: Schema =
    Schema::new("cosmos.tx.v1beta1.Fee", &[(1, Message(&COIN)), (2, Varint), (3, Bytes), (4, Bytes)]);
static TIP: Schema = Schema::new("cosmos.tx.v1beta1.Tip", &[(1, Message(&COIN)), (2, Bytes)]);
/// The part that holds signers and fee.
pub(crate) static AUTH_INFO: Schema = Schema::new(
    "cosmos.tx.v1beta1.AuthInfo",
    &[(1, Message(&SIGNER_INFO)), (2, Message(&FEE)), (3, Message(&TIP))],
);

/// Messages and keys that may be in an `Any`, by full name.
static IN_ANY: &[Schema] = &[
    Schema::new("cosmos.crypto.secp256k1.PubKey", &[(1, Bytes)]),
    Schema::new("cosmos.crypto.ed25519.PubKey", &[(1, Bytes)]),
    Schema::new("cosmos.feegrant.v1beta1.BasicAllowance", &[(1, Message(&COIN)), (2, Message(&TIMESTAMP))]),
    Schema::new("cosmos.feegrant.v1beta1.MsgGrantAllowance", &[(1, Bytes), (2, Bytes), (3, Any)]),
    Schema::new("cosmos.feegrant.v1beta1.MsgRevokeAllowance", &[(1, Bytes), (2, Bytes)]),
    Schema::new("cosmos.bank.v1beta1.MsgSend", &[(1, Bytes), (2, Bytes), (3, Message(&COIN))]),
    Schema::new(
        "babylon.btcstaking.v1.MsgCreateFinalityProvider",
        &[
            (1, Bytes),
            (2, Message(&DESCRIPTION)),
            (4, KEY),
            (5, Message(&POSSESSION)),
            (7, Message(&COMMISSION)),
        ],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgEditFinalityProvider",
        &[(1, Bytes), (2, Bytes), (3, Message(&DESCRIPTION)), (4, Decimal)],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgCreateBTCDelegation",
        &[
            (1, Bytes),
            (2, Message(&POSSESSION)),
            (3, KEY),
            (4, KEY),
            (5, Varint),
            (6, Varint),
            (7, Bytes),
            (8, Message(&INCLUSION)),
            (9, Bytes),
            (10, Bytes),
            (11, Varint),
            (12, Bytes),
            (13, Varint),
            (14, Bytes),
            (15, Bytes),
        ],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgBtcStakeExpand",
        &[
            (1, Bytes),
            (2, Message(&POSSESSION)),
            (3, KEY),
            (4, KEY),
            (5, Varint),
            (6, Varint),
            (7, Bytes),
            (8, Bytes),
            (9, Bytes),
            (10, Varint),
            (11, Bytes),
            (12, Varint),
            (13, Bytes),
            (14, Bytes),
            (15, Bytes),
            (16, Bytes),
        ],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgAddBTCDelegationInclusionProof",
        &[(1, Bytes), (2, Bytes), (3, Message(&INCLUSION))],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgAddCovenantSigs",
        &[(1, Bytes), (2, KEY), (3, Bytes), (4, Bytes), (5, Bytes), (6, Bytes), (7, Bytes)],
    ),
    Schema::new(
        "babylon.btcstaking.v1.MsgBTCUndelegate",
        &[(1, Bytes), (2, Bytes), (3, Bytes), (4, Message(&INCLUSION)), (5, Bytes)],
    ),
    Schema::new("babylon.btcstaking.v1.MsgSelectiveSlashingEvidence", &[(1, Bytes), (3, Bytes)]),
    Schema::new(
        "babylon.finality.v1.MsgCommitPubRandList",
        &[(1, Bytes), (2, KEY), (3, Varint), (4, Varint), (5, Bytes), (6, Bytes)],
    ),
    Schema::new(
        "babylon.finality.v1.MsgAddFinalitySig",
        &[
            (1, Bytes),
            (2, KEY),
            (3, Varint),
            (4, Fixed(32)),
            (5, Message(&MERKLE_PROOF)),
            (6, Bytes),
            (7, Fixed(32)),
        ],
    ),
    Schema::new("babylon.finality.v1.MsgUnjailFinalityProvider", &[(1, Bytes), (2, KEY)]),
    Schema::new("babylon.btclightclient.v1.MsgInsertHeaders", &[(1, Bytes), (2, Fixed(80))]),
    Schema::new("babylon.btccheckpoint.v1.MsgInsertBTCSpvProof", &[(1, Bytes), (2, Message(&SPV_PROOF))]),
    Schema::new("babylon.incentive.MsgWithdrawReward", &[(1, Bytes), (2, Bytes)]),
    Schema::new("babylon.incentive.MsgSetWithdrawAddress", &[(1, Bytes), (2, Bytes)]),
];

/// The schema of the message a type URL names.
pub(crate) fn of_type_url(type_url: &str) -> Option<&'static Schema> {
    let name = type_url.strip_prefix('/')?;
    in_any().chain(native::WITHOUT_HANDLER.iter().copied()).find(|schema| schema.name == name)
}

fn in_any() -> impl Iterator<Item = &'static Schema> {
    IN_ANY.iter().chain(governance::MESSAGES)
}

/// The schemas of messages that have a handler, for tests.
#[cfg(test)]
pub(crate) fn messages() -> impl Iterator<Item = &'static Schema> {
    in_any().filter(|schema| schema.name.contains(".Msg"))
}

/// Every schema, for tests.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static Schema> {
    let native = native::WITHOUT_HANDLER.iter().copied();
    in_any().chain(native).chain([&TX_RAW, &TX_BODY, &AUTH_INFO])
}
