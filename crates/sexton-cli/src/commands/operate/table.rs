//! Tables for people.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::refused::Refused;
use crate::environment::Environment;
use crate::visible::visible;
use crate::zones;

/// Columns as wide as their widest cell, the last as wide as it likes.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Table {
        let head = head.iter().map(|&word| word.to_owned()).collect();
        Table { rows: vec![head] }
    }

    /// Adds a row. Whatever stands in it cannot harm a terminal.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| visible(&cell).into_owned());
        self.rows.push(cells.collect());
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:<width$}  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The zone in which instants are shown.
pub(super) fn zone(named: Option<&str>, environment: &Environment) -> Result<TimeZone, Refused> {
    let Some(name) = named else {
        return Ok(zones::machine_zone(environment));
    };
    let found = environment.zones().zone(name);
    found.map_err(|error| Refused::Argument(format!("--tz {name:?}: {error}")))
}

/// An instant as the clock on the wall shows it.
pub(super) fn wall(instant: Timestamp, zone: &TimeZone) -> String {
    let zoned = instant.to_zoned(zone.clone());
    zoned.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
