"""Writes bbn_steps.safetensors: three steps of BBN (Zhou et al. 2020) in PyTorch, in double precision.

    pip install torch safetensors
    python bbn_steps.py

A ResNet-20 whose last block exists twice; the recipe is that of the authors' code: two passes through the shared blocks, the
features mixed by alpha, two cross entropies, SGD with Nesterov momentum. Epoch 101 of 200. Initial values as in
resnet18_steps.py.
"""

import torch
import torch.nn.functional as F
from resnet18_steps import HERE, initial, kept, noise
from safetensors.torch import save_file
from torch import nn

from resnet import BasicBlock

BATCH, CLASSES = 16, 10


class Bbn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(BasicBlock(16, 16, False) for _ in range(3)))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, False), *(BasicBlock(32, 32, False) for _ in range(2)))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, False), BasicBlock(64, 64, False))
        self.cb_block = BasicBlock(64, 64, False)
        self.rb_block = BasicBlock(64, 64, False)
        self.linear = nn.Linear(128, CLASSES)

    def shared(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x)))

    def features(self, images, branch):
        return branch(self.shared(images)).mean((2, 3))

    def forward(self, images):
        x = self.shared(images)
        both = [branch(x).mean((2, 3)) for branch in (self.cb_block, self.rb_block)]
        return self.linear(torch.cat(both, 1))


def main():
    model = Bbn().double()
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    for stream, name in enumerate(sorted(state)):
        state[name].copy_(initial(stream, name, state[name].shape))
    uniform, reverse = (noise(stream, torch.Size([BATCH, 3, 32, 32])).double() for stream in (1000, 1001))
    uniform_labels = torch.arange(BATCH) * 7 % CLASSES
    reverse_labels = torch.arange(BATCH) * 3 % CLASSES
    alpha = 1 - (100 / 200) ** 2
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=2e-4)
    answers = {}
    for step in range(3):
        optimizer.zero_grad()
        conventional = model.features(uniform, model.cb_block)
        rebalancing = model.features(reverse, model.rb_block)
        mixed = 2 * torch.cat([alpha * conventional, (1 - alpha) * rebalancing], 1)
        logits = model.linear(mixed)
        losses = F.cross_entropy(logits, uniform_labels), F.cross_entropy(logits, reverse_labels)
        loss = alpha * losses[0] + (1 - alpha) * losses[1]
        loss.backward()
        answers[f"out.step{step}.loss"] = kept(loss.reshape(1))
        optimizer.step()
    for name in state:
        answers[f"out.after3.{name}"] = kept(model.state_dict()[name])
    model.eval()
    answers["out.after3.eval_logits"] = kept(model(uniform))
    save_file(answers, HERE / "bbn_steps.safetensors")


if __name__ == "__main__":
    main()
