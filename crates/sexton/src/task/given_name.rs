//! A task's name as it was given, which may be none.

use sexton_core::name::{NameError, TaskName};

/// Read at once, so that of a million tasks' names each is kept once, and told of later, with all else that is wrong.
#[derive(Debug)]
pub(super) struct GivenName(Result<TaskName, Box<(String, NameError)>>);

impl GivenName {
    pub(super) fn new(text: String) -> GivenName {
        GivenName(TaskName::new(&text).map_err(|error| Box::new((text, error))))
    }

    pub(super) fn as_str(&self) -> &str {
        match &self.0 {
            Ok(name) => name.as_str(),
            Err(refused) => &refused.0,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.as_str().to_owned()
    }

    pub(super) fn into_name(self) -> Result<TaskName, NameError> {
        self.0.map_err(|refused| refused.1)
    }
}
