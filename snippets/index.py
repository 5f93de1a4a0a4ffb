"""The derivative of a square, checked. Page: docs/index.md"""

import prelude  # noqa: F401

# --8<-- [start:square]
import torch

x = torch.tensor(3.0, requires_grad=True)
y = x**2
y.backward()
print(y)
print(x.grad)
assert x.grad == 2 * x  # markdown-exec: hide
# --8<-- [end:square]
