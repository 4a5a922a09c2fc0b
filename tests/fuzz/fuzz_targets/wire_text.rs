//! Coverage-guided driver of `fuzz::chain::wire_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::wire_text(data);
});
