//! What the answers come to.

use std::collections::BTreeMap;

use fireclay_data::{Question, QuestionFormat, Questions};
use fireclay_metrics::Estimate;
use serde::Serialize;

use crate::generate::Limits;

/// What was answered to a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The line of the question in its file, from 1.
    pub line: u64,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// An answer, and how it is judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// One of several choices, by index from 0. Of equal ones the first is taken.
    Choice {
        /// The right one.
        answer: usize,
        /// The most probable one.
        chosen: usize,
        /// The one of the greatest logarithm by the characters of the choice.
        chosen_norm: usize,
        /// The same by its bytes in UTF-8.
        chosen_bytes: usize,
        /// All of them.
        choices: Vec<Judged>,
    },
    /// The end of a text.
    End {
        /// The logarithm of its probability, in nats.
        log_probability: f64,
        /// Its tokens.
        tokens: usize,
        /// Whether each of them is the most probable one.
        is_greedy: bool,
    },
    /// What the model wrote.
    Written {
        /// The text, without blanks around it.
        text: String,
        /// 1 if it is one of the answers, else 0.
        exact_match: f64,
        /// The F1 of the words that it shares with the best answer.
        f1: f64,
    },
}

/// A choice and how probable it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The choice.
    pub text: String,
    /// The tokens that were judged.
    pub tokens: usize,
    /// The logarithm of their probability, in nats.
    pub log_probability: f64,
}

impl Answer {
    /// What a model chooses that finds the choices so probable.
    pub(super) fn chosen(choices: Vec<Judged>, answer: usize) -> Self {
        let best = |length: fn(&str) -> usize| {
            let score = |choice: &Judged| choice.log_probability / length(&choice.text) as f64;
            let mut best = 0;
            for (at, choice) in choices.iter().enumerate() {
                if score(choice) > score(&choices[best]) {
                    best = at;
                }
            }
            best
        };
        Self::Choice {
            answer,
            chosen: best(|_| 1),
            chosen_norm: best(|text| text.chars().count()),
            chosen_bytes: best(str::len),
            choices,
        }
    }

    /// What the answer adds to each metric, by name.
    fn values(&self, format: QuestionFormat) -> Vec<(&'static str, f64)> {
        let right = |is_right: bool| f64::from(u8::from(is_right));
        match self {
            Self::Choice {
                answer,
                chosen,
                chosen_norm,
                chosen_bytes,
                ..
            } => {
                let mut values = vec![("acc", right(chosen == answer))];
                if format.has_lengths() {
                    values.push(("acc_norm", right(chosen_norm == answer)));
                    values.push(("acc_bytes", right(chosen_bytes == answer)));
                }
                values
            }
            Self::End {
                log_probability,
                is_greedy,
                ..
            } => vec![(PERPLEXITY, -log_probability), ("acc", right(*is_greedy))],
            Self::Written {
                exact_match, f1, ..
            } => {
                vec![("exact_match", *exact_match), ("f1", *f1)]
            }
        }
    }
}

/// The exponential of the mean loss of an end, all its tokens together.
const PERPLEXITY: &str = "perplexity";

/// The metrics of some questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    /// How many questions.
    pub n: usize,
    /// Each metric, in the order in which they are told.
    pub metrics: Vec<(&'static str, Estimate)>,
}

impl Marks {
    fn of<'a>(format: QuestionFormat, answers: impl Iterator<Item = &'a Judgement>) -> Self {
        let (mut n, mut columns) = (0, Vec::<(&'static str, Vec<f64>)>::new());
        for judgement in answers {
            n += 1;
            for (at, (name, value)) in judgement.answer.values(format).into_iter().enumerate() {
                if at == columns.len() {
                    columns.push((name, Vec::new()));
                }
                columns[at].1.push(value);
            }
        }
        let metric = |(name, values): (&'static str, Vec<f64>)| {
            let mean = Estimate::mean(&values)?;
            let is_power = name == PERPLEXITY;
            Some((name, if is_power { mean.exp() } else { mean }))
        };
        let metrics = columns.into_iter().filter_map(metric).collect();
        Self { n, metrics }
    }
}

/// All answers, and what they come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Graded {
    /// Over all questions.
    pub all: Marks,
    /// By what the questions are about, where they are about several things.
    pub subjects: BTreeMap<String, Marks>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The answers, in the order of the questions.
    pub answers: Vec<Judgement>,
}

impl Graded {
    pub(super) fn new(format: QuestionFormat, answers: Vec<Judgement>, notes: Vec<String>) -> Self {
        Self {
            all: Marks::of(format, answers.iter()),
            subjects: by_subject(format, &answers),
            notes,
            answers,
        }
    }
}

fn by_subject(format: QuestionFormat, answers: &[Judgement]) -> BTreeMap<String, Marks> {
    let mut subjects: BTreeMap<&str, Vec<&Judgement>> = BTreeMap::new();
    for judgement in answers {
        if let Some(subject) = &judgement.subject {
            subjects.entry(subject).or_default().push(judgement);
        }
    }
    let marks = |(name, own): (&str, Vec<&Judgement>)| {
        (name.to_owned(), Marks::of(format, own.into_iter()))
    };
    match subjects.len() {
        0 | 1 => BTreeMap::new(),
        _ => subjects.into_iter().map(marks).collect(),
    }
}

/// What there may be to say of the questions and of how they were asked.
pub(super) struct Notes<'a> {
    /// The model has a chat template that is not applied.
    pub is_chat: bool,
    /// The template has refused what is told before the questions.
    pub untold: bool,
    /// How many questions have a text whose beginning the model does not read.
    pub cut: usize,
    /// What tokens do not tell of the texts.
    pub told: Vec<String>,
    /// When texts that the model writes end.
    pub limits: Option<Limits>,
    pub questions: &'a Questions,
    /// The file of examples that has some of the questions.
    pub overlap: Option<&'a str>,
}

impl Notes<'_> {
    pub fn lines(self) -> Vec<String> {
        let mut notes = self.told;
        if self.is_chat {
            notes.push("the chat template of the model is not applied; --chat applies it".into());
        }
        if self.untold {
            notes.push("the chat template refuses what a system says: what is told before the questions is left out".into());
        }
        if self.cut > 0 {
            notes.push(format!(
                "{} of the questions are longer than what the model reads: their beginning is left out",
                self.cut
            ));
        }
        let equal = |question: &&Question| question.has_equal_choices();
        let mut alike = self.questions.questions.iter().filter(equal);
        let first = alike.next().map(|question| question.line);
        if let Some(line) = first {
            notes.push(format!(
                "{} of the questions have the same choice twice, of which the second is never chosen; the first such \
                 question is in line {line}",
                1 + alike.count()
            ));
        }
        notes.extend(self.overlap.map(|path| {
            format!("some questions are among the examples of {path}; no question is an example for itself")
        }));
        notes.extend(self.limits.map(|limits| written(&limits)));
        notes
    }
}

fn written(limits: &Limits) -> String {
    let stop = match limits.stop.is_empty() {
        true => "the token that ends a text".to_owned(),
        false => format!("{:?}", limits.stop),
    };
    format!(
        "the most probable tokens are written, up to {} of them or to {stop}: --max-tokens and --stop choose otherwise",
        limits.max_tokens
    )
}
