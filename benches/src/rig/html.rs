//! Writes a report as one HTML file with the machine, the table of results, and plots as inline SVG. It loads nothing
//! from elsewhere.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::RigError;
use super::environment::Environment;
use super::histogram::{LatencyHistogram, show_ns};
use super::measurement::{Kind, Measurement};

const COLOURS: [&str; 6] = ["#7f7f7f", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"];
const PLOT_WIDTH: f64 = 760.0;
const PLOT_HEIGHT: f64 = 320.0;
/// Space to the left of and below the axes, for their labels.
const MARGIN: f64 = 60.0;

/// Writes the report to `path`, and each latency distribution as an HdrHistogram log beside it.
///
/// # Errors
///
/// [`RigError::Report`] with the file that could not be written.
pub fn write(
    path: &Path,
    environment: &Environment,
    notes: &[String],
    results: &[Measurement],
) -> Result<(), RigError> {
    fs::write(path, render(environment, notes, results)).map_err(|source| error(path, source))?;
    for result in results {
        if let Some(latencies) = &result.latencies {
            let name = format!("{}-{}-{}.hlog", result.scenario, result.system, result.size);
            write_log(&path.with_file_name(name), result, latencies, environment)?;
        }
    }
    Ok(())
}

fn write_log(
    path: &Path,
    result: &Measurement,
    latencies: &LatencyHistogram,
    environment: &Environment,
) -> Result<(), RigError> {
    let write = || {
        let mut file = std::io::BufWriter::new(fs::File::create(path)?);
        latencies.write_log(&mut file, &result.system, &environment.describe())?;
        file.flush()
    };
    write().map_err(|source| error(path, source))
}

fn error(path: &Path, source: std::io::Error) -> RigError {
    RigError::Report { path: path.to_owned(), source }
}

fn render(environment: &Environment, notes: &[String], results: &[Measurement]) -> String {
    let mut page = String::from(concat!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gannet measurements</title>\n<style>\n",
        "body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }\n",
        "table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd }\n",
        "td { text-align: right; font-variant-numeric: tabular-nums } td:nth-child(-n+3) { text-align: left }\n",
        "svg text { font: 12px system-ui, sans-serif } .note { color: #555 }\n",
        "</style></head><body>\n<h1>Gannet measurements</h1>\n",
    ));
    let _ = writeln!(page, "<p>{}</p>", escape(&environment.describe()));
    for note in notes {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(note));
    }
    table(&mut page, results);
    for (size, group) in groups(results, Kind::Echo) {
        let _ = writeln!(page, "<h2>Round trip, {size} bytes</h2>");
        distribution(&mut page, &group);
    }
    for (size, group) in groups(results, Kind::Throughput) {
        let _ = writeln!(page, "<h2>Throughput, {size} bytes</h2>");
        bars(&mut page, &group);
    }
    page.push_str("</body></html>\n");
    page
}

/// Results of one kind by size, in the order of the run.
fn groups(results: &[Measurement], kind: Kind) -> Vec<(usize, Vec<&Measurement>)> {
    let mut groups: Vec<(usize, Vec<&Measurement>)> = Vec::new();
    for result in results.iter().filter(|result| result.kind == kind) {
        match groups.iter_mut().find(|(size, _)| *size == result.size) {
            Some((_, group)) => group.push(result),
            None => groups.push((result.size, vec![result])),
        }
    }
    groups
}

fn table(page: &mut String, results: &[Measurement]) {
    let latency = |value: Option<u64>| value.map_or_else(String::new, show_ns);
    page.push_str(
        "<table><tr><th>scenario<th>system<th>kind<th>size<th>samples<th>lost<th>p50<th>p99<th>p99.9<th>p99.99<th>max<th>messages/s<th>of the floor</tr>\n",
    );
    for result in results {
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{:?}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            escape(&result.scenario),
            escape(&result.system),
            result.kind,
            result.size,
            result.samples,
            result.lost,
            latency(result.p50_ns),
            latency(result.p99_ns),
            latency(result.p999_ns),
            latency(result.p9999_ns),
            latency(result.max_ns),
            result.msgs_per_s.map_or_else(String::new, |rate| format!("{rate:.0}")),
            result.ratio_to_floor.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        );
    }
    page.push_str("</table>\n");
}

/// Plots latency by quantile, both on logarithmic axes: the nines to the right, the latency upwards.
fn distribution(page: &mut String, group: &[&Measurement]) {
    let curves: Vec<_> = group
        .iter()
        .map(|result| {
            (result.system.as_str(), result.latencies.as_ref().map(LatencyHistogram::curve).unwrap_or_default())
        })
        .collect();
    let values = || curves.iter().flat_map(|(_, curve)| curve).map(|(_, ns)| (*ns).max(1) as f64);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(1.0, f64::max));
    if low > high {
        return;
    }
    let (low, high) = (low.log10().floor(), (high.log10().ceil()).max(low.log10().floor() + 1.0));
    let nines = curves
        .iter()
        .flat_map(|(_, curve)| curve)
        .filter(|(quantile, _)| *quantile < 1.0)
        .map(|(quantile, _)| -(1.0 - quantile).log10())
        .fold(2.0, f64::max)
        .ceil();
    let x = |quantile: f64| MARGIN + (-(1.0 - quantile).max(1e-9).log10()).min(nines) / nines * PLOT_WIDTH;
    let y = |ns: f64| PLOT_HEIGHT + 10.0 - (ns.max(1.0).log10() - low) / (high - low) * PLOT_HEIGHT;

    open_plot(page);
    for power in low as i32..=high as i32 {
        let (value, label) = (10_f64.powi(power), show_ns(10_u64.saturating_pow(power.unsigned_abs())));
        let _ = writeln!(
            page,
            "<line x1=\"{MARGIN}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            MARGIN + PLOT_WIDTH,
            MARGIN - 6.0,
            y(value) + 4.0,
            y = y(value),
        );
    }
    for nine in 0..=nines as i32 {
        let quantile = 1.0 - 10_f64.powi(-nine);
        let label =
            if nine == 0 { "0".to_owned() } else { format!("{:.*}%", (nine - 2).max(0) as usize, quantile * 100.0) };
        let _ = writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
            x(quantile),
            PLOT_HEIGHT + 28.0,
        );
    }
    for (index, (system, curve)) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<_> = curve.iter().map(|(q, ns)| format!("{:.1},{:.1}", x(*q), y(*ns as f64))).collect();
        let _ = writeln!(
            page,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/><text x=\"{:.0}\" y=\"{:.0}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            MARGIN + 12.0,
            28.0 + 18.0 * index as f64,
            escape(system),
        );
    }
    page.push_str("</svg>\n");
}

fn bars(page: &mut String, group: &[&Measurement]) {
    let most = group.iter().filter_map(|result| result.msgs_per_s).fold(1.0, f64::max);
    open_plot(page);
    for (index, result) in group.iter().enumerate() {
        let rate = result.msgs_per_s.unwrap_or(0.0);
        let (top, colour) = (20.0 + 44.0 * index as f64, COLOURS[index % COLOURS.len()]);
        let _ = writeln!(
            page,
            "<rect x=\"{MARGIN}\" y=\"{top:.0}\" width=\"{:.1}\" height=\"24\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{:.0}\">{}: {:.2} million messages/s</text>",
            rate / most * (PLOT_WIDTH - 20.0),
            MARGIN + 4.0,
            top + 38.0,
            escape(&result.system),
            rate / 1e6,
        );
    }
    page.push_str("</svg>\n");
}

fn open_plot(page: &mut String) {
    let (width, height) = (PLOT_WIDTH + MARGIN + 40.0, PLOT_HEIGHT + 40.0);
    let _ = writeln!(page, "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    fn results() -> Vec<Measurement> {
        let mut latencies = LatencyHistogram::default();
        (1..10_000).for_each(|index| latencies.record(200 + index % 300));
        vec![
            Measurement::echo("ipc", "floor", 32, 1000, latencies.clone(), 0),
            Measurement::echo("ipc", "a<b", 32, 1000, latencies, 0),
            Measurement::throughput("ipc", "floor", 1024, 1, 0, 5e6),
        ]
    }

    #[test]
    fn the_report_stands_alone_and_has_a_log_for_each_distribution() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("report.html");
        let environment = Environment::read(Cores { near: None, far: None });
        write(&path, &environment, &["a note".to_owned()], &results()).expect("there is room");
        let page = fs::read_to_string(&path).expect("just written");
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<polyline").count(), 2);
        assert!(page.contains("a&lt;b") && !page.contains("a<b"));
        assert!(!page.contains("http") && !page.contains("src="), "nothing is loaded");
        assert!(directory.path().join("ipc-floor-32.hlog").exists());
    }

    #[test]
    fn an_empty_distribution_draws_nothing() {
        let environment = Environment::read(Cores { near: None, far: None });
        let empty = Measurement::echo("ipc", "gannet", 32, 1000, LatencyHistogram::default(), 10);
        assert!(!render(&environment, &[], &[empty]).contains("polyline"));
    }
}
