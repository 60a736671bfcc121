#!/usr/bin/env python3
"""Servers that are no Redis: redis_none.py KIND PORT. What they do with whoever connects."""
import socket
import sys
import threading
import time

ANSWERS = {
    "garbage": b"\x00\xff nonsense\r\n" * 100,
    "list": b"*2000000000\r\n",
    "deep": b"*1\r\n" * 1000,
    "types": b":1\r\n*1\r\n*1\r\n:2\r\n+OK\r\n$-1\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
}


def serve(kind, peer):
    try:
        if kind == "closes":
            peer.recv(64)
        elif kind == "silent":
            time.sleep(60)
        elif kind == "echoes":
            while told := peer.recv(65536):
                words = told.decode(errors="replace").split("\r\n")[2::2]
                peer.sendall(f"-ERR unknown command, with args beginning with: {words}\r\n".encode())
        elif kind == "endless":
            peer.recv(64)
            peer.sendall(b"$1000000000\r\n")
            while True:
                peer.sendall(b"x" * 65536)
        else:
            while peer.recv(65536):
                peer.sendall(ANSWERS[kind])
    except OSError:
        pass
    peer.close()


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(kind, peer), daemon=True).start()


main()
