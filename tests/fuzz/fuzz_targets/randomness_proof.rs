//! Coverage-guided driver of `fuzz::proofs::randomness_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::proofs::randomness_proof(data);
});
