"""The tables and bytes of docs/wire.md are true, and both modules compute the same: vectors.py WIRE.md PYTHON JAVASCRIPT."""

import json
import pathlib
import re
import subprocess
import sys
import uuid

page, python, javascript = pathlib.Path(sys.argv[1]).read_text(), *sys.argv[2:4]
sys.path.insert(0, python)
import wire  # noqa: E402  (the module under test, wherever it was copied to)

WORDS = {"a tab, then `~`": "\t~", "U+1F600": "\U0001F600"}


def rows(heading):
    """The first table behind these words."""
    table = page.split(heading, 1)[1].split("|---|---|\n", 1)[1].split("\n\n", 1)[0]
    for line in table.splitlines():
        left, right = line.strip("| ").split(" | ")
        yield WORDS.get(left, left.strip("`")), right.strip("`")


keys = [[space, name, key] for space in re.findall(r"namespace `([0-9a-f-]+)`", page.split("## Test vectors")[1])
        for name, key in rows(f"namespace `{space}`")]
partitions, values = list(map(list, rows("Partitions."))), list(map(list, rows("Header values.")))
numbers = [[text, None if read == "nothing" else int(read)] for text, read in rows("Numbers, and what is none.")]
assert len(keys) > 10 and len(partitions) > 3 and len(numbers) > 7 and len(values) > 7, "tables are missing"
for space, name, key in keys:
    assert str(uuid.uuid5(uuid.UUID(space), name)) == key, name
for stream, part in partitions:
    assert wire.partition(stream) == part, stream
for text, read in numbers:
    assert wire.number(text) == read, text
for text, coded in values:
    assert wire.encode(text) == coded and wire.decode(coded) == text, text
frames = re.findall(r"```text\nHPUB \S+ (\d+) (\d+)\n(.*?)\n\n(.*?)\n```", page, re.S)
assert len(frames) == 3
for head, whole, headers, body in frames:
    size = len((headers.replace("\n", "\r\n") + "\r\n\r\n").encode())
    assert (int(head), int(whole)) == (size, size + len(body.encode())), (head, whole, size)
    fields = dict(line.split(": ", 1) for line in headers.splitlines()[1:])
    if fields["ce-type"] == "orchestration.Reply.v1":
        assert "Nats-Msg-Id" not in fields
    else:
        assert fields["Nats-Msg-Id"] == fields["ce-id"]

CHECK = """
const { encode, decode, number, partition, uuid5 } = await import(process.argv[1]);
const { keys, partitions, numbers, values } = JSON.parse(process.argv[2]);
const faults = [
  ...keys.filter(([space, name, key]) => uuid5(space, name) !== key),
  ...partitions.filter(([stream, part]) => partition(stream) !== part),
  ...numbers.filter(([text, read]) => number(text) !== read),
  ...values.filter(([text, coded]) => encode(text) !== coded || decode(coded) !== text),
];
if (faults.length) { console.error(faults); process.exit(1); }
"""
vectors = json.dumps({"keys": keys, "partitions": partitions, "numbers": numbers, "values": values})
subprocess.run(["node", "--input-type=module", "-e", CHECK, f"{javascript}/wire.mjs", vectors], check=True)
print(f"docs/wire.md: {len(keys)} keys, {len(partitions)} partitions, {len(numbers)} numbers, {len(values)} values, {len(frames)} messages, all ok")
