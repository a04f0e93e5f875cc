"""Writes wav.json: what SciPy reads in the WAV files of hound's and SciPy's own tests.

    python tests/cases/wav.py FOLDER

FOLDER holds hound's `testsamples` as `hound/` and those of `scipy/io/tests/data` as `scipy/`. A file is told by its
rate, its shape, its first samples and a sum over all of them; SciPy's answer is left out where the format is one that
faltung refuses.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
from scipy.io import wavfile

REFUSED = [
    "crash-", "oom-",  # hound's fuzzer
    "-be", "-rf64", "64bit", "36bit", "45bit", "53bit", "20bit", "12bit", "5bit", "ulaw",
    "early-eof", "incomplete-chunk", "inconsistent",
]
# 24 bits in four bytes after the plain PCM header: SciPy takes the highest bits, arecord writes the lowest.
LOWEST = "pcmwaveformat-24bit-4byte-48kHz-stereo.wav"


def scaled(name, x):
    if x.dtype == np.uint8:
        return (x.astype(np.float64) - 128) / 128
    if x.dtype.kind == "i":
        if name == LOWEST:
            x = (x << 8).astype(np.int32)
        return x / 2.0 ** (8 * x.dtype.itemsize - 1)
    return x.astype(np.float64)


folder = pathlib.Path(sys.argv[1])
table = {}
warnings.simplefilter("ignore")
for path in sorted(folder.rglob("*.wav")):
    key = str(path.relative_to(folder))
    if any(part in path.name for part in REFUSED):
        table[key] = None
        continue
    rate, x = wavfile.read(path)
    x = scaled(path.name, x).astype(np.float32).reshape(len(x), -1)
    flat = x.ravel().astype(np.float64)
    weights = np.arange(len(flat)) % 97 + 1
    table[key] = {
        "rate": rate,
        "frames": x.shape[0],
        "channels": x.shape[1],
        "first": flat[:8].tolist(),
        "sum": float(np.dot(flat, weights)),
    }
target = pathlib.Path(__file__).with_name("wav.json")
target.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()) + "\n}\n")
