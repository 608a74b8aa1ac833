"""Mail that guests send through the program that they know, sendmail: checked, kept in a directory,
and handed to a server after the answer."""
