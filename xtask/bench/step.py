"""The work of `crates/nc-train/examples/step.rs` in PyTorch, channels last.

usage: step.py train|eval THREADS STEPS
"""

import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, CLASSES, WARM_UP = 128, 10, 3


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.pad = (c_out - c_in) // 2

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x, inplace=True)


class ResNet32(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks, c_in = [], 16
        for stage, c_out in enumerate((16, 32, 64)):
            for block in range(5):
                blocks.append(Block(c_in, c_out, 2 if stage > 0 and block == 0 else 1))
                c_in = c_out
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        features = self.blocks(x).mean((2, 3))
        return features, self.linear(features)


def within_class(features, labels, centers):
    one_hot = F.one_hot(labels, CLASSES).to(features.dtype)
    distances = (features - centers[labels]).square().sum(1)
    return ((one_hot * distances[:, None]).sum(0) / one_hot.sum(0).clamp(min=1)).sum() / CLASSES


def between_class(centers):
    m = F.normalize(centers - centers.mean(0))
    cosines = m @ m.T - 2 * torch.eye(CLASSES)
    return -cosines.max(1).values.clamp(-0.99999, 0.99999).acos().mean()


def main():
    mode, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = ResNet32().to(memory_format=torch.channels_last)
    centers = torch.randn(CLASSES, 64, requires_grad=True)
    images = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    model.train(mode == "train")
    times = []
    for step in range(WARM_UP + steps):
        started = time.perf_counter()
        if mode == "train":
            optimizer.zero_grad(set_to_none=True)
            centers.grad = None
            features, logits = model(images)
            loss = F.cross_entropy(logits, labels)
            loss = loss + 0.01 * within_class(features, labels, centers) + 0.1 * between_class(centers)
            loss.item()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                centers -= 50.0 * centers.grad
        else:
            with torch.no_grad():
                model(images)
        if step >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - started))
    times.sort()
    print(f"median_ms {times[len(times) // 2]:.3f}")
    print(f"min_ms {times[0]:.3f}")
    print(f"peak_mb {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.1f}")


main()
