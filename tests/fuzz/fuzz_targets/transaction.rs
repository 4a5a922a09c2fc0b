//! Coverage-guided driver of `fuzz::bitcoin::transaction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::bitcoin::transaction(data);
});
