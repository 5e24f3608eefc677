//! A folder of stores belongs to one user: nobody else reads its files, whatever the process that made them allows others.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Everything for the owner of a folder, nothing for others.
const FOLDER: u32 = 0o700;
/// Reading and writing for the owner of a file, nothing for others.
const FILE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o077;
/// A folder where everybody makes files and only removes their own: it is nobody's to close.
const SHARED: u32 = 0o1000;

/// Makes the folder if it is not there, and closes it to others if it is. A folder that belongs to another user stays
/// as it is: then the files in it are closed.
pub(crate) fn folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)?;
    let mode = fs::metadata(folder)?.permissions().mode();
    if mode & OTHERS == 0 || mode & SHARED != 0 {
        return Ok(());
    }
    match fs::set_permissions(folder, Permissions::from_mode(FOLDER)) {
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %folder.display(), "others may look into this folder, and it is somebody else's");
            Ok(())
        }
        closed => closed,
    }
}

/// Makes the file if it is not there, and closes it and what SQLite keeps beside it to others. SQLite gives what it makes
/// beside a file later the rights of the file.
pub(crate) fn file(file: &Path) -> io::Result<()> {
    drop(OpenOptions::new().create(true).append(true).mode(FILE).open(file)?);
    for beside in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        match fs::metadata(&name) {
            Ok(found) if found.permissions().mode() & OTHERS != 0 => {
                fs::set_permissions(&name, Permissions::from_mode(FILE))?;
            }
            Ok(_) => {}
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}
