//! Coverage-guided driver of `fuzz::config::account_address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::account_address(data);
});
