//! Any bytes as a manifest: what is said about them is short and harmless.
#![no_main]

#[path = "../diagnostics.rs"]
mod diagnostics;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| diagnostics::check(input));
