//! Coverage-guided driver of `fuzz::config::phase1_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::phase1_json(data);
});
