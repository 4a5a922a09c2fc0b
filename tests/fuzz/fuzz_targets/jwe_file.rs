//! Coverage-guided driver of `fuzz::legacy::jwe_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::jwe_file(data);
});
