"""Where the relay meets the machine: asyncio, sockets, files, signals and Prometheus live here.

relay       the daemon: one loop, its listener, its connections, its end
connection  one socket and the peer it belongs to: reads, sends, readiness
listener    the runtime directory, the lock, the socket
memory      the log and state files: made, adopted, set aside
logs        one line per episode
status      what a relay is doing, as plain data read from its state
health      whether it is well, and why not
service     a relay from configuration to exit code
metrics     the child process that serves /metrics, /healthz and /readyz
exposition  the records of the state as Prometheus metrics
"""
