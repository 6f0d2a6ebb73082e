//! Answers for rows, those of several requests at once where that changes no bit of them.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fireclay_data::DataError;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use fireclay_data::arrow::compute::{concat_batches, take_record_batch};
use fireclay_run::answer::Answers;
use fireclay_run::{Observed, Run, RunError, answer_columns, image_columns};

use super::facts::Kind;
use super::job::{Answer, Job, Rows, Style};
use super::worker::Work;
use crate::drift::OF_BATCH;
use crate::error::Refusal;

/// Rows that go through a model at once: a multiple of every width of SIMD, so that every row goes through the same vector loop.
const TOGETHER: usize = 32;

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
        let answered = answer(together, work);
        work.metrics
            .computing
            .observe(start.elapsed().as_secs_f64());
        if work.facts.has_cells() && work.drift.is_ready() && !answered.is_empty() {
            count(work, || {
                let rows = first_rows(&answered, OF_BATCH)?;
                work.run.observe_rows(&rows)
            });
        }
    }
}

/// Counts rows for the comparison with the training. What cannot be counted is answered all the same.
fn count(work: &Work<'_>, seen: impl FnOnce() -> Result<Observed, RunError>) {
    let _ = guarded(|| {
        work.drift.add(&seen()?);
        Ok(())
    });
}

/// So many rows from the first of these on.
fn first_rows(batches: &[RecordBatch], mut most: usize) -> Result<RecordBatch, DataError> {
    let some = batches.iter().map(|rows| {
        let count = most.min(rows.num_rows());
        most -= count;
        rows.slice(0, count)
    });
    let some: Vec<RecordBatch> = some.collect();
    Ok(concat_batches(&some[0].schema(), &some)?)
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
    let schema = first.rows.schema();
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
        let fits = rows.rows.schema() == schema && count + rows.rows.num_rows() <= most;
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

/// Answers requests together; where that fails, each by itself, so that nobody hears of the mistake of another. Gives the
/// rows that were answered.
fn answer(together: Vec<Rows>, work: &Work<'_>) -> Vec<RecordBatch> {
    let batches: Vec<&RecordBatch> = together.iter().map(|asked| &asked.rows).collect();
    let (answers, is_one) = (all(&batches, work), together.len() == 1);
    let mut start = 0;
    let answered = together.into_iter().filter_map(|asked| {
        let rows = start..start + asked.rows.num_rows();
        start = rows.end;
        let answers = match &answers {
            Ok(answers) => guarded(|| Ok(part(answers, rows, work.facts.classes.len()))),
            Err(refusal) if is_one => Err(refusal.clone()),
            Err(_) => all(&[&asked.rows], work),
        };
        reply(asked, answers, work)
    });
    answered.collect()
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
        _ if work.facts.has_cells() => of_cells(work, rows),
        _ => apart(work, rows),
    }
}

/// Rows of cells go through the model so many at a time, whoever sent them; the last is repeated where there are fewer. How
/// products are rounded depends on how many rows they have, and on nothing else of the rows beside one.
fn of_cells(work: &Work<'_>, rows: &RecordBatch) -> Result<Answers, RunError> {
    let (count, classes) = (rows.num_rows(), work.facts.classes.len());
    let mut all: Option<Answers> = None;
    for start in (0..count).step_by(TOGETHER) {
        let some = TOGETHER.min(count - start);
        let indices = (0..TOGETHER).map(|row| (start + row.min(some - 1)) as u64);
        let padded = take_record_batch(rows, &UInt64Array::from_iter_values(indices));
        let Ok(answered) = work.run.answers(&padded.map_err(DataError::from)?) else {
            // The message is about the rows as they were sent.
            break;
        };
        let answers = part(&answered.answers, 0..some, classes);
        match &mut all {
            None => all = Some(answers),
            Some(all) => append(all, answers),
        }
    }
    match all.filter(|all| length(all) == count) {
        Some(all) => Ok(all),
        None => Ok(work.run.answers(rows)?.answers),
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
        let (answered, seen) = work.run.answers_apart(&some, seen)?;
        Ok::<_, RunError>((answered.answers, seen))
    };
    let (mut all, seen) = answers(0)?;
    for start in (APART..rows.num_rows()).step_by(APART) {
        append(&mut all, answers(start)?.0);
    }
    // What is refused in the end is not counted.
    count(work, || Ok(seen));
    Ok(all)
}

/// Adds answers of the same kind.
fn append(all: &mut Answers, more: Answers) {
    use Answers::{Classes, Numbers, Sets, Texts};
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
        // A run has one kind of answer; what is missing is asked for again, all at once.
        _ => {}
    }
}

fn length(answers: &Answers) -> usize {
    match answers {
        Answers::Classes { chosen, .. } => chosen.len(),
        Answers::Sets { chosen, .. } => chosen.len(),
        Answers::Numbers(numbers) => numbers.len(),
        Answers::Texts(texts) => texts.len(),
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
    }
}

/// Gives the rows of a request if they were answered.
fn reply(asked: Rows, answers: Result<Answers, Refusal>, work: &Work<'_>) -> Option<RecordBatch> {
    let answer = answers.and_then(|answers| {
        let columns = || {
            let notes = work.run.notes_on(&asked.rows, &answers)?;
            Ok((columns(work.run, answers, asked.style), notes))
        };
        let (columns, notes) = guarded(columns)?;
        let columns = RecordBatch::try_from_iter(columns);
        let columns = columns.map_err(|error| Refusal::internal(error.to_string()))?;
        Ok(Answer { columns, notes })
    });
    let answer = answer.map_err(|refusal| refusal.without(&work.facts.hidden));
    let answered = answer.is_ok().then(|| asked.rows.clone());
    if answered.is_some() {
        work.metrics.rows.inc_by(asked.rows.num_rows() as u64);
    }
    if asked.reply.send(answer).is_err() {
        work.metrics.left.inc();
    }
    answered
}

fn columns(run: &dyn Run, answers: Answers, style: Style) -> Vec<(String, ArrayRef)> {
    match style {
        Style::ByClass => answer_columns(run, answers),
        Style::Best(top) => image_columns(run, answers, top),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn rows_to_count_are_of_all_requests() {
        let batch = |numbers: Range<u64>| {
            let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(numbers));
            RecordBatch::try_from_iter([("x", numbers)]).expect("a batch")
        };
        let batches = [batch(0..3), batch(3..5), batch(5..90)];
        let first = |most| first_rows(&batches, most).expect("rows");
        assert_eq!(first(64), batch(0..64));
        assert_eq!(first(4), batch(0..4));
        assert_eq!(first(99), batch(0..90));
    }
}
