//! A model that answers questions.

use std::path::{Path, absolute};

use fireclay_data::{Asked, Choice, DataError, Question, Questions, Tally};
use fireclay_metrics::{exact_match, word_f1};

use super::Exam;
use super::grade::{Answer, Judged, Judgement, Notes};
use super::prompts::{Example, Prompts};
use crate::generate::{self, Limits, PairError, Reader, Sampling};
use crate::run::{Run, RunError};

/// A model, and what was seen of the questions so far.
pub(super) struct Pupil<'a> {
    run: &'a dyn Run,
    reader: Reader,
    prompts: Prompts,
    limits: Limits,
    /// Whether the model has a template that is not applied.
    is_chat: bool,
    /// Texts whose beginning the model did not read.
    cut: usize,
    tally: Tally,
}

impl<'a> Pupil<'a> {
    /// # Errors
    ///
    /// If the run writes no text, or has no chat template where one is to be applied.
    pub fn new(run: &'a dyn Run, exam: &Exam<'_>) -> Result<Self, RunError> {
        let reader = run.writer()?.reader();
        let chat = run.chat()?;
        if exam.chat && chat.is_none() {
            let at = run.base().run.display();
            let message = format!("{at} has no chat template; leave --chat out");
            return Err(RunError::Usage(message));
        }
        Ok(Self {
            run,
            reader,
            is_chat: chat.is_some() && !exam.chat,
            prompts: Prompts {
                chat: chat.filter(|_| exam.chat),
                untold: false,
            },
            limits: exam.limits.clone(),
            cut: 0,
            tally: Tally::default(),
        })
    }

    /// What there is to say of the questions.
    pub fn notes<'q>(&self, questions: &'q Questions) -> Notes<'q> {
        let mut all = questions.questions.iter();
        let is_written = all.any(|question| matches!(question.asked, Asked::Written { .. }));
        Notes {
            is_chat: self.is_chat,
            untold: self.prompts.untold,
            cut: self.cut,
            told: self.reader.say("the questions", self.tally),
            limits: is_written.then(|| self.limits.clone()),
            questions,
            overlap: None,
        }
    }

    /// The answer to a question after these examples, of the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be asked, or the model's numbers are not finite.
    pub fn answer(
        &mut self,
        question: &Question,
        examples: &[Example],
        path: &Path,
    ) -> Result<Judgement, RunError> {
        let before = (question.told.as_str(), examples);
        let answer = match &question.asked {
            Asked::Choices { choices, answer } => self.choose(before, choices, *answer),
            Asked::End { context, end } => self.end(before, context, end),
            Asked::Written { prompt, answers } => self.write(before, prompt, answers),
        };
        let answer = answer.map_err(|wrong| match wrong {
            Wrong::Question(message) => RunError::Data(DataError::Json {
                path: absolute(path).unwrap_or_else(|_| path.to_owned()),
                line: question.line,
                message,
            }),
            Wrong::Run(error) => error,
        })?;
        Ok(Judgement {
            line: question.line,
            subject: question.subject.clone(),
            answer,
        })
    }

    fn choose(
        &mut self,
        (told, examples): (&str, &[Example]),
        choices: &[Choice],
        answer: usize,
    ) -> Result<Answer, Wrong> {
        let (mut texts, mut tally, mut cut) = (Vec::new(), Tally::default(), false);
        let mut context: Option<(&str, String)> = None;
        for (at, choice) in choices.iter().enumerate() {
            let (_, before) = match context.take().filter(|(of, _)| *of == choice.context) {
                Some(same) => context.insert(same),
                None => {
                    let text = self.prompts.context(told, examples, &choice.context);
                    context.insert((choice.context.as_str(), text.map_err(Wrong::Question)?))
                }
            };
            let continuation = format!("{}{}", self.prompts.between(), choice.continuation);
            let pair = self.reader.pair(before, &continuation);
            let pair =
                pair.map_err(|error| Wrong::of(&format!("choice {at}, counted from 0,"), error))?;
            tally.unknown = tally.unknown.max(pair.tally.unknown);
            tally.spelled = tally.spelled.max(pair.tally.spelled);
            cut |= pair.unread > 0;
            texts.push(pair.judged);
        }
        self.saw(tally, cut);
        let found = self.run.writer()?.likelihoods(&texts)?;
        let judged = choices.iter().zip(&texts).zip(found);
        let judged = judged.map(|((choice, text), found)| Judged {
            text: choice.text.clone(),
            tokens: text.count,
            log_probability: found.logarithm,
        });
        Ok(Answer::chosen(judged.collect(), answer))
    }

    fn end(
        &mut self,
        (told, examples): (&str, &[Example]),
        context: &str,
        end: &str,
    ) -> Result<Answer, Wrong> {
        let before = self.prompts.context(told, examples, context);
        let pair = self.reader.pair(&before.map_err(Wrong::Question)?, end);
        let pair = pair.map_err(|error| Wrong::of("the last word", error))?;
        self.saw(pair.tally, pair.unread > 0);
        let found = self
            .run
            .writer()?
            .likelihoods(std::slice::from_ref(&pair.judged))?;
        Ok(Answer::End {
            log_probability: found[0].logarithm,
            tokens: pair.judged.count,
            is_greedy: found[0].is_greedy,
        })
    }

    fn write(
        &mut self,
        (told, examples): (&str, &[Example]),
        prompt: &str,
        answers: &[String],
    ) -> Result<Answer, Wrong> {
        let context = self.prompts.context(told, examples, prompt);
        let (tokens, tally) = self.reader.asked(&context.map_err(Wrong::Question)?)?;
        let writer = self.run.writer()?;
        let room = writer
            .context_length()
            .saturating_sub(self.limits.max_tokens);
        if room == 0 {
            return Err(Wrong::Run(RunError::Usage(format!(
                "--max-tokens {} leaves no room for a question: the model reads {} tokens",
                self.limits.max_tokens,
                writer.context_length()
            ))));
        }
        let unread = tokens.len().saturating_sub(room);
        self.saw(tally, unread > 0);
        let mut text = String::new();
        let greedy = Sampling {
            temperature: 0.0,
            ..Sampling::default()
        };
        writer.go_on(tokens[unread..].to_vec(), &greedy, &self.limits, |piece| {
            text.push_str(piece)
        })?;
        let text = text.trim().to_owned();
        Ok(Answer::Written {
            exact_match: exact_match(&text, answers),
            f1: word_f1(&text, answers),
            text,
        })
    }

    fn saw(&mut self, tally: Tally, is_cut: bool) {
        self.cut += usize::from(is_cut);
        self.tally.unknown += tally.unknown;
        // That its text spells special tokens is the purpose of a template.
        self.tally.spelled += if self.prompts.chat.is_some() {
            0
        } else {
            tally.spelled
        };
    }
}

/// Why there is no answer.
enum Wrong {
    /// The question cannot be asked.
    Question(String),
    /// Something else failed.
    Run(RunError),
}

impl Wrong {
    fn of(what: &str, error: PairError) -> Self {
        match error {
            PairError::Data(error) => Self::Run(error.into()),
            error => Self::Question(format!("{what} {error}")),
        }
    }
}

impl From<RunError> for Wrong {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<generate::GenerateError> for Wrong {
    fn from(error: generate::GenerateError) -> Self {
        match error {
            generate::GenerateError::EmptyPrompt => {
                Self::Question("the prompt has no token".into())
            }
            error => Self::Run(error.into()),
        }
    }
}
