//! Makes the files of a package: real archives and real documents, byte for byte the same for the same pieces.

use async_trait::async_trait;
use delivery::api::providers::{Packer, Part, PartContent, ProviderError};
use saga_core::envelope::sha256_hex;
use std::borrow::Cow;
use std::io::{Cursor, Write};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{document, page};

/// Packs `zip`, `pdf` and `html`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilePacker;

#[async_trait]
impl Packer for FilePacker {
    async fn pack(&self, format: &str, title: &str, parts: &[Part]) -> Result<Vec<u8>, ProviderError> {
        match format {
            "zip" => archive(title, parts).map_err(|why| ProviderError::Rejected { code: format!("ZIP: {why}") }),
            "pdf" => document::pdf(title, &text_of(parts)).ok_or_else(|| ProviderError::Rejected {
                code: "LETTERS: a PDF cannot show them, a page can".to_owned(),
            }),
            "html" => Ok(page::html(title, parts)),
            _ => Err(ProviderError::Rejected { code: format!("FORMAT: {format}") }),
        }
    }
}

/// The name of the list of contents that opens every archive.
pub const MANIFEST: &str = "manifest.json";

/// One line of the manifest.
#[derive(Debug, serde::Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// A manifest, then each piece in its order. Stored, not compressed: media are compressed already, and a stored
/// archive is the same bytes whatever version of whatever compressor. Every date is the oldest that the format knows.
fn archive(title: &str, parts: &[Part]) -> Result<Vec<u8>, ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let entries: Vec<_> = parts
        .iter()
        .map(|part| match &part.content {
            PartContent::Bytes(bytes) => {
                Entry { name: &part.name, bytes: Some(bytes.len()), sha256: Some(sha256_hex(bytes)), url: None }
            }
            PartContent::Link { url, sha256 } => {
                Entry { name: &part.name, bytes: None, sha256: sha256.clone(), url: Some(url) }
            }
        })
        .collect();
    let manifest = serde_json::to_vec_pretty(&serde_json::json!({ "title": title, "files": entries }))
        .map_err(std::io::Error::from)?;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(MANIFEST, options)?;
    writer.write_all(&manifest)?;
    for part in parts {
        match &part.content {
            PartContent::Bytes(bytes) => {
                writer.start_file(format!("files/{}", part.name), options)?;
                writer.write_all(bytes)?;
            }
            PartContent::Link { url, .. } => {
                writer.start_file(format!("links/{}.url", part.name), options)?;
                writer.write_all(format!("[InternetShortcut]\r\nURL={url}\r\n").as_bytes())?;
            }
        }
    }
    Ok(writer.finish()?.into_inner())
}

/// The sections of a document as one text.
fn text_of(parts: &[Part]) -> String {
    parts.iter().map(|part| format!("{}\n\n{}\n\n", part.name, said(part))).collect()
}

/// What a section says. Bytes that are no text are named, not guessed at.
pub(super) fn said(part: &Part) -> Cow<'_, str> {
    match &part.content {
        PartContent::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(section) => section.trim_end().into(),
            Err(_) => format!("[{} bytes, sha256 {}]", bytes.len(), sha256_hex(bytes)).into(),
        },
        PartContent::Link { url, .. } => url.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn bytes(name: &str, content: &str) -> Part {
        Part { name: name.to_owned(), content: PartContent::Bytes(content.as_bytes().to_vec()) }
    }
    fn parts() -> Vec<Part> {
        let link = PartContent::Link { url: "https://media.example/a.svg".to_owned(), sha256: Some("ab".repeat(32)) };
        vec![
            bytes("post.md", "Stop losing Fridays"),
            bytes("月曜日.md", "月曜日を取り戻す"),
            Part { name: "a.svg".to_owned(), content: link },
        ]
    }

    #[tokio::test]
    async fn an_archive_is_real_complete_and_always_the_same() {
        let packed = FilePacker.pack("zip", "Nordlys", &parts()).await.unwrap();
        assert_eq!(FilePacker.pack("zip", "Nordlys", &parts()).await.unwrap(), packed);
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, [MANIFEST, "files/post.md", "files/月曜日.md", "links/a.svg.url"]);
        let mut text = String::new();
        archive.by_name("files/月曜日.md").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "月曜日を取り戻す");
        let manifest: serde_json::Value = serde_json::from_reader(archive.by_name(MANIFEST).unwrap()).unwrap();
        assert_eq!(manifest["files"][0]["sha256"], sha256_hex(b"Stop losing Fridays"));
        assert_eq!(manifest["files"][2]["url"], "https://media.example/a.svg");
    }

    #[tokio::test]
    async fn an_empty_bundle_is_an_archive_too() {
        let packed = FilePacker.pack("zip", "", &[]).await.unwrap();
        assert_eq!(zip::ZipArchive::new(Cursor::new(packed)).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn another_format_is_rejected() {
        let refused = FilePacker.pack("docx", "", &[]).await;
        assert_eq!(refused, Err(ProviderError::Rejected { code: "FORMAT: docx".to_owned() }));
    }
}
