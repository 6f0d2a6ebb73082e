//! `evaluate`: the metrics of a finished run over a whole split.

use burn::tensor::Device;
use fireclay_data::{
    ImageSplit, MaskedSplit, Masking, PairFormat, PairSplit, ReadOptions, Split, TableFormat,
    TextFormat, TextTableSplit, TokenSplit, Tokenizer,
};
use fireclay_metrics::Report;
use fireclay_plan::PLANNER;
use fireclay_run::config::{DataConfig, Loaded, PairSource, RunConfig, TaskConfig};
use fireclay_run::finished::{
    ImageRun, MaskedRun, TableRun, TextRun, TextTableRun, TranslationRun,
};
use fireclay_run::language;
use fireclay_run::run::{Evaluations, Prepared, RunData, RunError, load_run, pass};
use fireclay_run::task::{
    ImageSamples, MaskedSamples, PairSamples, TableSamples, TextSamples, TextTableSamples,
};
use fireclay_run::translate::Translator;
use fireclay_run::translation;

use super::device;
use crate::cli::EvaluateArgs;
use crate::failure::Failure;
use crate::text::{number, say, table};

/// Evaluates a split of the run's own data, or other data.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    let loaded = load_run(&args.run)?;
    let is_parallel = |source: &PairSource| source.format == PairFormat::Parallel;
    if args.target_data.is_some()
        && !matches!(&loaded.config.data, DataConfig::Pairs(source) if is_parallel(source))
    {
        let message = "--target-data is for runs on two parallel files";
        return Err(Failure::Usage(message.into()));
    }
    let device = device(&loaded.config, args.backend.as_deref())?;
    let config = loaded.config.clone();
    let (name, report) = match &loaded.config.data {
        DataConfig::Table(_) => rows(args, loaded, &device.device)?,
        DataConfig::Image(_) => images(args, loaded, &device.device)?,
        DataConfig::Text(_) => match &config.task {
            TaskConfig::MaskedLm(_) => masked(args, loaded, &device.device)?,
            _ => text(args, loaded, &device.device)?,
        },
        DataConfig::TextTable(_) => texts(args, loaded, &device.device)?,
        DataConfig::Pairs(_) => pairs(args, loaded, &device.device)?,
    };
    if args.json {
        let evaluations = Evaluations::from([(name, report)]);
        say!("{:#}", serde_json::json!(evaluations));
    } else {
        print(&name, unit(&config), &report);
    }
    Ok(())
}

fn rows(args: &EvaluateArgs, loaded: Loaded, device: &Device) -> Result<(String, Report), Failure> {
    let run = TableRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let (name, split) = match (&args.data, &config.data) {
        (Some(path), DataConfig::Table(source)) => {
            let format = TableFormat::from_path(path.as_ref()).unwrap_or(source.format);
            let options = ReadOptions::from_config(format, &source.table);
            let split = Split::load(path, &options, &run.preprocess, None)?;
            (path.clone(), split)
        }
        _ => match own(args, loaded)?.data() {
            RunData::Table(data) => {
                let split = named(data.named(), args).clone();
                (args.split.name().to_owned(), split)
            }
            _ => unreachable!("the run is on a table"),
        },
    };
    refuse_empty(args, split.len())?;
    let samples = TableSamples::new(split);
    let report = run
        .predictor
        .evaluate(samples, pass::<TableSamples>(&config), config.seed);
    Ok((name, report.map_err(RunError::from)?))
}

fn texts(
    args: &EvaluateArgs,
    loaded: Loaded,
    device: &Device,
) -> Result<(String, Report), Failure> {
    let run = TextTableRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let (name, split) = match (&args.data, &config.data) {
        (Some(path), DataConfig::TextTable(source)) => {
            let own = || source.texts.format().unwrap_or(TableFormat::Csv);
            let format = TableFormat::from_path(path.as_ref()).unwrap_or_else(own);
            let options = source.texts.read_options(format);
            let (split, notes) =
                TextTableSplit::load(path, &options, &run.tokenizer, &run.preprocess)?;
            notes.iter().for_each(|note| eprintln!("note: {note}"));
            (path.clone(), split)
        }
        _ => match own(args, loaded)?.data() {
            RunData::TextTable(data) => {
                let split = named(data.named(), args).clone();
                (args.split.name().to_owned(), split)
            }
            _ => unreachable!("the run is on a table of texts"),
        },
    };
    refuse_empty(args, split.len())?;
    let samples = TextTableSamples::new(split);
    let pass = pass::<TextTableSamples>(&config);
    let report = run.predictor.evaluate(samples, pass, config.seed);
    Ok((name, report.map_err(RunError::from)?))
}

fn images(
    args: &EvaluateArgs,
    loaded: Loaded,
    device: &Device,
) -> Result<(String, Report), Failure> {
    let run = ImageRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let (name, split) = match (&args.data, &config.data) {
        (Some(path), DataConfig::Image(source)) => {
            let (split, notes) =
                ImageSplit::load(path, source.format, &source.images, &run.preprocess)?;
            notes.iter().for_each(|note| eprintln!("note: {note}"));
            (path.clone(), split)
        }
        _ => match own(args, loaded)?.data() {
            RunData::Image(data) => {
                let split = named(data.named(), args).clone();
                (args.split.name().to_owned(), split)
            }
            _ => unreachable!("the run is on images"),
        },
    };
    refuse_empty(args, split.len())?;
    let samples = ImageSamples::new(split.without_augmentation());
    let report = run
        .predictor
        .evaluate(samples, pass::<ImageSamples>(&config), config.seed);
    Ok((name, report.map_err(RunError::from)?))
}

fn text(args: &EvaluateArgs, loaded: Loaded, device: &Device) -> Result<(String, Report), Failure> {
    let run = TextRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let reads = Reads {
        tokenizer: run.tokenizer.as_ref(),
        vocabulary: run.vocabulary,
        context: run.model.context_length(),
    };
    let (name, split) = windows(args, loaded, &reads)?;
    let samples = TextSamples::new(Some(split));
    let pass = pass::<TextSamples>(&config);
    let report = language::evaluate(&run.model, samples, pass, device);
    Ok((name, report.map_err(RunError::from)?))
}

fn masked(
    args: &EvaluateArgs,
    loaded: Loaded,
    device: &Device,
) -> Result<(String, Report), Failure> {
    let run = MaskedRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let TaskConfig::MaskedLm(task) = &config.task else {
        unreachable!("the run hides tokens");
    };
    let reads = Reads {
        tokenizer: Some(&run.tokenizer),
        vocabulary: run.vocabulary,
        context: run.tokenizer.room(run.context)?,
    };
    let (name, split) = windows(args, loaded, &reads)?;
    let masking = Masking::new(&run.tokenizer, task.mask_probability, task.whole_word)?;
    let samples = MaskedSamples::new(Some(MaskedSplit::new(split, masking, None)));
    let pass = pass::<MaskedSamples>(&config);
    let report = language::evaluate_masked(&run.model, samples, pass, device);
    Ok((name, report.map_err(RunError::from)?))
}

/// How a finished run reads text.
struct Reads<'a> {
    tokenizer: Option<&'a Tokenizer>,
    vocabulary: usize,
    context: usize,
}

/// The windows of text to evaluate, of which there is one at least, and what to call them.
fn windows(
    args: &EvaluateArgs,
    loaded: Loaded,
    reads: &Reads<'_>,
) -> Result<(String, TokenSplit), Failure> {
    let (name, split) = match (&args.data, &loaded.config.data) {
        (Some(path), DataConfig::Text(source)) => {
            let split = match (reads.tokenizer, source.format) {
                (Some(tokenizer), TextFormat::Text | TextFormat::TextJsonl) => {
                    let how = (source.format, &source.text);
                    TokenSplit::of_text(path, how, tokenizer, reads.context)?
                }
                (tokenizer, _) => {
                    let made_by = (tokenizer, reads.vocabulary);
                    TokenSplit::of_tokens(path, &source.text, made_by, reads.context)?
                }
            };
            (path.clone(), Some(split))
        }
        _ => match own(args, loaded)?.data() {
            RunData::Text(data) => {
                let split = named(data.named(), args).cloned();
                (args.split.name().to_owned(), split)
            }
            _ => unreachable!("the run is on text"),
        },
    };
    refuse_empty(args, split.as_ref().map_or(0, TokenSplit::windows))?;
    let split = split.expect("not empty");
    Ok((name, split.without_shift()))
}

fn pairs(
    args: &EvaluateArgs,
    loaded: Loaded,
    device: &Device,
) -> Result<(String, Report), Failure> {
    let run = TranslationRun::load(&args.run, device)?;
    let config = loaded.config.clone();
    let (DataConfig::Pairs(source), TaskConfig::Seq2Seq(task)) = (&config.data, &config.task)
    else {
        unreachable!("the run is on pairs of texts");
    };
    let (name, split) = match &args.data {
        Some(path) => {
            let how = (source.format, &source.pairs);
            let context = run.model.context_length();
            let target = args.target_data.as_deref();
            let split = PairSplit::of_files(path, target, how, &run.tokenizer, context)?;
            (path.clone(), Some(split))
        }
        None => match own(args, loaded)?.data() {
            RunData::Pairs(data) => {
                let split = named(data.named(), args).cloned();
                (args.split.name().to_owned(), split)
            }
            _ => unreachable!("the run is on pairs of texts"),
        },
    };
    refuse_empty(args, split.as_ref().map_or(0, PairSplit::pairs))?;
    let translator = Translator::new(&run.model, &run.tokenizer, device, task);
    let pass = pass::<PairSamples>(&config);
    let report = translation::evaluate(&translator, PairSamples::new(split), pass);
    Ok((name, report.map_err(RunError::from)?))
}

/// What a report counts.
fn unit(config: &RunConfig) -> &'static str {
    match config.data {
        DataConfig::Table(_) | DataConfig::Image(_) | DataConfig::TextTable(_) => "rows",
        DataConfig::Text(_) => "tokens",
        DataConfig::Pairs(_) => "pairs",
    }
}

/// The data that the run was trained on.
fn own(args: &EvaluateArgs, loaded: Loaded) -> Result<Prepared, Failure> {
    let prepared = Prepared::again(loaded, &args.run, PLANNER)?;
    prepared.unchanged_since(&args.run)?;
    Ok(prepared)
}

fn named<S>(splits: [(&'static str, S); 3], args: &EvaluateArgs) -> S {
    let mut splits = splits.into_iter();
    let found = splits.find(|(name, _)| *name == args.split.name());
    found.expect("a split").1
}

fn refuse_empty(args: &EvaluateArgs, rows: usize) -> Result<(), Failure> {
    let name = args.split.name();
    match rows {
        0 => Err(Failure::Usage(format!(
            "the run has no {name} rows; name another split"
        ))),
        _ => Ok(()),
    }
}

fn print(name: &str, unit: &str, report: &Report) {
    say!("{name}: {} {unit}\n", report.n);
    let interval = |metric: &str| {
        let found = report
            .interval
            .as_ref()
            .filter(|interval| interval.metric == metric);
        found.map_or(String::new(), |i| {
            format!("95 %: {} to {}", number(i.low), number(i.high))
        })
    };
    let metrics = report.metrics.iter();
    let rows = metrics.map(|(name, value)| vec![name.clone(), number(*value), interval(name)]);
    say!("{}", table(&rows.collect::<Vec<_>>()).trim_end());
    if let Some(threshold) = report.threshold {
        say!("\ndecision threshold {}", number(threshold));
    }
    if let (Some(classes), Some(per_class)) = (&report.classes, &report.per_class) {
        say!("\nby class\n");
        let mut rows = vec![
            ["", "rows", "precision", "recall", "f1"]
                .map(String::from)
                .to_vec(),
        ];
        rows.extend(classes.iter().zip(per_class).map(|(name, class)| {
            let numbers = [class.precision, class.recall, class.f1].map(number);
            [
                vec![name.clone(), class.support.to_string()],
                numbers.to_vec(),
            ]
            .concat()
        }));
        say!("{}", table(&rows).trim_end());
    }
    if let (Some(classes), Some(matrix)) = (&report.classes, &report.confusion_matrix) {
        say!("\nconfusion matrix (rows: true class, columns: predicted)\n");
        let mut rows = vec![
            std::iter::once(String::new())
                .chain(classes.iter().cloned())
                .collect(),
        ];
        rows.extend(classes.iter().zip(matrix).map(|(class, counts)| {
            std::iter::once(class.clone())
                .chain(counts.iter().map(u64::to_string))
                .collect()
        }));
        say!("{}", table(&rows).trim_end());
    }
}
