//! Applications on disk: one JSON file each, in one directory per region.
//!
//! ```text
//! DIR/codedeploy/REGION/APPLICATION.json    the application, its revisions and groups
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::keys;
use super::super::store::{lock, read_json, write_json};
use super::Failure;
use super::model::Application;

pub(super) struct Store {
    dir: PathBuf,
    /// Held from reading an application to writing it back.
    change: Mutex<()>,
}

impl Store {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
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
    /// Fails with `ApplicationAlreadyExistsException`.
    pub(super) fn create(&self, region: &str, application: &Application) -> Result<(), Failure> {
        let _change = lock(&self.change);
        if self.find(region, &application.name)?.is_some() {
            return Err(Failure::new(
                "ApplicationAlreadyExistsException",
                format!("Application already exists: {}", application.name),
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
    /// Fails with `ApplicationDoesNotExistException`.
    pub(super) fn get(&self, region: &str, name: &str) -> Result<Application, Failure> {
        self.find(region, name)?.ok_or_else(|| {
            Failure::new(
                "ApplicationDoesNotExistException",
                format!("No application found for name: {name}"),
            )
        })
    }

    /// Changes the application `name`, unless `change` fails.
    /// Fails with `ApplicationDoesNotExistException`.
    pub(super) fn update<T>(
        &self,
        region: &str,
        name: &str,
        change: impl FnOnce(&mut Application) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _change = lock(&self.change);
        let mut application = self.get(region, name)?;
        let changed = change(&mut application)?;
        self.save(region, &application)?;
        Ok(changed)
    }
}
