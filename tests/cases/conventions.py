"""Writes conventions.json: what NumPy, SciPy, OpenCV, PyTorch and Octave (for MATLAB) answer, on small integers.

    python conventions.py          # needs numpy, scipy, opencv-python, torch; octave with its image package on the path
"""
import itertools, json, pathlib, subprocess
import cv2, numpy as np, scipy.ndimage as nd, scipy.signal as ss, torch, torch.nn.functional as F

rng = np.random.default_rng(1)
cases = []
LENGTHS = [((7,), (3,)), ((7,), (4,)), ((5,), (5,)), ((6,), (6,)), ((3,), (8,)), ((4,), (7,)), ((1,), (2,)), ((1,), (1,))]
IMAGES = [((5, 7), (3, 2)), ((4, 6), (4, 5)), ((6, 5), (1, 4)), ((3, 4), (4, 6))]


def integers(shape, complex=False):
    a = rng.integers(-9, 10, shape).astype(float)
    return a + 1j * rng.integers(-9, 10, shape) if complex else a


def add(convention, op, x, h, y, **more):
    def flat(a):
        a = np.asarray(a)
        parts = np.stack([a.real, a.imag], -1) if np.iscomplexobj(a) else a
        return {"shape": list(a.shape), "values": [int(v) for v in np.rint(parts).ravel()]}
    complex = bool(np.iscomplexobj(x) or np.iscomplexobj(h))
    to = (lambda a: np.asarray(a, complex_type)) if complex else (lambda a: a)
    cases.append({"convention": convention, "op": op, "complex": complex, **more,
                  "x": flat(to(x)), "h": flat(to(h)), "y": flat(to(y))})


complex_type = np.complex128
for (n, k), c in itertools.product(LENGTHS, (False, True)):
    x, h = integers(n, c), integers(k, c)
    for mode in ("full", "same", "valid"):
        add("numpy", "convolve", x, h, np.convolve(x, h, mode), mode=mode)
        add("numpy", "correlate", x, h, np.correlate(x, h, mode), mode=mode)
for (n, k), c in itertools.product(LENGTHS + IMAGES, (False, True)):
    x, h = integers(n, c), integers(k, c)
    for mode in ("full", "same", "valid"):
        try:
            add("scipy", "convolve", x, h, ss.convolve(x, h, mode, method="direct"), mode=mode)
            add("scipy", "correlate", x, h, ss.correlate(x, h, mode, method="direct"), mode=mode)
        except ValueError:  # valid, with neither at least as long as the other
            pass
for (n, k), c in itertools.product(LENGTHS + IMAGES, (False, True)):
    x, h = integers(n, c), integers(k, c)
    for boundary, theirs in (None, "reflect"), ("mirror", "mirror"), ("nearest", "nearest"), ("wrap", "wrap"), ("zero", "constant"):
        more = {"boundary": boundary} if boundary else {}
        add("ndimage", "convolve", x, h, nd.convolve(x, h, mode=theirs), **more)
        add("ndimage", "correlate", x, h, nd.correlate(x, h, mode=theirs), **more)
    # `origin` is counted from the tap k // 2, and both functions shift it the same way.
    origin = [1 if m > 2 else 0 for m in k]
    anchor = [m // 2 + o for m, o in zip(k, origin)]
    add("ndimage", "correlate", x, h, nd.correlate(x, h, origin=origin), anchor=anchor)
    add("ndimage", "convolve", x, h, nd.convolve(x, h, origin=origin), anchor=anchor)
for n, k in IMAGES:
    x, h = integers(n), integers(k)
    add("opencv", "convolve", x, h, cv2.filter2D(x, -1, h))
    for boundary, theirs in ("symmetric", cv2.BORDER_REFLECT), ("nearest", cv2.BORDER_REPLICATE), ("zero", cv2.BORDER_CONSTANT):
        add("opencv", "convolve", x, h, cv2.filter2D(x, -1, h, borderType=theirs), boundary=boundary)
    add("opencv", "convolve", x, h, cv2.filter2D(x, -1, h, anchor=(k[1] - 1, 0)), anchor=[0, k[1] - 1])
conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
for (n, k), c in itertools.product([(n, k) for n, k in LENGTHS + IMAGES + [((4, 5, 6), (2, 3, 2))]], (False, True)):
    x, h = integers(n, c), integers(k, c)
    tx, th = (torch.tensor(a)[None, None] for a in (x, h))
    run = conv[len(n)]
    add("pytorch", "convolve", x, h, run(tx, th, padding="same")[0, 0].numpy(), mode="same")
    if all(a >= b for a, b in zip(n, k)):
        add("pytorch", "convolve", x, h, run(tx, th)[0, 0].numpy())
        add("pytorch", "convolve", x, h, run(tx, th, stride=2)[0, 0].numpy(), stride=[2])
    add("pytorch", "convolve", x, h, run(tx, th, padding="same", dilation=3)[0, 0].numpy(), mode="same", dilation=[3])
    add("pytorch", "convolve", x, h, run(tx, th, padding=k[0], stride=2)[0, 0].numpy() if len(set(k)) == 1 else
        run(tx, th, padding=k, stride=2)[0, 0].numpy(), padding=[[m, m] for m in k], stride=[2])


def octave(calls):
    """Evaluates expressions of x and h, given as pairs of arrays, each answer of h's and x's rank."""
    def literal(a):
        rows = np.atleast_2d(a)
        return "[" + ";".join(" ".join(f"({complex(v).real:g}+{complex(v).imag:g}i)" for v in r) for r in rows) + "]"
    lines = ["pkg load image"]
    for expression, x, h in calls:
        lines.append(f"x={literal(x)};h={literal(h)};y={expression};printf('%d ', rows(y), columns(y), "
                     "reshape([real(y.'(:)) imag(y.'(:))].', 1, []));printf('\\n');")
    done = subprocess.run(["octave", "--norc", "-q", "--eval", "\n".join(lines)], capture_output=True, text=True, check=True)
    for line, (_, x, _) in zip(done.stdout.splitlines(), calls, strict=True):
        rows, columns, *parts = (int(v) for v in line.split())
        y = np.array(parts, float).reshape(rows, columns, 2)
        y = y[..., 0] + 1j * y[..., 1]
        y = y if x.ndim == 2 else y.ravel()
        yield y if np.iscomplexobj(x) else y.real


calls, about = [], []
for (n, k), c in itertools.product(LENGTHS + IMAGES, (False, True)):
    x, h = integers(n, c), integers(k, c)
    function = "conv" if len(n) == 1 else "conv2"
    for mode in ("full", "same", "valid"):
        if mode != "valid" or all(a >= b for a, b in zip(n, k)):
            calls.append((f"{function}(x,h,'{mode}')", x, h))
            about.append(dict(op="convolve", mode=mode))
    if not c and len(n) == 2:
        for theirs, boundary in (0, "zero"), ("'replicate'", "nearest"), ("'symmetric'", "symmetric"), ("'circular'", "wrap"):
            if theirs in ("'symmetric'", "'circular'") and any(b > a for a, b in zip(n, k)):
                continue
            calls.append((f"imfilter(x,h,{theirs})", x, h))
            about.append(dict(op="correlate", mode="same", boundary=boundary))
for y, (_, x, h), more in zip(octave(calls), calls, about):
    add("matlab", more.pop("op"), x, h, y, **more)

lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
pathlib.Path(__file__).with_name("conventions.json").write_text(f"[\n{lines}\n]\n")
print(len(cases), "cases")
