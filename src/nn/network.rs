//! A network: layers with the memory that they run in.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

use super::layer::{dense, volume};
use super::sequential::Chain;
use super::work::among_threads;
use super::{Backward, Context, Each, Float, Item, Layer, Mode, Parameter, Visitor};
use crate::aligned::Aligned;
use crate::error::{Error, Result};

/// A network of layers: it computes, learns, and is saved and loaded.
///
/// A training loop of one's own; [`Trainer`](super::Trainer) is the one that the library has:
///
/// ```
/// use faltung::ndarray::{ArrayD, array};
/// use faltung::nn::data::Targets;
/// use faltung::nn::{Activation::Tanh, Adam, CrossEntropy, Dense, Loss, Mode, Optimizer, Sequential};
///
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].into_dyn();
/// let xor = Targets::Classes(vec![0, 1, 1, 0]);
///
/// let mut network = Sequential::<f64>::new().layer(Dense::new(2, 8)).layer(Tanh).layer(Dense::new(8, 2)).build(1)?;
/// let (mut optimizer, loss) = (Optimizer::new(Adam::new(0.05)), CrossEntropy::new());
/// let mut gradient = ArrayD::zeros(vec![4, 2]);
/// for _ in 0..100 {
///     let logits = network.train(x.view())?;
///     loss.evaluate(logits, &xor, Some(gradient.view_mut()))?;
///     network.backward(gradient.view_mut())?;
///     optimizer.step(&mut network)?;
/// }
/// let logits = network.forward(x.view())?;
/// assert!(loss.evaluate(logits.view(), &xor, None)? < 0.01);
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Network<T> {
    chain: Chain<T>,
    context: Context<T>,
    /// The last forward pass's input and output.
    x: Held<T>,
    y: Held<T>,
    path: String,
}

/// An array that keeps its memory from batch to batch.
struct Held<T> {
    data: Aligned<T>,
    shape: Vec<usize>,
}

impl<T: Float> Held<T> {
    fn new() -> Self {
        Self { data: Aligned::default(), shape: Vec::new() }
    }

    fn reshape(&mut self, shape: &[usize]) {
        if self.shape != shape {
            self.shape.clear();
            self.shape.extend_from_slice(shape);
        }
        self.data.hold(volume(shape));
    }

    fn view(&self) -> Result<ArrayViewD<'_, T>> {
        ArrayViewD::from_shape(IxDyn(&self.shape), &self.data).map_err(|e| Error::other("shaping a network's array", e))
    }

    fn view_mut(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        ArrayViewMutD::from_shape(IxDyn(&self.shape), &mut self.data)
            .map_err(|e| Error::other("shaping a network's array", e))
    }
}

impl<T: Float> Network<T> {
    pub(super) fn new(chain: Chain<T>, seed: u64) -> Self {
        Self { chain, context: Context::new(seed), x: Held::new(), y: Held::new(), path: String::new() }
    }

    /// The output's shape for an input's, both with the batch along their first axis.
    ///
    /// # Errors
    /// [`Error`] of the first layer that does not take what comes to it, by its name.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.chain.output_shape(input)
    }

    /// What the network makes of a batch of inputs, (batch, …).
    ///
    /// # Errors
    /// As [`output_shape`](Self::output_shape), and those of a layer that an input cannot be taken by.
    pub fn forward(&mut self, x: ArrayViewD<'_, T>) -> Result<ArrayD<T>> {
        self.input(x.shape()).map(|mut to| to.assign(&x))?;
        Ok(self.run(Mode::Evaluate)?.to_owned())
    }

    /// As [`forward`](Self::forward), in training: dropout drops, batch norm takes the batch's statistics, and
    /// [`backward`](Self::backward) may follow.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn train(&mut self, x: ArrayViewD<'_, T>) -> Result<ArrayViewD<'_, T>> {
        self.input(x.shape()).map(|mut to| to.assign(&x))?;
        self.run(Mode::Train)
    }

    /// The array that [`run`](Self::run) reads, of a shape, to be filled in place.
    ///
    /// # Errors
    /// As [`output_shape`](Self::output_shape).
    pub fn input(&mut self, shape: &[usize]) -> Result<ArrayViewMutD<'_, T>> {
        if self.x.shape != shape || self.y.shape.is_empty() {
            // Asked first, so that a shape that no layer takes leaves no trace and takes no memory.
            let output = self.chain.output_shape(shape)?;
            self.y.reshape(&output);
            self.x.reshape(shape);
        }
        self.x.view_mut()
    }

    /// The output for what lies in [`input`](Self::input).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn run(&mut self, mode: Mode) -> Result<ArrayViewD<'_, T>> {
        self.context.set_mode(mode);
        let (x, y, chain, context) = (self.x.view()?, self.y.view_mut()?, &mut self.chain, &mut self.context);
        among_threads(|| chain.forward(x, y, context))?;
        self.y.view()
    }

    /// Computes the gradients of all parameters that are trained from that of the last output, which may be
    /// overwritten.
    ///
    /// # Errors
    /// [`Error::Shape`] where `dy` has not the last output's shape, and [`Error::Argument`] where the last forward pass
    /// was not one of training.
    pub fn backward(&mut self, dy: ArrayViewMutD<'_, T>) -> Result<()> {
        self.backward_pass(dy, None)
    }

    /// As [`backward`](Self::backward), and gives the gradient by the input as well.
    ///
    /// # Errors
    /// As [`backward`](Self::backward), and where a layer cannot tell it (an embedding).
    pub fn backward_to_input(&mut self, dy: ArrayViewMutD<'_, T>) -> Result<ArrayD<T>> {
        let mut dx = ArrayD::from_elem(IxDyn(&self.x.shape), T::ZERO);
        self.backward_pass(dy, Some(dx.view_mut()))?;
        Ok(dx)
    }

    fn backward_pass(&mut self, dy: ArrayViewMutD<'_, T>, dx: Option<ArrayViewMutD<'_, T>>) -> Result<()> {
        if dy.shape() != self.y.shape {
            return Err(Error::shape("output gradient", &self.y.shape, dy.shape()));
        }
        if !self.context.is_training() {
            return Err(Error::argument("backward", "a forward pass in training before it", "one in evaluation"));
        }
        dense("output gradient", dy.as_slice())?;
        let pass = Backward { x: self.x.view()?, y: self.y.view()?, dy, dx };
        let (chain, context) = (&mut self.chain, &mut self.context);
        among_threads(|| chain.backward(pass, context))
    }

    /// Shows every array of the network, with its path.
    ///
    /// ```
    /// use faltung::nn::{Conv2d, Item, Sequential};
    /// let mut network = Sequential::<f32>::new().layer(Conv2d::new(3, 8, 3)).build(1)?;
    /// network.visit(&mut |path, item| {
    ///     if let Item::Parameter(parameter) = item {
    ///         println!("{path}: {:?}", parameter.value.shape()); // 0.weight: [8, 3, 3, 3], 0.bias: [8]
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), faltung::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `each`, at the first of which the walk ends.
    pub fn visit(&mut self, each: &mut Each<'_, T>) -> Result<()> {
        self.chain.visit(&mut Visitor::new(&mut self.path, each))
    }

    /// As [`visit`](Self::visit), the parameters only.
    ///
    /// # Errors
    /// Those of `each`, at the first of which the walk ends.
    pub fn parameters(&mut self, each: &mut dyn FnMut(&str, &mut Parameter<T>) -> Result<()>) -> Result<()> {
        self.visit(&mut |path, item| match item {
            Item::Parameter(parameter) => each(path, parameter),
            _ => Ok(()),
        })
    }

    /// The number of weights, trained or not.
    ///
    /// ```
    /// use faltung::nn::{Dense, Sequential};
    /// assert_eq!(Sequential::<f32>::new().layer(Dense::new(128, 10)).build(1)?.parameter_count(), 1290);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn parameter_count(&mut self) -> usize {
        let mut count = 0;
        let counted = self.parameters(&mut |_, parameter| {
            count += parameter.value.len();
            Ok(())
        });
        debug_assert!(counted.is_ok(), "counting refuses nothing");
        count
    }

    /// Stops training the parameters whose path is `path` or goes on from it with a dot; all of them for an empty path.
    /// Their gradients are not computed any more, nor anything that only they need. A frozen batch norm takes its
    /// running statistics in training too, and leaves them as they are.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no such parameter.
    ///
    /// ```
    /// use faltung::nn::{Dense, Sequential};
    /// let body = Sequential::new().layer(Dense::new(8, 8));
    /// let mut network = Sequential::<f32>::new().named("body", body).named("head", Dense::new(8, 2)).build(1)?;
    /// network.freeze("body")?; // fine-tuning: the head alone learns
    /// assert!(network.freeze("bod").is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn freeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable(path, false)
    }

    /// Trains parameters again that were frozen.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn unfreeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable(path, true)
    }

    fn set_trainable(&mut self, path: &str, trainable: bool) -> Result<()> {
        let mut found = false;
        self.parameters(&mut |name, parameter| {
            let rest = name.strip_prefix(path);
            if path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                parameter.trainable = trainable;
                found = true;
            }
            Ok(())
        })?;
        if found { Ok(()) } else { Err(Error::argument("path", "that of a parameter or a layer with some", path)) }
    }

    /// What the layers share: mode, planner, random numbers.
    pub fn context(&mut self) -> &mut Context<T> {
        &mut self.context
    }
}
