"""The chains of `crates/nc-data/benches/loader.rs` with Pillow and torchvision: images per second of one core.

usage: transforms.py cifar|imagenet IMAGES

cifar: RandomCrop(32, 4), flip, AutoAugment (CIFAR-10), Cutout(16), tensor, normalise on 3x32x32.
imagenet: RandomResizedCrop(224), flip, ColorJitter(.4, .4, .4), tensor, normalise on 3x256x256.
"""

import resource
import sys
import time

import numpy
import torch
from PIL import Image
from torchvision import transforms

DISTINCT, WARM_UP = 256, 32


class Cutout:
    """One black square of side `length`, clipped at the border, on an image tensor."""

    def __init__(self, length):
        self.half = length // 2

    def __call__(self, image):
        height, width = image.shape[1:]
        y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
        image[:, max(y - self.half, 0) : y + self.half, max(x - self.half, 0) : x + self.half] = 0
        return image


NORMALIZE = transforms.Normalize([0.5] * 3, [0.25] * 3)
CHAINS = {
    "cifar": (
        32,
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10, fill=(128, 128, 128)),
            transforms.ToTensor(),
            Cutout(16),
            NORMALIZE,
        ],
    ),
    "imagenet": (
        256,
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.4),
            transforms.ToTensor(),
            NORMALIZE,
        ],
    ),
}


def main():
    name, images = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side, steps = CHAINS[name]
    chain = transforms.Compose(steps)
    pixels = numpy.random.default_rng(0).integers(0, 256, (DISTINCT, side, side, 3), dtype=numpy.uint8)
    pictures = [Image.fromarray(image) for image in pixels]
    for picture in pictures[:WARM_UP]:
        chain(picture)
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(images):
        chain(pictures[index % DISTINCT])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"images_per_second {images / wall:.1f}")
    print(f"images_per_cpu_second {images / cpu:.1f}")
    print(f"peak_mb {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.1f}")


main()
