//! The explanations of rules, which viewers of SARIF show beside a finding.
//!
//! They are the rows of the table in docs/appspec.md, so that there is one text of each.

use hoist::appspec::Rule;

/// Where the rules are explained to people who have no copy of hoist's documentation.
const GUIDE: &str =
    "https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html";

/// Where the source of hoist is published; empty as long as the package does not say it.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The row of one rule: what the agents or the service do, and what to do about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Help {
    pub(crate) reason: &'static str,
    pub(crate) remedy: &'static str,
}

impl Help {
    /// The row of a rule. Every rule has one.
    pub(crate) fn of(rule: Rule) -> Option<Self> {
        let start = format!("| `{}` |", rule.id());
        let table = include_str!("../../../../docs/appspec.md");
        let row = table.lines().find(|line| line.starts_with(&start))?;
        let row = row.strip_prefix("| ")?.strip_suffix(" |")?;
        // Its name, its severity, and what it finds; a vertical line in a cell is escaped.
        let mut cells = row.split(" | ").skip(3);
        let help = Self {
            reason: cells.next()?,
            remedy: cells.next()?,
        };
        cells.next().is_none().then_some(help)
    }

    pub(crate) fn text(self) -> String {
        format!(
            "Reason: {}. Remedy: {}.",
            plain(self.reason),
            plain(self.remedy)
        )
    }

    pub(crate) fn plain_reason(self) -> String {
        plain(self.reason)
    }

    pub(crate) fn markdown(self, rule: Rule) -> String {
        format!(
            "**{}** (`{}`)\n\n- Reason: {}\n- Remedy: {}\n",
            rule.summary(),
            rule.id(),
            self.reason,
            self.remedy
        )
    }
}

/// A cell without the marks of Markdown.
fn plain(cell: &str) -> String {
    cell.replace(['`', '\\'], "")
}

/// Where hoist and its rules are described.
pub(crate) fn uri() -> String {
    match REPOSITORY {
        "" => GUIDE.to_owned(),
        repository => format!("{repository}/blob/main/docs/appspec.md#rules"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_reason_and_a_remedy() {
        for rule in Rule::ALL {
            let help = Help::of(*rule);
            let help =
                help.unwrap_or_else(|| panic!("docs/appspec.md has no row of {}", rule.id()));
            assert!(
                !help.reason.is_empty() && !help.remedy.is_empty(),
                "{help:?}"
            );
            assert!(!help.text().contains('`'), "{}", help.text());
        }
    }
}
