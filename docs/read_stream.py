#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Read a stream of ktrace with msgpack and numpy alone.

    sudo ktrace --duration 1s | python3 docs/read_stream.py
"""

import sys

import msgpack
import numpy as np

DTYPES = {"bool": "?", "i8": "i1", "i16": "<i2", "i32": "<i4", "i64": "<i8",
          "u8": "u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "f64": "<f8", "str": "<u4"}


def values(column, data, rows):
    """One column of a batch as an array; text, labels and NULL as objects."""
    if data is None:
        return np.full(rows, None, object)
    if column["type"] == "str":
        texts, data = data
        return np.array(texts, object)[np.frombuffer(data, "<u4")]
    array = np.frombuffer(data, DTYPES[column["type"]])
    if labels := dict(column.get("labels") or []):
        return np.array([labels.get(n, str(n)) for n in array.astype(int).tolist()], object)
    return array


def read(file):
    """Return {table: {column: array}}, and whether the end frame came."""
    tables, whole = {}, False
    for kind, *frame in msgpack.Unpacker(file, max_buffer_size=1 << 25):
        if kind == 0 and (frame[0]["magic"], frame[0]["version"]) != ("kermit", 1):
            raise ValueError("not a stream of ktrace, or of a newer one")
        if kind == 1:
            name, table = frame[:2]
            empty = lambda c: [[], b""] if c["type"] == "str" else b""
            tables[name] = [(c, [values(c, empty(c), 0)]) for c in table["columns"]]
        if kind == 2:
            name, _, rows, data = frame[:4]
            for (column, parts), part in zip(tables[name], data):
                parts.append(values(column, part, rows))
        whole = kind == 9
    return {name: {c["name"]: np.concatenate(parts) for c, parts in columns}
            for name, columns in tables.items()}, whole


if __name__ == "__main__":
    tables, whole = read(sys.stdin.buffer)
    for name, table in tables.items():
        print(f"{name}: {len(next(iter(table.values())))} rows")
        for row in list(zip(*(array[:3].tolist() for array in table.values()))):
            print("  ", dict(zip(table, row)))
    if not whole:
        sys.exit("the stream was cut: its end frame is missing")
