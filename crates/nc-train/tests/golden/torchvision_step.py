"""Writes torchvision_NETWORK.safetensors for torchvision's resnet18, resnet50 and resnext50_32x4d: one step of SGD in
double precision on four images of 64 x 64 pixels.

    pip install torch torchvision safetensors
    python torchvision_step.py

Weights, images and labels follow from the formula of resnet18_steps.py. Gradients and parameters are kept of the first and last
layers and of the first block of each stage; of large tensors every n-th value.
"""

import re

import torch
import torch.nn.functional as F
import torchvision
from resnet18_steps import HERE, initial, noise
from safetensors.torch import save_file

BATCH, CLASSES, SIZE = 4, 10, 64
KEPT = re.compile(r"(conv1|bn1|fc|layer\d\.0)\..*")


def kept(tensor):
    flat = tensor.detach().flatten()
    # An odd step, so that all channels and taps of a kernel come in.
    return flat[:: (len(flat) // 256) | 1].float().clone()


def step(network):
    model = getattr(torchvision.models, network)(num_classes=CLASSES).double()
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    for stream, name in enumerate(sorted(state)):
        state[name].copy_(initial(stream, name, state[name].shape))
    images = noise(1000, torch.Size([BATCH, 3, SIZE, SIZE])).double()
    labels = torch.arange(BATCH) * 7 % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    features = []
    model.avgpool.register_forward_hook(lambda _module, _inputs, output: features.append(output.flatten(1)))
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    answers = {"out.loss": kept(loss.reshape(1)), "out.features": kept(features[0]), "out.logits": kept(logits)}
    for name, parameter in model.named_parameters():
        if KEPT.fullmatch(name):
            answers[f"grad.{name}"] = kept(parameter.grad)
    optimizer.step()
    for name in filter(KEPT.fullmatch, state):
        answers[f"after.{name}"] = kept(model.state_dict()[name])
    model.eval()
    answers["eval_logits"] = kept(model(images))
    save_file(answers, HERE / f"torchvision_{network}.safetensors")


if __name__ == "__main__":
    for network in ["resnet18", "resnet50", "resnext50_32x4d"]:
        step(network)
