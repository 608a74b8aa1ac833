"""Moving a site here: what the programs of a cgi-bin need (`scan`), and whether two servers give
the same answers (`compare`).

Nothing here runs a program of the site that is looked at, and none of what is read is believed:
files, names, logs and answers are those of strangers.
"""
