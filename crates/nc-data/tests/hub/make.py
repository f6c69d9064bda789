"""Writes a cache as the Hugging Face hub's clients leave it, with data sets that are made up.

    pip install pyarrow pillow && python make.py DIRECTORY

The images of tests/hub/main.rs: of image number n, the pixel (channel, y, x) is (3 y + 5 x + 31 channel + 7 n) mod 256.
"""

import io
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def png(number, size, channels):
    pixels = bytes(
        (3 * y + 5 * x + 31 * channel + 7 * number) % 256
        for y in range(size)
        for x in range(size)
        for channel in range(channels)
    )
    file = io.BytesIO()
    Image.frombytes("L" if channels == 1 else "RGB", (size, size), pixels).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


def write(root, repository, files, image, size, channels):
    repository = root / ("datasets--" + repository.replace("/", "--"))
    reference = repository / "refs" / "refs" / "convert" / "parquet"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(COMMIT)
    for (name, first, count) in files:
        numbers = range(first, first + count)
        images = pa.array(
            [png(n, size, channels) for n in numbers],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        )
        table = pa.table({image: images, "label": pa.array([n % 10 for n in numbers], pa.int64())})
        path = repository / "snapshots" / COMMIT / name / "0000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="snappy")


root = pathlib.Path(sys.argv[1])
for repository, folder, image, size, channels in [
    ("cifar10", "plain_text", "img", 32, 3),
    ("ylecun/mnist", "mnist", "image", 28, 1),
    ("zalando-datasets/fashion_mnist", "fashion_mnist", "image", 28, 1),
]:
    write(root, repository, [(f"{folder}/train", 0, 3), (f"{folder}/test", 3, 2)], image, size, channels)
