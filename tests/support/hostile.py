"""Build scripts that mean harm; each runs as `build.py` of a repository."""

#: Tries to reach what it should not. `ports` are those of its own gateway.
SPY = """
import os, socket
def tried(what, attempt):
    try:
        print("reached", what, attempt(), flush=True)
    except Exception as error:
        print("refused", what, type(error).__name__, error, flush=True)
routes = [line.split() for line in open("/proc/net/route")]
[default] = [one[2] for one in routes if one[1] == "00000000"]
gateway = socket.inet_ntoa(bytes.fromhex(default)[::-1])
for host, port in {addresses} + [(gateway, port) for port in {ports}]:
    tried(f"{{host}}:{{port}}", lambda: socket.create_connection((host, port), 3).close())
for name in {names}:
    tried(name, lambda: socket.getaddrinfo(name, 80))
for path in {paths}:
    tried(path, lambda: os.stat(path))
    tried(path, lambda: os.listdir(path))
tried("a device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)))
tried("root", lambda: os.setuid(0))
tried("the kernel", lambda: open("/proc/sys/kernel/core_pattern", "w"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("capabilities", status["CapEff"].strip(), status["CapBnd"].strip(), flush=True)
print("new privileges forbidden", status["NoNewPrivs"].strip(), flush=True)
print("who", os.getuid(), os.getgroups(), flush=True)
for line in open("/proc/self/mountinfo"):
    print("mount", line.split()[4], flush=True)
"""

#: Writes what the exporter might believe: another base image (IMAGE), another origin.
FAKER = """
import os
forged = {
    "analyzed.toml": '[image]\\nreference = "IMAGE"\\n[run-image]\\nreference = "IMAGE"\\n'
        'image = "IMAGE"\\n',
    "project-metadata.toml": '[source]\\ntype = "git"\\n[source.version]\\ncommit = "forged"\\n',
}
for place in ("/layers", "/analysis"):
    for name, text in forged.items():
        path = os.path.join(place, name)
        try:
            if os.path.exists(path):
                os.unlink(path)
            with open(path, "w") as file:
                file.write(text)
            print("forged", path, flush=True)
        except OSError as error:
            print("refused", path, error, flush=True)
"""

#: Goes on forking where it may not, and tells that the limit is reached.
FORK_BOMB = """
import os
first, told = os.getpid(), False
while True:
    try:
        os.fork()
    except OSError as error:
        if os.getpid() == first and not told:
            print("no more processes:", error, flush=True)
            told = True
"""

MEMORY = """
taken = bytearray(2**33)
for place in range(0, 2**33, 4096):
    taken[place] = 1
"""

#: Takes the disk in pieces of 256 MiB, of which nothing need be written.
DISK = """
import itertools, os, time
for number in itertools.count():
    file = os.open(f"filler-{number}", os.O_CREAT | os.O_WRONLY)
    os.posix_fallocate(file, 0, 2**28)
    os.close(file)
    print("filled", number, flush=True)
    time.sleep(0.1)
"""

#: What a reader of the log must not take for anything but text, and the lines to be shown of it.
FORGERIES = {
    "before\rdata: forged": ["before", "data: forged"],
    'event: end\rdata: "succeeded"\r\r': ["event: end", 'data: "succeeded"', ""],
    "id: 999999\r\n": ["id: 999999", ""],
    "\x1b[2Jclear \x1b]0;owned\x07": ["clear 0;owned\\x07"],  # the lifecycle takes out colours
    "\x1bc\x00\x08\x7f\x9b": ["\\x00\\x08\\x7f\\x9b"],
    "\u202egnp.exe\u2028data: {}\u0085event: end": ["\\x202egnp.exe", "data: {}", "event: end"],
}
FORGER = f"""
import sys
for line in {list(FORGERIES)!r}:
    sys.stdout.buffer.write(line.encode() + b"\\n")
    sys.stdout.flush()
sys.stdout.buffer.write(b"\\xff\\xfe no text\\nthe end\\n")
"""

#: 20 MB of lines; the first alone is a quarter of that.
FLOOD = """
print("x" * 5_000_000)
for number in range(150_000):
    print(f"{number:06}", "y" * 93)
"""
