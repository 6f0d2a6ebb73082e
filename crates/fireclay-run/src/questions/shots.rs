//! Questions with their answers that stand before another one.

use std::collections::HashSet;
use std::mem::discriminant;

use fireclay_data::{DataError, Question, Questions};

use super::Exam;
use super::prompts::Example;
use super::python::PythonRandom;
use crate::run::RunError;

/// The examples of a file, of which each question gets some.
pub(super) struct Shots {
    count: usize,
    pool: Vec<Question>,
    path: String,
    random: PythonRandom,
    /// Whether some question is among them: then one more is drawn, and the question itself is left out.
    overlaps: bool,
    /// Whether the first ones about the same are taken.
    are_fixed: bool,
}

impl Shots {
    /// # Errors
    ///
    /// If the file cannot be read, or has other questions or too few.
    pub fn new(exam: &Exam<'_>, questions: &Questions) -> Result<Self, RunError> {
        let pool = match exam.examples.filter(|_| exam.shots > 0) {
            Some(path) => Questions::load(path, exam.format)?.questions,
            None => Vec::new(),
        };
        let asked: HashSet<_> = pool.iter().map(|example| &example.asked).collect();
        let mut all = questions.questions.iter();
        let shots = Self {
            count: exam.shots,
            path: exam.examples.unwrap_or_default().to_owned(),
            random: PythonRandom::new(exam.seed),
            overlaps: all.any(|question| asked.contains(&question.asked)),
            are_fixed: exam.format.has_fixed_examples(),
            pool,
        };
        shots.check(&questions.questions[0])?;
        Ok(shots)
    }

    fn check(&self, question: &Question) -> Result<(), RunError> {
        let path = &self.path;
        let unlike =
            |example: &Question| discriminant(&example.asked) != discriminant(&question.asked);
        if self.pool.first().is_some_and(unlike) {
            let message =
                format!("the examples of {path} are answered otherwise than the questions");
            return Err(RunError::Usage(message));
        }
        let (found, needed) = (self.pool.len(), self.count + usize::from(self.overlaps));
        match self.count > 0 && found < needed && !self.are_fixed {
            true => Err(RunError::Usage(format!(
                "--shots {} needs {needed} examples{}, and {path} has {found}",
                self.count,
                if self.overlaps {
                    ", one of which may be the question"
                } else {
                    ""
                }
            ))),
            false => Ok(()),
        }
    }

    /// Whether some question is among the examples.
    pub fn overlaps(&self) -> bool {
        self.overlaps
    }

    /// The examples for a question, with their answers.
    ///
    /// # Errors
    ///
    /// If there are too few examples.
    pub fn before(&mut self, question: &Question) -> Result<Vec<Example>, DataError> {
        let drawn = self.drawn(question);
        if drawn.len() < self.count {
            let about = question
                .subject
                .as_ref()
                .map(|subject| format!(" about {subject}"));
            return Err(DataError::Unusable(format!(
                "--shots {} needs as many examples{}, and {} has {} for the question of line {}",
                self.count,
                about.unwrap_or_default(),
                self.path,
                drawn.len(),
                question.line
            )));
        }
        let solved = drawn.iter().map(|at| self.pool[*at].solved());
        Ok(solved.collect())
    }

    fn drawn(&mut self, question: &Question) -> Vec<usize> {
        let others: Vec<usize> = (0..self.pool.len())
            .filter(|at| self.pool[*at].asked != question.asked)
            .collect();
        if self.are_fixed {
            let is_near = |at: &usize| self.pool[*at].subject == question.subject;
            return others
                .into_iter()
                .filter(is_near)
                .take(self.count)
                .collect();
        }
        if self.count == 0 || !self.overlaps {
            return self.random.sample(self.pool.len(), self.count);
        }
        let mut drawn = self.random.sample(self.pool.len(), self.count + 1);
        drawn.retain(|at| others.contains(at));
        drawn.truncate(self.count);
        // The question is there several times.
        if drawn.len() < self.count && others.len() >= self.count {
            let again = self.random.sample(others.len(), self.count);
            return again.into_iter().map(|at| others[at]).collect();
        }
        drawn
    }
}
