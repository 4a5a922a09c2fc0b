//! Coverage-guided driver of `fuzz::chain::header_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::header_info(data);
});
