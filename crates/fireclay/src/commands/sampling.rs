//! How the next token of a text is chosen, on the command line.

use fireclay_run::generate::Sampling;

use crate::failure::Failure;

/// How a text is sampled, and what ends it.
#[derive(Clone, Debug, clap::Args)]
pub struct SamplingArgs {
    /// Divide logits by T: below 1 for safer text, above for wilder; 0 always takes the most probable
    /// token
    #[arg(short, long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f64>,
    /// Choose among the K most probable tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens that together have this probability
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,
    /// Make earlier tokens less probable, for example with 1.2
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub repetition_penalty: Option<f64>,
    /// Stop before this text, or at this special token, such as "<|im_end|>"; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Set the seed of every random choice
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl SamplingArgs {
    /// What is usual, save where something else is asked for.
    pub fn instead_of(&self, usual: Sampling) -> Result<Sampling, Failure> {
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_k: self.top_k.or(usual.top_k),
            top_p: self.top_p.unwrap_or(usual.top_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(usual.repetition_penalty),
            seed: self.seed,
        };
        match sampling.validate().into_iter().next() {
            Some((name, message)) => Err(Failure::Usage(format!("--{name} {message}"))),
            None => Ok(sampling),
        }
    }

    /// The texts that end one.
    pub fn stop(&self) -> Result<Vec<String>, Failure> {
        match self.stop.iter().any(String::is_empty) {
            true => Err(Failure::Usage("--stop must not be empty".into())),
            false => Ok(self.stop.clone()),
        }
    }
}
