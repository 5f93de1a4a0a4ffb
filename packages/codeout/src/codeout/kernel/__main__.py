"""`python -P -m codeout.kernel PARENT_PID SCRATCH FOLDER...`: start a kernel that works in the current folder.

SCRATCH is the folder of its own files; blocks may import from the other folders.
"""

import sys

from codeout.kernel.serve import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
