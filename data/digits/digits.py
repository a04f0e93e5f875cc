"""Writes the four files of this folder: the first 100 training and 50 test pictures of each digit, in MNIST's order.

    python digits.py FOLDER_OF_MNIST        # needs zopfli, which compresses better than gzip does
"""
import gzip, pathlib, struct, sys
import zopfli.gzip

here, mnist = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[1])
for part, most in ("train", 100), ("t10k", 50):
    names = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
    pictures, labels = (gzip.decompress((mnist / name).read_bytes())[offset:] for name, offset in zip(names, (16, 8)))
    kept = [i for i, label in enumerate(labels) if labels[: i + 1].count(label) <= most]
    count = len(kept)
    pictures = struct.pack(">4I", 0x803, count, 28, 28) + b"".join(pictures[784 * i : 784 * (i + 1)] for i in kept)
    labels = struct.pack(">2I", 0x801, count) + bytes(labels[i] for i in kept)
    for name, data in zip(names, (pictures, labels)):
        (here / name).write_bytes(zopfli.gzip.compress(data))
