//! A problem as text, with the line it is about.

use std::fmt::Write as _;
use std::ops::Range;

use super::{Problem, Source};
use crate::secret::without_secrets;
use crate::visible::visible;

/// The longest piece of a line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 100;
/// How much of a long line is shown before the place of the problem.
const SHOWN_BEFORE: usize = 30;
/// How much on both sides of the piece is looked at for what is secret.
const AROUND_BYTES: usize = 2 * 1024;

/// The problem as text: headline, place, the line with a mark under it, what is allowed, help.
pub(super) fn render(problem: &Problem, source: &Source) -> String {
    let (line, column) = source.line_column(problem.span.start);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let excerpt = Excerpt::of(problem, source, line);

    let mut place = format!("{}:{line}:{column}", visible(source.name()));
    for part in [
        problem.task.clone(),
        problem
            .field
            .as_ref()
            .map(|field| format!("field `{field}`")),
    ]
    .into_iter()
    .flatten()
    {
        place.push_str(", ");
        place.push_str(&visible(&part));
    }

    let mut text = format!(
        "{}: {}\n",
        problem.severity.as_str(),
        visible(&problem.message)
    );
    let _ = writeln!(text, "{margin}--> {place}");
    let _ = writeln!(text, "{margin} |");
    let _ = writeln!(text, "{number} | {}", excerpt.line.trim_end());
    let mark = format!(
        "{}{}",
        " ".repeat(excerpt.indent),
        "^".repeat(excerpt.width)
    );
    let found = problem
        .found
        .as_ref()
        .map_or_else(String::new, |found| format!(" found {found}"));
    let _ = writeln!(
        text,
        "{margin} | {mark}{}",
        visible(&without_secrets(&found))
    );
    for (label, note) in [("allowed", &problem.allowed), ("help", &problem.help)] {
        if let Some(note) = note {
            let _ = writeln!(text, "{margin} = {label}: {}", visible(note));
        }
    }
    text
}

/// The piece of the line that is shown, and where in it the mark goes.
struct Excerpt {
    line: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    /// Looks at no more of a line than is shown: it may be as long as the file, with a thousand
    /// problems in it.
    fn of(problem: &Problem, source: &Source, line: usize) -> Excerpt {
        let range = source.line_range(line);
        let whole = source.slice(range.clone());
        let start = problem.span.start.clamp(range.start, range.end) - range.start;
        let end = problem.span.end.clamp(range.start, range.end) - range.start;
        let text = match problem.hides_rest {
            true => &whole[..whole.floor_char_boundary(end)],
            false => whole,
        };
        let is_cut = text.len() < whole.trim_end().len();
        let (before, behind) = text.split_at(text.floor_char_boundary(start));
        let marked = &behind[..behind.floor_char_boundary(end.saturating_sub(before.len()))];

        let is_long = text.chars().nth(SHOWN_CHARS_MAX).is_some();
        let skipped = match before.char_indices().rev().nth(SHOWN_BEFORE - 1) {
            Some((at, _)) if is_long => at,
            _ => 0,
        };
        let shown_from = skipped;
        let lead = if skipped > 0 { "…" } else { "" };
        let before = &before[skipped..];
        let room = SHOWN_CHARS_MAX.saturating_sub(before.chars().count());
        let (behind, tail) = match behind.char_indices().nth(room) {
            Some((at, _)) => (&behind[..at], "…"),
            None if is_cut => (behind, "…"),
            None => (behind, ""),
        };
        let shown = Shown {
            text,
            range: shown_from..shown_from + before.len() + behind.len(),
        };
        let marked: String = marked.chars().take(room).collect();

        Excerpt {
            line: format!("{lead}{}{tail}", visible(&shown.without_secrets())),
            indent: lead.chars().count() + visible(before).chars().count(),
            width: visible(&marked).chars().count().max(1),
        }
    }
}

/// A piece of a line.
struct Shown<'l> {
    text: &'l str,
    range: Range<usize>,
}

impl Shown<'_> {
    /// Looks at what stands around the piece as well: a URL that it shows a part of may have its
    /// password there, or the end of it.
    fn without_secrets(&self) -> String {
        let start = self.range.start.saturating_sub(AROUND_BYTES);
        let start = self.text.floor_char_boundary(start);
        let end = self.text.ceil_char_boundary(self.range.end + AROUND_BYTES);
        let masked = without_secrets(&self.text[start..end]);
        let before = self.text[start..self.range.start].chars().count();
        let count = self.text[self.range.clone()].chars().count();
        masked.chars().skip(before).take(count).collect()
    }
}
