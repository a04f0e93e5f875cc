//! Reads any text as a problem; what can be read must come back from what is written.

#![no_main]

use faltung::{Problem, read_suite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for (_, line) in read_suite(text) {
        check(line);
    }
    check(text);
});

fn check(text: &str) {
    if let Ok(problem) = text.parse::<Problem>() {
        let written = problem.to_string();
        assert_eq!(written.parse::<Problem>().expect(&written), problem, "{text} written as {written}");
    }
}
