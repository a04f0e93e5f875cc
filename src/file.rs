//! Files written as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file aside, in the same folder, and puts it in place once it is complete and on the disk: whoever reads
/// `path` finds the old content or the new one, and a failure leaves the old one. What is no regular file (a pipe, a
/// device) is written to directly.
///
/// # Errors
/// What `write` returns, and [`Error::Other`] where the file cannot be made or put in place.
pub(crate) fn replace<R>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<R>) -> Result<R> {
    let failed = |source: io::Error| Error::other(format!("writing {}", path.display()), source);
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let mut file = BufWriter::new(File::options().write(true).open(path).map_err(failed)?);
            let result = write(&mut file)?;
            file.flush().map_err(failed)?;
            return Ok(result);
        }
        _ => {}
    }
    // A link stays one: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".faltung-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let (file, aside) = builder.tempfile_in(folder).map_err(failed)?.into_parts();
    let mut file = BufWriter::new(file);
    let result = write(&mut file)?;
    let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    aside.persist(&target).map_err(|e| failed(e.error))?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &'static [u8]) -> impl FnOnce(&mut BufWriter<File>) -> Result<()> {
        move |file| {
            file.write_all(bytes).expect("written");
            Ok(())
        }
    }

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn the_old_content_survives_a_failure_and_nothing_else_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        replace(&path, write(b"old")).expect("a first content");
        let failed = replace(&path, |f| {
            f.write_all(b"half").expect("written");
            Err::<(), _>(Error::overflow("everything"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("a file"), b"old");
        replace(&path, write(b"new")).expect("a second content");
        assert_eq!(fs::read(&path).expect("a file"), b"new");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let failed = replace(Path::new("/no/such/folder/a.txt"), |_| Ok(())).expect_err("no such folder");
        assert!(failed.to_string().contains("/no/such/folder/a.txt"), "{failed}");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_are_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").expect("a file");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        replace(&link, write(b"new")).expect("a content");
        assert_eq!(fs::read(&real).expect("a file"), b"new");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        replace(Path::new("/dev/null"), write(b"gone")).expect("the device");
    }
}
