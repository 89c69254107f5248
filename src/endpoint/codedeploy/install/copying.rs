//! Copies `files` of an AppSpec file, as `installer.rb` of aws-codedeploy-agent 1.8.1 does: first all
//! copies are planned, so that a file in the way stops the deployment before anything is written.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::appspec::Instructions;
use crate::system;

/// How deep directories may be: links may lead around in a circle.
const MAX_DEPTH: usize = 40;

/// What is made on the instance, in order.
#[derive(Default)]
pub(super) struct Plan {
    steps: Vec<Step>,
    targets: HashSet<PathBuf>,
}

struct Step {
    /// Below the instance's directory.
    relative: PathBuf,
    what: What,
}

enum What {
    Directory,
    /// A file of the bundle.
    Copy(PathBuf),
    /// A link, and what it says.
    Link(PathBuf),
}

/// What decides about copies.
struct Planner<'a> {
    bundle: PathBuf,
    instance: &'a Place,
    behavior: &'a str,
    plan: Plan,
}

/// Plans the copies of all entries of `files`. `shown` is the path of a message.
pub(super) fn plan(
    bundle: &Place,
    instance: &Place,
    instructions: &Instructions,
    behavior: &str,
    shown: impl Fn(&str) -> String,
) -> Result<Plan, String> {
    let text = |error: io::Error| error.to_string();
    let mut planner = Planner {
        // Resolved, so that what links lead to can be compared with it.
        bundle: bundle.root().canonicalize().map_err(text)?,
        instance,
        behavior,
        plan: Plan::default(),
    };
    for file in &instructions.files {
        let source = planner
            .bundle
            .join(Place::relative(Path::new(&file.source)));
        let destination = Place::relative(Path::new(&file.destination));
        let inside = source.canonicalize().ok();
        let inside = inside.filter(|real| real.starts_with(&planner.bundle));
        let Some(real) = inside else {
            let path = shown(&file.source);
            return Err(format!("No such file or directory - {path}"));
        };
        if real.is_dir() {
            planner.ancestors(&destination)?;
            planner.directory(&source, &destination, 0)?;
        } else {
            let name = source.file_name().unwrap_or_default();
            let target = destination.join(name);
            planner.ancestors(&target)?;
            planner.file(&source, &target)?;
        }
    }
    Ok(planner.plan)
}

impl Planner<'_> {
    /// Plans the directories above `relative` that are missing.
    fn ancestors(&mut self, relative: &Path) -> Result<(), String> {
        let mut above: Vec<&Path> = relative.ancestors().skip(1).collect();
        above.reverse();
        for directory in above {
            if !directory.as_os_str().is_empty() {
                self.make(directory)?;
            }
        }
        Ok(())
    }

    fn make(&mut self, relative: &Path) -> Result<(), String> {
        if self.plan.targets.contains(relative) {
            return Ok(());
        }
        let there = self.instance.look(relative);
        if there.map_err(|error| error.to_string())?.is_none() {
            self.plan.targets.insert(relative.to_owned());
            self.plan.steps.push(Step {
                relative: relative.to_owned(),
                what: What::Directory,
            });
        }
        Ok(())
    }

    fn directory(&mut self, source: &Path, relative: &Path, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "Too many levels of symbolic links - {}",
                shown(relative)
            ));
        }
        let text = |error: io::Error| error.to_string();
        if !relative.as_os_str().is_empty() {
            self.make(relative)?;
        }
        let mut names: Vec<_> = fs::read_dir(source)
            .map_err(text)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<_>>()
            .map_err(text)?;
        names.sort();
        for name in names {
            let (from, to) = (source.join(&name), relative.join(&name));
            // Links to directories are followed, and those that lead out of the bundle are left out.
            let Ok(real) = from.canonicalize() else {
                self.file(&from, &to)?;
                continue;
            };
            if !real.starts_with(&self.bundle) {
                continue;
            }
            if real.is_dir() {
                self.directory(&from, &to, depth + 1)?;
            } else {
                self.file(&from, &to)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, source: &Path, relative: &Path) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let there = self.instance.look(relative);
        if there.map_err(text)?.is_some() {
            match self.behavior {
                "OVERWRITE" => {}
                "RETAIN" => return Ok(()),
                _ => {
                    return Err(format!(
                        "The deployment failed because a specified file already exists at this \
                         location: {}",
                        shown(relative)
                    ));
                }
            }
        }
        if !self.plan.targets.insert(relative.to_owned()) {
            return Err(format!(
                "Duplicate copy instruction to {} from {}",
                shown(relative),
                source.file_name().unwrap_or_default().display()
            ));
        }
        let what = match fs::symlink_metadata(source).map_err(text)?.is_symlink() {
            true => What::Link(fs::read_link(source).map_err(text)?),
            false => What::Copy(source.to_owned()),
        };
        self.plan.steps.push(Step {
            relative: relative.to_owned(),
            what,
        });
        Ok(())
    }
}

/// A path on the instance, as the instance would name it.
fn shown(relative: &Path) -> String {
    format!("/{}", relative.display())
}

impl Plan {
    /// What will be made, in order.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.steps
            .iter()
            .map(|step| step.relative.clone())
            .collect()
    }

    /// Copies, and sets the modes of `permissions`.
    pub(super) fn carry_out(
        &self,
        instance: &Place,
        instructions: &Instructions,
    ) -> io::Result<()> {
        for Step { relative, what } in &self.steps {
            match what {
                What::Directory => {
                    instance.make_directory(relative)?;
                }
                What::Copy(source) => {
                    let mut from = fs::File::open(source)?;
                    let mode = system::permission_bits(&from.metadata()?);
                    let (mut file, path) = instance.create(relative)?;
                    io::copy(&mut from, &mut file)?;
                    system::set_permission_bits(&path, mode)?;
                }
                What::Link(target) => {
                    if Place::holds_link(relative, target) {
                        system::make_link(target, &instance.make_way(relative)?)?;
                    }
                }
            }
        }
        // Directories last, since some modes forbid to write below them.
        for Step { relative, what } in self.steps.iter().rev() {
            let is_directory = matches!(what, What::Directory);
            if matches!(what, What::Link(_)) {
                continue;
            }
            let path = shown(relative);
            let mut modes = instructions.modes.iter();
            if let Some(mode) = modes.find(|mode| mode.is_for(&path, is_directory)) {
                system::set_permission_bits(&instance.find(relative)?, mode.mode)?;
            }
        }
        Ok(())
    }
}

/// Removes a file or link, or a directory that is empty. What cannot be removed stays.
pub(super) fn remove(instance: &Place, relative: &Path) {
    let Ok(path) = instance.find(relative) else {
        return;
    };
    let Ok(found) = fs::symlink_metadata(&path) else {
        return;
    };
    drop(match found.is_dir() {
        true => fs::remove_dir(&path),
        false => fs::remove_file(&path),
    });
}
