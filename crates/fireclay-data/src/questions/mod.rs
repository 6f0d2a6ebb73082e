//! Questions for language models, from files: choices, words to guess, answers to write.

mod forms;
mod read;
mod row;
mod rows;
#[cfg(test)]
mod tests;
mod wiki_how;

use std::path::PathBuf;

use crate::words::words;

words! {
    /// How the questions of a file are written, a JSON object on each line or a row of Parquet.
    pub enum QuestionFormat {
        /// `context` or `question` with `choices` and `answer`; or `prompt` with `answers`, which a model writes.
        Plain = "plain",
        /// ARC: `question`, `choices` with `text` and `label`, `answerKey` (Clark et al. 2018).
        Arc = "arc",
        /// BoolQ: `passage`, `question`, and `answer` or `label` (Clark et al. 2019).
        BoolQ = "boolq",
        /// HellaSwag: `activity_label`, `ctx_a`, `ctx_b`, `endings`, `label` (Zellers et al. 2019).
        HellaSwag = "hellaswag",
        /// LAMBADA: `text`, whose last word is guessed (Paperno et al. 2016).
        Lambada = "lambada",
        /// MMLU: `question`, `subject`, `choices`, `answer` (Hendrycks et al. 2020).
        Mmlu = "mmlu",
        /// OpenBookQA: `question_stem`, `choices` with `text` and `label`, `answerKey` (Mihaylov et al. 2018).
        OpenBookQa = "openbookqa",
        /// PIQA: `goal`, `sol1`, `sol2`, `label` (Bisk et al. 2019).
        Piqa = "piqa",
        /// WinoGrande: `sentence` with `_`, `option1`, `option2`, `answer` (Sakaguchi et al. 2019).
        WinoGrande = "winogrande",
    }
}

impl QuestionFormat {
    /// Whether scores by the length of a choice are usual: then they are told too.
    pub fn has_lengths(self) -> bool {
        !matches!(self, Self::BoolQ | Self::Mmlu | Self::WinoGrande)
    }

    /// Whether examples are the first ones of their file, instead of some that are drawn.
    pub fn has_fixed_examples(self) -> bool {
        self == Self::Mmlu
    }
}

/// The questions of a file: all have choices, or all have a word to guess, or all are answered by a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questions {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: QuestionFormat,
    /// The questions, of which there is one at least.
    pub questions: Vec<Question>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its line or row in the file, from 1.
    pub line: u64,
    /// What it is about; its examples are about the same.
    pub subject: Option<String>,
    /// What a model is told before everything else.
    pub told: String,
    /// What is asked.
    pub asked: Asked,
}

/// What a model is asked, and what is right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// The most probable of two or more choices is what the model says.
    Choices {
        /// The choices.
        choices: Vec<Choice>,
        /// Which of them is right.
        answer: usize,
    },
    /// A text whose end is right if each of its tokens is the most probable one.
    End {
        /// The text before.
        context: String,
        /// The end, with the blank before it.
        end: String,
    },
    /// What the model writes is compared with each answer.
    Written {
        /// What it goes on from.
        prompt: String,
        /// What counts as right: one answer at least.
        answers: Vec<String>,
    },
}

/// One of the choices of a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// What is before it.
    pub context: String,
    /// What the model is judged by, after a blank.
    pub continuation: String,
    /// The choice by itself, whose length scores are divided by.
    pub text: String,
}

impl Question {
    /// The question and its answer, as an example for others.
    pub fn solved(&self) -> (String, String) {
        let (context, answer) = match &self.asked {
            Asked::Choices { choices, answer } => {
                let right = &choices[*answer];
                (&right.context, &right.continuation)
            }
            Asked::End { context, end } => (context, end),
            Asked::Written { prompt, answers } => (prompt, &answers[0]),
        };
        (context.clone(), answer.clone())
    }

    /// Whether two of its choices are the same text, so that one of them can never be chosen.
    pub fn has_equal_choices(&self) -> bool {
        let Asked::Choices { choices, .. } = &self.asked else {
            return false;
        };
        let earlier = choices.iter().enumerate();
        earlier
            .clone()
            .any(|(at, choice)| choices[..at].contains(choice))
    }
}
