//! The hash by which replicas agree on a task's jitter and on its place in a field, without talking.
//!
//! Written out here so that no library's new version can change it; its values are pinned by the
//! tests of [`Jitter`](super::Jitter) and [`Spread`](super::Spread).

use crate::name::{Namespace, TaskName};

/// The hash of a task: FNV-1a over both names, each behind its length in bytes (eight bytes, the
/// lowest first), and then [`mix`], since FNV alone hardly stirs its high bits.
pub(super) fn of_task(namespace: &Namespace, task: &TaskName) -> u64 {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut names = FNV_OFFSET;
    for name in [namespace.as_str(), task.as_str()] {
        let length = (name.len() as u64).to_le_bytes();
        for byte in length.iter().chain(name.as_bytes()) {
            names = (names ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        }
    }
    mix(names)
}

/// One step of SplitMix64: each bit of the result depends on all bits given.
pub(super) fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number below `count`: the high half of the product, which is even without a division.
pub(super) fn below(hash: u64, count: u64) -> u64 {
    let product = u128::from(hash) * u128::from(count);
    u64::try_from(product >> 64).unwrap_or(0)
}
