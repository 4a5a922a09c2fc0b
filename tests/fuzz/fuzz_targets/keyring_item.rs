//! Coverage-guided driver of `fuzz::legacy::keyring_item`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::keyring_item(data);
});
