"""The same network on whatever device there is, and how long a step takes there. Page: docs/training_on_gpu.md"""

import prelude  # noqa: F401

# --8<-- [start:device]
import torch

if torch.accelerator.is_available():
    kind = torch.accelerator.current_accelerator().type  # (1)!
    device = torch.device(kind, torch.accelerator.current_device_index())  # (2)!
else:
    device = torch.device("cpu")

print(device)
# --8<-- [end:device]

# --8<-- [start:net]
import torch.nn as nn


def make_net(width=1):
    """The network of the previous page; `width` multiplies its feature maps and hidden layers."""
    return nn.Sequential(
        nn.Conv2d(3, 6 * width, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(6 * width, 16 * width, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(16 * width * 5 * 5, 120 * width), nn.ReLU(),
        nn.Linear(120 * width, 84 * width), nn.ReLU(),
        nn.Linear(84 * width, 10),
    )


net = make_net()
# --8<-- [end:net]
assert sum(p.numel() for p in net.parameters()) == 62_006  # as on the previous page

# --8<-- [start:move]
net.to(device);  # (1)!
# --8<-- [end:move]
import data

data.ready("cifar10")
assert all(p.device.type == device.type for p in net.parameters())

# --8<-- [start:loader]
import torchvision
from torchvision.transforms import v2

transform = v2.Compose(
    [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
)
trainset = torchvision.datasets.CIFAR10(root="./data", train=True, download=True, transform=transform)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=4, shuffle=True)
# --8<-- [end:loader]

# --8<-- [start:batch]
batch = next(iter(trainloader))
inputs, labels = batch[0].to(device), batch[1].to(device)
# --8<-- [end:batch]
assert inputs.device.type == labels.device.type == device.type
assert (inputs is batch[0]) == (device.type == "cpu")

# --8<-- [start:forgotten]
try:
    net(inputs.to("meta"))
except RuntimeError as problem:
    print(problem)
# --8<-- [end:forgotten]
try:
    net(inputs.to("meta"))
except RuntimeError as problem:
    assert "meta" in str(problem) and device.type in str(problem)
else:
    raise AssertionError("a network computes with tensors of another device")

# --8<-- [start:train]
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)  # after the move

losses = []
for step, batch in enumerate(trainloader, start=1):
    inputs, labels = batch[0].to(device), batch[1].to(device)
    optimizer.zero_grad()
    loss = criterion(net(inputs), labels)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step == 2000:
        break

print(f"first 200 steps: {sum(losses[:200]) / 200:.3f}")
print(f"last 200 steps:  {sum(losses[-200:]) / 200:.3f}")
# --8<-- [end:train]
assert sum(losses[-200:]) < sum(losses[:200])

# --8<-- [start:time]
import time


def seconds_per_step(device, width, steps=10):
    """The median time of a training step with 64 images."""
    net = make_net(width).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    inputs, labels = torch.rand(64, 3, 32, 32, device=device), torch.randint(10, (64,), device=device)  # (1)!
    times = []
    for _ in range(3 + steps):  # (2)!
        start = time.perf_counter()
        optimizer.zero_grad()
        criterion(net(inputs), labels).backward()
        optimizer.step()
        if device.type != "cpu":
            torch.accelerator.synchronize()  # (3)!
        times.append(time.perf_counter() - start)
    return torch.tensor(times[3:]).median().item()


widths = [1, 2, 4, 8, 16]
devices = [torch.device("cpu")] + ([device] if device.type != "cpu" else [])
measured = {str(d): [1000 * seconds_per_step(d, width) for width in widths] for d in devices}
for name, milliseconds in measured.items():
    print(name, ", ".join(f"{width}: {ms:.2f} ms" for width, ms in zip(widths, milliseconds)))
# --8<-- [end:time]
assert measured["cpu"][-1] > 4 * measured["cpu"][0]
gains = [c / d for c, d in zip(measured["cpu"], measured[str(devices[-1])])]
assert len(devices) == 1 or gains[-1] > gains[0], gains

# --8<-- [start:chart]
import matplotlib.pyplot as plt

for name, milliseconds in measured.items():
    plt.plot(widths, milliseconds, marker="o", label=name)
plt.xscale("log", base=2)
plt.yscale("log")
plt.xticks(widths, widths)
plt.title("A training step with 64 images")
plt.xlabel("width of the network (1: the tutorial's)")
plt.ylabel("milliseconds")
plt.legend()
plt.show()
# --8<-- [end:chart]

# --8<-- [start:devices]
import step_times_chart

step_times_chart.show()
# --8<-- [end:devices]

# --8<-- [start:exercise_1]
x = torch.zeros(3)
x.to("meta")
print(x.device)
# --8<-- [end:exercise_1]
assert x.device.type == "cpu"

# --8<-- [start:exercise_2]
batch = torch.rand(64, 3, 32, 32)
print(batch.numel() * batch.element_size(), "bytes")
# --8<-- [end:exercise_2]
assert batch.nbytes == 64 * 3 * 32 * 32 * 4

# --8<-- [start:exercise_3]
net = make_net(1).to(device)
print({p.device for p in net.parameters()} == {device})
# --8<-- [end:exercise_3]
assert all(p.device.type == device.type for p in net.parameters())
