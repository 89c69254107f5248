//! A plot of a run over time: rates above, queues below.

use std::path::Path;
use std::time::Duration;

use hoist::error::shown;
use hoist::progress::Snapshot;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::Report;
use super::table::queues;
use crate::cli::render::units::mib;

const SIZE: (u32, u32) = (1000, 640);
/// The height of the legend's strip, where its first name begins, and the room for each name.
const LEGEND: u32 = 28;
const LEFT: i32 = 74;
const COLUMN: i32 = 170;
/// Colours that color-blind people can tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];
/// A rate is a mean over one of so many pieces of the run.
const PIECES: u32 = 80;

/// A line: its name, and its points over seconds.
type Line = (&'static str, Vec<(f64, f64)>);
type Failed = Box<dyn std::error::Error>;

/// Draws `report` to the SVG file `file`.
pub(crate) fn write(file: &Path, report: &Report) -> Result<(), String> {
    let svg = draw(report).map_err(|error| format!("cannot draw the plot: {error}"))?;
    std::fs::write(file, svg)
        .map_err(|error| format!("cannot write the plot {}: {error}", shown(file)))
}

fn draw(report: &Report) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let title = format!(
            "hoist: level {}, {} threads on {} cores, {:.2} s, {:.0} MiB/s read",
            report.setup.level,
            report.setup.threads,
            report.cores,
            report.wall.as_secs_f64(),
            report.rate()
        );
        let area = area.titled(&title, ("sans-serif", 22))?;
        let (above, below) = area.split_vertically(SIZE.1 * 11 / 20);
        let end = report.wall.as_secs_f64();
        panel(&above, "MiB/s", end, &rates(report))?;
        panel(&below, "queued", end, &depths(&report.samples))?;
        area.present()?;
    }
    Ok(svg)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    unit: &str,
    end: f64,
    lines: &[Line],
) -> Result<(), Failed> {
    let (names, area) = area.split_vertically(LEGEND);
    legend(&names, lines)?;
    let points = lines.iter().flat_map(|(_, points)| points);
    let top = points.fold(1.0, |top: f64, point| top.max(point.1)) * 1.08;
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .margin_top(4)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end.max(1e-3), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc("seconds")
        .y_desc(unit)
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 15))
        .draw()?;
    for ((_, points), colour) in lines.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
    }
    Ok(())
}

/// Names the lines in a strip of its own above the chart, where no line runs.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>, lines: &[Line]) -> Result<(), Failed> {
    for (((name, _), colour), column) in lines.iter().zip(COLOURS).zip(0..) {
        let (x, y) = (LEFT + column * COLUMN, 16);
        let style = colour.stroke_width(2);
        area.draw(&PathElement::new([(x, y), (x + 18, y)], style))?;
        let text = ("sans-serif", 14).into_text_style(area);
        area.draw(&Text::new(*name, (x + 24, y - 6), text))?;
    }
    Ok(())
}

fn rates(report: &Report) -> Vec<Line> {
    let step = report.wall / PIECES;
    let mut lines = vec![
        (
            "content packed",
            rate(&report.samples, step, |now| now.bytes_packed),
        ),
        (
            "archive made",
            rate(&report.samples, step, |now| now.bytes_out),
        ),
    ];
    if report.setup.sends {
        let sent = |now: &Snapshot| now.bytes_sent + now.bytes_under_way;
        lines.push(("sent", rate(&report.samples, step, sent)));
    }
    lines
}

/// How fast a counter of bytes grows, in MiB/s, taken over at least `step`.
fn rate(samples: &[Snapshot], step: Duration, of: impl Fn(&Snapshot) -> u64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut last = Snapshot::default();
    for sample in samples {
        let time = sample.at.saturating_sub(last.at);
        if time >= step && !time.is_zero() {
            let bytes = of(sample).saturating_sub(of(&last));
            points.push((sample.at.as_secs_f64(), mib(bytes) / time.as_secs_f64()));
            last = *sample;
        }
    }
    points
}

fn depths(samples: &[Snapshot]) -> Vec<Line> {
    queues()
        .into_iter()
        .map(|(name, of)| {
            let point = |now: &Snapshot| (now.at.as_secs_f64(), of(now) as f64);
            (name, samples.iter().map(point).collect::<Vec<_>>())
        })
        .filter(|(_, points)| points.iter().any(|point| point.1 > 0.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::report;
    use super::*;

    fn samples() -> Vec<Snapshot> {
        (0..101)
            .map(|n| Snapshot {
                at: Duration::from_millis(n * 10),
                bytes_packed: n * (4 << 20),
                bytes_out: n << 20,
                parts_in_flight: n % 3,
                ..Snapshot::default()
            })
            .collect()
    }

    #[test]
    fn a_steady_run_has_a_constant_rate() {
        let rates = rate(&samples(), Duration::from_millis(50), |now| {
            now.bytes_packed
        });
        assert_eq!(rates.len(), 20);
        assert!(
            rates.iter().all(|point| (point.1 - 400.0).abs() < 1e-6),
            "{rates:?}"
        );
    }

    #[test]
    fn a_plot_names_its_lines_and_units() {
        let mut report = report(1.0);
        for samples in [samples(), Vec::new()] {
            report.samples = samples;
            let svg = draw(&report).unwrap();
            for text in ["MiB/s", "seconds", "content packed", "400 MiB/s"] {
                assert!(svg.contains(text), "{text}");
            }
            assert_eq!(svg.contains("parts in flight"), !report.samples.is_empty());
        }
    }

    /// The numbers of an attribute that has several, as `points` has.
    fn numbers(text: &str) -> Vec<f64> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(|word| word.parse().unwrap()).collect()
    }

    fn attribute<'t>(element: &'t str, name: &str) -> &'t str {
        let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap()
    }

    #[test]
    fn no_point_of_a_line_lies_within_the_box_of_a_legend() {
        let mut report = report(1.0);
        report.setup.sends = true;
        // The highest rates come last, where legends usually are.
        report.samples = samples();
        for (n, sample) in (0..).zip(&mut report.samples) {
            sample.bytes_packed = (n * n) << 18;
            sample.bytes_sent = n << 19;
            (sample.tickets, sample.parts_waiting) = (n, n / 2);
        }
        let svg = draw(&report).unwrap();
        let elements: Vec<&str> = svg.split('<').collect();
        let names = ["content packed", "archive made", "sent", "parts in flight"];
        let names = elements.iter().filter(|element| {
            let text = element.split_once('>').map_or("", |(_, text)| text.trim());
            element.starts_with("text") && names.contains(&text)
        });
        // As high as two lines of it, and as wide as any name.
        let boxes: Vec<[f64; 4]> = names
            .map(|text| {
                let of = |name| numbers(attribute(text, name))[0];
                let (x, y) = (of("x"), of("y"));
                [x - 26.0, x + 144.0, y - 14.0, y + 14.0]
            })
            .collect();
        assert_eq!(boxes.len(), 4, "{svg}");
        let mut points = 0;
        for line in elements.iter().filter(|text| text.starts_with("polyline")) {
            let numbers = numbers(attribute(line, "points"));
            // Lines of the mesh, and the legend's own samples, have two points.
            if numbers.len() <= 4 {
                continue;
            }
            for point in numbers.chunks(2) {
                points += 1;
                let is_in = |[left, right, top, bottom]: &[f64; 4]| {
                    (*left..*right).contains(&point[0]) && (*top..*bottom).contains(&point[1])
                };
                assert!(!boxes.iter().any(is_in), "{point:?} lies in {boxes:?}");
            }
        }
        assert!(points > 100, "{points}");
    }
}
