"""The work of `crates/nc-data/examples/stream` by Pillow, torchvision and PyTorch's DataLoader.

usage: stream.py pillow|torchvision|dataloader DIRECTORY [WORKERS] [BATCH_SIZE]

Decodes a folder of JPEG files with a random resized crop to 224 x 224 pixels, a flip and normalisation. `pillow` and
`torchvision` use this process and one thread; `dataloader` (Pillow, from an ImageFolder) uses worker processes.
"""

import pathlib
import resource
import sys
import time

import numpy as np
import torch
from PIL import Image
from torchvision import datasets, io, transforms
from torchvision.transforms import v2

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SCALE, SHIFT = (np.float32(values) for values in ([1 / 255 / s for s in STD], [m / s for m, s in zip(MEAN, STD)]))
ON_IMAGES = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()])
ON_TENSORS = v2.Compose(
    [
        v2.RandomResizedCrop(224),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
)
FOR_LOADER = transforms.Compose([ON_IMAGES, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def with_pillow(path):
    with Image.open(path) as file:
        image = np.asarray(ON_IMAGES(file.convert("RGB")), dtype=np.float32)
    return np.ascontiguousarray((image * SCALE - SHIFT).transpose(2, 0, 1))


def with_torchvision(path):
    return ON_TENSORS(io.decode_image(io.read_file(path), mode=io.ImageReadMode.RGB))


def usage():
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def main():
    mode, directory, *rest = sys.argv[1:]
    workers, batch_size = (rest + ["1", "32"][len(rest) :])[:2]
    torch.set_num_threads(1)
    if mode == "dataloader":
        folder = datasets.ImageFolder(directory, FOR_LOADER)
        epoch = lambda: sum(
            len(labels)
            for _, labels in torch.utils.data.DataLoader(
                folder, int(batch_size), shuffle=True, num_workers=int(workers)
            )
        )
    else:
        paths = sorted(str(path) for path in pathlib.Path(directory).rglob("*.[Jj][Pp]*[Gg]"))
        one = {"pillow": with_pillow, "torchvision": with_torchvision}[mode]
        epoch = lambda: sum(one(path) is not None for path in paths)
    # The first epoch brings the files into the memory of the system.
    epoch()
    started, before = time.perf_counter(), usage()
    images = epoch()
    print(f"images_per_second {images / (time.perf_counter() - started):.0f}")
    print(f"images_per_cpu_second {images / (usage() - before):.0f}")


main()
