"""Writes image.safetensors: what OpenCV's filter2D answers on small pictures, and SciPy on premultiplied ones.

    python image.py          # needs numpy, scipy, opencv-python, safetensors

Tensors are float32, which holds every sample of theirs, or float64; the metadata entry `cases` lists the cases. Those
of `filter2d` hold x, kernel and y (of the type `depth`); those of `alpha` hold x and y, neither rounded nor clamped,
with a Gaussian of `sigma`.
"""
import itertools, json, pathlib
import cv2, numpy as np, scipy.ndimage as nd
from safetensors.numpy import save_file

rng = np.random.default_rng(7)
tensors, cases = {}, []


def add(**case):
    name = str(len(cases))
    arrays = {key: case.pop(key) for key in list(case) if isinstance(case[key], np.ndarray)}
    for key, a in arrays.items():
        tensors[f"{name}/{key}"] = np.ascontiguousarray(a, np.float64 if a.dtype == np.float64 else np.float32)
    cases.append({"name": name, **case})


def picture(kind, shape):
    if kind == "f32":
        return rng.random(shape).astype(np.float32)
    return rng.integers(0, {"u8": 256, "u16": 65536}[kind], shape).astype({"u8": np.uint8, "u16": np.uint16}[kind])


BORDERS = {"mirror": cv2.BORDER_REFLECT_101, "symmetric": cv2.BORDER_REFLECT, "nearest": cv2.BORDER_REPLICATE,
           "zero": cv2.BORDER_CONSTANT}
DEPTHS = {"u8": cv2.CV_8U, "u16": cv2.CV_16U, "i16": cv2.CV_16S, "f32": cv2.CV_32F}
OUTPUTS = {"u8": ("u8", "i16", "f32"), "u16": ("u16", "f32"), "f32": ("f32",)}
KERNELS = [(1, 3), (3, 3), (2, 2), (4, 3), (5, 5), (2, 7)]
for (kind, outputs), (rows, columns), (border, code) in itertools.product(OUTPUTS.items(), KERNELS, BORDERS.items()):
    for depth in outputs:
        channels = int(rng.choice([1, 2, 3, 4]))
        x = picture(kind, (7, 8, channels))
        # Quarters: every sum is exact in single precision, and every fourth lies half way between two levels.
        kernel = rng.integers(-6, 9, (rows, columns)) / 4.0
        anchor = (int(rng.integers(rows)), int(rng.integers(columns)))
        if rng.random() < 0.3:
            anchor = None
        offset = float(rng.integers(-20, 100)) if rng.random() < 0.5 else 0.0
        y = cv2.filter2D(x, DEPTHS[depth], kernel, anchor=anchor[::-1] if anchor else (-1, -1), delta=offset,
                         borderType=code)
        add(kind="filter2d", x=x, kernel=kernel.astype(np.float32), y=y.reshape(x.shape), sample=kind, depth=depth,
            anchor=anchor, offset=offset, border=border)

for kind, channels, sigma in itertools.product(("u8", "u16", "f32"), (2, 4), (0.7, 2.0)):
    x = picture(kind, (13, 11, channels))
    full = {"u8": 255.0, "u16": 65535.0, "f32": 1.0}[kind]
    x[3:8, 3:10, -1] = 0          # a hole
    x[9:, :5, -1] = full         # and a part without transparency
    f = x.astype(np.float64)
    alpha = f[..., -1:] / full
    blur = lambda a: nd.gaussian_filter(a, sigma, axes=(0, 1), mode="mirror")
    opacity = blur(alpha)
    colours = blur(f[..., :-1] * alpha) / opacity
    # What rounds to fully transparent has no colour.
    least = 1e-6 if kind == "f32" else 0.5 / full
    y = np.concatenate([np.where(opacity > least, colours, 0.0), opacity * full], -1)
    add(kind="alpha", x=x, y=y, sample=kind, sigma=sigma)

save_file(tensors, pathlib.Path(__file__).with_name("image.safetensors"), {"cases": json.dumps(cases)})
print(len(cases), "cases")
