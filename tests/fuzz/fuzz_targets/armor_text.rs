//! Coverage-guided driver of `fuzz::legacy::armor_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::armor_text(data);
});
