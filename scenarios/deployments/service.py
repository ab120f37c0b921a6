"""A service of a few lines, for trials by the thousand: answers every request with 200 and the release it was started from."""

import os
import socket

root = os.path.dirname(os.path.abspath(__file__))
# One sign of the new release in each directory it changes.
signs = ["src/exo/worker/runner/shutdown_coordinator.py", "dashboard/panels/shutdown.html", "tools/drain.sh"]
found = sum(os.path.exists(f"{root}/{sign}") for sign in signs)
body = b"old\n" if found == 0 else b"new\n" if found == len(signs) else b"mixed\n"
listener = socket.create_server(("127.0.0.1", 5000), reuse_port=False)
while True:
    connection = listener.accept()[0]
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
