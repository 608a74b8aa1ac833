"""CGI as pure functions (RFC 3875): what a guest is given and what its answer means. No
files, no engine."""
