//! Blocks of branches: their sum, and their concatenation.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::epilogue::{apply, unapply};
use super::{Activation, BatchNorm, Conv2d};
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::sequential::{Chain, view, view_mut};
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Buffer, Context, Design, Float, Layer, Random, Sequential, Visitor};

/// A residual block (He et al. 2015): the sum of a body's output and the input, or what a shortcut makes of it.
///
/// The arrays of the body are named as in the body, without a prefix; those of the shortcut follow its name.
/// A ReLU, sigmoid or tanh right behind the block is computed within it.
///
/// The basic block of torchvision's residual networks, with all its names:
///
/// ```
/// use faltung::nn::{Activation::Relu, BatchNorm, Conv2d, Residual, Sequential};
///
/// fn block(inputs: usize, outputs: usize, stride: usize) -> Sequential<f32> {
///     let body = Sequential::new()
///         .named("conv1", Conv2d::new(inputs, outputs, 3).stride(stride).padding(1).without_bias())
///         .named("bn1", BatchNorm::new(outputs))
///         .named("relu", Relu)
///         .named("conv2", Conv2d::new(outputs, outputs, 3).padding(1).without_bias())
///         .named("bn2", BatchNorm::new(outputs));
///     let mut block = Residual::new(body);
///     if stride != 1 || inputs != outputs {
///         let project = Conv2d::new(inputs, outputs, 1).stride(stride).without_bias();
///         block = block.shortcut("downsample", Sequential::new().layer(project).layer(BatchNorm::new(outputs)));
///     }
///     Sequential::new().named("", block).named("", Relu)
/// }
///
/// let layer1 = Sequential::new().layer(block(16, 32, 2)).layer(block(32, 32, 1));
/// let mut network = Sequential::new().named("layer1", layer1).build(1)?;
/// assert_eq!(network.output_shape(&[8, 16, 28, 28])?, [8, 32, 14, 14]);
/// let mut names = Vec::new();
/// network.parameters(&mut |name, _| Ok(names.push(name.to_owned())))?;
/// assert_eq!(names[0], "layer1.0.conv1.weight");
/// assert_eq!(names[6], "layer1.0.downsample.0.weight");
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Residual<T> {
    body: Sequential<T>,
    shortcut: Option<(String, Sequential<T>)>,
}

impl<T: Float> Residual<T> {
    /// A block that adds its input to a body's output, which must have the input's shape.
    pub fn new(body: Sequential<T>) -> Self {
        Self { body, shortcut: None }
    }

    /// What is made of the input before it is added, of the body's output's shape.
    #[must_use]
    pub fn shortcut(mut self, name: impl Into<String>, shortcut: Sequential<T>) -> Self {
        self.shortcut = Some((name.into(), shortcut));
        self
    }
}

impl<T: Float> Design<T> for Residual<T> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let body = Branch::new(String::new(), self.body, random)?;
        let shortcut = self.shortcut.map(|(name, shortcut)| Branch::new(name, shortcut, random)).transpose()?;
        Ok(Box::new(ResidualLayer { body, shortcut, activation: None }))
    }
}

/// Branches that see the same input, their outputs one after the other along the channels' axis: the blocks of
/// Inception, and the widths of a text network.
///
/// Input (batch, …), outputs (batch, channels, …), alike but for the channels. Branches are called by their number
/// from 0, or by a name given.
///
/// ```
/// use faltung::nn::{Activation::Relu, Conv1d, GlobalMaxPool, Parallel, Sequential};
/// // The convolutions of a text network: words by threes, fours and fives, the best of each over the sentence.
/// let words = |width| Sequential::new().layer(Conv1d::new(300, 100, width)).layer(Relu).layer(GlobalMaxPool);
/// let widths = Parallel::new().branch(words(3)).branch(words(4)).branch(words(5));
/// let network = Sequential::<f32>::new().layer(widths).build(1)?;
/// assert_eq!(network.output_shape(&[50, 300, 64])?, [50, 300]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Parallel<T> {
    branches: Vec<(String, Sequential<T>)>,
}

impl<T: Float> Parallel<T> {
    /// No branches yet.
    pub fn new() -> Self {
        Self { branches: Vec::new() }
    }

    /// Appends a branch, called by its number.
    #[must_use]
    pub fn branch(self, branch: Sequential<T>) -> Self {
        let name = self.branches.len().to_string();
        self.named(name, branch)
    }

    /// Appends a branch with a name of its own.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, branch: Sequential<T>) -> Self {
        self.branches.push((name.into(), branch));
        self
    }
}

impl<T: Float> Default for Parallel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Design<T> for Parallel<T> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        if self.branches.is_empty() {
            return Err(Error::argument("branches", "at least one", 0));
        }
        let branch = |(name, branch)| Branch::new(name, branch, random);
        let branches = self.branches.into_iter().map(branch).collect::<Result<_>>()?;
        Ok(Box::new(ParallelLayer { branches, input: Vec::new() }))
    }
}

/// A depthwise separable convolution of images (MobileNet, Howard et al. 2017): 3x3 taps on each channel, then one tap
/// across the channels, each with batch norm and ReLU.
///
/// ```
/// use faltung::nn::depthwise_separable;
/// let network = depthwise_separable::<f32>(32, 64, 2).build(1)?;
/// assert_eq!(network.output_shape(&[8, 32, 112, 112])?, [8, 64, 56, 56]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn depthwise_separable<T: Float>(in_channels: usize, out_channels: usize, stride: usize) -> Sequential<T> {
    let depthwise = Conv2d::new(in_channels, in_channels, 3).groups(in_channels).stride(stride).padding(1);
    Sequential::new()
        .layer(depthwise.without_bias())
        .layer(BatchNorm::new(in_channels))
        .layer(Activation::Relu)
        .layer(Conv2d::new(in_channels, out_channels, 1).without_bias())
        .layer(BatchNorm::new(out_channels))
        .layer(Activation::Relu)
}

/// A part of a block, and what it made of the last input: its layers may want that in the backward pass, and the
/// block's output does not tell it.
struct Branch<T> {
    name: String,
    chain: Chain<T>,
    shape: Vec<usize>,
    output: Buffer<T>,
}

impl<T: Float> Branch<T> {
    fn new(name: String, design: Sequential<T>, random: &mut Random) -> Result<Self> {
        Ok(Self { name, chain: design.chain(random)?, shape: Vec::new(), output: Buffer::default() })
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.chain.output_shape(input).map_err(|e| self.within(e))
    }

    fn within(&self, error: Error) -> Error {
        if self.name.is_empty() { error } else { Error::other(format!("branch {}", self.name), error) }
    }

    /// Learns the shape of the output for one of the input.
    fn expect(&mut self, input: &[usize]) -> Result<()> {
        self.shape = self.output_shape(input)?;
        Ok(())
    }

    fn forward(&mut self, x: &ArrayViewD<'_, T>, context: &mut Context<T>) -> Result<()> {
        context.give(std::mem::take(&mut self.output));
        self.output = context.take(volume(&self.shape));
        let run = self.chain.forward(x.view(), view_mut(&self.shape, &mut self.output)?, context);
        run.map_err(|e| self.within(e))
    }

    /// Gives the output back where no backward pass follows.
    fn release(&mut self, context: &mut Context<T>) {
        if !context.is_training() {
            context.give(std::mem::take(&mut self.output));
        }
    }

    fn backward(
        &mut self,
        x: &ArrayViewD<'_, T>,
        dy: &mut [T],
        dx: Option<ArrayViewMutD<'_, T>>,
        context: &mut Context<T>,
    ) -> Result<()> {
        let (y, dy) = (view(&self.shape, &self.output)?, view_mut(&self.shape, dy)?);
        let run = self.chain.backward(Backward { x: x.view(), y, dy, dx }, context);
        run.map_err(|e| self.within(e))
    }

    /// As [`backward`](Self::backward), and adds the gradient by the input to what is there.
    fn backward_adding(
        &mut self,
        x: &ArrayViewD<'_, T>,
        dy: &mut [T],
        dx: Option<&mut [T]>,
        context: &mut Context<T>,
    ) -> Result<()> {
        let Some(dx) = dx else { return self.backward(x, dy, None, context) };
        let mut more = context.take(dx.len());
        self.backward(x, dy, Some(view_mut(x.shape(), &mut more)?), context)?;
        add(dx, &more);
        context.give(more);
        Ok(())
    }
}

fn add<T: Float>(to: &mut [T], more: &[T]) {
    share((to, more), GRAIN, &|_, (to, more)| {
        wide!(to.iter_mut().zip(more).for_each(|(to, &more)| *to += more));
    });
}

struct ResidualLayer<T> {
    body: Branch<T>,
    shortcut: Option<Branch<T>>,
    activation: Option<Activation>,
}

impl<T: Float> Layer<T> for ResidualLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let output = self.body.output_shape(input)?;
        let added = self.shortcut.as_ref().map_or_else(|| Ok(input.to_vec()), |s| s.output_shape(input))?;
        if added != output {
            return Err(Error::shape("what a residual block adds", &output, &added));
        }
        Ok(output)
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        for branch in [Some(&mut self.body), self.shortcut.as_mut()].into_iter().flatten() {
            if branch.shape != y.shape() {
                branch.shape = y.shape().to_vec();
            }
            branch.forward(&x, context)?;
        }
        let (whole, activation) = (input(&x)?, self.activation);
        let added = self.shortcut.as_ref().map_or(whole, |shortcut| &shortcut.output);
        share((&self.body.output[..], added, output(y)?), GRAIN, &|_, (body, added, y)| {
            wide!({
                y.iter_mut().zip(body.iter().zip(added)).for_each(|(y, (&a, &b))| *y = a + b);
                apply(y, activation);
            });
        });
        self.body.release(context);
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.release(context);
        }
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Backward { x, y, dy, dx } = pass;
        let (dy, activation) = (dense("output gradient", dy.into_slice())?, self.activation);
        // The body may overwrite its copy.
        let mut copy = context.take(dy.len());
        share((input(&y)?, &mut *dy, &mut copy[..]), GRAIN, &|_, (y, dy, copy)| {
            wide!({
                unapply(y, dy, activation);
                copy.copy_from_slice(dy);
            });
        });
        let mut dx = dx.map(output).transpose()?;
        let to_input = dx.as_deref_mut().map(|dx| view_mut(x.shape(), dx)).transpose()?;
        self.body.backward(&x, &mut copy, to_input, context)?;
        context.give(copy);
        match (&mut self.shortcut, dx) {
            (Some(shortcut), dx) => shortcut.backward_adding(&x, dy, dx, context)?,
            (None, Some(dx)) => add(dx, dy),
            (None, None) => {}
        }
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        let mut branches = [Some(&mut self.body), self.shortcut.as_mut()].into_iter().flatten();
        branches.try_for_each(|branch| visitor.layer(&branch.name, &mut branch.chain))
    }

    fn fuse(&mut self, activation: Activation) -> bool {
        let fused = self.activation.is_none() && activation.knows_slope_by_value();
        if fused {
            self.activation = Some(activation);
        }
        fused
    }
}

struct ParallelLayer<T> {
    branches: Vec<Branch<T>>,
    /// The shape of input that the branches' shapes are for.
    input: Vec<usize>,
}

impl<T: Float> ParallelLayer<T> {
    /// Calls `visit` for each branch with the place of its first element in a sample of the whole, and with theirs.
    fn each(&mut self, mut visit: impl FnMut(&mut Branch<T>, usize, usize) -> Result<()>) -> Result<()> {
        let mut at = 0;
        for branch in &mut self.branches {
            let width = volume(branch.shape.get(1..).unwrap_or(&[]));
            visit(branch, at, width)?;
            at += width;
        }
        Ok(())
    }
}

impl<T: Float> Layer<T> for ParallelLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let mut whole: Option<Vec<usize>> = None;
        for branch in &self.branches {
            let shape = branch.output_shape(input)?;
            let refuse =
                |expected: String| Err(branch.within(Error::argument("output", expected, format!("shape {shape:?}"))));
            let [batch, channels, rest @ ..] = &shape[..] else { return refuse("(batch, channels, …)".into()) };
            if shape[1..].contains(&0) {
                return refuse("at least one number a sample".into());
            }
            match &mut whole {
                Some(whole) if whole[0] == *batch && whole[2..] == *rest => whole[1] += channels,
                Some(whole) => return refuse(format!("{whole:?} but for the channels")),
                None => whole = Some(shape),
            }
        }
        whole.ok_or_else(|| Error::argument("output of the branches", "(batch, channels, …)", "no axes"))
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        if self.input != x.shape() {
            self.branches.iter_mut().try_for_each(|branch| branch.expect(x.shape()))?;
            self.input = x.shape().to_vec();
        }
        let whole = volume(y.shape().get(1..).unwrap_or(&[]));
        let y = output(y)?;
        self.each(|branch, at, width| {
            branch.forward(&x, context)?;
            share(
                (rows(&mut *y, whole), rows(&branch.output[..], width)),
                GRAIN.div_ceil(width.max(1)),
                &|_, (y, b)| {
                    let samples = y.data.chunks_exact_mut(whole).zip(b.data.chunks_exact(width));
                    samples.for_each(|(y, b)| y[at..at + width].copy_from_slice(b));
                },
            );
            branch.release(context);
            Ok(())
        })
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Backward { x, y, dy, dx } = pass;
        let whole = volume(y.shape().get(1..).unwrap_or(&[]));
        let dy = dense("output gradient", dy.as_slice())?;
        let mut dx = dx.map(output).transpose()?;
        // The first one writes the gradient by the input, the others add to it.
        self.each(|branch, at, width| {
            let mut own = context.take(branch.output.len());
            share((rows(&mut own[..], width), rows(dy, whole)), GRAIN.div_ceil(width.max(1)), &|_, (own, dy)| {
                let samples = own.data.chunks_exact_mut(width).zip(dy.data.chunks_exact(whole));
                samples.for_each(|(own, dy)| own.copy_from_slice(&dy[at..at + width]));
            });
            let mut dx = dx.as_deref_mut();
            match at {
                0 => {
                    let to_input = dx.as_deref_mut().map(|dx| view_mut(x.shape(), dx)).transpose()?;
                    branch.backward(&x, &mut own, to_input, context)?;
                }
                _ => branch.backward_adding(&x, &mut own, dx, context)?,
            }
            context.give(own);
            Ok(())
        })
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        self.branches.iter_mut().try_for_each(|branch| visitor.layer(&branch.name, &mut branch.chain))
    }
}
