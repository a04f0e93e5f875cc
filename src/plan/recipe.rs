//! Recipes: how a problem is computed, as plain data.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The algorithms that can be asked for by name.
///
/// ```
/// use faltung::Algorithm;
/// assert_eq!("im2col".parse::<Algorithm>()?, Algorithm::Im2col);
/// assert_eq!(Algorithm::Fft.to_string(), "fft");
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// The fastest that meets the bounds on error and workspace. The default, and the only one that falls back.
    #[default]
    Auto,
    /// The definition as plain loops: the oracle.
    Reference,
    /// The direct sum from the data where they lie, tap by tap.
    Direct,
    /// A matrix product with patches packed into its panels.
    Im2col,
    /// The convolution theorem: whole transforms, or overlap-save in tiles.
    Fft,
    /// Winograd's convolution of small kernels and many channels, in tiles.
    Winograd,
    /// A pass an axis, of kernels that are sums of few products of vectors.
    Separable,
    /// The convolution theorem along all axes but the last, and direct sums along that.
    Mixed,
}

impl Algorithm {
    /// Every algorithm that computes: all but `Auto`.
    pub const ALL: [Self; 7] =
        [Self::Reference, Self::Direct, Self::Im2col, Self::Fft, Self::Winograd, Self::Separable, Self::Mixed];

    /// The name that [`Display`](fmt::Display) and [`FromStr`] use.
    ///
    /// ```
    /// assert_eq!(faltung::Algorithm::Im2col.name(), "im2col");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Reference => "reference",
            Self::Direct => "direct",
            Self::Im2col => "im2col",
            Self::Fft => "fft",
            Self::Winograd => "winograd",
            Self::Separable => "separable",
            Self::Mixed => "mixed",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        std::iter::once(Self::Auto).chain(Self::ALL).find(|a| a.name() == text).ok_or_else(|| {
            let names: Vec<_> = std::iter::once(Self::Auto).chain(Self::ALL).map(Self::name).collect();
            Error::argument("algorithm", format!("one of {}", names.join(", ")), text)
        })
    }
}

/// How a problem is computed: the algorithm with its tiles and transform sizes, as plain data that a test compares and
/// a person prints.
///
/// A recipe and the problem fix every bit of the result on one machine, whatever the number of threads.
///
/// ```
/// use faltung::Recipe;
/// let recipe: Recipe = "fft:256x256".parse()?;
/// assert_eq!(recipe, Recipe::Fft { transform: vec![256, 256] });
/// assert_eq!(recipe.to_string(), "fft:256x256");
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipe {
    /// The definition.
    Reference,
    /// The direct sum.
    Direct {
        /// Outputs, an axis, of the tile whose input is gathered at once.
        tile: Vec<usize>,
    },
    /// A matrix product over packed patches.
    Im2col {
        /// Columns, that is outputs or (in a weight gradient) positions, that are packed at once.
        block: usize,
    },
    /// Transforms.
    Fft {
        /// The transform's size on each axis: a product of factors 2, 3, 5 and 7, on the last axis times 16, and of real
        /// elements on the first axis times 2.
        transform: Vec<usize>,
    },
    /// Winograd's convolution.
    Winograd {
        /// Results of a tile on each axis, 2, 4 or 6; of weight gradients those of the forward pass.
        tile: Vec<usize>,
    },
    /// A pass an axis for each of a kernel's products.
    Separable {
        /// Outputs, an axis, of the tile whose input is gathered at once.
        tile: Vec<usize>,
        /// Products at the most: a kernel that is no sum of as many is left to the definition.
        rank: usize,
    },
    /// Transforms along all axes but the last.
    Mixed {
        /// The transform's size on each axis but the last, a product of factors 2, 3, 5 and 7 and of real elements on the
        /// first axis times 2; on the last axis the results of a tile.
        tile: Vec<usize>,
    },
}

impl Recipe {
    /// The recipe's algorithm.
    ///
    /// ```
    /// use faltung::{Algorithm, Recipe};
    /// assert_eq!(Recipe::Im2col { block: 960 }.algorithm(), Algorithm::Im2col);
    /// ```
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Reference => Algorithm::Reference,
            Self::Direct { .. } => Algorithm::Direct,
            Self::Im2col { .. } => Algorithm::Im2col,
            Self::Fft { .. } => Algorithm::Fft,
            Self::Winograd { .. } => Algorithm::Winograd,
            Self::Separable { .. } => Algorithm::Separable,
            Self::Mixed { .. } => Algorithm::Mixed,
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = match self {
            Self::Reference => return f.pad(self.algorithm().name()),
            Self::Direct { tile } | Self::Winograd { tile } | Self::Separable { tile, .. } | Self::Mixed { tile } => {
                tile.clone()
            }
            Self::Im2col { block } => vec![*block],
            Self::Fft { transform } => transform.clone(),
        };
        let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
        let rank = if let Self::Separable { rank, .. } = self { format!(":{rank}") } else { String::new() };
        f.pad(&format!("{}:{}{rank}", self.algorithm(), sizes.join("x")))
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, sizes) = match text.split_once(':') {
            Some((name, sizes)) => (name, Some(sizes)),
            None => (text, None),
        };
        let algorithm: Algorithm = name.parse().map_err(|e| Error::parse(text, e))?;
        // `parse` alone would accept a sign.
        let size = |s: &str| s.parse().ok().filter(|&n| n > 0 && s.starts_with(|c: char| c.is_ascii_digit()));
        let (sizes, rank) = match sizes.and_then(|sizes| sizes.split_once(':')) {
            Some((sizes, rank)) => (Some(sizes), Some(rank)),
            None => (sizes, None),
        };
        let sizes: Vec<usize> = sizes
            .map_or_else(|| Some(Vec::new()), |sizes| sizes.split('x').map(size).collect())
            .ok_or_else(|| Error::parse(text, "the sizes are not positive numbers joined by 'x'"))?;
        match (algorithm, sizes.as_slice(), rank.map(size)) {
            (Algorithm::Reference, [], None) => Ok(Self::Reference),
            (Algorithm::Direct, [_, ..], None) => Ok(Self::Direct { tile: sizes }),
            (Algorithm::Im2col, &[block], None) => Ok(Self::Im2col { block }),
            (Algorithm::Fft, [_, ..], None) => Ok(Self::Fft { transform: sizes }),
            (Algorithm::Winograd, [_, ..], None) => Ok(Self::Winograd { tile: sizes }),
            (Algorithm::Separable, [_, ..], Some(Some(rank))) => Ok(Self::Separable { tile: sizes, rank }),
            (Algorithm::Mixed, [_, _, ..], None) => Ok(Self::Mixed { tile: sizes }),
            _ => Err(Error::parse(
                text,
                "a recipe is reference, direct:TILE, im2col:BLOCK, fft:TRANSFORM, winograd:TILE, separable:TILE:RANK or \
                 mixed:TILE",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_as_it_is_written() {
        for text in [
            "reference",
            "direct:8x4",
            "im2col:960",
            "fft:256x3x5",
            "winograd:4x6",
            "separable:64x512:2",
            "mixed:128x250",
        ] {
            assert_eq!(text.parse::<Recipe>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_recipe_with_sizes_missing_is_refused() {
        for text in [
            "fft:3x",
            "fft:xx3",
            "fft:x",
            "fft:",
            "fft",
            "fft:0",
            "fft:+3",
            "fft:3x-1",
            "reference:",
            "auto",
            "fft:3:2",
            "separable:8x8",
            "separable:8x8:0",
            "mixed:128",
            "mixed:8x8:1",
        ] {
            assert!(text.parse::<Recipe>().is_err(), "{text}");
        }
    }
}
