use super::*;

/// The circles of a crate with these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let texts = files.iter().map(|(name, text)| {
        let (name, text) = (*name, *text);
        (name.to_owned(), text.to_owned())
    });
    let found = circles(&texts.collect()).into_iter();
    found.map(|circle| circle.join(" -> ")).collect()
}

#[test]
fn a_circle_is_named_by_its_files() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn c() { crate::c::make() }"),
        (
            "c.rs",
            "use super::a::{self, A}; pub fn make() -> A { todo!() }",
        ),
    ];
    assert_eq!(circles_of(&files), ["a.rs -> b.rs -> c.rs -> a.rs"]);
    let without = [files[0], files[1], ("b.rs", "pub struct B;"), files[3]];
    assert_eq!(circles_of(&without), [""; 0]);
}

#[test]
fn each_knot_of_files_is_told_of_once() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "use crate::{b::B, c::C}; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
        ("c.rs", "use crate::a::A; pub struct C;"),
        ("d.rs", "use crate::e::E; pub struct D;"),
        ("e.rs", "use crate::d::D; pub struct E;"),
    ];
    let knots = ["a.rs -> b.rs -> a.rs", "d.rs -> e.rs -> d.rs"];
    assert_eq!(circles_of(&files), knots);
}

#[test]
fn a_parent_that_only_declares_and_passes_on_uses_nothing() {
    let child = ("a/child.rs", "use super::Parent; pub struct Child(Parent);");
    let passing = "mod child; pub use child::Child; pub struct Parent;";
    let lib = ("lib.rs", "mod a;");
    assert_eq!(circles_of(&[lib, ("a/mod.rs", passing), child]), [""; 0]);
    let using = format!("{passing} fn make() -> Child {{ todo!() }}");
    let circle = ["a/child.rs -> a/mod.rs -> a/child.rs"];
    assert_eq!(circles_of(&[lib, ("a/mod.rs", &using), child]), circle);
    let own = "mod child; use child::Child; pub struct Parent;";
    assert_eq!(circles_of(&[lib, ("a/mod.rs", own), child]), circle);
}

#[test]
fn a_name_that_is_passed_on_leads_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "mod a; pub use crate::a::*;"),
        (
            "a/mod.rs",
            "mod b; mod c; pub use self::b::B as Bee; pub use c::C;",
        ),
        ("a/b.rs", "use crate::C; pub struct B;"),
        (
            "a/c.rs",
            "pub struct C; fn bee() -> super::Bee { super::Bee::new() }",
        ),
    ];
    assert_eq!(circles_of(&files), ["a/b.rs -> a/c.rs -> a/b.rs"]);
}

#[test]
fn what_is_there_for_tests_alone_counts_for_nothing() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use crate::b::B; pub struct A; #[cfg(test)] mod tests; #[cfg(test)] use crate::x;",
        ),
        ("a/tests.rs", "use super::A; use crate::b::B;"),
        (
            "b.rs",
            "pub struct B; #[cfg(test)] mod tests { use super::B; use crate::a::A; }
             #[cfg(test)] fn a() -> crate::a::A { crate::a::A }",
        ),
    ];
    assert_eq!(circles_of(&files), [""; 0]);
    let not = "pub struct B; #[cfg(not(test))] fn a() -> crate::a::A { crate::a::A }";
    let circle = circles_of(&[files[0], files[1], ("b.rs", not)]);
    assert_eq!(circle, ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn modules_within_a_file_belong_to_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub struct A; pub mod within { use super::super::b::B; }",
        ),
        (
            "b.rs",
            "pub struct B; mod deep { pub fn a() { crate::a::within::go() } }",
        ),
    ];
    assert_eq!(circles_of(&files), ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn what_comes_from_outside_or_stands_in_comments_is_no_arrow() {
    let files = [
        ("main.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use b::Other; use std::fmt::{self as f, Debug}; pub struct A; // crate::b::B",
        ),
        (
            "b.rs",
            "use crate::a::A; pub struct B; const TEXT: &str = \"crate::b::B\";",
        ),
    ];
    assert_eq!(circles_of(&files), [""; 0]);
}

#[test]
fn a_program_beside_a_library_is_another_crate() {
    let files = [
        ("lib.rs", "pub mod a; pub fn run() { a::go() }"),
        ("main.rs", "fn main() { one::run(); two::a::go(); }"),
        ("a.rs", "pub fn go() { crate::run() }"),
    ];
    assert_eq!(circles_of(&files), ["a.rs -> lib.rs -> a.rs"]);
    assert_eq!(circles_of(&files[1..]), [""; 0]);
}

#[test]
fn circles_are_looked_for_in_the_sources_of_each_crate_but_for_folders_on_the_list() {
    let of = |name: &str, other: &str| format!("use super::{other}; pub struct {name};");
    let texts: BTreeMap<PathBuf, String> = [
        (
            "crates/one/src/lib.rs",
            "mod a; mod b; pub use self::{a::A, b::B};".to_owned(),
        ),
        ("crates/one/src/a.rs", of("A", "B")),
        ("crates/one/src/b.rs", of("B", "A")),
        ("crates/two/src/lib.rs", "mod port;".to_owned()),
        (
            "crates/two/src/port/mod.rs",
            "mod a; mod b; pub use self::{a::A, b::B};".to_owned(),
        ),
        ("crates/two/src/port/a.rs", of("A", "B")),
        ("crates/two/src/port/b.rs", of("B", "A")),
        ("crates/two/tests/it/main.rs", "mod a;".to_owned()),
    ]
    .map(|(name, text)| (PathBuf::from(name), text))
    .into();
    let found = |exempt| -> Vec<String> {
        let found = look(&texts, exempt).into_iter();
        found
            .map(|(folder, complaint)| format!("{}{complaint}", folder.display()))
            .collect()
    };
    let circle = "a circle of files: a.rs -> b.rs -> a.rs; what both need belongs below them";
    let one = format!("crates/one/src: {circle}");
    let two = format!(
        "crates/two/src: {}",
        circle
            .replace("a.rs", "port/a.rs")
            .replace("b.rs", "port/b.rs")
    );
    assert_eq!(found(&[]), [one.clone(), two]);
    assert_eq!(
        found(&[("crates/two/src/port", "")]),
        std::slice::from_ref(&one)
    );
    let stale = [("crates/two/src/port", ""), ("crates/two/src/lib", "")];
    let told =
        "crates/two/src: crates/two/src/lib has no circle of files any more: take it off the list";
    assert_eq!(found(&stale), [one, told.to_owned()]);
}
