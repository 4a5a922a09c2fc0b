//! Coverage-guided driver of `fuzz::wire::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::wire::message(data);
});
