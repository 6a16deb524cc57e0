//! Any text is a template or an error, in bounded time, and a template reads the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    let (one, two) = (landfast::template::parse(body), landfast::template::parse(body));
    assert_eq!(one, two);
    if let Ok(template) = one {
        assert!(landfast::template::predict(&template.facts, &template.facts).is_empty());
    }
});
