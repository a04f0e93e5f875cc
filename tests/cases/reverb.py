"""SciPy's answers for tests/reverb.rs.

    python tests/cases/reverb.py                    writes reverb.safetensors
    python tests/cases/reverb.py compare DATA OUT   compares what the test wrote to OUT

The test `every_sound_in_every_room` takes the sounds of DATA/speech and DATA/dry-sounds through every response of
DATA/rir, resampled to the sound's rate where that is another, and writes the result of each pair as f64. The comparison
is with the same in SciPy, all in float64: the largest difference relative to the root mean square of SciPy's result.
"""

import pathlib
import sys
from math import gcd

import numpy as np
from safetensors.numpy import save_file
from scipy.io import wavfile
from scipy.signal import fftconvolve, resample_poly


def through(x, h):
    """Channels through channels, as faltung::audio::Reverb documents it."""
    x, h = x.astype(np.float64), h.astype(np.float64)
    if len(h) == 4 and len(x) <= 2:
        left, right = x[0], x[-1]
        pairs = [[(left, h[0]), (right, h[2])], [(left, h[1]), (right, h[3])]]
    elif len(h) == 1:
        pairs = [[(c, h[0])] for c in x]
    elif len(x) == 1:
        pairs = [[(x[0], c)] for c in h]
    else:
        pairs = [[pair] for pair in zip(x, h, strict=True)]
    return np.array([sum(fftconvolve(a, b) for a, b in channel) for channel in pairs])


def table():
    random = np.random.default_rng(7)
    signal = lambda *shape: random.uniform(-1, 1, shape).astype(np.float32)
    tensors = {}
    for sound, response in [(1, 1), (3, 1), (1, 2), (2, 2), (1, 4), (2, 4), (4, 4), (1, 3), (3, 3)]:
        x, h = signal(sound, 400), signal(response, 90)
        name = f"{sound}.{response}"
        tensors |= {f"{name}.x": x, f"{name}.h": h, f"{name}.y": through(x, h)}
    save_file(tensors, pathlib.Path(__file__).with_name("reverb.safetensors"))


def read(path):
    rate, x = wavfile.read(path)
    assert x.dtype == np.int16
    return rate, (np.atleast_2d(x.T) / 32768).astype(np.float32)


def compare(data, out):
    worst, pairs = (0.0, ""), 0
    for source in sorted([*(data / "speech").glob("*.wav"), *(data / "dry-sounds").glob("*.wav")]):
        rate, x = read(source)
        for response in sorted((data / "rir").glob("*.wav")):
            name = f"{source.stem}__{response.stem}"
            own, h = read(response)
            if own != rate:
                common = gcd(own, rate)
                # As loud at the other rate.
                h = resample_poly(h.astype(np.float64), rate // common, own // common, axis=1) * (own / rate)
            expected = through(x, h)
            given = np.fromfile(out / f"{name}.f64", np.float64).reshape(expected.shape)
            error = np.abs(given - expected).max() / np.sqrt(np.mean(expected**2))
            worst = max(worst, (error, name))
            pairs += 1
    print(f"{pairs} pairs, at most {worst[0]:.2e} of the RMS, for {worst[1]}")
    assert pairs > 100 and worst[0] <= 1e-6


if len(sys.argv) == 1:
    table()
else:
    compare(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
