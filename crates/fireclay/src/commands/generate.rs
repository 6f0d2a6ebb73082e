//! `generate`: text from a language model.

use std::fmt::Display;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Arg;
use fireclay_run::generate::{Ended, GenerateError, Limits, Sampling};
use fireclay_run::{Run, load_model};
use serde_json::json;

use super::sampling::SamplingArgs;
use super::{CheckpointArgs, OpenArgs, paths, run_at};
use crate::failure::Failure;
use crate::text::{put_now, say, tell};

/// Generate text from a prompt with a language model
#[derive(Debug, clap::Args)]
#[command(mut_args(with_default))]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. A language model that was not
    /// trained here is a folder of the hub, or a GGUF file
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// The text to continue; `-` reads it from standard input
    #[arg(short, long, required_unless_present = "prompts")]
    pub prompt: Option<String>,
    /// A file with a prompt on each line, or `-` for standard input; every answer is then one line of
    /// JSON, of a blank line too
    #[arg(long, value_name = "FILE", conflicts_with = "prompt", value_parser = paths::path())]
    pub prompts: Option<PathBuf>,
    /// Generate at most N tokens
    #[arg(
        short = 'n',
        long,
        alias = "max-new-tokens",
        value_name = "N",
        default_value_t = 256
    )]
    pub max_tokens: usize,
    /// Generate N texts for a prompt
    #[arg(long, alias = "num-samples", value_name = "N", default_value = "1")]
    pub samples: NonZeroU32,
    /// Let a smaller model with the same tokenizer propose tokens, which the model judges in one pass: a run, a folder of
    /// the hub or a GGUF file. The text has the same distribution, and at temperature 0 is the same
    #[arg(long, value_name = "MODEL", value_parser = paths::path())]
    pub draft: Option<PathBuf>,
    /// Let it propose N tokens at a time
    #[arg(long, value_name = "N", default_value = "4", requires = "draft")]
    pub draft_tokens: NonZeroU32,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub open: OpenArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows what a text is sampled with.
fn with_default(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "temperature" | "top_p" | "repetition_penalty" => arg.default_value("1"),
        _ => arg,
    }
}

/// Continues one prompt, shown as it is written, or each line of a file.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (sampling, limits) = choices(args)?;
    let prompts = prompts(args)?;
    let at = run_at(&args.run);
    let config = load_model(&at)?.config;
    let run = args.open.open(&at, &config)?;
    // A run that writes no text says so before the first prompt.
    let writer = run.writer()?;
    if !writer.can_end() {
        tell!(
            "note: the tokenizer has no token that ends a text: every text ends at --max-tokens or --stop"
        );
    }
    if args.samples.get() > 1 && sampling.temperature == 0.0 {
        tell!("note: with --temperature 0 all samples of a prompt are the same");
    }
    let scout = args.draft.as_ref().map(|draft| scout(args, draft));
    let scout = scout.transpose()?;
    if let Some(scout) = &scout {
        writer.check_scout(&scout.writer()?)?;
    }
    let session = Session {
        run: &*run,
        scout: scout
            .as_deref()
            .map(|scout| (scout, args.draft_tokens.get() as usize)),
        sampling,
        limits,
        samples: args.samples.get(),
    };
    if let ([prompt], false) = (prompts.as_slice(), args.json || args.prompts.is_some()) {
        return session.show(prompt);
    }
    prompts.iter().try_for_each(|prompt| session.print(prompt))
}

/// The model that proposes tokens, on the hardware of the other.
fn scout(args: &Args, draft: &Path) -> Result<Box<dyn Run>, Failure> {
    let at = run_at(draft);
    let config = load_model(&at)?.config;
    let open = OpenArgs {
        weights: CheckpointArgs { checkpoint: None },
        adapter: None,
        backend: args.open.backend.clone(),
        quantize: None,
    };
    open.open(&at, &config)
}

fn choices(args: &Args) -> Result<(Sampling, Limits), Failure> {
    let sampling = args.sampling.instead_of(Sampling::default())?;
    let limits = Limits {
        max_tokens: args.max_tokens,
        stop: args.sampling.stop()?,
    };
    Ok((sampling, limits))
}

fn prompts(args: &Args) -> Result<Vec<String>, Failure> {
    let Some(path) = &args.prompts else {
        let prompt = args.prompt.as_deref().unwrap_or_default();
        return Ok(vec![match prompt {
            STANDARD_INPUT => {
                let text = standard_input()?;
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
            prompt => prompt.to_owned(),
        }]);
    };
    let text = match path.as_os_str() == STANDARD_INPUT {
        true => standard_input()?,
        false => read(path)?,
    };
    match text.trim().is_empty() {
        true => Err(Failure::Usage(format!("{} has no prompt", path.display()))),
        false => Ok(text.lines().map(String::from).collect()),
    }
}

/// Stands for standard input where a prompt or a file of prompts is named.
const STANDARD_INPUT: &str = "-";

/// The bytes of all prompts.
const MOST_BYTES: u64 = 256 << 20;

fn standard_input() -> Result<String, Failure> {
    let wrong = |why: &dyn Display| Failure::Usage(format!("cannot read standard input: {why}"));
    let mut text = String::new();
    let mut bounded = std::io::stdin().take(MOST_BYTES + 1);
    let read = bounded.read_to_string(&mut text);
    match read.map_err(|error| wrong(&error))? as u64 > MOST_BYTES {
        true => Err(wrong(&format!("prompts have at most {MOST_BYTES} bytes"))),
        false => Ok(text),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fireclay_guard::given_text(path, MOST_BYTES)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

struct Session<'a> {
    run: &'a dyn Run,
    /// What proposes tokens, and how many at a time.
    scout: Option<(&'a dyn Run, usize)>,
    sampling: Sampling,
    limits: Limits,
    samples: u32,
}

impl Session<'_> {
    /// Shows the prompt, and the text that follows token by token. Several texts come one after the other.
    fn show(&self, prompt: &str) -> Result<(), Failure> {
        let mut show = put_now;
        if !self.tell(prompt)? {
            return Err(GenerateError::EmptyPrompt.into());
        }
        for sample in 0..self.samples {
            show(if sample > 0 { "\n" } else { "" });
            show(prompt);
            self.write(prompt, sample, &mut show)?;
            show("\n");
        }
        Ok(())
    }

    /// Prints a line of JSON for each text, with the prompt, the text that follows, and why it ends.
    fn print(&self, prompt: &str) -> Result<(), Failure> {
        if !self.tell(prompt)? {
            let answer = json!({"prompt": prompt, "text": "", "ended": "blank"});
            say!("{answer}");
            return Ok(());
        }
        for sample in 0..self.samples {
            let mut text = String::new();
            let ended = self.write(prompt, sample, |piece: &str| text.push_str(piece))?;
            let mut answer = json!({"prompt": prompt, "text": text, "ended": ended});
            if self.samples > 1 {
                answer["sample"] = sample.into();
            }
            say!("{answer}");
        }
        Ok(())
    }

    /// Writes one of the texts of a prompt.
    fn write(&self, prompt: &str, sample: u32, write: impl FnMut(&str)) -> Result<Ended, Failure> {
        let (writer, sampling) = (self.run.writer()?, self.sampling_of(sample));
        let Some((scout, proposals)) = self.scout else {
            return Ok(writer.write(prompt, &sampling, &self.limits, write)?);
        };
        let how = (sampling, self.limits.clone());
        let tokens = writer.prompt(prompt)?.tokens;
        let mut text = writer.begin_with(scout.writer()?, proposals, tokens, how)?;
        let ended = text.go_on(write)?;
        tell!(
            "note: {} of {} proposed tokens are in the text",
            text.kept,
            text.proposed
        );
        Ok(ended)
    }

    /// Each text of a prompt has a seed of its own.
    fn sampling_of(&self, sample: u32) -> Sampling {
        Sampling {
            seed: self.sampling.seed.wrapping_add(sample.into()),
            ..self.sampling.clone()
        }
    }

    /// Says on standard error what there is to know of a prompt, and whether there is something in it to go
    /// on from.
    fn tell(&self, prompt: &str) -> Result<bool, Failure> {
        match self.run.writer()?.prompt(prompt) {
            Ok(read) => {
                read.notes.iter().for_each(|note| tell!("note: {note}"));
                Ok(true)
            }
            Err(GenerateError::EmptyPrompt) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
