//! Where deployments are kept.
//!
//! ```text
//! DIR/codedeploy/REGION/deployments/ID.json    a deployment and its targets
//! ```
//!
//! They are in memory, too, because those that run change often. A deployment that ran when the endpoint
//! ended has failed when it starts again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::super::ids;
use super::super::store::{lock, read_json, write_json};
use super::Failure;
use super::deployment::{Deployment, Status, Step};

/// All deployments, by region and id.
pub(super) struct Deployments {
    dir: PathBuf,
    kept: Mutex<HashMap<(String, String), Kept>>,
}

struct Kept {
    deployment: Deployment,
    control: Arc<Control>,
}

/// What requests tell a deployment that runs.
#[derive(Default)]
pub(super) struct Control {
    pub(super) stop: CancellationToken,
    /// A stop is followed by a rollback, whatever the configuration says.
    pub(super) rolls_back: AtomicBool,
    /// Traffic may be shifted.
    pub(super) proceed: CancellationToken,
    /// The original instances may be terminated.
    pub(super) terminate: CancellationToken,
}

impl Deployments {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let dir = dir.join("codedeploy");
        fs::create_dir_all(&dir)?;
        let all = Self {
            kept: Mutex::default(),
            dir,
        };
        for region in fs::read_dir(&all.dir)? {
            let region = region?;
            let Ok(name) = region.file_name().into_string() else {
                continue;
            };
            let Ok(files) = fs::read_dir(region.path().join("deployments")) else {
                continue;
            };
            for file in files {
                let path = file?.path();
                if path.extension().is_some_and(|ending| ending == "json")
                    && let Some(deployment) = read_json(&path).map_err(io::Error::other)?
                {
                    all.load(&name, deployment);
                }
            }
        }
        Ok(all)
    }

    /// Takes a deployment that was found at the start.
    fn load(&self, region: &str, mut deployment: Deployment) {
        let id = deployment.id.clone();
        let ran = !deployment.status.has_ended();
        if ran {
            deployment.end(Status::Failed, Step::Failed);
            let message = "The endpoint ended while the deployment was running.";
            deployment.fail("INTERNAL_ERROR", message);
        }
        let control = Arc::default();
        let kept = Kept {
            deployment,
            control,
        };
        lock(&self.kept).insert((region.to_owned(), id.clone()), kept);
        if ran {
            self.change(region, &id, |_| ());
        }
    }

    fn path(&self, region: &str, id: &str) -> PathBuf {
        let deployments = self.dir.join(region).join("deployments");
        deployments.join(format!("{id}.json"))
    }

    /// Keeps a new deployment, with the number and the id that it gets.
    /// Fails with `DeploymentLimitExceededException`.
    pub(super) fn add(
        &self,
        region: &str,
        mut deployment: Deployment,
    ) -> Result<(Deployment, Arc<Control>), Failure> {
        let mut kept = lock(&self.kept);
        let here = kept.iter().filter(|((known, _), _)| known == region);
        let mut last = 0;
        for (
            _,
            Kept {
                deployment: known, ..
            },
        ) in here
        {
            last = last.max(known.number);
            if known.group_id == deployment.group_id && !known.status.has_ended() {
                return Err(Failure::new(
                    "DeploymentLimitExceededException",
                    format!(
                        "The Deployment Group '{}' already has an active Deployment '{}'",
                        deployment.group, known.id
                    ),
                ));
            }
        }
        deployment.number = last + 1;
        while deployment.id.is_empty()
            || kept.contains_key(&(region.to_owned(), deployment.id.clone()))
        {
            deployment.id = new_id();
        }
        write_json(&self.path(region, &deployment.id), &deployment).map_err(Failure::disk)?;
        let control = Arc::<Control>::default();
        kept.insert(
            (region.to_owned(), deployment.id.clone()),
            Kept {
                deployment: deployment.clone(),
                control: Arc::clone(&control),
            },
        );
        Ok((deployment, control))
    }

    pub(super) fn find(&self, region: &str, id: &str) -> Option<(Deployment, Arc<Control>)> {
        let kept = lock(&self.kept);
        let found = kept.get(&(region.to_owned(), id.to_owned()))?;
        Some((found.deployment.clone(), Arc::clone(&found.control)))
    }

    /// The deployments of a region that `fits` takes, the newest first.
    pub(super) fn list(
        &self,
        region: &str,
        fits: impl Fn(&Deployment) -> bool,
    ) -> Vec<(u64, String)> {
        let kept = lock(&self.kept);
        let here = kept.iter().filter(|((known, _), _)| known == region);
        let deployments = here.map(|(_, kept)| &kept.deployment);
        let fitting = deployments.filter(|deployment| fits(deployment));
        let mut found: Vec<(u64, String)> = fitting
            .map(|deployment| (deployment.number, deployment.id.clone()))
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found
    }

    /// Changes a deployment, in memory and on disk. What cannot be written is written with the next
    /// change.
    pub(super) fn change<T>(
        &self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut Deployment) -> T,
    ) -> Option<T> {
        self.change_kept(region, id, |deployment| {
            let changed = change(deployment);
            drop(write_json(&self.path(region, id), deployment));
            changed
        })
    }

    /// Changes a deployment in memory only, for what happens often and does not outlive the process.
    pub(super) fn note(&self, region: &str, id: &str, change: impl FnOnce(&mut Deployment)) {
        self.change_kept(region, id, change);
    }

    fn change_kept<T>(
        &self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut Deployment) -> T,
    ) -> Option<T> {
        let mut kept = lock(&self.kept);
        let found = kept.get_mut(&(region.to_owned(), id.to_owned()))?;
        Some(change(&mut found.deployment))
    }
}

/// `d-` and nine letters or digits, as CodeDeploy's are.
pub(super) fn new_id() -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let unique = ids::unique();
    // The last 16 hexadecimal digits are random, and 2^64 is more than 36^9.
    let mut random = u64::from_str_radix(unique.get(16..).unwrap_or_default(), 16).unwrap_or(0);
    let digits = (0..9).map(|_| {
        let digit = usize::try_from(random % 36).unwrap_or(0);
        random /= 36;
        char::from(DIGITS[digit])
    });
    let digits: String = digits.collect();
    format!("d-{digits}")
}
