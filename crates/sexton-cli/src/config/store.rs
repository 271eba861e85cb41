//! `[store]`: where the replicas agree.

use sexton_core::name::Namespace;

use super::fields::Fields;
use crate::store_url::StoreUrlError;
use crate::tasks::StoreSpec;

const SQLITE_SCHEME: &str = "sqlite:";

/// Reads `[store]`.
pub(super) fn read(mut fields: Fields<'_>) -> StoreSpec {
    let mut store = StoreSpec {
        url: None,
        namespace: None,
    };
    if let Some(field) = fields.get("url")
        && let Some(url) = field.text("a URL, like \"sqlite:sexton.db\"")
    {
        match crate::store_url::check(url.expose()) {
            Ok(()) => {
                // A path is no secret, and people need to see it.
                if !url.expose().starts_with(SQLITE_SCHEME) {
                    let mut secrets = fields.scope.secrets.borrow_mut();
                    secrets.extend(url.filled().iter().cloned());
                }
                store.url = Some(url);
            }
            // It quotes a character and nothing else, wherever the URL comes from.
            Err(error @ StoreUrlError::Login(_)) => {
                field.reject(error.to_string(), crate::store_url::FORM);
            }
            Err(error) => field.reject_text(&url, &error.to_string(), crate::store_url::FORM),
        }
    }
    if let Some(field) = fields.get("namespace")
        && let Some(text) = field.text("a string")
    {
        match Namespace::new(text.expose()) {
            Ok(namespace) => store.namespace = Some(namespace),
            Err(error) => {
                let max = Namespace::BYTES_MAX;
                let form = format!("1 to {max} bytes, no control characters");
                field.reject_text(&text, &error.to_string(), form);
            }
        }
    }
    fields.finish();
    store
}
