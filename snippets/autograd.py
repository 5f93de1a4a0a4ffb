"""Gradients: one training step of a real network, then Q = 3a³ - b² by hand. Page: docs/autograd.md"""

import prelude  # noqa: F401

import data

data.ready("resnet18")

# --8<-- [start:slope]
import curves

curves.show_tangents(lambda x: (x - 1) ** 2 / 2 + 0.5, "an error", (-2.5, 4.5), [-1.0, 3.0])
# --8<-- [end:slope]
assert curves.slopes(lambda x: (x - 1) ** 2 / 2 + 0.5, [-1.0, 3.0]) == [-2.0, 2.0]

# --8<-- [start:model]
import torch
from torchvision.models import ResNet18_Weights, resnet18

model = resnet18(weights=ResNet18_Weights.DEFAULT)
images = torch.rand(1, 3, 64, 64)  # a batch of one image: channels, height, width
labels = torch.rand(1, 1000)  # one value for each ImageNet class
print(sum(p.numel() for p in model.parameters()), "parameters")  # (1)!
# --8<-- [end:model]

# --8<-- [start:forward]
prediction = model(images)  # forward pass
# --8<-- [end:forward]
assert prediction.shape == labels.shape
assert all(p.grad is None for p in model.parameters())

# --8<-- [start:backward]
loss = (prediction - labels).sum()
loss.backward()  # backward pass
# --8<-- [end:backward]
assert all(p.grad is not None for p in model.parameters())

# --8<-- [start:optimizer]
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
# --8<-- [end:optimizer]

# --8<-- [start:step]
optimizer.step()  # gradient descent
# --8<-- [end:step]
from copy import deepcopy

twin, again = deepcopy((model, optimizer))
for p, q in zip(model.parameters(), twin.parameters()):
    q.grad = p.grad
again.step()  # now the momentum adds 0.9 of the first step
for p, q in zip(model.parameters(), twin.parameters()):
    assert torch.allclose(q, p - 1e-2 * 1.9 * p.grad)

# --8<-- [start:leaves]
import torch

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
# --8<-- [end:leaves]
assert a.grad_fn is None and (a + b).grad_fn is not None

# --8<-- [start:q]
Q = 3 * a**3 - b**2
# --8<-- [end:q]
try:
    Q.backward()
except RuntimeError as problem:
    assert "scalar" in str(problem)
else:
    raise AssertionError("a vector knew where to start")

# --8<-- [start:q_backward]
external_grad = torch.tensor([1.0, 1.0])
Q.backward(gradient=external_grad)
# --8<-- [end:q_backward]

# --8<-- [start:check]
# are they what we worked out by hand?
print(9 * a**2 == a.grad)
print(-2 * b == b.grad)
# --8<-- [end:check]
try:
    Q.sum().backward()
except RuntimeError as problem:
    assert "second time" in str(problem)
else:
    raise AssertionError("the graph was kept")
assert torch.equal(9 * a**2, a.grad) and torch.equal(-2 * b, b.grad)

# --8<-- [start:scalar]
from torch.autograd import grad

Q = 3 * a**3 - b**2
print(grad(Q.sum(), (a, b)))
# --8<-- [end:scalar]
again = grad((3 * a**3 - b**2).sum(), (a, b))
assert torch.equal(again[0], a.grad) and torch.equal(again[1], b.grad)

# --8<-- [start:jacobian]
from torch.autograd.functional import jacobian

J = jacobian(lambda a: 3 * a**3 - b**2, a)
v = external_grad
print(J)
print(J.T @ v == a.grad)  # (1)!
# --8<-- [end:jacobian]
assert torch.equal(J.T @ v, a.grad)
assert torch.equal(J, torch.diag(9 * a.detach() ** 2))

# --8<-- [start:graph]
import figures

Q = 3 * a**3 - b**2  # anew: `grad` has freed the graph of the last one
figures.show(figures.graph(Q, "Q", {"a": a, "b": b}), "autograd-graph")
found = figures.trace(Q, {"a": a, "b": b})
assert sorted(node.label for node in found.nodes.values()) == [
    "MulBackward0", "PowBackward0", "PowBackward0", "SubBackward0", "a", "b"
]
assert len(found.edges) == 5
# --8<-- [end:graph]

# --8<-- [start:dynamic]
def f(x):
    return x**3 if x > 0 else -x


for value in (2.0, -2.0):
    x = torch.tensor(value, requires_grad=True)
    y = f(x)
    y.backward()
    print(f"f({value}) = {y.item()}, gradient {x.grad.item()}, by {y.grad_fn.name()}")  # (1)!
# --8<-- [end:dynamic]
for value, slope in ((2.0, 12.0), (-2.0, -1.0)):
    f(point := torch.tensor(value, requires_grad=True)).backward()
    assert point.grad == slope

# --8<-- [start:tracking]
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)

a = x + y
print(f"Does `a` require gradients? {a.requires_grad}")
b = x + z
print(f"Does `b` require gradients? {b.requires_grad}")
# --8<-- [end:tracking]
assert torch.zeros(1).requires_grad_().requires_grad
assert not a.requires_grad and b.requires_grad

# --8<-- [start:freeze]
from torch import nn, optim

model = resnet18(weights=ResNet18_Weights.DEFAULT)

# no parameter gets a gradient from here on
for param in model.parameters():
    param.requires_grad = False
# --8<-- [end:freeze]
assert model.fc.in_features == 512

# --8<-- [start:head]
model.fc = nn.Linear(512, 10)  # (1)!
# --8<-- [end:head]
trainable = [name for name, p in model.named_parameters() if p.requires_grad]
assert trainable == ["fc.weight", "fc.bias"]

# --8<-- [start:only_head]
# all of them are handed over, but only one layer will change
optimizer = optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
# --8<-- [end:only_head]
before = {name: p.detach().clone() for name, p in model.named_parameters()}
averages = model.bn1.running_mean.clone()
model(images).sum().backward()
optimizer.step()
moved = [name for name, p in model.named_parameters() if not torch.equal(p, before[name])]
assert moved == ["fc.weight", "fc.bias"], moved
assert model.training and not torch.equal(model.bn1.running_mean, averages)

# --8<-- [start:no_grad]
with torch.no_grad():
    c = x + z
print(c.requires_grad)
# --8<-- [end:no_grad]
assert not c.requires_grad

# --8<-- [start:exercise_1]
x = torch.tensor(3.0, requires_grad=True)
y = x * x + 2 * x
y.backward()
print(x.grad)
# --8<-- [end:exercise_1]
assert x.grad == 2 * 3 + 2

# --8<-- [start:exercise_2]
x = torch.tensor(3.0, requires_grad=True)
y = x.detach() * 2
print(y.requires_grad)
# --8<-- [end:exercise_2]
assert not y.requires_grad

# --8<-- [start:exercise_3]
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.backward(gradient=torch.tensor([1.0, 0.0]))
print(a.grad)
print(b.grad)
# --8<-- [end:exercise_3]
assert a.grad[0] == 36 and a.grad[1] == 0 and b.grad[0] == -12 and b.grad[1] == 0
