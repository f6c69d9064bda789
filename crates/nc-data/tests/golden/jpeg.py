"""Writes jpeg.safetensors: JPEG files of one picture, stored in different ways.

    pip install numpy pillow==13.0.0 safetensors
    python jpeg.py
"""

import io
import pathlib

import numpy
from PIL import Image
from safetensors.numpy import save_file

HEIGHT, WIDTH = 141, 45


def main():
    rng = numpy.random.default_rng(0)
    y, x, c = numpy.mgrid[:HEIGHT, :WIDTH, :3]
    waves = 110 + 90 * numpy.sin(0.4 * x + c) * numpy.cos(0.3 * y - c)
    colour = Image.fromarray((waves + rng.integers(-20, 56, waves.shape)).clip(0, 255).astype(numpy.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    ways = {
        "444": (colour, {"subsampling": "4:4:4"}),
        "422": (colour, {"subsampling": "4:2:2"}),
        "420": (colour, {"subsampling": "4:2:0"}),
        "grey": (colour.convert("L"), {}),
        "restarts": (colour, {"subsampling": "4:2:0", "restart_marker_rows": 1}),
        "progressive": (colour, {"progressive": True}),
        "exif": (colour, {"exif": exif}),
    }
    files = {}
    for name, (image, options) in ways.items():
        file = io.BytesIO()
        image.save(file, "jpeg", quality=70, **options)
        files[name] = numpy.frombuffer(file.getvalue(), numpy.uint8)
    save_file(files, pathlib.Path(__file__).with_suffix(".safetensors"))


main()
