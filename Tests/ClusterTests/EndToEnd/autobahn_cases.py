"""Autobahn's WebSocket test cases, as published: the package is written in Python 2 and needs a library of its own, but
its cases ask for little. They are downloaded, put into Python 3 word by word, and loaded with stand-ins for what they
import. Their text is bytes, as Python 2 had it: here one character is one byte (Latin-1), also in the sources."""

import binascii
import codecs
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import types

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".build-venv" / "autobahn"
VERSION = "0.8.2"

# The parts of the sources that are Python 2 only, and their like in Python 3.
TRANSLATION = [
    (r"(?m)^#.*coding[:=].*$", ""),
    (r"(?m)^(\s*)print (.*)$", r"\1print(\2)"),
    (r"\(object, Case, \)", "(Case, )"),
    (r"\bxrange\(", "range("),
    (r"\bunichr\(", "chr("),
    (r"binascii\.b2a_hex\(", "_hex("),
    (r"(len\([\w.]+\)) / ", r"\1 // "),
]


def _download():
    """The folder of the sources, downloaded once; the package's hash is checked."""
    folder = CACHE / f"autobahntestsuite-{VERSION}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        pip += ["--no-binary", ":all:", "--require-hashes", "--dest", str(CACHE)]
        pip += ["--requirement", str(HERE / "autobahn-requirements.txt")]
        subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)
        with tempfile.TemporaryDirectory(dir=CACHE) as unpacked:
            with tarfile.open(CACHE / f"autobahntestsuite-{VERSION}.tar.gz") as archive:
                archive.extractall(unpacked, filter="data")
            # Whole or not at all, also for a run that is broken off.
            (pathlib.Path(unpacked) / folder.name).rename(folder)
    return folder / "autobahntestsuite"


class WebSocketProtocol:
    """The names that cases take from the library's protocol."""

    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = range(4)
    MESSAGE_TYPE_TEXT, MESSAGE_TYPE_BINARY = 1, 2
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_GOING_AWAY = 1001
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_UNSUPPORTED_DATA = 1003
    CLOSE_STATUS_CODE_NULL = 1005
    CLOSE_STATUS_CODE_ABNORMAL_CLOSE = 1006
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007
    CLOSE_STATUS_CODE_POLICY_VIOLATION = 1008
    CLOSE_STATUS_CODE_MESSAGE_TOO_BIG = 1009
    CLOSE_STATUS_CODE_MANDATORY_EXTENSION = 1010
    CLOSE_STATUS_CODE_INTERNAL_ERROR = 1011


class PerMessageDeflateOffer:
    """What a client asks for: with its own parameters accepted, as the library has it by default."""

    def __init__(
        self,
        acceptNoContextTakeover=True,
        acceptMaxWindowBits=True,
        requestNoContextTakeover=False,
        requestMaxWindowBits=0,
    ):
        self.acceptNoContextTakeover = acceptNoContextTakeover
        self.acceptMaxWindowBits = acceptMaxWindowBits
        self.requestNoContextTakeover = requestNoContextTakeover
        self.requestMaxWindowBits = requestMaxWindowBits

    def header(self):
        text = "permessage-deflate"
        if self.acceptNoContextTakeover:
            text += "; client_no_context_takeover"
        if self.acceptMaxWindowBits:
            text += "; client_max_window_bits"
        if self.requestNoContextTakeover:
            text += "; server_no_context_takeover"
        if self.requestMaxWindowBits:
            text += f"; server_max_window_bits={self.requestMaxWindowBits}"
        return text


class Utf8Validator:
    def reset(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def validate(self, text):
        """(valid so far, ends between two code points)"""
        data = text.encode("latin-1")
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            return False, False
        return True, not self._decoder.getstate()[0]


def _stand_ins(folder):
    """What the sources import, by name."""

    def module(name, **contents):
        made = types.ModuleType(name)
        made.__dict__.update(contents)
        return made

    class Interfaces:
        IPushProducer = None

    names = {
        "autobahn.websocket.protocol": module("protocol", WebSocketProtocol=WebSocketProtocol),
        "autobahn.websocket.utf8validator": module("utf8validator", Utf8Validator=Utf8Validator),
        "autobahn.websocket.compress": module(
            "compress",
            PerMessageDeflateOffer=PerMessageDeflateOffer,
            PerMessageDeflateOfferAccept=None,
            PerMessageDeflateResponse=None,
            PerMessageDeflateResponseAccept=None,
        ),
        "pkg_resources": module(
            "pkg_resources", resource_filename=lambda _, name: str(folder / name), resource_string=None
        ),
        "zope.interface": module("interface", implements=lambda *_: None),
        "twisted.internet": module("internet", reactor=None, interfaces=Interfaces),
    }
    for package in ["autobahn", "autobahn.websocket", "zope", "twisted"]:
        names[package] = module(package, __path__=[])
    return names


def load():
    """All cases by number: {"1.1.1": class}."""
    folder = _download()
    present = _stand_ins(folder)
    texts = {path.stem: path for path in (folder / "case").glob("*.py")}
    texts["case_index"] = texts.pop("__init__")

    def hexadecimal(text):
        return binascii.b2a_hex(text.encode("latin-1")).decode()

    def importing(name, scope=None, local=None, wanted=(), level=0):
        if name in texts and name not in present:
            made = present[name] = types.ModuleType(name)
            source = texts[name].read_bytes().decode("latin-1")
            for pattern, replacement in TRANSLATION:
                source = re.sub(pattern, replacement, source)
            made.__dict__["__builtins__"] = {**vars(__import__("builtins")), "__import__": importing}
            made.__dict__["_hex"] = hexadecimal
            exec(compile(source, str(texts[name]), "exec"), made.__dict__)
        if name not in present:
            return __import__(name, scope, local, wanted, level)
        return present[name] if wanted else present[name.split(".")[0]]

    index = importing("case_index", wanted=("Cases",))
    base = present["case"].Case
    # Pickles of equal values differ in Python 3, by who shares what.
    base.compare = lambda self, one, other: one == other
    found = {}
    for case in index.Cases:
        found[case.__name__.removeprefix("Case").replace("_", ".")] = case
    return found
