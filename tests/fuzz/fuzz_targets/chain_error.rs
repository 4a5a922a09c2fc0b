//! Coverage-guided driver of `fuzz::chain::chain_error`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::chain_error(data);
});
