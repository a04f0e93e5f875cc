//! Layers one after the other.

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};

use super::layer::{dense, output, volume};
use super::{Backward, Buffer, Context, Design, Float, Layer, Network, Random, Visitor};
use crate::error::{Error, Result};

/// The design of layers one after the other: a network, or a part of one.
///
/// Layers are called by their place from 0, as in PyTorch's `nn.Sequential`, or by a name given. An
/// [`Activation`](super::Activation) behind a convolution or a dense layer is computed within it, and keeps its place
/// and number.
///
/// ```
/// use faltung::ndarray::ArrayD;
/// use faltung::nn::{Activation::Relu, Conv2d, Dense, Flatten, MaxPool2d, Sequential};
///
/// let design = Sequential::new()
///     .layer(Conv2d::new(1, 32, 3))
///     .layer(Relu)
///     .layer(MaxPool2d::new(2))
///     .layer(Flatten)
///     .layer(Dense::new(5408, 128))
///     .layer(Relu)
///     .layer(Dense::new(128, 10));
/// let mut network = design.build(1)?; // the seed of its first weights
/// let digits = ArrayD::<f32>::zeros(vec![64, 1, 28, 28]);
/// assert_eq!(network.forward(digits.view())?.shape(), [64, 10]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Sequential<T> {
    layers: Vec<(String, Box<dyn Design<T>>)>,
}

impl<T: Float> Sequential<T> {
    /// No layers yet: what goes in comes out.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// Appends a layer, called by its place.
    #[must_use]
    pub fn layer(self, design: impl Design<T> + 'static) -> Self {
        let name = self.layers.len().to_string();
        self.named(name, design)
    }

    /// Appends a layer with a name of its own. Within a block whose layers are to have no prefix the name is empty.
    ///
    /// ```
    /// use faltung::nn::{Dense, Sequential};
    /// let mut network = Sequential::<f32>::new().named("fc1", Dense::new(3, 2)).build(1)?;
    /// let mut names = Vec::new();
    /// network.visit(&mut |name, _| Ok(names.push(name.to_owned())))?;
    /// assert_eq!(names, ["fc1.weight", "fc1.bias"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, design: impl Design<T> + 'static) -> Self {
        self.layers.push((name.into(), Box::new(design)));
        self
    }

    /// Builds the network, its first weights drawn from a seed.
    ///
    /// # Errors
    /// The first layer's that makes no sense.
    pub fn build(self, seed: u64) -> Result<Network<T>> {
        let mut random = Random::new(seed);
        Ok(Network::new(self.chain(&mut random)?, seed))
    }

    pub(super) fn chain(self, random: &mut Random) -> Result<Chain<T>> {
        let mut links: Vec<Link<T>> = Vec::with_capacity(self.layers.len());
        for (name, design) in self.layers {
            let layer = design.build(random)?;
            links.push(Link { name, layer, absorbed: false });
        }
        fuse(&mut links);
        Ok(Chain { links, route: Route::default(), buffers: Vec::new() })
    }
}

impl<T: Float> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Design<T> for Sequential<T> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        Ok(Box::new(self.chain(random)?))
    }
}

/// Lets layers take in the activations and the max pooling behind them.
fn fuse<T: Float>(links: &mut [Link<T>]) {
    let mut host: Option<usize> = None;
    for i in 0..links.len() {
        let (before, behind) = links.split_at_mut(i);
        let Some(link) = behind.first_mut() else { continue };
        let host_layer = host.and_then(|host| before.get_mut(host)).map(|host| &mut host.layer);
        link.absorbed = host_layer.is_some_and(|host| {
            link.layer.activation().is_some_and(|activation| host.fuse(activation))
                || link.layer.max_pool().is_some_and(|window| host.fuse_max_pool(window))
        });
        if !link.absorbed {
            host = Some(i);
        }
    }
}

struct Link<T> {
    name: String,
    layer: Box<dyn Layer<T>>,
    /// Whether the layer before computes this one.
    absorbed: bool,
}

/// Where a step's input or output lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Input,
    Buffer(usize),
    Output,
}

/// One layer's run.
#[derive(Clone, Debug)]
struct Step {
    link: usize,
    from: Place,
    to: Place,
    input: Vec<usize>,
    output: Vec<usize>,
}

/// The steps for one shape of input.
#[derive(Clone, Debug, Default)]
struct Route {
    input: Vec<usize>,
    output: Vec<usize>,
    steps: Vec<Step>,
}

/// Layers one after the other, built.
pub(super) struct Chain<T> {
    links: Vec<Link<T>>,
    route: Route,
    /// What the steps have written, by step. Taken from the context, and given back.
    buffers: Vec<Buffer<T>>,
}

impl<T: Float> Chain<T> {
    fn plan(&self, input: &[usize]) -> Result<Route> {
        let mut shape = input.to_vec();
        let mut steps: Vec<Step> = Vec::with_capacity(self.links.len());
        for (i, link) in self.links.iter().enumerate() {
            if link.absorbed {
                continue;
            }
            let output = link.layer.output_shape(&shape).map_err(|e| within(&link.name, e))?;
            if !link.layer.is_reshape() {
                let from = steps.len().checked_sub(1).map_or(Place::Input, Place::Buffer);
                let to = Place::Buffer(steps.len());
                steps.push(Step { link: i, from, to, input: shape, output: output.clone() });
            }
            shape = output;
        }
        if let Some(last) = steps.last_mut() {
            last.to = Place::Output;
        }
        Ok(Route { input: input.to_vec(), output: shape, steps })
    }

    fn reserve(&mut self, context: &mut Context<T>) {
        for buffer in &mut self.buffers {
            context.give(std::mem::take(buffer));
        }
        self.buffers.resize_with(self.route.steps.len(), Buffer::default);
    }

    /// The first step whose gradients anybody wants: those of its parameters, or of its input.
    fn first_wanted(&mut self, with_input: bool) -> Result<usize> {
        if with_input {
            return Ok(0);
        }
        for (i, step) in self.route.steps.iter().enumerate() {
            let Some(link) = self.links.get_mut(step.link) else { continue };
            if learns(&mut *link.layer)? {
                return Ok(i);
            }
        }
        Ok(self.route.steps.len())
    }
}

/// Whether a layer has parameters that are trained.
pub(super) fn learns<T: Float>(layer: &mut dyn Layer<T>) -> Result<bool> {
    let mut any = false;
    layer.visit(&mut Visitor::nameless(&mut |_, item| {
        any |= matches!(item, super::Item::Parameter(parameter) if parameter.trainable);
        Ok(())
    }))?;
    Ok(any)
}

/// An error, with the layer that it came from.
fn within(name: &str, error: Error) -> Error {
    if name.is_empty() { error } else { Error::other(format!("layer {name}"), error) }
}

/// A slice as an array of a shape.
pub(super) fn view<'a, T: Float>(shape: &[usize], data: &'a [T]) -> Result<ArrayViewD<'a, T>> {
    ArrayViewD::from_shape(IxDyn(shape), data).map_err(|e| Error::other("shaping a layer's input", e))
}

/// A slice as an array of a shape, to be written.
pub(super) fn view_mut<'a, T: Float>(shape: &[usize], data: &'a mut [T]) -> Result<ArrayViewMutD<'a, T>> {
    ArrayViewMutD::from_shape(IxDyn(shape), data).map_err(|e| Error::other("shaping a layer's output", e))
}

impl<T: Float> Layer<T> for Chain<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if self.route.input == input && !input.is_empty() {
            return Ok(self.route.output.clone());
        }
        Ok(self.plan(input)?.output)
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        if self.route.input != x.shape() || x.ndim() == 0 {
            self.route = self.plan(x.shape())?;
        }
        self.reserve(context);
        let (x, y) = (dense("input", x.as_slice())?, output(y)?);
        if self.route.steps.is_empty() {
            y.copy_from_slice(x);
            return Ok(());
        }
        let keep = context.is_training();
        for (i, step) in self.route.steps.iter().enumerate() {
            let Some(link) = self.links.get_mut(step.link) else { continue };
            let mut out = match step.to {
                Place::Output => Buffer::default(),
                _ => context.take(volume(&step.output)),
            };
            let from = match step.from {
                Place::Buffer(j) => self.buffers.get(j).map_or(&[][..], |b| b),
                _ => x,
            };
            let to = if step.to == Place::Output { &mut *y } else { &mut out[..] };
            let run = link.layer.forward(view(&step.input, from)?, view_mut(&step.output, to)?, context);
            run.map_err(|e| within(&link.name, e))?;
            if let (false, Place::Buffer(j)) = (keep, step.from)
                && let Some(used) = self.buffers.get_mut(j)
            {
                context.give(std::mem::take(used));
            }
            if let Some(buffer) = self.buffers.get_mut(i) {
                *buffer = out;
            }
        }
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Backward { x, y, dy, dx } = pass;
        if self.route.input != x.shape() || self.buffers.len() != self.route.steps.len() {
            return Err(Error::argument(
                "backward",
                "a forward pass in training on the same shape before it",
                format!("input {:?} after {:?}", x.shape(), self.route.input),
            ));
        }
        let (x, y) = (dense("input", x.as_slice())?, dense("output", y.as_slice())?);
        let dy = dense("output gradient", dy.into_slice())?;
        let mut dx = dx.map(output).transpose()?;
        if self.route.steps.is_empty() {
            if let Some(dx) = dx {
                dx.copy_from_slice(dy);
            }
            return Ok(());
        }
        let first = self.first_wanted(dx.is_some())?;
        let mut later = Buffer::default();
        for (i, step) in self.route.steps.iter().enumerate().skip(first).rev() {
            let Some(link) = self.links.get_mut(step.link) else { continue };
            let gradient = if step.to == Place::Output { &mut *dy } else { &mut later[..] };
            let written = if step.to == Place::Output { y } else { self.buffers.get(i).map_or(&[][..], |b| b) };
            let mut earlier = Buffer::default();
            let (read, to_input) = match step.from {
                Place::Buffer(j) => {
                    if i > first {
                        earlier = context.take(volume(&step.input));
                    }
                    let read = self.buffers.get(j).map_or(&[][..], |b| b);
                    (read, (i > first).then_some(&mut earlier[..]))
                }
                _ => (x, dx.as_deref_mut()),
            };
            let pass = Backward {
                x: view(&step.input, read)?,
                y: view(&step.output, written)?,
                dy: view_mut(&step.output, gradient)?,
                dx: to_input.map(|to| view_mut(&step.input, to)).transpose()?,
            };
            link.layer.backward(pass, context).map_err(|e| within(&link.name, e))?;
            context.give(std::mem::replace(&mut later, earlier));
        }
        context.give(later);
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        self.links.iter_mut().try_for_each(|link| visitor.layer(&link.name, &mut *link.layer))
    }
}
