"""Networks as PyTorch has them, their weights as it saves them, and what it computes by them.

    python models.py                 # thin ones: models/*.safetensors and models/models.json, which are committed
    python models.py --full FOLDER   # as published: 1.1 GB, for FALTUNG_MODELS=FOLDER cargo test --test nn_models
    python models.py --check FOLDER  # that PyTorch loads strictly what that test has saved there, and computes the same

The modules are torchvision's as to names and order; MobileNet-v1, which torchvision lacks, is named as in this library.
Inputs are not stored: number i of one is ((i * 37) mod 4096) / 2048 - 1.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from torch import nn


def convolution(inputs, outputs, taps, stride=1):
    return nn.Conv2d(inputs, outputs, taps, stride, taps // 2, bias=False)


class Block(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        if bottleneck:
            shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            shapes = [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        for number, shape in enumerate(shapes, 1):
            setattr(self, f"conv{number}", convolution(*shape))
            setattr(self, f"bn{number}", nn.BatchNorm2d(shape[1]))
        self.count = len(shapes)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            if number < self.count:
                y = torch.relu(y)
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, classes, width=64):
        super().__init__()
        self.conv1, self.bn1 = convolution(3, width, 7, 2), nn.BatchNorm2d(width)
        channels = width
        for stage, count in enumerate(blocks):
            layer = []
            for block in range(count):
                layer.append(Block(channels, width << stage, 2 if stage and not block else 1, bottleneck))
                channels = (width << stage) * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


class Plain(nn.Module):
    """AlexNet and VGG."""

    def __init__(self, features, extent, classifier):
        super().__init__()
        self.features, self.avgpool = nn.Sequential(*features), nn.AdaptiveAvgPool2d(extent)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def vgg(convolutions, classes, width=64, hidden=4096):
    features, channels = [], 3
    for count, factor in zip(convolutions, [1, 2, 4, 8, 8]):
        for _ in range(count):
            features += [nn.Conv2d(channels, width * factor, 3, padding=1), nn.ReLU()]
            channels = width * factor
        features.append(nn.MaxPool2d(2))
    dense = [nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU()]
    return Plain(features, 7, dense + [nn.Dropout(), nn.Linear(hidden, classes)])


def alexnet(classes):
    relu, pool = nn.ReLU(), lambda: nn.MaxPool2d(3, 2)
    features = [nn.Conv2d(3, 64, 11, 4, 2), relu, pool(), nn.Conv2d(64, 192, 5, padding=2), relu, pool()]
    features += [nn.Conv2d(192, 384, 3, padding=1), relu, nn.Conv2d(384, 256, 3, padding=1), relu]
    features += [nn.Conv2d(256, 256, 3, padding=1), relu, pool()]
    dense = [nn.Dropout(), nn.Linear(256 * 36, 4096), relu, nn.Dropout(), nn.Linear(4096, 4096), relu]
    return Plain(features, 6, dense + [nn.Linear(4096, classes)])


class MobileNet(nn.Module):
    def __init__(self, classes, width=32):
        super().__init__()

        def with_norm(layer):
            return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]

        features, channels = [nn.Sequential(*with_norm(convolution(3, width, 3, 2)))], width
        strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
        for factor, stride in zip([2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32], strides):
            depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
            pointwise = convolution(channels, width * factor, 1)
            features.append(nn.Sequential(*with_norm(depthwise), *with_norm(pointwise)))
            channels = width * factor
        self.features, self.classifier = nn.Sequential(*features), nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def build(case):
    name, classes, width = case["model"], case["classes"], case["width"]
    if name.startswith("resnet"):
        return ResNet({"18": [2, 2, 2, 2]}.get(name[6:], [3, 4, 6, 3]), name == "resnet50", classes, width)
    if name.startswith("vgg"):
        return vgg({"11": [1, 1, 2, 2, 2], "16": [2, 2, 3, 3, 3]}[name[3:]], classes, width, case["hidden"])
    return alexnet(classes) if name == "alexnet" else MobileNet(classes, width)


def randomise(model):
    """First weights by which no layer's output fades away, and batch norms that have seen something."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.2, 1)
            module.num_batches_tracked.fill_(7)


def sample(shape):
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    return ((count * 37 % 4096).double() / 2048 - 1).reshape(shape)


THIN = [
    dict(model="resnet18", width=2, classes=5, shape=[2, 3, 64, 40]),
    dict(model="resnet50", width=2, classes=5, shape=[2, 3, 41, 64]),
    dict(model="vgg16", width=2, hidden=8, classes=5, shape=[2, 3, 64, 96]),
    dict(model="mobilenet_v1", width=2, classes=5, shape=[2, 3, 64, 40]),
]
FULL = [
    dict(model=model, width=width, hidden=4096, classes=1000, shape=shape)
    for model, width in [("resnet18", 64), ("vgg16", 64), ("mobilenet_v1", 32), ("resnet50", 64), ("alexnet", 64)]
    for shape in ([2, 3, 224, 224], [2, 3, 96, 64])
]


@torch.no_grad()
def write(folder, cases):
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for case in cases:
        name = case["model"]
        if name not in written:
            torch.manual_seed(1)
            model = written[name] = build(case)
            randomise(model)
            model.eval()
            save_file(model.state_dict(), folder / f"{name}.safetensors")
            model.double()
        logits = written[name](sample(case["shape"]))
        distance = (logits[0] - logits[1]).abs().max() / logits.abs().max()
        assert distance > 1e-3, f"{name} makes the same of two inputs"
        case["parameters"] = sum(p.numel() for p in written[name].parameters())
        case["logits"] = logits.flatten().tolist()
        print(name, case["shape"], case["parameters"], f"{logits.abs().max():.3} {distance:.3}")
    (folder / "models.json").write_text(json.dumps(cases))


@torch.no_grad()
def check(folder):
    for case in json.loads((folder / "models.json").read_text()):
        model, saved = build(case).eval(), load_file(folder / "saved" / f"{case['model']}.safetensors")
        model.load_state_dict(saved, strict=True)
        original = load_file(folder / f"{case['model']}.safetensors")
        assert all(torch.equal(saved[name], original[name]) for name in original)
        logits, expected = model.double()(sample(case["shape"])).flatten(), torch.tensor(case["logits"]).double()
        assert torch.allclose(logits, expected, rtol=1e-6)
        print(case["model"], case["shape"], "loads strictly, the same logits")


parser = argparse.ArgumentParser()
parser.add_argument("--full", type=pathlib.Path)
parser.add_argument("--check", type=pathlib.Path)
arguments = parser.parse_args()
if arguments.full:
    write(arguments.full, FULL)
elif arguments.check:
    check(arguments.check)
else:
    write(pathlib.Path(__file__).parent / "models", THIN)
