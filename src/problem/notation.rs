//! The notation of problems, shared by suites, tests, benchmarks and bug reports.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::{Boundary, Layout, MAX_RANK, Mode, Pass, Problem, SpatialAxis};
use crate::element::DType;
use crate::error::{Error, Result};

/// The letters of the three axes that benchdnn names, outermost first.
const AXES: [char; 3] = ['d', 'h', 'w'];
/// Input, output, kernel, stride, padding before, dilation counted from 0: the keys with a value an axis.
const SPATIAL: [char; 6] = ['i', 'o', 'k', 's', 'p', 'd'];
/// The keys with one value.
const SCALAR: [&str; 4] = ["g", "mb", "ic", "oc"];
const MODES: [Mode; 4] = [Mode::Full, Mode::Same, Mode::Valid, Mode::Causal];

/// Reads a problem.
///
/// There are two forms, and every problem can be written in one of them; options come in any order, each at most once.
///
/// A *field* has one channel and a flipped kernel, stride and dilation 1:
///
/// ```text
/// [BATCH@]INPUT*KERNEL[:MODE][:BOUNDARY][:DTYPE]
///
/// 1048576*4096     64@48000*4800:same:f64     2048x2048*31x31:same:symmetric     100*9:valid:constant=0.5
///
/// MODE      full (default) | same | valid | causal
/// BOUNDARY  zero (default) | constant=V | symmetric | mirror | nearest | wrap
/// DTYPE     f32 (default) | f64 | c32 | c64
/// ```
///
/// A *layer* is written as in oneDNN's benchdnn, with the pass in front and behind it what benchdnn has no letter for:
///
/// ```text
/// [fwd: | bwd_d: | bwd_w:]g1mb16_ic64ih56iw56_oc64oh56ow56_kh3kw3_sh1sw1_ph1pw1_dh0dw0_n"name"[:OPTION …]
///
/// bwd_w:mb16ic64ih56oc64kh3ph1     mb8ic64iw2000oc64kw9pw4     ic3ih8oc4kh3:flip:wrap:f64:nhwc
///
/// OPTION    flip | conj | nchw (default) | nhwc | a BOUNDARY | a DTYPE
/// ```
///
/// Groups `g`, batch `mb`, channels `ic` and `oc`, then the input `i`, output `o`, kernel `k`, stride `s`, padding
/// before the data `p` (negative where it crops) and dilation `d` (counted from 0) of the axes `d`, `h` and `w`. `iw`
/// alone makes one axis, `ih` two, `id` three. A missing width is the height, a missing height the depth; other
/// defaults are `g1`, `mb1`, `s1`, `p0`, `d0`, and the output that the same padding behind the data gives. `_` and
/// names are ignored. Axes without letters are written as one list, `ic2i5x4x3x2oc3k3x3x1x1s2p1`, where a single
/// value stands for all axes.
///
/// # Errors
/// [`Error::Parse`] where the text is not in the notation, and the errors of [`build`](super::ProblemBuilder::build)
/// where it is but no such problem exists.
///
/// ```
/// use faltung::{Error, Problem};
/// let layer: Problem = r#"g1mb2_ic3ih8iw8_oc4oh8ow8_kh3kw3_ph1pw1_n"my:first*layer""#.parse()?;
/// assert_eq!(layer.to_string(), "mb2ic3ih8oc4kh3ph1");
/// assert!(matches!("ic3ih8oc4kh3kh5".parse::<Problem>(), Err(Error::Parse { .. })));
/// # Ok::<(), faltung::Error>(())
/// ```
impl FromStr for Problem {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        // A name may hold any character, so only what stands before the first one tells the forms apart.
        let before_name = text.split('"').next().unwrap_or_default();
        match before_name.split_once('*') {
            Some((input, rest)) => parse_field(text, input, rest),
            None => Layer::parse(text)?.build(),
        }
    }
}

/// Writes the problem in the notation that it is read from: the field form where that can say it, else the layer form;
/// defaults are left out.
///
/// ```
/// use faltung::{Mode, Problem};
/// let field = Problem::field(&[640, 480], &[5, 5]).mode(Mode::Same);
/// assert_eq!(field.clone().build()?.to_string(), "640x480*5x5:same");
/// assert_eq!(field.stride(&[2]).build()?.to_string(), "ic1ih640iw480oc1kh5sh2ph2:flip");
/// # Ok::<(), faltung::Error>(())
/// ```
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self.mode() {
            Some(mode) => self.write_field(mode, &mut text)?,
            None => self.write_layer(&mut text)?,
        }
        f.pad(&text)
    }
}

impl Problem {
    /// The mode in which the field form says the whole problem.
    fn mode(&self) -> Option<Mode> {
        let extents = |of: fn(&SpatialAxis) -> usize| self.axes.iter().map(of).collect::<Vec<_>>();
        let builder = Self::field(&extents(|a| a.input), &extents(|a| a.kernel))
            .batch(self.batch)
            .boundary(self.boundary)
            .dtype(self.dtype);
        MODES.into_iter().find(|&mode| builder.clone().mode(mode).build().is_ok_and(|field| field == *self))
    }

    fn write_field(&self, mode: Mode, text: &mut String) -> fmt::Result {
        if self.batch != 1 {
            write!(text, "{}@", self.batch)?;
        }
        write_list(text, self.axes.iter().map(|a| a.input))?;
        text.push('*');
        write_list(text, self.axes.iter().map(|a| a.kernel))?;
        if mode != Mode::Full {
            write!(text, ":{mode}")?;
        }
        self.write_common_options(text)
    }

    fn write_layer(&self, text: &mut String) -> fmt::Result {
        if self.pass != Pass::Forward {
            write!(text, "{}:", self.pass)?;
        }
        if self.groups != 1 {
            write!(text, "g{}", self.groups)?;
        }
        if self.batch != 1 {
            write!(text, "mb{}", self.batch)?;
        }
        write!(text, "ic{}", self.in_channels)?;
        self.write_axes(text, 'i', None, |a| Some(a.input as i128))?;
        write!(text, "oc{}", self.out_channels)?;
        self.write_axes(text, 'o', None, |a| {
            let extent = a.output as i128;
            let given = symmetric_output(a.input as i128, a.span() as i128, a.stride as i128, a.padding as i128)
                != Some(extent);
            given.then_some(extent)
        })?;
        self.write_axes(text, 'k', None, |a| Some(a.kernel as i128))?;
        self.write_axes(text, 's', Some(1), |a| Some(a.stride as i128))?;
        self.write_axes(text, 'p', Some(0), |a| Some(a.padding as i128))?;
        self.write_axes(text, 'd', Some(0), |a| Some(a.dilation as i128 - 1))?;
        if self.flip {
            text.push_str(":flip");
        }
        if self.conjugate {
            text.push_str(":conj");
        }
        if self.layout != Layout::ChannelsFirst {
            write!(text, ":{}", self.layout)?;
        }
        self.write_common_options(text)
    }

    /// Writes the values of a key with one value an axis, as few as say all: `None` where the value need not be given.
    fn write_axes(
        &self,
        text: &mut String,
        key: char,
        default: Option<i128>,
        value: impl Fn(&SpatialAxis) -> Option<i128>,
    ) -> fmt::Result {
        let rank = self.rank();
        if rank <= AXES.len() {
            let mut inherited = default;
            for (letter, axis) in AXES[AXES.len() - rank..].iter().zip(&self.axes) {
                // Once an output is given, the axes behind it would inherit it.
                let needed = if key == 'o' && inherited.is_some() { Some(axis.output as i128) } else { value(axis) };
                if let Some(v) = needed
                    && inherited != Some(v)
                {
                    write!(text, "{key}{letter}{v}")?;
                    inherited = Some(v);
                }
            }
            return Ok(());
        }
        if self.axes.iter().all(|a| value(a) == default) {
            return Ok(());
        }
        let values: Vec<i128> =
            self.axes.iter().map(|a| value(a).unwrap_or(if key == 'o' { a.output as i128 } else { 0 })).collect();
        text.push(key);
        // The input's list tells the rank.
        let same = key != 'i' && values.iter().all(|&v| v == values[0]);
        write_list(text, values.into_iter().take(if same { 1 } else { rank }))
    }

    fn write_common_options(&self, text: &mut String) -> fmt::Result {
        if self.boundary != Boundary::Zero {
            write!(text, ":{}", self.boundary)?;
        }
        if self.dtype != DType::F32 {
            write!(text, ":{}", self.dtype)?;
        }
        Ok(())
    }
}

fn write_list(text: &mut String, values: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    for (i, value) in values.enumerate() {
        write!(text, "{}{value}", if i == 0 { "" } else { "x" })?;
    }
    Ok(())
}

/// The output that padding by as much behind the data as before them gives.
fn symmetric_output(input: i128, span: i128, stride: i128, padding: i128) -> Option<i128> {
    let free = (input + 2 * padding).saturating_sub(span);
    (free >= 0 && stride > 0).then(|| free / stride + 1)
}

fn parse_field(text: &str, left: &str, rest: &str) -> Result<Problem> {
    let (right, options) = rest.split_once(':').map_or((rest, None), |(right, options)| (right, Some(options)));
    if left.contains(':') {
        return Err(Error::parse(text, "a field has no pass in front; write it as a layer with the option `flip`"));
    }
    let (batch, input) = match left.split_once('@') {
        Some((batch, input)) => (number(text, "the batch", batch)?, input),
        None => (1, left),
    };
    let input = list(text, "the input", input)?;
    let kernel = list(text, "the kernel", right)?;
    let options = Options::parse(text, options, false)?;
    Problem::field(&input, &kernel)
        .batch(batch)
        .mode(options.mode.unwrap_or_default())
        .boundary(options.boundary.unwrap_or_default())
        .dtype(options.dtype.unwrap_or_default())
        .build()
}

fn list(text: &str, name: &str, values: &str) -> Result<Vec<usize>> {
    // One value more than fits is enough to tell that there are too many.
    let list: Vec<usize> =
        values.split('x').take(MAX_RANK + 1).map(|value| number(text, name, value)).collect::<Result<_>>()?;
    if list.len() > MAX_RANK {
        return Err(Error::parse(text, format_args!("{name} has more than {MAX_RANK} axes")));
    }
    Ok(list)
}

fn number(text: &str, name: &str, digits: &str) -> Result<usize> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::parse(text, format_args!("{name}: expected a whole number, found {}", quote(digits))));
    }
    digits.parse().map_err(|_| Error::parse(text, format_args!("{name}: {} is too large", quote(digits))))
}

/// The beginning of a piece of text, for a message.
fn quote(text: &str) -> String {
    if text.is_empty() {
        return "nothing".into();
    }
    let mut cut: String = text.chars().take(24).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

/// What follows the shapes.
#[derive(Default)]
struct Options {
    mode: Option<Mode>,
    boundary: Option<Boundary>,
    dtype: Option<DType>,
    layout: Option<Layout>,
    flip: Option<()>,
    conjugate: Option<()>,
}

impl Options {
    fn parse(text: &str, options: Option<&str>, layer: bool) -> Result<Self> {
        let mut got = Self::default();
        for option in options.into_iter().flat_map(|o| o.split(':')) {
            let fresh = if let Some(boundary) = boundary(text, option)? {
                got.boundary.replace(boundary).is_none()
            } else if let Some(dtype) = DType::ALL.into_iter().find(|d| d.to_string() == option) {
                got.dtype.replace(dtype).is_none()
            } else {
                match (layer, option) {
                    (true, "flip") => got.flip.replace(()).is_none(),
                    (true, "conj") => got.conjugate.replace(()).is_none(),
                    (true, "nchw") => got.layout.replace(Layout::ChannelsFirst).is_none(),
                    (true, "nhwc") => got.layout.replace(Layout::ChannelsLast).is_none(),
                    _ => match MODES.into_iter().find(|m| !layer && m.to_string() == option) {
                        Some(mode) => got.mode.replace(mode).is_none(),
                        None => {
                            let form = if layer { "layer" } else { "field" };
                            let reason = format!("{} is no option of a {form}", quote(option));
                            return Err(Error::parse(text, reason));
                        }
                    },
                }
            };
            if !fresh {
                return Err(Error::parse(text, format_args!("{} is given besides another of its kind", quote(option))));
            }
        }
        Ok(got)
    }
}

fn boundary(text: &str, option: &str) -> Result<Option<Boundary>> {
    use Boundary::{Constant, Mirror, Nearest, Symmetric, Wrap, Zero};
    if let Some(value) = option.strip_prefix("constant=") {
        let v = value.parse().map_err(|_| {
            Error::parse(text, format_args!("the boundary's constant: expected a number, found {}", quote(value)))
        })?;
        return Ok(Some(Constant(v)));
    }
    Ok([Zero, Symmetric, Mirror, Nearest, Wrap].into_iter().find(|b| b.to_string() == option))
}

/// The values of a key with one an axis.
#[derive(Clone, Default)]
enum Values {
    #[default]
    Missing,
    /// Of the axes `d`, `h` and `w`.
    Lettered([Option<i128>; 3]),
    /// Of the axes in order, or one for all of them.
    List(Vec<i128>),
}

/// A layer as it is written.
struct Layer<'a> {
    text: &'a str,
    pass: Pass,
    scalar: [Option<usize>; SCALAR.len()],
    spatial: [Values; SPATIAL.len()],
    options: Options,
}

impl<'a> Layer<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let with_pass = |pass: Pass| {
            let rest = text.strip_prefix(pass.to_string().as_str())?.strip_prefix(':')?;
            Some((pass, rest))
        };
        let (pass, body) = Pass::ALL.into_iter().find_map(with_pass).unwrap_or((Pass::Forward, text));
        let body = without_names(text, body)?;
        let (shapes, options) =
            body.split_once(':').map_or((body.as_str(), None), |(shapes, options)| (shapes, Some(options)));
        let mut layer =
            Self { text, pass, scalar: Default::default(), spatial: Default::default(), options: Options::default() };
        let mut rest = shapes;
        while !rest.is_empty() {
            rest = layer.take_entry(rest)?;
        }
        layer.options = Options::parse(text, options, true)?;
        Ok(layer)
    }

    fn error(&self, reason: impl fmt::Display) -> Error {
        Error::parse(self.text, reason)
    }

    /// Reads a key and its value or values; returns what follows them.
    fn take_entry<'b>(&mut self, rest: &'b str) -> Result<&'b str> {
        let (key, mut tail) = split_while(rest, |c| c.is_ascii_lowercase());
        if key.is_empty() {
            return Err(self.error(format_args!("expected a key such as `ic` at {}", quote(rest))));
        }
        let mut values = Vec::new();
        loop {
            let (negative, unsigned) = match tail.strip_prefix('-') {
                Some(unsigned) => (true, unsigned),
                None => (false, tail),
            };
            let (digits, after) = split_while(unsigned, |c| c.is_ascii_digit());
            if digits.is_empty() {
                let reason = format!("{}: expected a whole number, found {}", quote(key), quote(tail));
                return Err(self.error(reason));
            }
            let value = number(self.text, key, digits)? as i128;
            if negative && !key.starts_with('p') {
                return Err(self.error(format_args!("{}: only a padding may be negative", quote(key))));
            }
            if values.len() == MAX_RANK {
                return Err(self.error(format_args!("{} has more than {MAX_RANK} axes", quote(key))));
            }
            values.push(if negative { -value } else { value });
            match after.strip_prefix('x') {
                Some(next) => tail = next,
                None => {
                    self.set(key, values)?;
                    return Ok(after);
                }
            }
        }
    }

    fn set(&mut self, key: &str, values: Vec<i128>) -> Result<()> {
        let repeated = format!("{} is given twice", quote(key));
        if let Some(i) = SCALAR.iter().position(|&name| name == key) {
            let [value] = values[..] else {
                return Err(self.error(format_args!("{} has one value, not a list", quote(key))));
            };
            // Read as a `usize` and not negative.
            return match self.scalar[i].replace(value as usize) {
                None => Ok(()),
                Some(_) => Err(self.error(repeated)),
            };
        }
        let mut letters = key.chars();
        let slot = letters.next().and_then(|letter| SPATIAL.iter().position(|&s| s == letter));
        let axis = letters.next().map(|letter| AXES.iter().position(|&a| a == letter));
        let (Some(slot), None, Some(axis)) = (slot, letters.next(), axis.map_or(Some(None), |a| a.map(Some))) else {
            return Err(self.error(format_args!("{} is no key of a layer", quote(key))));
        };
        let mixed = format!("{} is given both with and without letters of axes", quote(&key[..1]));
        let fresh = match (axis, &mut self.spatial[slot]) {
            (None, target @ Values::Missing) => {
                *target = Values::List(values);
                true
            }
            (None, Values::List(_)) => false,
            (Some(axis), target) => {
                let [value] = values[..] else {
                    return Err(self.error(format_args!("{} has one value, not a list", quote(key))));
                };
                if let Values::Missing = target {
                    *target = Values::Lettered([None; 3]);
                }
                let Values::Lettered(lettered) = target else { return Err(self.error(mixed)) };
                lettered[axis].replace(value).is_none()
            }
            (None, Values::Lettered(_)) => return Err(self.error(mixed)),
        };
        if fresh { Ok(()) } else { Err(self.error(repeated)) }
    }

    /// The values of a spatial key on each of `rank` axes, with what an axis inherits.
    fn axes(&self, key: char, rank: usize, lettered: bool, default: Option<i128>) -> Result<Vec<Option<i128>>> {
        let slot = SPATIAL.iter().position(|&s| s == key).unwrap_or_default();
        match &self.spatial[slot] {
            Values::Missing => Ok(vec![default; rank]),
            Values::Lettered(values) if lettered => {
                let outside = AXES.len() - rank;
                if let Some(axis) = values[..outside].iter().position(Option::is_some) {
                    let letter = AXES[axis];
                    return Err(self.error(format_args!("`{key}{letter}` is given, but no input extent `i{letter}`")));
                }
                let mut last = default;
                let inherit = |value: &Option<i128>| {
                    last = value.or(last);
                    last
                };
                Ok(values[outside..].iter().map(inherit).collect())
            }
            Values::List(values) if !lettered => match values[..] {
                [one] => Ok(vec![Some(one); rank]),
                _ if values.len() == rank => Ok(values.iter().copied().map(Some).collect()),
                _ => Err(self.error(format_args!("`{key}` has {} values, the input has {rank} axes", values.len()))),
            },
            Values::Lettered(_) => Err(self.error(format_args!("`{key}` has letters of axes, the input has none"))),
            Values::List(_) => Err(self.error(format_args!("the input has letters of axes, `{key}` has none"))),
        }
    }

    fn build(self) -> Result<Problem> {
        let [groups, batch, ic, oc] = self.scalar;
        let needed =
            |value: Option<usize>, key: &str| value.ok_or_else(|| self.error(format_args!("`{key}` is missing")));
        let (ic, oc) = (needed(ic, "ic")?, needed(oc, "oc")?);
        let (rank, lettered) = match &self.spatial[0] {
            Values::Missing => return Err(self.error("the input's extent is missing: `iw`, `ih` or `id`")),
            Values::List(values) => (values.len(), false),
            Values::Lettered(values) => (AXES.len() - values.iter().position(Option::is_some).unwrap_or(0), true),
        };
        let axes = |key: char, default: Option<i128>| self.axes(key, rank, lettered, default);
        let all = |key: char, default: Option<i128>| -> Result<Vec<i128>> {
            let missing = |axis: usize| {
                let letter = if lettered { AXES[AXES.len() - rank + axis].to_string() } else { String::new() };
                self.error(format_args!("`{key}{letter}` is missing"))
            };
            axes(key, default)?.into_iter().enumerate().map(|(a, v)| v.ok_or_else(|| missing(a))).collect()
        };
        let (input, kernel, stride) = (all('i', None)?, all('k', None)?, all('s', Some(1))?);
        let (padding, dilation, output) = (all('p', Some(0))?, all('d', Some(0))?, axes('o', None)?);
        let mut given = Vec::with_capacity(rank);
        for a in 0..rank {
            let span = (dilation[a] + 1).saturating_mul(kernel[a] - 1).saturating_add(1);
            let output = match output[a] {
                Some(output) => output,
                // The builder refuses zeros in words of its own.
                None if input[a] == 0 || kernel[a] == 0 || stride[a] == 0 => 1,
                None => {
                    symmetric_output(input[a], span, stride[a], padding[a]).ok_or_else(|| Error::KernelTooLong {
                        axis: a,
                        kernel: usize::try_from(span).unwrap_or(usize::MAX),
                        input: usize::try_from((input[a] + 2 * padding[a]).max(0)).unwrap_or(usize::MAX),
                    })?
                }
            };
            let beyond = || Error::overflow(format!("axis {a}: the padding or the output"));
            given.push((
                isize::try_from(padding[a]).map_err(|_| beyond())?,
                usize::try_from(output).map_err(|_| beyond())?,
            ));
        }
        let sizes = |values: &[i128], plus: i128| -> Result<Vec<usize>> {
            let beyond = |_| Error::overflow("the dilation");
            values.iter().map(|&v| usize::try_from(v + plus).map_err(beyond)).collect()
        };
        Problem::layer(batch.unwrap_or(1), ic, oc, &sizes(&input, 0)?, &sizes(&kernel, 0)?)
            .stride(&sizes(&stride, 0)?)
            .dilation(&sizes(&dilation, 1)?)
            .groups(groups.unwrap_or(1))
            .pass(self.pass)
            .boundary(self.options.boundary.unwrap_or_default())
            .flip(self.options.flip.is_some())
            .conjugate(self.options.conjugate.is_some())
            .layout(self.options.layout.unwrap_or_default())
            .dtype(self.options.dtype.unwrap_or_default())
            .output(&given)
            .build()
    }
}

fn split_while(text: &str, mut belongs: impl FnMut(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// The text without names and underscores.
fn without_names(text: &str, body: &str) -> Result<String> {
    let mut clean = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, name)) = rest.split_once('"') {
        let Some(before) = before.strip_suffix('n') else {
            return Err(Error::parse(text, "a quotation mark that begins no name: names are written n\"…\""));
        };
        let Some((_, after)) = name.split_once('"') else {
            return Err(Error::parse(text, "the name is not closed by a quotation mark"));
        };
        clean.extend(before.chars().filter(|&c| c != '_'));
        rest = after;
    }
    clean.extend(rest.chars().filter(|&c| c != '_'));
    Ok(clean)
}
