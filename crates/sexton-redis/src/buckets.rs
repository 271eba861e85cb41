//! Where the keys of a namespace are.

use std::ops::RangeInclusive;
use std::sync::Arc;

use sexton_core::name::{Namespace, TaskName};

/// In the order in which the prelude of the scripts takes them.
const KEYS: [&str; 16] = [
    "reg", "live", "rec", "run", "wait", "lane", "wake", "bare", "hist", "ahead", "cancel",
    "pause", "def", "tasks", "inst", "meta",
];
const META: usize = KEYS.len() - 1;

/// The keys of a namespace, bucket by bucket. All keys of a bucket share a slot of a cluster; a
/// task stays in its bucket.
#[derive(Debug, Clone)]
pub(crate) struct Buckets(Arc<[[String; KEYS.len()]]>);

impl Buckets {
    pub(crate) const ALLOWED: RangeInclusive<u16> = 1..=1_024;
    pub(crate) const ON_A_SERVER: u16 = 1;
    pub(crate) const IN_A_CLUSTER: u16 = 16;

    pub(crate) fn new(namespace: &Namespace, count: u16) -> Buckets {
        let keys = |bucket| KEYS.map(|name| format!("sexton:{{{namespace}/{bucket}}}:{name}"));
        Buckets((0..count.max(1)).map(keys).collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn keys(&self, bucket: usize) -> &[String] {
        self.0.get(bucket).map_or(&[], |keys| keys.as_slice())
    }

    /// A key of the bucket: where one is, all are.
    pub(crate) fn key(&self, bucket: usize) -> &str {
        self.keys(bucket).first().map_or("", String::as_str)
    }

    /// A key of the first bucket.
    pub(crate) fn home(&self) -> &str {
        self.key(0)
    }

    /// What is known of the namespace as a whole.
    pub(crate) fn meta(&self) -> &str {
        self.keys(0).get(META).map_or("", String::as_str)
    }

    /// Keys that only a look at the server uses.
    pub(crate) fn probed(&self, bucket: usize) -> [String; 3] {
        let key = self.key(bucket);
        let (bucket, _) = key.rsplit_once(':').unwrap_or((key, ""));
        ["hash", "sorted", "set"].map(|kind| format!("{bucket}:probe:{kind}"))
    }

    /// The bucket of a task, for ever the same: a hash of its name.
    pub(crate) fn of(&self, task: &TaskName) -> usize {
        if self.count() == 1 {
            return 0;
        }
        let hash = task
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        // Names that differ at their end alone are not spread by that: mixed as splitmix64 does.
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let count = u64::try_from(self.count()).unwrap_or(1);
        usize::try_from((hash ^ (hash >> 33)) % count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_stays_in_its_bucket_for_ever() {
        let buckets = Buckets::new(&Namespace::default(), 16);
        let of = |name: &str| buckets.of(&TaskName::new(name).unwrap());
        assert_eq!(
            [of("a"), of("digest"), of("digesu"), of("é")],
            [13, 9, 14, 13]
        );
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            counts[of(&format!("task-{number}"))] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_keys_of_a_bucket_share_a_slot() {
        let buckets = Buckets::new(&Namespace::new("a").unwrap(), 2);
        assert_eq!(buckets.meta(), "sexton:{a/0}:meta");
        assert!(
            buckets
                .keys(1)
                .iter()
                .all(|key| key.starts_with("sexton:{a/1}:"))
        );
    }
}
