//! Memory between pages that nobody may touch, for the tests of the leaves: a load or a store beyond the end traps.

use std::ops::{Deref, DerefMut};

use region::{Allocation, Protection, page};

/// The end of a slice that a forbidden page adjoins. No slice but one of whole pages has two such ends, so tests try
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Last,
}

impl End {
    pub(crate) const BOTH: [Self; 2] = [Self::First, Self::Last];

    /// A copy of `values` with its guards.
    pub(crate) fn guard<T: bytemuck::Pod>(self, values: impl AsRef<[T]>) -> Guarded<T> {
        let values = values.as_ref();
        let bytes = size_of_val(values);
        let room = bytes.max(1).next_multiple_of(page::size());
        let mut memory = region::alloc(room + 2 * page::size(), Protection::READ_WRITE).expect("pages");
        let base = memory.as_mut_ptr::<u8>();
        for guard in [0, page::size() + room] {
            // SAFETY: the page lies within the allocation, and nothing refers to it.
            unsafe { region::protect(base.wrapping_add(guard), page::size(), Protection::NONE) }.expect("pages");
        }
        let before = page::size() + if self == Self::First { 0 } else { room - bytes };
        let mut guarded = Guarded { start: base.wrapping_add(before).cast(), len: values.len(), _memory: memory };
        guarded.copy_from_slice(values);
        guarded
    }
}

/// A slice that ends, or begins, at a page that nobody may touch.
pub(crate) struct Guarded<T> {
    start: *mut T,
    len: usize,
    _memory: Allocation,
}

impl<T: bytemuck::Pod> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many elements lie within the allocation's pages that may be touched, which are zero to begin with
        // and aligned as elements are, whose size divides a page's.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T: bytemuck::Pod> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; the allocation is this slice's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies at each guard, seen by a process of its own that ends by touching it.
    #[test]
    fn a_touch_beyond_the_guarded_end_is_the_last() {
        const NAME: &str = "FALTUNG_TEST_TOUCH";
        let slice = |end: End| end.guard([1u32, 2, 3]);
        if let Ok(touch) = std::env::var(NAME) {
            let address = match touch.as_str() {
                "first" => slice(End::First).as_ptr().wrapping_sub(1),
                "last" => slice(End::Last).as_ptr().wrapping_add(3),
                _ => return,
            };
            // SAFETY: none, which is the point: the page is forbidden, and the process ends here.
            unsafe { address.read_volatile() };
            return;
        }
        for (touch, dies) in [("nothing", false), ("first", true), ("last", true)] {
            let program = std::env::current_exe().expect("this program");
            let name = "simd::guarded::tests::a_touch_beyond_the_guarded_end_is_the_last";
            let output = std::process::Command::new(program).args([name, "--exact"]).env(NAME, touch).output();
            let status = output.expect("it runs").status;
            assert_eq!(!status.success(), dies, "{touch}: {status}");
        }
    }

    #[test]
    fn what_is_guarded_is_the_slice() {
        for end in End::BOTH {
            for len in [0, 1, 1000, 4096, 5000] {
                let values: Vec<u64> = (0..len).collect();
                assert_eq!(*end.guard(&values), values);
            }
        }
    }
}
