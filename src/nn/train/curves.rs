//! A picture of the curves.

use std::io::Write;
use std::path::PathBuf;

use plotters::prelude::*;

use super::{Callback, Epoch, Flow, Metrics, Outline};
use crate::error::{Error, Result};
use crate::file;
use crate::nn::{Float, Network};

/// Draws loss and accuracy over the epochs, of training and validation, as SVG, anew behind each epoch.
///
/// ```
/// use faltung::nn::Curves;
/// let curves = Curves::new("training.svg");
/// ```
#[derive(Clone, Debug)]
pub struct Curves {
    path: PathBuf,
    history: Vec<Epoch>,
}

const SIZE: (u32, u32) = (900, 380);
// Two of the palette of Okabe and Ito, "Color universal design" (2008), which colour-blind readers can tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const FONT: (&str, u32) = ("sans-serif", 15);

/// A curve: its name, its colour and its points.
type Curve = (&'static str, RGBColor, Vec<(f64, f64)>);

impl Curves {
    /// A picture in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), history: Vec::new() }
    }

    fn draw(&self) -> Result<()> {
        let mut svg = String::new();
        panels(&mut svg, &self.history).map_err(|e| Error::other("drawing curves", e))?;
        file::replace(&self.path, |file| {
            file.write_all(svg.as_bytes()).map_err(|e| Error::other(format!("writing {}", self.path.display()), e))
        })
    }
}

fn panels(svg: &mut String, history: &[Epoch]) -> std::result::Result<(), String> {
    let of = |value: &dyn Fn(&Metrics) -> Option<f64>| -> Vec<Curve> {
        let points = |metrics: &dyn Fn(&Epoch) -> Option<f64>| {
            let point = |epoch: &Epoch| Some((epoch.number as f64, metrics(epoch).filter(|v| v.is_finite())?));
            history.iter().filter_map(point).collect::<Vec<_>>()
        };
        let training = points(&|epoch| value(&epoch.training));
        let validation = points(&|epoch| epoch.validation.as_ref().and_then(value));
        vec![("training", BLUE, training), ("validation", ORANGE, validation)]
    };
    let loss = of(&|metrics| Some(metrics.loss()));
    let accuracy = of(&|metrics| metrics.accuracy().map(|a| 100.0 * a));
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|e| e.to_string())?;
    if accuracy.iter().all(|(_, _, points)| points.is_empty()) {
        panel(&area, "loss", &loss)?;
    } else {
        let (left, right) = area.split_horizontally(SIZE.0 / 2);
        panel(&left, "loss", &loss)?;
        panel(&right, "accuracy in %", &accuracy)?;
    }
    area.present().map_err(|e| e.to_string())?;
    Ok(())
}

fn panel<'a>(
    area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    title: &str,
    curves: &[Curve],
) -> std::result::Result<(), String> {
    let all = || curves.iter().flat_map(|(_, _, points)| points.iter());
    let last = all().fold(2.0, |most: f64, &(x, _)| most.max(x));
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &(_, y)| (l.min(y), h.max(y)));
    let margin = ((high - low) * 0.08).max(high.abs() * 1e-3).max(1e-6);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(title, ("sans-serif", 18))
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)
        .map_err(|e| e.to_string())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc("epoch")
        .x_labels(10)
        .x_label_formatter(&|x| if x.fract() == 0.0 { format!("{x}") } else { String::new() })
        .label_style(FONT)
        .draw()
        .map_err(|e| e.to_string())?;
    for (name, colour, points) in curves.iter().filter(|(_, _, points)| !points.is_empty()) {
        let (colour, style) = (*colour, colour.stroke_width(2));
        let series = LineSeries::new(points.iter().copied(), style).point_size(3);
        chart
            .draw_series(series)
            .map_err(|e| e.to_string())?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    let legend = chart.configure_series_labels().label_font(FONT).border_style(TRANSPARENT).draw();
    legend.map_err(|e| e.to_string())
}

impl<T: Float> Callback<T> for Curves {
    fn started(&mut self, outline: &Outline) -> Result<()> {
        self.history = outline.history.clone();
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch, _: &mut Network<T>) -> Result<Flow> {
        self.history.push(epoch.clone());
        self.draw()?;
        Ok(Flow::Continue)
    }
}
