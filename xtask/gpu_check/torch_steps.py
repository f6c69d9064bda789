"""Training steps of ResNet-32 in PyTorch on a GPU: batch 128, SGD, channels last. Prints one Markdown row per mode."""

import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, BATCHES, WARM_UP, ROUNDS, STEPS = 128, 8, 30, 5, 100


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class ResNet32(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, channels = [], 16
        for stage, width in enumerate((16, 32, 64)):
            for block in range(5):
                blocks.append(Block(channels, width, 2 if stage and not block else 1))
                channels = width
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(self.blocks(F.relu(self.bn(self.conv(x)))).mean((2, 3)))


def measure(mode, bf16):
    torch.manual_seed(0)
    net = ResNet32().cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, fused=True)
    images = [
        torch.randn(BATCH, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last) for _ in range(BATCHES)
    ]
    labels = [torch.randint(10, (BATCH,), device="cuda") for _ in range(BATCHES)]

    def loss_of(x, y):
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            return F.cross_entropy(net(x).float(), y)

    compiled = loss_of if mode == "eager" else torch.compile(loss_of, mode=None if mode == "compile" else mode)

    def step(number):
        optimizer.zero_grad(set_to_none=True)
        compiled(images[number % BATCHES], labels[number % BATCHES]).backward()
        optimizer.step()

    for number in range(WARM_UP):
        step(number)
    times = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for number in range(STEPS):
            step(number)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - started) / STEPS)
    median = sorted(times)[ROUNDS // 2]
    precision = "bf16" if bf16 else "tf32"
    print(f"| PyTorch {torch.__version__}, {mode} | {precision} | {1e3 * median:.3f} | {BATCH / median:.0f} |", flush=True)


torch.backends.cudnn.benchmark = True
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
print("| PyTorch | precision | step (ms) | images/s |\n|---|---|---:|---:|", flush=True)
for mode, bf16 in (("eager", True), ("eager", False), ("compile", True), ("reduce-overhead", True)):
    measure(mode, bf16)
