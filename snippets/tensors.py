"""Tensors: arrays with a shape, and what one does with them. Page: docs/tensors.md"""

import prelude  # noqa: F401

# --8<-- [start:make]
import torch

scores = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
print(scores)
print(scores.shape)  # (1)!
# --8<-- [end:make]
assert scores.ndim == 2 and scores.shape == (2, 3)
assert isinstance(scores.shape, tuple)

# --8<-- [start:fill]
print(torch.zeros(2, 3))
print(torch.arange(0, 10, 2))  # (1)!
print(torch.rand(2, 2))  # (2)!
# --8<-- [end:fill]

# --8<-- [start:dtype]
whole = torch.tensor([1, 2, 3])
real = torch.tensor([1.0, 2.0, 3.0])
print(whole.dtype, real.dtype)
print((whole / 2).dtype, (whole + real).dtype)  # (1)!
print(real.to(torch.int64))  # (2)!
# --8<-- [end:dtype]
for mix in (lambda: real @ whole, lambda: torch.nn.Linear(3, 1)(real.double())):
    try:
        mix()
    except RuntimeError as problem:
        assert "dtype" in str(problem)
    else:
        raise AssertionError("two types can be mixed")
assert (real + real.double()).dtype == torch.float64 and real.double().float().dtype == torch.float32
assert torch.tensor(0.1).dtype == torch.float32 and torch.tensor(0.1).element_size() == 4

# --8<-- [start:index]
print(scores[0])  # first row
print(scores[:, 1])  # second column
print(scores[1, 2])  # one entry, still a tensor
print(scores[1, 2].item())  # a plain Python number
print(scores[scores > 2])  # (1)!
# --8<-- [end:index]
assert scores[:, 1:].shape == (2, 2)

# --8<-- [start:operations]
print(scores + scores)
print(scores * scores)  # (1)!
print(scores @ scores.T)  # (2)!
# --8<-- [end:operations]
assert torch.equal(scores @ scores.T, torch.stack([(scores[i] * scores).sum(dim=1) for i in range(2)]))

# --8<-- [start:reduce]
print(scores.sum())
print(scores.sum(dim=0))  # down the rows: one number for each column
print(scores.mean(dim=1))  # along the columns: one for each row
print(scores.argmax(dim=1))  # (1)!
# --8<-- [end:reduce]
assert scores.sum(dim=0).shape == (3,) and scores.sum(dim=1, keepdim=True).shape == (2, 1)

# --8<-- [start:broadcast]
column = torch.tensor([[0], [10], [20]])  # (3, 1)
row = torch.tensor([1, 2, 3, 4])  # (4)
print(column + row)  # (3, 4)
# --8<-- [end:broadcast]

# --8<-- [start:broadcast_drawn]
import figures

figures.show(figures.broadcasting(column, row), "tensors-broadcasting")
# --8<-- [end:broadcast_drawn]
assert (column + row).shape == torch.broadcast_shapes(column.shape, row.shape) == (3, 4)

# --8<-- [start:standardize]
table = torch.tensor([[3.0, 100.0], [1.0, 300.0], [5.0, 500.0]])
mean, spread = table.mean(dim=0), table.std(dim=0)  # (2) each
standard = (table - mean) / spread  # (3, 2) with (2)
print(standard)
# --8<-- [end:standardize]
assert torch.allclose(standard.mean(dim=0), torch.zeros(2), atol=1e-6)
assert torch.allclose(standard.std(dim=0), torch.ones(2))
assert torch.allclose(spread, torch.from_numpy(table.numpy().std(0)) * (3 / 2) ** 0.5)  # NumPy divides by 3, not by 2

# --8<-- [start:mismatch]
try:
    torch.zeros(2, 3) + torch.zeros(2)
except RuntimeError as problem:
    print(problem)
# --8<-- [end:mismatch]

# --8<-- [start:fix]
print((torch.zeros(2, 3) + torch.ones(2).unsqueeze(1)).shape)  # (2, 3) with (2, 1)
# --8<-- [end:fix]

# --8<-- [start:in_place]
counts = torch.zeros(3)
counts.add_(5)  # the underscore: in place
counts[0] = 1  # so is an assignment to a part
counts += 1
print(counts)
# --8<-- [end:in_place]

# --8<-- [start:view]
grid = torch.arange(6)
as_rows = grid.view(2, 3)  # the same six numbers, seen as two rows
as_rows[0, 0] = 100
print(grid)
# --8<-- [end:view]
assert as_rows.data_ptr() == grid.data_ptr()

# --8<-- [start:clone]
copy = grid.clone()
copy[0] = -1
print(grid[0], copy[0])
# --8<-- [end:clone]

# --8<-- [start:numpy]
import numpy as np

array = np.ones(3)
shared = torch.from_numpy(array)
array[0] = 7
print(shared)
shared.numpy()[1] = 8
print(array, torch.tensor(array).dtype)  # (1)!
# --8<-- [end:numpy]
assert np.shares_memory(shared.numpy(), array)
separate = torch.tensor(array)
assert separate.data_ptr() != shared.data_ptr()

# --8<-- [start:device]
print(scores.device)
print(scores.to("meta").device)  # (1)!
# --8<-- [end:device]
assert scores.device.type == "cpu"

# --8<-- [start:batch]
images = torch.rand(4, 3, 32, 32)  # (N, C, H, W)
print(images[0].shape)  # one image: channels, height, width
print(images[0].permute(1, 2, 0).shape)  # (1)!
print(images[0].unsqueeze(0).shape)  # a batch of one
print(images.flatten(1).shape)  # (2)!
# --8<-- [end:batch]
assert images.flatten(1).shape[1] == 3 * 32 * 32

# --8<-- [start:shapes]
weights = torch.rand(10, 3072)  # ten rows of weights, one for each class
bias = torch.rand(10)
answers = images.flatten(1) @ weights.T + bias  # (4, 3072) @ (3072, 10) + (10)
print(answers.shape)
print(answers.argmax(dim=1).shape)  # one class for each image
# --8<-- [end:shapes]

# --8<-- [start:exercise_1]
print((torch.zeros(5, 1, 4) + torch.zeros(3, 1)).shape)
# --8<-- [end:exercise_1]
assert torch.broadcast_shapes((5, 1, 4), (3, 1)) == (5, 3, 4)

# --8<-- [start:exercise_2]
table = torch.arange(6).view(2, 3)
first = table[0]
first *= 10
print(table)
# --8<-- [end:exercise_2]
assert table[0].tolist() == [0, 10, 20]

# --8<-- [start:exercise_3]
pictures = torch.rand(8, 3, 32, 32)
print(pictures.mean(dim=(0, 2, 3)).shape)
# --8<-- [end:exercise_3]
assert torch.allclose(pictures.mean(dim=(0, 2, 3))[1], pictures[:, 1].mean())
