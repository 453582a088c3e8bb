"""The platforms that grade for a class: for each, what it takes, and the result file that it gets back.

`package` gives the files of a platform (handgrad autograder writes them), which hold the grader too; run as a module
where the platform grades, it writes the result. What the platforms run themselves is in files/.
"""
