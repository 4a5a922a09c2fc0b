//! Coverage-guided driver of `fuzz::legacy::eots_db`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::eots_db(data);
});
