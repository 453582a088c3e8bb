"""What a person should look at in a student's file, found by reading its syntax tree; nothing of it is run.

policy.py       flags(): libraries that differentiate, looking around in the interpreter (main.py), numeric.py's
numeric.py      what looks like a derivative found numerically
differences.py  the evaluations and quotients of differences: shifts.py, weights.py; calls.py and terms.py
origins.py      what an expression is made of;  bindings.py  what names are bound to
varying.py      may_vary(): whether the file may do another thing in another process
"""
