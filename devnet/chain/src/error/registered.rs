//! The registered errors this chain raises, with their complete texts (`wire.md` 4.6).

/// Errors of the SDK itself.
pub(crate) mod sdk {
    use crate::error::Registered;

    const fn sdk(code: u32, text: &'static str) -> Registered {
        Registered::new("sdk", code, text)
    }
    pub(crate) const TX_DECODE: Registered = sdk(2, "tx parse error");
    pub(crate) const UNAUTHORIZED: Registered = sdk(4, "unauthorized");
    pub(crate) const INSUFFICIENT_FUNDS: Registered = sdk(5, "insufficient funds");
    pub(crate) const UNKNOWN_REQUEST: Registered = sdk(6, "unknown request");
    pub(crate) const INVALID_ADDRESS: Registered = sdk(7, "invalid address");
    pub(crate) const INVALID_PUBKEY: Registered = sdk(8, "invalid pubkey");
    pub(crate) const UNKNOWN_ADDRESS: Registered = sdk(9, "unknown address");
    pub(crate) const INVALID_COINS: Registered = sdk(10, "invalid coins");
    pub(crate) const OUT_OF_GAS: Registered = sdk(11, "out of gas");
    pub(crate) const MEMO_TOO_LARGE: Registered = sdk(12, "memo too large");
    pub(crate) const INSUFFICIENT_FEE: Registered = sdk(13, "insufficient fee");
    pub(crate) const TOO_MANY_SIGNATURES: Registered = sdk(14, "maximum number of signatures exceeded");
    pub(crate) const NO_SIGNATURES: Registered = sdk(15, "no signatures supplied");
    pub(crate) const INVALID_REQUEST: Registered = sdk(18, "invalid request");
    pub(crate) const KEY_NOT_FOUND: Registered = sdk(22, "key not found");
    pub(crate) const INVALID_HEIGHT: Registered = sdk(26, "invalid height");
    pub(crate) const INVALID_TYPE: Registered = sdk(29, "invalid type");
    pub(crate) const TX_TIMEOUT_HEIGHT: Registered = sdk(30, "tx timeout height");
    pub(crate) const UNKNOWN_EXTENSION: Registered = sdk(31, "unknown extension options");
    pub(crate) const WRONG_SEQUENCE: Registered = sdk(32, "incorrect account sequence");
    pub(crate) const NOT_SUPPORTED: Registered = sdk(37, "feature not supported");
    pub(crate) const NOT_FOUND: Registered = sdk(38, "not found");
    pub(crate) const TX_TIMEOUT: Registered = sdk(42, "tx timeout");
}

/// Commission errors of native staking that finality providers share.
pub(crate) mod staking {
    use crate::error::Registered;

    const fn staking(code: u32, text: &'static str) -> Registered {
        Registered::new("staking", code, text)
    }
    pub(crate) const COMMISSION_NEGATIVE: Registered = staking(9, "commission must be positive");
    pub(crate) const COMMISSION_HUGE: Registered = staking(10, "commission cannot be more than 100%");
    pub(crate) const COMMISSION_GT_MAX_RATE: Registered =
        staking(11, "commission cannot be more than the max rate");
    pub(crate) const COMMISSION_UPDATE_TIME: Registered =
        staking(12, "commission cannot be changed more than once in 24h");
    pub(crate) const CHANGE_RATE_NEGATIVE: Registered =
        staking(13, "commission change rate must be positive");
    pub(crate) const CHANGE_RATE_GT_MAX_RATE: Registered =
        staking(14, "commission change rate cannot be more than the max rate");
    pub(crate) const COMMISSION_GT_MAX_CHANGE_RATE: Registered =
        staking(15, "commission cannot be changed more than max change rate");
}

/// Errors of `btcstaking` (`wire.md` 4.6).
pub(crate) mod btcstaking {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("btcstaking", code, text)
    }
    pub(crate) const FP_NOT_FOUND: Registered = e(1100, "the finality provider is not found");
    pub(crate) const DELEGATION_NOT_FOUND: Registered = e(1102, "the BTC delegation is not found");
    pub(crate) const FP_REGISTERED: Registered = e(1103, "the finality provider has already been registered");
    pub(crate) const FP_ALREADY_SLASHED: Registered =
        e(1104, "the finality provider has already been slashed");
    pub(crate) const REUSED_STAKING_TX: Registered = e(1106, "the BTC staking tx is already used");
    pub(crate) const INVALID_COVENANT_PK: Registered =
        e(1107, "the BTC staking tx specifies a wrong covenant PK");
    pub(crate) const INVALID_STAKING_TX: Registered = e(1108, "the BTC staking tx is not valid");
    pub(crate) const INVALID_SLASHING_TX: Registered = e(1109, "the BTC slashing tx is not valid");
    pub(crate) const INVALID_COVENANT_SIG: Registered = e(1110, "the covenant signature is not valid");
    pub(crate) const COMMISSION_LT_MIN_RATE: Registered = e(1111, "commission cannot be less than min rate");
    pub(crate) const COMMISSION_GT_MAX_RATE: Registered = e(1112, "commission cannot be more than one");
    pub(crate) const INVALID_UNBONDING_TX: Registered = e(1114, "the BTC unbonding tx is not valid");
    pub(crate) const TOO_MANY_FPS: Registered =
        e(1116, "the finality provider list contains too many public keys, it must contain exactly one");
    pub(crate) const INVALID_POSSESSION: Registered = e(1117, "the proof of possession is not valid");
    pub(crate) const DUPLICATED_FP: Registered =
        e(1118, "the staking request contains duplicated finality provider public key");
    pub(crate) const INVALID_UNDELEGATION: Registered = e(1119, "invalid undelegation request");
    pub(crate) const PARAMS_NOT_FOUND: Registered = e(1120, "the parameters are not found");
    pub(crate) const FP_ALREADY_JAILED: Registered = e(1121, "the finality provider has already been jailed");
    pub(crate) const FP_NOT_JAILED: Registered = e(1122, "the finality provider is not jailed");
    pub(crate) const DUPLICATED_COVENANT_SIG: Registered =
        e(1123, "the covenant signature is already submitted");
    pub(crate) const INCLUDED_TOO_EARLY: Registered =
        e(1124, "the staking transaction is included too early in BTC chain");
    pub(crate) const EMPTY_COMMISSION: Registered = e(1125, "empty commission");
    pub(crate) const NO_REORG: Registered = e(1128, "there is no BTC reorg currently set");
    pub(crate) const FP_DELETED: Registered = e(1130, "the finality provider has been deleted");
}

/// Errors of `finality` (`wire.md` 4.6).
pub(crate) mod finality {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("finality", code, text)
    }
    pub(crate) const BLOCK_NOT_FOUND: Registered = e(1100, "Block is not found");
    pub(crate) const RANDOMNESS_NOT_FOUND: Registered = e(1103, "public randomness is not found");
    pub(crate) const TOO_FEW_RANDOMNESS: Registered =
        e(1105, "the request contains too few public randomness");
    pub(crate) const INVALID_RANDOMNESS: Registered = e(1106, "the public randomness list is invalid");
    pub(crate) const INVALID_SIGNATURE: Registered = e(1108, "finality signature is not valid");
    pub(crate) const DUPLICATED_VOTE: Registered = e(1109, "duplicated finality vote");
    pub(crate) const NO_EVIDENCE: Registered = e(1110, "there is no slashable evidence");
    pub(crate) const NOT_TIMESTAMPED: Registered =
        e(1111, "the public randomness commit is not BTC timestamped yet");
    pub(crate) const JAILING_NOT_PASSED: Registered = e(1112, "the jailing period is not passed");
    pub(crate) const NO_POWER_TABLE: Registered = e(1113, "voting power table has not been updated");
    pub(crate) const NOT_ACTIVATED: Registered = e(1114, "the BTC staking protocol is not activated yet");
    pub(crate) const NOT_ACTIVE: Registered = e(1115, "finality is not active yet");
    pub(crate) const ALREADY_FINALISED: Registered =
        e(1116, "the voting block is already finalized and timestamped");
    pub(crate) const HEIGHT_OVERFLOW: Registered = e(1117, "overflow in block height calculation");
    pub(crate) const INVALID_RESUME: Registered = e(1121, "resume finality proposal message is not valid");
    pub(crate) const FP_DELETED: Registered = e(1122, "finality provider is deleted");
    pub(crate) const NO_POWER_CACHE: Registered = e(1124, "voting power table was not found");
}

/// Errors of `btclightclient` (`wire.md` 4.6).
pub(crate) mod lightclient {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("btclightclient", code, text)
    }
    pub(crate) const HEADER_NOT_FOUND: Registered = e(1100, "header does not exist");
    pub(crate) const PARENT_NOT_FOUND: Registered = e(1101, "parent for provided hash is not maintained");
    pub(crate) const INVALID_POW: Registered = e(1103, "provided header has invalid proof of work");
    pub(crate) const INVALID_HEADER: Registered =
        e(1104, "provided header does not satisfy header validation rules");
    pub(crate) const NOT_ENOUGH_WORK: Registered = e(1105, "provided chain has not enough work");
    pub(crate) const UNAUTHORIZED_REPORTER: Registered = e(1106, "unauthorized reporter");
    pub(crate) const KNOWN_HEADER: Registered = e(1108, "fork start with known header");
}

/// Errors of `btccheckpoint`.
pub(crate) mod btccheckpoint {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("btccheckpoint", code, text)
    }
    pub(crate) const INVALID_PROOF: Registered = e(1100, "Invalid checkpoint proof");
    pub(crate) const DUPLICATED: Registered = e(1101, "Duplicated submission");
    pub(crate) const NO_PREVIOUS: Registered = e(1102, "No checkpoints for previous epoch");
    pub(crate) const INVALID_HEADER: Registered = e(1103, "Proof headers are invalid");
    pub(crate) const NO_ANCESTOR: Registered =
        e(1104, "Proof header does not have ancestor in previous epoch");
    pub(crate) const EPOCH_FINALISED: Registered = e(1105, "Submission denied. Epoch already finalized");
}

/// Errors of `checkpointing`.
pub(crate) mod checkpointing {
    use crate::error::Registered;

    pub(crate) const DOES_NOT_EXIST: Registered =
        Registered::new("checkpointing", 1201, "raw checkpoint does not exist");
    pub(crate) const INVALID: Registered =
        Registered::new("checkpointing", 1206, "raw checkpoint is invalid");
}

/// Errors of `epoching`.
pub(crate) mod epoching {
    use crate::error::Registered;

    pub(crate) const UNKNOWN_EPOCH: Registered =
        Registered::new("epoching", 3, "the epoch number is not known in DB");
}

/// Errors of `monitor`.
pub(crate) mod monitor {
    use crate::error::Registered;

    pub(crate) const NOT_ENDED: Registered = Registered::new("monitor", 1100, "Epoch not ended yet");
    pub(crate) const NOT_REPORTED: Registered =
        Registered::new("monitor", 1101, "Checkpoint not reported yet");
}

/// Errors of governance.
pub(crate) mod gov {
    use crate::error::Registered;

    pub(crate) const INVALID_MESSAGE: Registered = Registered::new("gov", 12, "invalid proposal message");
    pub(crate) const INVALID_SIGNER: Registered =
        Registered::new("gov", 13, "expected gov account as only signer for proposal message");
}

/// Errors of fee grants, a module of the SDK.
pub(crate) mod feegrant {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("feegrant", code, text)
    }
    pub(crate) const EXCEEDED: Registered = e(2, "fee limit exceeded");
    pub(crate) const EXPIRED: Registered = e(3, "fee allowance expired");
    pub(crate) const INVALID_DURATION: Registered = e(4, "invalid duration");
}

/// Errors of `incentive` (`wire.md` 4.6).
pub(crate) mod incentive {
    use crate::error::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("incentive", code, text)
    }
    pub(crate) const STAKING_GAUGE_NOT_FOUND: Registered = e(1100, "BTC staking gauge not found");
    pub(crate) const REWARD_GAUGE_NOT_FOUND: Registered = e(1101, "reward gauge not found");
    pub(crate) const NOT_WITHDRAWABLE: Registered = e(1102, "no coin is withdrawable");
    pub(crate) const CURRENT_REWARDS_NOT_FOUND: Registered =
        e(1103, "finality provider current rewards not found");
    pub(crate) const TRACKER_NOT_FOUND: Registered = e(1105, "BTC delegation rewards tracker not found");
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_babylon::errors::REGISTRY;

    #[test]
    fn codes_and_texts_are_those_the_adapter_matches() {
        let raised = [
            btcstaking::FP_NOT_FOUND,
            btcstaking::DELEGATION_NOT_FOUND,
            btcstaking::FP_REGISTERED,
            btcstaking::FP_ALREADY_SLASHED,
            btcstaking::REUSED_STAKING_TX,
            btcstaking::INVALID_COVENANT_PK,
            btcstaking::INVALID_STAKING_TX,
            btcstaking::INVALID_SLASHING_TX,
            btcstaking::INVALID_COVENANT_SIG,
            btcstaking::COMMISSION_LT_MIN_RATE,
            btcstaking::COMMISSION_GT_MAX_RATE,
            btcstaking::INVALID_UNBONDING_TX,
            btcstaking::TOO_MANY_FPS,
            btcstaking::INVALID_POSSESSION,
            btcstaking::DUPLICATED_FP,
            btcstaking::INVALID_UNDELEGATION,
            btcstaking::PARAMS_NOT_FOUND,
            btcstaking::FP_ALREADY_JAILED,
            btcstaking::FP_NOT_JAILED,
            btcstaking::DUPLICATED_COVENANT_SIG,
            btcstaking::INCLUDED_TOO_EARLY,
            btcstaking::EMPTY_COMMISSION,
            btcstaking::NO_REORG,
            btcstaking::FP_DELETED,
            finality::BLOCK_NOT_FOUND,
            finality::RANDOMNESS_NOT_FOUND,
            finality::TOO_FEW_RANDOMNESS,
            finality::INVALID_RANDOMNESS,
            finality::INVALID_SIGNATURE,
            finality::DUPLICATED_VOTE,
            finality::NO_EVIDENCE,
            finality::NOT_TIMESTAMPED,
            finality::JAILING_NOT_PASSED,
            finality::NO_POWER_TABLE,
            finality::NOT_ACTIVATED,
            finality::NOT_ACTIVE,
            finality::ALREADY_FINALISED,
            finality::HEIGHT_OVERFLOW,
            finality::INVALID_RESUME,
            finality::FP_DELETED,
            finality::NO_POWER_CACHE,
            lightclient::HEADER_NOT_FOUND,
            lightclient::PARENT_NOT_FOUND,
            lightclient::INVALID_POW,
            lightclient::INVALID_HEADER,
            lightclient::NOT_ENOUGH_WORK,
            lightclient::UNAUTHORIZED_REPORTER,
            lightclient::KNOWN_HEADER,
            incentive::STAKING_GAUGE_NOT_FOUND,
            incentive::REWARD_GAUGE_NOT_FOUND,
            incentive::NOT_WITHDRAWABLE,
            incentive::CURRENT_REWARDS_NOT_FOUND,
            incentive::TRACKER_NOT_FOUND,
        ];
        for error in raised {
            let known = REGISTRY.iter().find(|k| (k.codespace, k.code) == (error.codespace, error.code));
            assert_eq!(known.map(|known| known.text), Some(error.text), "{error:?}");
        }
    }
}
