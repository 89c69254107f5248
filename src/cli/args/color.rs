//! `--color`: whether help, errors and the progress bar have colors.

use std::ffi::OsString;

use clap::ColorChoice;

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// Always
    On,
    /// Never
    Off,
    /// On terminals, unless NO_COLOR or TERM disables them
    #[default]
    Auto,
}

/// Finds `--color` before the arguments are parsed, so that errors in them have colors, too.
pub(crate) fn choice(arguments: &[OsString]) -> ColorChoice {
    let words = arguments.iter().filter_map(|word| word.to_str());
    let mut last = ColorChoice::Auto;
    let mut is_value = false;
    for word in words {
        let value = match word.strip_prefix("--color") {
            Some(rest) => rest.strip_prefix('='),
            None => is_value.then_some(word),
        };
        last = match value {
            Some("on") => ColorChoice::Always,
            Some("off") => ColorChoice::Never,
            Some("auto") => ColorChoice::Auto,
            _ => last,
        };
        is_value = word == "--color";
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_color_option_counts() {
        let of = |text: &str| choice(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("hoist push --color on"), ColorChoice::Always);
        assert_eq!(of("hoist push --color=off --source x"), ColorChoice::Never);
        assert_eq!(of("hoist push --color off --color auto"), ColorChoice::Auto);
        assert_eq!(of("hoist push on off"), ColorChoice::Auto);
        assert_eq!(of("hoist push --color"), ColorChoice::Auto);
    }
}
