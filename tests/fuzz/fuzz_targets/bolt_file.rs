//! Coverage-guided driver of `fuzz::legacy::bolt_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::legacy::bolt_file(data);
});
