"""What codeout does with a block. Page: docs/for_authors.md"""

import prelude  # noqa: F401

# --8<-- [start:value]
words = "the quick brown fox jumps over the lazy dog".split()
longest = max(map(len, words))
print(len(words), "words")
max(words, key=len)  # (1)!
# --8<-- [end:value]
assert longest == 5

# --8<-- [start:figure]
import matplotlib.pyplot as plt

plt.bar(words, [len(word) for word in words])
plt.xticks(rotation=45)
plt.title("Letters in each word")
plt.show()
# --8<-- [end:figure]

# --8<-- [start:error]
words[len(words)]
# --8<-- [end:error]

# --8<-- [start:sweep]
import math

terms = 10
print(f"pi is about {math.sqrt(6 * sum(1 / k**2 for k in range(1, terms + 1))):.6f}")
# --8<-- [end:sweep]
assert abs(math.sqrt(6 * sum(1 / k**2 for k in range(1, terms + 1))) - math.pi) < 1 / terms

# --8<-- [start:time]
import time

start = time.perf_counter()
sum(number * number for number in range(100_000))
print(f"{1000 * (time.perf_counter() - start):.1f} ms")
# --8<-- [end:time]
