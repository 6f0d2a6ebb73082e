//! `predict`: answers for the rows of a table, or for images.

use std::path::{Path, PathBuf};

use fireclay_data::{ReadOptions, TableFormat, expand, image_files, read_lines};
use fireclay_train::Samples;
use fireclay_train::config::{
    DataConfig, ImageSource, PairSource, RunConfig, TableSource, TaskConfig, TextTableSource,
};
use fireclay_train::finished::{ImageRun, TableRun, TextTableRun, TranslationRun};
use fireclay_train::predict::{Answered, PredictJob, predict as write};
use fireclay_train::predict_images::{
    ImageAnswer, ImageJob, Prediction, predict_images, predict_images_to,
};
use fireclay_train::predict_lines::predict_lines;
use fireclay_train::run::load_run;
use fireclay_train::task::ImageSamples;
use fireclay_train::translate::Translator;

use super::device;
use crate::cli::PredictArgs;
use crate::failure::Failure;
use crate::text::{number, say, table};

/// Reads a table or images, answers, and writes a table or shows the answers.
pub fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    match &config.data {
        DataConfig::Table(source) => rows(args, &config, source),
        DataConfig::Image(source) => images(args, &config, source),
        DataConfig::Pairs(source) => lines(args, &config, source),
        DataConfig::TextTable(source) => texts(args, &config, source),
        DataConfig::Text(_) if matches!(config.task, TaskConfig::MaskedLm(_)) => {
            let run = args.run.display();
            Err(Failure::Usage(format!(
                "a masked language model answers nothing; start one that does from it: [model] pretrained = \"{run}\", [tokenizer] type = \"file\" with its tokenizer.json"
            )))
        }
        DataConfig::Text(_) => {
            let run = args.run.display();
            Err(Failure::Usage(format!(
                "a language model goes on from a prompt: fireclay generate {run} --prompt TEXT"
            )))
        }
    }
}

fn rows(args: &PredictArgs, config: &RunConfig, source: &TableSource) -> Result<(), Failure> {
    let (output, format) = table_output(args)?;
    let input = TableFormat::from_path(Path::new(&args.input)).unwrap_or(source.format);
    let device = device(config, args.backend.as_deref())?;
    let run = TableRun::load(&args.run, &device.device)?;
    let table = &source.table;
    let paths = [
        Some(&table.path),
        table.valid_path.as_ref(),
        table.test_path.as_ref(),
    ];
    let job = PredictJob {
        input: &args.input,
        options: ReadOptions::from_config(input, &source.table),
        output,
        format,
        id: source.table.id.as_deref(),
        protected: &protected(&args.run, &paths),
    };
    let rows = write(&run, &job)?.rows;
    say!("{rows} rows to {}", output.display());
    Ok(())
}

/// Translates a text line by line.
fn lines(args: &PredictArgs, config: &RunConfig, source: &PairSource) -> Result<(), Failure> {
    let TaskConfig::Seq2Seq(task) = &config.task else {
        unreachable!("the run is on pairs of texts");
    };
    if args.top.is_some() {
        return Err(Failure::Usage("--top is for images".into()));
    }
    let data = &source.pairs;
    let paths = [
        Some(&data.path),
        data.target_path.as_ref(),
        data.valid_path.as_ref(),
        data.valid_target_path.as_ref(),
        data.test_path.as_ref(),
        data.test_target_path.as_ref(),
        tokenizer_path(config),
    ];
    let protected = protected(&args.run, &paths);
    let input = Path::new(&args.input);
    let device = device(config, args.backend.as_deref())?;
    let run = TranslationRun::load(&args.run, &device.device)?;
    let translator = Translator::new(&run.model, &run.tokenizer, &device.device, task);
    let Some(output) = &args.output else {
        let translations = translator.translate(&read_lines(input)?)?;
        translations.iter().for_each(|text| say!("{text}"));
        return Ok(());
    };
    let count = predict_lines(&translator, input, output, &protected)?;
    say!("{count} lines to {}", output.display());
    Ok(())
}

fn texts(args: &PredictArgs, config: &RunConfig, source: &TextTableSource) -> Result<(), Failure> {
    let (output, format) = table_output(args)?;
    let data = &source.texts;
    let own = || data.format().unwrap_or(TableFormat::Csv);
    let input = TableFormat::from_path(Path::new(&args.input)).unwrap_or_else(own);
    let device = device(config, args.backend.as_deref())?;
    let run = TextTableRun::load(&args.run, &device.device)?;
    let paths = [
        Some(&data.path),
        data.valid_path.as_ref(),
        data.test_path.as_ref(),
        tokenizer_path(config),
    ];
    let job = PredictJob {
        input: &args.input,
        options: data.read_options(input),
        output,
        format,
        id: data.id.as_deref(),
        protected: &protected(&args.run, &paths),
    };
    let Answered { rows, cut } = write(&run, &job)?;
    if cut > 0 {
        let length = run.preprocess.max_length();
        eprintln!("note: {cut} of {rows} texts have more than {length} tokens and are cut");
    }
    say!("{rows} rows to {}", output.display());
    Ok(())
}

/// The file for the answers to a table, and its format.
fn table_output(args: &PredictArgs) -> Result<(&Path, TableFormat), Failure> {
    if args.top.is_some() {
        let message = "--top is for images: answers for a table have a column for each class";
        return Err(Failure::Usage(message.into()));
    }
    let output = args.output.as_deref().ok_or_else(|| {
        Failure::Usage("answers for a table need a file to go to: -o predictions.csv".into())
    })?;
    Ok((output, output_format(output)?))
}

/// The tokenizer that the configuration names.
fn tokenizer_path(config: &RunConfig) -> Option<&String> {
    config.tokenizer.as_ref()?.config.path.as_ref()
}

/// The run's own files, and those that it was trained on and will need to resume.
fn protected(run: &Path, paths: &[Option<&String>]) -> Vec<PathBuf> {
    let mut protected = vec![run.to_path_buf()];
    for path in paths.iter().flatten() {
        protected.extend(expand(path).unwrap_or_else(|_| vec![PathBuf::from(path)]));
    }
    protected
}

fn images(args: &PredictArgs, config: &RunConfig, source: &ImageSource) -> Result<(), Failure> {
    let top = args.top.unwrap_or(5);
    if top == 0 {
        return Err(Failure::Usage("--top must be at least 1".into()));
    }
    let format = args.output.as_deref().map(output_format).transpose()?;
    let device = device(config, args.backend.as_deref())?;
    let run = ImageRun::load(&args.run, &device.device)?;
    let threads = ImageSamples::threads();
    let images = image_files(&args.input)?;
    let (Some(output), Some(format)) = (&args.output, format) else {
        let mut rows = vec![header(&run, top)];
        predict_images(&run, images, top, threads, |answers| {
            rows.extend(answers.iter().map(row));
            Ok(())
        })?;
        say!("{}", table(&rows).trim_end());
        return Ok(());
    };
    let data = &source.images;
    let paths = [
        Some(&data.path),
        data.valid_path.as_ref(),
        data.test_path.as_ref(),
    ];
    let job = ImageJob {
        images,
        top,
        threads,
        output,
        format,
        protected: &protected(&args.run, &paths),
    };
    let count = predict_images_to(&run, job)?;
    say!("{count} images to {}", output.display());
    Ok(())
}

fn header(run: &ImageRun, top: usize) -> Vec<String> {
    let mut header = vec!["image".to_owned(), "prediction".to_owned()];
    for rank in 1..=top.min(run.predictor.answer.classes().len()) {
        header.extend([format!("class {rank}"), "p".to_owned()]);
    }
    header
}

/// An image, the answer, and the most probable classes.
fn row(answer: &ImageAnswer) -> Vec<String> {
    let prediction = match &answer.prediction {
        Prediction::Number(value) => number(*value),
        Prediction::Text(text) if text.is_empty() => "-".to_owned(),
        Prediction::Text(text) => text.clone(),
    };
    let best = answer.best.iter();
    let best = best.flat_map(|(class, probability)| [class.clone(), number(*probability)]);
    let first = [answer.image.display().to_string(), prediction];
    first.into_iter().chain(best).collect()
}

fn output_format(output: &Path) -> Result<TableFormat, Failure> {
    TableFormat::from_path(output).ok_or_else(|| {
        let output = output.display();
        Failure::Usage(format!(
            "cannot tell the format of {output}; name it {}",
            TableFormat::extensions()
        ))
    })
}
