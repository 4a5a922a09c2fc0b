//! Coverage-guided driver of `fuzz::proofs::possession`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::proofs::possession(data);
});
