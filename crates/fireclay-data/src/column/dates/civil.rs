//! Days of the Gregorian calendar.

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A day of the Gregorian calendar.
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day_of_year: i64,
    /// Monday is 0.
    pub(crate) weekday: i64,
}

/// The day that lies `days` after 1970-01-01.
pub(crate) fn civil(days: i64) -> Civil {
    // The era of 400 years starts on 1 March, so that the leap day comes last (Hinnant,
    // http://howardhinnant.github.io/date_algorithms.html).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day = shifted.rem_euclid(146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_march_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_march_year + 2) / 153;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let day_of_year = days - days_from_civil(year, 1, 1) + 1;
    Civil {
        year,
        month,
        day_of_year,
        weekday: (days + 3).rem_euclid(7),
    }
}

/// The days from 1970-01-01 to a day of the calendar.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The days of a month.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_day_becomes_itself_again(days in -800_000i64..800_000) {
            let day = civil(days);
            prop_assert!((1..=366).contains(&day.day_of_year));
            prop_assert_eq!(days_from_civil(day.year, 1, 1) + day.day_of_year - 1, days);
            let next = civil(days + 1);
            prop_assert_eq!(next.weekday, (day.weekday + 1) % 7);
            prop_assert!(next.month == day.month || next.month == day.month % 12 + 1);
        }
    }
}
