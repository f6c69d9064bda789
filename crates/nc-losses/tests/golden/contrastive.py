"""Writes contrastive.safetensors: contrastive losses and their gradients in double precision, by loops over the formulas of
the papers in PyTorch, and von Mises-Fisher logits by the Bessel functions of mpmath with 40 digits.

    pip install torch safetensors mpmath
    python contrastive.py

Gradients are those of sum_i c_i l_i with c = in.factors, or of the sum of all logits times in.vmf.factors.
"""

from pathlib import Path

import mpmath
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent
SAMPLES, CLASSES, DIMENSIONS, TEMPERATURE = 10, 5, 6, 0.1
# Class 3 has one sample, class 4 none.
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 0, 3, 2, 0])
PACO_ALPHA = 0.05


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def contrastive(similarities, positives, denominators):
    losses = []
    for s, p, d in zip(similarities, positives, denominators):
        if p.sum() == 0:
            losses.append(s.sum() * 0)
            continue
        denominator = sum(d[m] * torch.exp(s[m]) for m in range(len(s)))
        losses.append(-sum(p[j] * torch.log(torch.exp(s[j]) / denominator) for j in range(len(s))) / p.sum())
    return torch.stack(losses)


def supervised_contrastive(z):
    """Khosla et al. 2020, eq. 2."""
    similarity = lambda i, j: torch.exp(z[i] @ z[j] / TEMPERATURE)
    losses = []
    for i in range(SAMPLES):
        others = [a for a in range(SAMPLES) if a != i]
        positives = [p for p in others if LABELS[p] == LABELS[i]]
        denominator = sum(similarity(i, a) for a in others)
        terms = [torch.log(similarity(i, p) / denominator) for p in positives]
        losses.append(-sum(terms) / len(positives) if positives else z.sum() * 0)
    return torch.stack(losses)


def balanced_contrastive(z, prototypes):
    """Zhu et al. 2022: class averaging and class complement."""
    members = [[z[j] for j in range(SAMPLES) if LABELS[j] == k] + [prototypes[k]] for k in range(CLASSES)]
    losses = []
    for i in range(SAMPLES):
        denominator, positives = 0, []
        for k in range(CLASSES):
            # The anchor itself is the same tensor row.
            own = [j for j in range(SAMPLES) if LABELS[j] == k].index(i) if LABELS[i] == k else None
            rest = [v for position, v in enumerate(members[k]) if position != own]
            denominator = denominator + sum(torch.exp(z[i] @ v / TEMPERATURE) for v in rest) / len(rest)
            if LABELS[i] == k:
                positives = rest
        terms = [torch.log(torch.exp(z[i] @ v / TEMPERATURE) / denominator) for v in positives]
        losses.append(-sum(terms) / len(positives))
    return torch.stack(losses)


def parametric_contrastive(logits, z):
    """Cui et al. 2021: the logits compete with the samples; weight 1 at the class, alpha at each positive."""
    losses = []
    for i in range(SAMPLES):
        others = [a for a in range(SAMPLES) if a != i]
        positives = [p for p in others if LABELS[p] == LABELS[i]]
        denominator = sum(torch.exp(logits[i, k]) for k in range(CLASSES))
        denominator = denominator + sum(torch.exp(z[i] @ z[a] / TEMPERATURE) for a in others)
        loss = -torch.log(torch.exp(logits[i, LABELS[i]]) / denominator)
        for p in positives:
            loss = loss - PACO_ALPHA * torch.log(torch.exp(z[i] @ z[p] / TEMPERATURE) / denominator)
        losses.append(loss / (1 + PACO_ALPHA * len(positives)))
    return torch.stack(losses)


def von_mises_fisher(name, embeddings, means, factors, answers):
    """Du et al. 2024, with kappa limited as in the authors' code."""
    mpmath.mp.dps = 40
    dimensions = means.shape[1]
    nu = mpmath.mpf(dimensions) / 2 - 1
    vector = lambda row: [mpmath.mpf(x) for x in row.tolist()]
    norm = lambda v: mpmath.sqrt(sum(x * x for x in v))

    def g(x):
        if x == 0:
            return -nu * mpmath.log(2) - mpmath.loggamma(nu + 1)
        return mpmath.log(mpmath.besseli(nu, x)) - nu * mpmath.log(x)

    logits = torch.zeros(len(embeddings), len(means), dtype=torch.float64)
    gradient = torch.zeros_like(embeddings)
    for k, mean in enumerate(means):
        mean = vector(mean)
        length = norm(mean)
        kappa = min(dimensions * length / (1 - length**2), mpmath.mpf(1e5)) if length < 1 else mpmath.mpf(1e5)
        center = [kappa * x / length for x in mean] if length > 0 else mean
        for i, f in enumerate(embeddings):
            moved = [c + x / mpmath.mpf(TEMPERATURE) for c, x in zip(center, vector(f))]
            x = norm(moved)
            logits[i, k] = float(g(x) - g(kappa))
            slope = mpmath.besseli(nu + 1, x) / mpmath.besseli(nu, x)
            for d in range(dimensions):
                gradient[i, d] += float(factors[i, k].item() * slope * moved[d] / x / mpmath.mpf(TEMPERATURE))
    answers |= {f"in.{name}.embeddings": embeddings, f"in.{name}.means": means, f"in.{name}.factors": factors}
    answers |= {f"out.{name}": logits, f"grad.{name}.embeddings": gradient}


def main():
    answers = {"in.labels": LABELS, "in.factors": normal(1, SAMPLES).abs()}

    def keep(name, loss, **inputs):
        inputs = {key: value.clone().requires_grad_() for key, value in inputs.items()}
        losses = loss(**inputs)
        (losses * answers["in.factors"]).sum().backward()
        answers[f"out.{name}"] = losses.detach()
        for key, value in inputs.items():
            answers[f"in.{key}"] = value.detach()
            answers[f"grad.{name}.{key}"] = value.grad

    embeddings = F.normalize(normal(2, SAMPLES, DIMENSIONS))
    prototypes = F.normalize(normal(3, CLASSES, DIMENSIONS))
    keep("supervised_contrastive", lambda z: supervised_contrastive(z), z=embeddings)
    keep("balanced_contrastive", balanced_contrastive, z=embeddings, prototypes=prototypes)
    keep("parametric_contrastive", parametric_contrastive, logits=normal(4, SAMPLES, CLASSES), z=embeddings)

    positives, denominators = normal(5, SAMPLES, 7).clamp(min=0), normal(6, SAMPLES, 7).clamp(min=0)
    positives[3] = 0
    answers |= {"in.positives": positives, "in.denominators": denominators}
    weighted = lambda similarities: contrastive(similarities, positives, denominators)
    keep("contrastive", weighted, similarities=3 * normal(7, SAMPLES, 7))

    lengths = torch.tensor([0, 0.02, 0.3, 0.6, 0.9, 0.99, 0.9999, 1.0]).double()
    for dimensions in [2, 3, 7, 32, 128]:
        means = lengths[:, None] * F.normalize(normal(8 + dimensions, len(lengths), dimensions))
        features = F.normalize(normal(9 + dimensions, 4, dimensions))
        features[3] = means[5] / lengths[5]
        von_mises_fisher(f"vmf{dimensions}", features, means, normal(10, 4, len(lengths)), answers)
    save_file({name: array.contiguous() for name, array in answers.items()}, HERE / "contrastive.safetensors")


if __name__ == "__main__":
    main()
