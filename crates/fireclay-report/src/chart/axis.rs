//! Where a value is on a line, and the marks beside it.

use crate::text::tick;

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// What it measures, with the unit.
    pub label: String,
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    /// From the least to the largest of the values, with a little room.
    pub fn over(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extremes(values);
        let room = match high - low {
            span if span > 0.0 => 0.04 * span,
            _ => low.abs().max(1.0) * 0.1,
        };
        Self {
            label: label.to_owned(),
            low: low - room,
            high: high + room,
            logarithmic: false,
        }
    }

    /// From one number to another.
    pub fn between(label: &str, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self {
            label: label.to_owned(),
            low,
            high,
            logarithmic: false,
        }
    }

    /// The same over the logarithm where the values are positive and go over more than a factor of 30.
    pub fn logarithmic_if_wide(label: &str, values: impl IntoIterator<Item = f64> + Clone) -> Self {
        let (low, high) = extremes(values.clone());
        match low > 0.0 && high / low > 30.0 {
            true => Self {
                label: format!("{label}, logarithmic"),
                low: low / 1.2,
                high: high * 1.2,
                logarithmic: true,
            },
            false => Self::over(label, values),
        }
    }

    /// Where a value is, from 0 at the low end to 1.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.logarithmic {
            true => (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        place.clamp(-0.02, 1.02)
    }

    /// The values that get a mark, some `about` of them, and how they are written.
    pub fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if self.logarithmic {
            return self.decades();
        }
        let step = nice((self.high - self.low) / about.max(1) as f64);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        let marks = (first..=last).take(50).map(|mark| mark as f64 * step);
        marks.map(|mark| (mark, tick(mark, step))).collect()
    }

    fn decades(&self) -> Vec<(f64, String)> {
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        let factors: &[f64] = if last - first <= 3 {
            &[1.0, 3.0]
        } else {
            &[1.0]
        };
        let marks =
            (first..=last).flat_map(|power| factors.iter().map(move |factor| (factor, power)));
        let marks = marks.map(|(factor, power)| factor * 10_f64.powi(power));
        let marks = marks.filter(|mark| (self.low..=self.high).contains(mark));
        marks.map(|mark| (mark, tick(mark, mark))).collect()
    }
}

/// The least and the largest of the finite values; 0 and 1 if there are none.
pub(crate) fn extremes(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let values = values.into_iter().filter(|value| value.is_finite());
    let widest = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if widest.0 > widest.1 {
        (0.0, 1.0)
    } else {
        widest
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `step`.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers_inside() {
        let axis = Axis::between("loss", 0.03, 0.97);
        let marks: Vec<String> = axis.ticks(5).into_iter().map(|(_, text)| text).collect();
        assert_eq!(marks, ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(axis.place(0.5), 0.5);
    }

    #[test]
    fn a_wide_range_of_positive_values_is_logarithmic() {
        let axis = Axis::logarithmic_if_wide("perplexity", [1.0, 10.0, 1000.0]);
        let marks: Vec<String> = axis.ticks(5).into_iter().map(|(_, text)| text).collect();
        assert_eq!(marks, ["1", "10", "100", "1000"]);
        assert!((axis.place(31.622_776_601_683_8) - 0.5).abs() < 1e-9);
        assert!(
            !Axis::logarithmic_if_wide("loss", [0.0, 1000.0])
                .label
                .contains("log")
        );
    }

    #[test]
    fn one_value_and_no_value_have_an_axis() {
        assert_eq!(Axis::over("x", [3.0]).place(3.0), 0.5);
        assert_eq!(
            Axis::over("x", [f64::NAN])
                .ticks(5)
                .first()
                .map(|mark| mark.0),
            Some(0.0)
        );
    }
}
