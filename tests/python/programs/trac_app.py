#!/usr/bin/env python3
import os
import warnings

warnings.simplefilter("ignore")
os.environ["TRAC_ENV"] = os.environ["DATA"] + "/trac"
os.environ["PYTHON_EGG_CACHE"] = os.environ["DATA"]
from trac.web import cgi_frontend  # noqa: E402

cgi_frontend.run()
