//! Coverage-guided driver of `fuzz::wire::staking_params`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::wire::staking_params(data);
});
