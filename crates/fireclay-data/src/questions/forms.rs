//! The rows of files of questions, as lm-evaluation-harness 0.4 asks them.

use serde_json::Value;

use super::row::{Row, texts};
use super::wiki_how::{capitalised, cleaned};
use super::{Asked, Choice, QuestionFormat};

/// What a row asks; also what is told before, and what it is about.
#[derive(Debug)]
pub(super) struct Made {
    pub asked: Asked,
    pub told: String,
    pub subject: Option<String>,
}

impl From<Asked> for Made {
    fn from(asked: Asked) -> Self {
        Self {
            asked,
            told: String::new(),
            subject: None,
        }
    }
}

impl QuestionFormat {
    /// The question of a row.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn made(self, row: &Row<'_>) -> Result<Made, String> {
        let asked = match self {
            Self::Plain => plain(row),
            Self::Arc => arc(row),
            Self::BoolQ => boolq(row),
            Self::HellaSwag => hellaswag(row),
            Self::Lambada => lambada(row),
            Self::Mmlu => return mmlu(row),
            Self::OpenBookQa => openbookqa(row),
            Self::Piqa => piqa(row),
            Self::WinoGrande => winogrande(row),
        };
        Ok(asked?.into())
    }

    /// The fields that no row of another format has.
    fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["choices", "answer"],
            Self::Arc => &["question", "choices", "answerKey"],
            Self::BoolQ => &["passage", "question"],
            Self::HellaSwag => &["ctx_a", "ctx_b", "endings"],
            Self::Lambada => &["text"],
            Self::Mmlu => &["question", "subject", "choices", "answer"],
            Self::OpenBookQa => &["question_stem", "choices", "answerKey"],
            Self::Piqa => &["goal", "sol1", "sol2"],
            Self::WinoGrande => &["sentence", "option1", "option2"],
        }
    }

    /// Which published format a row seems to be of.
    pub(super) fn seems(row: &Row<'_>) -> Option<Self> {
        let mut published = Self::ALL.into_iter().filter(|one| *one != Self::Plain);
        published.find(|one| one.marks().iter().all(|key| row.has(key)))
    }
}

/// Choices after the same text.
fn choose(context: &str, texts: Vec<String>, answer: usize) -> Asked {
    let choice = |text: String| Choice {
        context: context.to_owned(),
        continuation: text.clone(),
        text,
    };
    Asked::Choices {
        choices: texts.into_iter().map(choice).collect(),
        answer,
    }
}

fn question(text: &str) -> String {
    format!("Question: {text}\nAnswer:")
}

fn plain(row: &Row<'_>) -> Result<Asked, String> {
    if row.has("prompt") && !row.has("choices") {
        return written(row);
    }
    let context = match (row.has("context"), row.has("question")) {
        (true, true) => {
            return Err("has both \"context\" and \"question\": a context is read as it is, and a question between \
                 \"Question: \" and \"Answer:\"; give one"
                .into());
        }
        (true, false) => row.text("context")?.to_owned(),
        (false, true) => question(row.text("question")?),
        (false, false) => {
            return Err(
                "has neither \"context\" nor \"question\", nor \"prompt\" with \"answers\"".into(),
            );
        }
    };
    let choices = row.texts("choices")?;
    let answer = answer(row.value("answer")?, &choices)?;
    Ok(choose(&context, choices, answer))
}

fn written(row: &Row<'_>) -> Result<Asked, String> {
    let value = row.value("answers")?;
    let answers = match value {
        Value::String(answer) => vec![answer.clone()],
        list => texts(list).ok_or("\"answers\" is neither a text nor a list of texts")?,
    };
    match answers.is_empty() {
        true => Err("\"answers\" is empty: name what counts as right".into()),
        false => Ok(Asked::Written {
            prompt: row.text("prompt")?.to_owned(),
            answers,
        }),
    }
}

/// Which choice is meant: by its index, from 0, by its letter, or by its text.
fn answer(value: &Value, choices: &[String]) -> Result<usize, String> {
    if let Some(index) = value.as_u64() {
        return Ok(index as usize);
    }
    let unknown = || {
        let letters = "an index from 0, a letter from A, or the text of a choice";
        format!("\"answer\" is {value}, but has to be {letters}")
    };
    let text = value.as_str().ok_or_else(unknown)?;
    let letter = match text.as_bytes() {
        [letter @ b'A'..=b'Z'] => Some(usize::from(letter - b'A')),
        _ => None,
    };
    let mut same = (0..choices.len()).filter(|at| choices[*at] == text);
    match (letter, same.next(), same.next()) {
        (Some(letter), Some(at), _) if letter != at => Err(format!(
            "\"answer\" is {value}, which is the letter of one choice and the text of another: give an index from 0"
        )),
        (Some(letter), ..) => Ok(letter),
        (None, Some(at), None) => Ok(at),
        (None, Some(_), Some(_)) => Err(format!(
            "\"answer\" is {value}, which several choices are: give an index from 0"
        )),
        (None, None, _) => Err(unknown()),
    }
}

/// Texts and labels, as the hub has them: `{"text": [...], "label": [...]}`; or as the files of the Allen Institute do:
/// a list of `{"text", "label"}`.
fn labelled(choices: &Value) -> Option<(Vec<String>, Vec<String>)> {
    if let Some(list) = choices.as_array() {
        let text = |key: &str| {
            let each = list.iter().map(move |choice| choice.get(key)?.as_str());
            each.map(|text| text.map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        };
        return Some((text("text")?, text("label")?));
    }
    let (texts, labels) = (texts(choices.get("text")?)?, texts(choices.get("label")?)?);
    (texts.len() == labels.len()).then_some((texts, labels))
}

/// Choices with labels after a text.
fn by_label(context: &str, choices: &Value, key: &str) -> Result<Asked, String> {
    let needs = "\"choices\" has no \"text\" and \"label\" for each choice";
    let (texts, labels) = labelled(choices).ok_or(needs)?;
    let answer = labels.iter().position(|label| label == key.trim_start());
    let unknown = || format!("\"answerKey\" is {key:?}, and the labels are {labels:?}");
    Ok(choose(context, texts, answer.ok_or_else(unknown)?))
}

fn arc(row: &Row<'_>) -> Result<Asked, String> {
    let key = row.text("answerKey")?;
    match row.value("question")? {
        Value::Object(inner) => {
            let inner = Row(inner);
            let context = question(inner.text("stem")?);
            by_label(&context, inner.value("choices")?, key)
        }
        _ => by_label(&question(row.text("question")?), row.value("choices")?, key),
    }
}

fn openbookqa(row: &Row<'_>) -> Result<Asked, String> {
    let stem = row.text("question_stem")?;
    by_label(stem, row.value("choices")?, row.text("answerKey")?)
}

fn boolq(row: &Row<'_>) -> Result<Asked, String> {
    let (passage, asked) = (row.text("passage")?, row.text("question")?);
    let key = if row.has("label") { "label" } else { "answer" };
    let context = format!("{passage}\nQuestion: {asked}?\nAnswer:");
    let choices = ["no", "yes"].map(str::to_owned).to_vec();
    Ok(choose(&context, choices, row.index(key)?))
}

fn hellaswag(row: &Row<'_>) -> Result<Asked, String> {
    let (label, first) = (row.text("activity_label")?, row.text("ctx_a")?);
    let second = capitalised(row.text("ctx_b")?);
    let endings = row
        .texts("endings")?
        .iter()
        .map(|text| cleaned(text))
        .collect();
    let context = cleaned(&format!("{label}: {first} {second}"));
    Ok(choose(&context, endings, row.index("label")?))
}

fn piqa(row: &Row<'_>) -> Result<Asked, String> {
    let choices = vec![row.text("sol1")?.to_owned(), row.text("sol2")?.to_owned()];
    Ok(choose(
        &question(row.text("goal")?),
        choices,
        row.index("label")?,
    ))
}

/// The last word, after one blank.
fn lambada(row: &Row<'_>) -> Result<Asked, String> {
    let text = row.text("text")?;
    let (context, word) = text.rsplit_once(' ').unwrap_or(("", text));
    Ok(Asked::End {
        context: context.to_owned(),
        end: format!(" {word}"),
    })
}

/// The two sentences as far as the gap, which has an option in it, and after each what comes after the gap (Trinh & Le
/// 2018, [arXiv:1806.02847](https://arxiv.org/abs/1806.02847), section 3.1).
fn winogrande(row: &Row<'_>) -> Result<Asked, String> {
    let sentence = row.text("sentence")?;
    let gap = "\"sentence\" has no \"_\", where the options go";
    let (before, after) = sentence.split_once('_').ok_or(gap)?;
    let choice = |key: &str| {
        let context = format!("{before}{}", row.text(key)?);
        Ok::<_, String>(Choice {
            text: context.clone(),
            continuation: after.trim().to_owned(),
            context,
        })
    };
    let choices = vec![choice("option1")?, choice("option2")?];
    let answer = row.index("answer")?;
    let none = || format!("\"answer\" is {answer}, but has to be 1 or 2");
    let answer = answer.checked_sub(1).ok_or_else(none)?;
    Ok(Asked::Choices { choices, answer })
}

fn mmlu(row: &Row<'_>) -> Result<Made, String> {
    const LETTERS: [&str; 4] = ["A", "B", "C", "D"];
    let (asked, subject) = (row.text("question")?.trim(), row.text("subject")?);
    let choices = row.texts("choices")?;
    if choices.len() != LETTERS.len() {
        return Err(format!(
            "has {} choices, and a question of MMLU has 4",
            choices.len()
        ));
    }
    let lines = LETTERS.iter().zip(&choices);
    let lines: String = lines
        .map(|(letter, choice)| format!("\n{letter}. {choice}"))
        .collect();
    let letters = LETTERS.map(str::to_owned).to_vec();
    let answer = answer(row.value("answer")?, &letters)?;
    Ok(Made {
        asked: choose(&format!("{asked}{lines}\nAnswer:"), letters, answer),
        told: format!(
            "The following are multiple choice questions (with answers) about {}.\n\n",
            subject.replace('_', " ")
        ),
        subject: Some(subject.to_owned()),
    })
}
