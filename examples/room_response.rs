//! Writes the impulse response of a room, by the image-source method of Allen and Berkley, "Image method for
//! efficiently simulating small-room acoustics", J. Acoust. Soc. Am. 65 (1979):
//!
//! ```sh
//! cargo run --release --example room_response data/room.wav
//! ```
//!
//! Every reflection in a wall is a source behind it, so the response is a sum of delayed and attenuated pulses, one
//! an image. Pulses are band-limited (Peterson 1986), so that delays need not be whole samples, and images are moved
//! by up to 8 cm (De Sena et al. 2015), since the perfectly regular lattice of a perfect box is heard as a sweep.

use std::f64::consts::PI;
use std::io::Write;

/// Samples a second.
const RATE: f64 = 44_100.0;
/// Samples of the response.
const LENGTH: usize = 44_100;
/// Metres a second.
const SOUND: f64 = 343.0;
/// Metres.
const ROOM: [f64; 3] = [9.2, 6.8, 3.9];
const SOURCE: [f64; 3] = [2.1, 2.7, 1.6];
const MICROPHONE: [f64; 3] = [6.4, 4.3, 1.4];
/// What a pair of walls leaves of a sound's pressure: of x, y and (a carpet, a ceiling) z.
const REFLECTION: [f64; 3] = [0.90, 0.92, 0.82];
/// Metres by which images are moved at the most, along each axis.
const JITTER: f64 = 0.08;
const SEED: u64 = 1979;
/// Samples on either side of a pulse's centre.
const HALF_PULSE: isize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: room_response FILE.wav")?;
    let mut response = vec![0.0; LENGTH];
    let reach = SOUND * LENGTH as f64 / RATE;
    let orders = ROOM.map(|extent| (reach / (2.0 * extent)).ceil() as i64);
    let mut random = Random(SEED);
    for nx in -orders[0]..=orders[0] {
        for ny in -orders[1]..=orders[1] {
            for nz in -orders[2]..=orders[2] {
                for mirrored in 0..8 {
                    add_image([nx, ny, nz], mirrored, &mut random, &mut response);
                }
            }
        }
    }
    high_pass(&mut response);
    let peak = response.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    let samples: Vec<i16> = response.iter().map(|v| (v / peak * 0.9 * 32767.0).round() as i16).collect();
    write_wav(&path, &samples)?;
    Ok(())
}

/// Adds the pulse of the image in cell `n` of the lattice of rooms, mirrored along the axes whose bit is set.
fn add_image(n: [i64; 3], mirrored: u8, random: &mut Random, response: &mut [f64]) {
    let (mut squared, mut gain) = (0.0, 1.0);
    let direct = n == [0; 3] && mirrored == 0;
    for axis in 0..3 {
        let flip = i64::from(mirrored >> axis & 1);
        let image = (1 - 2 * flip) as f64 * SOURCE[axis] + 2.0 * n[axis] as f64 * ROOM[axis];
        let moved = if direct { 0.0 } else { JITTER * random.next() };
        squared += (image + moved - MICROPHONE[axis]).powi(2);
        gain *= REFLECTION[axis].powi(((n[axis] - flip).abs() + n[axis].abs()) as i32);
    }
    let distance = squared.sqrt();
    let delay = distance / SOUND * RATE;
    let amplitude = gain / (4.0 * PI * distance);
    let centre = delay.round() as isize;
    for i in (centre - HALF_PULSE).max(0)..(centre + HALF_PULSE + 1).min(response.len() as isize) {
        let t = i as f64 - delay;
        let window = 0.5 + 0.5 * (PI * t / (HALF_PULSE as f64 + 1.0)).cos();
        response[i as usize] += amplitude * window * sinc(0.9 * t);
    }
}

fn sinc(t: f64) -> f64 {
    if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// Takes away the offset that a sum of positive pulses has: Allen and Berkley's two-pole filter, here at 50 Hz.
fn high_pass(response: &mut [f64]) {
    let w = 2.0 * PI * 50.0 / RATE;
    let r = (-w).exp();
    let (b1, b2) = (2.0 * r * w.cos(), -r * r);
    let (a1, a2) = (-(1.0 + r), r);
    let (mut y1, mut y2) = (0.0, 0.0);
    for v in response {
        let y0 = b1 * y1 + b2 * y2 + *v;
        *v = y0 + a1 * y1 + a2 * y2;
        (y1, y2) = (y0, y1);
    }
}

/// Uniform numbers from -1 to 1 (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Writes one channel of 16-bit samples.
fn write_wav(path: &str, samples: &[i16]) -> std::io::Result<()> {
    let (rate, bytes) = (RATE as u32, 2 * samples.len() as u32);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(b"RIFF")?;
    file.write_all(&(36 + bytes).to_le_bytes())?;
    file.write_all(b"WAVEfmt ")?;
    file.write_all(&16u32.to_le_bytes())?;
    // PCM, one channel; the rate, bytes a second, bytes and bits a sample.
    for half in [1u16, 1] {
        file.write_all(&half.to_le_bytes())?;
    }
    for word in [rate, 2 * rate] {
        file.write_all(&word.to_le_bytes())?;
    }
    for half in [2u16, 16] {
        file.write_all(&half.to_le_bytes())?;
    }
    file.write_all(b"data")?;
    file.write_all(&bytes.to_le_bytes())?;
    samples.iter().try_for_each(|s| file.write_all(&s.to_le_bytes()))?;
    file.flush()
}
