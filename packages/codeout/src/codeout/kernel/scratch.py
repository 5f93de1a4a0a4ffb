"""Names in the scratch folder of a session: the folder of its blocks' files, and the kernel's own beside that."""

FILES = "files"  # the temporary folder of the blocks; in a sandbox, they work there
STDOUT = ".stdout"  # what C code and child processes print
STDERR = ".stderr"
STACKS = ".stacks"  # tracebacks of all threads, written when a block exceeds its time limit
CHECKPOINTS = ".checkpoints"  # copies of `FILES`, one for each checkpoint
BRANCHES = ".branches"  # copies of `FILES`, one for each case of a sweep
EXIT = ".exit"  # how the kernel ended, by its supervisor
