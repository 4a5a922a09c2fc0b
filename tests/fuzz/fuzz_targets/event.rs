//! Coverage-guided driver of `fuzz::wire::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::wire::event(data);
});
