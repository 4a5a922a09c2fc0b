//! Coverage-guided driver of `fuzz::bitcoin::identify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::bitcoin::identify(data);
});
