//! Any message is an event or an error, in bounded time, and reads the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    let (one, two) = (landfast::events::read(body), landfast::events::read(body));
    assert_eq!(one, two);
    if let Ok(signal) = one {
        assert!(signal.about.len() <= 100 && signal.id.len() <= 128);
        for subject in signal.about {
            assert!(!subject.to_string().contains(char::is_control));
        }
    }
});
