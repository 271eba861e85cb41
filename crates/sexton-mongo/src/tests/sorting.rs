//! What a server need not sort, since an index has it in that order: else it reads all that a filter
//! finds, whatever the limit.

use mongodb::bson::{Bson, Document, doc};

use super::statements::is_operators;

/// Whether an index without a condition, read from either end, gives the order.
pub(crate) fn is_sorted_by_one(filter: &Document, order: &Document, indexes: &[Document]) -> bool {
    let fixed = fixed_fields(filter);
    let order = directions(order, &fixed);
    let is_conditional = |index: &&Document| index.contains_key("partialFilterExpression");
    let whole = indexes.iter().filter(|index| !is_conditional(index));
    let mut keys = whole.map(|index| directions(index.get_document("key").unwrap(), &fixed));
    keys.any(|key| {
        let backwards: Vec<_> = key.iter().map(|(field, way)| (*field, -way)).collect();
        key.starts_with(&order) || backwards.starts_with(&order)
    })
}

/// Fields that have one value in all that a filter finds.
fn fixed_fields(filter: &Document) -> Vec<&str> {
    let mut fields = Vec::new();
    for (field, value) in filter {
        match value {
            Bson::Array(branches) if field == "$and" => {
                let branches = branches.iter().filter_map(Bson::as_document);
                fields.extend(branches.flat_map(fixed_fields));
            }
            Bson::Document(operators) if is_operators(operators) => {}
            _ => fields.push(field.as_str()),
        }
    }
    fields
}

/// The fields of an order and their directions, but for those that have one value.
fn directions<'o>(order: &'o Document, fixed: &[&str]) -> Vec<(&'o str, i32)> {
    let free = order
        .iter()
        .filter(|(field, _)| !fixed.contains(&field.as_str()));
    free.map(|(field, way)| (field.as_str(), way.as_i32().unwrap()))
        .collect()
}

#[test]
fn an_order_is_an_index_from_either_end_or_is_sorted() {
    let indexes = [
        doc! { "key": { "n": 1, "tick": -1, "task": 1 } },
        doc! { "key": { "n": 1, "look_at": 1 }, "partialFilterExpression": {} },
    ];
    let one = doc! { "n": "x" };
    let and = doc! { "$and": [{ "n": "x" }, { "$or": [{ "look_at": 1 }] }] };
    let any = doc! { "n": { "$gt": "x" } };
    for (filter, order, is_sorted) in [
        (&one, doc! { "tick": -1, "task": 1 }, true),
        (&one, doc! { "tick": 1, "task": -1 }, true),
        (&and, doc! { "tick": 1 }, true),
        (&one, doc! { "tick": 1, "task": 1 }, false),
        (&one, doc! { "task": 1 }, false),
        (&one, doc! { "look_at": 1 }, false),
        (&any, doc! { "tick": -1, "task": 1 }, false),
        (&any, doc! { "n": 1, "tick": -1 }, true),
    ] {
        let found = is_sorted_by_one(filter, &order, &indexes);
        assert_eq!(found, is_sorted, "{order} of {filter}");
    }
}
