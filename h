HTTP/2 200 
content-type: text/plain
date: Tue, 01 Dec 2026 09:49:05 GMT
server: Apache/2.4.71 (Debian) mod_wsgi/4.9.4 Python/3.11

