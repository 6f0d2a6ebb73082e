//! What each column is for, once the target is known.

use super::facts::{Facts, names_id};
use super::{Guess, GuessedColumn};
use crate::column::{date_order, long_numbers, words};
use crate::labels::TargetKind;
use crate::table::config::default_max_categories;
use crate::table::report::{Goal, is_leak, thinned};
use crate::table::texts::{is_text, mean_words};
use crate::table::{ColumnKind, grouped};

impl Guess {
    pub(super) fn column(
        &mut self,
        fact: &Facts<'_>,
        target: &Facts<'_>,
        goal: Option<&Goal>,
    ) -> GuessedColumn {
        let (kind, reason) = self.judge(fact, target, goal);
        GuessedColumn {
            name: fact.name.clone(),
            kind,
            reason,
        }
    }

    fn judge(
        &mut self,
        fact: &Facts<'_>,
        target: &Facts<'_>,
        goal: Option<&Goal>,
    ) -> (ColumnKind, String) {
        let ignored = |reason: &str| (ColumnKind::Ignore, reason.to_owned());
        if fact.name == self.target {
            let reason = format!("the target, {}", self.describe_target(fact));
            return (fact.kind, reason);
        }
        if fact.is_id && self.id.is_none() {
            self.id = Some(fact.name.clone());
            return ignored("names the row: a different value in each");
        }
        if fact.is_id || fact.is_index {
            self.ignore.push(fact.name.clone());
            return ignored("numbers the rows");
        }
        if let Some(reason) = &fact.useless {
            return self.judge_useless(fact, reason);
        }
        if let Some(example) = long_names(fact) {
            self.ignore.push(fact.name.clone());
            self.notes.push(format!("{:?} has whole numbers beyond 2^53, such as {example}, which as numbers lose their last digits: it is taken for names of something and ignored; take it out of ignore if it is a quantity", fact.name));
            return ignored("whole numbers too long to be told apart as numbers");
        }
        if is_leak(fact.array, target.array, self.target_kind) {
            self.ignore.push(fact.name.clone());
            self.notes.push(format!("{:?} tells the target by itself and is ignored; take it out of ignore if it is known before the target is", fact.name));
            return ignored("tells the target by itself");
        }
        self.note_feature(fact, goal);
        (fact.kind, describe(fact))
    }

    /// What there is to say of a column that is learned from.
    fn note_feature(&mut self, fact: &Facts<'_>, goal: Option<&Goal>) {
        let name = &fact.name;
        let told = thinned(fact.array).ok();
        if let Some(told) = told.and_then(|some| goal?.told_by(&some)) {
            self.notes.push(format!(
                "{name:?} {told}; add it to ignore if it is known only after the target"
            ));
        }
        let most = default_max_categories();
        if fact.kind == ColumnKind::Categorical && fact.distinct > most {
            self.notes.push(format!("{name:?} has {} different texts, more than max_categories = {most}, so target statistics stand for them; columns.{name:?}.encoding chooses another way", fact.distinct));
        }
        if fact.kind == ColumnKind::Date
            && let Some((order, true)) = date_order(fact.array)
        {
            self.notes
                .push(format!("column {name:?}: {}", order.doubt(name)));
        }
        let can_name = fact.is_whole || fact.kind == ColumnKind::Categorical;
        if names_id(name) && can_name && fact.distinct > 20 {
            self.notes.push(format!("{name:?} looks like an identifier that repeats: if rows with the same value belong together, set split.group to it"));
        }
    }

    /// A column that categories or numbers cannot be learned from; its words perhaps can.
    fn judge_useless(&mut self, fact: &Facts<'_>, reason: &str) -> (ColumnKind, String) {
        if fact.kind == ColumnKind::Categorical && fact.distinct > 1 {
            let words = mean_words(&fact.name, fact.array).unwrap_or_default();
            if is_text(words) {
                self.text.push(fact.name.clone());
                let reason = format!("texts of about {words:.0} words, whose words are features");
                return (ColumnKind::Text, reason);
            }
            self.ignore.push(fact.name.clone());
        }
        // Nothing is split yet, so what is said of the training rows holds for all.
        let reason = reason
            .replace("left out: ", "")
            .replace("training row", "row");
        let reason = reason.split(" (set ").next().unwrap_or_default();
        (ColumnKind::Ignore, reason.to_owned())
    }

    fn describe_target(&self, fact: &Facts<'_>) -> String {
        match self.target_kind {
            TargetKind::Class => format!("{} classes", fact.distinct),
            TargetKind::Number => "a number".into(),
            TargetKind::Set => "several labels".into(),
        }
    }

    pub(super) fn note_groups(&mut self, facts: &[Facts<'_>], target: &Facts<'_>) {
        let others = facts.iter().filter(|fact| fact.name != target.name);
        let hints = others.filter_map(|fact| {
            let hint = grouped::hint(&fact.name, fact.array, target.array)?;
            Some(format!("column {:?}: {hint}", fact.name))
        });
        self.notes.extend(hints);
    }

    pub(super) fn note_target(&mut self, target: &Facts<'_>) {
        if let Some(separator) = &self.label_separator {
            self.notes.push(format!("the cells of {:?} hold several labels with {separator:?} between them; for one class for each different cell take label_separator out and use the task classification", target.name));
        }
        if target.missing > 0 && self.target_kind == TargetKind::Set {
            self.notes.push(format!(
                "{} of {} rows have an empty target: they are rows without a label; missing_target = \"drop\" leaves them out",
                target.missing, target.rows
            ));
        } else if target.missing > 0 {
            self.notes.push(format!(
                "the target is missing in {} of {} rows, which are left out",
                target.missing, target.rows
            ));
        }
        if self.target_kind == TargetKind::Class && target.is_whole && target.distinct > 2 {
            self.notes.push(format!("{:?} holds {} different whole numbers and is taken for classes; for a quantity set task.type = \"regression\" and take stratify out of split", target.name, target.distinct));
        }
    }
}

/// A number of a column of long whole numbers that seem to name something: mostly different, and no moments
/// since 1970 in nanoseconds.
fn long_names(fact: &Facts<'_>) -> Option<String> {
    let example = long_numbers(fact.array).filter(|_| fact.kind == ColumnKind::Numeric)?;
    let is_moment = example.len() == 19 && example.starts_with('1');
    let is_varied = 2 * fact.distinct > fact.rows - fact.missing;
    (is_varied && !is_moment).then_some(example)
}

fn describe(fact: &Facts<'_>) -> String {
    let what = match fact.kind {
        ColumnKind::Numeric if fact.is_whole => {
            format!("whole numbers, {} different", fact.distinct)
        }
        ColumnKind::Numeric => "numbers".into(),
        ColumnKind::Boolean => "true or false".into(),
        ColumnKind::Date => match date_order(fact.array) {
            Some((order, _)) if words(fact.array).is_some() => {
                format!("dates written {}", order.words())
            }
            _ => "dates".into(),
        },
        ColumnKind::Categorical => format!("{} different texts", fact.distinct),
        ColumnKind::Text => "texts".into(),
        ColumnKind::Ignore => "not used".into(),
    };
    match fact.missing {
        0 => what,
        missing => format!("{what}, missing in {missing} of {} rows", fact.rows),
    }
}
