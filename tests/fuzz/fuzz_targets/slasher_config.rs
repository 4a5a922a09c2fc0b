//! Coverage-guided driver of `fuzz::config::slasher_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::config::slasher_config(data);
});
