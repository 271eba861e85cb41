//! Which zone a misspelt name was meant as.

use crate::similar::closest_within;

/// The zone that was meant by a city alone, or by a name that was misspelt.
pub(super) fn meant<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    // Without a place, as in `CET`, they are legacy.
    let names: Vec<&'n str> = (names.iter().copied())
        .filter(|known| known.contains('/'))
        .collect();
    let by_city = names.iter().copied();
    let mut by_city = by_city.filter(|known| city(known).eq_ignore_ascii_case(name));
    by_city.next().or_else(|| misspelt(name, &names))
}

/// The name that was misspelt by a letter, or by one in four of the city's; or a city alone that was
/// misspelt by one letter in five.
fn misspelt<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let whole = closest_within(name, names.iter().copied(), |known| {
        (city(known).len() / 4).max(1)
    });
    whole.or_else(|| {
        let cities = names.iter().map(|known| city(known));
        let meant = closest_within(name, cities, |city| city.len() / 5)?;
        names.iter().copied().find(|known| city(known) == meant)
    })
}

fn city(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
