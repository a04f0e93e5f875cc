"""Layers and blocks as PyTorch computes them in double precision: writes nn_layers.safetensors.

Run with torch and safetensors: python nn_layers.py
Case NAME has the tensors NAME/x, NAME/y, NAME/gy (the loss's gradient by y), NAME/gx unless there is none,
NAME/p.PATH for each parameter before the pass, NAME/g.PATH for its gradient, and NAME/b.PATH for each buffer after it.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)

cases, tensors = [], {}


def case(name, module, x, embedding=False, **arguments):
    module.train()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    start = {path: parameter.detach().clone() for path, parameter in module.named_parameters()}
    x = x.clone() if embedding else x.clone().requires_grad_()
    y = module(x)
    gy = torch.randn_like(y)
    y.backward(gy)
    cases.append({"name": name, **arguments})
    tensors.update({f"{name}/x": x.detach().double(), f"{name}/y": y.detach(), f"{name}/gy": gy})
    if not embedding:
        tensors[f"{name}/gx"] = x.grad
    for path, parameter in module.named_parameters():
        tensors[f"{name}/p.{path}"], tensors[f"{name}/g.{path}"] = start[path], parameter.grad
    for path, buffer in module.named_buffers():
        tensors[f"{name}/b.{path}"] = buffer.detach().double()


class Block(nn.Module):
    """The basic block of torchvision's residual networks."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Branches(nn.Module):
    def __init__(self, branches):
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], 1)


class Words(nn.Module):
    """An embedding turned to channels first."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 5, padding_idx=2)

    def forward(self, x):
        return self.embedding(x).transpose(1, 2)


transposed = [
    ("1", nn.ConvTranspose1d, (2, 4, 7), 4, 6, 3, dict(stride=2, padding=1, output_padding=1)),
    ("2", nn.ConvTranspose2d, (2, 4, 5, 6), 4, 6, 3, dict(stride=2, padding=1, output_padding=1, groups=2)),
    ("2d", nn.ConvTranspose2d, (1, 3, 5, 4), 3, 2, 3, dict(stride=3, padding=2, dilation=2)),
    ("3", nn.ConvTranspose3d, (1, 2, 3, 4, 2), 2, 3, 2, dict(stride=2)),
]
for name, kind, shape, inputs, outputs, kernel, options in transposed:
    arguments = dict(rank=len(shape) - 2, channels=[inputs, outputs], kernel=kernel, **options)
    case(f"transposed{name}", kind(inputs, outputs, kernel, **options), torch.randn(shape), op="transposed", **arguments)

ids = torch.randint(0, 11, (3, 6))
ids[0, 3] = ids[1, 1] = 2
case("embedding", nn.Embedding(11, 5, padding_idx=2), ids, embedding=True, op="embedding")
case("words", Words(), ids, embedding=True, op="words")

for shape, output in [((2, 3, 10), [3]), ((2, 3, 7, 5), [3, 2]), ((1, 2, 3, 3), [7, 7]), ((2, 2, 5, 6, 4), [2, 4, 3])]:
    kind = [nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d][len(output) - 1]
    case(f"adaptive{len(cases)}", kind(tuple(output)), torch.randn(shape), op="adaptive", output=output)
case("global_average", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.randn(2, 5, 7, 6), op="global_average")
case("global_max", nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), torch.randn(2, 5, 7, 6), op="global_max")

pools = [
    ((2, 3, 11), 3, 2, 1), ((2, 3, 8, 11), 3, 2, 0), ((1, 1, 9, 35), 3, 2, 1), ((2, 2, 9, 10), [3, 2], [1, 3], [1, 0]),
    ((1, 2, 6, 5, 7), 2, 2, 0), ((1, 2, 6, 5, 7), 3, 2, 1),
]
for shape, kernel, stride, padding in pools:
    rank = len(shape) - 2
    every = dict(rank=rank, kernel=kernel, stride=stride, padding=padding)
    kinds = [(nn.MaxPool1d, nn.AvgPool1d), (nn.MaxPool2d, nn.AvgPool2d), (nn.MaxPool3d, nn.AvgPool3d)][rank - 1]
    x = torch.randn(shape)
    case(f"max{len(cases)}", kinds[0](kernel, stride, padding), x, op="max", **every)
    case(f"average{len(cases)}", kinds[1](kernel, stride, padding), x, op="average", include=True, **every)
    case(f"average{len(cases)}", kinds[1](kernel, stride, padding, count_include_pad=False), x, op="average", include=False, **every)

case("features", nn.BatchNorm1d(5), 3 * torch.randn(7, 5) + 100, op="batch_norm")
case("signals", nn.BatchNorm1d(5), torch.randn(3, 5, 40) - 2, op="batch_norm")
case("volumes", nn.BatchNorm3d(2), torch.randn(2, 2, 3, 4, 5), op="batch_norm")
case("features_relu", nn.Sequential(nn.BatchNorm1d(5), nn.ReLU()), torch.randn(7, 5), op="batch_norm_relu")
case("images_relu", nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()), torch.randn(2, 3, 6, 7), op="batch_norm_relu")
case("two_axes", nn.LayerNorm([4, 6]), torch.randn(3, 2, 4, 6) + 5, op="layer_norm", shape=[4, 6])

case("identity", Block(3, 3, 1), torch.randn(2, 3, 5, 6), op="block", channels=[3, 3], stride=1)
case("downsample", Block(3, 5, 2), torch.randn(2, 3, 7, 6), op="block", channels=[3, 5], stride=2)
branches = Branches({
    "a": nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU()),
    "b": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
    "c": nn.MaxPool2d(3, 1, 1),
    "d": nn.Identity(),
})
case("inception", branches, torch.randn(2, 3, 5, 6), op="inception")

save_file({k: v.contiguous() for k, v in tensors.items()}, Path(__file__).with_suffix(".safetensors"), {"cases": json.dumps(cases)})
