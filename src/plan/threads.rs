//! Which threads a run uses.

/// Which threads a run may use. The result has the same bits with any choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Threads {
    /// Those of the rayon pool that the caller is in. The default.
    #[default]
    Pool,
    /// The calling thread alone.
    Serial,
    /// As `Pool`, but no more than so many at once.
    AtMost(usize),
}

impl Threads {
    /// The largest number of threads that would run at once, called from here.
    ///
    /// ```
    /// use faltung::Threads;
    /// assert_eq!(Threads::Serial.count(), 1);
    /// assert_eq!(Threads::AtMost(1).count(), 1);
    /// assert!(Threads::Pool.count() >= 1);
    /// ```
    pub fn count(self) -> usize {
        #[cfg(feature = "parallel")]
        let pool = rayon::current_num_threads();
        #[cfg(not(feature = "parallel"))]
        let pool = 1;
        match self {
            Self::Pool => pool,
            Self::Serial => 1,
            Self::AtMost(n) => n.clamp(1, pool),
        }
    }
}
