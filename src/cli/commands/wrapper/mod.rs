//! `hoist aws-wrapper`: what sends `aws deploy push` to hoist with all its options.
//!
//! An alias of the AWS CLI cannot do this, because the AWS CLI does not pass its global options on to an alias. So this
//! command prints a function or a program that reads the whole command line before the AWS CLI does.

use clap::Args;

use crate::cli::Failure;
use crate::cli::render::print;

/// Finds out whether the command is `aws deploy push`. `@AWS@` stands for the AWS CLI.
const CHOOSE: &str = include_str!("choose.sh");
/// Makes a function of it.
const FUNCTION: &str = include_str!("function.sh");
/// Makes a program of it.
const SCRIPT: &str = include_str!("script.sh");

#[derive(Debug, Args)]
pub(crate) struct WrapperArgs {
    /// Print a program, to be installed as aws in a directory of the PATH before the AWS CLI, instead of a function
    /// for sh, bash, zsh and the like
    #[arg(long)]
    script: bool,
}

pub(crate) fn run(arguments: &WrapperArgs) -> Result<(), Failure> {
    let (frame, aws) = match arguments.script {
        true => (SCRIPT, "other_aws"),
        false => (FUNCTION, "command aws"),
    };
    print(frame.replace("@CHOOSE@\n", &CHOOSE.replace("@AWS@", aws)))
}

#[cfg(all(test, feature = "push"))]
mod tests {
    use super::*;
    use crate::cli::alias::GLOBAL;

    #[test]
    fn the_wrapper_knows_the_global_options_and_whether_they_take_values() {
        let words: Vec<&str> = CHOOSE.split([' ', '\n', '|', ')', '\\']).collect();
        for (name, takes_value, _) in GLOBAL {
            // With this option the AWS CLI asks for the others.
            let is_known = name != "--cli-auto-prompt";
            assert_eq!(words.contains(&name), is_known, "{name}");
            let with_value = format!("{name}=*");
            assert_eq!(words.contains(&&*with_value), takes_value, "{name}");
        }
    }
}
