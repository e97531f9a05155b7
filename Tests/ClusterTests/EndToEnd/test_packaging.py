"""packaging/ and deploy/: what is in the files is what the executable takes, and what systemd and Kubernetes take."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from composed import known_flags
from processes import PROJECT, executable

UNIT = PROJECT / "packaging/systemd/submergence@.service"
ENVIRONMENT = PROJECT / "packaging/systemd/node.env"
PROGRAM = "/usr/local/bin/submergence"
MAX_DRAIN = 60


def unit(section):
    """The settings of a section, in order: [(name, value)]. Lines that end in a backslash go on."""
    text = UNIT.read_text(encoding="utf8").replace("\\\n", " ")
    part = re.search(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    lines = [line for line in part.split("\n") if line and not line.startswith("#")]
    return [tuple(line.split("=", 1)) for line in lines]


def command():
    (start,) = [value for name, value in unit("Service") if name == "ExecStart"]
    shell, dash, script = shlex.split(start)
    assert (shell, dash) == ("/bin/sh", "-c")
    return script


def test_the_units_options_are_those_of_the_executable():
    given = set(re.findall(r"--[a-z][a-z-]+", command()))
    assert "--session-label" in given and given <= known_flags("serve")
    settings = dict(re.findall(r"^(\w+)=(.+)$", ENVIRONMENT.read_text(encoding="utf8"), re.MULTILINE))
    assert set(re.findall(r'"\$(\w+)"', command())) == set(settings)


def test_the_unit_waits_for_a_drain():
    service = dict(unit("Service"))
    helped = subprocess.run([executable(), "serve", "--help"], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"--max-drain.*?Default: {MAX_DRAIN}\.", helped, re.DOTALL)
    assert int(service["TimeoutStopSec"]) >= MAX_DRAIN + 20
    assert service["KillSignal"] == "SIGTERM" and service["RestartPreventExitStatus"] == "64 75"


@pytest.fixture
def installed(tmp_path):
    """The unit as systemd would find it, for node `a`."""
    file = tmp_path / "submergence@a.service"
    program = shutil.which("true")
    file.write_text(UNIT.read_text(encoding="utf8").replace(PROGRAM, program), encoding="utf8")
    return file


def test_systemd_takes_the_unit(installed):
    done = subprocess.run(["systemd-analyze", "verify", installed], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    # A threshold in tenths: 2.0 of 10 is what the sandbox may be exposed to.
    arguments = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", installed]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_units_command_passes_what_the_files_say(tmp_path):
    """The command as it stands, with files of the test and a program that prints its arguments."""
    here = tmp_path / "submergence"
    here.mkdir()
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf8")
    program.chmod(0o755)
    settings = dict(re.findall(r"^(\w+)=(.+)$", ENVIRONMENT.read_text(encoding="utf8"), re.MULTILINE))
    script = command().replace("/etc/submergence", str(here)).replace("%i", "a").replace(PROGRAM, str(program))
    done = subprocess.run(["/bin/sh", "-c", script], env={**os.environ, **settings}, capture_output=True, text=True)
    words = done.stdout.split("\n")[:-1]
    assert words[0] == "serve" and not done.stderr
    given = dict(zip(words[1::2], words[2::2], strict=True))
    assert given["--mongodb-uri-file"] == f"{here}/mongodb"
    assert given["--session-label"] == "a" and given["--name"] == settings["NODE_NAME"]
    assert given["--signing-keys"] == f"{here}/signing-keys" and given["--port"] == settings["PORT"]


# ---- Kubernetes

KUBERNETES = PROJECT / "deploy/kubernetes"


def resources():
    """All objects, by kind and name."""
    files = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf8"))["resources"]
    assert {*files, "kustomization.yaml"} == {file.name for file in KUBERNETES.glob("*.yaml")}
    found = {}
    for file in files:
        for thing in yaml.safe_load_all((KUBERNETES / file).read_text(encoding="utf8")):
            assert thing["apiVersion"] and (thing["kind"], thing["metadata"]["name"]) not in found
            found[thing["kind"], thing["metadata"]["name"]] = thing
    return found


def pod():
    return resources()["StatefulSet", "submergence"]["spec"]["template"]["spec"]


def container():
    (only,) = pod()["containers"]
    return only


def job_pod():
    return resources()["Job", "init-db"]["spec"]["template"]["spec"]


def test_kubernetes_has_what_it_takes():
    kinds = {kind for kind, _ in resources()}
    assert kinds == {
        *("Namespace", "Job", "StatefulSet", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"),
        "NetworkPolicy",
    }
    set_ = resources()["StatefulSet", "submergence"]["spec"]
    labels = set_["template"]["metadata"]["labels"]
    for kind, name in [("StatefulSet", "submergence"), ("PodDisruptionBudget", "submergence")]:
        assert resources()[kind, name]["spec"]["selector"]["matchLabels"] == labels
    assert resources()["NetworkPolicy", "submergence"]["spec"]["podSelector"]["matchLabels"] == labels
    services = [thing["spec"] for (kind, _), thing in resources().items() if kind == "Service"]
    assert all(service["selector"] == labels for service in services)
    assert ("Service", set_["serviceName"]) in resources()
    assert resources()["Service", "submergence"]["spec"]["sessionAffinity"] == "ClientIP"
    scaler = resources()["HorizontalPodAutoscaler", "submergence"]["spec"]
    assert ("StatefulSet", scaler["scaleTargetRef"]["name"]) in resources()
    assert 2 <= scaler["minReplicas"] <= set_["replicas"] <= scaler["maxReplicas"]


def test_the_options_in_kubernetes_are_those_of_the_executable():
    arguments = dict(argument.split("=", 1) for argument in container()["args"])
    assert container()["command"][2:] == ["submergence", "serve"] and set(arguments) <= known_flags("serve")
    (job,) = job_pod()["containers"]
    assert job["command"][2:] == ["submergence", "init-db"]
    assert {argument.split("=")[0] for argument in job["args"]} <= known_flags("init-db")
    given = {variable["name"] for variable in container()["env"]}
    assert set(re.findall(r"(?<!\$)\$\((\w+)\)", " ".join(container()["args"]))) == given
    # A label of letters, digits and underscores; the index is a number.
    assert re.fullmatch(r"[A-Za-z0-9_]{1,30}\$\(POD_INDEX\)", arguments["--session-label"])


@pytest.mark.parametrize("spec", [pod, job_pod])
def test_what_is_copied_in_kubernetes_is_taken(spec, tmp_path):
    """ADR 0030: files as Kubernetes mounts them, by links and readable by a group, are refused; copies are not."""
    mounted, copied = tmp_path / "mounted", tmp_path / "secrets"
    (mounted / "..data").mkdir(parents=True)
    copied.mkdir()
    (mounted / "..data/mongodb").write_text("mongodb://node:secret@router/\n", encoding="utf8")
    (mounted / "..data/mongodb").chmod(0o440)
    (mounted / "mongodb").symlink_to("..data/mongodb")
    (only,) = spec()["initContainers"]
    *program, script = only["command"]
    script = script.replace("/mounted/", f"{mounted}/").replace("/secrets/", f"{copied}/")
    subprocess.run([*program, script], check=True, stdin=subprocess.DEVNULL)
    for folder, status in ((mounted, 78), (copied, 0)):
        # What needs a MongoDB takes one that is named by a file.
        command = [executable(), "check", "--dev", "--outbox", "--mongodb-uri-file", folder / "mongodb"]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == status and "secret@" not in done.stdout, done.stdout


def test_ports_and_probes_in_kubernetes(nodes):
    arguments = dict(argument.split("=", 1) for argument in container()["args"])
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"clients": int(arguments["--port"]), "control": int(arguments["--control-port"])}
    for (kind, _), thing in resources().items():
        if kind == "Service":
            assert {port["targetPort"] for port in thing["spec"]["ports"]} <= set(ports)
    policy = resources()["NetworkPolicy", "submergence"]["spec"]["ingress"]
    assert {port["port"] for rule in policy for port in rule["ports"]} == set(ports)
    (node,) = nodes.start(1)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        get = container()[probe]["httpGet"]
        assert get["port"] == "control" and node.control_status(get["path"]) == 200


def test_kubernetes_waits_for_a_drain():
    (sleep, seconds) = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    assert pod()["terminationGracePeriodSeconds"] >= int(seconds) + MAX_DRAIN + 20


def test_secrets_in_kubernetes_are_files():
    customization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf8"))
    made = {
        secret["name"]: {file.partition("=")[0].split("/")[-1] for file in secret["files"]}
        for secret in customization["secretGenerator"]
    }
    assert not any("literals" in secret for secret in customization["secretGenerator"])
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert made[volumes["mounted"]["secret"]["secretName"]] == {"signing-keys", "control-keys", "mongodb"}
    volumes = {volume["name"]: volume for volume in job_pod()["volumes"]}
    assert made[volumes["mounted"]["secret"]["secretName"]] == {"mongodb"}
    for secret, spec in (("submergence", pod()), ("submergence-set-up", job_pod())):
        (reader,) = spec["containers"]
        assert set(re.findall(r"/secrets/([\w-]+)", " ".join(reader["args"]))) == made[secret]
    assert "deploy/kubernetes/secrets" in (PROJECT / ".gitignore").read_text(encoding="utf8")
    # Nothing secret stands in an object, and no pod has a right that it does not need.
    for (kind, _), thing in resources().items():
        assert kind != "Secret" and "mongodb://" not in str(thing)
        if kind in ("StatefulSet", "Job"):
            spec = thing["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"] and spec["automountServiceAccountToken"] is False
            assert spec["enableServiceLinks"] is False
            for part in spec["containers"] + spec.get("initContainers", []):
                assert part["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert part["securityContext"]["readOnlyRootFilesystem"]
