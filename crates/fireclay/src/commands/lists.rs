//! Lists of what there is to choose from, for people and for programs.

use serde_json::json;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::say;

/// Arguments of the verbs that list things.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows named groups of names, each with what it is.
pub fn list(args: &ListArgs, groups: &[(&str, &[(&str, &str)])]) -> Result<(), Failure> {
    if args.json {
        let entries = groups.iter().flat_map(|(kind, entries)| {
            entries.iter().map(
                move |(name, about)| json!({"kind": kind, "name": name, "about": plain(about)}),
            )
        });
        say!("{:#}", json!(entries.collect::<Vec<_>>()));
        return Ok(());
    }
    for (kind, entries) in groups {
        say!("{kind}");
        let rows = entries
            .iter()
            .map(|(name, about)| vec![format!("  {name}"), plain(about).to_owned()]);
        let rows: Vec<_> = rows.collect();
        say!("{}", Screen::out().table(&rows).trim_end());
    }
    Ok(())
}

/// The text of a doc comment, as an entry of a list.
fn plain(about: &str) -> &str {
    about.trim().trim_end_matches('.')
}
