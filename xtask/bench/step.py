"""The work of `crates/nc-train/examples/step` in PyTorch, channels last.

usage: step.py train|train-bf16|eval MODEL THREADS STEPS

`train-bf16` computes the network under bf16 autocast.
The networks for photographs are torchvision's.
"""

import pathlib
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "crates/nc-models/python"))
from resnet import MODELS

CLASSES, WARM_UP = 10, 2
# Names in torchvision.
PHOTOGRAPHS = {"imagenet-resnet18": "resnet18", "resnet50": "resnet50", "resnext50-32x4d": "resnext50_32x4d"}


def within_class(features, labels, centers):
    one_hot = F.one_hot(labels, CLASSES).to(features.dtype)
    distances = (features - centers[labels]).square().sum(1)
    return ((one_hot * distances[:, None]).sum(0) / one_hot.sum(0).clamp(min=1)).sum() / CLASSES


def between_class(centers):
    m = F.normalize(centers - centers.mean(0))
    cosines = m @ m.T - 2 * torch.eye(CLASSES)
    return -cosines.max(1).values.clamp(-0.99999, 0.99999).acos().mean()


def of_torchvision(name):
    import torchvision

    model = getattr(torchvision.models, name)(num_classes=CLASSES)
    model.linear, model.fc = model.fc, torch.nn.Identity()
    model.features = model.forward
    return model


def main():
    mode, model, threads, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    large = model in PHOTOGRAPHS
    count, side = (32, 224) if large else (128, 32)
    model = of_torchvision(PHOTOGRAPHS[model]) if large else MODELS[model](classes=CLASSES)
    model = model.to(memory_format=torch.channels_last)
    centers = torch.randn(CLASSES, model.linear.in_features, requires_grad=True)
    images = torch.randn(count, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.arange(count) % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    trains, bf16 = mode != "eval", mode == "train-bf16"
    model.train(trains)
    times = []
    for step in range(WARM_UP + steps):
        started = time.perf_counter()
        if trains:
            optimizer.zero_grad(set_to_none=True)
            centers.grad = None
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                features = model.features(images)
                logits = model.linear(features)
            features, logits = features.float(), logits.float()
            loss = F.cross_entropy(logits, labels)
            loss = loss + 0.01 * within_class(features, labels, centers) + 0.1 * between_class(centers)
            loss.item()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                centers -= 50.0 * centers.grad
        else:
            with torch.no_grad():
                model.linear(model.features(images))
        if step >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - started))
    times.sort()
    print(f"median_ms {times[len(times) // 2]:.3f}")
    print(f"min_ms {times[0]:.3f}")
    print(f"peak_mb {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.1f}")


main()
