"""Convert the formulas of Markdown pages to MathML at build time. No JavaScript; an invalid formula fails the build.

`pymdownx.arithmatex` finds the formulas, `math-core` converts them, and their font is a subset of STIX Two Math.
"""
