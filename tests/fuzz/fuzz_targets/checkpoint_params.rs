//! Coverage-guided driver of `fuzz::chain::checkpoint_params`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::checkpoint_params(data);
});
