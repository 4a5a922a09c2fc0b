//! Coverage-guided driver of `fuzz::chain::typed_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::chain::typed_event(data);
});
