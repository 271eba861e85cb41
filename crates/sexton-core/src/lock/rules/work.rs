//! Counts the records that are looked at, for tests of what a call costs. Elsewhere it does
//! nothing.

#[cfg(test)]
thread_local! {
    static SEEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The same items; each that is taken counts.
#[cfg(test)]
pub(crate) fn seen<I: Iterator>(items: I) -> impl Iterator<Item = I::Item> {
    items.inspect(|_| SEEN.set(SEEN.get() + 1))
}

#[cfg(not(test))]
pub(crate) fn seen<I: Iterator>(items: I) -> I {
    items
}

/// How many items this thread has seen since it was last asked.
#[cfg(test)]
pub(crate) fn take_seen() -> usize {
    SEEN.take()
}
