//! Winograd's convolution: layers of small kernels and many channels with fewer multiplications than they have products.
//!
//! Results fall into tiles of some 2, 4 or 6 along every axis. The samples that a tile reads, and the kernel, become
//! their values at as many points as the tile reads samples ([`simd::winograd`](crate::simd)); what is left of the
//! convolution is one matrix product over the channels for each point, and the way back:
//!
//! ```text
//! samples[point][tile][channel]                  of a block of tiles, while it is in the cache
//! values[point][inner channel][outer channel]    of the kernel, a panel of outer channels at a time
//! products[point][tile] = Σ_channel samples[point][tile][channel] · values[point][channel]
//! ```
//!
//! Registers hold channels in every step, so that tiles may lie anywhere, along any number of axes, and sums of many
//! channels by few tiles lose nothing. Channels that lie behind one another in memory are transposed on the way in and
//! out.
//!
//! Few channels spread a block over many tiles, each multiplied with the whole kernel. Where it is the kernel that is
//! large, all blocks are transformed first and a panel of the kernel multiplied with all of them; where there are few
//! tiles besides, the kernel's values are made panel by panel where they are used.

mod axes;
mod design;
mod forward;
mod geometry;
mod kernels;
mod weight;

pub(crate) use design::{build, design, estimate};
