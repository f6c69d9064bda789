"""Writes single_network_steps.safetensors: three steps each of VS loss with SAM (Kini et al. 2021, Foret et al. 2021), of ADRW
with SAM (Wang et al. 2023), and of DBM (Son et al. 2025) with uniformity of the class directions and a moving average of the
weights, in PyTorch, in double precision.

    pip install torch safetensors
    python single_network_steps.py

A ResNet-20 on batches of 16 images. Initial values as in resnet18_steps.py.
"""

import torch
import torch.nn.functional as F
from contrast_steps import CLASSES, COUNTS, LABELS, LOG_PRIOR, Network, tensors_of
from resnet18_steps import HERE, initial, kept, noise
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

BATCH, STEPS, RATE = 16, 3, 0.01


def vs_loss(model, features):
    divisors = (COUNTS.max() / COUNTS) ** 0.05
    return F.cross_entropy(model.linear(features) / divisors + LOG_PRIOR, LABELS)


def adrw(model, features):
    weights = (COUNTS / COUNTS.sum()) ** -0.15
    weights = weights / weights.sum() * CLASSES
    return F.cross_entropy(model.linear(features) + LOG_PRIOR, LABELS, weight=weights)


def dbm(model, features):
    cosines = F.normalize(features) @ F.normalize(model.linear.weight).T
    margins = 0.1 * COUNTS.min() / COUNTS
    losses = []
    for row, label in zip(cosines, LABELS.tolist()):
        margin = margins[label]
        if row.argmax().item() != label:
            margin = margin + margin * (1 - row[label]) / 2
        moved = row.clone()
        moved[label] = torch.cos(torch.acos(row[label]) + margin)
        losses.append(F.cross_entropy((32 * moved + LOG_PRIOR)[None], torch.tensor([label])))
    directions = F.normalize(model.linear.weight)
    pairs = [directions[k] @ directions[j] for k in range(CLASSES) for j in range(CLASSES) if k != j]
    uniformity = (10 * torch.stack(pairs)).exp().mean().log() / 10
    return torch.stack(losses).mean() + 0.1 * uniformity


# Loss, radius of SAM, whether the classifier is a cosine one, decay of the average.
METHODS = {
    "vs-sam": (vs_loss, 0.1, False, None),
    "vs-sam-adrw": (adrw, 0.2, False, None),
    "dbm-bs-400+uniformity": (dbm, 0.0, True, 0.999),
}


def main():
    answers = {}
    images = noise(1000, torch.Size([BATCH, 3, 32, 32])).double()
    for name, (loss_of, radius, cosine, decay) in METHODS.items():
        # The models of this program have no projection head.
        model = Network((0, False), False, cosine).double()
        del model.projection
        state = tensors_of(model)
        for stream, parameter in enumerate(sorted(state)):
            state[parameter].copy_(initial(stream, parameter, state[parameter].shape))
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=2e-4)
        average = decay and AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = loss_of(model, model.features(images))
            loss.backward()
            answers[f"{name}.step{step}.loss"] = kept(loss.reshape(1))
            if radius:
                parameters = list(model.parameters())
                norm = torch.stack([p.grad.square().sum() for p in parameters]).sum().sqrt()
                before = [p.detach().clone() for p in parameters]
                with torch.no_grad():
                    for p in parameters:
                        p.add_(radius * p.grad / (norm + 1e-12))
                optimizer.zero_grad()
                loss_of(model, model.features(images)).backward()
                with torch.no_grad():
                    for p, value in zip(parameters, before):
                        p.copy_(value)
            optimizer.step()
            if average:
                average.update_parameters(model)
        models = {"after": model} | ({"average": average.module} if average else {})
        for key, kind in models.items():
            for parameter, value in tensors_of(kind).items():
                if parameter.startswith(("linear", "conv1", "bn1", "layer3.2")):
                    answers[f"{name}.{key}.{parameter}"] = kept(value)
    save_file(answers, HERE / "single_network_steps.safetensors")


if __name__ == "__main__":
    main()
