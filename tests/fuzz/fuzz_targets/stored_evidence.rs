//! Coverage-guided driver of `fuzz::chain::stored_evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::stored_evidence(data);
});
