//! The memory that runs borrow.

use crate::simd::{self, Line};

/// Memory that runs borrow and give back: an arena of cache lines, without a type.
///
/// One workspace serves any number of plans, one call at a time; concurrent calls take one each. It grows where a run
/// needs more than it has, and a run for which it is large enough allocates nothing.
/// [`Plan::workspace_bytes`](crate::Plan::workspace_bytes) tells how much that is.
///
/// ```
/// use faltung::{Planner, Problem, Workspace};
///
/// let problem: Problem = "1000*31:same".parse()?;
/// let plan = Planner::new().plan::<f32>(&problem)?;
/// let mut workspace = Workspace::new();
/// let (x, h, mut y) = (vec![1.0; 1000], vec![1.0; 31], vec![0.0; 1000]);
/// plan.run(&x, &h, &mut y, &mut workspace)?;
/// assert_eq!(y[500], 31.0);
/// assert!(workspace.bytes() <= plan.workspace_bytes());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Default)]
pub struct Workspace {
    lines: Vec<Line>,
    copies: Vec<Line>,
}

impl Workspace {
    /// An empty workspace, which allocates nothing yet.
    ///
    /// ```
    /// assert_eq!(faltung::Workspace::new().bytes(), 0);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// A workspace that holds `bytes` already.
    ///
    /// ```
    /// assert!(faltung::Workspace::with_bytes(100).bytes() >= 100);
    /// ```
    pub fn with_bytes(bytes: usize) -> Self {
        Self { lines: simd::zeros(bytes.div_ceil(Line::BYTES)), copies: Vec::new() }
    }

    /// Bytes that it holds.
    ///
    /// ```
    /// assert_eq!(faltung::Workspace::with_bytes(1 << 10).bytes(), 1 << 10);
    /// ```
    pub fn bytes(&self) -> usize {
        (self.lines.len() + self.copies.len()) * Line::BYTES
    }

    /// Fills it with bits that are NaN in every element type: what is left in it must never matter, and tests see to
    /// that.
    ///
    /// ```
    /// let mut workspace = faltung::Workspace::with_bytes(1 << 10);
    /// workspace.poison();
    /// ```
    pub fn poison(&mut self) {
        self.lines.fill(Line::POISON);
        self.copies.fill(Line::POISON);
    }

    /// At least so many lines, holding anything.
    pub(crate) fn lines(&mut self, count: usize) -> &mut [Line] {
        if self.lines.len() < count {
            // What was there is of no use to anyone: free it before the larger block is taken.
            self.lines = Vec::new();
            self.lines = simd::zeros(count);
        }
        &mut self.lines[..count]
    }

    /// Room, holding anything, for copies of arrays that no run can use where they lie. It is taken out, so that the
    /// run can borrow the rest, and put back by [`put_copies`](Self::put_copies).
    pub(crate) fn take_copies(&mut self, count: usize) -> Vec<Line> {
        let mut copies = std::mem::take(&mut self.copies);
        if copies.len() < count {
            drop(copies);
            copies = simd::zeros(count);
        }
        copies
    }

    pub(crate) fn put_copies(&mut self, copies: Vec<Line>) {
        self.copies = copies;
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("bytes", &self.bytes()).finish()
    }
}
