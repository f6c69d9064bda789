"""Writes experts_steps.safetensors: two steps of RIDE with three experts (Wang et al. 2021), with and without L_W + L_B, and
of SADE (Zhang et al. 2022) in PyTorch, in double precision.

    pip install torch safetensors
    python experts_steps.py

A ResNet-20 with a shared stem and first stage and, for each expert, its own stages of 24 and 48 channels and cosine
classifier. RIDE is in epoch 161 of 200, with class weights and temperatures. L_W and L_B have learnable centres for each
expert and are averaged over the experts. Initial values as in resnet18_steps.py.
"""

import torch
import torch.nn.functional as F
from resnet18_steps import HERE, initial, kept, noise
from safetensors.torch import save_file
from torch import nn

from resnet import BasicBlock

BATCH, EXPERTS, SCALE = 16, 3, 30.0
COUNTS = torch.tensor([60, 40, 30, 20, 16, 10, 8, 6, 4, 2]).double()
CLASSES = len(COUNTS)
PRIOR = COUNTS / COUNTS.sum()


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        stage = lambda before, after: nn.Sequential(
            BasicBlock(before, after, False), *(BasicBlock(after, after, False) for _ in range(2))
        )
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16)
        self.layer2s = nn.ModuleList(stage(16, 24) for _ in range(EXPERTS))
        self.layer3s = nn.ModuleList(stage(24, 48) for _ in range(EXPERTS))
        self.linears = nn.ModuleList(nn.Linear(48, CLASSES, bias=False) for _ in range(EXPERTS))

    def features(self, x):
        x = self.layer1(F.relu(self.bn1(self.conv1(x))))
        return [third(second(x)).mean((2, 3)) for second, third in zip(self.layer2s, self.layer3s)]

    def logits(self, features):
        cosine = lambda h, linear: SCALE * F.normalize(h) @ F.normalize(linear.weight).T
        return [cosine(h, linear) for h, linear in zip(features, self.linears)]


def effective_number_weights(beta=0.9999):
    weights = (1 - beta) / (1 - beta**COUNTS)
    return weights / weights.sum() * CLASSES


def ldam(logits, labels):
    margins = COUNTS**-0.25
    margins = margins * (0.5 / margins.max())
    shifted = logits - SCALE * margins[labels][:, None] * F.one_hot(labels, CLASSES)
    return F.cross_entropy(shifted, labels, weight=effective_number_weights())


def ride(logits, labels):
    mean = torch.stack(logits).mean(0).detach()
    temperatures = CLASSES * PRIOR * 0.05 + 0.95
    temperatures = temperatures / temperatures.max()
    target = F.softmax(mean / temperatures, 1)
    loss = 0
    for own in logits:
        divergence = F.kl_div(F.log_softmax(own / temperatures, 1), target, reduction="batchmean")
        loss = loss + ldam(own, labels) - 0.45 * temperatures.mean() ** 2 * divergence
    return loss


def sade(logits, labels):
    order = COUNTS.argsort()
    inverse = torch.empty_like(PRIOR)
    inverse[order] = PRIOR[order.flip(0)]
    first, second, third = logits
    third = third + PRIOR.log() - 2 * inverse.log()
    return sum(F.cross_entropy(z, labels) for z in (first, second + PRIOR.log(), third))


def within_class(features, labels, centers):
    total = 0
    for k in labels.unique():
        members = features[labels == k]
        total = total + (members - centers[k]).square().sum(1).mean()
    return total / CLASSES


def between_class(centers):
    directions = F.normalize(centers - centers.mean(0))
    cosines = directions @ directions.T - 4 * torch.eye(CLASSES, dtype=torch.float64)
    return -cosines.max(1).values.clamp(-1 + 1e-7, 1 - 1e-7).acos().mean()


def steps(name, objective, neural_collapse, answers):
    model = Experts().double()
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    for stream, parameter in enumerate(sorted(state)):
        state[parameter].copy_(initial(stream, parameter, state[parameter].shape))
    images = noise(1000, torch.Size([BATCH, 3, 32, 32])).double()
    labels = torch.arange(BATCH) * 7 % CLASSES
    centers = [noise(2000 + e, torch.Size([CLASSES, 48])).double().requires_grad_() for e in range(EXPERTS)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for step in range(2):
        optimizer.zero_grad()
        features = model.features(images)
        loss = objective(model.logits(features), labels)
        if neural_collapse:
            lambda1, lambda2, rate = neural_collapse
            of = zip(features, centers)
            terms = [lambda1 * within_class(h, labels, c) + lambda2 * between_class(c) for h, c in of]
            loss = loss + sum(terms) / EXPERTS
        loss.backward()
        answers[f"{name}.step{step}.loss"] = kept(loss.reshape(1))
        optimizer.step()
        if neural_collapse:
            for c in centers:
                # Plain SGD on the gradient over the weight of this expert's L_W.
                c.data -= rate / (lambda1 / EXPERTS) * c.grad
                c.grad = None
    if neural_collapse:
        for parameter in state:
            answers[f"{name}.after.{parameter}"] = kept(model.state_dict()[parameter])
    model.eval()
    logits = torch.stack(model.logits(model.features(images))).mean(0)
    answers[f"{name}.eval_logits"] = kept(logits)


def main():
    answers = {}
    steps("ride-3", ride, None, answers)
    steps("ride-3+nc", ride, (0.01, 0.5, 0.5), answers)
    steps("sade", sade, None, answers)
    save_file(answers, HERE / "experts_steps.safetensors")


if __name__ == "__main__":
    main()
