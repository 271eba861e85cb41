//! Functions that are not too long, by their indentation, which rustfmt keeps.

use super::complaint::Complaint;

/// Lines of a function, its signature and its end included.
const LINES_MAX: usize = 100;

/// What may stand before `fn`.
const QUALIFIERS: [&str; 5] = ["async", "const", "default", "extern", "unsafe"];

pub(super) fn look(text: &str) -> Vec<Complaint> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !begins_function(line) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let length = lines[start..].iter().position(|line| *line == end);
        let length = length.map_or(0, |at| at + 1);
        if length > LINES_MAX {
            found.push(Complaint::at(
                start + 1,
                format!("a function of {length} lines, at most {LINES_MAX}"),
            ));
        }
    }
    found
}

fn begins_function(line: &str) -> bool {
    // A declaration without a body ends on its line; so does a body of one line.
    if line.ends_with([';', '}']) {
        return false;
    }
    line.split_whitespace()
        .find(|word| {
            // `pub(in a::b)` is two words; an ABI is in quotes.
            let is_visibility = word.starts_with("pub") || word.ends_with(')');
            !(is_visibility || QUALIFIERS.contains(word) || word.starts_with('"'))
        })
        .is_some_and(|word| word == "fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(signature: &str, lines: usize) -> String {
        let body = "        c();\n".repeat(lines - 2);
        format!("impl A {{\n    {signature} {{\n{body}    }}\n}}\n")
    }

    #[test]
    fn a_function_that_is_too_long_is_found_whatever_stands_before_it() {
        for signature in [
            "fn a()",
            "pub fn a<T>(b: T)",
            "pub(crate) async fn a()",
            "pub(in crate::b) const fn a()",
            "unsafe extern \"C\" fn a()",
        ] {
            assert_eq!(look(&function(signature, LINES_MAX)), [], "{signature}");
            let found = look(&function(signature, LINES_MAX + 1));
            let long = Complaint::at(2, "a function of 101 lines, at most 100");
            assert_eq!(found, [long], "{signature}");
        }
    }

    #[test]
    fn what_only_looks_like_a_function_is_not_measured() {
        assert_eq!(look(&function("mod a", LINES_MAX + 1)), []);
        assert_eq!(look(&function("// fn a()", LINES_MAX + 1)), []);
        let declared = format!("    fn a();\n{}", function("mod b", LINES_MAX + 1));
        assert_eq!(look(&declared), []);
    }
}
