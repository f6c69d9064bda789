"""Writes pillow.safetensors: operations of Pillow on a colour and a grey image.

    pip install numpy pillow==13.0.0 safetensors
    python pillow.py

Names are IMAGE/OPERATION/ARGUMENT[/FILTER]; images are H W C, u8.
"""

import pathlib

import numpy
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from safetensors.numpy import save_file

AFFINE = {
    "shear_x": lambda by, width, height: (1, by, 0, 0, 1, 0),
    "shear_y": lambda by, width, height: (1, 0, 0, by, 1, 0),
    "translate_x_rel": lambda by, width, height: (1, 0, by * width, 0, 1, 0),
    "translate_y_rel": lambda by, width, height: (1, 0, 0, 0, 1, by * height),
}
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# The luma of (124, 116, 104), the fill colour of colour images.
FILL = 117


def picture(height, width, channels):
    """Smooth waves with noise, so that neighbouring pixels and channels differ by much and by little."""
    rng = numpy.random.default_rng(0)
    y, x, c = numpy.mgrid[:height, :width, :channels]
    waves = 110 + 90 * numpy.sin(0.4 * x + c) * numpy.cos(0.3 * y - c)
    return (waves + rng.integers(-20, 56, waves.shape)).clip(0, 255).astype(numpy.uint8)


def main():
    colour, grey = picture(19, 23, 3), picture(13, 17, 1)
    known = {"input/colour": colour, "input/grey": grey}

    def keep(name, image):
        pixels = numpy.asarray(image)
        known[name] = pixels if pixels.ndim == 3 else pixels[:, :, None]

    for name, image in (("colour", Image.fromarray(colour)), ("grey", Image.fromarray(grey[:, :, 0]))):
        for sigma in (0.0, 0.1, 0.5, 0.83, 1.0, 1.37, 1.99, 2.0, 7.3, 40.0):
            keep(f"{name}/blur/{sigma}", image.filter(ImageFilter.GaussianBlur(sigma)))
    for operation, matrix in AFFINE.items():
        for by in (0.3, -0.21):
            for name, resampling in FILTERS.items():
                coefficients = matrix(by, *image.size)
                warped = image.transform(image.size, Image.Transform.AFFINE, coefficients, resampling, fillcolor=FILL)
                keep(f"grey/{operation}/{by}/{name}", warped)
    for degrees in (28.5, -170.3, 90.0, 180.0, 0.0):
        for name, resampling in FILTERS.items():
            keep(f"grey/rotate/{degrees}/{name}", image.rotate(degrees, resampling, fillcolor=FILL))
    keep("grey/auto_contrast", ImageOps.autocontrast(image))
    keep("grey/equalize", ImageOps.equalize(image))
    keep("grey/invert", ImageOps.invert(image))
    keep("grey/posterize/3", ImageOps.posterize(image, 3))
    keep("grey/solarize/100", ImageOps.solarize(image, 100))
    for factor in (0.1, 1.9):
        keep(f"grey/color/{factor}", ImageEnhance.Color(image).enhance(factor))
        keep(f"grey/contrast/{factor}", ImageEnhance.Contrast(image).enhance(factor))
        keep(f"grey/brightness/{factor}", ImageEnhance.Brightness(image).enhance(factor))
        keep(f"grey/sharpness/{factor}", ImageEnhance.Sharpness(image).enhance(factor))
    save_file(known, pathlib.Path(__file__).with_suffix(".safetensors"))


main()
