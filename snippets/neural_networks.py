"""A LeNet-style network: define it, run it, and take one step of training. Page: docs/neural_networks.md"""

import prelude  # noqa: F401

# --8<-- [start:convolve]
import matplotlib.cbook
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

photo = plt.imread(matplotlib.cbook.get_sample_data("grace_hopper.jpg"))  # (1)!
gray = torch.tensor(photo / 255.0).float().mean(dim=2)[::2, ::2]  # (300, 256)  # (2)!

name = "vertical edges"
filters = {
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "blur": [[1 / 9, 1 / 9, 1 / 9]] * 3,
}
weight = torch.tensor(filters[name], dtype=torch.float32)  # (3, 3)
seen = F.conv2d(gray[None, None], weight[None, None])[0, 0]  # (3)!

figure, (left, right) = plt.subplots(1, 2, figsize=(4.8, 2.9))
left.imshow(gray.numpy(), cmap="gray")
left.set_title("the photograph")
right.imshow(seen.numpy(), cmap="gray")
right.set_title(f"after the filter: {name}")
for side in (left, right):
    side.axis("off")
plt.show()
# --8<-- [end:convolve]
assert gray.shape == (300, 256)
assert seen.shape == (298, 254)  # two fewer than 300 and 256
by_hand = (gray[10:13, 20:23] * weight).sum()
assert torch.isclose(seen[10, 20], by_hand, atol=1e-5)

# --8<-- [start:net]
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)  # (1)!
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)  # (2)!
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # (N, 1, 32, 32)
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))  # (N, 6, 14, 14)  # (3)!
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, 5, 5)
        x = torch.flatten(x, 1)  # (N, 400)  # (4)!
        x = F.relu(self.fc1(x))  # (N, 120)
        x = F.relu(self.fc2(x))  # (N, 84)
        return self.fc3(x)  # (N, 10)


net = Net()
print(net)
# --8<-- [end:net]
bare = nn.Module()
bare.layers = [nn.Linear(1, 1)]
assert not list(bare.parameters())
bare.layers = nn.ModuleList(bare.layers)
assert len(list(bare.parameters())) == 2
unprepared = nn.Module.__new__(nn.Module)  # as if `super().__init__()` were missing
try:
    unprepared.layer = nn.Linear(1, 1)
except AttributeError as problem:
    assert "__init__" in str(problem)
else:
    raise AssertionError("a module takes layers before it is set up")
assert net.conv2.weight.shape == (16, 6, 5, 5)

# --8<-- [start:diagram]
import figures

example = torch.zeros(1, 1, 32, 32)
figures.show(figures.network(net, example), "neural-networks-net")
shapes = [stage.shape for stage in figures.stages(net, example) if "pooling" in stage.name]
assert shapes == [(6, 14, 14), (16, 5, 5)]
assert [s.shape for s in figures.stages(net, example) if "convolution" in s.name] == [(6, 28, 28), (16, 10, 10)]
# --8<-- [end:diagram]

# --8<-- [start:kernel_sizes]
size = 5


def shrink(pixels):
    return (pixels - size + 1) // 2  # a convolution, then pooling


after = shrink(shrink(32))
flat = 16 * after * after
conv = nn.Sequential(nn.Conv2d(1, 6, size), nn.MaxPool2d(2), nn.Conv2d(6, 16, size), nn.MaxPool2d(2), nn.Flatten())
head = nn.Sequential(nn.Linear(flat, 120), nn.Linear(120, 84), nn.Linear(84, 10))
print(f"16 maps of {after} by {after}: {flat} numbers")
print(f"parameters of conv: {sum(p.numel() for p in conv.parameters()):6,}")
print(f"parameters of head: {sum(p.numel() for p in head.parameters()):6,}")
# --8<-- [end:kernel_sizes]
assert conv(torch.zeros(1, 1, 32, 32)).shape == (1, flat)
maps = {each: ((32 - each + 1) // 2 - each + 1) // 2 for each in (3, 5, 7, 9)}
own = [6 * (s**2 + 1) + 16 * (6 * s**2 + 1) for s in maps]
first_layer = [16 * side**2 * 120 for side in maps.values()]
assert maps[5] == 5 and own == sorted(own) and first_layer == sorted(first_layer, reverse=True)
totals = [a + b for a, b in zip(own, first_layer)]
assert totals == sorted(totals, reverse=True) and first_layer[1] > own[1] + 120 * 84 + 84 * 10

# --8<-- [start:parameters]
params = list(net.parameters())
print(len(params))
print(params[0].size())  # conv1's .weight  # (1)!
# --8<-- [end:parameters]
numbers = sum(p.numel() for p in params)
assert len(params) == 10 and all(isinstance(p, nn.Parameter) for p in params)
assert params[0] is net.conv1.weight

# --8<-- [start:forward]
images = torch.randn(1, 1, 32, 32)  # (1)!
out = net(images)
print(out)
# --8<-- [end:forward]
assert out.shape == (1, 10)
try:
    net(torch.zeros(1, 1, 28, 28))
except RuntimeError:
    pass
else:
    raise AssertionError("28 by 28 pixels would do")

# --8<-- [start:random_backward]
net.zero_grad()
out.backward(torch.randn(1, 10))
# --8<-- [end:random_backward]
assert all(p.grad is not None for p in net.parameters())

# --8<-- [start:single]
single = torch.randn(1, 32, 32)  # no batch dimension
print(net.conv1(single).shape)
print(net(single.unsqueeze(0)).shape)
# --8<-- [end:single]
try:
    net(single)
except RuntimeError:
    pass
else:
    raise AssertionError("flatten(x, 1) has taken the channels for a batch")

# --8<-- [start:loss]
output = net(images)
target = torch.randn(10)  # made up
target = target.view(1, -1)  # (1)!
criterion = nn.MSELoss()

loss = criterion(output, target)
print(loss)
# --8<-- [end:loss]
assert torch.allclose(loss, ((output - target) ** 2).mean())

# --8<-- [start:chain]
steps = []
function = loss.grad_fn
while function is not None:
    steps.append(function.name())
    inputs = [f for f, _ in function.next_functions if f is not None]  # (1)!
    # go on toward the image, not into a weight or a bias
    function = next((f for f in inputs if "AccumulateGrad" not in f.name() and f.name() != "TBackward0"), None)
print(*reversed(steps), sep="\n-> ")
# --8<-- [end:chain]
kinds = [step.removesuffix("Backward0") for step in reversed(steps)]
linear_layers = [*["Addmm", "Relu"] * 2, "Addmm"]
assert kinds == [*["Convolution", "Relu", "MaxPool2DWithIndices"] * 2, "View", *linear_layers, "MseLoss"], kinds

# --8<-- [start:chain_drawn]
figures.show(figures.chain(loss, "loss"), "neural_networks-chain")
# --8<-- [end:chain_drawn]

# --8<-- [start:steps_back]
print(loss.grad_fn)  # MSELoss
print(loss.grad_fn.next_functions[0][0])  # Linear
print(loss.grad_fn.next_functions[0][0].next_functions[0][0])  # the Linear's bias
print(loss.grad_fn.next_functions[0][0].next_functions[1][0])  # ReLU
# --8<-- [end:steps_back]
linear = loss.grad_fn.next_functions[0][0]
assert linear.next_functions[0][0].variable is net.fc3.bias
assert linear.next_functions[1][0].name() == "ReluBackward0"
assert linear.next_functions[2][0].next_functions[0][0].variable is net.fc3.weight

# --8<-- [start:accumulate]
once, twice = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.tensor(3.0))
(once**2).backward()
for _ in range(2):
    (twice**2).backward()  # nobody cleared what the first call left
print(once.grad, twice.grad)
# --8<-- [end:accumulate]
assert once.grad == 6 and twice.grad == 12

# --8<-- [start:backprop]
net.zero_grad()  # forgets the gradients of all parameters

print("conv1.bias.grad before backward")
print(net.conv1.bias.grad)
loss.backward()

print("conv1.bias.grad after backward")
print(net.conv1.bias.grad)
# --8<-- [end:backprop]
assert net.conv1.bias.grad.shape == (6,)

# --8<-- [start:update]
learning_rate = 0.01
with torch.no_grad():
    for f in net.parameters():
        f -= learning_rate * f.grad  # (1)!
# --8<-- [end:update]
assert criterion(net(images), target).item() < loss.item()

# --8<-- [start:optim]
import torch.optim as optim

# once
optimizer = optim.SGD(net.parameters(), lr=0.01)

# at every step
optimizer.zero_grad()  # forget the gradients of the step before
output = net(images)
loss = criterion(output, target)
loss.backward()
optimizer.step()  # moves the parameters
# --8<-- [end:optim]

# --8<-- [start:smaller]
print(f"before the step: {loss.item():.4f}, after it: {criterion(net(images), target).item():.4f}")
# --8<-- [end:smaller]
assert round(criterion(net(images), target).item(), 4) < round(loss.item(), 4)

# --8<-- [start:exercise_1]
conv1, conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 5)
x = torch.zeros(1, 1, 32, 32)
x = F.max_pool2d(F.relu(conv1(x)), 2)
print(x.shape)
x = F.max_pool2d(F.relu(conv2(x)), 2)
print(x.shape)
# --8<-- [end:exercise_1]
assert x.shape == (1, 16, 5, 5)

# --8<-- [start:exercise_2]
print(sum(p.numel() for p in net.conv2.parameters()))
# --8<-- [end:exercise_2]
assert sum(p.numel() for p in net.conv2.parameters()) == 16 * 6 * 5 * 5 + 16

# --8<-- [start:exercise_3]
net.zero_grad()
criterion(net(images), target).backward()
once = net.conv1.bias.grad.clone()  # (1)!
criterion(net(images), target).backward()
print(net.conv1.bias.grad / once)
# --8<-- [end:exercise_3]
assert torch.allclose(net.conv1.bias.grad, 2 * once)
