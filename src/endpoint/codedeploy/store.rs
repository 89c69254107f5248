//! Applications on disk: one JSON file each, in a directory a region.
//!
//! ```text
//! DIR/codedeploy/REGION/APPLICATION.json    the application and its revisions
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::keys;
use super::super::store::{lock, read_json, write_json};
use super::Failure;
use super::model::Application;

/// Most applications in a region ("CodeDeploy quotas").
const MAX_APPLICATIONS: usize = 1000;

pub(crate) struct Store {
    dir: PathBuf,
    /// Held from reading an application to writing it back.
    change: Mutex<()>,
}

impl Store {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let dir = dir.join("codedeploy");
        fs::create_dir_all(&dir)?;
        Ok(Self {
            dir,
            change: Mutex::default(),
        })
    }

    fn path(&self, region: &str, name: &str) -> PathBuf {
        let mut path = self
            .dir
            .join(region)
            .join(keys::to_path(name))
            .into_os_string();
        path.push(".json");
        path.into()
    }

    /// Keeps a new application.
    ///
    /// # Errors
    ///
    /// `ApplicationAlreadyExistsException`, `ApplicationLimitExceededException`.
    pub(crate) fn create(&self, region: &str, application: &Application) -> Result<(), Failure> {
        let _change = lock(&self.change);
        if self.find(region, &application.name)?.is_some() {
            return Err(Failure::new(
                "ApplicationAlreadyExistsException",
                format!("Application already exists: {}", application.name),
            ));
        }
        if self.names(region)?.len() >= MAX_APPLICATIONS {
            return Err(Failure::new(
                "ApplicationLimitExceededException",
                format!("More applications than are allowed in a region: {MAX_APPLICATIONS}"),
            ));
        }
        self.save(region, application)
    }

    fn save(&self, region: &str, application: &Application) -> Result<(), Failure> {
        write_json(&self.path(region, &application.name), application).map_err(Failure::disk)
    }

    fn find(&self, region: &str, name: &str) -> Result<Option<Application>, Failure> {
        read_json(&self.path(region, name)).map_err(Failure::disk)
    }

    /// The application `name`.
    ///
    /// # Errors
    ///
    /// `ApplicationDoesNotExistException`.
    pub(crate) fn get(&self, region: &str, name: &str) -> Result<Application, Failure> {
        self.find(region, name)?.ok_or_else(|| {
            Failure::new(
                "ApplicationDoesNotExistException",
                format!("No application found for name: {name}"),
            )
        })
    }

    /// Changes the application `name`.
    ///
    /// # Errors
    ///
    /// `ApplicationDoesNotExistException`.
    pub(crate) fn update(
        &self,
        region: &str,
        name: &str,
        change: impl FnOnce(&mut Application),
    ) -> Result<(), Failure> {
        let _change = lock(&self.change);
        let mut application = self.get(region, name)?;
        change(&mut application);
        self.save(region, &application)
    }

    /// Forgets the application `name`; one that is not there counts as forgotten.
    pub(crate) fn delete(&self, region: &str, name: &str) -> Result<(), Failure> {
        let _change = lock(&self.change);
        let path = self.path(region, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::disk(format!("{}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// The names of a region's applications, sorted.
    pub(crate) fn names(&self, region: &str) -> Result<Vec<String>, Failure> {
        let root = self.dir.join(region);
        let mut names = Vec::new();
        collect(&root, &root, &mut names)
            .map_err(|error| Failure::disk(format!("{}: {error}", root.display())))?;
        names.sort();
        Ok(names)
    }
}

fn collect(root: &Path, dir: &Path, names: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, names)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && let Ok(path) = path.strip_prefix(root)
            && let Some(name) = keys::from_path(&path.with_extension(""))
        {
            names.push(name);
        }
    }
    Ok(())
}
