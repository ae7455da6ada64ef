"""Measures the server against what its database can do, on this machine, in one run.

Everything runs on loopback: server, database and load generators share the cores, so a figure means little
alone. Beside each stands its ratio to a baseline of the same run. Called by tests/load/run.
"""

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from hostile import HOSTILE
from sockets import Subscribers

HERE = Path(__file__).parent
ADMIN = "ines.falkenberg@kestrel-vale.example"
PASSWORD = "fair-shares-for-all"
SECRET = "only-for-load-tests-7Zr2kXv9TnBw4LpY"
# How many different requests of a kind are asked in turn.
VARIANTS = 10
# wrk connections, and pgbench clients: enough to keep two cores busy, few enough to wait for none.
CONNECTIONS = 16
CLIENTS = 8
# Clients that ask at a fixed rate, and how many of them send at the same moment: fewer than may wait for their turn,
# unless they come so often that it makes no difference.
ARRIVING = 256
AT_ONCE = (32, 128)

PAGE_20 = """query ($after: String) { customers(first: 20, after: $after) { nodes {
  id number name stage owner { id name } deals(first: 5) { nodes { id number stage value { amount currency } } } } } }"""
PAGE_50 = """query ($after: String) { activities(first: 50, after: $after) { nodes {
  id kind startedAt outcome customer { id name } user { id name } } } }"""
# What many clients at once bring a server down with. It costs so much that the generator, which shares the cores,
# can send twenty times what can be answered.
LIST = """customers(first: 50, after: $after) { nodes {
  id number name owner { id name } deals(first: 5) { nodes { id number stage value { amount currency } } } } }"""
DASHBOARD = "query ($after: String) { %s }" % " ".join(f"list{number}: {LIST}" for number in range(12))
POINT = "query ($id: ID!) { node(id: $id) { ... on Customer { id number name stage kind updatedAt } } }"
WRITE = """mutation ($id: ID!) { logActivity(input: { kind: NOTE, note: "load", customerId: $id }) {
  activity { id } userErrors { message } } }"""


class Server:
    """One node, with quotas off unless told otherwise."""

    def __init__(self, binary, database, port, **settings):
        self.base = f"http://127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"],
            "EVENHAND_AUTH__SECRET": SECRET,
            "EVENHAND_LOG__FILTER": "error",
            "EVENHAND_DATABASE__URL": database,
            "EVENHAND_HTTP__ADDRESS": f"127.0.0.1:{port}",
            "EVENHAND_QUOTAS__USER_CAPACITY": "0",
            "EVENHAND_QUOTAS__ORGANIZATION_CAPACITY": "0",
            "EVENHAND_QUOTAS__ADDRESS_CAPACITY": "0",
        }
        environment.update(settings)
        self.process = subprocess.Popen([binary, "serve"], env=environment, cwd="/")
        wait_for(self.base + "/ready")

    def token(self, email=ADMIN, password=PASSWORD, organization=None):
        signing_in = {"email": email, "password": password, "organization": organization}
        query = "mutation ($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }"
        return self.ask(None, query, input=signing_in)["signIn"]["accessToken"]

    def ask(self, token, query, **variables):
        status, body = post(self.base, token, {"query": query, "variables": variables})
        answer = json.loads(body)
        if status != 200 or "errors" in answer:
            sys.exit(f"the server answered {status}: {body[:500]}")
        return answer["data"]

    def memory_mib(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        # As from a terminal: without the pause that balancers need to notice.
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def post(base, token, body, timeout=30):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(base + "/graphql", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def wait_for(url, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} did not answer within {seconds} s")


class Load:
    """All measurements of one database."""

    def __init__(self, args, scratch, kind, database, log):
        self.args, self.scratch, self.kind, self.database, self.log = args, Path(scratch), kind, database, log
        self.server = Server(args.binary, database, args.port)
        self.renew()
        self.requests = self.find_requests()

    def renew(self):
        self.token = self.server.token()

    def find_requests(self):
        """Bodies of each kind, spread over the data."""
        ask = lambda query, **variables: self.server.ask(self.token, query, **variables)
        pages, heavy, points, lists, after = [], [], [], [], None
        for _ in range(VARIANTS):
            pages.append({"query": PAGE_20, "variables": {"after": after}})
            heavy.append({"query": DASHBOARD, "variables": {"after": after}})
            ids = "query ($after: String) { customers(first: 100, after: $after) { nodes { id } pageInfo { endCursor } } }"
            found = ask(ids, after=after)["customers"]
            points += [node["id"] for node in found["nodes"]]
            after = found["pageInfo"]["endCursor"]
        after = None
        for _ in range(VARIANTS):
            lists.append({"query": PAGE_50, "variables": {"after": after}})
            ends = "query ($after: String) { activities(first: 100, after: $after) { pageInfo { endCursor } } }"
            after = ask(ends, after=after)["activities"]["pageInfo"]["endCursor"]
        random.Random(1).shuffle(points)
        self.points = points
        writes = [{"query": WRITE, "variables": {"id": point}} for point in points]
        points = [{"query": POINT, "variables": {"id": point}} for point in points]
        mix = [body for index in range(200) for body in
               (points[2 * index], pages[index % VARIANTS], points[2 * index + 1], lists[index % VARIANTS], writes[index])]
        return {"page of 20": pages, "page of 50": lists, "dashboard": heavy, "point read": points, "mutation": writes,
                "mix 80/20": mix}

    def bodies(self, name, bodies):
        path = self.scratch / (re.sub(r"\W+", "-", name) + ".jsonl")
        path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
        return path

    def wrk(self, bodies, connections=CONNECTIONS, seconds=None):
        """Answers of one closed-loop run."""
        environment = dict(os.environ, REQUESTS=str(bodies), TOKEN=self.token)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or self.args.seconds}", "--timeout", "15",
                   "-s", str(HERE / "requests.lua"), self.server.base]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        result = json.loads(re.search(r"RESULT (.*)", output).group(1))
        result["per_second"] = result["answered"] / result["seconds"]
        if result["refused"] or result["wrong"] or result["broken"]:
            print(f"  ! {result}", file=sys.stderr)
        return result

    def row(self, name, figure, ratio="", note=""):
        print(f"  {name:<34} {figure:>22}  {ratio:>18}  {note}", flush=True)

    def throughput(self):
        live = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.args.seconds}", self.server.base + "/live"],
                              capture_output=True, text=True, check=True).stdout
        live = float(re.search(r"Requests/sec:\s+([\d.]+)", live).group(1))
        self.row("baseline: bare /live", f"{live:,.0f}/s")
        commits = self.commits_per_second()
        self.row("baseline: raw commits", f"{commits:,.0f}/s")
        for name in ("point read", "page of 20", "page of 50"):
            bodies = self.bodies(name, self.requests[name])
            self.wrk(bodies, seconds=2)
            baseline = self.same_statements(name) if self.kind == "PostgreSQL" else None
            result = self.wrk(bodies)
            ratio = ""
            if baseline:
                self.row(f"baseline: {name}, pgbench", f"{baseline:,.0f}/s")
                ratio = f"{result['per_second'] / baseline:.2f} of pgbench"
            self.show(name, result, ratio)
        result = self.wrk(self.bodies("mutation", self.requests["mutation"]))
        self.show("mutation", result, f"{result['per_second'] / commits:.2f} of commits")
        self.show("mix 80/20", self.wrk(self.bodies("mix", self.requests["mix 80/20"])))
        self.row("memory after that", f"{self.server.memory_mib():.0f} MiB", "", f"peak {self.server.memory_mib('VmHWM'):.0f} MiB")

    def show(self, name, result, ratio=""):
        self.row(name, f"{result['per_second']:,.0f}/s", ratio, f"p50 {result['p50_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms")

    def commits_per_second(self):
        """What the database commits by itself: one small row in each transaction."""
        seconds = self.args.seconds
        if self.kind == "PostgreSQL":
            self.sql("CREATE TABLE IF NOT EXISTS load_commits (id bigserial PRIMARY KEY, body text)")
            script = self.scratch / "commit.sql"
            script.write_text("INSERT INTO load_commits (body) VALUES ('one small row');\n")
            return self.pgbench([script])
        path = self.scratch / "commits.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE load_commits (id INTEGER PRIMARY KEY, body TEXT)")
        count, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            connection.execute("INSERT INTO load_commits (body) VALUES ('one small row')")
            count += 1
        connection.close()
        return count / seconds

    def sql(self, text):
        subprocess.run(["psql", self.database, "-qXc", text], check=True, capture_output=True)

    def same_statements(self, name):
        """pgbench with what the server sends for the same requests, prepared, with the same values."""
        self.sql("ALTER SYSTEM SET log_statement = 'all'")
        self.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        scripts, definitions = [], []
        for variant, body in enumerate(self.requests[name][:VARIANTS]):
            # Background work that looks in at the same time is told apart by asking again.
            for _ in range(20):
                start = self.log.stat().st_size
                post(self.server.base, self.token, body)
                time.sleep(0.05)
                with self.log.open() as log:
                    log.seek(start)
                    statements = list(logged_statements(log.read()))
                if all(sql.startswith("SELECT") and "jobs" not in sql and "position" not in sql for sql, _ in statements):
                    break
            script = self.scratch / f"{name}-{variant}.sql"
            lines = []
            for number, (sql, values) in enumerate(statements):
                prefix = f"v{variant}s{number}p"
                lines.append(re.sub(r"\$(\d+)", lambda match: f":{prefix}{match.group(1)}", sql) + ";")
                definitions += [f"-D{prefix}{index}={value}" for index, value in values]
            script.write_text("\n".join(lines) + "\n")
            scripts.append(script)
        self.sql("ALTER SYSTEM RESET log_statement")
        self.sql("SELECT pg_reload_conf()")
        return self.pgbench(scripts, definitions)

    def pgbench(self, scripts, definitions=()):
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(self.args.seconds)]
        command += [part for script in scripts for part in ("-f", str(script))]
        run = subprocess.run([*command, *definitions, self.database], capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"pgbench failed: {run.stderr[-2000:]}")
        return float(re.search(r"tps = ([\d.]+)", run.stdout).group(1))

    def subscriptions(self):
        """Idle subscriptions: what each costs, and how soon all of them hear of a change."""
        count = self.args.subscriptions
        before = self.server.memory_mib()
        query = 'subscription { changes(types: ["activity.logged"]) { position } }'
        with Subscribers(self.args.port, self.token, query, count) as subscribers:
            each = (self.server.memory_mib() - before) * 1024 / count
            self.row(f"{count:,} idle subscriptions", f"{each:.1f} KiB each")
            started = time.monotonic()
            self.server.ask(self.token, WRITE, id=self.points[0])
            last = subscribers.hear_all(30) - started
            self.row("one change to all of them", f"{last:.2f} s")

    def overload(self):
        """Arrivals that do not wait for answers, at multiples of what can be answered."""
        body = self.requests["dashboard"][1]
        peak = self.arrivals(body, None)["answered"]
        self.row("overload: peak (dashboard)", f"{peak:,.0f}/s")
        for times in (2, 5, 20):
            lives = Probe(self.server.base, None, None, 0.1)
            asks = Probe(self.server.base, self.token, body, 0.1)
            with lives, asks:
                result = self.arrivals(body, times * peak)
            refused = asks.times(503)
            answered = result["answered"] + len(asks.times(200)) / self.args.seconds
            self.row(f"overload: {times}x", f"{answered:,.0f}/s", f"{answered / peak:.2f} of peak",
                     f"offered {result['offered']:,.0f}/s; p99 answered {percentile(asks.times(200), 99):.0f} ms; refused p50 "
                     f"{percentile(refused, 50):.1f}, p99 {percentile(refused, 99):.1f} ms; /live p99 {percentile(lives.times(200), 99):.0f} ms")
        time.sleep(2)
        self.row("after overload", f"{self.arrivals(body, None, seconds=3)['answered']:,.0f}/s", "",
                 f"peak memory {self.server.memory_mib('VmHWM'):.0f} MiB")

    def arrivals(self, body, per_second, seconds=None):
        """Requests at a fixed rate, whether answers come or not; as fast as they come where there is no rate."""
        path = self.scratch / "body.json"
        path.write_text(json.dumps(body))
        seconds = seconds or self.args.seconds
        command = ["h2load", "--h1", "-D", str(seconds), "-d", str(path), "-H", "Content-Type: application/json",
                   "-H", f"Authorization: Bearer {self.token}", self.server.base + "/graphql"]
        # The clients of one process all send at the same moments, so several processes take turns.
        processes = []
        at_once = AT_ONCE[per_second > 2_000] if per_second else ARRIVING
        for _ in range(ARRIVING // at_once):
            rate = ["-c", str(at_once), "--rps", f"{per_second / ARRIVING:.3f}"] if per_second else ["-c", str(CONNECTIONS)]
            processes.append(subprocess.Popen(command[:1] + rate + command[1:], stdout=subprocess.PIPE, text=True))
            time.sleep(at_once / per_second if per_second else 0)
        outputs = [process.communicate()[0] for process in processes]
        count = lambda pattern: sum(int(re.search(pattern, output).group(1)) for output in outputs) / seconds
        return {"answered": count(r"(\d+) 2xx"), "offered": count(r"(\d+) done")}

    def hostile(self):
        """Documents that would cost much, one at a time, and then beside good traffic."""
        slowest = (0, "")
        before = self.server.memory_mib("VmHWM")
        for name, document in HOSTILE.items():
            times = []
            for _ in range(20):
                started = time.monotonic()
                status, body = post(self.server.base, self.token, {"query": document})
                times.append((time.monotonic() - started) * 1000)
                if status not in (400, 200, 413) or '"data"' in body:
                    sys.exit(f"{name} was answered: {status} {body[:200]}")
            slowest = max(slowest, (percentile(times, 50), name))
        leak = self.server.memory_mib("VmHWM") - before
        self.row("hostile documents, slowest refusal", f"{slowest[0]:.1f} ms", "", f"{slowest[1]}; all {len(HOSTILE)} kinds; memory +{leak:.1f} MiB")
        bodies = self.bodies("mix", self.requests["mix 80/20"])
        alone = self.wrk(bodies)["per_second"]
        stop, sent = threading.Event(), []
        sender = threading.Thread(target=send_hostile, args=(self.server.base, self.token, sent, stop))
        sender.start()
        beside = self.wrk(bodies)["per_second"]
        stop.set()
        sender.join()
        self.row("mix beside hostile documents", f"{beside:,.0f}/s", f"{beside / alone:.2f} of alone",
                 f"{len(sent) / self.args.seconds:.0f} hostile/s")

    def flood(self):
        """One organisation far over its quota, another one at its usual pace."""
        self.server.stop()
        quotas = {f"EVENHAND_QUOTAS__{who}_CAPACITY": size for who, size in (("USER", "20000"), ("ORGANIZATION", "200000"))}
        email, name = "quiet@example.com", "Quiet Neighbour"
        environment = dict(os.environ, EVENHAND_AUTH__SECRET=SECRET, EVENHAND_DATABASE__URL=self.database)
        subprocess.run([self.args.binary, "admin", "create", "--organization", name, "--email", email, "--password-stdin"],
                       input=PASSWORD.encode(), env=environment, cwd=self.scratch, check=False, capture_output=True)
        self.server = Server(self.args.binary, self.database, self.args.port, **quotas)
        self.renew()
        quiet = self.server.token(email, PASSWORD)
        for number in range(20):
            self.server.ask(quiet, "mutation ($name: String!) { createCustomer(input: { kind: COMPANY, name: $name }) { userErrors { message } } }",
                            name=f"Neighbour {number}")
        neighbour, flood = {"query": PAGE_20.replace("20", "5")}, self.requests["page of 20"][1]
        neighbour, seconds = Probe(self.server.base, quiet, neighbour, 0.05), 2 * self.args.seconds
        with neighbour:
            time.sleep(seconds)
        alone = percentile(neighbour.times(200), 99)
        neighbour.seen.clear()
        flooding = threading.Thread(target=self.arrivals, args=(flood, self.args.flood), kwargs={"seconds": seconds + 4})
        flooding.start()
        # What the flood's quota had saved up is spent by then.
        time.sleep(3)
        with neighbour:
            time.sleep(seconds)
        flooding.join()
        beside = percentile(neighbour.times(200), 99)
        self.row("neighbour's p99 under a flood", f"{beside:.1f} ms", f"{beside / alone:.1f} of {alone:.1f} ms",
                 f"flood of {self.args.flood:,}/s; {len(neighbour.times(200))} of {len(neighbour.seen)} of the neighbour's answered")


class Probe:
    """One client that asks at its own pace, in the background while used as a context. Without a body it asks /live."""

    def __init__(self, base, token, body, every_s):
        self.base, self.token, self.body, self.every_s = base, token, body and json.dumps(body).encode(), every_s
        self.seen = []

    def __enter__(self):
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(self.every_s):
            started = time.monotonic()
            if self.body:
                status, _ = post(self.base, self.token, self.body)
            else:
                urllib.request.urlopen(self.base + "/live", timeout=10).close()
                status = 200
            self.seen.append((status, (time.monotonic() - started) * 1000))

    def times(self, status):
        return [time for found, time in self.seen if found == status]


def logged_statements(text):
    """Statements with their parameters, from the log of PostgreSQL."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        match = re.search(r"LOG:  execute [^:]+: (.*)$", line)
        if not match:
            continue
        detail = lines[index + 1] if index + 1 < len(lines) else ""
        values = re.findall(r"\$(\d+) = (?:'((?:[^']|'')*)'|NULL)", detail) if "DETAIL:" in detail else []
        yield match.group(1), [(number, value.replace("''", "'")) for number, value in values]


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0


def send_hostile(base, token, sent, stop):
    documents = list(HOSTILE.values())
    started = time.monotonic()
    while not stop.is_set():
        post(base, token, {"query": documents[len(sent) % len(documents)]})
        sent.append(1)
        time.sleep(max(0.0, started + len(sent) / 100 - time.monotonic()))


def build(args, database, secret_environment):
    """Fills a database through the server's own door, once."""
    print(f"building the data in {database.split('@')[-1]}: this takes some minutes", flush=True)
    started = time.monotonic()
    process = subprocess.Popen([args.binary, "demo", "--times", str(args.times), "--address", f"127.0.0.1:{args.port}",
                                "--database", database], env=secret_environment, cwd=args.data, stdout=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{args.port}/ready", 3600)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/load/run", description=__doc__)
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--postgres", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--databases", default="SQLite,PostgreSQL", help="which, separated by commas")
    parser.add_argument("--only", default="throughput,subscriptions,overload,hostile,flood", help="which measurements")
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--times", type=int, default=19, help="size of the data, in tellings of the demo")
    parser.add_argument("--subscriptions", type=int, default=2000)
    parser.add_argument("--flood", type=int, default=1000, help="requests a second of the flood")
    parser.add_argument("--port", type=int, default=8899)
    args = parser.parse_args()

    environment = {"PATH": os.environ["PATH"], "EVENHAND_AUTH__SECRET": SECRET, "EVENHAND_LOG__FILTER": "error"}
    for kind in args.databases.split(","):
        if kind == "SQLite":
            path = Path(args.data) / f"load-{args.times}.db"
            database, log = f"sqlite://{path}", None
            if not path.exists():
                build(args, database, environment)
        else:
            name = f"load_{args.times}"
            database, log = args.postgres.rsplit("/", 1)[0] + "/" + name, Path(args.data) / "postgres" / "server.log"
            exists = subprocess.run(["psql", args.postgres, "-Atc", f"SELECT 1 FROM pg_database WHERE datname = '{name}'"],
                                    capture_output=True, text=True, check=True).stdout.strip()
            if not exists:
                draft = database + "_draft"
                for statement in (f"DROP DATABASE IF EXISTS {name}_draft", f"CREATE DATABASE {name}_draft"):
                    subprocess.run(["psql", args.postgres, "-qXc", statement], check=True)
                build(args, draft, environment)
                subprocess.run(["psql", args.postgres, "-qXc", f"ALTER DATABASE {name}_draft RENAME TO {name}"], check=True)
                subprocess.run(["psql", database, "-qXc", "VACUUM ANALYZE"], check=True)
        print(f"\n{kind}", flush=True)
        with tempfile.TemporaryDirectory(prefix="evenhand-load-") as scratch:
            load = Load(args, scratch, kind, database, log)
            try:
                for part in args.only.split(","):
                    load.renew()
                    getattr(load, part)()
            finally:
                load.server.stop()


if __name__ == "__main__":
    main()
