//! What lies outside the data.

use std::fmt;
use std::hash::{Hash, Hasher};

/// What a tap reads where it falls outside the data.
///
/// The names cannot be mistaken for one another. There is no `Reflect`, because it names two different things:
///
/// | here | extension of `abcd` | SciPy `ndimage` | NumPy `pad` | OpenCV | PyTorch |
/// |---|---|---|---|---|---|
/// | `Zero` | `0 0 0 \| abcd \| 0 0 0` | `constant` | `constant` | `BORDER_CONSTANT` | `zeros` |
/// | `Constant(v)` | `v v v \| abcd \| v v v` | `constant` | `constant` | `BORDER_CONSTANT` | `constant` |
/// | `Symmetric` | `c b a \| abcd \| d c b` | `reflect` | `symmetric` | `BORDER_REFLECT` | – |
/// | `Mirror` | `d c b \| abcd \| c b a` | `mirror` | `reflect` | `BORDER_REFLECT_101` | `reflect` |
/// | `Nearest` | `a a a \| abcd \| d d d` | `nearest` | `edge` | `BORDER_REPLICATE` | `replicate` |
/// | `Wrap` | `b c d \| abcd \| a b c` | `wrap` | `wrap` | `BORDER_WRAP` | `circular` |
///
/// An extension longer than the data goes on in the same way, as often as is needed. `Mirror` of a single sample
/// repeats it. Under `Zero` a tap outside the data contributes nothing at all, even where the tap is infinite or NaN;
/// under
/// `Constant(0.0)` it contributes its product with zero.
///
/// ```
/// use faltung::Boundary;
/// // The second sample to the left of abcd, and the first to its right.
/// assert_eq!(Boundary::Symmetric.source(-2, 4), Some(1));
/// assert_eq!(Boundary::Mirror.source(-2, 4), Some(2));
/// assert_eq!(Boundary::Nearest.source(4, 4), Some(3));
/// assert_eq!(Boundary::Wrap.source(4, 4), Some(0));
/// assert_eq!(Boundary::Zero.source(4, 4), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub enum Boundary {
    /// Nothing: the tap contributes nothing.
    #[default]
    Zero,
    /// This value.
    Constant(f64),
    /// The data mirrored about their edge: `cba|abc|cba`.
    Symmetric,
    /// The data mirrored about their last sample: `cb|abc|ba`.
    Mirror,
    /// The last sample: `aa|abc|cc`.
    Nearest,
    /// The data again from the other end: `bc|abc|ab`.
    Wrap,
}

impl Boundary {
    /// The index that is read at `position` of an axis with `extent` samples; `None` where none is, under
    /// [`Zero`](Self::Zero) and [`Constant`](Self::Constant), or on an empty axis.
    ///
    /// ```
    /// // Three samples extended by nine: the mirror wraps several times.
    /// let row: Vec<_> = (-9..0).map(|p| faltung::Boundary::Mirror.source(p, 3).unwrap()).collect();
    /// assert_eq!(row, [1, 0, 1, 2, 1, 0, 1, 2, 1]);
    /// ```
    #[inline]
    pub fn source(self, position: isize, extent: usize) -> Option<usize> {
        if position >= 0 && (position as usize) < extent {
            return Some(position as usize);
        }
        if extent == 0 {
            return None;
        }
        // No slice is longer than `isize::MAX`; periods are counted apart, since twice the extent may not fit.
        let n = isize::try_from(extent).unwrap_or(isize::MAX);
        let folded = |period: isize| {
            let (turn, rest) = (position.div_euclid(period), position.rem_euclid(period));
            (turn % 2 != 0, rest)
        };
        let index = match self {
            Self::Zero | Self::Constant(_) => return None,
            Self::Nearest => position.clamp(0, n - 1),
            Self::Wrap => position.rem_euclid(n),
            Self::Symmetric => match folded(n) {
                (true, rest) => n - 1 - rest,
                (false, rest) => rest,
            },
            Self::Mirror if n == 1 => 0,
            Self::Mirror => match folded(n - 1) {
                (true, rest) => n - 1 - rest,
                (false, rest) => rest,
            },
        };
        Some(index as usize)
    }

    /// Whether samples outside the data come from the data.
    ///
    /// ```
    /// use faltung::Boundary;
    /// assert!(Boundary::Wrap.reads_data() && !Boundary::Constant(1.0).reads_data());
    /// ```
    pub fn reads_data(self) -> bool {
        !matches!(self, Self::Zero | Self::Constant(_))
    }

    fn key(self) -> (u8, u64) {
        match self {
            Self::Zero => (0, 0),
            // Two NaNs write and compute the same.
            Self::Constant(v) if v.is_nan() => (1, f64::NAN.to_bits()),
            Self::Constant(v) => (1, v.to_bits()),
            Self::Symmetric => (2, 0),
            Self::Mirror => (3, 0),
            Self::Nearest => (4, 0),
            Self::Wrap => (5, 0),
        }
    }
}

impl PartialEq for Boundary {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Boundary {}

impl Hash for Boundary {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.pad("zero"),
            // `Debug` has exponents, so that no number is hundreds of digits long.
            Self::Constant(v) => write!(f, "constant={}", format!("{v:?}").trim_end_matches(".0")),
            Self::Symmetric => f.pad("symmetric"),
            Self::Mirror => f.pad("mirror"),
            Self::Nearest => f.pad("nearest"),
            Self::Wrap => f.pad("wrap"),
        }
    }
}
