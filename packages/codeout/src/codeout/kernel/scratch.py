"""Names in the scratch folder of a session: where its blocks work, and the kernel's own files beside that."""

FILES = "files"  # the working folder of the blocks
HOME = "home"  # their home folder
STDOUT = ".stdout"  # what C code and child processes print
STDERR = ".stderr"
STACKS = ".stacks"  # tracebacks of all threads, written when a block exceeds its time limit
CONTROL = ".control"  # the socket on which the parent waits for checkpoints
CHECKPOINTS = ".checkpoints"  # copies of the working folder, one for each checkpoint
BRANCHES = ".branches"  # copies of the working folder, one for each case of a sweep
INPUTS = ".inputs"  # what other processes of the session than the kernel have read
