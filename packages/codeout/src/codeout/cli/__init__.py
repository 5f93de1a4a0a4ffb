"""The command line. A command translates options into a call and prints what it returns; no rule is here."""
