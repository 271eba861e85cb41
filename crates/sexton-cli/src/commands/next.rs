//! `sexton next`.

use std::io::{self, Write};

use super::complain::complain;
use super::ticks;
use crate::args::ExpressionArguments;
use crate::environment::Environment;
use crate::exit::Exit;

/// Prints the next ticks of an expression, strictly after an instant.
///
/// # Errors
/// If standard output cannot be written.
pub fn next(arguments: &ExpressionArguments, environment: &Environment) -> io::Result<Exit> {
    let (expression, ticks) = match ticks::read(arguments, environment.zones()) {
        Ok(read) => read,
        Err(error) => return Ok(complain(&error, Exit::BadInput)),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json {
        writeln!(out, "{}", serde_json::json!(ticks.texts()))?;
    } else {
        ticks.write_for_people(&mut out, &expression)?;
    }
    out.flush()?;
    if !arguments.json {
        expression.print_rules(environment);
    }
    // Not among the ticks, so that what reads them line by line need not know of it.
    if let Some(end) = ticks.end().filter(|_| !arguments.json) {
        complain(&format!("{end}\n"), Exit::Done);
    }
    Ok(Exit::Done)
}
