"""What the package knows of Apache httpd: its log, and its configuration."""
