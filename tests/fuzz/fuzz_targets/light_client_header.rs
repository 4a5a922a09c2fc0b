//! Coverage-guided driver of `fuzz::wire::light_client_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    btc_staking_tests::fuzz::wire::light_client_header(data);
});
