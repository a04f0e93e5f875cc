//! Finite impulse responses: their design, their frequency response, and signals through them.
//!
//! | call | for |
//! |---|---|
//! | [`Fir`], [`FirDesign`] | filters by what they are to do: low-pass, band-stop, any response |
//! | [`PreparedFir`] | signals through them, along any axis, with or without delay |
//! | [`firwin`], [`firwin2`], [`savgol_coeffs`], [`kaiserord`] and their like | taps, by the names of `scipy.signal` |
//! | [`Window`] | the windows of `scipy.signal.windows` |
//! | [`freqz`], [`group_delay`] | what a filter does to each frequency |
//!
//! Frequencies are parts of the Nyquist frequency, 0 … 1, unless a sampling rate is given, as in SciPy.
//!
//! **Recursive filters** (IIR: Butterworth, biquads) are no convolutions, since every output depends on the ones before,
//! and are not here. A filter of finite length can have the same magnitude: [`FirDesign::from_response`], or
//! [`Fir::from_taps`] of the recursive filter's impulse response, as far as it matters. Long ones are fast: the planner
//! takes the FFT.

mod check;
mod design;
mod prepared;
mod response;
mod savgol;
mod spec;
mod window;

pub use check::MAX_TAPS;
pub use design::{firwin, firwin2, kaiser_atten, kaiser_beta, kaiserord};
pub use prepared::PreparedFir;
pub use response::{Frequencies, freqz, group_delay};
pub use savgol::savgol_coeffs;
pub use spec::{Fir, FirDesign};
pub use window::Window;
