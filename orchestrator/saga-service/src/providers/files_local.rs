//! Files below one folder, named by their sha256: written to a temporary file, flushed, then renamed into place.

use async_trait::async_trait;
use delivery::api::providers::{FileStore, ProviderError, StoredFile};
use rustix::io::Errno;
use saga_core::envelope::sha256_hex;
use saga_core::id::StepKey;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::fs;

/// A slow or full disk is asked again after a second.
const BUSY_MS: u64 = 1_000;

/// A file store in a folder. Layout: `<root>/<first two digits>/<sha256>/<name>`.
///
/// A crash leaves a whole file or a `.tmp` that nobody reads. The same bytes again find their file and write nothing.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    root: PathBuf,
}

impl LocalFiles {
    /// Files below `root`, which is created when the first file is kept.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
    /// Whether there is anything under this digest, whatever its bytes.
    pub async fn has_any(&self, sha256: &str) -> bool {
        match fs::read_dir(self.folder(sha256)).await {
            Ok(mut entries) => matches!(entries.next_entry().await, Ok(Some(_))),
            Err(_) => false,
        }
    }
    fn folder(&self, sha256: &str) -> PathBuf {
        self.root.join(&sha256[..2]).join(sha256)
    }
}

/// Hex digits only: an address never leaves the folder.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A plain file name, or nothing.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\\', '\0', ':'])
}

/// Writes a file whole or not at all. A file with its name and other bytes was damaged, and is written anew.
///
/// It blocks: a handle that writes in the background keeps a failed write to itself until the next one, and the file would
/// get its name with less than it should have.
fn write_whole(folder: &Path, key: StepKey, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(name);
    let found = match std::fs::metadata(&path) {
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
        Ok(_) => std::fs::read(&path),
        Err(why) => Err(why),
    };
    match found {
        Ok(found) if found == bytes => return path.canonicalize(),
        Ok(_) => tracing::error!(path = %path.display(), "a file does not have the content that it is named by"),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
    }
    std::fs::create_dir_all(folder)?;
    // Named by the key: two deeds never share a temporary file, and a repeated deed overwrites its own.
    let temporary = folder.join(format!(".{key}.tmp"));
    let written = written(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, &path));
    if let Err(why) = written {
        // The disk may be full: what nobody reads takes no room.
        let _left = std::fs::remove_file(&temporary);
        return Err(why);
    }
    // The names have to reach the disk before anybody is told about them: the file's, and those of folders made for it.
    for named in folder.ancestors().take(3) {
        std::fs::File::open(named)?.sync_all()?;
    }
    path.canonicalize()
}

/// Writes the bytes, and says that they are there when they are on the disk.
fn written(temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// An error of the file system, as weather: in its own words, with the place; errors that only a person can mend are
/// told apart from those that pass by themselves.
fn weather(place: &Path, why: &io::Error) -> ProviderError {
    use io::ErrorKind::{
        AlreadyExists, CrossesDevices, DirectoryNotEmpty, FileTooLarge, InvalidFilename, InvalidInput, IsADirectory,
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TooManyLinks,
        Unsupported,
    };
    let says = format!("{}: {why}", place.display());
    tracing::warn!(says, "the file store does not work");
    let person = match why.kind() {
        PermissionDenied | ReadOnlyFilesystem | NotADirectory | IsADirectory | AlreadyExists | NotFound
        | StorageFull | QuotaExceeded | FileTooLarge | InvalidFilename | Unsupported | InvalidInput
        | CrossesDevices | TooManyLinks | DirectoryNotEmpty => true,
        // What the standard library has no name for.
        _ => Errno::from_io_error(why).is_some_and(|errno| MENDED.contains(&errno)),
    };
    if person { ProviderError::Mend { says } } else { ProviderError::TryLater { after_ms: BUSY_MS, says } }
}

/// What does not pass, however often it is tried: links in a circle, devices, media and mounts that are gone, keys of an
/// encrypted folder, file systems that want a repair.
const MENDED: [Errno; 18] = [
    Errno::LOOP,
    Errno::NXIO,
    Errno::NODEV,
    Errno::NOTBLK,
    Errno::MULTIHOP,
    Errno::NOLINK,
    Errno::BADMSG,
    Errno::OVERFLOW,
    Errno::ILSEQ,
    Errno::NOTCONN,
    Errno::UCLEAN,
    Errno::NOMEDIUM,
    Errno::MEDIUMTYPE,
    Errno::NOKEY,
    Errno::KEYEXPIRED,
    Errno::KEYREVOKED,
    Errno::KEYREJECTED,
    Errno::HWPOISON,
];

#[async_trait]
impl FileStore for LocalFiles {
    async fn put(&self, key: StepKey, name: &str, bytes: &[u8]) -> Result<StoredFile, ProviderError> {
        if !is_name(name) {
            return Err(ProviderError::Rejected { code: "FILE_NAME".to_owned() });
        }
        let sha256 = sha256_hex(bytes);
        let folder = self.folder(&sha256);
        let weather = |why: io::Error| weather(&self.root, &why);
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        let writing = tokio::task::spawn_blocking(move || write_whole(&folder, key, &name, &bytes));
        let path = writing.await.map_err(io::Error::other).and_then(|written| written).map_err(weather)?;
        Ok(StoredFile { url: format!("file://{}", path.display()), sha256 })
    }
    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>, ProviderError> {
        if !is_sha256(sha256) {
            return Ok(None);
        }
        let weather = |why: io::Error| weather(&self.root, &why);
        let mut entries = match fs::read_dir(self.folder(sha256)).await {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(weather(why)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(weather)? {
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // A pipe would be waited for, for ever.
            if !fs::metadata(entry.path()).await.map_err(weather)?.is_file() {
                tracing::error!(sha256, "what lies in the place of a file is none");
                continue;
            }
            let bytes = fs::read(entry.path()).await.map_err(weather)?;
            // A damaged file is as good as none, and worse if it is handed out.
            if sha256_hex(&bytes) == sha256 {
                return Ok(Some(bytes));
            }
            tracing::error!(sha256, "a file does not have the content that it is named by");
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::id::Direction;
    use uuid::Uuid;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("files-local-{}-{name}", std::process::id()));
        let _gone = std::fs::remove_dir_all(&folder);
        folder
    }
    fn key(step: &str) -> StepKey {
        StepKey::derive(Uuid::from_u128(1), step, Direction::Do)
    }

    #[tokio::test]
    async fn keeps_a_file_once_under_its_content() {
        let root = folder("once");
        let files = LocalFiles::new(&root);
        assert_eq!(files.get(&"0".repeat(64)).await, Ok(None));
        let stored = files.put(key("a"), "content_pack.zip", b"pack").await.unwrap();
        assert_eq!(stored.sha256, sha256_hex(b"pack"));
        assert_eq!(files.put(key("a"), "content_pack.zip", b"pack").await.unwrap(), stored);
        assert_eq!(files.put(key("b"), "content_pack.zip", b"pack").await.unwrap(), stored);
        assert_eq!(LocalFiles::new(&root).get(&stored.sha256).await, Ok(Some(b"pack".to_vec())));
        let kept = std::fs::read_dir(root.join(&stored.sha256[..2]).join(&stored.sha256)).unwrap().count();
        assert_eq!(kept, 1, "no temporary file is left");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn a_torn_or_damaged_file_is_never_handed_out() {
        let root = folder("torn");
        let files = LocalFiles::new(&root);
        let stored = files.put(key("a"), "strategy_doc.pdf", b"whole").await.unwrap();
        let place = root.join(&stored.sha256[..2]).join(&stored.sha256);
        std::fs::write(place.join(".crashed.tmp"), b"who").unwrap();
        std::fs::write(place.join("strategy_doc.pdf"), b"who").unwrap();
        assert_eq!(files.get(&stored.sha256).await, Ok(None));
        // A pipe has no end that anybody could wait for.
        let file = place.join("strategy_doc.pdf");
        std::fs::remove_file(&file).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(files.get(&stored.sha256).await, Ok(None));
        assert!(files.put(key("b"), "strategy_doc.pdf", b"whole").await.is_err());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn what_lies_there_damaged_is_written_anew() {
        let root = folder("damaged");
        let files = LocalFiles::new(&root);
        let stored = files.put(key("a"), "strategy_doc.pdf", b"whole").await.unwrap();
        let file = root.join(&stored.sha256[..2]).join(&stored.sha256).join("strategy_doc.pdf");
        for damaged in [&b""[..], b"who", b"whose", b"whole and more"] {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(files.put(key("b"), "strategy_doc.pdf", b"whole").await.unwrap(), stored);
            assert_eq!(std::fs::read(&file).unwrap(), b"whole");
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    /// A write that fails behind its call is a file that is not there. `/dev/full` takes an open and no byte.
    #[test]
    fn a_full_disk_gives_no_file_its_name() {
        let root = folder("full");
        std::fs::create_dir_all(&root).unwrap();
        let temporary = root.join(format!(".{}.tmp", key("a")));
        for bytes in [&b"few"[..], &[7; 3_000_000]] {
            std::os::unix::fs::symlink("/dev/full", &temporary).unwrap();
            let refused = write_whole(&root, key("a"), "a.zip", bytes).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
            assert!(!root.join("a.zip").exists() && !temporary.exists());
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn what_stands_in_the_way_is_named_for_a_person_and_the_file_is_kept_when_it_is_gone() {
        let root = folder("in-the-way");
        std::fs::write(&root, b"a plain file").unwrap();
        let files = LocalFiles::new(&root);
        for _ in 0..2 {
            let Err(ProviderError::Mend { says }) = files.put(key("a"), "a.zip", b"pack").await else { panic!() };
            assert!(says.contains("Not a directory") && says.contains(&root.display().to_string()), "{says}");
        }
        std::fs::remove_file(&root).unwrap();
        files.put(key("a"), "a.zip", b"pack").await.unwrap();
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn weather_that_passes_is_told_apart_from_weather_that_a_person_mends() {
        let mend = |code: i32| {
            matches!(weather(Path::new("/x"), &io::Error::from_raw_os_error(code)), ProviderError::Mend { .. })
        };
        // What a file system can say, with the numbers of Linux: EPERM, ENOENT, ENXIO, EACCES, ENOTBLK, EEXIST, EXDEV,
        // ENODEV, ENOTDIR, EISDIR, EINVAL, EFBIG, ENOSPC, EROFS, EMLINK, ENAMETOOLONG, ENOSYS, ENOTEMPTY, ELOOP, ENOLINK,
        // EMULTIHOP, EBADMSG, EOVERFLOW, EILSEQ, EOPNOTSUPP, ENOTCONN, EUCLEAN, EDQUOT, ENOMEDIUM, EMEDIUMTYPE, ENOKEY,
        // EKEYEXPIRED, EKEYREVOKED, EKEYREJECTED, EHWPOISON.
        for code in [
            1, 2, 6, 13, 15, 17, 18, 19, 20, 21, 22, 27, 28, 30, 31, 36, 38, 39, 40, 67, 72, 74, 75, 84, 95, 107, 117,
            122, 123, 124, 126, 127, 128, 129, 133,
        ] {
            assert!(mend(code), "{}", io::Error::from_raw_os_error(code));
        }
        // EINTR, EIO, EAGAIN, ENOMEM, EBUSY, ENFILE, EMFILE, ETXTBSY, EPIPE, EDEADLK, ENOLCK, ETIME, ECOMM, ENETDOWN,
        // ENETUNREACH, ECONNRESET, ENOBUFS, ETIMEDOUT, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, ESTALE, EREMOTEIO, ECANCELED.
        for code in
            [4, 5, 11, 12, 16, 23, 24, 26, 32, 35, 37, 62, 70, 100, 101, 104, 105, 110, 111, 112, 113, 116, 121, 125]
        {
            assert!(!mend(code), "{}", io::Error::from_raw_os_error(code));
        }
    }

    #[tokio::test]
    async fn no_name_leaves_the_folder() {
        let root = folder("names");
        let files = LocalFiles::new(&root);
        for name in ["", "..", "../up", "a/b", "a\\b", ".hidden", "c:\\x"] {
            let refused = files.put(key("a"), name, b"x").await;
            assert_eq!(refused, Err(ProviderError::Rejected { code: "FILE_NAME".to_owned() }), "{name:?}");
        }
        for sha256 in ["", "..", "../../etc/passwd", &"A".repeat(64)] {
            assert_eq!(files.get(sha256).await, Ok(None), "{sha256:?}");
        }
        assert!(!root.exists());
    }
}
