//! The years a schedule is limited to.

/// Years as a few spans with steps, since a bit set of ten thousand years would be large.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Years(Option<Box<[YearSpan]>>);

/// `first`, `first + step`, … up to `last`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct YearSpan {
    pub(super) first: u16,
    pub(super) last: u16,
    /// 1 or more.
    pub(super) step: u16,
}

impl YearSpan {
    fn at_or_after(self, year: i32) -> Option<i32> {
        let (first, last, step) = (
            i32::from(self.first),
            i32::from(self.last),
            i32::from(self.step.max(1)),
        );
        let steps = (year - first).max(0).div_euclid(step)
            + i32::from((year - first).max(0).rem_euclid(step) != 0);
        let found = first + steps * step;
        (found <= last).then_some(found)
    }
}

impl Years {
    /// Every year.
    pub(super) const EVERY: Years = Years(None);

    pub(super) fn new(mut spans: Vec<YearSpan>) -> Years {
        spans.sort_unstable();
        spans.dedup();
        Years(Some(spans.into_boxed_slice()))
    }

    #[inline]
    pub(super) fn is_every(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn spans(&self) -> &[YearSpan] {
        self.0.as_deref().unwrap_or(&[])
    }

    /// The last of these years; `None` if there is no last.
    pub(super) fn last(&self) -> Option<u16> {
        let lasts = self.spans().iter().map(|span| {
            let steps = (span.last - span.first) / span.step.max(1);
            span.first + steps * span.step
        });
        lasts.max()
    }

    /// The least of these years that is not before `year`.
    pub(super) fn at_or_after(&self, year: i32) -> Option<i32> {
        match &self.0 {
            None => Some(year),
            Some(spans) => spans.iter().filter_map(|span| span.at_or_after(year)).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_year_is_the_least_of_all_spans() {
        let years = Years::new(vec![
            YearSpan {
                first: 2030,
                last: 2040,
                step: 4,
            },
            YearSpan {
                first: 2026,
                last: 2026,
                step: 1,
            },
        ]);
        let mut found = Vec::new();
        let mut from = i32::from(i16::MIN);
        while let Some(year) = years.at_or_after(from) {
            found.push(year);
            from = year + 1;
        }
        assert_eq!(found, [2026, 2030, 2034, 2038]);
        assert_eq!(Years::EVERY.at_or_after(-5), Some(-5));
    }
}
