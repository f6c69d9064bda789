"""Writes contrast_steps.safetensors: two steps each of KCL (Kang et al. 2021), TSC (Li et al. 2022), FCL with a queue and a
momentum encoder, BCL (Zhu et al. 2022), ProCo (Du et al. 2024), class-mean contrast, and L_W + L_B on embeddings in
PyTorch, in double precision.

    pip install torch safetensors scipy mpmath
    python contrast_steps.py

A ResNet-20 with a projection head on batches of 16 images, which are too few for KCL to leave out a positive. The views are
different noise, not transforms of the same images. TSC is in epoch 500 of 1,000, when its targets begin. Initial values as
in resnet18_steps.py.
"""

import mpmath
import torch
import torch.nn.functional as F
from resnet18_steps import HERE, initial, kept, noise
from safetensors.torch import save_file
from scipy.optimize import linear_sum_assignment
from torch import nn

from resnet import BasicBlock

BATCH, STEPS = 16, 2
COUNTS = torch.tensor([60, 40, 30, 20, 16, 10, 8, 6, 4, 2]).double()
CLASSES = len(COUNTS)
LABELS = torch.arange(BATCH) * 7 % CLASSES
LOG_PRIOR = (COUNTS / COUNTS.sum()).log()


class Projection(nn.Module):
    def __init__(self, hidden, batch_norm):
        super().__init__()
        if hidden:
            self.hidden = nn.Linear(64, hidden)
        if batch_norm:
            self.norm = nn.BatchNorm1d(hidden)
        self.output = nn.Linear(hidden or 64, 128)

    def forward(self, x):
        if hasattr(self, "hidden"):
            x = self.hidden(x)
            if hasattr(self, "norm"):
                x = self.norm(x)
            x = F.relu(x)
        return F.normalize(self.output(x))


class Network(nn.Module):
    def __init__(self, projection, class_projection, cosine):
        super().__init__()
        blocks = lambda before, after: nn.Sequential(
            BasicBlock(before, after, False), *(BasicBlock(after, after, False) for _ in range(2))
        )
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = blocks(16, 16), blocks(16, 32), blocks(32, 64)
        self.linear = nn.Linear(64, CLASSES, bias=not cosine)
        self.projection = Projection(*projection)
        if class_projection:
            self.class_projection = Projection(*projection)

    def features(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x))).mean((2, 3))


def tensors_of(model):
    return {name: value for name, value in model.state_dict().items() if "num_batches" not in name}


def cross_entropy_by_prior(logits):
    return F.cross_entropy(logits + LOG_PRIOR, LABELS)


def supervised_contrast(anchors, labels, columns, column_labels, own, temperature=0.07, targets=None):
    """Mean over the anchors of -mean_j log p_j over all positives; `own` are columns of the anchor itself and of other views."""
    losses = []
    for i in range(len(anchors)):
        itself, views = own(i)
        logits = [(anchors[i] @ column) / temperature for column in columns]
        places = [j for j in range(len(columns)) if j != itself]
        everything = [logits[j] for j in places]
        target = 0.0
        if targets is not None:
            of_targets = targets @ anchors[i] / temperature
            everything += list(of_targets)
        log_sum = torch.stack(everything).logsumexp(0)
        if targets is not None:
            target = 0.2 * (log_sum - of_targets[ASSIGNED[labels[i]]])
        positives = [j for j in places if j in views or column_labels[j] == labels[i]]
        losses.append(torch.stack([log_sum - logits[j] for j in positives]).mean() + target)
    return torch.stack(losses).mean()


ASSIGNED = {}


class KCL:
    projection, views, cosine, rate, decay = (64, False), 2, True, 0.01, 1e-4

    def loss(self, model, features, embeddings, images):
        both = torch.cat(embeddings)
        labels = [int(label) for label in LABELS] * 2
        own = lambda i: (i, [(i + BATCH) % (2 * BATCH)])
        return supervised_contrast(both, labels, both, labels, own, targets=self.targets(both.detach(), labels))

    def targets(self, embeddings, labels):
        return None


class TSC(KCL):
    """A regular simplex, whose vertex k has the coordinates of Helmert's matrix."""

    def __init__(self):
        helmert = torch.zeros(CLASSES, 128, dtype=torch.float64)
        for j in range(1, CLASSES):
            helmert[:j, j - 1] = (j * (j + 1)) ** -0.5
            helmert[j, j - 1] = -j * (j * (j + 1)) ** -0.5
        self.simplex = F.normalize(helmert)
        self.centroids = torch.zeros(CLASSES, 128, dtype=torch.float64)

    def targets(self, embeddings, labels):
        for k in range(CLASSES):
            mean = embeddings[[label == k for label in labels]].mean(0)
            moved = 0.9 * self.centroids[k] + 0.1 * F.normalize(mean, dim=0)
            self.centroids[k] = F.normalize(moved, dim=0)
        classes, targets = linear_sum_assignment(-(self.centroids @ self.simplex.T).numpy())
        ASSIGNED.update(zip(classes.tolist(), targets.tolist()))
        return self.simplex


class FCL:
    projection, views, cosine, rate, decay = (0, False), 1, False, 0.01, 5e-4

    def __init__(self):
        self.encoder, self.keys, self.labels = None, [], []

    def loss(self, model, features, embeddings, images):
        if self.encoder is None:
            self.encoder = Network(self.projection, False, self.cosine).double()
            self.encoder.load_state_dict(model.state_dict())
        else:
            for slow, fast in zip(self.encoder.parameters(), model.parameters()):
                slow.data = 0.999 * slow.data + 0.001 * fast.data
        with torch.no_grad():
            keys = self.encoder.projection(self.encoder.features(images[1]))
        losses = []
        for i in range(BATCH):
            # The key of the same image, then the queue.
            logits = [embeddings[0][i] @ keys[i] / 0.07]
            logits += [embeddings[0][i] @ key / 0.07 for key in self.keys]
            positive = [True] + [label == LABELS[i] for label in self.labels]
            log_sum = torch.stack(logits).logsumexp(0)
            losses.append(torch.stack([log_sum - z for z, yes in zip(logits, positive) if yes]).mean())
        self.keys += list(keys)
        self.labels += list(LABELS)
        return torch.stack(losses).mean()


class BCL:
    projection, views, cosine, rate, decay = (512, True), 3, False, 0.01, 5e-4
    class_projection = True

    def loss(self, model, features, embeddings, images):
        prototypes = model.class_projection(model.linear.weight)
        members = list(embeddings[1]) + list(embeddings[2]) + list(prototypes)
        labels = list(LABELS) * 2 + list(range(CLASSES))
        losses = []
        for i in range(2 * BATCH):
            denominator, positives = 0, []
            for k in range(CLASSES):
                of_class = [j for j in range(len(members)) if labels[j] == k and j != i]
                similarities = [members[i] @ members[j] / 0.1 for j in of_class]
                denominator = denominator + torch.stack(similarities).exp().mean()
                if k == labels[i]:
                    positives = similarities
            losses.append(denominator.log() - torch.stack(positives).mean())
        return 2.0 * cross_entropy_by_prior(model.linear(features[0])) + 0.6 * torch.stack(losses).mean()


class LogBessel(torch.autograd.Function):
    """log I_nu(x) - nu log x, with derivative I_{nu+1}(x) / I_nu(x)."""

    @staticmethod
    def forward(ctx, x, nu):
        mpmath.mp.dps = 30
        value, ratio = torch.empty_like(x), torch.empty_like(x)
        for place in range(x.numel()):
            at = mpmath.mpf(x.flatten()[place].item())
            bessel = mpmath.besseli(nu, at)
            value.view(-1)[place] = float(mpmath.log(bessel) - nu * mpmath.log(at))
            ratio.view(-1)[place] = float(mpmath.besseli(nu + 1, at) / bessel)
        ctx.save_for_backward(ratio)
        return value

    @staticmethod
    def backward(ctx, gradient):
        (ratio,) = ctx.saved_tensors
        return gradient * ratio, None


class ProCo:
    projection, views, cosine, rate, decay = (512, True), 3, False, 0.01, 2e-4

    def __init__(self):
        self.sums, self.amounts = torch.zeros(CLASSES, 128).double(), torch.zeros(CLASSES).double()

    def of_view(self, embedding):
        for vector, label in zip(embedding.detach(), LABELS):
            self.sums[label] += vector
            self.amounts[label] += 1
        means = self.sums / self.amounts[:, None]
        length = means.norm(dim=1)
        kappa = (128 * length / (1 - length**2)).clamp(max=1e5)
        kappa[length >= 1] = 1e5
        directions = F.normalize(means)
        moved = kappa[:, None] * directions + embedding[:, None, :] / 0.1
        logits = LogBessel.apply(moved.norm(dim=2), 63) - LogBessel.apply(kappa, 63)
        return cross_entropy_by_prior(logits)

    def loss(self, model, features, embeddings, images):
        contrast = (self.of_view(embeddings[1]) + self.of_view(embeddings[2])) / 2
        return cross_entropy_by_prior(model.linear(features[0])) + contrast


class ClassMeans:
    projection, views, cosine, rate, decay = (512, True), 3, False, 0.01, 5e-4

    def __init__(self):
        self.means = None

    def of_view(self, embedding):
        of_batch = torch.stack([embedding.detach()[LABELS == k].mean(0) for k in range(CLASSES)])
        self.means = of_batch if self.means is None else 0.99 * self.means + 0.01 * of_batch
        return cross_entropy_by_prior(embedding @ F.normalize(self.means).T / 0.1)

    def loss(self, model, features, embeddings, images):
        contrast = (self.of_view(embeddings[1]) + self.of_view(embeddings[2])) / 2
        return cross_entropy_by_prior(model.linear(features[0])) + contrast


class ThreeViews:
    projection, views, cosine, rate, decay = (512, True), 3, False, 0.01, 5e-4

    def loss(self, model, features, embeddings, images):
        return sum(cross_entropy_by_prior(model.linear(own)) for own in features) / 3


class Embeddings:
    """L_W and L_B on the embeddings of the second and third view, with moving averages as centres."""

    projection, views, cosine, rate, decay = (512, True), 3, False, 0.01, 5e-4

    def __init__(self):
        self.centers = noise(2000, torch.Size([CLASSES, 128])).double()

    def loss(self, model, features, embeddings, images):
        both, labels = torch.cat(embeddings[1:]), torch.cat([LABELS, LABELS])
        means = torch.stack([both[labels == k].mean(0) for k in range(CLASSES)])
        centers = 0.9 * self.centers + 0.1 * means
        self.centers = centers.detach()
        within = 0
        for k in range(CLASSES):
            within = within + (both[labels == k] - self.centers[k]).square().sum(1).mean()
        directions = F.normalize(centers - centers.mean(0))
        cosines = directions @ directions.T - 4 * torch.eye(CLASSES, dtype=torch.float64)
        between = -cosines.max(1).values.clamp(-1 + 1e-7, 1 - 1e-7).acos().mean()
        return cross_entropy_by_prior(model.linear(features[0])) + 0.01 * within / CLASSES + 0.1 * between


METHODS = {
    "kcl": KCL,
    "tsc": TSC,
    "fcl": FCL,
    "bcl": BCL,
    "proco": ProCo,
    "class-mean-contrast": ClassMeans,
    "la-three-views": ThreeViews,
    "la-first-of-three-views+nc-embeddings": Embeddings,
}


def main():
    answers = {}
    images = [noise(1000 + view, torch.Size([BATCH, 3, 32, 32])).double() for view in range(3)]
    for name, kind in METHODS.items():
        method = kind()
        model = Network(kind.projection, getattr(kind, "class_projection", False), kind.cosine).double()
        state = tensors_of(model)
        for stream, parameter in enumerate(sorted(state)):
            state[parameter].copy_(initial(stream, parameter, state[parameter].shape))
        optimizer = torch.optim.SGD(model.parameters(), lr=kind.rate, momentum=0.9, weight_decay=kind.decay)
        for step in range(STEPS):
            optimizer.zero_grad()
            # One pass of all views together.
            features = model.features(torch.cat(images[: kind.views]))
            embeddings = model.projection(features).split(BATCH)
            loss = method.loss(model, features.split(BATCH), embeddings, images)
            loss.backward()
            optimizer.step()
            answers[f"{name}.step{step}.loss"] = kept(loss.reshape(1))
        for parameter, value in tensors_of(model).items():
            if parameter.startswith(("linear", "projection", "class_projection", "conv1", "bn1", "layer3.2.conv2")):
                answers[f"{name}.after.{parameter}"] = kept(value)
    save_file(answers, HERE / "contrast_steps.safetensors")


if __name__ == "__main__":
    main()
