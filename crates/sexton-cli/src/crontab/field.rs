//! What the fields of a line look like to other crons: what is a field, and which of ours they would
//! not take.

const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Whether a byte stands between the words of a line.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether a word is one field of a time rather than the name of a program: `*`, `?`, `1-5`, `*/2`,
/// `MON-FRI`.
pub(super) fn looks_like_a_field(word: &[u8]) -> bool {
    let of_numbers = match word {
        [b'*' | b'?', ..] => true,
        [b'0'..=b'9', rest @ ..] => rest.iter().all(|byte| {
            matches!(
                byte,
                b'0'..=b'9' | b'*' | b',' | b'-' | b'/' | b'#' | b'L' | b'W'
            )
        }),
        _ => false,
    };
    of_numbers || is_list_of_days(word)
}

/// `MON`, `mon-fri`, `Sat,Sun`; a program may be called `mon`.
fn is_list_of_days(word: &[u8]) -> bool {
    let names: Vec<&[u8]> = word.split(|byte| matches!(byte, b',' | b'-')).collect();
    let is_day = |name: &&[u8]| {
        DAYS.iter()
            .any(|day| day.as_bytes().eq_ignore_ascii_case(name))
    };
    let is_shouted = word.iter().all(u8::is_ascii_uppercase);
    (names.len() > 1 || is_shouted) && names.iter().all(is_day)
}

/// Why cron would not run a time that Sexton does: what it makes of the first item that is more
/// than [crontab(5)](https://manpages.debian.org/bookworm/cron/crontab.5.en.html) has.
pub(super) fn beyond_cron(fields: &[&str]) -> Option<String> {
    fields
        .iter()
        .flat_map(|field| field.split(','))
        .find_map(item_beyond_cron)
}

fn item_beyond_cron(item: &str) -> Option<String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    if let Some((first, last)) = range.split_once('-')
        && let (Some(first), Some(last)) = (value(first), value(last))
    {
        return (first > last).then(|| {
            format!(
                "`{item}` runs past the end of its field, and cron reads that as no value at all"
            )
        });
    }
    if step.is_some() && range != "*" && !range.contains('~') {
        return Some(format!("`{item}` has a step without a range or `*`"));
    }
    let is_plain = range == "*" || range.contains('~') || value(range).is_some();
    (!is_plain && !item.starts_with('@')).then(|| format!("`{item}` is more than cron knows"))
}

/// A number, or a name by its place.
fn value(text: &str) -> Option<usize> {
    let place = |names: &[&str]| {
        names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))
    };
    let number = || text.parse().ok();
    number()
        .or_else(|| place(&DAYS))
        .or_else(|| place(&MONTHS).map(|place| place + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_field_and_what_may_be_a_program() {
        for word in [
            "*", "?", "*/5", "7", "1-5", "2026", "MON", "mon-fri", "Sat,Sun", "6#3", "15W", "6L",
        ] {
            assert!(looks_like_a_field(word.as_bytes()), "{word}");
        }
        for word in [
            "/5",
            "7z",
            "mon",
            "[",
            "-x",
            "2to3",
            "sun-java",
            "L",
            "caf\u{e9}",
            "389-ds",
        ] {
            assert!(!looks_like_a_field(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn what_cron_would_not_run() {
        let beyond = |time: &str| beyond_cron(&time.split(' ').collect::<Vec<_>>());
        for time in [
            "* * * * *",
            "*/5 0-23/2 1,15 jan-DEC 0",
            "5-55/10 * * * 5-7",
            "0~59 ~ 1~ * mon-fri",
            "@daily",
        ] {
            assert_eq!(beyond(time), None, "{time}");
        }
        for (time, item) in [
            ("0 22-2 * * *", "22-2"),
            ("0 1,22-2/2 * * *", "22-2/2"),
            ("0 0 * * fri-sun", "fri-sun"),
            ("0 0 1 nov-feb *", "nov-feb"),
            ("5/10 * * * *", "5/10"),
            ("0 0 L * *", "L"),
            ("0 0 L-3 * *", "L-3"),
            ("0 0 15W * ?", "15W"),
            ("0 0 ? * MON#1", "?"),
        ] {
            let why = beyond(time).unwrap_or_default();
            assert!(why.starts_with(&format!("`{item}` ")), "{time}: {why}");
        }
    }
}
