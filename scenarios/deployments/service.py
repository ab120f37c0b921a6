"""A service of a few lines, for trials by the thousand: answers every request with 200 and the release it was started from."""

import os
import socket

root = os.path.dirname(os.path.abspath(__file__))
new = os.path.exists(f"{root}/src/exo/worker/runner/shutdown_coordinator.py")
body = b"new\n" if new else b"old\n"
listener = socket.create_server(("127.0.0.1", 5000), reuse_port=False)
while True:
    connection = listener.accept()[0]
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
