#!/usr/bin/env python3
"""raw_http.py WHERE [CA]: send standard input as it is, and say what was answered: the status of each answer, one a line, then
"closed" or "open". WHERE: unix:PATH, tcp:PORT, or tls:NAME:PORT (127.0.0.1). "no tls": the handshake did not come about."""
import re
import socket
import ssl
import sys

PATIENCE = 3


def connect(where, ca):
    kind, _, rest = where.partition(":")
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.connect(rest)
        return s
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", int(rest)), PATIENCE)
    name, _, port = rest.rpartition(":")
    return ssl.create_default_context(cafile=ca).wrap_socket(
        socket.create_connection(("127.0.0.1", int(port)), PATIENCE), server_hostname=name)


def main():
    try:
        s = connect(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    except ssl.SSLError:
        print("no tls")
        return
    s.settimeout(PATIENCE)
    got, end = b"", "open"
    try:
        s.sendall(sys.stdin.buffer.read())
        while True:
            piece = s.recv(65536)
            if not piece:
                end = "closed"
                break
            got += piece
            s.settimeout(0.3)  # what is still to come is on its way
    except (socket.timeout, TimeoutError):
        pass
    except OSError:
        end = "closed"
    for status in re.findall(rb"HTTP/1\.[01] (\d\d\d)", got):
        print(status.decode())
    print(end)


main()
