//! `serve`: answers from finished runs over HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fireclay_run::{Run, load_model, open};
use fireclay_serve::{Limits, ServeError, Server, Settings, Source, Tls};

use super::{device, paths};
use crate::failure::Failure;
use crate::text::{put_aside, tell};

/// Answer requests over HTTP from finished runs
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Run folders, such as runs/NAME/1, or language models of the hub (a folder, or a GGUF), or NAME=FOLDER to choose what
    /// clients call it; runs/NAME is the newest run of that name, and loading it anew takes a newer one
    #[arg(required = true, value_name = "RUN", value_parser = paths::place())]
    pub runs: Vec<String>,
    /// Answer as NAME with adapters beside the weights of the one RUN, a language model; clients choose by `model`. The
    /// folder is a run with `[lora]` on this very model, or one of PEFT; give it again for more
    #[arg(long, value_name = "NAME=FOLDER", value_parser = paths::place())]
    pub adapter: Vec<String>,
    /// The address to listen on; any but one of this machine alone can be reached by others
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,
    /// The port; 0 is any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// A file with a word that clients have to send as `Authorization: Bearer WORD`
    #[arg(long, value_name = "FILE", value_parser = paths::path())]
    pub token_file: Option<PathBuf>,
    /// Serve HTTPS with this certificate, in PEM, followed by its intermediate certificates
    #[arg(long, value_name = "FILE", requires = "tls_key", value_parser = paths::path())]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = paths::path())]
    pub tls_key: Option<PathBuf>,
    /// Compute on other hardware than the configs name
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Write no line of JSON for each request
    #[arg(long)]
    pub no_log: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
}

const AFTER: &str = "\
GET / is a page to try a run by hand, /openapi.json describes what can be asked, /metrics is for \
Prometheus. SIGHUP loads runs anew, SIGTERM and Ctrl-C answer what is in flight and end.";

/// What clients may use.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitArgs {
    /// The largest body of a request
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body)]
    pub max_body: usize,
    /// Requests that may wait for one run; more are told to come again (429)
    #[arg(long, value_name = "N", default_value_t = Limits::default().queue)]
    pub max_queue: usize,
    /// Rows, images or texts of one request
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows)]
    pub max_rows: usize,
    /// Images, texts, or rows with a text of one request, which are computed to their end once begun
    #[arg(long, value_name = "N", default_value_t = Limits::default().samples)]
    pub max_samples: usize,
    /// Rows, images or texts of several requests that are gathered to be computed together; of the latter two 64 at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch)]
    pub max_batch: usize,
    /// How long a request waits for others to be computed with, beyond the time that the model is busy anyway
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub batch_wait: u64,
    /// How long a request may wait and be answered, and a text wait to be begun
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().deadline.as_secs())]
    pub deadline: u64,
    /// How long a client may take to send the head of a request, again its body, and to take a part of the answer
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().slow.as_secs())]
    pub read_timeout: u64,
    /// Texts that a language model writes at the same time; each takes memory for a context
    #[arg(long, alias = "max-streams", value_name = "N", default_value_t = Limits::default().slots)]
    pub slots: usize,
    /// Tokens that a request may ask for
    #[arg(long, value_name = "N", default_value_t = Limits::default().tokens)]
    pub max_tokens: usize,
    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub max_connections: usize,
    /// Training samples that served ones are compared with at /drift; 0 for no comparison
    #[arg(long, value_name = "N", default_value_t = Limits::default().drift)]
    pub drift_rows: usize,
}

/// Opens the runs, and answers until the program is asked to end.
pub fn run(args: &Args) -> Result<(), Failure> {
    let runs = sources(args)?;
    let settings = settings(args)?;
    let is_open = !settings.listen.ip().is_loopback() && settings.token.is_none();
    let backend = args.backend.clone();
    let open = Arc::new(move |path: &Path| opened(path, backend.as_deref()));
    let log = Arc::new(|line: &str| put_aside(format_args!("{line}\n")));
    let server = Server::start(runs, open, settings, log)?;
    for run in server.runs() {
        tell!("{run}");
    }
    if is_open {
        tell!(
            "warning: whoever reaches {} can ask; --token-file lets only those who know a word",
            args.listen
        );
    }
    tell!("listening on {}", server.url());
    Ok(server.run()?)
}

/// The runs to serve, with their adapters.
fn sources(args: &Args) -> Result<Vec<Source>, Failure> {
    let of = |texts: &[String]| {
        let sources = texts.iter().map(|text| Source::of(text));
        sources.collect::<Result<Vec<_>, _>>()
    };
    let (mut runs, adapters) = (of(&args.runs)?, of(&args.adapter)?);
    match runs.as_mut_slice() {
        [run] => run.adapters = adapters,
        _ if adapters.is_empty() => {}
        _ => {
            let message =
                "--adapter is for the weights of one run: serve each run with adapters by itself";
            return Err(Failure::Usage(message.into()));
        }
    }
    Ok(runs)
}

fn opened(path: &Path, backend: Option<&str>) -> Result<Box<dyn Run>, String> {
    let opened = || -> Result<Box<dyn Run>, Failure> {
        // The newest run of a folder is settled once.
        let newest = fireclay_train::run_folder::newest(path);
        let path = newest.unwrap_or_else(|| path.to_path_buf());
        let config = load_model(&path)?.config;
        let device = device(&config, backend)?;
        Ok(open(&path, &device.device)?)
    };
    opened().map_err(|failure| failure.message())
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let limits = &args.limits;
    check(limits)?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    Ok(Settings {
        listen: SocketAddr::new(args.listen, args.port),
        token: args.token_file.as_deref().map(token).transpose()?,
        tls: tls.map(|(certificate, key)| Tls { certificate, key }),
        limits: Limits {
            body: limits.max_body,
            queue: limits.max_queue,
            rows: limits.max_rows,
            samples: limits.max_samples,
            batch: limits.max_batch,
            wait: Duration::from_millis(limits.batch_wait),
            deadline: Duration::from_secs(limits.deadline),
            slow: Duration::from_secs(limits.read_timeout),
            slots: limits.slots,
            tokens: limits.max_tokens,
            connections: limits.max_connections,
            drift: limits.drift_rows,
        },
        logs_requests: !args.no_log,
    })
}

/// Refuses values with which nothing is answered, and those that no system can give.
fn check(limits: &LimitArgs) -> Result<(), Failure> {
    const MANY: u64 = 1 << 20;
    const DAY: u64 = 24 * 60 * 60;
    let count = |value: usize| value as u64;
    let ranges = [
        ("--max-queue", count(limits.max_queue), 1..=MANY),
        ("--max-rows", count(limits.max_rows), 1..=u64::MAX),
        ("--max-samples", count(limits.max_samples), 1..=u64::MAX),
        ("--max-batch", count(limits.max_batch), 1..=u64::MAX),
        ("--slots", count(limits.slots), 1..=1024),
        ("--max-tokens", count(limits.max_tokens), 1..=u64::MAX),
        ("--max-connections", count(limits.max_connections), 1..=MANY),
        ("--batch-wait", limits.batch_wait, 0..=60_000),
        ("--deadline", limits.deadline, 1..=DAY),
        ("--read-timeout", limits.read_timeout, 1..=DAY),
    ];
    let wrong = ranges
        .iter()
        .find(|(_, value, range)| !range.contains(value));
    match wrong {
        None => Ok(()),
        Some((name, value, range)) if value < range.start() => Err(Failure::Usage(format!(
            "{name} must be at least {}",
            range.start()
        ))),
        Some((name, _, range)) => Err(Failure::Usage(format!(
            "{name} may be at most {}",
            range.end()
        ))),
    }
}

/// The bytes of a file with a word.
const MOST_BYTES: u64 = 1 << 16;

/// The word in a file.
fn token(path: &Path) -> Result<String, Failure> {
    let text = fireclay_guard::given_text(path, MOST_BYTES)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    let token = text.trim();
    let is_word = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    match is_word {
        true => Ok(token.to_owned()),
        false => Err(Failure::Usage(format!(
            "{} must hold one word of printable ASCII characters: the token",
            path.display()
        ))),
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let message = error.to_string();
        match error {
            ServeError::Name(_) | ServeError::Twice(_) | ServeError::Tls { .. } => {
                Self::Usage(message)
            }
            _ => Self::Failed(message),
        }
    }
}
