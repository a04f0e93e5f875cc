//! How large the machine's caches are: what blocks are cut by.

use std::sync::OnceLock;

/// Bytes of the data caches that a core reads through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caches {
    /// Of the first, which is a core's own.
    pub(crate) first: usize,
    /// Of the second, which is a core's own too.
    pub(crate) second: usize,
    /// Of the last, which cores share.
    pub(crate) last: usize,
}

/// What is taken for granted where the machine does not tell.
const USUAL: Caches = Caches { first: 32 << 10, second: 1 << 20, last: 16 << 20 };

impl Caches {
    /// Those of this machine, by what its processor says of itself; usual ones where it says nothing that can be.
    /// Looked up once.
    pub(crate) fn detect() -> Self {
        static FOUND: OnceLock<Caches> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let told = told();
            let of = |level: usize, usual: usize, most: usize| {
                let bytes = told.get(level).copied().unwrap_or(0);
                if (usual / 4..=most).contains(&bytes) { bytes } else { usual }
            };
            let first = of(0, USUAL.first, 1 << 20);
            let second = of(1, USUAL.second, 64 << 20).max(first);
            // Without a third cache the second is the last.
            Self { first, second, last: of(2, USUAL.last, 1 << 30).max(second) }
        })
    }
}

/// Bytes of the data caches by their level, from the first on; 0 where nothing is told.
#[cfg(target_arch = "x86_64")]
fn told() -> [usize; 3] {
    use core::arch::x86_64::{__cpuid, __cpuid_count};

    // The same table on processors of AMD's kind and of Intel's, at another place.
    let leaf = match __cpuid(0x8000_0000).eax {
        most if most >= 0x8000_001d && __cpuid(0x8000_0001).ecx & 1 << 22 != 0 => 0x8000_001d,
        _ if __cpuid(0).eax >= 4 => 4,
        _ => return [0; 3],
    };
    let mut bytes = [0; 3];
    for index in 0..16 {
        let cache = __cpuid_count(leaf, index);
        let (kind, level) = (cache.eax & 0x1f, (cache.eax >> 5 & 7) as usize);
        if kind == 0 {
            break;
        }
        // Kind 2 holds instructions.
        if kind != 2 && (1..=3).contains(&level) {
            let [ways, parts, line] = [cache.ebx >> 22, cache.ebx >> 12 & 0x3ff, cache.ebx & 0xfff];
            let sizes = [ways, parts, line, cache.ecx].map(|n| n as usize + 1);
            bytes[level - 1] = sizes.iter().fold(1usize, |product, &n| product.saturating_mul(n));
        }
    }
    bytes
}

#[cfg(not(target_arch = "x86_64"))]
fn told() -> [usize; 3] {
    [0; 3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_grow_from_level_to_level() {
        let Caches { first, second, last } = Caches::detect();
        assert!((8 << 10..=1 << 20).contains(&first), "{first}");
        assert!(first <= second && second <= last, "{first} {second} {last}");
    }

    /// The kernel knows the same caches, where it tells of them.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_first_two_are_those_of_the_kernel() {
        let told = told();
        for index in 0..4 {
            let read = |name: &str| {
                std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}")).ok()
            };
            let (Some(level), Some(kind), Some(size)) = (read("level"), read("type"), read("size")) else { return };
            let (Ok(level), Some(size)) = (level.trim().parse::<usize>(), size.trim().strip_suffix('K')) else {
                return;
            };
            if kind.trim() != "Instruction" && level <= 2 && told[level - 1] > 0 {
                assert_eq!(Some(told[level - 1] >> 10), size.parse().ok(), "level {level}");
            }
        }
    }
}
