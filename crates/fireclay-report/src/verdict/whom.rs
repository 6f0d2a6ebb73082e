//! Whom the model fails.

use fireclay_metrics::{
    Attribute, CHANCE, Hits, PerClass, Report, difference_interval, farthest_groups, fisher_exact,
    holm, wilson_interval,
};

use serde::Deserialize;
use serde_json::Value;

use super::quality::unit;
use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::outcome::{FEWEST_OF_A_PART, Outcomes};
use crate::slices::{Part, parts};
use crate::text::{listed, number, percent, plural};

/// By class, and by the slices that the columns give.
pub(super) fn findings(run: &RunFolder) -> Vec<Finding> {
    let Some((split, report)) = run.judged() else {
        return Vec::new();
    };
    let by_class = worst_class(report);
    // Folders and archives of images know no other columns: there the classes are all there is to say.
    let known = run.predictions.get(split);
    let known = known.filter(|known| !known.extra.is_empty() || unit(run) != "image");
    let by_slice = known.map(|predictions| {
        let are_hits = Outcomes::of(predictions).are_hits;
        by_slice(&parts(run, split), predictions.extra.is_empty(), are_hits)
    });
    let all = by_class.into_iter().chain(by_slice);
    all.chain(four_fifths(run, split)).collect()
}

/// What the evaluation says of groups, where it was asked for.
fn four_fifths(run: &RunFolder, split: &str) -> Option<Finding> {
    let attributes = run.evaluation_json.get(split)?.get("fairness")?;
    let attributes = attributes.get("attributes")?.as_array()?;
    let judged = |attribute: &&Value| attribute.get("four_fifths").and_then(Value::as_bool);
    let failed = attributes
        .iter()
        .find(|attribute| judged(attribute) == Some(false));
    let attribute = failed.or(attributes
        .iter()
        .find(|attribute| judged(attribute).is_some()))?;
    let name = attribute.get("name")?.as_str()?;
    let said = attribute
        .get("findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let said: Vec<&str> = said.filter_map(Value::as_str).collect();
    let evidence = format!("{}.", said.join("; "));
    Some(match failed {
        Some(_) if may_be_chance(attribute) => Finding::new(
            Tone::Look,
            format!("By {name}, a group is chosen less than four fifths as often as another, which may be chance."),
            evidence,
        )
        .advise("More test rows of the groups before anything is done about them."),
        Some(_) => Finding::new(
            Tone::Bad,
            format!("By {name}, a group is chosen less than four fifths as often as another."),
            evidence,
        )
        .advise(mitigation(run)),
        None => Finding::new(
            Tone::Good,
            format!("By {name}, every group is chosen at least four fifths as often as any other."),
            evidence,
        ),
    })
}

/// Whether the shares that are chosen differ by no more than chance.
fn may_be_chance(attribute: &Value) -> bool {
    let attribute = Attribute::deserialize(attribute).ok();
    let found = attribute.map(|attribute| farthest_groups(&attribute.groups));
    let found = found.and_then(|mut found| found.remove("selection_rate"));
    found.is_some_and(|found| !found.is_real())
}

/// What to try for groups, beyond what is on already.
fn mitigation(run: &RunFolder) -> String {
    let on = run.key("fairness.mitigation").and_then(toml::Value::as_str);
    match on.filter(|on| *on != "none") {
        None => {
            "fairness.mitigation, or look at what the groups have in common in the data.".into()
        }
        Some(on) => format!(
            "fairness.mitigation = \"{on}\" is not enough: another of its words, and a look at what the groups have in common in the data."
        ),
    }
}

/// The class of which the least share is found, among those with enough samples.
fn worst_class(report: &Report) -> Option<Finding> {
    let (classes, per_class) = (report.classes.as_ref()?, report.per_class.as_ref()?);
    let matrix = report.confusion_matrix.as_ref()?;
    let found = Found::of(per_class, matrix);
    let Some(worst) = found.worst() else {
        let evidence =
            format!("Fewer than two classes have {FEWEST_OF_A_PART} samples of the split.");
        let says = "Whether a class is found less often cannot be seen.";
        return Some(Finding::new(Tone::Look, says, evidence));
    };
    let (hits, others) = (found.hits[worst], found.others(worst));
    let (name, row) = (classes.get(worst)?, matrix.get(worst)?);
    let differs = found.p(worst) < CHANCE && share(hits) < share(others);
    let evidence = format!(
        "{}{}{}",
        found_said(name, hits, others)?,
        taken_for(classes, row, worst).unwrap_or_default(),
        found.left_out(classes)
    );
    Some(match differs {
        true => Finding::new(Tone::Look, format!("The class “{name}” is found less often than the others."), evidence)
            .advise("More samples of it, task.class_weights = \"balanced\", or for two classes another task.threshold."),
        false => Finding::new(Tone::Good, "No class is found less often than the others beyond chance.", evidence),
    })
}

/// How many samples of each class are found.
struct Found {
    hits: Vec<Hits>,
}

impl Found {
    fn of(per_class: &[PerClass], matrix: &[Vec<u64>]) -> Self {
        let hits = per_class.iter().enumerate().map(|(class, found)| {
            let hits = matrix.get(class).and_then(|row| row.get(class)).copied();
            let n = found.support as usize;
            ((hits.unwrap_or(0) as usize).min(n), n)
        });
        Self {
            hits: hits.collect(),
        }
    }

    /// The classes that can be judged.
    fn judged(&self) -> Vec<usize> {
        let classes = 0..self.hits.len();
        classes
            .filter(|class| self.hits[*class].1 >= FEWEST_OF_A_PART)
            .collect()
    }

    /// The one of the least share, if two can be judged.
    fn worst(&self) -> Option<usize> {
        let judged = self.judged();
        let least = |a: &usize, b: &usize| share(self.hits[*a]).total_cmp(&share(self.hits[*b]));
        let worst = judged.iter().copied().min_by(least);
        worst.filter(|_| judged.len() > 1)
    }

    /// All other classes together.
    fn others(&self, class: usize) -> Hits {
        let sum = |of: &dyn Fn(&Hits) -> usize| self.hits.iter().map(of).sum::<usize>();
        let (hits, n) = self.hits[class];
        (sum(&|hits| hits.0) - hits, sum(&|hits| hits.1) - n)
    }

    /// The probability of a class so unlike the others by chance, corrected for the number of classes.
    fn p(&self, class: usize) -> f64 {
        let judged = self.judged();
        let p = judged
            .iter()
            .map(|&class| fisher_exact(self.hits[class], self.others(class)));
        let p = holm(&p.collect::<Vec<_>>());
        let place = judged.iter().position(|&judged| judged == class);
        place.map_or(1.0, |place| p[place])
    }

    /// The classes that cannot be judged, in words.
    fn left_out(&self, classes: &[String]) -> String {
        let few = classes.iter().zip(&self.hits);
        let few = few.filter(|(_, (_, n))| *n < FEWEST_OF_A_PART);
        let few: Vec<String> = few
            .map(|(name, (_, n))| format!("“{name}” ({n})"))
            .collect();
        match few.is_empty() {
            true => String::new(),
            false => format!(" Too few samples to judge: {}.", listed(&few, 6)),
        }
    }
}

fn share((hits, n): Hits) -> f64 {
    hits as f64 / n.max(1) as f64
}

fn found_said(name: &str, hits: Hits, others: Hits) -> Option<String> {
    let (low, high) = wilson_interval(hits.0, hits.1)?;
    let (least, most) = difference_interval(others, hits)?;
    Some(format!(
        "Of {} of the class “{name}”, {} are found (95 % interval {} to {}); of all others {} (difference {} to {}).",
        plural(hits.1, "sample"),
        percent(share(hits)),
        percent(low),
        percent(high),
        percent(share(others)),
        percent(least),
        percent(most),
    ))
}

/// The class that is answered most often in place of this one, by its row of the confusion matrix.
fn taken_for(classes: &[String], row: &[u64], class: usize) -> Option<String> {
    let others = row.iter().enumerate().filter(|(other, _)| *other != class);
    let (other, count) = others
        .max_by_key(|(_, count)| **count)
        .filter(|(_, count)| **count > 0)?;
    Some(format!(
        " Most often it is taken for “{}” ({count} times).",
        classes[other]
    ))
}

fn by_slice(parts: &[Part], no_columns: bool, are_hits: bool) -> Finding {
    let Some(lowest) = parts.first() else {
        return no_slices(no_columns);
    };
    let bad: Vec<&Part> = parts
        .iter()
        .filter(|part| part.differs && part.worse)
        .collect();
    // A group comes before large numbers, which have large errors more often than not.
    let (of_numbers, of_groups): (Vec<&Part>, _) =
        bad.into_iter().partition(|part| part.is_of_prediction);
    let bad = if of_groups.is_empty() {
        of_numbers
    } else {
        of_groups
    };
    // The surest difference: a pair of columns often only repeats what one of them says.
    let surest = bad
        .iter()
        .min_by(|a, b| a.p.total_cmp(&b.p).then(b.n.cmp(&a.n)));
    match surest {
        Some(worst) => fails(worst, &bad, parts.len(), are_hits),
        None if parts.iter().all(|part| part.is_of_prediction) => no_slices(no_columns),
        None => fails_none(lowest, parts.len(), are_hits),
    }
}

fn no_slices(no_columns: bool) -> Finding {
    let says = "Whom the model fails cannot be seen by group.";
    let evidence = match no_columns {
        true => "The run kept no columns beside its predictions.",
        false => "The columns beside its predictions give no group of enough samples.",
    };
    Finding::new(Tone::Look, says, evidence).advise("Name columns such as a region, a device, a sex or an age in data.extra_columns: they need not be inputs.")
}

/// What is said of the worst of the slices that the model fails.
fn fails(worst: &Part, bad: &[&Part], slices: usize, are_hits: bool) -> Finding {
    let shown = |value: f64| shown(value, are_hits);
    let names: Vec<&str> = bad.iter().map(|part| part.name.as_str()).collect();
    let (low, high) = worst.interval.unwrap_or((worst.value, worst.value));
    let evidence = format!(
        "On the {} with {}: {} (95 % interval {} to {}), on all others {}. The difference stands after correction for {slices} slices. All that do: {}.",
        plural(worst.n, "sample"),
        worst.name,
        shown(worst.value),
        shown(low),
        shown(high),
        shown(worst.others),
        listed(&names, 6)
    );
    if worst.is_of_prediction {
        let says = format!(
            "Errors are larger where the {}.",
            worst.name.replacen(' ', " is ", 1)
        );
        return Finding::new(Tone::Look, says, evidence)
            .advise("One size of error for all samples promises too much there. If the target goes over orders of magnitude, predict its logarithm.");
    }
    Finding::new(
        Tone::Bad,
        format!("The model fails a group: {}.", worst.name),
        evidence,
    )
    .advise("Look at these samples; more of them in training, or a model of their own, helps most.")
}

fn fails_none(lowest: &Part, slices: usize, are_hits: bool) -> Finding {
    let evidence = format!(
        "Of {slices} slices none is worse than the rest after correction for their number. The lowest: {} with {} of {}.",
        lowest.name,
        shown(lowest.value, are_hits),
        plural(lowest.n, "sample")
    );
    Finding::new(Tone::Good, "No group fares worse beyond chance.", evidence)
}

/// A share in percent, and any other mean as a number.
fn shown(value: f64, are_hits: bool) -> String {
    match are_hits {
        true => percent(value),
        false => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A confusion matrix of classes whose hits and samples these are.
    fn report(hits: &[Hits]) -> Report {
        let classes: Vec<String> = (0..hits.len()).map(|class| format!("c{class}")).collect();
        let row = |(class, (hits_of, n)): (usize, &Hits)| {
            let mut row = vec![0; hits.len()];
            row[class] = *hits_of as u64;
            row[(class + 1) % hits.len()] = (n - hits_of) as u64;
            row
        };
        let per_class = hits.iter().map(|&(of, n)| PerClass {
            precision: 0.5,
            recall: share((of, n)),
            f1: 0.5,
            support: n as u64,
            roc_auc: None,
            average_precision: None,
        });
        Report {
            n: hits.iter().map(|(_, n)| n).sum(),
            per_class: Some(per_class.collect()),
            confusion_matrix: Some(hits.iter().enumerate().map(row).collect()),
            classes: Some(classes),
            ..Report::default()
        }
    }

    fn says(hits: &[Hits]) -> String {
        let found = worst_class(&report(hits)).expect("classes");
        format!("{} {}", found.says, found.evidence)
    }

    #[test]
    fn the_worst_of_many_classes_must_be_worse_than_chance_makes_it() {
        let said = says(&[(50, 50), (30, 50)]);
        assert!(
            said.starts_with("The class “c1” is found less often"),
            "{said}"
        );
        // By itself it would be seen, and it is no wonder as the worst of ten.
        assert!(fisher_exact((44, 50), (432, 450)) < CHANCE);
        let mut ten = vec![(48, 50); 9];
        ten.push((44, 50));
        let said = says(&ten);
        assert!(said.starts_with("No class is found less often"), "{said}");
    }

    #[test]
    fn a_class_of_a_few_samples_is_not_judged() {
        let said = says(&[(50, 50), (49, 50), (0, 3)]);
        assert!(
            said.starts_with("No class") && said.contains("Too few samples to judge: “c2” (3)."),
            "{said}"
        );
        let said = says(&[(50, 50), (0, 3)]);
        assert!(
            said.starts_with("Whether a class is found less often cannot be seen"),
            "{said}"
        );
    }
}
