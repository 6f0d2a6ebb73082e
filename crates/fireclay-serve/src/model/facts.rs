//! What is known of a run without asking its model, for threads that do not hold it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fireclay_data::TableFormat;
use fireclay_data::arrow::array::AsArray;
use fireclay_data::arrow::datatypes::Float64Type;
use fireclay_run::answer::Meaning;
use fireclay_run::chat::Chat;
use fireclay_run::generate::Reader;
use fireclay_run::run::Base;
use fireclay_run::{InputKind, InputSchema, Reading, Run};

use crate::error::Hidden;
use crate::settings::Limits;

/// What a run answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows of a table, of cells or of a text and maybe cells.
    Rows,
    /// Images.
    Images,
    /// Translations of texts.
    Translations,
    /// Texts that go on from a prompt.
    Writing,
}

/// What is known of a run.
#[derive(Clone, Debug)]
pub struct Facts {
    pub name: String,
    /// The number of the run, or the name of its folder.
    pub version: String,
    pub kind: Kind,
    pub task: &'static str,
    pub schema: InputSchema,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Names of classes or labels; none where the answer is a number or a text.
    pub classes: Vec<String>,
    /// The columns of a stated coverage, and whether they hold numbers.
    pub bounds: Vec<(String, bool)>,
    /// How tables are read, by format.
    readings: Vec<(TableFormat, Reading)>,
    /// How a conversation becomes a prompt, if the run says it.
    pub chat: Option<Chat>,
    /// What makes of prompts what its model is given, if it writes.
    pub reader: Option<Reader>,
    /// The name of the run beside whose weights its adapters are, if it has some.
    pub parent: Option<String>,
    /// What the operator should know: of the adapters, or how images become pixels of a model of others.
    notes: Vec<String>,
    /// Whether it was trained here.
    is_run: bool,
    /// When it was opened, in seconds since 1970.
    pub opened: u64,
    pub hidden: Hidden,
}

impl Facts {
    /// What there is to know of a run.
    ///
    /// # Errors
    ///
    /// If it answers nothing.
    pub fn of(name: &str, run: &dyn Run) -> Result<Self, String> {
        let base = run.base();
        let task = base.config().task.name();
        let meaning = run.meaning();
        let (kind, schema) = (kind(run)?, run.schema());
        let reading = |format| Some((format, run.reading(Some(format))?));
        Ok(Self {
            name: name.to_owned(),
            version: version(&base.run),
            kind,
            task,
            columns: schema.columns.iter().map(|it| it.name.clone()).collect(),
            schema,
            classes: meaning.map_or_else(Vec::new, |meaning| meaning.classes().to_vec()),
            bounds: meaning.map_or_else(Vec::new, bounds),
            readings: TableFormat::ALL.into_iter().filter_map(reading).collect(),
            chat: run.chat().map_err(|error| error.to_string())?,
            reader: match kind {
                Kind::Writing => {
                    let writer = run.writer().map_err(|error| error.to_string())?;
                    Some(writer.reader())
                }
                _ => None,
            },
            parent: None,
            notes: match kind {
                Kind::Images if !base.is_run() => base.loaded.notes.clone(),
                _ => Vec::new(),
            },
            is_run: base.is_run(),
            opened: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            hidden: hidden(name, base),
        })
    }

    /// The same of a run with the adapters in a folder beside the weights of the run that is called `parent`.
    pub fn beside(self, parent: &str, adapters: &Path, notes: Vec<String>) -> Self {
        Self {
            version: version(adapters),
            hidden: self.hidden.and(adapters, &self.name),
            parent: Some(parent.to_owned()),
            notes,
            ..self
        }
    }

    /// How it reads a table of this format, if it reads tables.
    pub fn reading(&self, format: TableFormat) -> Option<&Reading> {
        let reading = self.readings.iter().find(|(known, _)| *known == format);
        reading.map(|(_, reading)| reading)
    }

    /// The column that names rows, if it reads tables and has one.
    pub fn id(&self) -> Option<&str> {
        self.reading(TableFormat::Jsonl)?.id.as_deref()
    }

    /// Rows, images or texts that a request may have: what is no row of cells takes a model much longer.
    pub fn most(&self, limits: &Limits) -> usize {
        match self.has_cells() {
            true => limits.rows,
            false => limits.rows.min(limits.samples),
        }
    }

    /// Whether it answers for rows of cells alone.
    pub fn has_cells(&self) -> bool {
        let mut columns = self.schema.columns.iter();
        self.kind == Kind::Rows && columns.all(|column| column.kind == InputKind::Cell)
    }

    /// Whether what it is asked is compared with its training.
    pub fn is_compared(&self) -> bool {
        self.is_run && matches!(self.kind, Kind::Rows | Kind::Images)
    }

    /// A line for the operator.
    pub fn line(&self) -> String {
        let asks = match self.kind {
            Kind::Rows => format!(
                "rows of {} columns: POST /predict/{}",
                self.schema.columns.len(),
                self.name
            ),
            Kind::Images => format!("images: POST /predict/{}", self.name),
            Kind::Translations => format!("texts to translate: POST /predict/{}", self.name),
            Kind::Writing => match self.chat {
                Some(_) => "prompts and conversations: POST /v1/completions, /v1/chat/completions",
                None => "prompts: POST /v1/completions",
            }
            .to_owned(),
        };
        let beside = self.parent.as_ref();
        let beside =
            beside.map_or_else(String::new, |parent| format!(", adapters beside {parent}"));
        let notes: String = self
            .notes
            .iter()
            .map(|note| format!("; note: {note}"))
            .collect();
        format!(
            "{} ({}, run {}{beside}) answers {asks}{notes}",
            self.name, self.task, self.version
        )
    }
}

/// The paths of a run, and of what it was trained on.
fn hidden(name: &str, base: &Base) -> Hidden {
    let located = base.config().data.section().located();
    let files = located.files.iter().filter_map(|(_, file)| file.as_deref());
    let data = std::iter::once(located.path).chain(files);
    let run = Hidden::default()
        .and(&base.folder, name)
        .and(&base.run, name);
    data.fold(run, |hidden, path| {
        hidden.and(Path::new(path), "the training data")
    })
}

fn bounds(meaning: &dyn Meaning) -> Vec<(String, bool)> {
    let of_none = meaning.bounds(&meaning.answers(Vec::new())).into_iter();
    of_none
        .map(|(name, column)| (name, column.as_primitive_opt::<Float64Type>().is_some()))
        .collect()
}

/// A run with a meaning answers for samples; the workloads without one say themselves what they do.
fn kind(run: &dyn Run) -> Result<Kind, String> {
    let columns = run.schema().columns;
    let is_image = columns
        .iter()
        .any(|column| matches!(column.kind, InputKind::Image { .. }));
    match run.base().config().task.name() {
        _ if is_image => Ok(Kind::Images),
        "masked_lm" => {
            let message = "a masked language model and an encoder of others are not served; `predict` writes what they make of texts";
            Err(message.into())
        }
        _ if run.meaning().is_some() => Ok(Kind::Rows),
        "seq2seq" => Ok(Kind::Translations),
        _ => {
            run.writer().map_err(|error| error.to_string())?;
            Ok(Kind::Writing)
        }
    }
}

fn version(run: &Path) -> String {
    let name = run.file_name().and_then(|name| name.to_str());
    name.unwrap_or("1").to_owned()
}
