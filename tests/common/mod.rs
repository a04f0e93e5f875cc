//! What the tests of the core share: data, cases, and the battery that every algorithm is put through.
//!
//! The variable `FALTUNG_ALGORITHMS` (say, `reference,fft`) restricts the tests to some algorithms.

#![allow(dead_code, unused_imports, unused_macros, unreachable_pub, reason = "each test file uses a part of it")]

mod battery;
mod case;
mod data;
mod problems;
mod spread;

pub use battery::*;
pub use case::*;
pub use data::*;
pub use problems::*;
pub use spread::*;

/// Evaluates `$body` with `$t` standing for the element type of the problem.
#[macro_export]
macro_rules! by_dtype {
    ($problem:expr, $t:ident => $body:expr) => {
        match $problem.dtype() {
            faltung::DType::F32 => {
                type $t = f32;
                $body
            }
            faltung::DType::F64 => {
                type $t = f64;
                $body
            }
            faltung::DType::C32 => {
                type $t = faltung::Complex<f32>;
                $body
            }
            faltung::DType::C64 => {
                type $t = faltung::Complex<f64>;
                $body
            }
            other => panic!("an element type without tests: {other}"),
        }
    };
}
