//! Coverage-guided driver of `fuzz::bitcoin::confirmation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::bitcoin::confirmation(data);
});
