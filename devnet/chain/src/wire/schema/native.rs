//! Messages of native staking, which the chain can read but has no handler for (`chain.md` 12).
//!
//! The staking module's own messages have none in the reference either. Those wrapped for the end of an epoch have one
//! there; native staking is not part of this chain.

use super::{
    COIN, DESCRIPTION, DURATION,
    Kind::{Any, Bytes, Decimal, Fixed, Message, Varint},
    Schema,
};

static COMMISSION: Schema =
    Schema::new("cosmos.staking.v1beta1.CommissionRates", &[(1, Decimal), (2, Decimal), (3, Decimal)]);
static PARAMS: Schema = Schema::new(
    "cosmos.staking.v1beta1.Params",
    &[(1, Message(&DURATION)), (2, Varint), (3, Varint), (4, Varint), (5, Bytes), (6, Decimal)],
);
static BLS_POSSESSION: Schema =
    Schema::new("babylon.checkpointing.v1.ProofOfPossession", &[(1, Bytes), (2, Fixed(48))]);
static BLS_KEY: Schema =
    Schema::new("babylon.checkpointing.v1.BlsKey", &[(1, Fixed(96)), (2, Message(&BLS_POSSESSION))]);

static CREATE_VALIDATOR: Schema = Schema::new(
    "cosmos.staking.v1beta1.MsgCreateValidator",
    &[
        (1, Message(&DESCRIPTION)),
        (2, Message(&COMMISSION)),
        (3, Bytes),
        (4, Bytes),
        (5, Bytes),
        (6, Any),
        (7, Message(&COIN)),
    ],
);
static EDIT_VALIDATOR: Schema = Schema::new(
    "cosmos.staking.v1beta1.MsgEditValidator",
    &[(1, Message(&DESCRIPTION)), (2, Bytes), (3, Decimal), (4, Bytes)],
);
static DELEGATE: Schema =
    Schema::new("cosmos.staking.v1beta1.MsgDelegate", &[(1, Bytes), (2, Bytes), (3, Message(&COIN))]);
static REDELEGATE: Schema = Schema::new(
    "cosmos.staking.v1beta1.MsgBeginRedelegate",
    &[(1, Bytes), (2, Bytes), (3, Bytes), (4, Message(&COIN))],
);
static UNDELEGATE: Schema =
    Schema::new("cosmos.staking.v1beta1.MsgUndelegate", &[(1, Bytes), (2, Bytes), (3, Message(&COIN))]);
static CANCEL_UNBONDING: Schema = Schema::new(
    "cosmos.staking.v1beta1.MsgCancelUnbondingDelegation",
    &[(1, Bytes), (2, Bytes), (3, Message(&COIN)), (4, Varint)],
);
static UPDATE_PARAMS: Schema =
    Schema::new("cosmos.staking.v1beta1.MsgUpdateParams", &[(1, Bytes), (2, Message(&PARAMS))]);

/// The messages without a handler.
pub(crate) static WITHOUT_HANDLER: &[&Schema] = &[
    &CREATE_VALIDATOR,
    &EDIT_VALIDATOR,
    &DELEGATE,
    &REDELEGATE,
    &UNDELEGATE,
    &CANCEL_UNBONDING,
    &UPDATE_PARAMS,
    &Schema::new("babylon.epoching.v1.MsgWrappedDelegate", &[(1, Message(&DELEGATE))]),
    &Schema::new("babylon.epoching.v1.MsgWrappedUndelegate", &[(1, Message(&UNDELEGATE))]),
    &Schema::new("babylon.epoching.v1.MsgWrappedBeginRedelegate", &[(1, Message(&REDELEGATE))]),
    &Schema::new(
        "babylon.epoching.v1.MsgWrappedCancelUnbondingDelegation",
        &[(1, Message(&CANCEL_UNBONDING))],
    ),
    &Schema::new("babylon.epoching.v1.MsgWrappedEditValidator", &[(1, Message(&EDIT_VALIDATOR))]),
    &Schema::new("babylon.epoching.v1.MsgWrappedStakingUpdateParams", &[(1, Message(&UPDATE_PARAMS))]),
    &Schema::new(
        "babylon.checkpointing.v1.MsgWrappedCreateValidator",
        &[(1, Message(&BLS_KEY)), (2, Message(&CREATE_VALIDATOR))],
    ),
];
