//! From errors to messages and exit codes.

use std::io::IsTerminal;
use std::process::ExitCode;

use fireclay_config::ConfigError;
use fireclay_data::DataError;
use fireclay_explain::ExplainError;
use fireclay_onnx::OnnxError;
use fireclay_report::ReportError;
use fireclay_run::chat::ConversationError;
use fireclay_run::export::ExportError;
use fireclay_run::generate::GenerateError;
use fireclay_run::{FinishedError, RunError};
use fireclay_train::run_folder::FolderError;
use fireclay_train::strategy::TrainError;

use crate::backend::BackendError;
use crate::screen::Screen;
use crate::text::{put_painted, tell};

/// Why the program ends before its work is done.
#[derive(Debug)]
pub enum Failure {
    /// Something failed: exit 1.
    Failed(String),
    /// The config or the command line is wrong: exit 2. The text is a whole message.
    Usage(String),
    /// The config is wrong, with positions in it: exit 2.
    Config(Box<ConfigError>),
    /// Training diverged: exit 3.
    Diverged(String),
    /// Interrupted, saved, resumable: exit 4.
    Interrupted(String),
    /// What the first of several processes says, which train together: this exit code.
    #[cfg(feature = "mpi")]
    Elsewhere(u8),
}

impl Failure {
    /// Standard output could not be written.
    pub fn of_output(error: &std::io::Error) -> Self {
        Self::Failed(format!(
            "cannot write to standard output: {error}; what is missing there is lost"
        ))
    }

    /// What happened, in plain text.
    pub fn message(&self) -> String {
        match self {
            Self::Failed(message)
            | Self::Usage(message)
            | Self::Diverged(message)
            | Self::Interrupted(message) => message.clone(),
            Self::Config(error) => error.to_string(),
            #[cfg(feature = "mpi")]
            Self::Elsewhere(_) => String::new(),
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Diverged(_) => 3,
            Self::Interrupted(_) => 4,
            #[cfg(feature = "mpi")]
            Self::Elsewhere(code) => *code,
        }
    }

    /// Says what happened on standard error, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let color = std::io::stderr().is_terminal();
        let text = match self {
            Self::Failed(message) | Self::Usage(message) | Self::Diverged(message) => {
                format!("error: {message}")
            }
            Self::Config(error) => {
                let columns = Screen::err().columns();
                put_painted(error.render(color, columns).trim_end());
                return ExitCode::from(self.code());
            }
            Self::Interrupted(message) => message.clone(),
            #[cfg(feature = "mpi")]
            Self::Elsewhere(code) => return ExitCode::from(*code),
        };
        tell!("{text}");
        ExitCode::from(self.code())
    }
}

/// Errors that are all of one kind.
macro_rules! failures {
    ($($error:ty => $kind:ident),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$kind(error.to_string())
            }
        })*
    };
}

failures! {
    BackendError => Usage,
    DataError => Failed,
    FolderError => Failed,
    FinishedError => Failed,
    GenerateError => Failed,
    ConversationError => Failed,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Usage(message) => Self::Usage(message),
            ExplainError::Run(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let message = error.to_string();
        match error {
            ExportError::NotEmpty(_) | ExportError::NoAdapters(_) => Self::Usage(message),
            ExportError::Run(error) => error.into(),
            _ => Self::Failed(message),
        }
    }
}

impl From<OnnxError> for Failure {
    fn from(error: OnnxError) -> Self {
        match error {
            OnnxError::Name(_) => Self::Usage(error.to_string()),
            OnnxError::Run(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Usage(message) => Self::Usage(message),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Config(error) => error.into(),
            RunError::Usage(message) => Self::Usage(message),
            RunError::Train(TrainError::Unlike(message)) => Self::Usage(message),
            RunError::Train(error) if error.is_divergence() => Self::Diverged(format!(
                "{error}\n\
                 once it was evaluated, its best checkpoint can be used, as with `fireclay evaluate RUN \
                 --checkpoint best`, and it can go on from there: `fireclay resume RUN --checkpoint best --set \
                 optimizer.learning_rate=...`; before that, without --checkpoint"
            )),
            error => Self::Failed(error.to_string()),
        }
    }
}
