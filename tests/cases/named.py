"""Writes named.safetensors: what SciPy, OpenCV, Pillow and scikit-image answer to the filters that have a name.

Every case is a line: the library, the filter in the notation of faltung::filter::named::Named, the boundary, the number
of the data's tensor, the type of the result and the filtered axes. Results lie one after the other in the tensors f64,
f32 and u8, in the shape of the data: SciPy's are float64, OpenCV's float32 or float64, Pillow's 8-bit.

    python tests/cases/named.py        # numpy, scipy, opencv-python-headless, pillow, scikit-image, safetensors

The versions that wrote the file stand in its metadata.
"""

import json
import pathlib

import cv2
import numpy as np
import PIL
import scipy
import skimage
from PIL import Image, ImageFilter
from safetensors.numpy import save_file
from scipy import ndimage as nd

rng = np.random.default_rng(1)
cases, fields, results = [], [], {"f64": [], "f32": [], "u8": []}
MODES = {"symmetric": "reflect", "mirror": "mirror", "nearest": "nearest", "wrap": "wrap", "zero": "constant",
         "constant=2.5": "constant"}


def add(library, notation, x, y, boundary, axes=None):
    if not any(x is field for field in fields):
        fields.append(x)
    kind = {"float64": "f64", "float32": "f32", "uint8": "u8"}[y.dtype.name]
    number = next(i for i, field in enumerate(fields) if field is x)
    axes = range(x.ndim) if axes is None else axes
    cases.append(f"{library} {notation} {boundary} {number} {kind} {','.join(map(str, axes))}")
    assert y.shape == x.shape
    results[kind].append(np.ravel(y))


def field(*shape):
    return rng.standard_normal(shape)


def scipy_mode(boundary):
    return {"mode": MODES[boundary], "cval": 2.5 if "=" in boundary else 0.0}


signal, picture, volume, four = field(23), field(7, 6), field(3, 4, 3), field(2, 3, 2, 2)
# Smaller than most kernels.
tiny, narrow, lone = field(3), field(2, 9), field(1, 1)
FIELDS = [signal, picture, volume, four, tiny, narrow, lone]


def text(values):
    return "x".join(str(v) for v in values)


def scipy_all(x, boundary):
    mode = scipy_mode(boundary)
    done = lambda notation, y: add("scipy", notation, x, y, boundary)
    done("gaussian:sigma=1.3", nd.gaussian_filter(x, 1.3, **mode))
    sigmas = [0.7, 1.9, 0, 1.2][: x.ndim]
    done(f"gaussian:sigma={text(sigmas)}", nd.gaussian_filter(x, sigmas, **mode))
    done("gaussian:sigma=0.9,order=1", nd.gaussian_filter(x, 0.9, order=1, **mode))
    orders = [2, 0, 1, 3][: x.ndim]
    done(f"gaussian:sigma=1.1,order={text(orders)},truncate=3", nd.gaussian_filter(x, 1.1, order=orders, truncate=3, **mode))
    done("gaussian:sigma=2.5,radius=3", nd.gaussian_filter(x, 2.5, radius=3, **mode))
    done("box:size=3", nd.uniform_filter(x, 3, **mode))
    sizes = [4, 5, 2, 3][: x.ndim]
    done(f"box:size={text(sizes)},origin=-1", nd.uniform_filter(x, sizes, origin=-1, **mode))
    done("box:size=4,origin=1", nd.uniform_filter(x, 4, origin=1, **mode))
    axis = x.ndim - 1
    done(f"sobel:axis={axis}", nd.sobel(x, axis, **mode))
    done("sobel:axis=0", nd.sobel(x, 0, **mode))
    done(f"prewitt:axis={axis}", nd.prewitt(x, axis, **mode))
    done("laplace", nd.laplace(x, **mode))
    done("gaussian_laplace:sigma=1.2", nd.gaussian_laplace(x, 1.2, **mode))
    done("gaussian_gradient_magnitude:sigma=1.2", nd.gaussian_gradient_magnitude(x, 1.2, **mode))
    done("sobel_magnitude", nd.generic_gradient_magnitude(x, nd.sobel, **mode))
    done("prewitt_magnitude", nd.generic_gradient_magnitude(x, nd.prewitt, **mode))


for x in FIELDS:
    for boundary in MODES:
        scipy_all(x, boundary)

# Kernels that reach around the data many times.
for x in [tiny, narrow, lone]:
    for boundary in MODES:
        mode = scipy_mode(boundary)
        add("scipy", "gaussian:sigma=9", x, nd.gaussian_filter(x, 9, **mode), boundary)
        add("scipy", "gaussian:sigma=3,order=1", x, nd.gaussian_filter(x, 3, order=1, **mode), boundary)
        add("scipy", "box:size=10,origin=-2", x, nd.uniform_filter(x, 10, origin=-2, **mode), boundary)

# High orders, and some axes only.
for order in range(2, 11):
    add("scipy", f"gaussian:sigma=2,order={order}", signal, nd.gaussian_filter(signal, 2, order=order), "symmetric")
add("scipy", "gaussian:sigma=1x2", volume, nd.gaussian_filter(volume, [1, 2], axes=(0, 2)), "symmetric", [0, 2])
add("scipy", "gaussian:sigma=2x1", volume, nd.gaussian_filter(volume, [1, 2], axes=(0, 2)), "symmetric", [2, 0])
add("scipy", "sobel:axis=1", volume, np.stack([nd.sobel(v, 1, mode="mirror") for v in volume]), "mirror", [1, 2])
add("scipy", "sobel_magnitude", volume,
    np.stack([nd.generic_gradient_magnitude(v, nd.sobel, mode="wrap") for v in volume]), "wrap", [1, 2])

CV = {"symmetric": cv2.BORDER_REFLECT, "mirror": cv2.BORDER_REFLECT_101, "nearest": cv2.BORDER_REPLICATE,
      "zero": cv2.BORDER_CONSTANT}
scene = field(6, 9)
for depth in (np.float32, np.float64):
    x = scene.astype(depth)
    out = cv2.CV_32F if depth == np.float32 else cv2.CV_64F
    for boundary, border in CV.items() if depth == np.float64 else [("mirror", cv2.BORDER_REFLECT_101)]:
        done = lambda notation, y: add("opencv", notation, x, y, boundary)
        done("gaussian:sigma=1.4,size=opencv", cv2.GaussianBlur(x, (0, 0), 1.4, borderType=border))
        done("gaussian:sigma=1.4x0.6,radius=3x2", cv2.GaussianBlur(x, (5, 7), 0.6, sigmaY=1.4, borderType=border))
        for taps in (3, 5, 7, 9, 11):
            done(f"gaussian:taps={taps}", cv2.GaussianBlur(x, (taps, taps), 0, borderType=border))
        done("box:size=3x4", cv2.blur(x, (4, 3), borderType=border))
        for dy, dx, ksize in [(0, 1, 1), (1, 0, 3), (0, 1, 3), (1, 1, 3), (2, 0, 3), (0, 2, 1), (0, 1, 5), (2, 1, 5),
                              (1, 0, 7), (3, 2, 7), (1, 0, 11)]:
            done(f"sobel:order={dy}x{dx},ksize={ksize}", cv2.Sobel(x, out, dx, dy, ksize=ksize, borderType=border))
        done("scharr:axis=0", cv2.Scharr(x, out, 0, 1, borderType=border))
        done("scharr:axis=1", cv2.Scharr(x, out, 1, 0, borderType=border))
        for ksize in (1, 3, 5, 7):
            done(f"laplace:ksize={ksize}", cv2.Laplacian(x, out, ksize=ksize, borderType=border))

# The taps that 8-bit pictures are blurred with, as many as OpenCV takes by itself.
for sigma in (0.8, 1.4, 2.5, 3.25):
    taps = round(sigma * 6 + 1) | 1
    wide = np.zeros((1, 41))
    wide[0, 20] = 1
    add("opencv", f"gaussian:sigma={sigma},size=opencv8", wide,
        cv2.GaussianBlur(wide, (taps, 1), sigma, borderType=cv2.BORDER_REPLICATE), "nearest", [1])

impulse = np.zeros((33, 33))
impulse[16, 16] = 1
for sigma, angle, wave, aspect, phase in [(3, 0, 8, 1, 0), (2, 30, 5, 0.5, 90), (2.5, 135, 6, 1.5, 45)]:
    kernel = cv2.getGaborKernel((0, 0), sigma, np.radians(angle), wave, aspect, np.radians(phase))
    add("opencv", f"gabor:sigma={sigma},angle={angle},wavelength={wave},aspect={aspect},phase={phase}", impulse,
        cv2.filter2D(impulse, cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT), "zero")

grey = rng.integers(0, 256, (16, 19), dtype=np.uint8)
soft = nd.gaussian_filter(grey.astype(float), 1.5).round().astype(np.uint8)
for photo in (grey, soft):
    image, x = Image.fromarray(photo), photo.astype(np.float64)
    done = lambda notation, f: add("pillow", notation, x, np.asarray(image.filter(f)), "nearest")
    for radius in (0, 0.5, 1, 2.3, 4):
        done(f"extended_box:radius={radius}", ImageFilter.BoxBlur(radius))
    for radius in (0.6, 1, 2, 3.7):
        done(f"extended_box_gaussian:sigma={radius}", ImageFilter.GaussianBlur(radius))
    done("pillow_unsharp", ImageFilter.UnsharpMask(2, 150, 0))
    done("pillow_unsharp:radius=1,amount=0.8,threshold=9", ImageFilter.UnsharpMask(1, 80, 9))
    for name in ("BLUR", "CONTOUR", "DETAIL", "EDGE_ENHANCE", "EDGE_ENHANCE_MORE", "EMBOSS", "FIND_EDGES", "SHARPEN",
                 "SMOOTH", "SMOOTH_MORE"):
        done(name.lower(), getattr(ImageFilter, name))

unit = rng.random((9, 12))
add("scikit-image", "unsharp:sigma=1.5,amount=0.7", unit,
    skimage.filters.unsharp_mask(unit, 1.5, 0.7, preserve_range=True), "symmetric")
add("scikit-image", "difference_of_gaussians:low=1,high=2.5", unit, skimage.filters.difference_of_gaussians(unit, 1, 2.5),
    "nearest")
add("scikit-image", "difference_of_gaussians:low=1.5", unit, skimage.filters.difference_of_gaussians(unit, 1.5), "nearest")

versions = {"scipy": scipy.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__,
            "scikit-image": skimage.__version__, "numpy": np.__version__}
path = pathlib.Path(__file__).with_name("named.safetensors")
tensors = {f"x{i}": np.ascontiguousarray(x, np.float64) for i, x in enumerate(fields)}
tensors |= {kind: np.concatenate(parts) for kind, parts in results.items()}
save_file(tensors, path, {"cases": "\n".join(cases), "versions": json.dumps(versions)})
print(len(cases), "cases,", path.stat().st_size, "bytes")
