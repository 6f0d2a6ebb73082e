//! No module at the top of a crate imports, through whatever others, what imports it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// The crates that are held to it.
const CHECKED: [&str; 19] = [
    "fireclay",
    "fireclay-config",
    "fireclay-data",
    "fireclay-explain",
    "fireclay-fuzz",
    "fireclay-gguf",
    "fireclay-guard",
    "fireclay-kernels",
    "fireclay-metrics",
    "fireclay-models",
    "fireclay-onnx",
    "fireclay-plan",
    "fireclay-report",
    "fireclay-run",
    "fireclay-serve",
    "fireclay-simulate",
    "fireclay-track",
    "fireclay-train",
    "fireclay-watch",
];

/// Which module imports which others, and the first file that says so.
type Imports = BTreeMap<String, BTreeMap<String, PathBuf>>;

#[test]
fn no_top_modules_import_each_other() {
    let crates = CHECKED.map(|name| root().join("crates").join(name).join("src"));
    let cycles = crates.iter().flat_map(|src| cycles(&imports(src)));
    let cycles: Vec<String> = cycles.collect();
    assert!(cycles.is_empty(), "\n{}\n", cycles.join("\n"));
}

#[test]
fn cycles_are_found_through_groups_reexports_and_paths() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; pub use c::{inner::X as Y, Z};",
        ),
        ("a.rs", "use crate::{Y, b::{self, B}}; // crate::no"),
        (
            "b/mod.rs",
            "fn b() { super::c::Z }\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
        (
            "b/inner.rs",
            "use super::super::c;\n#[cfg(test)]\nuse crate::a;\nstruct B;",
        ),
        ("c.rs", "struct Z;"),
        ("tests.rs", "use crate::a;"),
    ];
    let write = |(name, text): (&str, &str)| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    files.into_iter().for_each(write);
    let found = imports(folder.path());
    let modules = |name: &str| found[name].keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (modules("a"), modules("b")),
        (vec!["b".into(), "c".into()], vec!["c".into()])
    );
    assert!(cycles(&found).is_empty());
    write(("c.rs", "use crate::a::A;"));
    let found = cycles(&imports(folder.path()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("a -> c -> a ("), "{found:?}");
}

/// The shortest cycle through each module, of those in which it is the first by name.
fn cycles(imports: &Imports) -> Vec<String> {
    imports
        .keys()
        .filter_map(|first| cycle(imports, first))
        .collect()
}

fn cycle(imports: &Imports, first: &str) -> Option<String> {
    let mut paths = VecDeque::from([vec![first]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        for next in imports
            .get(*path.last()?)
            .into_iter()
            .flat_map(BTreeMap::keys)
        {
            let longer = [&path[..], &[next]].concat();
            if next == first {
                let files = longer
                    .windows(2)
                    .map(|pair| imports[pair[0]][pair[1]].display());
                let files: Vec<_> = files.map(|file| file.to_string()).collect();
                return Some(format!("{} ({})", longer.join(" -> "), files.join(", ")));
            }
            if next.as_str() > first && seen.insert(next) {
                paths.push_back(longer);
            }
        }
    }
    None
}

fn imports(src: &Path) -> Imports {
    let mut files = Vec::new();
    collect(src, &mut files);
    let module = |file: &Path| {
        let first = file.strip_prefix(src).unwrap().iter().next().unwrap();
        first.to_str().unwrap().trim_end_matches(".rs").to_string()
    };
    let is_root = |file: &Path| ["lib", "main"].contains(&module(file).as_str());
    let modules: BTreeSet<String> = files.iter().map(|file| module(file)).collect();
    let roots = files.iter().filter(|file| is_root(file));
    let names: BTreeMap<String, String> = roots.flat_map(|file| reexports(&code(file))).collect();
    let mut imports = Imports::new();
    for file in files.iter().filter(|file| !is_root(file)) {
        let (from, depth) = (module(file), depth(file.strip_prefix(src).unwrap()));
        for name in from_root(&code(file), depth) {
            let to = modules.get(&name).or_else(|| names.get(&name));
            if let Some(to) = to.filter(|to| **to != from) {
                let all = imports.entry(from.clone()).or_default();
                all.entry(to.clone()).or_insert_with(|| file.clone());
            }
        }
    }
    imports
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// How many modules deep the file is below the root of its crate.
fn depth(file: &Path) -> usize {
    let parts = file.iter().count();
    parts - usize::from(file.ends_with("mod.rs"))
}

/// The text without comments and without what is compiled for tests alone.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut parts = text.split("#[cfg(");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |code, part| {
        let is_test = ["test", "all(test"]
            .iter()
            .any(|test| part.starts_with(test));
        code + if is_test { after_item(part) } else { part }
    })
}

/// What follows the first item of a text.
fn after_item(text: &str) -> &str {
    let mut depth = 0;
    for (index, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(char, ';' | '}') {
            return &text[index + 1..];
        }
    }
    ""
}

/// The names that `code`, in a module so many below the root, takes from the root of its crate.
fn from_root(code: &str, depth: usize) -> Vec<String> {
    let parents = "super::".repeat(depth);
    let prefixes = ["crate::", &parents];
    let starts = prefixes.iter().flat_map(|prefix| {
        let found = code.match_indices(prefix);
        found.filter_map(move |(index, _)| {
            let before = code[..index].chars().next_back();
            let is_whole =
                before.is_none_or(|char| !char.is_alphanumeric() && !"_:".contains(char));
            is_whole.then(|| &code[index + prefix.len()..])
        })
    });
    starts.flat_map(heads).collect()
}

/// The first name of a path, or of each path in a group.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };
    let mut depth = 0;
    let mut names = vec![identifier(group)];
    for (index, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(&group[index + 1..])),
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    let chars = text.trim_start().chars();
    chars
        .take_while(|char| char.is_alphanumeric() || *char == '_')
        .collect()
}

/// What the root of a crate calls by names of its own, and the module that it is in.
fn reexports(root: &str) -> Vec<(String, String)> {
    let uses = root
        .split("use ")
        .skip(1)
        .map(|text| text.split(';').next().unwrap_or_default());
    let names = uses.flat_map(|tree| {
        let tree = tree
            .trim_start_matches("crate::")
            .trim_start_matches("self::");
        let module = identifier(tree);
        let leaves = tree
            .split(['{', '}', ','])
            .filter(|leaf| !leaf.trim_end().ends_with("::"));
        leaves.map(move |leaf| {
            let name = leaf.trim().rsplit([':', ' ']).next().unwrap_or_default();
            (name.to_string(), module.clone())
        })
    });
    names.filter(|(name, module)| name != module).collect()
}
