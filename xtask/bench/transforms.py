"""Two chains of transforms in torchvision, on one thread: images per second, for `cargo xtask bench transforms`.

usage: transforms.py pillow|tensors cifar|imagenet IMAGES

`pillow` transforms Pillow images, `tensors` u8 tensors; both end in normalised f32 tensors. cifar: RandomCrop(32, 4), flip,
AutoAugment (CIFAR-10), Cutout(16) on 3x32x32. imagenet: RandomResizedCrop(224), flip, ColorJitter(.4, .4, .4) on
3x256x256.
"""

import sys
import time

import numpy
import torch
from PIL import Image
from torchvision.transforms import v2 as transforms

DISTINCT, WARM_UP = 256, 32


class Cutout(torch.nn.Module):
    """One black square of side `length`, clipped at the border, on an image tensor."""

    def __init__(self, length):
        super().__init__()
        self.half = length // 2

    def forward(self, image):
        height, width = image.shape[1:]
        y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
        image[:, max(y - self.half, 0) : y + self.half, max(x - self.half, 0) : x + self.half] = 0
        return image


CHAINS = {
    "cifar": (
        32,
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10, fill=(128, 128, 128)),
        ],
        [Cutout(16)],
    ),
    "imagenet": (
        256,
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.4),
        ],
        [],
    ),
}


def main():
    backend, name, images = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side, on_images, on_tensors = CHAINS[name]
    to_tensor = [transforms.PILToTensor()] if backend == "pillow" else []
    to_float = [transforms.ToDtype(torch.float32, scale=True), transforms.Normalize([0.5] * 3, [0.25] * 3)]
    chain = transforms.Compose(on_images + to_tensor + on_tensors + to_float)
    pixels = numpy.random.default_rng(0).integers(0, 256, (DISTINCT, side, side, 3), dtype=numpy.uint8)
    pictures = [Image.fromarray(image) for image in pixels]
    if backend == "tensors":
        pictures = [transforms.functional.pil_to_tensor(picture) for picture in pictures]
    for picture in pictures[:WARM_UP]:
        chain(picture)
    started = time.perf_counter()
    for index in range(images):
        chain(pictures[index % DISTINCT])
    print(f"images_per_second {images / (time.perf_counter() - started):.1f}")


main()
