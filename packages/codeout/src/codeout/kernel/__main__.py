"""`python -P -m codeout.kernel PARENT_PID SCRATCH CONTROL FOLDER...`: start a kernel that works in the current folder.

SCRATCH is the folder of its own files, CONTROL the descriptor of a socket on which it hands over its forks, or -1;
blocks may import from the other folders.
"""

import sys

from codeout.kernel.serve import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
