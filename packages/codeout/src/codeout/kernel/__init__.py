"""The child process of a session: it executes blocks, captures their outputs, and forks checkpoints.

It imports nothing else of codeout, so that it starts fast; `codeout.run` is the parent's side.
"""
