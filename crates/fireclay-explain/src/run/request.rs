//! What is asked, and why it cannot be answered.

use fireclay_run::{On, RunError};

use super::explanation::Explanation;
use super::method::Method;

/// What is to be explained, and how.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The samples.
    pub on: On<'a>,
    /// How many of them, at most; by default 10 of a file, and of a split what takes seconds: 200 rows, 16 images or
    /// 50 texts.
    pub rows: Option<usize>,
    /// How many are shown one by one; by default all of a file, and 3 of a split.
    pub shown: Option<usize>,
    /// The methods; none for those that people expect.
    pub methods: Vec<Method>,
    /// The class to explain; by default the positive one of two, and else the one that is answered.
    pub target: Option<&'a str>,
    /// What attributions compare with; by default what fits the data.
    pub baseline: Option<Baseline>,
    /// Other rows to compare with than those of the training split.
    pub background: Option<&'a str>,
    /// The metric of permutation importance; by default the first of the task.
    pub metric: Option<&'a str>,
    /// The columns of partial dependence; none for all.
    pub columns: Vec<String>,
    /// Whether the attributions of a model with shuffled weights are compared.
    pub randomised: bool,
    /// Nodes of integrated gradients; by default 64, doubled up to 512 until the attributions add up to a hundredth.
    pub steps: Option<usize>,
    /// Everything that is drawn at random is a function of it.
    pub seed: u64,
}

impl<'a> Request<'a> {
    /// The defaults for samples.
    pub fn new(on: On<'a>) -> Self {
        Self {
            on,
            rows: None,
            shown: None,
            methods: Vec::new(),
            target: None,
            baseline: None,
            background: None,
            metric: None,
            columns: Vec::new(),
            randomised: false,
            steps: None,
            seed: 42,
        }
    }
}

/// What attributions compare a sample with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Zeros, as the model reads them: the training mean of a number and no category, the mean colour, no embedding.
    Zero,
    /// The mean of the background rows of a table.
    Mean,
    /// A black image.
    Black,
    /// A white image.
    White,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Explained {
    /// An entry for each method.
    pub explanations: Vec<Explanation>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Pictures and pages: the names of the files and their bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// What is asked for does not fit the run.
    #[error("{0}")]
    Usage(String),
    /// The run cannot answer.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There are no rows to compare with.
    #[error(
        "there are no rows to compare with: {0}; name others with --background FILE, or a method and --baseline zero \
         that need none"
    )]
    Background(#[source] RunError),
    /// A picture cannot be made.
    #[error("cannot draw {0}: {1}")]
    Picture(String, String),
}
