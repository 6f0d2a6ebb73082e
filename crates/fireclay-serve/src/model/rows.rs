//! Answers for rows, those of several requests at once where that changes no bit of them.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fireclay_data::DataError;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch};
use fireclay_data::arrow::compute::concat_batches;
use fireclay_run::answer::Answers;
use fireclay_run::{Observed, Run, RunError, answer_columns, image_columns};

use super::facts::Kind;
use super::job::{Answer, Job, Rows, Style};
use super::worker::Work;
use crate::drift::OF_BATCH;
use crate::error::Refusal;

/// Images and texts that are answered for at the same time, at most: the first waits for the last of them.
const APART: usize = 64;

/// Answers until nobody can ask any more.
pub fn work(work: &Work<'_>) {
    let mut kept = VecDeque::new();
    loop {
        let first = match kept.pop_front() {
            Some(rows) => rows,
            None => match work.queue.recv() {
                Ok(job) => match wanted(job, work) {
                    Some(rows) => rows,
                    None => continue,
                },
                Err(_) => return,
            },
        };
        let together = gather(first, &mut kept, work);
        let rows: usize = together.iter().map(|asked| asked.rows.num_rows()).sum();
        work.metrics.batch.observe(rows as f64);
        let start = Instant::now();
        match work.facts.has_cells() {
            true => of_cells(together, work),
            false => answer(together, work),
        }
        let took = start.elapsed().as_secs_f64();
        work.metrics.computing.observe(took);
    }
}

/// Counts samples for the comparison with the training. What cannot be counted is answered all the same.
fn count(work: &Work<'_>, seen: &Observed) {
    let _ = guarded(|| {
        work.drift.add(seen);
        Ok(())
    });
}

/// What is still to be answered: in time, for somebody who listens.
fn wanted(job: Job, work: &Work<'_>) -> Option<Rows> {
    work.metrics.waiting.dec();
    let Job::Rows(rows) = job else {
        return None;
    };
    if rows.reply.is_closed() {
        work.metrics.left.inc();
        return None;
    }
    if rows.until <= Instant::now() {
        // Who has left in the meantime does not hear of it.
        let _ = rows.reply.send(Err(Refusal::late()));
        return None;
    }
    Some(rows)
}

/// The first request, with those that can be answered along with it. One of another form is kept for later.
fn gather(first: Rows, kept: &mut VecDeque<Rows>, work: &Work<'_>) -> Vec<Rows> {
    let most = match (work.facts.kind, work.facts.has_cells()) {
        // Texts of other lengths change the padding of a search, and with it the last bits of answers.
        (Kind::Translations, _) => return vec![first],
        (_, true) => work.limits.batch,
        (_, false) => work.limits.batch.min(APART),
    };
    let until = Instant::now() + work.limits.wait;
    let (schema, has_cells) = (first.rows.schema(), work.facts.has_cells());
    let mut count = first.rows.num_rows();
    let mut together = vec![first];
    while count < most && kept.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        let Some(job) = next(work, left) else {
            break;
        };
        let Some(rows) = wanted(job, work) else {
            continue;
        };
        // Rows of cells are read request by request, others are put into one table.
        let is_alike = has_cells || rows.rows.schema() == schema;
        let fits = is_alike && count + rows.rows.num_rows() <= most;
        match fits {
            true => {
                count += rows.rows.num_rows();
                together.push(rows);
            }
            false => kept.push_back(rows),
        }
    }
    together
}

fn next(work: &Work<'_>, left: Duration) -> Option<Job> {
    match left.is_zero() {
        true => work.queue.try_recv().ok(),
        false => work.queue.recv_timeout(left).ok(),
    }
}

/// Answers requests of rows of cells together, each of which is read once. Should that panic, each by itself.
fn of_cells(together: Vec<Rows>, work: &Work<'_>) {
    let batches: Vec<&RecordBatch> = together.iter().map(|asked| &asked.rows).collect();
    let seen = if work.drift.is_ready() { OF_BATCH } else { 0 };
    let told = guarded(|| work.run.answers_together(&batches, seen));
    match told {
        Ok((told, seen)) => {
            for (asked, told) in together.into_iter().zip(told) {
                let told = told.map(|told| (told.answers, told.notes));
                reply(asked, told.map_err(Refusal::from), work);
            }
            count(work, &seen);
        }
        Err(refusal) if together.len() == 1 => {
            for asked in together {
                reply(asked, Err(refusal.clone()), work);
            }
        }
        Err(_) => together
            .into_iter()
            .for_each(|asked| of_cells(vec![asked], work)),
    }
}

/// Answers requests together; where that fails, each by itself, so that nobody hears of the mistake of another.
fn answer(together: Vec<Rows>, work: &Work<'_>) {
    let batches: Vec<&RecordBatch> = together.iter().map(|asked| &asked.rows).collect();
    let (answers, is_one) = (all(&batches, work), together.len() == 1);
    let mut start = 0;
    for asked in together {
        let rows = start..start + asked.rows.num_rows();
        start = rows.end;
        let answers = match &answers {
            Ok(answers) => guarded(|| Ok(part(answers, rows, work.facts.classes.len()))),
            Err(refusal) if is_one => Err(refusal.clone()),
            Err(_) => all(&[&asked.rows], work),
        };
        let told = answers.and_then(|answers| {
            let notes = guarded(|| work.run.notes_on(&asked.rows, &answers))?;
            Ok((answers, notes))
        });
        reply(asked, told, work);
    }
}

/// The answers for all rows of these batches.
fn all(batches: &[&RecordBatch], work: &Work<'_>) -> Result<Answers, Refusal> {
    let rows = match batches {
        [one] => (*one).clone(),
        batches => {
            let joined = concat_batches(&batches[0].schema(), batches.iter().copied());
            joined.map_err(|error| Refusal::internal(error.to_string()))?
        }
    };
    let answered = guarded(|| answers(work, &rows))?;
    Ok(answered)
}

fn answers(work: &Work<'_>, rows: &RecordBatch) -> Result<Answers, RunError> {
    match work.facts.kind {
        Kind::Translations => Ok(work.run.answers(rows)?.answers),
        _ => apart(work, rows),
    }
}

/// Images and texts, some at a time, as their pixels take much memory. Each goes through the model by itself, and
/// several side by side on the threads.
fn apart(work: &Work<'_>, rows: &RecordBatch) -> Result<Answers, RunError> {
    let answers = |start: usize| {
        let some = rows.slice(start, APART.min(rows.num_rows() - start));
        let seen = if start == 0 && work.drift.is_ready() {
            OF_BATCH
        } else {
            0
        };
        let answered = work.run.answers_apart(&some, seen);
        let (answered, seen) = answered.map_err(|error| located(error, start, rows.num_rows()))?;
        Ok::<_, RunError>((answered.answers, seen))
    };
    let (mut all, seen) = answers(0)?;
    for start in (APART..rows.num_rows()).step_by(APART) {
        append(&mut all, answers(start)?.0);
    }
    // What is refused in the end is not counted.
    count(work, &seen);
    Ok(all)
}

/// An error about one of the samples from this one on, of so many in a request.
fn located(error: RunError, start: usize, count: usize) -> RunError {
    let RunError::Data(error) = error else {
        return error;
    };
    let DataError::Image { name, message } = error else {
        return RunError::Data(error.map_row(|row| row + start));
    };
    let number = name.strip_prefix("image ").and_then(|it| it.parse().ok());
    let name = match (count, number) {
        (2.., Some(number @ 1usize..)) => format!("image {} of the request", start + number),
        _ => "the request".to_owned(),
    };
    RunError::Data(DataError::Image { name, message })
}

/// Adds answers of the same kind.
fn append(all: &mut Answers, more: Answers) {
    use Answers::{Classes, Numbers, Sets, Texts, Vectors};
    match (all, more) {
        (
            Classes {
                chosen,
                probabilities,
            },
            Classes {
                chosen: c,
                probabilities: p,
            },
        ) => {
            chosen.extend(c);
            probabilities.extend(p);
        }
        (
            Sets {
                chosen,
                probabilities,
            },
            Sets {
                chosen: c,
                probabilities: p,
            },
        ) => {
            chosen.extend(c);
            probabilities.extend(p);
        }
        (Numbers(numbers), Numbers(more)) => numbers.extend(more),
        (Texts(texts), Texts(more)) => texts.extend(more),
        (Vectors { numbers, .. }, Vectors { numbers: more, .. }) => numbers.extend(more),
        // A run has one kind of answer; what is missing is asked for again, all at once.
        _ => {}
    }
}

/// The result of `work`. A panic ends one request, not the thread.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, RunError>) -> Result<T, Refusal> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Refusal::from),
        Err(_) => Err(Refusal::internal(
            "the model has failed on this request; this is a bug of the server",
        )),
    }
}

/// The answers for some of the rows.
fn part(answers: &Answers, rows: Range<usize>, classes: usize) -> Answers {
    let numbers = rows.start * classes..rows.end * classes;
    match answers {
        Answers::Classes {
            chosen,
            probabilities,
        } => Answers::Classes {
            chosen: chosen[rows].to_vec(),
            probabilities: probabilities[numbers].to_vec(),
        },
        Answers::Sets {
            chosen,
            probabilities,
        } => Answers::Sets {
            chosen: chosen[rows].to_vec(),
            probabilities: probabilities[numbers].to_vec(),
        },
        Answers::Numbers(answers) => Answers::Numbers(answers[rows].to_vec()),
        Answers::Texts(texts) => Answers::Texts(texts[rows].to_vec()),
        Answers::Vectors { width, numbers } => Answers::Vectors {
            width: *width,
            numbers: numbers[rows.start * width..rows.end * width].to_vec(),
        },
    }
}

fn reply(asked: Rows, told: Result<(Answers, Vec<String>), Refusal>, work: &Work<'_>) {
    let answer = told.and_then(|(answers, notes)| {
        let columns = guarded(|| Ok(columns(work.run, answers, asked.style)))?;
        let columns = RecordBatch::try_from_iter(columns);
        let columns = columns.map_err(|error| Refusal::internal(error.to_string()))?;
        Ok(Answer { columns, notes })
    });
    let answer = answer.map_err(|refusal| refusal.without(&work.facts.hidden));
    if answer.is_ok() {
        work.metrics.rows.inc_by(asked.rows.num_rows() as u64);
    }
    if asked.reply.send(answer).is_err() {
        work.metrics.left.inc();
    }
}

fn columns(run: &dyn Run, answers: Answers, style: Style) -> Vec<(String, ArrayRef)> {
    match style {
        Style::ByClass => answer_columns(run, answers),
        Style::Best(top) => image_columns(run, answers, top),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_refused_has_its_number_in_the_request() {
        let said = |name: &str, start, count| {
            let (name, message) = (name.to_owned(), "no".to_owned());
            let error = RunError::Data(DataError::Image { name, message });
            located(error, start, count).to_string()
        };
        assert_eq!(said("image 1", 0, 1), "the request: no");
        assert_eq!(said("image 2", 0, 3), "image 2 of the request: no");
        assert_eq!(said("image 2", 64, 70), "image 66 of the request: no");
    }
}
