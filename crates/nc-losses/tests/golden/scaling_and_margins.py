"""Writes scaling_and_margins.safetensors: the VS loss (Kini et al. 2021), DBM's margins (Son et al. 2025), the uniformity of
Wang and Isola (2020) and class weights by a power of the class sizes in PyTorch, in double precision, by loops over the formulas.

    pip install torch safetensors
    python scaling_and_margins.py

Gradients are those of sum_ik c_ik y_ik with c = in.factors, or of the scalar.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent
SAMPLES, CLASSES, DIMENSIONS = 8, 5, 7
COUNTS = [500, 120, 30, 9, 2]
LABELS = torch.tensor([0, 4, 1, 3, 2, 4, 0, 2])


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vector_scaling(logits, gamma, tau):
    rows = []
    for row in logits:
        scaled = [
            z / (max(COUNTS) / count) ** gamma + tau * math.log(count / sum(COUNTS)) for z, count in zip(row, COUNTS)
        ]
        rows.append(torch.stack(scaled))
    return torch.stack(rows)


def margins(cosines, difficult, largest=0.3):
    rows = []
    for row, label in zip(cosines, LABELS.tolist()):
        own = row[label]
        margin = largest * min(COUNTS) / COUNTS[label]
        if difficult == "all" or difficult == "wrong" and row.argmax().item() != label:
            margin = margin + margin * (1 - own) / 2
        lowered = torch.cos(torch.acos(own) + margin)
        rows.append(torch.stack([lowered if k == label else row[k] for k in range(CLASSES)]))
    return torch.stack(rows)


def uniformity(vectors, sharpness):
    pairs = []
    for k in range(CLASSES):
        for j in range(CLASSES):
            if j != k:
                pairs.append(torch.exp(sharpness * F.cosine_similarity(vectors[k], vectors[j], dim=0)))
    return torch.stack(pairs).mean().log() / sharpness


def main():
    answers = {"in.labels": LABELS, "in.factors": normal(1, SAMPLES, CLASSES), "in.one": torch.tensor(1.0).double()}

    def keep(name, function, key, value):
        value = value.clone().requires_grad_()
        out = function(value)
        ((out * answers["in.factors"]).sum() if out.dim() else out).backward()
        answers.update({f"in.{key}": value.detach(), f"out.{name}": out.detach(), f"grad.{name}.{key}": value.grad})

    logits = 2 * normal(2, SAMPLES, CLASSES)
    for gamma, tau in [(0.05, 1.0), (0.3, 0.75), (0.0, 1.5)]:
        keep(f"vector_scaling.{gamma}.{tau}", lambda z: vector_scaling(z, gamma, tau), "logits", logits)
    cosines = F.normalize(normal(3, SAMPLES, DIMENSIONS)) @ F.normalize(normal(4, CLASSES, DIMENSIONS)).T
    wrong = cosines.argmax(1) != LABELS
    assert wrong.any() and not wrong.all()
    for difficult in ["none", "all", "wrong"]:
        keep(f"margins.{difficult}", lambda c: margins(c, difficult), "cosines", cosines)
    vectors = normal(5, CLASSES, DIMENSIONS)
    for sharpness in [0.5, 10.0]:
        keep(f"uniformity.{sharpness}", lambda v: uniformity(v, sharpness), "vectors", vectors)
    shares = torch.tensor(COUNTS).double() / sum(COUNTS)
    weights = shares ** (-0.25)
    answers["out.inverse_power.0.25"] = weights / weights.sum() * CLASSES
    save_file({name: array.contiguous() for name, array in answers.items()}, HERE / "scaling_and_margins.safetensors")


if __name__ == "__main__":
    main()
