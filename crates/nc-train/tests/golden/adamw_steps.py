"""Writes adamw_steps.safetensors: six steps of torch.optim.AdamW in double precision.

    pip install torch safetensors
    python adamw_steps.py

Three parameter groups with learning-rate factors 1, 0.1 and 2; the third parameter has a gradient in every second step only.
The learning rate changes in each step, and gradients are clipped, which takes effect in some of the steps.
"""

import pathlib

import torch
from safetensors.torch import save_file

RATES = {"a": 1.0, "b": 0.1, "c": 2.0}
BASE, DECAY, BETAS, EPS, CLIP = 0.05, 0.1, (0.8, 0.95), 1e-3, 2.0

torch.manual_seed(0)
x, y = torch.randn(8, 3, dtype=torch.double), torch.randn(8, 4, dtype=torch.double)
params = {
    "a": torch.randn(3, 4, dtype=torch.double, requires_grad=True),
    "b": torch.randn(4, dtype=torch.double, requires_grad=True),
    "c": torch.randn(4, dtype=torch.double, requires_grad=True),
}
out = {"in.x": x, "in.y": y} | {f"in.{name}": param.detach().clone() for name, param in params.items()}
groups = [{"params": [param], "lr": BASE * RATES[name]} for name, param in params.items()]
optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=EPS, weight_decay=DECAY)
norms = []
for step in range(6):
    for group, rate in zip(optimizer.param_groups, RATES.values()):
        group["lr"] = BASE / (step + 1) * rate
    predicted = x @ params["a"] + params["b"]
    if step % 2 == 0:
        predicted = predicted * params["c"]
    optimizer.zero_grad(set_to_none=True)
    (predicted - y).square().mean().backward()
    gradients = [param.grad for param in params.values() if param.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    # Not torch.nn.utils.clip_grad_norm_, which adds 1e-6 to the norm.
    if norm > CLIP:
        for gradient in gradients:
            gradient.mul_(CLIP / norm)
    norms.append(norm)
    optimizer.step()
    out |= {f"out.{step}.{name}": param.detach().clone() for name, param in params.items()}
out["out.norms"] = torch.stack(norms)
assert 0 < sum(norm > CLIP for norm in norms) < 6, norms
save_file(out, pathlib.Path(__file__).with_suffix(".safetensors"))
