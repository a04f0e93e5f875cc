//! The one error type of the crate.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, with what was expected and what was given.
///
/// Every fallible function of the crate returns this type. Variants carry plain data and no type of another crate; an
/// error of another crate is kept, boxed, as the [source](std::error::Error::source).
///
/// ```
/// use faltung::{Error, Problem};
/// match "100*".parse::<Problem>() {
///     Err(Error::Parse { text, .. }) => assert_eq!(text, "100*"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument lies outside what the operation accepts.
    Argument {
        /// The argument's name, as in the documentation of the call.
        argument: Cow<'static, str>,
        /// What would have been accepted.
        expected: Cow<'static, str>,
        /// What was passed.
        given: String,
    },
    /// An array has another shape, length or element type than the problem says.
    Shape {
        /// The array's name.
        argument: Cow<'static, str>,
        /// The shape that the problem asks for.
        expected: Vec<usize>,
        /// The shape that was passed.
        given: Vec<usize>,
    },
    /// The dilated kernel is longer than the padded input, so no output position exists.
    KernelTooLong {
        /// The spatial axis, counted from 0.
        axis: usize,
        /// The kernel's extent with its dilation: `dilation * (kernel - 1) + 1`.
        kernel: usize,
        /// The input's extent with its padding.
        input: usize,
    },
    /// Sizes whose product or sum does not fit.
    Overflow {
        /// What was being computed.
        what: Cow<'static, str>,
    },
    /// A text is not in the notation that it should be in.
    Parse {
        /// The text, cut where it is long.
        text: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// An algorithm that was asked for by name cannot serve the problem.
    Unsupported {
        /// The algorithm.
        algorithm: Cow<'static, str>,
        /// What it lacks.
        reason: Cow<'static, str>,
    },
    /// No algorithm meets the caller's bounds on error and workspace.
    NoCandidate {
        /// The bound and the nearest that can be had.
        reason: String,
    },
    /// An exact sum does not fit the output's element type.
    NotRepresentable {
        /// The value, or its size where it is out of all range.
        value: String,
        /// The output's element type.
        element: &'static str,
    },
    /// An error of a library below, with what was being done.
    Other {
        /// What was being done.
        doing: Cow<'static, str>,
        /// The error.
        source: Box<dyn std::error::Error + Send + Sync + 'static>,
    },
}

/// A `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Argument`] from anything that prints.
    #[cold]
    pub(crate) fn argument(
        argument: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        given: impl fmt::Display,
    ) -> Self {
        Self::Argument { argument: argument.into(), expected: expected.into(), given: given.to_string() }
    }

    #[cold]
    pub(crate) fn shape(argument: impl Into<Cow<'static, str>>, expected: &[usize], given: &[usize]) -> Self {
        Self::Shape { argument: argument.into(), expected: expected.to_vec(), given: given.to_vec() }
    }

    #[cold]
    pub(crate) fn overflow(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Overflow { what: what.into() }
    }

    #[cold]
    pub(crate) fn parse(text: &str, reason: impl fmt::Display) -> Self {
        let mut cut: String = text.chars().take(120).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        Self::Parse { text: cut, reason: reason.to_string() }
    }

    /// An [`Error::Other`] around an error of a library below.
    #[cold]
    pub(crate) fn other(
        doing: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        Self::Other { doing: doing.into(), source: source.into() }
    }

    #[cold]
    pub(crate) fn unsupported(algorithm: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { algorithm: algorithm.into(), reason: reason.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { argument, expected, given } => {
                write!(f, "{argument}: expected {expected}, given {given}")
            }
            Self::Shape { argument, expected, given } => {
                write!(f, "{argument}: expected shape {expected:?}, given {given:?}")
            }
            Self::KernelTooLong { axis, kernel, input } => write!(
                f,
                "the kernel is longer than the data on axis {axis}: {kernel} (dilation included) against {input} \
                 (padding included)"
            ),
            Self::Overflow { what } => write!(f, "{what} overflows"),
            Self::Parse { text, reason } => write!(f, "cannot read {text:?}: {reason}"),
            Self::Unsupported { algorithm, reason } => write!(f, "{algorithm} cannot serve this problem: {reason}"),
            Self::NoCandidate { reason } => write!(f, "no algorithm fits the bounds: {reason}"),
            Self::NotRepresentable { value, element } => write!(f, "the exact sum {value} does not fit {element}"),
            Self::Other { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Other { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
