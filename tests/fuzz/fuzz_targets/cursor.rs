//! Coverage-guided driver of `fuzz::bitcoin::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::bitcoin::cursor(data);
});
