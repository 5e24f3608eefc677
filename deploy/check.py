"""What deploy/check looks at with Python: YAML, Kubernetes, kustomize, compose, and that copies are copies."""

import json
import pathlib
import re
import shlex
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

here, compose_schema = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
SAGACTL = sys.argv[3] if len(sys.argv) > 3 else ""  # without one, command lines are not checked
KUBERNETES = "1.32"  # strict: a field that does not exist is an error
faults = []


def fault(path, why):
    faults.append(f"{path.relative_to(here) if isinstance(path, pathlib.Path) else path}: {why}")


def documents(path):
    try:
        return [document for document in yaml.safe_load_all(path.read_text()) if document]
    except yaml.YAMLError as why:
        fault(path, f"not YAML: {why}")
        return []


def walk(value, name):
    """Every value under this key, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from walk(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, name)


def understood(path, words):
    """A command line that sagactl would take. Behind --help nothing is run, and what stands before it is checked."""
    if not SAGACTL:
        return False
    said = subprocess.run([SAGACTL, *map(str, words), "--help"], capture_output=True, text=True)
    if said.returncode != 0:
        fault(path, f"sagactl {shlex.join(map(str, words))}: {said.stderr.strip()}")
    return said.returncode == 0


def command_lines():
    """Every command line of sagactl in the manifests, the compose file, the image and the units."""
    for path in [*here.rglob("kustomize/**/*.yaml"), here / "compose.yaml"]:
        for document in documents(path):
            for words in [*walk(document, "args"), *walk(document, "command"), *walk(document, "test")]:
                program, *rest = words[1:] if words[0] == "CMD" else words
                if program == "sagactl":
                    yield path, rest
                elif program in ("serve", "store"):  # behind the image's own entry point
                    yield path, words
    for words in re.findall(r"CMD (\[.*\])", (here / "Dockerfile").read_text()):
        words = json.loads(words)
        yield here / "Dockerfile", words[1:] if words[0] == "sagactl" else words
    for unit in here.glob("systemd/*.service"):
        for line in re.findall(r"^ExecStart(?:Pre)?=\S*/sagactl (.*)$", unit.read_text(), re.M):
            yield unit, shlex.split(line.replace("%i", "strategy"))


def kustomization(folder):
    """Files and generated names of a kustomization: what is listed exists, and what exists is listed."""
    path = folder / "kustomization.yaml"
    (document,) = documents(path)
    listed, resources = {path}, []
    for entry in document.get("resources", []):
        target = (folder / entry).resolve()
        if not target.exists():
            fault(path, f"{entry} does not exist")
        elif target.is_dir():
            if not (target / "kustomization.yaml").exists():
                fault(path, f"{entry} has no kustomization.yaml")
        else:
            listed.add(folder / entry)
            resources += [(folder / entry, document) for document in documents(folder / entry)]
    for patch in document.get("patches", []):
        listed.add(folder / patch["path"])
        for changed in documents(folder / patch["path"]):
            known = {(d["kind"], d["metadata"]["name"]) for d in documents(folder / "../../base/modules.yaml")}
            if (changed["kind"], changed["metadata"]["name"]) not in known:
                fault(folder / patch["path"], f"patches {changed['metadata']['name']}, which is not in the base")
    for generator in document.get("configMapGenerator", []):
        listed |= {folder / file for file in generator["files"]}
    for file in listed:
        if not file.exists():
            fault(path, f"{file.name} does not exist")
        elif folder.resolve() not in file.resolve().parents:
            fault(path, f"{file.name} is outside of the folder, which kustomize refuses")
    for file in sorted(set(folder.iterdir()) - listed):
        fault(file, "is not listed in kustomization.yaml")
    return resources, {generator["name"] for generator in document.get("configMapGenerator", [])}


def manifests(resources, generated):
    for path, document in resources:
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as why:
            fault(path, f"{document['kind']} {document['metadata']['name']}: {why.message} at {list(why.path)}")
        names = {found["name"] for found in walk(document, "configMap")} - generated
        for name in names:
            fault(path, f"there is no ConfigMap {name}")
        for template in walk(document, "template"):
            pod(path, document, template["spec"])
        spec = document.get("spec", {})
        selector = spec.get("selector", {}).get("matchLabels")
        labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
        if document["kind"] in ("Deployment", "StatefulSet") and not selector.items() <= labels.items():
            fault(path, "the selector does not find the pods")
        if document["kind"] == "Secret":
            fault(path, "secrets are referenced, not committed")


def pod(path, document, spec):
    name = f"{document['kind']} {document['metadata']['name']}"
    if not spec.get("securityContext", {}).get("runAsNonRoot"):
        fault(path, f"{name} may run as root")
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
    for container in spec["containers"]:
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities") != {"drop": ["ALL"]}:
            fault(path, f"{name} keeps privileges")
        if not context.get("readOnlyRootFilesystem"):
            fault(path, f"{name} may write anywhere")
        if "limits" not in container.get("resources", {}):
            fault(path, f"{name} has no limit of memory")
        if document["kind"] == "Deployment" and not {"livenessProbe", "readinessProbe", "startupProbe"} <= container.keys():
            fault(path, f"{name} lacks a probe")
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                fault(path, f"{name} mounts {mount['name']}, which is not there")


def compose(path):
    (document,) = documents(path)
    if compose_schema.exists():
        schema = json.loads(compose_schema.read_text())
        # The package is older than the key `name` of the specification.
        known = {key: value for key, value in document.items() if key != "name"}
        for error in jsonschema.Draft201909Validator(schema).iter_errors(known):
            fault(path, f"{error.message[:200]} at {list(error.path)}")
        print("compose: its published schema was asked")
    else:
        print("compose: its published schema is not here; names and files only")
    services = document["services"]
    seen = {}
    for name, service in services.items():
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or "mem_limit" not in service:
            fault(path, f"{name} may write anywhere, keeps privileges, or has no limit of memory")
        for secret in service.get("secrets", []):
            secret = secret["source"] if isinstance(secret, dict) else secret
            # migrate gives every role its password; two coordinators are one role.
            if name not in ("migrate", "coordinator-b") and seen.setdefault(secret, name) != name:
                fault(path, f"{name} and {seen[secret]} see the password {secret}")
    for name, service in services.items():
        for kind in ("secrets", "configs"):
            for used in service.get(kind, []):
                used = used["source"] if isinstance(used, dict) else used
                if used not in document[kind]:
                    fault(path, f"{name} uses {kind} {used}, which is not there")
        for other in service.get("depends_on", {}):
            if other not in services:
                fault(path, f"{name} waits for {other}, which is not there")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                if not source.startswith("./secrets/") and not (path.parent / source).exists():
                    fault(path, f"{source} does not exist")
            elif source not in document["volumes"]:
                fault(path, f"{name} uses volume {source}, which is not there")
    for config in document["configs"].values():
        if not (path.parent / config["file"]).exists():
            fault(path, f"{config['file']} does not exist")


for path in sorted(here.rglob("*.yaml")):
    documents(path)
base, generated = kustomization(here / "kustomize/base")
production, _ = kustomization(here / "kustomize/overlays/production")
manifests(base + production, generated)
compose(here / "compose.yaml")
for copy, of in [("kustomize/base/nats.conf", "nats/fast.conf"), ("kustomize/base/accounts.conf", "nats/accounts.conf"), ("kustomize/base/postgresql.conf", "postgres/container.conf")]:
    if (here / copy).read_text() != (here / of).read_text():
        fault(here / copy, f"differs from {of}; kustomize needs a copy, so copy it again")
if not (here / "postgres/container.conf").read_text().endswith((here / "postgres/durability.conf").read_text()):
    fault(here / "postgres/container.conf", "does not end with durability.conf")
# The same programs everywhere: a module that is forgotten in one place is a saga that waits for ever.
modules = {document["metadata"]["name"] for document in documents(here / "kustomize/base/modules.yaml")}
in_compose = set(re.findall(r"--modules, (\w+)\]", (here / "compose.yaml").read_text()))
if modules != in_compose:
    fault(here / "compose.yaml", f"modules differ from those of kustomize: {sorted(modules ^ in_compose)}")
beside = here / "../modules"
if beside.exists():
    code = {folder.name for folder in beside.iterdir() if folder.is_dir()} - {"orchestration"}
    if modules != code:
        fault(here / "kustomize/base/modules.yaml", f"modules differ from those of the code: {sorted(modules ^ code)}")
lines = list(command_lines())
answered = sum(understood(path, words) for path, words in lines)
if SAGACTL:
    if understood(here / "check.py", ["serve", "--nonsense"]):
        fault(here / "check.py", "every command line is understood, so none is checked")
    elif faults and "--nonsense" in faults[-1]:
        faults.pop()
    print(f"commands: {answered} of {len(lines)} are understood")
probes = [words for _, words in lines if "--probe" in words]
port = re.search(r'listen = "127.0.0.1:(\d+)"', (here / "kustomize/base/sagactl.toml").read_text())[1]
for words in probes:
    if not str(words[-1]).endswith(f":{port}"):
        fault("a probe", f"{shlex.join(words)} does not ask port {port}, where the admin API listens")
for line in faults:
    print(f"deploy/{line}", file=sys.stderr)
print(f"deploy: {len(base + production)} manifests, {len(modules)} modules" + (", ok" if not faults else ""))
sys.exit(1 if faults else 0)
