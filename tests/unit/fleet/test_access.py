"""How to come in at an etcd that speaks TLS, and what is wrong where it is not so."""

import subprocess

import pytest

from ambassador.errors import ConfigError
from ambassador.fleet.access import Access
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.requests import put
from tests.etcd import etcd

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Return a folder with an authority, another one, and certificates of a member and a client."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments):
        subprocess.run(("openssl", *arguments), cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *(
                "-keyout",
                f"{name}.key",
                "-out",
                f"{name}.pem",
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
            ),
        )
    for name in ("member", "client"):
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        )
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext"),
        )
    return folder


@pytest.fixture(scope="module")
def secured(pki):
    with etcd(
        *("--cert-file", str(pki / "member.pem"), "--key-file", str(pki / "member.key")),
        *("--trusted-ca-file", str(pki / "ca.pem"), "--client-cert-auth"),
        scheme="https",
    ) as member:
        yield member


def client(member, pki, ca="ca", cert="client", tls=True):
    files = {
        "ca": str(pki / f"{ca}.pem") if ca else "",
        "cert": str(pki / f"{cert}.pem") if cert else "",
        "key": str(pki / f"{cert}.key") if cert else "",
    }
    return Etcd(Access((Url("127.0.0.1", member.port, tls),), **files))


async def test_who_has_the_right_files_comes_in(secured, pki):
    one = client(secured, pki)
    await one.get("k")
    watch = one.watch("a", "b", 1)
    assert (await anext(watch)).changes == {}
    await watch.aclose()
    one.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ca": "other"}, "AMBASSADOR_ETCD_CA: the certificate of https://127.0.0.1"),
        ({"ca": ""}, "is not trusted"),
        ({"cert": ""}, "AMBASSADOR_ETCD_CERT: .* wants a certificate of ours"),
        ({"cert": "other"}, "AMBASSADOR_ETCD_CERT: .* wants a certificate of ours"),
        ({"tls": False}, "AMBASSADOR_ETCD: .* speaks TLS, and http:// is written"),
        ({"ca": "none"}, "AMBASSADOR_ETCD_CA: cannot be used: no such file"),
        ({"cert": "none"}, "AMBASSADOR_ETCD_CERT: cannot be used: no such file"),
    ],
)
async def test_what_is_wrong_with_the_files_is_told_by_the_setting(secured, pki, options, words):
    for _ in range(2):  # not only the first time
        with pytest.raises(ConfigError, match=words):
            await client(secured, pki, **options).get("k")
        with pytest.raises(ConfigError, match=words):
            async for _batch in client(secured, pki, **options).watch("a", "b", 1):
                pass


async def test_tls_where_plain_is_spoken_is_told(member, pki):
    with pytest.raises(ConfigError, match="does not speak TLS, and https:// is written"):
        await client(member, pki).get("k")


async def test_a_user_logs_in_with_the_password_of_the_file_and_may_what_its_role_may(tmp_path):
    file = tmp_path / "password"
    with etcd() as member:
        for arguments in (
            ("user", "add", "root:secret"),
            ("user", "grant-role", "root", "root"),
            ("user", "add", "reader:old"),
            ("role", "add", "r"),
            ("role", "grant-permission", "--prefix=true", "r", "read", "/f/"),
            ("user", "grant-role", "reader", "r"),
            ("auth", "enable"),
        ):
            member.ctl(*arguments, check=False)
        nobody = member.client()
        with pytest.raises(ConfigError, match="etcd wants a user"):
            await nobody.get("/f/a")
        nobody.close()
        file.write_text("wrong\n")
        reader = member.client(user="reader", password_file=str(file))
        with pytest.raises(ConfigError, match="etcd does not let reader in"):
            await reader.get("/f/a")
        file.write_text("old\n")
        await reader.get("/f/a")
        with pytest.raises(ConfigError, match="the user reader has not the right to read /g/a"):
            await reader.get("/g/a")
        with pytest.raises(ConfigError, match="the user reader has not the right to write /f/b"):
            await reader.change((), (put("/f/b", "x"),), "/f/b")
        with pytest.raises(ConfigError, match="the user reader has not the right to read /g/"):
            async for _ in reader.watch("/g/", "/g0", 1):
                pass
        root = ("--user", "root:secret")
        member.ctl(*root, "user", "delete", "reader")
        member.ctl(*root, "user", "add", "reader:new")
        member.ctl(*root, "user", "grant-role", "reader", "r")
        file.write_text("new\n")
        await reader.get("/f/a")  # with the password that is in the file now
        reader.close()
        file.unlink()
        anew = member.client(user="reader", password_file=str(file))
        with pytest.raises(ConfigError, match="AMBASSADOR_ETCD_PASSWORD_FILE: the password cannot"):
            await anew.get("/f/a")
        anew.close()


async def test_a_user_where_none_is_asked_for_is_no_error(member, tmp_path):
    (tmp_path / "p").write_text("x")
    one = member.client(user="ann", password_file=str(tmp_path / "p"))
    await one.get("k")
    one.close()


async def test_a_certificate_that_is_renewed_is_used_without_a_restart(secured, pki, tmp_path):
    for end in ("pem", "key"):
        (tmp_path / f"own.{end}").write_bytes((pki / f"other.{end}").read_bytes())
    files = {"cert": str(tmp_path / "own.pem"), "key": str(tmp_path / "own.key")}
    url = Url("127.0.0.1", secured.port, tls=True)
    one = Etcd(Access((url,), ca=str(pki / "ca.pem"), **files))
    with pytest.raises(ConfigError, match="AMBASSADOR_ETCD_CERT"):
        await one.get("k")
    for end in ("pem", "key"):
        (tmp_path / f"own.{end}").write_bytes((pki / f"client.{end}").read_bytes())
    await one.get("k")
    watch = one.watch("a", "b", 1)
    assert (await anext(watch)).changes == {}
    await watch.aclose()
    one.close()
