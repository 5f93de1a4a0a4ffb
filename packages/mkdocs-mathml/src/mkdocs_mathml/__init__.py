"""Formulas of Markdown pages as MathML, made while the site is built. No JavaScript; a wrong formula stops the build.

`pymdownx.arithmatex` finds the formulas, `math-core` converts them, and the font they need is cut out of STIX Two Math.
"""
