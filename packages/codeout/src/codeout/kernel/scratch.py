"""Names of the kernel's own files in the scratch folder, which is the working folder of its blocks."""

STDOUT = ".stdout"  # what C code and child processes print
STDERR = ".stderr"
STACKS = ".stacks"  # tracebacks of all threads, written when a block exceeds its time limit
CONTROL = ".control"  # the socket on which the parent waits for checkpoints
CHECKPOINTS = ".checkpoints"  # copies of the folder, one for each checkpoint
INPUTS = ".inputs"  # what other processes of the session than the kernel have read
