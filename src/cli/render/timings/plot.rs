//! A plot of a run over time: rates above, queues below.

use std::path::Path;
use std::time::Duration;

use hoist::error::shown;
use hoist::progress::Snapshot;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::Report;
use super::table::queues;

const SIZE: (u32, u32) = (1000, 640);
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
            "hoist: level {}, {} threads on {} cores, {:.2} s, {:.0} MB/s",
            report.setup.level,
            report.setup.threads,
            report.cores,
            report.wall.as_secs_f64(),
            report.rate()
        );
        let area = area.titled(&title, ("sans-serif", 22))?;
        let (above, below) = area.split_vertically(SIZE.1 * 11 / 20);
        let end = report.wall.as_secs_f64();
        panel(&above, "MB/s", end, &rates(report))?;
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
    let points = lines.iter().flat_map(|(_, points)| points);
    let top = points.fold(1.0, |top: f64, point| top.max(point.1)) * 1.08;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
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
    // Colours that color-blind people can tell apart (Okabe and Ito).
    const COLOURS: [RGBColor; 4] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
    ];
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 14))
        .draw()?;
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
        lines.push(("sent", rate(&report.samples, step, |now| now.bytes_sent)));
    }
    lines
}

/// How fast a counter of bytes grows, in MB/s, taken over at least `step`.
fn rate(samples: &[Snapshot], step: Duration, of: impl Fn(&Snapshot) -> u64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut last = Snapshot::default();
    for sample in samples {
        let time = sample.at.saturating_sub(last.at);
        if time >= step && !time.is_zero() {
            let bytes = of(sample).saturating_sub(of(&last));
            points.push((
                sample.at.as_secs_f64(),
                bytes as f64 / 1e6 / time.as_secs_f64(),
            ));
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
                bytes_packed: n * 4_000_000,
                bytes_out: n * 1_000_000,
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
            for text in ["MB/s", "seconds", "content packed", "400 MB/s"] {
                assert!(svg.contains(text), "{text}");
            }
            assert_eq!(svg.contains("parts in flight"), !report.samples.is_empty());
        }
    }
}
