"""The real greylists that `reevectl import` reads: postgrey, sqlgrey and rspamd's module, as Debian ships them, in folders of
their own and fed as their mail servers would. A Debian without one of them has nothing to import from either."""
import pathlib
import shutil
import urllib.request

import pytest

from tests.support.processes import Process, accepts, free_port, wait_for


def installed(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"this Debian has no {name} (scripts/install-deps installs it where there is one)")
    return path


class Postgrey(Process):
    """Defers for `delay` seconds."""

    def __init__(self, folder, delay=1, *options):
        folder.mkdir()
        self.dbdir = folder / "db"
        self.dbdir.mkdir()
        nothing = folder / "nothing"
        nothing.touch()
        self.port = free_port()
        super().__init__("postgrey", [
            installed("postgrey"), f"--inet=127.0.0.1:{self.port}", f"--dbdir={self.dbdir}", f"--delay={delay}", "--user=root",
            "--group=root", f"--whitelist-clients={nothing}", f"--whitelist-recipients={nothing}", *options], folder / "log")

    def start(self):
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), "postgrey to listen")
        return self


class Sqlgrey(Process):
    """Defers to the next second (its own unit is a minute)."""

    def __init__(self, folder, **settings):
        folder.mkdir()
        self.database = folder / "sqlgrey.db"
        self.port = free_port()
        for name in ("clients_ip_whitelist", "clients_fqdn_whitelist"):
            (folder / name).touch()
        for name in ("dyn_fqdn.regexp", "smtp_server.regexp", "discrimination.regexp"):
            shutil.copy(f"/etc/sqlgrey/{name}", folder)
        lines = {"conf_dir": folder, "user": "root", "group": "root", "inet": f"127.0.0.1:{self.port}", "db_type": "SQLite",
                 "db_name": self.database, "pidfile": folder / "pid", "reconnect_delay": 0, "admin_mail": "", **settings}
        config = folder / "sqlgrey.conf"
        config.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        super().__init__("sqlgrey", [installed("sqlgrey"), "-f", config], folder / "log")

    def start(self):
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), "sqlgrey to listen")
        return self


RSPAMD = """
options {{
    pidfile = "{folder}/pid"; filters = ""; tempdir = "{folder}"; rundir = "{folder}"; dbdir = "{folder}";
    hs_cache_dir = "{folder}"; local_addrs = ["127.0.0.1"]; url_tld = "{folder}/tld";
    dns {{ nameserver = ["127.0.0.1:1:1"]; timeout = 1s; retransmits = 1; }}
}}
logging {{
    type = "file"; filename = "{folder}/rspamd.log"; level = "info";
    log_format = "id: <$mid>,$if_qid{{ qid: <$>,}}$if_ip{{ ip: $,}}$if_user{{ user: $,}}$if_smtp_from{{ from: <$>,}} \
(default: $is_spam ($action): [$scores] [$symbols_scores_params]), len: $len, time: $time_real, dns req: $dns_req, \
digest: <$digest>$if_smtp_rcpts{{, rcpts: <$>}}$if_mime_rcpts{{, mime_rcpts: <$>}}";
}}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
metric {{ name = "default"; actions {{ reject = 1000; greylist = -1; }} }}
modules {{ path = "/usr/share/rspamd/plugins/greylist.lua"; }}
redis {{ servers = "127.0.0.1:{redis}"; }}
greylist {{ timeout = {timeout}s; enabled = true; }}
"""


class Rspamd(Process):
    """Its module greylist alone, which takes all mail for suspicious."""

    def __init__(self, folder, redis_port, timeout=1):
        folder.mkdir()
        self.port = free_port()
        self.mail_log = folder / "rspamd.log"
        (folder / "tld").write_text("example\n")
        config = folder / "rspamd.conf"
        config.write_text(RSPAMD.format(folder=folder, port=self.port, redis=redis_port, timeout=timeout))
        super().__init__("rspamd", [installed("rspamd"), "-f", "-i", "-c", config], folder / "log")

    def start(self):
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), "rspamd to listen", seconds=60)
        return self

    def scan(self, client, sender, *recipients):
        """What it would do with a mail. Its text is its own: rspamd knows bodies, too."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/checkv2", 
                                         data=f"Subject: x\r\n\r\n{client} {sender} {recipients}\r\n".encode())
        request.add_header("IP", client)
        request.add_header("From", sender)
        request.add_header("Rcpt", ",".join(recipients))
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()


def folder_of(site, name):
    return pathlib.Path(site.folder) / name
