//! What the modules need from outside, as it is built in: templates, local files, dry runs. Nothing here posts or pays.

#[cfg(test)]
mod address;
pub mod artifacts;
pub mod content_template;
#[cfg(test)]
mod delivered;
pub mod document;
pub mod files_local;
pub mod page;
#[cfg(test)]
mod rehearsed;
pub mod renderer_svg;
pub mod social_dry_run;
pub mod strategy_template;
pub mod workspace_local;

/// Why a writer refuses a language: a code, the tag, and what it could write instead.
fn unwritten(tag: &str) -> String {
    format!("LANGUAGE_UNSUPPORTED: {tag:?} is not written here, only {}", orchestration::api::languages::all())
}
