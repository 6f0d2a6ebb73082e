//! `chat`: a conversation with a language model.

use std::fmt::Display;
use std::io::{BufRead, IsTerminal, Read, stdin, stdout};
use std::path::{Path, PathBuf};

use clap::Arg;
use fireclay_run::chat::{Conversation, ConversationError, Role};
use fireclay_run::generate::{Ended, Limits, Sampling, Writing};
use fireclay_run::{Run, load_model};

use super::sampling::SamplingArgs;
use super::{OpenArgs, paths, run_at};
use crate::failure::Failure;
use crate::signals::Stop;
use crate::text::{put_now, tell};

/// Talk to a language model that was trained for conversations
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER, mut_args(worded))]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. A language model that was not
    /// trained here is a folder of the hub, or a GGUF file
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// Tell the model this before all, such as who it is and how it answers
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Let an answer have at most N tokens
    #[arg(
        short = 'n',
        long,
        alias = "max-new-tokens",
        value_name = "N",
        default_value_t = 1024
    )]
    pub max_tokens: usize,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub open: OpenArgs,
}

/// Says what is meant by an argument in a conversation.
fn worded(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "temperature" => arg.help(
            "Divide logits by T: below 1 for safer text, above for wilder; 0 always takes the most probable token \
             [default: as the model's generation_config.json says, or else 0.7 with --top-p 0.95]",
        ),
        "stop" => arg.help(
            "End an answer before this text, or at this special token; may be given several times",
        ),
        _ => arg,
    }
}

const AFTER: &str = "\
/reset forgets what was said, /exit leaves. Ctrl-C stops an answer, and once more leaves. In a pipe \
every line is what the user says, and the answers alone are on standard output.";

/// Answers one line after another.
pub fn run(args: &Args) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let config = load_model(&at)?.config;
    let run = args.open.open(&at, &config)?;
    let mut session = Session::new(args, &at, &*run)?;
    session.greet();
    loop {
        if session.is_shown {
            put_now("> ");
        }
        let Some(line) = next_line()? else {
            return Ok(());
        };
        let Ok(said) = String::from_utf8(line) else {
            tell!("note: that line is no text in UTF-8 and was not said");
            continue;
        };
        match said.trim() {
            "" => {}
            "/exit" => return Ok(()),
            "/reset" => {
                session.conversation.reset();
                tell!("note: what was said is forgotten");
            }
            _ => session.answer(&said)?,
        }
    }
}

/// The bytes of what is said at once.
const MOST_BYTES: u64 = 64 << 20;

/// The next line without its end; none at the end of the input.
fn next_line() -> Result<Option<Vec<u8>>, Failure> {
    let wrong = |why: &dyn Display| Failure::Failed(format!("cannot read what is said: {why}"));
    let mut line = Vec::new();
    let mut bounded = stdin().lock().take(MOST_BYTES + 1);
    let read = bounded.read_until(b'\n', &mut line);
    let read = read.map_err(|error| wrong(&error))?;
    if read as u64 > MOST_BYTES {
        return Err(wrong(&format!("a line has at most {MOST_BYTES} bytes")));
    }
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    Ok((read > 0).then_some(line))
}

struct Session<'a> {
    run: &'a dyn Run,
    conversation: Conversation,
    sampling: Sampling,
    max_tokens: usize,
    stop: Vec<String>,
    interrupt: Stop,
    /// Whether somebody sits at a terminal.
    is_shown: bool,
    /// Whether some token ends what the model writes.
    can_end: bool,
}

impl<'a> Session<'a> {
    fn new(args: &Args, at: &Path, run: &'a dyn Run) -> Result<Self, Failure> {
        // A model that writes no text says so first.
        let can_end = run.writer()?.can_end();
        let chat = run.chat()?.ok_or_else(|| {
            let at = at.display();
            Failure::Usage(format!(
                "{at} has no chat template, so it was trained for no conversation that is known: its files have neither \
                 chat_template.jinja nor a chat_template in tokenizer_config.json. Let it go on with a text: `fireclay \
                 generate {at} --prompt TEXT`"
            ))
        })?;
        let stop = args.sampling.stop()?;
        if args.max_tokens == 0 {
            return Err(Failure::Usage("--max-tokens must be at least 1".into()));
        }
        let interrupt = Stop::hear()
            .map_err(|error| Failure::Failed(format!("cannot hear an interruption: {error}")))?;
        Ok(Self {
            run,
            conversation: Conversation::new(chat, args.system.clone()),
            sampling: sampling(&args.sampling, run)?,
            max_tokens: args.max_tokens,
            stop,
            interrupt,
            is_shown: stdin().is_terminal() && stdout().is_terminal(),
            can_end,
        })
    }

    fn greet(&self) {
        if !self.can_end {
            tell!(
                "note: the tokenizer has no token that ends a text: every answer ends at --max-tokens or --stop"
            );
        }
        if self.is_shown {
            tell!("/reset forgets what was said, /exit leaves, Ctrl-C stops an answer");
        }
    }

    /// Answers, and keeps both turns.
    fn answer(&mut self, said: &str) -> Result<(), Failure> {
        self.conversation.say(Role::User, said);
        let Some((writing, most)) = self.begin()? else {
            return Ok(());
        };
        let (text, ended) = self.show(writing)?;
        self.remark(ended, most);
        match text.is_empty() {
            true => {
                // A stop is said already.
                if ended.is_some() {
                    tell!("note: the model answered nothing; it forgets what was said last");
                }
                self.conversation.take_back();
            }
            false => self.conversation.say(Role::Assistant, text),
        }
        // The same words twice get two answers.
        self.sampling.seed = self.sampling.seed.wrapping_add(1);
        Ok(())
    }

    /// An answer to what was said, and how many tokens it may have; none where the last turn is too long, which is said
    /// to whoever sits there.
    fn begin(&mut self) -> Result<Option<(Writing<'a>, usize)>, Failure> {
        let writer = self.run.writer()?;
        let context = writer.context_length();
        let room = self.max_tokens.min(context / 4).max(1);
        let (prompt, forgotten) = match self.conversation.prompt(&writer, room) {
            Ok(fits) => fits,
            Err(error @ ConversationError::TooLong { .. }) if self.is_shown => {
                self.conversation.take_back();
                tell!("note: {error}; say it shorter");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        prompt.notes.iter().for_each(|note| tell!("note: {note}"));
        if forgotten > 0 {
            tell!(
                "note: the model reads {context} tokens: it forgets the oldest {forgotten} turns"
            );
        }
        let max_tokens = self.max_tokens.min(context - prompt.tokens.len());
        let limits = Limits {
            max_tokens,
            stop: self.stop.clone(),
        };
        let writing = writer.begin(prompt.tokens, self.sampling.clone(), limits)?;
        Ok(Some((writing, max_tokens)))
    }

    /// Says why an answer of so many tokens at most is not whole.
    fn remark(&self, ended: Option<Ended>, most: usize) {
        match ended {
            None => tell!("note: stopped"),
            Some(Ended::Length) if most < self.max_tokens => tell!(
                "note: the answer is cut after {most} tokens, since the model reads no more with what was said before; \
                 /reset makes room"
            ),
            Some(Ended::Length) => {
                tell!("note: the answer is cut after {most} tokens; --max-tokens allows more");
            }
            Some(Ended::EndOfText | Ended::Stop) => {}
        }
    }

    /// Shows an answer as it is written. It has no end where it was stopped.
    fn show(&self, mut writing: Writing<'_>) -> Result<(String, Option<Ended>), Failure> {
        let mut text = String::new();
        self.interrupt.begin();
        let ended = loop {
            let step = writing.step()?;
            put_now(&step.text);
            text += &step.text;
            if step.ended.is_some() || self.interrupt.is_asked() {
                break step.ended;
            }
        };
        self.interrupt.end();
        put_now("\n");
        Ok((text, ended))
    }
}

/// What the command line says, or else the files of the model, or else what suits a conversation.
fn sampling(args: &SamplingArgs, run: &dyn Run) -> Result<Sampling, Failure> {
    let tokenizer = run.base().tokenizer()?;
    let files = tokenizer.map(|tokenizer| tokenizer.companions());
    let is_told = args.temperature.is_some() || args.top_p.is_some() || args.top_k.is_some();
    let said = Sampling::said(&files.unwrap_or_default()).unwrap_or_else(|problem| {
        if !is_told {
            tell!(
                "note: generation_config.json of the model says how to sample in a way that cannot be ({problem}), and is \
                 left aside; --temperature and --top-p set what is taken instead"
            );
        }
        None
    });
    args.instead_of(match said {
        Some(said) if !is_told => {
            tell!("note: sampling as generation_config.json of the model says: {said}");
            said
        }
        _ => Sampling {
            temperature: 0.7,
            top_p: if args.temperature.is_some() {
                1.0
            } else {
                0.95
            },
            ..Sampling::default()
        },
    })
}
