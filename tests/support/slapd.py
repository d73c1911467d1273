"""A slapd of a test: OpenLDAP's server in the foreground, with people of corp.example, on free ports of loopback, in a folder of its own.

Nobody but the reader below may search, as is usual: an anonymous search is told that the base does not exist."""
import pathlib
import subprocess

from tests.support.processes import Process, accepts, free_ports, tool, wait_for

BASE = "dc=corp,dc=example"
READER = f"cn=reeve,{BASE}"
PASSWORD = "to be or not"

CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
directory {folder}/db
maxsize 16777216
index mail eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""


def people(*mails, aliases=None):
    """An LDIF of these addresses, and of aliases {address: mailbox}: uid is the address, mail the mailbox."""
    parts = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp\n",
             f"dn: {READER}\nobjectClass: person\ncn: reeve\nsn: reeve\nuserPassword: {PASSWORD}\n"]
    for uid, mail in [*((mail, mail) for mail in mails), *(aliases or {}).items()]:
        parts.append(f"dn: uid={uid},{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: x\nmail: {mail}\n")
    return "\n".join(parts)


class Slapd(Process):
    def __init__(self, folder, ldif, name="slapd"):
        folder = pathlib.Path(folder)
        (folder / "db").mkdir(parents=True)
        self.folder = folder
        self.port = free_ports(2)
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.tls_uri = f"ldaps://127.0.0.1:{self.port + 1}"
        self.ca = folder / "ca.pem"
        self.make_certificate(folder, "server")
        (folder / "server.pem").rename(self.ca)
        (folder / "server.pem").write_bytes(self.ca.read_bytes())
        conf = folder / "slapd.conf"
        conf.write_text(CONF.format(folder=folder, base=BASE, reader=READER))
        subprocess.run([tool("slapadd"), "-q", "-f", conf], input=ldif, text=True, check=True, capture_output=True, timeout=30)
        super().__init__(name, [tool("slapd"), "-f", conf, "-d", "0", "-h", f"{self.uri}/ ldaps://127.0.0.1:{self.port + 1}/"],
                         folder / "log")

    @staticmethod
    def make_certificate(folder, name):
        """A certificate that is its own authority, of the address 127.0.0.1 alone."""
        subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                       check=True, capture_output=True, timeout=30)

    def start(self):
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), "slapd to listen")
        return self
