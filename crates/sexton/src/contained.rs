//! Calls of code that is not ours, whose panic ends nothing but the call.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;

/// What a call answers, or the message of its panic.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(panic_message)
}

/// The future's output, or the message of its panic.
pub(crate) async fn contained_in<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let output = AssertUnwindSafe(future).catch_unwind().await;
    output.map_err(panic_message)
}

/// Drops a value, and answers the message of the panic if that panics.
pub(crate) fn drop_contained<T>(value: T) -> Result<(), String> {
    contained(move || drop(value))
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("(no message)").to_owned();
    // What was thrown may itself panic when it is dropped; what that throws is let go of.
    let dropped = catch_unwind(AssertUnwindSafe(move || drop(panic)));
    dropped.unwrap_or_else(std::mem::forget);
    message
}
