"""`python -m codeout.kernel PARENT_PID FOLDER...`: start a kernel; its blocks import from the folders."""

import sys

from codeout.kernel.serve import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2:])
