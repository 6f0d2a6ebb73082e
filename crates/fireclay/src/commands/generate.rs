//! `generate`: text from a language model.

use std::path::{Path, PathBuf};

use fireclay_run::generate::{Limits, Sampling};
use fireclay_run::{Run, load_run};
use serde_json::json;

use super::{CheckpointArgs, device, run_at};
use crate::failure::Failure;
use crate::text::{put_now, say};

/// Generate text from a prompt with a language model
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// The text to continue
    #[arg(short, long, required_unless_present = "prompts")]
    pub prompt: Option<String>,
    /// A file with a prompt on each line; every answer is then one line of JSON
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompts: Option<PathBuf>,
    /// Generate at most N tokens
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256)]
    pub max_tokens: usize,
    /// Divide logits by T: below 1 for safer text, above for wilder; 0 always takes the most probable
    /// token
    #[arg(
        short,
        long,
        value_name = "T",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub temperature: f64,
    /// Choose among the K most probable tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens that together have this probability
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub top_p: f64,
    /// Make earlier tokens less probable, for example with 1.2
    #[arg(
        long,
        value_name = "R",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub repetition_penalty: f64,
    /// Stop before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Set the seed of every random choice
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Continues one prompt, shown as it is written, or each line of a file.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (sampling, limits) = choices(args)?;
    let prompts = prompts(args)?;
    let at = run_at(&args.run);
    let config = load_run(&at)?.config;
    let device = device(&config, args.backend.as_deref())?;
    let run = args.checkpoint.open(&at, &device.device)?;
    // A run that writes no text says so before the first prompt.
    run.writer()?;
    let session = Session {
        run: &*run,
        sampling,
        limits,
    };
    if let ([prompt], false) = (prompts.as_slice(), args.json || args.prompts.is_some()) {
        return session.show(prompt);
    }
    prompts.iter().try_for_each(|prompt| session.print(prompt))
}

fn choices(args: &Args) -> Result<(Sampling, Limits), Failure> {
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        repetition_penalty: args.repetition_penalty,
        seed: args.seed,
    };
    if let Some((name, message)) = sampling.validate().into_iter().next() {
        return Err(Failure::Usage(format!("--{name} {message}")));
    }
    if args.stop.iter().any(String::is_empty) {
        return Err(Failure::Usage("--stop must not be empty".into()));
    }
    let limits = Limits {
        max_tokens: args.max_tokens,
        stop: args.stop.clone(),
    };
    Ok((sampling, limits))
}

fn prompts(args: &Args) -> Result<Vec<String>, Failure> {
    let Some(path) = &args.prompts else {
        return Ok(args.prompt.iter().cloned().collect());
    };
    let text = read(path)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(String::from).collect();
    match lines.is_empty() {
        true => Err(Failure::Usage(format!("{} has no prompt", path.display()))),
        false => Ok(lines),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

struct Session<'a> {
    run: &'a dyn Run,
    sampling: Sampling,
    limits: Limits,
}

impl Session<'_> {
    /// Shows the prompt, and the text that follows token by token.
    fn show(&self, prompt: &str) -> Result<(), Failure> {
        let mut show = |text: &str| put_now(format_args!("{text}"));
        show(prompt);
        let writer = self.run.writer()?;
        writer.write(prompt, &self.sampling, &self.limits, &mut show)?;
        show("\n");
        Ok(())
    }

    /// Prints a line of JSON with the prompt, the text that follows, and why it ends.
    fn print(&self, prompt: &str) -> Result<(), Failure> {
        let mut text = String::new();
        let write = |piece: &str| text.push_str(piece);
        let writer = self.run.writer()?;
        let ended = writer.write(prompt, &self.sampling, &self.limits, write)?;
        say!(
            "{}",
            json!({"prompt": prompt, "text": text, "ended": ended})
        );
        Ok(())
    }
}
