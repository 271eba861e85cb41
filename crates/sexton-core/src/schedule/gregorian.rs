//! The Gregorian calendar, counted in days since 1970-01-01 and carried on before it began.

/// A month of a year, as far as a rule for its days needs to know it.
#[derive(Clone, Copy)]
pub(super) struct Month {
    /// 28..=31.
    pub(super) len: u32,
    /// The weekday of its first day, 0 for Sunday.
    pub(super) first_weekday: u32,
}

impl Month {
    /// Bits 1..=len.
    #[inline]
    pub(super) fn all_days(self) -> u32 {
        u32::MAX >> (31 - self.len) & !1
    }

    /// The days, as bits 1..=len, that fall on these weekdays (bit 0 for Sunday).
    #[inline]
    pub(super) fn days_on(self, weekdays: u8) -> u32 {
        let week = self.week_from_first(weekdays);
        let month = week | week << 7 | week << 14 | week << 21 | week << 28;
        // At most 35 bits, shifted to begin at bit 1; those beyond the month fall away.
        u32::try_from(month << 1 & u64::from(self.all_days())).unwrap_or(0)
    }

    /// The weekdays in the order in which this month has them: bit 0 for its first day's.
    pub(super) fn week_from_first(self, weekdays: u8) -> u64 {
        let weekdays = u64::from(weekdays);
        (weekdays >> self.first_weekday | weekdays << (7 - self.first_weekday)) & 0x7f
    }

    /// The weekday of a day of this month, 0 for Sunday.
    pub(super) fn weekday(self, day: u32) -> u32 {
        (self.first_weekday + day - 1) % 7
    }
}

/// The number of a month's first day since 1970-01-01, and the month.
pub(super) fn month_of(year: i32, month: u32) -> (i64, Month) {
    let first = day_of(year, month, 1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let len = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let first_weekday = u32::try_from((first + 4).rem_euclid(7)).unwrap_or(0);
    let month = Month { len, first_weekday };
    (first, month)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: counted in years that begin in March,
/// so that the leap day comes last (<https://howardhinnant.github.io/date_algorithms.html>).
pub(super) fn day_of(year: i32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date (year, month from 1, day from 1) of a number of days since 1970-01-01.
pub(super) fn date_of(day: i64) -> (i32, u32, u32) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    (
        i32::try_from(year).unwrap_or(i32::MAX),
        small(month),
        small(day),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_with_jiff_over_the_whole_range() {
        for day in (-4_371_000..2_932_000).step_by(11) {
            let date = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().days(day))
                .unwrap();
            let (year, month, of_month) = date_of(day);
            assert_eq!(
                (i64::from(year), month, of_month),
                (
                    i64::from(date.year()),
                    u32::try_from(date.month()).unwrap(),
                    u32::try_from(date.day()).unwrap()
                )
            );
            assert_eq!(day_of(year, month, of_month), day);
            let (first, shape) = month_of(year, month);
            assert_eq!(first, day - i64::from(of_month) + 1);
            assert_eq!(shape.len, u32::try_from(date.days_in_month()).unwrap());
            let weekday = u32::try_from(date.weekday().to_sunday_zero_offset()).unwrap();
            assert_eq!(shape.weekday(of_month), weekday);
            assert_ne!(shape.days_on(1 << weekday) & 1 << of_month, 0);
            assert_eq!(shape.days_on(0x7f), shape.all_days());
            assert_eq!(shape.all_days().count_ones(), shape.len);
        }
    }
}
