"""Writes resnet18_steps.safetensors: three steps of SGD on a ResNet-18 in PyTorch, in double precision.

    pip install torch safetensors
    python resnet18_steps.py

Weights, images and labels follow from a formula that the test has, too (`noise`): 45 MB need not be kept. Of large tensors
every n-th value is kept, 256 or a few more.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "nc-models/python"))
from resnet import resnet18

BATCH, CLASSES, KEPT = 16, 10, 256


def noise(stream, shape):
    """Single-precision numbers in [-1, 1), the same in any language: a hash of position and stream."""
    count = 1
    for size in shape:
        count *= size
    x = (torch.arange(count, dtype=torch.int64) + stream * 0x9E3779B9) & 0xFFFFFFFF
    for multiplier in (0x7FEB352D, 0x846CA68B):
        x = ((x ^ (x >> 16)) * multiplier) & 0xFFFFFFFF
    return (((x ^ (x >> 16)) >> 8).float() / 2**23 - 1).reshape(shape)


def initial(stream, name, shape):
    value = noise(stream, shape)
    if len(shape) > 1:
        fan_in = shape[1:].numel()
        return value * torch.tensor(6 / fan_in).sqrt()
    if name.endswith("weight") or name.endswith("running_var"):
        return 1 + value / 4
    return value / 4


def kept(tensor):
    flat = tensor.detach().flatten()
    return flat[:: max(1, len(flat) // KEPT)].float().clone()


def main():
    model = resnet18(classes=CLASSES).double()
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    for stream, name in enumerate(sorted(state)):
        state[name].copy_(initial(stream, name, state[name].shape))
    images = noise(1000, torch.Size([BATCH, 3, 32, 32])).double()
    labels = torch.arange(BATCH) * 7 % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    answers = {}
    for step in range(3):
        optimizer.zero_grad()
        features = model.features(images)
        logits = model.linear(features)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        answers[f"out.step{step}.loss"] = kept(loss.reshape(1))
        if step == 0:
            answers["out.step0.features"], answers["out.step0.logits"] = kept(features), kept(logits)
            for name, parameter in model.named_parameters():
                answers[f"grad.step0.{name}"] = kept(parameter.grad)
        optimizer.step()
    for name in state:
        answers[f"out.after3.{name}"] = kept(model.state_dict()[name])
    model.eval()
    answers["out.after3.eval_logits"] = kept(model(images))
    save_file(answers, HERE / "resnet18_steps.safetensors")


if __name__ == "__main__":
    main()
