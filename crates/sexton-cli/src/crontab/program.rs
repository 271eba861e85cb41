//! Which program a command runs, as far as its text tells.

/// What stands for a program that cannot be told.
const UNTOLD: &str = "command";
/// How much of a program's name is told, in bytes.
const PROGRAM_BYTES_MAX: usize = 60;

/// The base name of the command's first word that is no assignment, and nothing else of the
/// command, since a command may hold a secret anywhere else. `command` if the word is not plain: it
/// has quotes inside, an expansion, or characters that are rare in the names of programs.
pub(super) fn program(script: &[u8]) -> &str {
    let mut rest = script.trim_ascii_start();
    loop {
        let Some(end) = end_of_word(rest) else {
            return UNTOLD;
        };
        let (word, behind) = rest.split_at(end);
        if !is_assignment(word) {
            return base_name(word).unwrap_or(UNTOLD);
        }
        rest = behind.trim_ascii_start();
        if rest.is_empty() {
            return UNTOLD;
        }
    }
}

/// Where the first word ends, quotes and backslashes heeded; `None` if the word has an expansion or
/// a quote without an end, so that only a shell can tell.
fn end_of_word(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut bytes = text.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(b'\''), _) => {}
            (_, b'`') => return None,
            (_, b'$') if text.get(at + 1).is_some_and(|next| b"({'\"".contains(next)) => {
                return None;
            }
            (_, b'\\') => {
                bytes.next()?;
            }
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, byte) if byte.is_ascii_whitespace() || b";&|<>()".contains(&byte) => {
                return Some(at);
            }
            (None, _) => {}
        }
    }
    quote.is_none().then_some(text.len())
}

fn is_assignment(word: &[u8]) -> bool {
    let end = word.iter().position(|byte| *byte == b'=').unwrap_or(0);
    let name = word.get(..end).unwrap_or_default();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match name {
        [first, rest @ ..] => {
            let rest = rest.strip_suffix(b"+").unwrap_or(rest);
            !first.is_ascii_digit() && is_of_name(first) && rest.iter().all(is_of_name)
        }
        [] => false,
    }
}

fn base_name(word: &[u8]) -> Option<&str> {
    let word = match word {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
        _ => word,
    };
    let name = word.rsplit(|byte| *byte == b'/').next()?;
    let name = std::str::from_utf8(name).ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | '[');
    let fits = (1..=PROGRAM_BYTES_MAX).contains(&name.len());
    (fits && name.chars().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_that_is_no_assignment() {
        for (script, expected) in [
            ("ring --loud", "ring"),
            ("/usr/local/bin/ring.sh", "ring.sh"),
            ("cd / && run-parts --report", "cd"),
            ("[ -x /usr/sbin/dma ] && x", "["),
            ("A=1 B='x y' C+=\"p q\" /bin/ring", "ring"),
            ("A=a\\ b ring", "ring"),
            ("\"/opt/bell/ring\" x", "ring"),
            ("ring;cat", "ring"),
            ("g++ x", "g++"),
            ("A=1;ring", "command"),
            ("A=1", "command"),
            ("", "command"),
            ("/", "command"),
        ] {
            assert_eq!(program(script.as_bytes()), expected, "{script}");
        }
    }

    #[test]
    fn no_secret_is_taken_for_a_program() {
        for script in [
            "TOKEN=\"hunter2 hunter2\" ring",
            "TOKEN='hunter2\" hunter2' ring",
            "TOKEN=hunter2",
            "TOKEN=$(cat hunter2) hunter2",
            "TOKEN=`echo hunter2` hunter2",
            "TOKEN=${A:-hunter2 hunter2} x",
            "TOKEN=\"a$(echo \" hunter2 \")\" hunter2",
            "TOKEN=\"hunter2 hunter2",
            "TOKEN=hunter\\ hunter2 ring",
            "https://me:hunter2@bells/",
            "x=hunter2@y z",
            "hunter2:hunter2@y",
            "(hunter2)",
            "$TOKEN/hunter2$x",
            "ring=hunter2",
        ] {
            let told = program(script.as_bytes());
            assert!(!told.contains("hunter2"), "{script}: {told}");
        }
        assert_eq!(program(b"caf\xe9 x"), "command");
        assert_eq!(program(&[b'x'; 61]), "command");
    }
}
