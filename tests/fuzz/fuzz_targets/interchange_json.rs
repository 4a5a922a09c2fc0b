//! Coverage-guided driver of `fuzz::legacy::interchange_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::interchange_json(data);
});
