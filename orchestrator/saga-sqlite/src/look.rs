//! A private copy of a store's files, for commands that only look: taken while other processes may be writing, whose
//! files it neither locks nor changes.
//!
//! Why a copy is whole. The content of a store is its file with the whole commits of its write-ahead log laid over it,
//! and a checkpoint writes only such pages into the file as stand in that log. So a copy of the file, however torn, and
//! a copy of the log that is taken after it, are one moment together, unless the log was begun anew meanwhile; and a
//! process that begins it anew first writes another header, with new random salts. Where there is no log, the file must
//! not have changed. A copy that breaks one of these conditions is thrown away and taken again.

use saga_core::ports::OpenError;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// 32 bytes: format, page size, the count of checkpoints, two salts and a checksum.
const HEADER_BYTES: usize = 32;
/// 40 tries: a log is begun anew after some 16 MiB at the earliest, so that a file of some hundred MiB is copied between
/// two beginnings also while it is written as fast as a disk takes it.
const TRIES_MAX: u32 = 40;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// What stands behind the file's name: the write-ahead log, and the journal of a file that was just being made.
pub(crate) const LOG: &str = "-wal";
pub(crate) const JOURNAL: &str = "-journal";

/// A folder of our own, with copies that nobody else can read. It goes away with this value.
pub(crate) fn folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("sagactl-look-").permissions(Permissions::from_mode(0o700)).tempdir()
}

/// Copies the store at `file` into `folder`, and says where it is.
pub(crate) async fn copy(file: &Path, folder: &Path) -> Result<PathBuf, OpenError> {
    let place = file.display().to_string();
    let name = file.file_name().unwrap_or_default();
    let target = folder.join(name);
    for _ in 0..TRIES_MAX {
        let (from, to) = (file.to_owned(), target.clone());
        let tried = tokio::task::spawn_blocking(move || {
            let mut copying = Copying::begin(&from, &to)?;
            copying.file()?;
            copying.log()?;
            copying.is_whole()
        });
        let tried = tried.await.unwrap_or_else(|why| Err(io::Error::other(why)));
        match tried {
            Ok(true) => return Ok(target),
            Ok(false) => pause(PAUSE).await,
            Err(why) if why.kind() == ErrorKind::NotFound && !file.exists() => {
                return Err(OpenError::Unavailable { place, why: "there is no such file".to_owned() });
            }
            Err(why) => {
                let why = format!(
                    "it cannot be copied to {}: {why}; TMPDIR names another place for copies that are looked at",
                    folder.display()
                );
                return Err(OpenError::Unavailable { place, why });
            }
        }
    }
    Err(OpenError::Restless { place })
}

/// Lets other processes go on.
#[expect(clippy::disallowed_methods, reason = "other processes work by the real clock, whatever ours says")]
pub(crate) async fn pause(long: Duration) {
    tokio::time::sleep(long).await;
}

/// Which file it is, and its state at the time of the look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64, i64, i64),
}

impl Mark {
    pub(crate) fn of(found: &Metadata) -> Self {
        let changed = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
        Self { device: found.dev(), inode: found.ino(), bytes: found.len(), changed }
    }
    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Opens a file; what is none, such as a pipe, is never waited for.
pub(crate) fn regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(ErrorKind::InvalidInput.into()) }
}

/// One try, in the order that makes it right.
struct Copying<'a> {
    from: &'a Path,
    to: &'a Path,
    source: File,
    before: Mark,
    header: Option<[u8; HEADER_BYTES]>,
    /// How the file was when all of it had been read.
    after: Option<Mark>,
}

impl<'a> Copying<'a> {
    fn begin(from: &'a Path, to: &'a Path) -> io::Result<Self> {
        let header = header(&beside(from, LOG))?;
        let source = regular(from)?;
        let before = Mark::of(&source.metadata()?);
        Ok(Self { from, to, source, before, header, after: None })
    }
    fn file(&mut self) -> io::Result<()> {
        io::copy(&mut self.source, &mut ours(self.to)?)?;
        self.after = Some(Mark::of(&std::fs::metadata(self.from)?));
        Ok(())
    }
    fn log(&mut self) -> io::Result<()> {
        for ending in [LOG, JOURNAL] {
            let copy = beside(self.to, ending);
            match regular(&beside(self.from, ending)) {
                Ok(mut source) => drop(io::copy(&mut source, &mut ours(&copy)?)?),
                // What an earlier try has copied belongs to another moment.
                Err(why) if why.kind() == ErrorKind::NotFound => remove(&copy)?,
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
    /// Whether both copies are of one moment.
    fn is_whole(&self) -> io::Result<bool> {
        let Some(after) = &self.after else { return Ok(false) };
        let untouched = match self.header {
            Some(_) => self.before.is_same_file(after),
            None => self.before == *after,
        };
        Ok(untouched && self.header == header(&beside(self.from, LOG))?)
    }
}

/// How a log begins; `None` when there is none, or nothing in it.
fn header(log: &Path) -> io::Result<Option<[u8; HEADER_BYTES]>> {
    let mut header = [0; HEADER_BYTES];
    match regular(log).and_then(|mut log| log.read_exact(&mut header)) {
        Ok(()) => Ok(Some(header)),
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
        Err(why) => Err(why),
    }
}

/// What SQLite keeps beside a file under this ending.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A file that only we can read, emptied.
fn ours(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

    /// What another process may do to a store between two of our reads.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Other {
        Nothing,
        /// Commits.
        Writes,
        /// Moves the log into the file, and the next commit begins it anew.
        Checkpoints,
        /// Moves the log into the file and empties it.
        Empties,
        /// Ends cleanly, so that the log is gone, and comes back.
        Restarts,
    }
    const OTHERS: [Other; 5] = [Other::Nothing, Other::Writes, Other::Checkpoints, Other::Empties, Other::Restarts];

    /// A store of sixty rows that all hold the same number: another number in one of them is another moment.
    struct Writer {
        file: PathBuf,
        connection: Option<SqliteConnection>,
        number: i64,
    }
    impl Writer {
        async fn open(file: PathBuf) -> Self {
            let mut writer = Self { file, connection: None, number: 0 };
            writer.connect().await;
            writer.run("CREATE TABLE rows (id INTEGER PRIMARY KEY, number INTEGER, body TEXT)").await;
            for id in 0..60 {
                writer.run(&format!("INSERT INTO rows VALUES ({id}, 0, '{}')", "x".repeat(1_000))).await;
            }
            writer
        }
        async fn connect(&mut self) {
            let options = SqliteConnectOptions::new()
                .filename(&self.file)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Off)
                .pragma("wal_autocheckpoint", "0");
            self.connection = Some(options.connect().await.unwrap());
        }
        async fn run(&mut self, sql: &str) {
            let connection = self.connection.as_mut().unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
        }
        async fn write(&mut self) {
            self.number += 1;
            self.run(&format!("UPDATE rows SET number = {}", self.number)).await;
        }
        async fn act(&mut self, other: Other) {
            match other {
                Other::Nothing => {}
                Other::Writes => self.write().await,
                Other::Checkpoints => {
                    self.write().await;
                    self.run("PRAGMA wal_checkpoint(RESTART)").await;
                    self.write().await;
                    self.run("PRAGMA wal_checkpoint(PASSIVE)").await;
                }
                Other::Empties => {
                    self.write().await;
                    self.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
                }
                Other::Restarts => {
                    self.write().await;
                    self.connection.take().unwrap().close().await.unwrap();
                    self.connect().await;
                }
            }
        }
    }

    /// The number of all rows, if the copy is of one moment.
    async fn number(copy: &Path) -> Result<i64, String> {
        let failed = |error: sqlx::Error| error.to_string();
        let mut connection = SqliteConnectOptions::new().filename(copy).connect().await.map_err(failed)?;
        let sound: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.map_err(failed)?;
        let numbers: Vec<i64> =
            sqlx::query_scalar("SELECT DISTINCT number FROM rows").fetch_all(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        match (sound.as_str(), numbers.as_slice()) {
            ("ok", [number]) => Ok(*number),
            _ => Err(format!("{sound}, {numbers:?}")),
        }
    }

    /// Reads the first part of the file, lets the other process act, and reads the rest.
    async fn file_in_two(copying: &mut Copying<'_>, writer: &mut Writer, other: Other) {
        let mut to = ours(copying.to).unwrap();
        io::copy(&mut (&mut copying.source).take(40_000), &mut to).unwrap();
        writer.act(other).await;
        io::copy(&mut copying.source, &mut to).unwrap();
        copying.after = Some(Mark::of(&std::fs::metadata(copying.from).unwrap()));
    }

    #[tokio::test]
    async fn a_copy_that_calls_itself_whole_is_of_one_moment_whatever_happens_meanwhile() {
        let (mut whole, mut thrown_away, mut torn) = (0, 0, 0);
        for begun in [Other::Writes, Other::Restarts] {
            for within in OTHERS {
                for between in OTHERS {
                    for behind in OTHERS {
                        let folder = folder().unwrap();
                        let mut writer = Writer::open(folder.path().join("m.db")).await;
                        writer.act(begun).await;
                        let (from, to, first) = (writer.file.clone(), folder.path().join("copy.db"), writer.number);
                        let mut copying = Copying::begin(&from, &to).unwrap();
                        file_in_two(&mut copying, &mut writer, within).await;
                        writer.act(between).await;
                        copying.log().unwrap();
                        writer.act(behind).await;
                        let found = number(&to).await;
                        torn += usize::from(found.is_err());
                        let case = format!("{begun:?}, then {within:?}, {between:?}, {behind:?}: {found:?}");
                        if copying.is_whole().unwrap() {
                            assert!(found.is_ok_and(|found| (first..=writer.number).contains(&found)), "{case}");
                            whole += 1;
                        } else {
                            thrown_away += 1;
                            assert!([within, between, behind].iter().any(|other| *other != Other::Nothing), "{case}");
                        }
                    }
                }
            }
        }
        // The faults were there: some copies were torn, and some were whole although others wrote.
        assert!(torn > 20 && whole > 20 && thrown_away > 20, "{torn} torn, {whole} whole, {thrown_away} thrown away");
    }

    #[tokio::test]
    async fn a_copy_is_private_and_goes_away() {
        let folder = folder().unwrap();
        let writer = Writer::open(folder.path().join("m.db")).await;
        std::fs::set_permissions(&writer.file, Permissions::from_mode(0o444)).unwrap();
        let copies = super::folder().unwrap();
        let copy = copy(&writer.file, copies.path()).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(copies.path()), mode(&copy), mode(&beside(&copy, LOG))), (0o700, 0o600, 0o600));
        assert_eq!(number(&copy).await, Ok(0));
        let path = copies.path().to_owned();
        drop(copies);
        assert!(!path.exists());
    }
}
