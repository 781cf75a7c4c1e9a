//! Folders and files that only this user can read: they contain personal data and secret links.

use std::{fs, io, path::Path};

/// Creates a folder, and missing folders above it. An existing folder stays as it is.
///
/// # Errors
/// The system's own.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Creates a new file.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or another of the system's.
pub fn new_file(path: &Path) -> io::Result<fs::File> {
    options().create_new(true).open(path)
}

/// Writes a whole file, which may already exist.
///
/// # Errors
/// The system's own.
pub async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let mut options = options();
    options.create(true).truncate(true);
    let mut file = tokio::fs::OpenOptions::from(options).open(path).await?;
    file.write_all(bytes).await?;
    file.flush().await
}

/// Adds to the end of a file, which is created if it does not exist.
///
/// # Errors
/// The system's own.
pub fn append(path: &Path, text: &str) -> io::Result<()> {
    use io::Write;
    let mut file = options().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether trying again changes nothing before somebody has changed the path, or what is there.
pub fn needs_mending(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
    };
    matches!(
        error.kind(),
        PermissionDenied | NotFound | NotADirectory | IsADirectory | ReadOnlyFilesystem | InvalidInput
    )
}

fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[actix_web::test]
    async fn what_is_made_is_for_nobody_else_and_what_is_there_stays() {
        let mode = |path: &Path| fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("data/mail");
        make_folder(&folder).expect("made");
        let (letter, key) = (folder.join("one.eml"), folder.join("key"));
        write(&letter, b"once").await.expect("written");
        write(&letter, b"2nd").await.expect("written again");
        drop(new_file(&key).expect("made"));
        assert!(new_file(&key).is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&letter).expect("read"), b"2nd");
        for (path, expected) in
            [(outer.path().join("data"), 0o700), (folder, 0o700), (letter, 0o600), (key, 0o600)]
        {
            assert_eq!(mode(&path).expect("there"), expected, "{}", path.display());
        }
        let open = outer.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("set");
        make_folder(&open).expect("left");
        assert_eq!(mode(&open).expect("there"), 0o755);
    }
}
