//! What all pictures share: the palette, panels with axes, cells with numbers, legends.
//!
//! Pictures are drawn some two times as large as they are shown, since the SVG backend rounds to whole pixels.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub type Done<T = ()> = Result<T, Box<dyn Error>>;
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

// The palette of Okabe and Ito, "Color universal design" (2008), which colour-blind readers can tell apart.
pub const INK: RGBColor = RGBColor(34, 34, 34);
pub const GREY: RGBColor = RGBColor(150, 150, 150);
pub const PALE: RGBColor = RGBColor(232, 232, 232);
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const RED: RGBColor = RGBColor(213, 94, 0);
pub const SKY: RGBColor = RGBColor(86, 180, 233);
pub const PURPLE: RGBColor = RGBColor(204, 121, 167);

/// The size of running text, in pixels of the drawing.
const TEXT: i32 = 34;

/// Draws one SVG file on white.
pub fn figure(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Done) -> Done {
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    draw(&area)?;
    Ok(area.present()?)
}

fn style(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(h, v))
}

/// Text centred on a point.
pub fn centred(area: &Area<'_>, at: (i32, i32), text: &str, colour: RGBColor) -> Done {
    Ok(area.draw_text(text, &style(TEXT, colour, HPos::Center, VPos::Center), at)?)
}

/// Text that begins at a point, at half its height.
pub fn text(area: &Area<'_>, at: (i32, i32), text: &str, colour: RGBColor) -> Done {
    Ok(area.draw_text(text, &style(TEXT, colour, HPos::Left, VPos::Center), at)?)
}

/// A title at the top left of an area.
pub fn title(area: &Area<'_>, text: &str) -> Done {
    let style = style(TEXT + 4, INK, HPos::Left, VPos::Top);
    let bold = TextStyle { font: style.font.style(FontStyle::Bold), ..style };
    Ok(area.draw_text(text, &bold, (20, 16))?)
}

/// Coloured squares with names, in a line from a point on.
pub fn legend(area: &Area<'_>, at: (i32, i32), entries: &[(&str, RGBColor)]) -> Done {
    let mut x = at.0;
    for (name, colour) in entries {
        area.draw(&Rectangle::new([(x, at.1 - 11), (x + 22, at.1 + 11)], colour.filled()))?;
        text(area, (x + 32, at.1), name, INK)?;
        // Some half the size is the mean width of a letter.
        x += 32 + name.chars().count() as i32 * TEXT * 45 / 100 + 44;
    }
    Ok(())
}

/// How a number is written.
type Write = fn(f64) -> String;

/// Axes with a title and labels.
pub struct Axes<'t> {
    pub title: &'t str,
    pub x: (&'t str, Range<f64>),
    pub y: (&'t str, Range<f64>),
    /// The number of labels that are sought on each axis.
    pub ticks: (usize, usize),
    /// How numbers are written on each axis.
    pub numbers: (Write, Write),
}

impl<'t> Axes<'t> {
    pub fn new(title: &'t str, x: (&'t str, Range<f64>), y: (&'t str, Range<f64>)) -> Self {
        Self { title, x, y, ticks: (10, 5), numbers: (plain, plain) }
    }

    /// Draws them; series are added to what is returned.
    pub fn draw<'a, 'b>(self, area: &'a Area<'b>) -> Done<Chart<'a, 'b>> {
        title(area, self.title)?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(72)
            .margin_right(48)
            .margin_bottom(10)
            .margin_left(14)
            .x_label_area_size(if self.x.0.is_empty() { 56 } else { 96 })
            .y_label_area_size(if self.y.0.is_empty() { 100 } else { 140 })
            .build_cartesian_2d(self.x.1, self.y.1)?;
        let (x, y) = self.numbers;
        chart
            .configure_mesh()
            .x_labels(self.ticks.0)
            .y_labels(self.ticks.1)
            .max_light_lines(1)
            .light_line_style(TRANSPARENT)
            .bold_line_style(PALE)
            .axis_style(INK.stroke_width(2))
            .label_style(("sans-serif", TEXT - 4).into_font().color(&INK))
            .axis_desc_style(("sans-serif", TEXT).into_font().color(&INK))
            .x_label_formatter(&move |v| x(*v))
            .y_label_formatter(&move |v| y(*v))
            .x_desc(self.x.0)
            .y_desc(self.y.0)
            .draw()?;
        Ok(chart)
    }
}

/// A number without needless digits, with a proper minus sign.
pub fn plain(v: f64) -> String {
    let rounded = (v * 1e6).round() / 1e6;
    let text = format!("{}", if rounded == 0.0 { 0.0 } else { rounded });
    text.replace('-', "−")
}

/// A number to the base 2, on an axis of logarithms.
pub fn power_of_two(v: f64) -> String {
    plain(v.exp2())
}

/// A number to the base 10, on an axis of logarithms.
pub fn power_of_ten(v: f64) -> String {
    format!("1e{}", plain(v))
}

pub fn line(chart: &mut Chart<'_, '_>, points: impl IntoIterator<Item = (f64, f64)>, colour: RGBColor) -> Done {
    chart.draw_series(LineSeries::new(points, colour.stroke_width(4)))?;
    Ok(())
}

pub fn dots(chart: &mut Chart<'_, '_>, points: impl IntoIterator<Item = (f64, f64)>, colour: RGBColor) -> Done {
    chart.draw_series(points.into_iter().map(|at| Circle::new(at, 8, colour.filled())))?;
    Ok(())
}

/// Circles around points that may hide others.
pub fn rings(chart: &mut Chart<'_, '_>, points: impl IntoIterator<Item = (f64, f64)>, colour: RGBColor) -> Done {
    chart.draw_series(points.into_iter().map(|at| Circle::new(at, 15, colour.stroke_width(4))))?;
    Ok(())
}

/// Samples as dots on stems from zero.
pub fn stems(chart: &mut Chart<'_, '_>, points: impl IntoIterator<Item = (f64, f64)>, colour: RGBColor) -> Done {
    let points: Vec<_> = points.into_iter().collect();
    chart.draw_series(points.iter().map(|&(x, y)| PathElement::new([(x, 0.0), (x, y)], colour.stroke_width(4))))?;
    dots(chart, points, colour)
}

/// A long signal as the area between its least and its largest value in each of `columns` equal parts.
pub fn envelope(chart: &mut Chart<'_, '_>, signal: &[f32], seconds: f64, columns: usize, colour: RGBColor) -> Done {
    let part = signal.len().div_ceil(columns);
    let at = |i: usize| (i as f64 + 0.5) * part as f64 * seconds / signal.len() as f64;
    let bound = |fold: fn(f32, f32) -> f32| {
        signal.chunks(part).enumerate().map(move |(i, c)| (at(i), f64::from(c.iter().copied().fold(0.0, fold))))
    };
    let mut outline: Vec<_> = bound(f32::max).collect();
    let below: Vec<_> = bound(f32::min).collect();
    outline.extend(below.into_iter().rev());
    chart.draw_series(std::iter::once(Polygon::new(outline, colour.filled())))?;
    Ok(())
}

/// One cell with a text, filled with a colour, in which the text is written so that it can be read.
pub fn cell(area: &Area<'_>, at: (i32, i32), size: (i32, i32), label: &str, fill: RGBColor) -> Done {
    let corners = [at, (at.0 + size.0, at.1 + size.1)];
    area.draw(&Rectangle::new(corners, fill.filled()))?;
    area.draw(&Rectangle::new(corners, WHITE))?;
    let luminance = 0.30 * f64::from(fill.0) + 0.59 * f64::from(fill.1) + 0.11 * f64::from(fill.2);
    let ink = if luminance < 130.0 { WHITE } else { INK };
    centred(area, (at.0 + size.0 / 2, at.1 + size.1 / 2), label, ink)
}

/// A matrix of numbers as cells, each coloured by its value; `most` is the value of the full colour.
pub fn matrix(area: &Area<'_>, at: (i32, i32), size: i32, values: &[Vec<f64>], most: f64) -> Done {
    for (i, row) in values.iter().enumerate() {
        for (j, &v) in row.iter().enumerate() {
            let corner = (at.0 + j as i32 * size, at.1 + i as i32 * size);
            cell(area, corner, (size, size), &plain(v), diverging(v / most))?;
        }
    }
    Ok(())
}

/// The rows of an array.
pub fn rows<T: Copy + Into<f64>>(array: &faltung::ndarray::Array2<T>) -> Vec<Vec<f64>> {
    array.outer_iter().map(|row| row.iter().map(|&v| v.into()).collect()).collect()
}

/// Vermilion for -1, white-grey for 0, blue for 1.
pub fn diverging(v: f64) -> RGBColor {
    let (end, amount) = if v < 0.0 { (RED, -v) } else { (BLUE, v) };
    let amount = amount.clamp(0.0, 1.0);
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * amount).round() as u8;
    RGBColor(mix(PALE.0, end.0), mix(PALE.1, end.1), mix(PALE.2, end.2))
}

/// A frame around cells.
pub fn frame(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Done {
    // The backend draws rectangles with the thinnest of lines, whatever the style.
    let corners = [from, (to.0, from.1), to, (from.0, to.1), from, (to.0, from.1)];
    Ok(area.draw(&PathElement::new(corners, colour.stroke_width(8)))?)
}

/// A straight line between two points.
pub fn rule(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor, width: u32) -> Done {
    Ok(area.draw(&PathElement::new([from, to], colour.stroke_width(width)))?)
}
