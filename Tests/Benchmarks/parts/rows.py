"""What is measured: a row for each line of the table."""

from dataclasses import dataclass, field


@dataclass
class Row:
    id: str
    title: str
    scenario: str
    options: list = field(default_factory=list)
    # How many times Synapse's figure the architecture wants.
    goal: float = None
    # Which figure is compared: `perSecond` (more is better), or a name in the report's latency or figures (less is better).
    figure: str = "perSecond"
    # Of the quick set as well.
    quick: bool = False
    # Takes warm-up and seconds from the command line unless it has its own.
    warm_up: float = None
    seconds: float = None
    # Seconds that the row may take in all.
    timeout: float = 90
    # Slow rows are left out of later rounds.
    rounds: int = 9
    # Behind the moment at which settled memory is read.
    late: bool = False
    # Measured in a process of its own, which has done nothing else.
    alone: bool = False


def initial(group, title, timeline, lazy):
    options = ["--group", group, "--timeline", timeline, "--connections", 4 if group == "wide" else 1]
    options += ["--lazy"] if lazy else []
    name = f"sync-initial-{group}-{timeline}{'-lazy' if lazy else ''}"
    members = "lazy members" if lazy else "all members"
    return Row(name, f"first sync, {title}, timeline {timeline}, {members}", "sync-initial", options, timeout=150,
               late=True, rounds=2 if group == "wide" and timeline == 20 else 1)


def sends(scenario, title, goal):
    return [
        Row(f"{scenario}-c{count}", f"send, {title}, {count} connection{'s' if count > 1 else ''}", scenario,
            ["--connections", count], goal=goal if count == 16 else None, quick=count == 16)
        for count in (1, 16, 64)
    ]


def open_loop(scenario, title, rate):
    return Row(f"{scenario}-at-{rate}", f"{title}, {rate} a second (open loop), p99", scenario, ["--rate", rate], figure="p99")


# Rows that only read come first, so that both servers read the same data.
SINGLE = [
    Row("whoami", "whoami", "whoami", goal=20, quick=True),
    Row("sync-idle", "incremental sync, nothing new", "sync-idle", goal=25, quick=True),
    Row("sync-initial", "first sync, 16 rooms of 40", "sync-initial", goal=50, quick=True),
    Row("messages", "/messages of 100", "messages", goal=40, quick=True),
    Row("members", "/members of 40", "members", goal=40, quick=True),
    Row("members-large", "/members of 1,000", "members", ["--group", "large"]),
    Row("state", "/state of a room of 40", "state"),
    Row("context", "/context", "context"),
    Row("keys-query-300", "/keys/query of 300 users", "keys-query-300", goal=20, timeout=150, rounds=2),
    Row("keys-claim", "/keys/claim of one key", "keys-claim", goal=20, seconds=2, timeout=150, rounds=2),
    Row("user-directory", "user directory search among 100,000 users", "user-directory-100000", goal=20),
    open_loop("sync-idle", "incremental sync, nothing new", 200),
    open_loop("messages", "/messages of 100", 20),
    Row("sync-news", "incremental sync, 10 rooms with news", "sync-news"),
    Row("echo", "one send on an idle server", "echo", ["--steps", 50], figure="sent_p50"),
    Row("echo-seen", "until another's waiting sync shows it", "echo", ["--steps", 50], figure="seen_p50"),
    Row("login", "login (bcrypt, 4 rounds)", "login"),
    Row("register", "register (bcrypt, 4 rounds)", "register"),
    Row("presence", "presence of 1,000 users", "presence"),
    Row("create-room", "create a room", "create-room", goal=25, quick=True),
    Row("join", "join, rooms of few", "join", goal=25, quick=True, warm_up=0.5),
    Row("join-large", "join, room of 1,000", "join-large", warm_up=0.3, seconds=2),
    open_loop("send-one-room", "send, one room of 40", 20),
    *sends("send-one-room", "one room of 40", 25),
    *sends("send-many-rooms", "16 rooms of 40", 30),
    Row("send-large-room", "send, one room of 1,000", "send-large-room"),
    Row("to-device-1000", "messages for the devices of 1,000 users", "to-device-1000", goal=20, seconds=3, timeout=150, rounds=2),
    Row("fan-out", "from a send to the last of 1,000 waiting", "fan-out", ["--steps", 3], figure="last_p50", timeout=150, rounds=1),
    Row("long-polls", "5,000 waiting syncs: memory more (MB)", "long-polls", ["--connections", 5000], figure="more_mb",
        seconds=2, timeout=150, rounds=2, alone=True),
    # Behind all others, since they make the caches large. Nobody else writes into their rooms.
    *[initial("wide", "50 rooms of 300", timeline, lazy) for lazy in (True, False) for timeline in (1, 5, 20)],
    *[initial("wider", "300 rooms of 300", 20, lazy) for lazy in (True, False)],
]

# Clusters behind nginx, with a number of workers beside main process and event persister.
CLUSTER = [
    Row("cluster-whoami", "whoami", "whoami", ["--connections", 32]),
    Row("cluster-sync-idle", "incremental sync, nothing new", "sync-idle", ["--connections", 32]),
    Row("cluster-messages", "/messages of 100", "messages", ["--connections", 32]),
    Row("cluster-send", "send, 16 rooms of 40", "send-many-rooms", ["--connections", 32]),
]
ECHO = [
    Row("cluster-echo", "one send to worker 1, idle (goal 3 ms)", "echo", ["--steps", 50], figure="sent_p50"),
    Row("cluster-echo-seen", "until worker 2's waiting sync shows it (goal 5 ms)", "echo", ["--steps", 50], figure="seen_p50"),
]
FOLLOW_RATES = [40, 160, 500]

# Scenarios of the issue whose feature is not built yet would be named here with the reason; none is missing now.
LEFT_OUT = {}

DATA = {
    "rooms": 16, "members": 40, "messages": 120, "large-members": 1000, "open-rooms": 150, "outsiders": 1200,
    "wide-rooms": 1, "wider-rooms": 1, "wide-members": 300,
}
# How many rooms the groups have after copies of their one room were made in the database.
COPIES = {"wide": 50, "wider": 300}
# How many people the user directory has besides those of the data.
PEOPLE = 100_000


def chosen(selection, names):
    """Rows of a set (`all`, `quick`) or those named, separated by commas or spaces; `*` at an end stands for more."""
    if selection == "all":
        return names
    if selection == "quick":
        return [row for row in names if row.quick]
    words = selection.replace(",", " ").split()
    return [
        row for row in names
        if any(row.id == word or row.scenario == word or word.endswith("*") and row.id.startswith(word[:-1]) for word in words)
    ]
