//! Coverage-guided driver of `fuzz::bitcoin::inclusion_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::bitcoin::inclusion_proof(data);
});
