"""Real Postfix instances: folders, ports and logs of their own, nothing shared with the machine's own Postfix, which need not run.
They need root, as Postfix itself does; a test that cannot have it fails."""
import json
import os
import pwd
import smtplib
import subprocess

from tests.support.processes import DEPLOY, Process, accepts, free_port, tool, wait_for

PASSWORD = "secret"

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
myhostname = {name}.example
mydomain = {name}.example
mydestination =
mynetworks = {mynetworks}
inet_interfaces = 127.0.0.1
inet_protocols = all
alias_maps =
alias_database =
biff = no
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtp_tls_security_level = none
queue_run_delay = 1s
minimal_backoff_time = 2s
maximal_backoff_time = 3s
smtpd_client_connection_rate_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
address_verify_map =
"""

MX_CF = """
virtual_mailbox_domains = rcpt.example, other.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""

# A submission host: clients log in with Cyrus SASL, whose users are in a file of the instance's own.
SUBMISSION_CF = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
cyrus_sasl_config_path = {folder}/etc/sasl
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain =
default_transport = discard:
"""

SASL_CONF = """pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN
sasldb_path: {folder}/sasldb2
"""

SENDER_CF = """
relayhost = {relayhost}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
tlsmgr    unix - - n 1000? 1 tlsmgr
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix(Process):
    """A Postfix instance with folders, ports and log of its own."""

    def __init__(self, folder, name, main_cf, mynetworks=""):
        assert os.geteuid() == 0, "Postfix instances can only be started by root"
        folder.mkdir(mode=0o755, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.config = folder / "etc"
        self._make_folders()
        values = {"folder": folder, "name": name, "port": self.port, "mynetworks": mynetworks,
                  "uid": pwd.getpwnam("nobody").pw_uid, "gid": pwd.getpwnam("nobody").pw_gid}
        (self.config / "main.cf").write_text((MAIN_CF + main_cf).format(**values))
        (self.config / "master.cf").write_text(MASTER_CF.format(**values))
        (self.config / "dynamicmaps.cf").write_text("")
        daemons = self.postconf("daemon_directory", default=True)
        super().__init__(name, [f"{daemons}/master", "-c", self.config, "-s"], folder / "log")

    def _make_folders(self):
        nobody = pwd.getpwnam("nobody")
        for name, user in (("etc", None), ("queue", None), ("data", pwd.getpwnam("postfix")), ("mail", nobody)):
            (self.folder / name).mkdir(mode=0o755, exist_ok=True)
            if user:
                os.chown(self.folder / name, user.pw_uid, user.pw_gid)

    def add_logins(self, *addresses):
        """Users who can log in, each with PASSWORD."""
        database = self.folder / "sasldb2"
        for address in addresses:
            user, domain = address.split("@")
            subprocess.run([tool("saslpasswd2"), "-p", "-c", "-f", str(database), "-u", domain, user], input=PASSWORD, text=True,
                           check=True, timeout=20)
        os.chown(database, pwd.getpwnam("postfix").pw_uid, -1)
        (self.config / "sasl").mkdir(exist_ok=True)
        (self.config / "sasl" / "smtpd.conf").write_text(SASL_CONF.format(folder=self.folder))

    def postconf(self, name, default=False):
        where = ["-d"] if default else ["-c", str(self.config)]
        return subprocess.run([tool("postconf"), *where, "-h", name], capture_output=True, text=True, check=True,
                              timeout=20).stdout.strip()

    def start(self):
        subprocess.run([tool("postfix"), "-c", str(self.config), "check"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), f"{self.name} to listen at port {self.port}")
        return self

    def smtp(self, client=None, name="[UNAVAILABLE]", reverse_name=None, login=None):
        """An SMTP connection; client: the address it pretends to come from (XCLIENT). name: what the address is called, confirmed by
        the name's own address; reverse_name: what it calls itself alone; login: whom it authenticates as."""
        smtp = smtplib.SMTP("127.0.0.1", self.port, local_hostname="mx.sender.example", timeout=30)
        smtp.ehlo()
        if client:
            reverse = f" REVERSE_NAME={reverse_name}" if reverse_name else ""
            code, text = smtp.docmd("XCLIENT", f"NAME={name} ADDR={client}{reverse}")
            assert code == 220, text
            smtp.ehlo()
        if login:
            smtp.login(login, PASSWORD)
        return smtp

    def rcpt(self, sender, *recipients, **client):
        """MAIL and RCPT of one transaction; the replies to the RCPTs as texts like '451 4.7.1 ...'. client: as of smtp()."""
        smtp = self.smtp(**client)
        try:
            code, text = smtp.mail(sender)
            assert code == 250, text
            replies = [smtp.rcpt(recipient) for recipient in recipients]
            smtp.rset()
        finally:
            smtp.close()
        return [f"{code} {text.decode(errors='replace')}" for code, text in replies]

    def talk(self, sender, *recipients, lines=1, **client):
        """A whole transaction, as far as it goes: the reply to MAIL if that is refused, else those to each RCPT, and, if one was taken,
        that to the end of the message of so many lines, all as texts like '250 2.1.5 Ok'. client: as of smtp()."""
        smtp = self.smtp(**client)
        try:
            replies = [smtp.mail(sender)]
            if replies[0][0] == 250:
                replies = [smtp.rcpt(recipient) for recipient in recipients]
            if any(code == 250 for code, _ in replies):
                replies.append(smtp.data(f"From: {sender}\r\nSubject: a test\r\n\r\n" + lines * (70 * "x" + "\r\n")))
        finally:
            smtp.close()
        return [f"{code} {text.decode(errors='replace')}" for code, text in replies]

    def submit(self, sender, recipient, subject, **client):
        """Sends a message; SMTP errors are raised. client: as of smtp()."""
        smtp = self.smtp(**client)
        try:
            smtp.sendmail(sender, [recipient], f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello.\r\n")
        finally:
            smtp.close()

    def mailbox(self, subject):
        """The messages of that subject that were delivered here, as texts."""
        texts = [path.read_text(errors="replace") for path in (self.folder / "mail" / "box" / "new").glob("*")]
        return [text for text in texts if f"\nSubject: {subject}\n" in text]

    def queue(self):
        out = subprocess.run([tool("postqueue"), "-c", str(self.config), "-p"], capture_output=True, text=True, timeout=20)
        return out.stdout

    def held(self):
        """What is in the hold queue: a set of (sender, its recipients in order) pairs."""
        out = subprocess.run([tool("postqueue"), "-c", str(self.config), "-j"], capture_output=True, text=True, timeout=20)
        mails = [json.loads(line) for line in out.stdout.splitlines()]
        return {(mail["sender"], tuple(sorted(recipient["address"] for recipient in mail["recipients"])))
                for mail in mails if mail["queue_name"] == "hold"}


def sample_main_cf(service, name="main.cf"):
    """deploy/mta/postfix/main.cf or submission.cf, what postmasters copy, with another address of the policy service."""
    text = (DEPLOY / "mta" / "postfix" / name).read_text()
    line = "check_policy_service inet:127.0.0.1:10045\n"
    assert line in text
    return text.replace(line, f"check_policy_service {service}\n").replace("{", "{{").replace("}", "}}")
