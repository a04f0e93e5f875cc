"""Writes signals.safetensors: what scipy.signal answers for windows, designs, responses and changes of rate.

    python signals.py              # needs numpy, scipy, safetensors

All numbers lie in the tensor `values`. The metadata entry `cases` is a JSON list: each case has its kind, its
parameters and its arrays, as [first value, shape, 1 for pairs of (real, imaginary) or 0].
"""
import itertools, json, math, pathlib
from fractions import Fraction
import numpy as np, scipy.signal as ss
from safetensors.numpy import save_file

rng = np.random.default_rng(1)
values, cases, places = [], [], {}


def store(a):
    a = np.asarray(a)
    flat = np.stack([a.real, a.imag], -1) if np.iscomplexobj(a) else a
    flat = np.ascontiguousarray(flat, np.float64).ravel()
    at = places.setdefault(flat.tobytes(), len(values))
    if at == len(values):
        values.extend(flat)
    return [at, list(a.shape), int(np.iscomplexobj(a))]


def add(kind, y, **more):
    cases.append({"kind": kind, "y": store(y), **more})


PLAIN = ("boxcar triang bartlett barthann hann hamming blackman blackmanharris nuttall flattop bohman parzen cosine "
         "lanczos").split()
WITH = [("general_hamming", 0.7), ("tukey", 0.5), ("tukey", 0.0), ("tukey", 1.0), ("tukey", 0.13), ("kaiser", 0.0),
        ("kaiser", 5.0), ("kaiser", 8.6), ("kaiser", 40.0), ("kaiser", 600.0), ("gaussian", 2.5),
        ("general_gaussian", 1.5, 3.0), ("exponential", None, 3.0), ("chebwin", 60.0), ("chebwin", 100.0),
        ("taylor", 4, 30), ("taylor", 6, 50)]
for n, sym in itertools.product((1, 2, 3, 8, 21), (True, False)):
    for w in [(name,) for name in PLAIN] + WITH:
        if w[0] == "tukey" and n == 2:
            continue  # SciPy puts three pieces together that overlap
        written = w[0] + (":" + ",".join(str(p) for p in w[1:] if p is not None) if len(w) > 1 else "")
        add("window", ss.get_window(w, n, fftbins=not sym), window=written, n=n, symmetric=sym)

for ripple, width in itertools.product((8.5, 20.5, 21.5, 40, 49.9, 60, 96.5), (0.011, 0.1, 0.48)):
    n, beta = ss.kaiserord(ripple, width)
    add("kaiserord", [n, beta, ss.kaiser_atten(n, width), ss.kaiser_beta(ripple)], ripple=ripple, width=width)

WINDOWS = [("hamming", "hamming"), ("kaiser:8.6", ("kaiser", 8.6)), ("boxcar", "boxcar"), ("blackman", "blackman")]
BANDS = [[0.3], [0.02], [0.25, 0.6], [0.1, 0.11], [0.1, 0.3, 0.7], [0.1, 0.3, 0.5, 0.9]]
for i, (n, cutoff, zero, scale) in enumerate(itertools.product((1, 2, 5, 24, 51), BANDS, (True, False), (True, False))):
    if ((len(cutoff) % 2 == 0) == zero) and n % 2 == 0 or (n < 3 and len(cutoff) > 1):
        continue
    written, theirs = WINDOWS[i % 4]
    fs = [None, 44100.0, 1.0][i % 3]
    cutoff = [c * fs / 2 for c in cutoff] if fs else cutoff
    h = ss.firwin(n, cutoff, window=theirs, pass_zero=zero, scale=scale, fs=fs)
    add("firwin", h, numtaps=n, cutoff=cutoff, pass_zero=zero, window=written, scale=scale, fs=fs)

RESPONSES = [([0, 0.5, 1], [1, 1, 0], (1, 2)), ([0, 0.5, 0.5, 1], [1, 1, 0, 0], (1, 2)), ([0, 1], [1, 1], (1,)),
             ([0, 0.2, 0.4, 0.9, 1], [0, 1, 0.5, 2, 0], (1, 2, 3, 4)), ([0, 1], [0, 1], (1, 4)),
             ([0, 0.3, 0.3, 0.6, 0.6, 1], [0, 0, 1, 1, 0, 0], (1, 2, 3, 4))]
for i, ((freq, gain, kinds), n) in enumerate(itertools.product(RESPONSES, (1, 2, 7, 16, 33, 60))):
    for kind in kinds:
        if (kind in (1, 3)) != (n % 2 == 1):
            continue
        fs = [None, 8000.0][i % 2]
        nfreqs = [None, n + 1 + 7 * i % 40, None][i % 3]
        written, theirs = WINDOWS[i % 4]
        f = [v * fs / 2 for v in freq] if fs else freq
        h = ss.firwin2(n, f, gain, nfreqs=nfreqs, window=theirs, antisymmetric=kind > 2, fs=fs)
        add("firwin2", h, numtaps=n, freq=f, gain=gain, nfreqs=nfreqs, window=written, antisymmetric=kind > 2, fs=fs)



def savgol(n, order, deriv, delta):
    """In rational numbers: SciPy's own solution of the badly conditioned equations has 7 digits at n = 101."""
    x = [Fraction(n - 1, 2) - i for i in range(n)]
    rows = [[sum(v ** (i + j) for v in x) for j in range(order + 1)] + [Fraction(int(i == deriv))] for i in range(order + 1)]
    for i in range(order + 1):
        pivot = next(r for r in range(i, order + 1) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(order + 1):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i])]
    scale = math.factorial(deriv) / Fraction(delta) ** deriv
    h = [float(scale * sum(row[-1] * v ** k for k, row in enumerate(rows))) for v in x]
    assert np.allclose(h, ss.savgol_coeffs(n, order, deriv, delta), atol=1e-7)
    return h


for n, order, deriv, delta in [(5, 2, 0, 1), (11, 3, 0, 1), (11, 3, 1, 0.5), (12, 4, 2, 2), (101, 6, 0, 1), (7, 6, 3, 1)]:
    add("savgol", savgol(n, order, deriv, delta), numtaps=n, order=order, deriv=deriv, delta=delta)

for n in (1, 2, 9, 32):
    h = rng.standard_normal(n)
    for points, whole, nyquist, fs in itertools.product((1, 2, 7, 12), (False, True), (False, True), (None, 48000.0)):
        if fs and points == 7:
            continue
        more = dict(h=store(h), points=points, whole=whole, include_nyquist=nyquist, fs=fs)
        w, y = ss.freqz(h, worN=points, whole=whole, include_nyquist=nyquist, fs=2.0 if fs is None else fs)
        add("freqz", y, w=store(w), **more)
    at = np.array([0, 0.1, 0.37, 0.9, 1.0, 1.7])
    w, y = ss.freqz(h, worN=at, fs=2.0)
    add("freqz_at", y, h=store(h), at=store(at), fs=None)
    w, y = ss.group_delay((h, [1.0]), w=at[1:4], fs=2.0)
    add("group_delay", y, h=store(h), at=store(at[1:4]), fs=None)

MODES = ["constant", "symmetric", "reflect", "edge", "wrap", "line", "smooth", "antisymmetric", "antireflect"]
RATES = [(1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (7, 5), (5, 7), (4, 6), (6, 4), (16, 15), (1, 40), (40, 1), (160, 147)]
for i, ((up, down), n, taps) in enumerate(itertools.product(RATES, (1, 2, 5, 30), (1, 4, 13, 40))):
    x, h = rng.standard_normal(n).round(3), rng.standard_normal(taps).round(3)
    if up * n > 300 and taps > 4 or i % 3 == 1:
        continue
    mode = MODES[i % 9] if n > 1 else "constant"  # of one sample SciPy's other modes have no continuation
    add("upfirdn", ss.upfirdn(h, x, up, down, mode=mode), x=store(x), h=store(h), up=up, down=down, axis=0, mode=mode)
for up, down, axis in [(3, 2, 0), (2, 3, 1), (5, 3, 2), (1, 3, 1), (2, 1, 0), (11, 10, 2)]:
    x, h = rng.standard_normal((4, 6, 5)).round(3), rng.standard_normal(9).round(3)
    x = x + 1j * x[::-1] if axis == 2 else x
    y = ss.upfirdn(h, x, up, down, axis)
    add("upfirdn", y, x=store(x), h=store(h), up=up, down=down, axis=axis, mode="constant")

for i, ((up, down), n) in enumerate(itertools.product(RATES + [(48000, 44100), (101, 100), (10, 12)], (1, 2, 9, 50))):
    x = rng.standard_normal(n).round(3) + 2
    padtype = (MODES + ["mean", "median", "minimum", "maximum"])[i % 13] if n > 1 else "constant"
    if padtype in ("symmetric", "reflect", "antisymmetric", "antireflect") and n < 4:
        padtype = "line"
    window = [("kaiser:5", ("kaiser", 5.0)), ("hann", "hann")][i % 2]
    y = ss.resample_poly(x, up, down, window=window[1], padtype=padtype)
    add("resample_poly", y, x=store(x), up=up, down=down, axis=0, window=window[0], padtype=padtype)
for taps, up, down in [(31, 3, 2), (32, 3, 2), (5, 1, 7), (101, 7, 4)]:
    x, h = rng.standard_normal((3, 40)).round(3), ss.firwin(taps, 0.2)
    add("resample_poly", ss.resample_poly(x, up, down, axis=1, window=h), x=store(x), up=up, down=down, axis=1, h=store(h), padtype="constant")

for n, m, mode in itertools.product((1, 2, 5, 8), (1, 2, 3, 8, 11), ("full", "same", "valid")):
    if mode == "same" and n % 2 and m % 2 == 0:
        continue  # SciPy 1.17's lags are not those of its own correlate here
    add("lags", ss.correlation_lags(n, m, mode), n1=n, n2=m, mode=mode)

for taps, n, axis in [(5, 40, 0), (8, 60, 1), (3, 10, 0), (31, 200, 0)]:
    h = rng.standard_normal(taps)
    x = rng.standard_normal((n, 2) if axis == 0 else (2, n)).round(3)
    add("filtfilt", ss.filtfilt(h, [1.0], x, axis=axis), h=store(h), x=store(x), axis=axis)
    add("lfilter", ss.lfilter(h, [1.0], x, axis=axis), h=store(h), x=store(x), axis=axis)

path = pathlib.Path(__file__).with_name("signals.safetensors")
save_file({"values": np.array(values)}, path, {"cases": json.dumps(cases, separators=(",", ":"))})
print(len(cases), "cases,", path.stat().st_size >> 10, "KiB")
