//! Coverage-guided driver of `fuzz::proofs::adaptor_signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::proofs::adaptor_signature(data);
});
