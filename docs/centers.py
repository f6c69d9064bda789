"""Where learnable centres go while the features of a trained model stand still.

    pip install torch safetensors
    nclt export-features RUN --out FEATURES.safetensors
    python docs/centers.py FEATURES.safetensors LAMBDA1 LAMBDA2 STEPS

Starts each centre at its class mean and steps it as training does (alpha 0.5, batches of 128 drawn uniformly), then
says how far it has gone from its class, and how much of its direction it still shares with it.
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

ALPHA, BATCH = 0.5, 128


def between_class(centers):
    m = F.normalize(centers - centers.mean(0))
    cosines = m @ m.T - 2 * torch.eye(len(m))
    return -torch.arccos(cosines.max(1).values.clamp(-0.99999, 0.99999)).mean()


def main(path, lambda1, lambda2, steps):
    torch.manual_seed(0)
    file = load_file(path)
    features, labels, counts = file["features"], file["labels"], file["class_counts"].float()
    classes = len(counts)
    means = torch.zeros(classes, features.shape[1]).index_add_(0, labels, features) / counts[:, None]
    centers = means.clone()
    for _ in range(steps):
        drawn = torch.randint(len(labels), (BATCH,))
        h, y = features[drawn], labels[drawn]
        in_batch = torch.bincount(y, minlength=classes).float()
        within = torch.zeros_like(centers).index_add_(0, y, 2 * (centers[y] - h) / in_batch[y][:, None]) / classes
        variable = centers.clone().requires_grad_()
        (between,) = torch.autograd.grad(between_class(variable), variable)
        centers = centers - ALPHA * (within + lambda2 / lambda1 * between)
    m, c = means - means.mean(0), centers - centers.mean(0)
    by_size = counts.argsort(descending=True)
    for name, group in [("largest third", by_size[: classes // 3]), ("smallest third", by_size[-(classes // 3) :])]:
        distance = (centers - means)[group].norm(dim=1).mean()
        length = m[group].norm(dim=1).mean()
        cosine = F.cosine_similarity(m, c)[group].mean()
        print(f"{name}: |centre - class mean| {distance:.2f}, |class mean| {length:.2f} (centred), cosine {cosine:.2f}")
    print(f"mean nearest angle of the centres: {-torch.rad2deg(between_class(centers)):.1f} degrees")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
