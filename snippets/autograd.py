"""Gradients: one training step of a real network, then Q = 3a³ - b² by hand. Page: docs/autograd.md"""

import prelude  # noqa: F401

# --8<-- [start:model]
import torch
from torchvision.models import ResNet18_Weights, resnet18

import data  # markdown-exec: hide
print(data.ready("resnet18"))  # markdown-exec: hide
model = resnet18(weights=ResNet18_Weights.DEFAULT)
images = torch.rand(1, 3, 64, 64)  # a batch of one image: channels, height, width
labels = torch.rand(1, 1000)  # one value for each ImageNet class
print(sum(p.numel() for p in model.parameters()), "parameters")  # (1)!
# --8<-- [end:model]

# --8<-- [start:forward]
prediction = model(images)  # forward pass
assert prediction.shape == labels.shape  # markdown-exec: hide
# --8<-- [end:forward]

# --8<-- [start:backward]
loss = (prediction - labels).sum()
assert all(p.grad is None for p in model.parameters())  # markdown-exec: hide
loss.backward()  # backward pass
assert all(p.grad is not None for p in model.parameters())  # markdown-exec: hide
# --8<-- [end:backward]

# --8<-- [start:optimizer]
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
# --8<-- [end:optimizer]

# --8<-- [start:step]
before = [p.detach().clone() for p in model.parameters()]  # markdown-exec: hide
optimizer.step()  # gradient descent
for old, p in zip(before, model.parameters()):  # markdown-exec: hide
    assert torch.allclose(p, old - 1e-2 * p.grad)  # markdown-exec: hide
# --8<-- [end:step]

# --8<-- [start:leaves]
import torch

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
assert a.grad_fn is None and (a + b).grad_fn is not None  # markdown-exec: hide
# --8<-- [end:leaves]

# --8<-- [start:q]
Q = 3 * a**3 - b**2
# --8<-- [end:q]

# --8<-- [start:q_backward]
external_grad = torch.tensor([1.0, 1.0])
try:  # markdown-exec: hide
    Q.backward()  # markdown-exec: hide
except RuntimeError as problem:  # markdown-exec: hide
    assert "scalar" in str(problem)  # markdown-exec: hide
else:  # markdown-exec: hide
    raise AssertionError("a vector knew where to start")  # markdown-exec: hide
Q.backward(gradient=external_grad)
# --8<-- [end:q_backward]

# --8<-- [start:check]
# are they what we worked out by hand?
print(9 * a**2 == a.grad)
print(-2 * b == b.grad)
try:  # markdown-exec: hide
    Q.sum().backward()  # markdown-exec: hide
except RuntimeError as problem:  # markdown-exec: hide
    assert "second time" in str(problem)  # markdown-exec: hide
else:  # markdown-exec: hide
    raise AssertionError("the graph was kept")  # markdown-exec: hide
assert torch.equal(9 * a**2, a.grad) and torch.equal(-2 * b, b.grad)  # markdown-exec: hide
# --8<-- [end:check]

# --8<-- [start:scalar]
from torch.autograd import grad

Q = 3 * a**3 - b**2
print(grad(Q.sum(), (a, b)))
again = grad((3 * a**3 - b**2).sum(), (a, b))  # markdown-exec: hide
assert torch.equal(again[0], a.grad) and torch.equal(again[1], b.grad)  # markdown-exec: hide
# --8<-- [end:scalar]

# --8<-- [start:jacobian]
from torch.autograd.functional import jacobian

J = jacobian(lambda a: 3 * a**3 - b**2, a)
v = external_grad
print(J)
print(J.T @ v == a.grad)  # (1)!
assert torch.equal(J.T @ v, a.grad)  # markdown-exec: hide
assert torch.equal(J, torch.diag(9 * a.detach() ** 2))  # markdown-exec: hide
# --8<-- [end:jacobian]

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
    assert x.grad == (12 if value > 0 else -1)  # markdown-exec: hide
# --8<-- [end:dynamic]

# --8<-- [start:tracking]
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)

a = x + y
print(f"Does `a` require gradients? : {a.requires_grad}")
b = x + z
print(f"Does `b` require gradients?: {b.requires_grad}")
assert torch.rand(1).requires_grad_().requires_grad  # markdown-exec: hide
assert not a.requires_grad and b.requires_grad  # markdown-exec: hide
# --8<-- [end:tracking]

# --8<-- [start:freeze]
from torch import nn, optim

model = resnet18(weights=ResNet18_Weights.DEFAULT)

# no parameter gets a gradient from here on
for param in model.parameters():
    param.requires_grad = False
# --8<-- [end:freeze]

# --8<-- [start:head]
assert model.fc.in_features == 512  # markdown-exec: hide
model.fc = nn.Linear(512, 10)  # (1)!
trainable = [name for name, p in model.named_parameters() if p.requires_grad]  # markdown-exec: hide
assert trainable == ["fc.weight", "fc.bias"]  # markdown-exec: hide
# --8<-- [end:head]

# --8<-- [start:only_head]
# all of them are handed over, one layer will change
optimizer = optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
before = {name: p.detach().clone() for name, p in model.named_parameters()}  # markdown-exec: hide
model(images).sum().backward()  # markdown-exec: hide
optimizer.step()  # markdown-exec: hide
moved = [name for name, p in model.named_parameters() if not torch.equal(p, before[name])]  # markdown-exec: hide
assert moved == ["fc.weight", "fc.bias"], moved  # markdown-exec: hide
# --8<-- [end:only_head]

# --8<-- [start:no_grad]
with torch.no_grad():
    c = x + z
print(c.requires_grad)
assert not c.requires_grad  # markdown-exec: hide
# --8<-- [end:no_grad]

# --8<-- [start:exercise_1]
x = torch.tensor(3.0, requires_grad=True)
y = x * x + 2 * x
y.backward()
print(x.grad)
assert x.grad == 2 * 3 + 2  # markdown-exec: hide
# --8<-- [end:exercise_1]

# --8<-- [start:exercise_2]
x = torch.tensor(3.0, requires_grad=True)
y = x.detach() * 2
print(y.requires_grad)
assert not y.requires_grad  # markdown-exec: hide
# --8<-- [end:exercise_2]

# --8<-- [start:exercise_3]
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.backward(gradient=torch.tensor([1.0, 0.0]))
print(a.grad)
print(b.grad)
assert a.grad[0] == 36 and a.grad[1] == 0 and b.grad[0] == -12 and b.grad[1] == 0  # markdown-exec: hide
# --8<-- [end:exercise_3]
