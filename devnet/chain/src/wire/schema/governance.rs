//! Messages of the chain's authority (`wire.md` 3.11, 3.12).

use super::{
    DURATION, KEY,
    Kind::{Bytes, Decimal, Message, Varint},
    Schema,
};

static STAKING: Schema = Schema::new(
    "babylon.btcstaking.v1.Params",
    &[
        (1, KEY),
        (2, Varint),
        (3, Varint),
        (4, Varint),
        (5, Varint),
        (6, Varint),
        (7, Bytes),
        (8, Varint),
        (9, Decimal),
        (10, Varint),
        (11, Varint),
        (12, Decimal),
        (13, Varint),
        (14, Varint),
        (15, Varint),
    ],
);
static FINALITY: Schema = Schema::new(
    "babylon.finality.v1.Params",
    &[(1, Varint), (2, Varint), (3, Varint), (4, Decimal), (5, Varint), (6, Message(&DURATION)), (7, Varint)],
);
static CHECKPOINT: Schema =
    Schema::new("babylon.btccheckpoint.v1.Params", &[(1, Varint), (2, Varint), (3, Bytes)]);
static LIGHT_CLIENT: Schema = Schema::new("babylon.btclightclient.v1.Params", &[(1, Bytes)]);
static INCENTIVE: Schema = Schema::new("babylon.incentive.Params", &[(1, Decimal), (2, Decimal)]);
static COSTAKING: Schema =
    Schema::new("babylon.costaking.v1.Params", &[(1, Decimal), (2, Decimal), (3, Decimal)]);
static EXECUTE_GAS: Schema = Schema::new(
    "babylon.epoching.v1.ExecuteGas",
    &[(1, Varint), (2, Varint), (3, Varint), (4, Varint), (5, Varint), (6, Varint)],
);
static EPOCHING: Schema =
    Schema::new("babylon.epoching.v1.Params", &[(1, Varint), (2, Message(&EXECUTE_GAS)), (3, Varint)]);

/// The authority's messages.
pub(crate) static MESSAGES: &[Schema] = &[
    Schema::new("babylon.btcstaking.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&STAKING))]),
    Schema::new("babylon.finality.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&FINALITY))]),
    Schema::new("babylon.btccheckpoint.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&CHECKPOINT))]),
    Schema::new("babylon.btclightclient.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&LIGHT_CLIENT))]),
    Schema::new("babylon.incentive.MsgUpdateParams", &[(1, Bytes), (2, Message(&INCENTIVE))]),
    Schema::new("babylon.costaking.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&COSTAKING))]),
    Schema::new("babylon.epoching.v1.MsgUpdateParams", &[(1, Bytes), (2, Message(&EPOCHING))]),
    Schema::new("babylon.finality.v1.MsgResumeFinalityProposal", &[(1, Bytes), (2, Bytes), (3, Varint)]),
];
