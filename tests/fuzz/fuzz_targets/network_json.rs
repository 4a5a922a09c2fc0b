//! Coverage-guided driver of `fuzz::config::network_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::network_json(data);
});
