#!/usr/bin/env python3
"""A bad network for TFTP: tftp_relay.py LISTEN_PORT SERVER_PORT [SEED]

Stands between a client and a server on loopback and loses, doubles and delays packets
both ways (so that they overtake each other). Works without root and without netem, which
not every kernel has. Each client port gets two sockets of its own: one that speaks to the
server as the client, one that speaks to the client as the server's transfer.
"""
import heapq
import itertools
import random
import selectors
import socket
import sys
import time

LOSS, DOUBLED, DELAYED = 0.02, 0.03, 0.10
DELAY = 0.001, 0.005  # seconds: of most packets, and of delayed ones


class Relay:
    def __init__(self, port, server_port, seed):
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.queue = []  # (when, number, socket, data, address)
        self.number = itertools.count()
        self.server = ("127.0.0.1", server_port)
        self.clients = {}  # client address -> its socket towards the server
        self.listen(self.open(port), self.from_client)

    @staticmethod
    def open(port=0):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind(("127.0.0.1", port))
        return s

    def listen(self, s, handler):
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, handler)

    def carry(self, s, data, address):
        copies = 2 if self.random.random() < DOUBLED else 1
        for _ in range(copies):
            if self.random.random() < LOSS:
                continue
            late = self.random.random() < DELAYED
            when = time.monotonic() + DELAY[late]
            heapq.heappush(self.queue, (when, next(self.number), s, data, address))

    def from_client(self, _, data, address):
        if address not in self.clients:
            self.clients[address] = self.join(address)
        self.carry(self.clients[address], data, self.server)

    def join(self, client):
        """The two sockets of a client; the one towards the server."""
        to_server, to_client = self.open(), self.open()
        transfer = [None]  # where the server's transfer is

        def from_server(_, data, address):
            if transfer[0] != address and transfer[0] is not None and data[1] != 6:
                return  # an older one
            transfer[0] = address
            self.carry(to_client, data, client)

        def from_client(_, data, _address):
            if transfer[0]:
                self.carry(to_server, data, transfer[0])

        self.listen(to_server, from_server)
        self.listen(to_client, from_client)
        return to_server

    def turn(self):
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            _, _, s, data, address = heapq.heappop(self.queue)
            s.sendto(data, address)
        wait = max(0, self.queue[0][0] - now) if self.queue else None
        for key, _ in self.selector.select(wait):
            try:
                key.data(key.fileobj, *key.fileobj.recvfrom(70000))
            except (BlockingIOError, ConnectionRefusedError):
                pass


def main():
    relay = Relay(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 1)
    while True:
        relay.turn()


main()
