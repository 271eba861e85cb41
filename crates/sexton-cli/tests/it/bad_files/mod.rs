//! Task files that cannot be used: each is answered with the file, the line, the task and the field, what was found and what is
//! allowed, for all that is wrong at once.

mod policies;
mod schedules;
mod shape;
mod store;
mod syntax;
mod whole;
mod work;
