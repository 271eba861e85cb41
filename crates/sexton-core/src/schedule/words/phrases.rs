//! Lists, runs, counts and ordinals in words.

use std::fmt::Display;

/// The members of a set of bits, least first.
pub(in crate::schedule) fn members(mut bits: u64) -> Vec<u32> {
    let mut members = Vec::new();
    while bits != 0 {
        members.push(bits.trailing_zeros());
        bits &= bits - 1;
    }
    members
}

/// `a`, `a and b`, `a, b and c`.
pub(in crate::schedule) fn list<T: Display>(items: &[T]) -> String {
    joined(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn list_or<T: Display>(items: &[T]) -> String {
    joined(items, "or")
}

fn joined<T: Display>(items: &[T], word: &str) -> String {
    let commas = |items: &[T]| {
        items
            .iter()
            .map(T::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match items {
        [start @ .., last] if !start.is_empty() => format!("{} {word} {last}", commas(start)),
        _ => commas(items),
    }
}

/// Runs of three and more become `a to b`.
pub(super) fn with_runs<T: Display>(members: &[u32], name: impl Fn(u32) -> T) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = members;
    while let [first, ..] = rest {
        let run = (*first..)
            .zip(rest)
            .take_while(|(expected, found)| expected == *found)
            .count();
        let (run, after) = rest.split_at(run);
        match run {
            [first, .., last] if run.len() > 2 => {
                items.push(format!("{} to {}", name(*first), name(*last)));
            }
            few => items.extend(few.iter().map(|member| name(*member).to_string())),
        }
        rest = after;
    }
    items
}

/// `1st`, `2nd`, `3rd`, `4th`, …
pub(in crate::schedule) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `minute`, `2 minutes`.
pub(super) fn count_of(count: u32, unit: &str) -> String {
    if count == 1 {
        unit.to_owned()
    } else {
        format!("{count} {unit}s")
    }
}
