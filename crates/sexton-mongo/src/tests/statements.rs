//! Filters and changes, as the server in memory understands them.

use std::cmp::Ordering;

use mongodb::bson::{Bson, Document, doc};

/// The value of a field, `a.b` being one within a document.
pub(crate) fn path<'d>(document: &'d Document, field: &str) -> Option<&'d Bson> {
    match field.split_once('.') {
        None => document.get(field),
        Some((first, rest)) => path(document.get(first)?.as_document()?, rest),
    }
}

/// A value as bytes, the same for what a server takes for equal: the order of a document's fields
/// counts.
pub(crate) fn bytes(value: &Bson) -> Vec<u8> {
    let value = match value {
        Bson::Int32(number) => Bson::Int64(i64::from(*number)),
        other => other.clone(),
    };
    doc! { "": value }.to_vec().unwrap()
}

fn is_same(a: &Bson, b: &Bson) -> bool {
    bytes(a) == bytes(b)
}

/// The order of two values, if they are of one kind.
pub(crate) fn compare(a: &Bson, b: &Bson) -> Option<Ordering> {
    let number = |value: &Bson| value.as_i64().or(value.as_i32().map(i64::from));
    match (a, b) {
        (Bson::String(a), Bson::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Bson::DateTime(a), Bson::DateTime(b)) => Some(a.cmp(b)),
        _ => Some(number(a)?.cmp(&number(b)?)),
    }
}

pub(crate) fn matches(document: &Document, filter: &Document) -> bool {
    filter.iter().all(|(field, wanted)| {
        let branches = || {
            wanted
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_document().unwrap())
        };
        match field.as_str() {
            "$and" => branches().all(|branch| matches(document, branch)),
            "$or" => branches().any(|branch| matches(document, branch)),
            operator if operator.starts_with('$') => panic!("no operator is called {operator}"),
            field => fits(path(document, field), wanted),
        }
    })
}

fn fits(found: Option<&Bson>, wanted: &Bson) -> bool {
    let Some(operators) = wanted.as_document().filter(|one| is_operators(one)) else {
        return equals(found, wanted);
    };
    operators.iter().all(|(operator, value)| {
        let order = || compare(found?, value);
        match operator.as_str() {
            "$exists" => found.is_some() == value.as_bool().unwrap(),
            "$in" => value
                .as_array()
                .unwrap()
                .iter()
                .any(|one| equals(found, one)),
            "$lt" => order() == Some(Ordering::Less),
            "$lte" => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
            "$gt" => order() == Some(Ordering::Greater),
            "$gte" => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
            other => panic!("no operator is called {other}"),
        }
    })
}

pub(crate) fn is_operators(document: &Document) -> bool {
    document
        .keys()
        .next()
        .is_some_and(|key| key.starts_with('$'))
}

/// The value itself, or one of an array.
fn equals(found: Option<&Bson>, wanted: &Bson) -> bool {
    match found {
        None => false,
        Some(Bson::Array(values)) => values.iter().any(|value| is_same(value, wanted)),
        Some(value) => is_same(value, wanted),
    }
}

/// The key that an upsert's document gets.
pub(crate) fn key_of(filter: &Document) -> Bson {
    let key = filter.get("_id").unwrap().clone();
    assert!(
        !key.as_document().is_some_and(is_operators),
        "{filter} has no key"
    );
    key
}

/// The document as it is to be.
pub(crate) fn change(document: &Document, with: &Document) -> Document {
    let key = document.get("_id").unwrap();
    if !is_operators(with) {
        let mut replaced = doc! { "_id": key.clone() };
        assert!(
            with.get("_id").is_none_or(|with| is_same(with, key)),
            "keys stay"
        );
        replaced.extend(with.clone());
        return replaced;
    }
    let mut changed = document.clone();
    for (operator, fields) in with {
        for (field, value) in fields.as_document().unwrap() {
            match operator.as_str() {
                "$set" => drop(changed.insert(field, value.clone())),
                "$inc" => {
                    let before = changed.get_i64(field).unwrap_or(0);
                    changed.insert(field, before + value.as_i64().unwrap());
                }
                other => panic!("no operator is called {other}"),
            }
        }
    }
    changed
}

#[test]
fn filters_are_as_the_manual_has_them() {
    let document = doc! { "_id": { "a": 1_i64, "b": "x" }, "n": 5_i64, "tags": ["p", "q"] };
    for (filter, fits) in [
        (doc! {}, true),
        (doc! { "_id": { "a": 1_i64, "b": "x" } }, true),
        (doc! { "_id": { "b": "x", "a": 1_i64 } }, false),
        (
            doc! { "_id.b": "x", "n": { "$gt": 4_i64, "$lt": 6_i64 } },
            true,
        ),
        (doc! { "n": { "$gt": "4" } }, false),
        (doc! { "n": 5_i32 }, true),
        (doc! { "m": { "$lt": 1_i64 } }, false),
        (doc! { "m": { "$exists": false } }, true),
        (doc! { "tags": "q" }, true),
        (doc! { "tags": { "$in": ["z", "p"] } }, true),
        (doc! { "$or": [{ "n": 6_i64 }, { "_id.a": 1_i64 }] }, true),
        (doc! { "$and": [{ "n": 6_i64 }, { "_id.a": 1_i64 }] }, false),
    ] {
        assert_eq!(matches(&document, &filter), fits, "{filter}");
    }
}
