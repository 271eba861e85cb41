//! Tests that are not run, lints that are disabled without a reason, and modules in another place
//! than their name says.

use super::complaint::Complaint;

const NO_PATH: &str = "a module in another place than its name says; what several crates' tests share is sexton-testkit";

pub(super) fn look(text: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (line, attribute) in attributes(text) {
        if has(&attribute, "ignore") {
            found.push(Complaint::at(line, "a test that is not run"));
        }
        let disables = has(&attribute, "allow(") || has(&attribute, "expect(");
        if disables && !attribute.contains("reason = \"") {
            found.push(Complaint::at(line, "a lint is disabled without a reason"));
        }
        if has(&attribute, "path ") || has(&attribute, "path=") {
            found.push(Complaint::at(line, NO_PATH));
        }
    }
    found
}

/// Whether it is this attribute, or one that holds it under a condition.
fn has(attribute: &str, wanted: &str) -> bool {
    let conditional = attribute.starts_with("cfg_attr(");
    attribute.starts_with(wanted) || conditional && attribute.contains(&format!(", {wanted}"))
}

/// What stands in each `#[…]` and `#![…]` that begins a line, on one line, with the number of its first.
fn attributes(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines().map(str::trim));
    while let Some((number, line)) = lines.next() {
        let start = line.strip_prefix("#![").or(line.strip_prefix("#["));
        let Some(start) = start else { continue };
        let mut attribute = start.to_owned();
        while !is_closed(&attribute)
            && let Some((_, more)) = lines.next()
        {
            let gap = if attribute.ends_with('(') { "" } else { " " };
            attribute.push_str(gap);
            attribute.push_str(more);
        }
        found.push((number, attribute));
    }
    found
}

/// Whether the bracket that was open at its start has been closed.
fn is_closed(attribute: &str) -> bool {
    attribute.matches(']').count() > attribute.matches('[').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<(usize, String)> {
        let found = look(text).into_iter();
        found.map(|found| (found.line, found.what)).collect()
    }

    #[test]
    fn a_test_that_is_not_run_is_found() {
        let what = "a test that is not run".to_owned();
        for ignored in [
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "#[cfg_attr(windows, ignore)]",
        ] {
            let text = format!("#[test]\n{ignored}\nfn a() {{}}\n");
            assert_eq!(complaints(&text), [(2, what.clone())], "{ignored}");
        }
        assert_eq!(complaints("// #[ignore]\nfn ignore() {}\n"), []);
    }

    #[test]
    fn a_lint_that_is_disabled_without_a_reason_is_found() {
        let what = "a lint is disabled without a reason".to_owned();
        for disabled in [
            "#[allow(dead_code)]",
            "#![allow(dead_code)]",
            "    #[expect(dead_code)]",
            "#[cfg_attr(windows, allow(dead_code))]",
            "#[cfg_attr(\n    windows,\n    allow(dead_code)\n)]",
            "#[allow(\n    dead_code,\n    clippy::a\n)]",
        ] {
            let text = format!("{disabled}\nfn a() {{ reason = \"x\" }}\n");
            assert_eq!(complaints(&text), [(1, what.clone())], "{disabled}");
        }
    }

    #[test]
    fn a_module_in_another_place_is_found() {
        for elsewhere in [
            "#[path = \"../tests/it/a.rs\"]",
            "#[path=\"a.rs\"]",
            "    #[path = \"b\"]",
            "#[cfg_attr(unix, path = \"a.rs\")]",
        ] {
            let text = format!("#[cfg(test)]\n{elsewhere}\nmod a;\n");
            assert_eq!(complaints(&text), [(2, NO_PATH.to_owned())], "{elsewhere}");
        }
        let fine =
            "// #[path = \"a.rs\"]\nlet path = \"#[path = \";\nmod path;\n#[path_like]\nmod b;\n";
        assert_eq!(complaints(fine), []);
    }

    #[test]
    fn a_reason_will_do_and_other_attributes_need_none() {
        for fine in [
            "#[allow(dead_code, reason = \"x\")]",
            "#[expect(\n    dead_code,\n    reason = \"x [y] z\"\n)]",
            "#[should_panic(expected = \"allow(\")]",
            "#[derive(Debug)]",
        ] {
            assert_eq!(complaints(fine), [], "{fine}");
        }
    }
}
