//! Coverage-guided driver of `fuzz::proofs::two_votes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::proofs::two_votes(data);
});
