//! Writes a screen as one line: beside a bar for a terminal of any width, or plainly for a log.

use std::time::Duration;

use console::{measure_text_width, style, truncate_str};
use indicatif::HumanCount;

use super::meter::{Body, Measured, Screen};
#[cfg(feature = "push")]
use super::view::Counted;
use crate::cli::render::units::{about, rate, size};

/// Fewest and most columns of the bar.
const BAR: (usize, usize) = (10, 25);

/// What is waited for has its time beside it from here on.
const LONG: Duration = Duration::from_secs(2);

/// How a bar may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether the terminal shows more than ASCII.
    pub(crate) unicode: bool,
    pub(crate) color: bool,
}

/// A field of the line, and how soon it is left out: the highest number goes first.
struct Field(u8, String);

/// The line for a terminal of `width` columns. The last column stays free, since some terminals begin a new
/// line when it is filled.
pub(crate) fn bar(screen: &Screen, width: usize, look: Look) -> String {
    let room = width.saturating_sub(1);
    if room == 0 {
        return String::new();
    }
    let line = match &screen.body {
        Body::Text(texts) => text(screen, texts, room),
        Body::Measured(measured) => line(screen, measured, room, look),
        #[cfg(feature = "push")]
        Body::Counted(counted) => counts(counted, room, look),
    };
    let end = if look.unicode { "…" } else { "" };
    truncate_str(&line, room, end).into_owned()
}

/// The longest text that fits, and how long it has been so.
fn text(screen: &Screen, texts: &[String], room: usize) -> String {
    let mut wordings = Vec::new();
    for text in texts {
        let timed = format!("{text}{}", waited(screen));
        let label = labelled(screen, &timed);
        wordings.extend([label, timed, text.clone()]);
    }
    let fits = |line: &&String| measure_text_width(line) <= room;
    let fitting = wordings.iter().find(fits).or(wordings.last());
    fitting.cloned().unwrap_or_default()
}

/// The share of what has ended as a bar, and the longest text that fits beside it.
#[cfg(feature = "push")]
fn counts(counted: &Counted, room: usize, look: Look) -> String {
    let share = counted.done as f64 / counted.total.max(1) as f64;
    let head = BAR.0 + 1;
    let fits = |text: &&String| head + measure_text_width(text) <= room;
    let Some(text) = counted.texts.iter().find(fits) else {
        return counted.texts.last().cloned().unwrap_or_default();
    };
    let columns = (room - measure_text_width(text) - 1).min(BAR.1);
    format!("{} {text}", draw(share.min(1.0), columns, look))
}

fn labelled(screen: &Screen, text: &str) -> String {
    if screen.label.is_empty() {
        return text.to_owned();
    }
    format!("{}: {text}", screen.label)
}

fn waited(screen: &Screen) -> String {
    if screen.since < LONG {
        return String::new();
    }
    format!(", {}", about(screen.since))
}

fn line(screen: &Screen, measured: &Measured, room: usize, look: Look) -> String {
    let amount = &measured.amount;
    let head = format!("{:>3}%", measured.percent());
    let mut fields = Vec::new();
    if !screen.label.is_empty() {
        fields.push(Field(3, screen.label.clone()));
    }
    if let Some(waiting) = measured.waiting {
        fields.push(Field(1, format!("{waiting}{}", waited(screen))));
    }
    if let Some(left) = measured.left {
        let text = time_left(left);
        // In so few columns it is rounded to its first unit.
        let fits = head.len() + 1 + text.len() <= room;
        let rough = text.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let text = if fits { text } else { format!("{rough} left") };
        fields.push(Field(2, text));
    }
    if let Some(speed) = measured.rate {
        fields.push(Field(4, rate(speed)));
    }
    if amount.total > 0 {
        fields.push(Field(6, format!("{} {}", of(measured), amount.verb)));
    }
    if let Some(files) = files(measured) {
        fields.push(Field(7, files));
    }
    let mut bar = true;
    let used = |fields: &[Field], bar: bool| {
        let words = fields.iter().map(|field| measure_text_width(&field.1) + 2);
        let bar = if bar { BAR.0 + 1 } else { 0 };
        head.len() + bar + words.sum::<usize>().saturating_sub(1)
    };
    while used(&fields, bar) > room && (bar || !fields.is_empty()) {
        let last = fields.iter().map(|field| field.0).max().unwrap_or(0);
        if bar && last < 5 {
            bar = false;
        } else {
            fields.retain(|field| field.0 != last);
        }
    }
    let mut line = head.clone();
    if bar {
        let spare = room.saturating_sub(used(&fields, true));
        let columns = (BAR.0 + spare).min(BAR.1);
        line.push(' ');
        line.push_str(&draw(measured.share, columns, look));
    }
    let words: Vec<String> = fields.into_iter().map(|field| field.1).collect();
    if !words.is_empty() {
        line.push(' ');
        line.push_str(&words.join(", "));
    }
    line
}

/// The bar itself, of exactly so many columns.
fn draw(share: f64, columns: usize, look: Look) -> String {
    let (full, tip) = if look.unicode {
        ('━', '╸')
    } else {
        ('=', '>')
    };
    // The share is between 0 and 1, and there are few columns.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let done = ((share * columns as f64) as usize).min(columns);
    let mut text: String = std::iter::repeat_n(full, done).collect();
    if done < columns {
        text.push(tip);
    }
    let rest = columns.saturating_sub(done + 1);
    let text = style(text).cyan().force_styling(look.color);
    format!("{text}{}", " ".repeat(rest))
}

/// The line for a log.
pub(crate) fn plain(screen: &Screen) -> String {
    let text = match &screen.body {
        Body::Text(texts) => {
            let text = texts.first().map_or("", String::as_str);
            format!("{text}{}", waited(screen))
        }
        #[cfg(feature = "push")]
        Body::Counted(counted) => counted.texts.first().cloned().unwrap_or_default(),
        Body::Measured(measured) => {
            let amount = &measured.amount;
            let mut words = vec![format!("{}% {}", measured.percent(), amount.verb)];
            if amount.total > 0 {
                words.push(of(measured));
            }
            words.extend(measured.rate.map(rate));
            words.extend(measured.left.map(time_left));
            words.extend(files(measured));
            if let Some(waiting) = measured.waiting {
                words.push(format!("{waiting}{}", waited(screen)));
            }
            words.join(", ")
        }
    };
    labelled(screen, &text)
}

fn time_left(left: Duration) -> String {
    // Less than a second is left until nothing is.
    let left = left.max(Duration::from_secs(1));
    format!("{} left", about(left))
}

/// The bytes that are done, of the total. An estimate is marked as one.
fn of(measured: &Measured) -> String {
    let amount = &measured.amount;
    let total = size(amount.total);
    if amount.complete {
        return total;
    }
    let about = if amount.exact { "" } else { "~" };
    format!("{} of {about}{total}", size(amount.done))
}

/// The files, unless all of them are packed.
fn files(measured: &Measured) -> Option<String> {
    let (done, total) = measured.amount.files?;
    (done < total).then(|| format!("{} of {} files packed", HumanCount(done), HumanCount(total)))
}
