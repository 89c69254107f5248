//! What an agent does on an instance, without its scripts: it downloads and unpacks the bundle, copies
//! `files`, sets modes, and finds out whether the scripts of an event are there.
//!
//! ```text
//! DIR/instances/INSTANCE/                                   the instance's file system
//! DIR/codedeploy/REGION/agents/INSTANCE/GROUP/state.json    what was deployed and installed last
//! DIR/codedeploy/REGION/agents/INSTANCE/GROUP/DEPLOYMENT/   an unpacked bundle
//! ```
//!
//! The messages of failures are those of aws-codedeploy-agent 1.8.1. Owners, groups, ACLs and contexts
//! are not set.

mod copying;
mod place;
mod unpack;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::place::Place;
use super::Service;
use super::deployment::{Deployment, Diagnostics};
use super::model::Revision;
use crate::appspec::Instructions;
use crate::endpoint::store::{read_json, write_json};

/// The only name that an agent reads.
const APPSPEC: &str = "appspec.yml";

/// The directory that an agent unpacks bundles in, as its messages name it.
const DEPLOYMENT_ROOT: &str = "/opt/codedeploy-agent/deployment-root";

/// An agent on one instance, for one deployment.
pub(super) struct Agent<'a> {
    service: &'a Service,
    deployment: &'a Deployment,
    instance: Place,
    /// For what the agent keeps of the deployment's group.
    dir: PathBuf,
}

/// What an agent keeps of a deployment group.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The last deployment that succeeded here, and its revision.
    last: Option<String>,
    revision: Option<Revision>,
    /// What was installed last, below the instance's directory, in the order of its making.
    installed: Vec<PathBuf>,
}

impl<'a> Agent<'a> {
    pub(super) fn new(
        service: &'a Service,
        region: &str,
        deployment: &'a Deployment,
        instance: &str,
    ) -> Self {
        let agents = service.dir.join("codedeploy").join(region).join("agents");
        Self {
            service,
            deployment,
            instance: Place::new(service.dir.join("instances").join(instance)),
            dir: agents.join(instance).join(&deployment.group_id),
        }
    }

    /// Whether the revision that is deployed is on the instance.
    pub(super) fn has_revision(&self) -> bool {
        self.state().revision.as_ref() == Some(&self.deployment.revision)
    }

    /// Does what belongs to a lifecycle event.
    pub(super) fn event(&self, name: &str) -> Result<(), Diagnostics> {
        match name {
            "DownloadBundle" => self.download().map_err(Diagnostics::unknown_error),
            "Install" => self.install(),
            "BlockTraffic" | "AllowTraffic" => Ok(()),
            // These belong to the revision that is there.
            "ApplicationStop" | "BeforeBlockTraffic" | "AfterBlockTraffic" => {
                match self.state().last {
                    Some(last) => self.check_scripts(&last, name),
                    None => Ok(()),
                }
            }
            _ => self.check_scripts(&self.deployment.id, name),
        }
    }

    /// Notes that the deployment succeeded here, and removes the bundles before it.
    pub(super) fn succeeded(&self) {
        let id = &self.deployment.id;
        if !self.dir.join(id).is_dir() {
            return;
        }
        let mut state = self.state();
        state.last = Some(id.clone());
        state.revision = Some(self.deployment.revision.clone());
        drop(self.keep(&state));
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name() != id.as_str() && entry.path().is_dir() {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }

    fn state(&self) -> State {
        let state = read_json(&self.dir.join("state.json"));
        state.ok().flatten().unwrap_or_default()
    }

    fn keep(&self, state: &State) -> io::Result<()> {
        write_json(&self.dir.join("state.json"), state).map_err(io::Error::other)
    }

    fn bundle(&self, deployment: &str) -> Place {
        Place::new(self.dir.join(deployment))
    }

    /// The path that an agent's message has for a path in the bundle.
    fn shown(&self, deployment: &str, path: &str) -> String {
        let group = &self.deployment.group_id;
        let path = path.trim_start_matches('/');
        format!("{DEPLOYMENT_ROOT}/{group}/{deployment}/deployment-archive/{path}")
    }

    /// Unpacks the bundle. A deployment that restarts takes the one that is there.
    fn download(&self) -> Result<(), String> {
        let id = &self.deployment.id;
        if self.deployment.options.deployment_mode.as_deref() == Some("RESTART") {
            let last = self
                .state()
                .last
                .filter(|last| self.dir.join(last).is_dir());
            let last =
                last.ok_or("There is no revision on the instance that could be restarted.")?;
            let moved = fs::rename(self.dir.join(last), self.dir.join(id));
            return moved.map_err(|error| error.to_string());
        }
        let file = self.service.open_revision(&self.deployment.revision)?;
        if !self.service.objects.keeps_bytes() {
            return Ok(());
        }
        let location = self.deployment.revision.s3_location.as_ref();
        let kind = location.and_then(|s3| s3.bundle_type.as_deref());
        let bundle = self.bundle(id);
        unpack::unpack(kind.unwrap_or_default(), file, &bundle)
            .and_then(|()| lift_single_directory(bundle.root()))
            .map_err(|error| format!("The bundle cannot be unpacked: {error}"))
    }

    /// The AppSpec file of a bundle. None if bundles are not kept.
    fn instructions(&self, deployment: &str) -> Result<Option<Instructions>, Diagnostics> {
        let bundle = self.bundle(deployment);
        if !bundle.root().is_dir() {
            return Ok(None);
        }
        let path = bundle.root().join(APPSPEC);
        let text = fs::read(&path).map_err(|_| {
            Diagnostics::unknown_error(format!(
                "The CodeDeploy agent did not find an AppSpec file within the unpacked revision \
                 directory at revision-relative path \"{APPSPEC}\". The revision was unpacked to \
                 directory \"{}\", and the AppSpec file was expected but not found at path \"{}\".",
                self.shown(deployment, "").trim_end_matches('/'),
                self.shown(deployment, APPSPEC),
            ))
        })?;
        Instructions::read(Path::new(APPSPEC), &text)
            .map(Some)
            .map_err(|error| {
                let message = format!("The deployment failed because of {APPSPEC}, {error}.");
                Diagnostics::unknown_error(message)
            })
    }

    /// Checks that the scripts of an event are in the bundle.
    fn check_scripts(&self, deployment: &str, event: &str) -> Result<(), Diagnostics> {
        let Some(instructions) = self.instructions(deployment)? else {
            return Ok(());
        };
        let bundle = self.bundle(deployment);
        let hooks = instructions.hooks.iter().filter(|(name, _)| name == event);
        for script in hooks.flat_map(|(_, scripts)| scripts) {
            // A link to a script is followed, as the agent does, but not out of the bundle.
            let relative = Place::relative(Path::new(script));
            let found = bundle.find(&relative).is_ok_and(|path| path.exists());
            if !found {
                return Err(Diagnostics {
                    error_code: "ScriptMissing".to_owned(),
                    script_name: script.clone(),
                    message: format!(
                        "Script does not exist at specified location: {}",
                        self.shown(deployment, script)
                    ),
                    log_tail: format!("LifecycleEvent - {event}\nScript - {script}\n"),
                });
            }
        }
        Ok(())
    }

    /// Removes what was installed last, and copies `files`.
    fn install(&self) -> Result<(), Diagnostics> {
        let id = &self.deployment.id;
        let Some(instructions) = self.instructions(id)? else {
            return Ok(());
        };
        let behavior = instructions.file_exists_behavior.clone();
        let behavior = behavior.or_else(|| self.deployment.options.file_exists_behavior.clone());
        let installed = || {
            let mut state = self.state();
            for relative in state.installed.iter().rev() {
                copying::remove(&self.instance, relative);
            }
            state.installed.clear();
            self.keep(&state).map_err(|error| error.to_string())?;
            let plan = copying::plan(
                &self.bundle(id),
                &self.instance,
                &instructions,
                behavior.as_deref().unwrap_or("DISALLOW"),
                |path| self.shown(id, path),
            )?;
            state.installed = plan.paths();
            // Before the first copy, so that the next deployment removes what a failed one left.
            self.keep(&state).map_err(|error| error.to_string())?;
            plan.carry_out(&self.instance, &instructions)
                .map_err(|error| error.to_string())
        };
        installed().map_err(|message: String| Diagnostics::unknown_error(message))
    }
}

/// Moves the content of the only directory of a bundle up, if it has an AppSpec file.
fn lift_single_directory(root: &Path) -> io::Result<()> {
    let entries: Vec<fs::DirEntry> = fs::read_dir(root)?.collect::<io::Result<_>>()?;
    let [only] = &entries[..] else {
        return Ok(());
    };
    if !only.file_type()?.is_dir() {
        return Ok(());
    }
    let mut has_appspec = false;
    for entry in fs::read_dir(only.path())? {
        let name = entry?.file_name().to_string_lossy().to_ascii_lowercase();
        has_appspec |= name.contains("appspec");
    }
    if !has_appspec {
        return Ok(());
    }
    let beside = root.with_extension("lifted");
    fs::rename(only.path(), &beside)?;
    fs::remove_dir(root)?;
    fs::rename(beside, root)
}
