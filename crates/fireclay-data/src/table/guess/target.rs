//! Which column to predict.

use super::facts::Facts;
use crate::error::DataError;
use crate::table::ColumnKind;

/// What target columns are called, the surest names first: a table may well have both `survived`
/// and `class`, or both `churn` and `price`.
const NAMES: &str = "\
    target label labels outcome survived diagnosis species churn churned exited attrition \
    transported isfraud fraud heartdisease income incomebracket salarybracket loanstatus \
    defaultpaymentnextmonth default medianhousevalue medhouseval medv saleprice \
    sellingprice houseprice price quality progression charges mpg rings cnt g3 deposit \
    subscribed response class classlabel classification category variety sentiment y output \
    result condition num cardio stroke death deathevent salary score sales revenue demand \
    strength";

/// Words that end a longer name of a target: `heart_disease_target`, `credit default`.
const LAST_WORDS: &str = "\
    target label class outcome diagnosis churn survived attrition fraud default species";

/// The target and the reason for taking it.
pub(super) fn find_target<'a, 'b>(
    facts: &'b [Facts<'a>],
) -> Result<(&'b Facts<'a>, &'static str), DataError> {
    let possible: Vec<&Facts<'_>> = facts.iter().filter(|fact| can_be_target(fact)).collect();
    for name in NAMES.split(' ') {
        if let Some(fact) = possible.iter().find(|fact| plain(&fact.name) == name) {
            return Ok((fact, "by its name"));
        }
    }
    let is_target = |word: String| LAST_WORDS.split(' ').any(|known| known == word);
    let mut last_first = possible.iter().rev();
    if let Some(fact) = last_first.find(|fact| last_word(&fact.name).is_some_and(is_target)) {
        return Ok((fact, "by the last word of its name"));
    }
    match possible.last() {
        Some(fact) => Ok((fact, "it is the last column that can be one, and no name says otherwise")),
        None => Err(DataError::Unusable("no column can be a target: each is constant, a date, an identifier, or different in every row".into())),
    }
}

fn can_be_target(fact: &Facts<'_>) -> bool {
    let has_values = 2 * fact.missing <= fact.rows;
    let is_plain = !matches!(fact.kind, ColumnKind::Date | ColumnKind::Ignore);
    has_values && is_plain && fact.useless.is_none() && !fact.is_id && !fact.is_index
}

/// The letters and digits of a name in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_lowercase()
}

fn last_word(name: &str) -> Option<String> {
    name.split(|c: char| !c.is_alphanumeric())
        .rfind(|word| !word.is_empty())
        .map(str::to_lowercase)
}
