//! Files that are sent as they are: archives that another program made, and AppSpec files for Lambda
//! and ECS.
//!
//! Without a check, an archive that no agent can read would only fail on its first deployment. So
//! [`Prebuilt::check`] reads the names in a file before the first byte is sent. The file stays open, and
//! [`Prebuilt::send`] does not send the last part if the file has changed since.
//!
//! It refuses to read the contents of archives but for the AppSpec file in a tar, which tells whether it is
//! for Windows (a tgz must be inflated to see its names), to hold more than 1 MiB of anything, and to change
//! a byte.

mod choose;
mod root;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use self::choose::{Chosen, choose};

use self::root::Root;
use crate::appspec::{self, Candidate, Kind, Report};
use crate::archive::limits::MIB;
use crate::archive::pack::{self, Cutter, Packed, Part};
use crate::archive::plan::{Notice, Noticed};
use crate::aws::codedeploy::Platform;
use crate::bundle::{BundleType, Format};
use crate::cancel::Cancel;
use crate::error::{FileError, shown};
use crate::progress::Progress;
use crate::system;

/// Why a file cannot be a revision.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no archive that CodeDeploy takes, and no AppSpec file.
    #[error(
        "{} is not a zip, tar or tgz, nor an AppSpec file that ends in .yaml, .yml or .json; give the \
         directory to bundle, or one of these",
        shown(path)
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// The file is of another kind than the user asks for.
    #[error("{} is {is}, not {asked}", shown(path))]
    Contradicted {
        /// Which.
        path: PathBuf,
        /// What it is.
        is: BundleType,
        /// What the user asks for.
        asked: Format,
    },
    /// The file is an AppSpec file for instances, which belongs into an archive.
    #[error(
        "{} has no Resources:, so it is no AppSpec file for Lambda or ECS; for EC2 or on-premises \
         instances, give the directory that it is in",
        shown(path)
    )]
    NotLambda {
        /// Which.
        path: PathBuf,
    },
    /// The archive is damaged, or made in a way that the agents cannot read.
    #[error("{} is no {format} that an agent can read: {reason}", shown(path))]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The format that it was read as.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// The archive has no AppSpec file at its root.
    #[error("{} has no appspec.yml at its root{}", shown(path), root::hint(*misnamed))]
    NoAppSpec {
        /// Which.
        path: PathBuf,
        /// Whether it has an `appspec.yaml` instead.
        misnamed: bool,
    },
    /// A directory has several AppSpec files for Lambda and ECS, and the key tells none of them.
    #[error(
        "{} has {} AppSpec files for Lambda or ECS, and none has the name of the key, {}: {}",
        shown(source_dir),
        candidates.len(),
        shown(name),
        listed(candidates)
    )]
    Ambiguous {
        /// The directory.
        source_dir: PathBuf,
        /// What the file should be called.
        name: String,
        /// The files.
        candidates: Vec<Candidate>,
    },
    /// A directory has no AppSpec file at all.
    #[error(
        "{} has no {} and no other AppSpec file for Lambda or ECS, and no appspec.yml for instances",
        shown(source_dir),
        shown(name)
    )]
    NoneNamed {
        /// The directory.
        source_dir: PathBuf,
        /// What the file should be called.
        name: String,
    },
    /// The check was cancelled.
    #[error("stopped while checking")]
    Stopped,
}

/// The names of files, with what they deploy.
fn listed(candidates: &[Candidate]) -> String {
    let one = |candidate: &Candidate| {
        let name = shown(candidate.path.file_name().unwrap_or_default());
        match candidate.target {
            Some(target) => format!("{name} ({})", Platform::from(target)),
            None => name.to_string(),
        }
    };
    candidates.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A file that was checked, and is sent as it is.
#[derive(Debug)]
pub struct Prebuilt {
    path: PathBuf,
    file: File,
    size: u64,
    modified: SystemTime,
    report: Option<Report>,
    notices: Vec<Notice>,
}

impl Prebuilt {
    /// Opens the file at `path`, which is of type `bundle`, and checks that it can be deployed.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub fn check(path: &Path, bundle: BundleType, cancel: &Cancel) -> Result<Self, Error> {
        let failed = |error| FileError::new("open", path, error);
        let file = File::open(path).map_err(failed)?;
        let (size, modified) = state(&file).map_err(failed)?;
        let mut prebuilt = Self {
            path: path.to_owned(),
            file,
            size,
            modified,
            report: None,
            notices: Vec::new(),
        };
        match bundle {
            BundleType::Archive(format) => prebuilt.check_archive(format, cancel)?,
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

    fn check_archive(&mut self, format: Format, cancel: &Cancel) -> Result<(), Error> {
        let mut root = Root::default();
        let mut noticed = Noticed::default();
        let read = match format {
            Format::Zip => zip::names(&self.file, self.size, &mut root, &mut noticed, cancel),
            Format::Tar => tar::names(
                tar::Input::plain(&self.file, self.size),
                &mut root,
                &mut noticed,
                cancel,
            ),
            Format::Tgz => tar::names(
                tar::Input::gzip(&self.file),
                &mut root,
                &mut noticed,
                cancel,
            ),
        };
        // The names in an archive are not below a directory.
        self.notices = noticed.notices(Path::new(""));
        let path = self.path.clone();
        match read {
            Ok(()) if root.has_appspec() => {
                let appspec = path.join("appspec.yml");
                let report = appspec::lint_bundle_type(&appspec, root.content(), format.name());
                self.report = Some(report).filter(|report| !report.findings.is_empty());
                Ok(())
            }
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

    /// What was found in the file, if it is an AppSpec file, or says that a tar is for Windows.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// What the agents' readers change when they unpack the file, if it is an archive.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The file's size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the file to `emit` in parts of `part_size` bytes, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`pack::Error`], its own or that of `emit`. The last part is not given away if the file has
    /// changed since it was checked.
    pub fn send(
        &self,
        part_size: u64,
        cancel: &Cancel,
        progress: &Progress,
        emit: &mut dyn FnMut(Part) -> Result<(), pack::Error>,
    ) -> Result<Packed, pack::Error> {
        progress.planned(1, self.size);
        progress.archive_ends_at(self.size);
        let mut cutter = Cutter::new(usize::try_from(part_size).unwrap_or(usize::MAX));
        let mut emit = |part| {
            progress.part_cut();
            emit(part)
        };
        let mut window = vec![0; usize::try_from(self.size.min(MIB)).unwrap_or(0)];
        while cutter.position() < self.size {
            if cancel.is_cancelled() {
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
            zip64_names: 0,
        })
    }

    fn changed(&self, how: &'static str) -> pack::Error {
        pack::Error::Changed {
            path: self.path.clone(),
            how,
        }
    }
}

/// Reads an AppSpec file: one byte more than the largest that is allowed shows that it is too large.
fn read_appspec(path: &Path, file: &File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(appspec::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::new("read", path, error))?;
    Ok(bytes)
}

/// A file's size and time of last modification.
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
    /// Decoders report bad bytes as I/O errors, too.
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
