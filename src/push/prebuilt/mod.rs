//! Files that are sent as they are: archives that somebody else made, and AppSpec files of Lambda and
//! ECS.
//!
//! A revision that no agent can read shows on the first deployment, so a file is looked through before a
//! byte of it is sent: [`Prebuilt::check`]. It stays open from then on, and if it is another file
//! when the last part is due, that part is not sent: [`Prebuilt::send`].
//!
//! It refuses to read contents of archives (but a tgz must be inflated to
//! see names), to hold more than 1 MiB of anything, and to change a byte.

mod choose;
mod root;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use self::choose::choose;

use self::root::Root;
use crate::appspec::{self, Kind, Report};
use crate::archive::limits::MIB;
use crate::archive::pack::{self, Cutter, Packed, Part};
use crate::bundle::{BundleType, Format};
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::progress::Progress;
use crate::system;

/// Why a file is no revision.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no archive that CodeDeploy knows.
    #[error(
        "{} is not a zip, tar or tgz, nor an AppSpec file that ends in .yaml, .yml or .json; give the \
         directory to bundle, or one of these",
        path.display()
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// It is something else than was asked for.
    #[error("{} is {is}, not {asked}", path.display())]
    Contradicted {
        /// Which.
        path: PathBuf,
        /// What it is.
        is: BundleType,
        /// What it should be.
        asked: Format,
    },
    /// It is an AppSpec file for instances, which go into an archive.
    #[error(
        "{} has no Resources:, so it is no AppSpec file for Lambda or ECS; for EC2 or on-premises \
         instances, give the directory that it is in",
        path.display()
    )]
    NotLambda {
        /// Which.
        path: PathBuf,
    },
    /// An archive is damaged, or made in a way that the agents do not read.
    #[error("{} is no {format} that an agent can read: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// As what it was read.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// An archive without an AppSpec file at its root.
    #[error("{} has no appspec.yml at its root{}", path.display(), root::hint(*misnamed))]
    NoAppSpec {
        /// Which.
        path: PathBuf,
        /// Whether there is an `appspec.yaml`.
        misnamed: bool,
    },
    /// The stop flag was set.
    #[error("stopped while checking")]
    Stopped,
}

/// A file to be sent as it is.
#[derive(Debug)]
pub struct Prebuilt {
    path: PathBuf,
    file: File,
    size: u64,
    modified: SystemTime,
    report: Option<Report>,
}

impl Prebuilt {
    /// Opens the file at `path`, which is a `bundle`, and checks that it can be deployed.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub fn check(path: &Path, bundle: BundleType, stop: &Cancel) -> Result<Self, Error> {
        let failed = |error| FileError::new("open", path, error);
        let file = File::open(path).map_err(failed)?;
        let (size, modified) = state(&file).map_err(failed)?;
        let mut prebuilt = Self {
            path: path.to_owned(),
            file,
            size,
            modified,
            report: None,
        };
        match bundle {
            BundleType::Archive(format) => prebuilt.check_archive(format, stop)?,
            BundleType::Yaml | BundleType::Json => {
                let bytes = read_appspec(path, &prebuilt.file)?;
                if appspec::kind(&bytes) != Kind::Resources {
                    return Err(Error::NotLambda {
                        path: path.to_owned(),
                    });
                }
                let wanted = Some(Kind::Resources);
                prebuilt.report = Some(appspec::lint(path, &bytes, wanted, None));
            }
        }
        Ok(prebuilt)
    }

    fn check_archive(&self, format: Format, stop: &Cancel) -> Result<(), Error> {
        let mut root = Root::default();
        let read = match format {
            Format::Zip => zip::names(&self.file, &mut root, stop),
            Format::Tar => tar::names(tar::Input::plain(&self.file, self.size), &mut root, stop),
            Format::Tgz => tar::names(tar::Input::gzip(&self.file), &mut root, stop),
        };
        let path = self.path.clone();
        match read {
            Ok(()) if root.has_appspec() => Ok(()),
            Ok(()) => Err(Error::NoAppSpec {
                path,
                misnamed: root.is_misnamed(),
            }),
            Err(Unreadable::Stopped) => Err(Error::Stopped),
            Err(Unreadable::Io(error)) => Err(FileError::new("read", path, error).into()),
            Err(Unreadable::Damaged(reason)) => Err(Error::Damaged {
                path,
                format,
                reason,
            }),
        }
    }

    /// What was found in it, if it is an AppSpec file.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the file to `emit` in parts of `part_size` bytes, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`pack::Error`], its own or that of `emit`. The last part is not given away if the file is not
    /// the one that was checked.
    pub fn send(
        &self,
        part_size: u64,
        stop: &Cancel,
        progress: &Progress,
        emit: &mut dyn FnMut(Part) -> Result<(), pack::Error>,
    ) -> Result<Packed, pack::Error> {
        progress.planned(1, self.size);
        let mut cutter = Cutter::new(usize::try_from(part_size).unwrap_or(usize::MAX));
        let mut emit = |part| {
            progress.part_cut();
            emit(part)
        };
        let mut window = vec![0; usize::try_from(self.size.min(MIB)).unwrap_or(0)];
        while cutter.position() < self.size {
            if stop.is_cancelled() {
                return Err(pack::Error::Stopped);
            }
            let left = usize::try_from(self.size - cutter.position()).unwrap_or(usize::MAX);
            let len = left.min(window.len());
            let bytes = &mut window[..len];
            system::read_exact_at(&self.file, bytes, cutter.position()).map_err(
                |error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => self.changed("it shrank"),
                    _ => FileError::new("read", &self.path, error).into(),
                },
            )?;
            cutter.append(bytes, &mut emit)?;
            progress.packed(0, len as u64);
            progress.archive_at(cutter.position());
        }
        let now =
            state(&self.file).map_err(|error| FileError::new("look at", &self.path, error))?;
        if now.0 != self.size {
            return Err(self.changed("its size changed"));
        }
        if now.1 != self.modified {
            return Err(self.changed("it was modified"));
        }
        progress.packed(1, 0);
        cutter.finish(&mut emit)?;
        Ok(Packed {
            files: 1,
            content: self.size,
            archive: self.size,
            digest: None,
        })
    }

    fn changed(&self, how: &'static str) -> pack::Error {
        pack::Error::Changed {
            path: self.path.clone(),
            how,
        }
    }
}

/// An AppSpec file, as far as anybody looks at it.
fn read_appspec(path: &Path, file: &File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(appspec::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::new("read", path, error))?;
    Ok(bytes)
}

/// Size and time of last modification.
fn state(file: &File) -> io::Result<(u64, SystemTime)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified()?))
}

/// Why the names in an archive cannot be listed.
#[derive(Debug)]
enum Unreadable {
    Io(io::Error),
    Damaged(String),
    Stopped,
}

impl From<io::Error> for Unreadable {
    /// What a decoder says of the bytes is not the disk's fault.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it is cut short".to_owned()),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}
