//! What things cost: the constants that predictions are made of.
//!
//! A prediction is a sum: how often each leaf does what it does, times what that takes once. The counts follow from the
//! problem and the recipe, and are the algorithms' business; the seconds are a machine's, and stand here.

use std::fmt;
use std::str::FromStr;

use super::Needs;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::simd::{Caches, Isa};

/// What an algorithm predicts of a run of its design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Seconds on one thread, the kernel's packing included.
    pub(crate) seconds: f64,
    /// The memory that it borrows.
    pub(crate) needs: Needs,
    /// The error bound, a multiple of `max|first| · ‖second‖₂`.
    pub(crate) error: f64,
}

/// The probabilistic error bound of a running sum of `terms` products: rounding errors that are independent add up as
/// their root mean square does, and the largest of millions is some five times that.
pub(crate) fn sum_error(terms: usize, epsilon: f64) -> f64 {
    epsilon * (2.0 + 2.0 * (terms as f64).sqrt())
}

/// That of a problem's longest sum.
pub(crate) fn running_sum_error(problem: &Problem) -> f64 {
    sum_error(problem.met_terms(), problem.dtype.epsilon())
}

/// The first line of the text.
const HEADER: &str = "faltung costs 1";

macro_rules! costs {
    ($($(#[$doc:meta])* $name:ident: $avx512:literal, $avx2:literal, $portable:literal;)*) => {
        /// What a machine takes for what the algorithms are made of: the constants of the planner's predictions, all of
        /// them in seconds.
        ///
        /// [`Costs::default`] has the values that are built in for this machine's instruction set; they suit a processor
        /// of today at some 3 to 5 GHz. `convbench calibrate` measures a machine's own and writes them to a file, the
        /// [`Display`](fmt::Display) of this type, which a program may read and hand to
        /// [`Planner::with_costs`](crate::Planner::with_costs). Costs decide which algorithm is chosen and how its work
        /// is cut, never what is right.
        ///
        /// A *register* below is one of the instruction set that runs: 16 numbers of single precision with AVX-512, 8
        /// with AVX2, 4 without either, half as many of double precision. An *element* is a number of four bytes;
        /// larger ones count as several.
        ///
        /// ```
        /// use faltung::{Costs, Planner, Problem};
        ///
        /// let text = Costs::default().to_string(); // as a file would hold it
        /// let mut costs: Costs = text.parse()?;
        /// assert_eq!(costs, Costs::default());
        ///
        /// // A machine whose direct sums are a hundred times slower takes the FFT earlier.
        /// let problem: Problem = "256x256*9x9:same".parse()?;
        /// costs.slide_fma *= 100.0;
        /// costs.slide_load *= 100.0;
        /// let slow = Planner::new().with_costs(costs);
        /// assert_ne!(slow.recipe(&problem)?.algorithm(), faltung::Algorithm::Direct);
        /// # Ok::<(), faltung::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct Costs {
            $($(#[$doc])* pub $name: f64,)*
        }

        impl Costs {
            /// The names of the constants, in the order of the text.
            ///
            /// ```
            /// assert!(faltung::Costs::NAMES.contains(&"product_fma"));
            /// ```
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Those that are built in for an instruction set.
            fn of(isa: Isa) -> Self {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => Self { $($name: $avx512),* },
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => Self { $($name: $avx2),* },
                    Isa::Portable => Self { $($name: $portable),* },
                }
            }

            /// The constant of this name.
            ///
            /// ```
            /// use faltung::Costs;
            /// let mut costs = Costs::default();
            /// if let Some(seconds) = costs.get_mut("fft_row") {
            ///     *seconds *= 2.0;
            /// }
            /// assert_eq!(costs.fft_row, 2.0 * Costs::default().fft_row);
            /// ```
            pub fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Every constant with its name.
            ///
            /// ```
            /// let costs = faltung::Costs::default();
            /// assert!(costs.iter().all(|(_, seconds)| seconds > 0.0));
            /// ```
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }
    };
}

// Built in for AVX-512, for AVX2, and without either: fitted by `convbench calibrate`, the first on a Sapphire Rapids and on a
// Zen 4, of which they are the geometric mean, the others on a Zen 3.
costs! {
    /// A run, whatever it holds.
    run: 4e-7, 3.8e-7, 3.8e-7;
    /// A work item that a thread takes.
    item: 3.9e-7, 5.1e-7, 4.1e-7;
    /// A multiply-add by the definition, index arithmetic included.
    definition: 7.6e-9, 1e-8, 1.1e-8;
    /// A byte that comes from beyond the second cache.
    fetch: 2.3e-11, 9.4e-12, 1.1e-11;
    /// A byte that comes from beyond the last cache.
    stream: 5.1e-11, 3.5e-11, 2.3e-11;

    /// Copies: an element beside the last one.
    copy: 3e-10, 2.2e-10, 7.1e-11;
    /// Copies: an element that does not lie beside the last one.
    copy_apart: 3.7e-10, 5.6e-10, 1e-9;
    /// Copies: a row.
    copy_row: 2.7e-9, 3.3e-9, 9.3e-9;
    /// Patches of `im2col`: a tap's samples of one block, whatever they are.
    patch: 3.4e-8, 5.7e-8, 6.7e-8;
    /// Patches of `im2col`: an element beside the last one, copied to a row and from there to its panel.
    patch_copy: 1.1e-10, 3.1e-10, 7e-10;
    /// Patches of `im2col`: an element that does not lie beside the last one.
    patch_apart: 3.6e-10, 7e-10, 1e-9;
    /// Copies: an element that is interleaved with those of other rows.
    interleave: 1.4e-10, 3.5e-10, 7.7e-10;
    /// A weight that is packed where those of a channel lie side by side.
    pack: 4.8e-10, 1e-9, 1.4e-9;
    /// A weight that is packed where they do not.
    pack_apart: 4.4e-9, 7.1e-9, 6.4e-9;
    /// An element of an input gradient that is folded back from beyond the data.
    fold: 1.5e-9, 1.5e-9, 1.5e-9;

    /// The product's leaf: a multiply-add of a register.
    product_fma: 9.8e-11, 1.3e-10, 2.1e-10;
    /// The product's leaf: a register of columns that is loaded, for a term of a tile.
    product_load: 1.1e-9, 2.2e-10, 2.7e-10;
    /// The product's leaf: a term of a tile.
    product_step: 4.3e-10, 6.3e-11, 1.4e-10;
    /// The product's leaf: a register of results that is written, or read and written.
    product_end: 5.9e-11, 4.2e-10, 1.8e-9;

    /// The sliding leaf: a multiply-add of a register.
    slide_fma: 2.5e-10, 1.8e-10, 2.6e-10;
    /// The sliding leaf: a register of samples that is loaded. Loads overlap with multiply-adds.
    slide_load: 6.8e-10, 4.4e-10, 4.4e-10;
    /// The sliding leaf: a register of results that is written, its sum begun and ended.
    slide_end: 3.5e-10, 6.8e-11, 8.2e-11;
    /// The sliding leaf: a channel of a tile.
    slide_tile: 4.5e-9, 2e-8, 1.6e-7;
    /// The sliding leaf: a column of taps that a call looks at.
    slide_column: 6.9e-9, 2e-9, 2e-9;

    /// The dot products' leaf: a multiply-add of a register.
    dots_fma: 1.8e-10, 7e-11, 2.9e-10;
    /// The dot products' leaf: a register that is loaded.
    dots_load: 4.6e-10, 2.7e-10, 9e-11;
    /// The dot products' leaf: a row that a tile of sums goes along.
    dots_row: 3e-9, 1.2e-8, 3.5e-9;
    /// The dot products' leaf: a tap's sums that are loaded and stored.
    dots_tap: 1.7e-9, 2e-9, 1.5e-9;
    /// The dot products' leaf: a tap's sums that are added up lane by lane.
    dots_sum: 2.7e-9, 1.4e-8, 4.8e-9;
    /// Weight gradients: a box of outputs.
    weight_box: 5.3e-7, 1.3e-7, 9.2e-7;
    /// Weight gradients: a row of a box's patches.
    weight_row: 1.5e-7, 1.7e-7, 5.3e-7;
    /// Weight gradients: an element of a part of the result, which is added to the others.
    weight_part: 9.8e-10, 1.2e-9, 8.8e-10;

    /// Winograd: a multiply-add of a register in the products.
    winograd_fma: 3.1e-10, 2e-10, 2.9e-10;
    /// Winograd: a register of a product that is begun and ended.
    winograd_end: 3.7e-10, 1.2e-9, 6.2e-10;
    /// Winograd: a multiply-add of a register in the products of weight gradients.
    winograd_weight_fma: 4e-10, 2.4e-10, 2.1e-10;
    /// Winograd: a register that is transformed along an axis of 4 points, there or back.
    winograd_transform_4: 6.9e-10, 2.9e-10, 4.4e-10;
    /// Winograd: along an axis of 6 points.
    winograd_transform_6: 7.9e-10, 2.9e-10, 3.9e-10;
    /// Winograd: along an axis of 8 points.
    winograd_transform_8: 6.7e-10, 3.4e-10, 4e-10;
    /// Winograd: a register that is gathered or written.
    winograd_copy: 1e-8, 5.5e-9, 5e-9;
    /// Winograd: a tap of a kernel that is read.
    winograd_tap: 3.9e-10, 6.8e-10, 6.1e-10;
    /// Winograd: a register of channels of a block, axis by axis.
    winograd_block: 1.4e-7, 1.8e-7, 3.3e-7;

    /// FFT: an operation of the butterflies along the last axis, five of them a number and level of two.
    fft_row: 7.2e-12, 1.4e-11, 4e-11;
    /// FFT: the same along other axes.
    fft_column: 8.8e-12, 1.7e-11, 3.7e-11;
    /// FFT: a complex number that goes through the transform of an axis, beside the butterflies.
    fft_pass: 4.8e-11, 5.6e-11, 4.1e-11;
    /// FFT: the same, of blocks that are not in the second cache.
    fft_far: 1.9e-10, 2.4e-11, 2.6e-10;
    /// FFT: a transform.
    fft_transform: 2.8e-7, 2.8e-7, 2.1e-7;
    /// FFT: an element that is gathered, or looked through, or written.
    fft_copy: 1.7e-10, 1.3e-10, 1e-9;
    /// FFT: a row of samples or results that is copied, beside its elements.
    fft_line: 3.7e-9, 2e-9, 2e-9;
    /// FFT: a complex number of a kernel's spectrum that is written.
    fft_pack: 1.5e-10, 1.1e-10, 6.9e-11;
    /// FFT: a complex product that is added up.
    fft_product: 2.2e-10, 2.7e-10, 1.4e-9;
    /// FFT: a complex number of a spectrum that comes from beyond the second cache.
    fft_fetch: 4.8e-10, 5e-10, 6.3e-10;
    /// FFT: an item of work.
    fft_item: 7.1e-9, 5.9e-8, 1.2e-7;
    /// FFT, where the last axis is summed along: a multiply-add of a register.
    fft_sum: 2.5e-10, 1.7e-10, 2.1e-10;
}

impl Default for Costs {
    /// Those that are built in for the instruction set of this machine.
    fn default() -> Self {
        Self::of(Isa::detect())
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.iter().try_for_each(|(name, seconds)| writeln!(f, "{name} = {seconds:e}"))
    }
}

/// Reads what [`Display`](fmt::Display) writes: a line that tells the version, then a `name = seconds` for every
/// constant, in any order. Blank lines, and what stands behind a `#`, do not count.
impl FromStr for Costs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let mut lines = lines.filter(|line| !line.is_empty());
        match lines.next() {
            Some(HEADER) => {}
            first => {
                let reason = format!("costs begin with the line \"{HEADER}\"");
                return Err(Error::parse(first.unwrap_or_default(), reason));
            }
        }
        let mut costs = Self::default();
        let mut missing = Self::NAMES.to_vec();
        for line in lines {
            let Some((name, value)) = line.split_once('=') else {
                return Err(Error::parse(line, "a line of costs is NAME = SECONDS"));
            };
            let (name, value) = (name.trim_end(), value.trim_start());
            let Some(constant) = costs.get_mut(name) else {
                return Err(Error::parse(line, format!("there is no constant {name}")));
            };
            let seconds = value.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
            *constant = seconds.ok_or_else(|| Error::parse(line, format!("{name} is not a positive number")))?;
            let Some(place) = missing.iter().position(|one| *one == name) else {
                return Err(Error::parse(line, format!("{name} has been given already")));
            };
            missing.remove(place);
        }
        match missing.first() {
            Some(name) => Err(Error::parse(text, format!("{name} is missing"))),
            None => Ok(costs),
        }
    }
}

/// What a call of a leaf takes beside its sums, of what an item of work takes.
const CALL: f64 = 0.2;

impl Costs {
    /// Seconds that a call of a leaf takes, whatever it does.
    pub(crate) fn call(&self) -> f64 {
        CALL * self.item
    }

    /// Seconds that a problem's arrays take to come and go, whichever algorithm reads and writes them: what exceeds the
    /// caches.
    pub(crate) fn traffic(&self, problem: &Problem) -> f64 {
        let elements: f64 =
            problem.operands().iter().map(|shape| shape.iter().map(|&n| n as f64).product::<f64>()).sum();
        let (bytes, caches) = (elements * problem.dtype.size() as f64, Caches::detect());
        // Arrays that fill half a cache are hardly there any more when they are read again.
        let beyond = |cache: usize| (bytes - 0.5 * cache as f64).max(0.0);
        beyond(caches.second) * self.fetch + beyond(caches.last) * self.stream
    }
}

/// Whether so many bytes stay in the second cache while others pass.
pub(crate) fn near(bytes: f64) -> bool {
    bytes < 0.7 * Caches::detect().second as f64
}

/// Elements of four bytes that a number counts as.
pub(crate) fn wide<T: Element>() -> f64 {
    T::DTYPE.size() as f64 / 4.0
}

/// Multiply-adds of a register that one of numbers takes: complex ones in registers of as many bytes take two.
pub(crate) fn multiply_adds<T: Element>() -> f64 {
    if T::DTYPE.is_complex() { 2.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Costs>().expect_err("they are refused").to_string()
    }

    proptest! {
        #[test]
        fn costs_are_read_as_they_are_written(
            values in vec(1u64..0x7ff0_0000_0000_0000, Costs::NAMES.len()),
            turn in 0..Costs::NAMES.len(),
        ) {
            let mut costs = Costs::default();
            for (name, &bits) in Costs::NAMES.iter().zip(&values) {
                *costs.get_mut(name).expect("a name") = f64::from_bits(bits);
            }
            let text = costs.to_string();
            prop_assert_eq!(text.parse::<Costs>().expect("its own text"), costs.clone());
            let mut lines: Vec<&str> = text.lines().collect();
            lines[1..].rotate_left(turn);
            let others = format!("# of another hand\n\n{}  # as well\r\n", lines.join("\r\n"));
            prop_assert_eq!(others.parse::<Costs>().expect("in any order"), costs);
        }
    }

    #[test]
    fn what_is_no_cost_is_refused() {
        let good = Costs::default().to_string();
        let with = |line: &str| good.replacen(good.lines().nth(1).expect("a constant"), line, 1);
        assert!(refused("").contains("begin"));
        assert!(refused(&good.replace("costs 1", "costs 2")).contains("begin"));
        assert!(refused(&with("")).contains("run is missing"));
        assert!(refused(&with("run 1e-7")).contains("NAME"));
        assert!(refused(&with("ruin = 1e-7")).contains("no constant ruin"));
        assert!(refused(&with("run = 1e-7\nrun = 1e-7")).contains("already"));
        for value in ["0", "-1e-9", "inf", "NaN", "fast", ""] {
            assert!(refused(&with(&format!("run = {value}"))).contains("not a positive number"), "{value}");
        }
    }

    #[test]
    fn every_instruction_set_has_costs() {
        for isa in Isa::all() {
            assert!(Costs::of(isa).iter().all(|(_, seconds)| seconds.is_finite() && seconds > 0.0));
        }
    }
}
