//! Coverage-guided driver of `fuzz::config::staker_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::staker_config(data);
});
