"""What a build does first: fetch data, and look at what has been recorded elsewhere."""

import data
import steps

for name in ("cifar10", "resnet18"):
    data.prepare(name)
steps.write()
