//! Weights that make group and class independent.

use std::collections::HashMap;

use fireclay_data::Labels;

/// What each training row weighs: its own weight times P(group) P(class) / P(group, class) (Kamiran and
/// Calders 2012, "Data preprocessing techniques for classification without discrimination", section 4.3),
/// the probabilities being shares of the weights. Every class keeps its weight, every group too, and all
/// rows together weigh what they did.
///
/// # Panics
///
/// If the targets are no classes: the configuration is checked.
pub(crate) fn reweighed(groups: &[String], labels: &Labels, own: Option<&[f32]>) -> Vec<f32> {
    let Labels::Classes(classes) = labels else {
        unreachable!("checked: the target is a class");
    };
    let weight = |row: usize| own.map_or(1.0, |own| f64::from(own[row]));
    let mut of_group: HashMap<&str, f64> = HashMap::new();
    let mut of_class: HashMap<u32, f64> = HashMap::new();
    let mut of_both: HashMap<(&str, u32), f64> = HashMap::new();
    let mut all = 0.0;
    let rows = || {
        groups
            .iter()
            .map(String::as_str)
            .zip(classes.iter().copied())
    };
    for (row, (group, class)) in rows().enumerate() {
        all += weight(row);
        *of_group.entry(group).or_default() += weight(row);
        *of_class.entry(class).or_default() += weight(row);
        *of_both.entry((group, class)).or_default() += weight(row);
    }
    let weights = rows().enumerate().map(|(row, (group, class))| {
        let both = of_both[&(group, class)];
        if both == 0.0 {
            return 0.0;
        }
        let factor = of_group[group] / all * of_class[&class] / both;
        (weight(row) * factor) as f32
    });
    weights.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kamiran and Calders 2012, table 1 and section 4.3: of ten people five are women, six are hired, and
    /// two of the hired are women.
    fn published() -> (Vec<String>, Labels) {
        let people = [("m", 1, 4), ("m", 0, 1), ("f", 1, 2), ("f", 0, 3)];
        let (mut groups, mut classes) = (Vec::new(), Vec::new());
        for (group, class, count) in people {
            groups.extend(std::iter::repeat_n(group.to_owned(), count));
            classes.extend(std::iter::repeat_n(class, count));
        }
        (groups, Labels::Classes(classes))
    }

    #[test]
    fn weights_are_the_published_ones() {
        let (groups, labels) = published();
        let found = reweighed(&groups, &labels, None);
        let wanted = [
            [0.75; 4].to_vec(),
            vec![2.0],
            vec![1.5; 2],
            vec![2.0 / 3.0; 3],
        ]
        .concat();
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-6, "{found} and {wanted}");
        }
    }

    #[test]
    fn group_and_class_are_independent_of_each_other_afterwards() {
        let (groups, labels) = published();
        let own: Vec<f32> = (0..10).map(|row| 0.5 + row as f32).collect();
        let found = reweighed(&groups, &labels, Some(&own));
        let Labels::Classes(classes) = &labels else {
            unreachable!("classes");
        };
        let sum = |is: &dyn Fn(usize) -> bool| -> f32 {
            let rows = found.iter().enumerate();
            rows.filter(|(row, _)| is(*row))
                .map(|(_, weight)| weight)
                .sum()
        };
        let all = sum(&|_| true);
        assert!((all - own.iter().sum::<f32>()).abs() < 1e-4);
        for group in ["m", "f"] {
            let both = sum(&|row| groups[row] == group && classes[row] == 1);
            let product = sum(&|row| groups[row] == group) * sum(&|row| classes[row] == 1);
            assert!((both - product / all).abs() < 1e-4);
        }
    }
}
