//! Changing the sampling rate.
