"""SQL whose single steps, or rows of steps without a loop, would take from seconds to hours, by name; and expressions
over texts of all lengths that give what SQLite gives by itself."""

from __future__ import annotations

COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
N = 3_000_000  # bytes: a little less than a value can have


def zeros(size: int) -> str:
    """A text of so many zeros."""
    return f"hex(zeroblob({size // 2}))"


def rows(expression: str, size: int = N - 100) -> str:
    """The expression for ever, with a large text in `t`, another one in each row."""
    return f"{COUNT}, b(s) AS (SELECT {zeros(size)}), t(t) AS (SELECT s || x FROM c, b) SELECT sum({expression}) FROM t"


BIG = zeros(N)
ARRAY = f"b(t) AS (SELECT '[' || replace({zeros(N - 1000)}, '00', '1,') || '1]')"
DEEP = f"replace({zeros(1800)}, '0', '[') || replace({zeros(1800)}, '0', ']')"

SLOW = {
    "count": f"{COUNT} SELECT sum(x) FROM c",
    "glob": f"SELECT {BIG} GLOB '*{'0' * 490}1'",
    "glob, rows": rows(f"t GLOB '*{'0' * 490}1'"),
    "glob, stars": f"SELECT {BIG} GLOB '{'*0' * 240}1'",
    "glob, sets": f"SELECT {BIG} GLOB '*{'[0-9]' * 90}x'",
    "glob, small": rows(f"t GLOB '*{'0' * 90}1'", 60_000),
    "like": f"SELECT {BIG} LIKE '%{'0' * 490}1'",
    "like, any": f"SELECT {BIG} LIKE '%{'_' * 400}1{'_' * 90}2%'",
    "like, escape": f"SELECT {BIG} LIKE '%{'0' * 480}!_' ESCAPE '!'",
    "like, small": rows(f"t LIKE '%{'0' * 90}1z'", 60_000),
    "like, many": "SELECT " + " + ".join([f"({zeros(60_000)} LIKE '%{'0' * 90}1')"] * 400),
    "trim": rows("length(trim(t, '0123456789'))"),
    "trim, set": f"SELECT trim({BIG}, hex(randomblob(500000)))",
    "replace": f"SELECT length(replace({BIG}, '{'0' * 1000}1', 'x'))",
    "replace, larger": f"SELECT length(replace({BIG}, '0', {zeros(1000)}))",
    "replace, rows": rows("length(replace(t, '00', '1'))"),
    "instr": f"SELECT instr({BIG}, {zeros(N // 2)} || '1')",
    "printf": f"{COUNT} SELECT sum(length(printf('%2900000d', x))) FROM c",
    "printf, format": f"SELECT length(printf(replace({BIG}, '00', '%d')))",
    "hex": f"{COUNT} SELECT sum(length(hex(zeroblob(1400000 + x)))) FROM c",
    "hex, many": "SELECT " + " + ".join([f"length({BIG})"] * 400),
    "hex, columns": "SELECT " + ", ".join([f"length({BIG})"] * 1900),
    "length": f"WITH b(t) AS MATERIALIZED (SELECT {BIG}) SELECT {', '.join(['length(t)'] * 1900)} FROM b",
    "concatenated": f"WITH b(t) AS (SELECT {zeros(N - 2000)}) SELECT "
    + ", ".join([" || ".join(["t", *["1"] * 200])] * 300)
    + " FROM b",
    "compared": f"WITH b(t, u) AS (SELECT {zeros(N // 2 - 100)}, {zeros(N // 2 - 100)}) SELECT "
    + ", ".join([" + ".join(["(t = u)"] * 20)] * 400)
    + " FROM b",
    "randomblob": f"{COUNT} SELECT sum(length(randomblob(2900000 + x))) FROM c",
    "quote": f"{COUNT} SELECT sum(length(quote(zeroblob(1400000 + x)))) FROM c",
    "upper": rows("length(upper(t))"),
    "substr": rows("length(substr(t, 2))"),
    "unicode": rows("unicode(t)"),
    "cast": rows("CAST(t AS INTEGER)"),
    "nocase": rows("t = upper(t) COLLATE NOCASE"),
    "group_concat": f"{COUNT} SELECT length(group_concat(x)) FROM c",
    "group_concat, window": f"{COUNT} SELECT max(length(s)) FROM (SELECT group_concat({zeros(2000)}) "
    "OVER (ROWS BETWEEN 1000 PRECEDING AND CURRENT ROW) s FROM c)",
    "json_array_length": f"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c), {ARRAY} "
    "SELECT sum(json_array_length(t || substr('          ', 1, x % 9))) FROM c, b",
    "json_extract": f"WITH {ARRAY} SELECT json_extract(t{', ' + repr('$[100000]')}) FROM b",
    "json_extract, many": f"WITH {ARRAY} SELECT {', '.join(['json_extract(t, 0)'] * 1000)} FROM b",
    "json_set": f"WITH {ARRAY} SELECT length(json_set(t{''.join(f', {i!r}, 1' for i in ['$[9]'] * 60)})) FROM b",
    "json_patch": "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000), a(j) AS (SELECT "
    "json_group_object('k' || i, 1) FROM n), b(j) AS (SELECT json_group_object('m' || i, 1) FROM n) "
    "SELECT length(json_patch(a.j, b.j)) FROM a, b",
    "json_each": f"WITH {ARRAY} SELECT sum(x.value + y.value) FROM b, json_each(t) x, json_each(t) y",
    "json_tree": f"WITH b(t) AS (SELECT {DEEP}) SELECT sum(length(fullkey)) FROM b, json_tree(t)",
    "strftime": f"SELECT length(strftime(replace({BIG}, '00', '%W'), 0))",
    "order by": f"{COUNT} SELECT x FROM c ORDER BY -x",
    "distinct": f"{COUNT} SELECT count(DISTINCT x) FROM c",
    "index": f"CREATE TABLE more AS {COUNT} SELECT x FROM c",
    "subqueries": "WITH c0(x) AS (SELECT 1), "
    + ", ".join(f"c{i}(x) AS (SELECT a.x FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 22))
    + " SELECT count(*) FROM c21",
    "joins": "SELECT count(*) FROM "
    + ", ".join(f"big b{i}" for i in range(40))
    + " WHERE "
    + " AND ".join(f"b{i}.a = b{i + 1}.b" for i in range(39)),
    "in": f"SELECT 1 WHERE 5 IN ({', '.join(map(str, range(100_000)))})",
    "values": f"INSERT INTO big VALUES {', '.join(['(1, 2)'] * 100_000)}",
}

ONE = zeros(200_000)

SAME = (
    "length(printf('%*d', 200000, 1))",
    "length(format('%200000s', 'x'))",
    f"length({ONE} || {ONE})",
    f"length(upper({ONE}))",
    "length(quote(zeroblob(200000)))",
    "length(randomblob(200000))",
    f"length(substr({ONE}, 2))",
    f"length(hex({ONE}))",
    f"length(json_array({ONE}))",
    f"json_extract(json_object('a', {ONE}), '$.a') = {ONE}",
    f"json_array_length('[' || replace({ONE}, '00', '1,') || '1]')",
    f"length(json_quote({ONE}))",
    f"(SELECT length(group_concat({zeros(2000)})) FROM json_each('[{','.join('1' * 200)}]'))",
    f"length(strftime(replace({ONE}, '00', '%Y'), 0))",
    f"length(trim({ONE}, '0'))",
    f"length(ltrim({ONE} || '1', '0'))",
    f"length(rtrim('1' || {ONE}, {zeros(100)} || 'abcdefghijklmnopqrst'))",
    f"instr({ONE} || '1', '1')",
    f"length(replace({ONE}, '0', 'ab'))",
    f"{ONE} LIKE '%0'",
    f"{ONE} LIKE '%01'",
    f"{ONE} || 'Äx' LIKE '0%äX'",
    f"{ONE} || 'Äx' LIKE '0%_X'",
    f"{ONE} LIKE NULL",
    f"CAST({ONE} AS BLOB) LIKE '0%'",
    f"{ONE} GLOB '0*0'",
    f"{ONE} GLOB '*[1-9]*'",
    f"{ONE} || ']' GLOB '*[]x]'",
    f"max({ONE}, '1')",
    f"typeof(coalesce(NULL, {ONE}))",
    f"'x' LIKE '{'%a' * 60}'",
    f"'{'a' * 200}' LIKE '{'A' * 200}'",
    'json_patch(\'{"a": 1, "c": {"d": 1}}\', \'{"b": 2, "c": {"d": null}}\')',
    "json_patch(NULL, '{}')",
    "strftime('%s', 0)",
)
