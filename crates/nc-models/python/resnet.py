"""CIFAR ResNets and ResNet-18 in PyTorch, with the parameter names of nc-models, and a check that weights go both ways.

    pip install torch safetensors
    python resnet.py                                check with random weights
    python resnet.py --weights RUN/weights.safetensors   check with weights of a run
    python resnet.py --model resnet18 --names       print name and shape of each weight

To use weights of ours:       model.load_state_dict(safetensors.torch.load_file("weights.safetensors"), strict=False)
To use weights of PyTorch's:  safetensors.torch.save_file(model.state_dict(), "weights.safetensors")
(strict=False because batch norm's num_batches_tracked, which nothing reads, is not in our files.)
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, in_channels, out_channels, project):
        super().__init__()
        stride = 1 if in_channels == out_channels else 2
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.stride, self.project = stride, project
        if stride != 1 and project:
            convolution = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.stride != 1 and self.project:
            x = self.shortcut(x)
        elif self.stride != 1:
            # Option A: every second pixel, zeros for the new channels, half of them on each side.
            padding = (y.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, padding, padding))
        return F.relu(y + x, inplace=True)


class ResNet(nn.Module):
    def __init__(self, channels, blocks, project, in_channels=3, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.stages = []
        for number, (before, after) in enumerate(zip([channels[0], *channels], channels), 1):
            rest = (BasicBlock(after, after, project) for _ in range(blocks - 1))
            stage = nn.Sequential(BasicBlock(before, after, project), *rest)
            self.stages.append(f"layer{number}")
            self.add_module(self.stages[-1], stage)
        self.linear = nn.Linear(channels[-1], classes)

    def features(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return x.mean((2, 3))

    def forward(self, x):
        return self.linear(self.features(x))


def cifar_resnet(depth=32, in_channels=3, classes=10, width=1):
    return ResNet([16 * width, 32 * width, 64 * width], (depth - 2) // 6, False, in_channels, classes)


def resnet18(in_channels=3, classes=10):
    return ResNet([64, 128, 256, 512], 2, True, in_channels, classes)


MODELS = {"resnet32": cifar_resnet, "resnet18": resnet18}


def logits_of_nc_models(weights, images):
    """The logits of the Rust model, by the example program `logits`."""
    from safetensors.torch import load_file, save_file

    with tempfile.TemporaryDirectory() as directory:
        inputs, outputs = (str(pathlib.Path(directory) / name) for name in ("images", "logits"))
        save_file({"images": images}, inputs)
        manifest = pathlib.Path(__file__).parents[1] / "Cargo.toml"
        command = ["cargo", "run", "--release", "--quiet", "--manifest-path", manifest, "--example", "logits", "--"]
        subprocess.run([*command, weights, inputs, outputs], check=True)
        return load_file(outputs)["logits"]


def relative_error(ours, theirs):
    return ((ours.double() - theirs.double()).norm() / theirs.double().norm()).item()


def check(name, error, bound=1e-4):
    print(f"{name}: relative error of the logits {error:.1e}, bound {bound:.0e}")
    return error <= bound


@torch.no_grad()
def main():
    from safetensors.torch import load_file, save_file

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="weights of a run; without it, PyTorch's random ones only")
    parser.add_argument("--model", choices=MODELS, default="resnet32", help="the model of random weights")
    parser.add_argument("--names", action="store_true", help="print name and shape of each weight and stop")
    args = parser.parse_args()
    torch.manual_seed(0)

    theirs = MODELS[args.model]()
    if args.names:
        for name, value in sorted(theirs.state_dict().items()):
            if not name.endswith("num_batches_tracked"):
                print(name, *value.shape)
        return
    images = torch.randn(64, 3, 32, 32)
    # Running statistics and batch norm's weights that are not the ones it starts with.
    theirs.train()
    for parameter in theirs.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    for _ in range(3):
        theirs(2 * torch.randn(64, 3, 32, 32) + 0.5)
    theirs.eval()
    with tempfile.TemporaryDirectory() as directory:
        weights = str(pathlib.Path(directory) / "weights.safetensors")
        save_file(theirs.state_dict(), weights)
        ok = check("PyTorch's weights here", relative_error(logits_of_nc_models(weights, images), theirs(images)))

    if args.weights:
        state = load_file(args.weights)
        blocks = len({name.split(".")[1] for name in state if name.startswith("layer1.")})
        stem, classes = state["conv1.weight"].shape, state["linear.weight"].shape[0]
        if "layer4.0.conv1.weight" in state:
            ours = resnet18(stem[1], classes)
        else:
            ours = cifar_resnet(6 * blocks + 2, stem[1], classes, stem[0] // 16)
        missing, unexpected = ours.load_state_dict(state, strict=False)
        assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
        ours.eval()
        images = torch.randn(64, stem[1], 32, 32)
        ok &= check("our weights in PyTorch", relative_error(logits_of_nc_models(args.weights, images), ours(images)))
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
