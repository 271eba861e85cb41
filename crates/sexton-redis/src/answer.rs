//! What scripts answer, value by value.

use std::sync::Arc;

use jiff::Timestamp;
use redis::Value;
use sexton_core::lock::{Answer, LockError};

use crate::error::unreadable;

/// The values of an answer behind the clock, taken one after the other.
#[derive(Debug)]
pub(crate) struct Answers {
    location: Arc<str>,
    values: std::vec::IntoIter<Value>,
}

/// A value of a claim's answer: a number where that is all there is to say.
#[derive(Debug)]
pub(crate) enum NumberOrText {
    Number(i64),
    Text(String),
}

impl Answers {
    pub(crate) fn new(location: Arc<str>, values: Vec<Value>) -> Answers {
        let values = values.into_iter();
        Answers { location, values }
    }

    /// The store's clock, which is the first value of every answer.
    pub(crate) fn clock(&mut self) -> Result<Timestamp, LockError> {
        let us = self.number()?;
        Timestamp::from_microsecond(us).map_err(|_| self.strange(format!("{us} µs as its clock")))
    }

    /// The clock with what `read` makes of the rest.
    pub(crate) fn answer<T>(
        mut self,
        read: impl FnOnce(&mut Answers) -> Result<T, LockError>,
    ) -> Result<Answer<T>, LockError> {
        let now = self.clock()?;
        let value = read(&mut self)?;
        Ok(Answer { now, value })
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.values.len() == 0
    }

    pub(crate) fn number_or_text(&mut self) -> Result<NumberOrText, LockError> {
        match self.values.next() {
            Some(Value::Int(number)) => Ok(NumberOrText::Number(number)),
            Some(Value::BulkString(bytes)) => String::from_utf8(bytes)
                .map(NumberOrText::Text)
                .map_err(|error| self.strange(format!("{error} in an answer"))),
            Some(other) => Err(self.strange(format!("{other:?} in an answer"))),
            None => Err(self.strange("an answer that ends too early")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, LockError> {
        match self.number_or_text()? {
            NumberOrText::Text(text) => Ok(text),
            NumberOrText::Number(number) => Ok(number.to_string()),
        }
    }

    pub(crate) fn number(&mut self) -> Result<i64, LockError> {
        match self.number_or_text()? {
            NumberOrText::Number(number) => Ok(number),
            NumberOrText::Text(text) => text
                .parse()
                .map_err(|_| self.strange(format!("{text:?} for a number"))),
        }
    }

    pub(crate) fn strange(&self, found: impl Into<String>) -> LockError {
        unreadable(&self.location, found)
    }
}
