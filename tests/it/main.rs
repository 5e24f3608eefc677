//! The one integration binary: the house checks itself, and checks that its checks can fail.

#[cfg(test)]
mod asyncapi;
#[cfg(test)]
mod canvas;
#[cfg(test)]
mod compat;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod graph;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod language;
#[cfg(test)]
mod new_module;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod waits;

/// Sources and snapshots, as texts: every check is a pure function over them.
#[cfg(test)]
mod tree {
    use std::path::{Path, PathBuf};

    /// A file of the repository.
    pub(crate) struct File {
        /// With `/`, from the root.
        pub(crate) path: String,
        pub(crate) text: String,
    }

    impl File {
        /// A made-up file, for checks of checks.
        pub(crate) fn new(path: &str, text: &str) -> Self {
            Self { path: path.to_owned(), text: text.to_owned() }
        }
    }

    /// Where the workspace begins.
    pub(crate) fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// Every file below `folder` with this ending, in order of path.
    pub(crate) fn files(folder: &str, ending: &str) -> Vec<File> {
        let mut found = Vec::new();
        walk(&root().join(folder), &mut found);
        found.sort();
        let wanted = found.into_iter().filter(|path| path.to_string_lossy().ends_with(ending));
        let file = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            File { path: relative, text }
        };
        wanted.map(file).collect()
    }

    /// The four folders that hold crates.
    pub(crate) fn everything(ending: &str) -> Vec<File> {
        ["events", "modules", "orchestrator", "tests"].iter().flat_map(|folder| files(folder, ending)).collect()
    }

    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
}
