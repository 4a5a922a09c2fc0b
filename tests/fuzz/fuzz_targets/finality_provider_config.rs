//! Coverage-guided driver of `fuzz::config::finality_provider_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::finality_provider_config(data);
});
