"""Makes folders of images of three real long-tailed sets, see docs/own-images.md.

    python3 prepare.py plankton plankton.tar.xz OUT
    python3 prepare.py grocery GroceryStoreDataset OUT
    python3 prepare.py blood-cells Chula-RBC-12-Dataset OUT

- plankton: PlanktonSet 1.0 (NOAA NCEI accession 0127422), an archive of train/CLASS/*.jpg. No test set.
- grocery: https://github.com/marcusklasson/GroceryStoreDataset (MIT, commit fc80ba9), the 43 coarse classes, with its test set.
  Its validation images are added to the training images.
- blood-cells: https://github.com/Chula-PIC-Lab/Chula-RBC-12-Dataset (MIT, commit fa130f4), crops of 72 x 72 pixels around
  each labelled cell. Every third smear is for testing. File names begin with the number of the smear.

Needs Python 3.9 and Pillow.
"""

import csv
import pathlib
import shutil
import sys
import tarfile

from PIL import Image

CELLS = [
    "normal cell", "macrocyte", "microcyte", "spherocyte", "target cell", "stomatocyte", "ovalocyte", "teardrop",
    "burr cell", "schistocyte", None, "hypochromia", "elliptocyte",
]
CROP = 72


def plankton(archive, out):
    with tarfile.open(archive) as tar:
        images = [member for member in tar if member.name.endswith(".jpg")]
        tar.extractall(out, images)


def grocery(clone, out):
    dataset = clone / "dataset"
    with open(dataset / "classes.csv", encoding="utf-8") as file:
        names = {row["Coarse Class ID (int)"]: row["Coarse Class Name (str)"] for row in csv.DictReader(file)}
    for split in ["train", "val", "test"]:
        for line in (dataset / f"{split}.txt").read_text().splitlines():
            path, _, coarse = line.split(", ")
            directory = out / ("test" if split == "test" else "train") / names[coarse]
            directory.mkdir(parents=True, exist_ok=True)
            name = f"{split}_{pathlib.Path(path).name}"
            shutil.copyfile(dataset / path, directory / name)


def blood_cells(clone, out):
    for labels in sorted((clone / "Label").glob("*.txt"), key=lambda path: int(path.stem)):
        smear = int(labels.stem)
        image = Image.open(clone / "Dataset" / f"{smear}.jpg").convert("RGB")
        for number, line in enumerate(labels.read_text().splitlines()):
            x, y, label = map(int, line.split())
            if CELLS[label] is None:
                continue
            left = min(max(x - CROP // 2, 0), image.width - CROP)
            top = min(max(y - CROP // 2, 0), image.height - CROP)
            directory = out / ("test" if smear % 3 == 0 else "train") / CELLS[label]
            directory.mkdir(parents=True, exist_ok=True)
            image.crop((left, top, left + CROP, top + CROP)).save(directory / f"{smear}_{number}.png")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    _, name, source, out = sys.argv
    sets = {"plankton": plankton, "grocery": grocery, "blood-cells": blood_cells}
    sets[name](pathlib.Path(source), pathlib.Path(out))
