//! The grammar of fireclay's configurations: TOML whose every value knows where it was written.
//!
//! A [`Document`] is a file, the files that it `extends` and the overrides of the command line
//! (`--set key.path=value`), in this order of increasing weight. A [`Grammar`] lists the tables that
//! a configuration can have. [`Sections`] reads them one after the other into structs that derive
//! serde's `Deserialize`, and reports everything that is wrong at once, each [`Problem`] with file,
//! line and column. A table whose `type` chooses between structs is read as one of its [`Variant`]s.
//!
//! ```
//! use fireclay_config::{Document, Grammar, Sections, Variant, to_toml, variant};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// What stands before the first table.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Top {
//!     seed: u64,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Circle {
//!     radius: f64,
//! }
//!
//! #[derive(Serialize)]
//! #[serde(tag = "type", rename_all = "snake_case")]
//! enum Shape {
//!     Circle(Circle),
//! }
//!
//! #[derive(Serialize)]
//! struct Config {
//!     seed: u64,
//!     shape: Shape,
//! }
//!
//! fn shapes() -> Vec<Variant<Shape>> {
//!     vec![variant("circle", Shape::Circle)]
//! }
//!
//! let grammar = Grammar::new::<Top>().tagged("shape", &shapes()).required(&["shape"]);
//! let read = |text: &str| {
//!     let document = Document::parse("drawing.toml", text, &[], &grammar)?;
//!     let mut sections = Sections::new(&document, &grammar);
//!     let top = sections.top::<Top>();
//!     let shape = sections.tagged("shape", &shapes(), None, |_| Vec::new());
//!     let config = top.zip(shape).map(|(Top { seed }, shape)| Config { seed, shape });
//!     sections.finish(config)
//! };
//!
//! let text = "seed = 1\n[shape]\ntype = 'circle'\nradius = 2.5";
//! let config = read(text)?;
//! assert_eq!(to_toml(&config, []), "seed = 1\n\n[shape]\ntype = \"circle\"\nradius = 2.5\n");
//!
//! let error = read(&text.replace("radius", "radios")).err().expect("a wrong key");
//! assert_eq!(error.problems[0].message, "missing key `radius` in [shape]");
//! assert_eq!(error.problems[1].line, 4);
//! assert_eq!(error.problems[1].help.as_deref(), Some("did you mean `radius`?"));
//! # Ok::<(), fireclay_config::ConfigError>(())
//! ```
#![forbid(unsafe_code)]

mod document;
mod merge;
mod overrides;
mod tree;

mod check;
mod collect;
mod de;
mod describe;
mod fault;
mod grammar;
mod section;
mod variant;

mod plain;
mod problem;
mod render;
mod suggest;
mod write;

pub use check::{Invalid, Problems};
pub use document::Document;
pub use grammar::Grammar;
pub use plain::{acts, shortened};
pub use problem::{ConfigError, Problem, SourceText, Span};
pub use section::Sections;
pub use suggest::{did_you_mean, list};
pub use variant::{Variant, variant, variant_of_two};
pub use write::to_toml;
