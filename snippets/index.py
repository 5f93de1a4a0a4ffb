"""A small network that learns the sine, and what it draws. Page: docs/index.md"""

import prelude  # noqa: F401

# --8<-- [start:fit]
import matplotlib.pyplot as plt
import torch
from torch import nn

lr = 0.02
width = 32

x = torch.linspace(-6, 6, 200).unsqueeze(1)
y = torch.sin(x)
net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=lr)

before = net(x).detach()
for step in range(1000):
    loss = (net(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

plt.plot(x, before, ":", color="gray", label="untrained")
plt.plot(x, y, linewidth=6, alpha=0.3, label="the sine")
plt.plot(x, net(x).detach(), label="trained")
plt.title("A network learns the sine")
plt.legend(loc="upper left", ncols=3, fontsize=8, frameon=False)
plt.ylim(-1.6, 1.9)
plt.show()
print(f"loss after {step + 1} steps: {loss.item():.5f}")
# --8<-- [end:fit]
if (lr, width) == (0.02, 32):
    assert loss < 0.01 < (before - y).square().mean()
slopes = net(x).detach().diff(dim=0)
if width == 1:
    assert loss > 0.3 and (slopes.ge(0).all() or slopes.le(0).all())  # it only rises, or only falls
if lr == 0.0002:
    assert loss > 0.05  # not enough steps
if (lr, width) == (10.0, 32):
    assert loss > 0.01  # steps over the goal, on any processor: 0.03 to 0.9 with twelve seeds
