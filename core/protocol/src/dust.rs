//! Dust: outputs too small to be worth spending, by the policy the staking chain applies (`bitcoin.md` 12.2).
//!
//! Min relay fee 1000 sat/kB. An output is dust when its value is below three times the size of creating and
//! spending it. A script that can never be spent makes any value dust; callers that allow burning, such as the
//! slashing output, exempt a leading `OP_RETURN` themselves.

use bitcoin::{Amount, Script, VarInt};

/// Longest script that can be executed.
const MAX_SCRIPT_SIZE: usize = 10_000;

/// Returns whether an output of `value` to `script` is dust.
pub fn is_dust(value: Amount, script: &Script) -> bool {
    is_unspendable(script) || value < smallest_non_dust(script)
}

/// Returns the least value that is no dust for a spendable script.
pub fn smallest_non_dust(script: &Script) -> Amount {
    let spend = if script.is_witness_program() { 26 } else { 107 };
    let size = 8 + VarInt::from(script.len()).size() + script.len() + 41 + spend;
    // No script is long enough for this to reach the end of u64; saturating keeps the function total.
    Amount::from_sat(u64::try_from(size).unwrap_or(u64::MAX).saturating_mul(3))
}

/// Whether a script fails whatever the witness: a leading `OP_RETURN`, too long, or not a sequence of opcodes.
fn is_unspendable(script: &Script) -> bool {
    script.is_op_return()
        || script.len() > MAX_SCRIPT_SIZE
        || script.instructions().any(|instruction| instruction.is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::ScriptBuf;

    #[test]
    fn dust_limits_of_the_usual_scripts_are_the_known_ones() {
        // bitcoin.md 12.2
        for (script, limit) in [
            (format!("5120{}", "01".repeat(32)), 330),
            (format!("0020{}", "01".repeat(32)), 330),
            (format!("0014{}", "01".repeat(20)), 294),
            (format!("a914{}87", "01".repeat(20)), 540),
            (format!("76a914{}88ac", "01".repeat(20)), 546),
        ] {
            let script = ScriptBuf::from_hex(&script).unwrap();
            assert_eq!(smallest_non_dust(&script).to_sat(), limit, "{script}");
            assert!(is_dust(Amount::from_sat(limit - 1), &script), "{script}");
            assert!(!is_dust(Amount::from_sat(limit), &script), "{script}");
        }
    }

    #[test]
    fn nothing_sent_to_an_unspendable_script_is_worth_spending() {
        let too_long = ScriptBuf::from_bytes(vec![0x51; MAX_SCRIPT_SIZE + 1]);
        for script in [
            ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
            ScriptBuf::from_hex("4c").unwrap(),
            ScriptBuf::from_hex("0501").unwrap(),
            too_long,
        ] {
            assert!(is_dust(Amount::MAX_MONEY, &script));
        }
        assert!(!is_dust(Amount::MAX_MONEY, &ScriptBuf::from_bytes(vec![0x51; MAX_SCRIPT_SIZE])));
    }
}
