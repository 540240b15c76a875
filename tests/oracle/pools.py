"""What rules and events are made of: values in clusters of look-alikes, so that a near miss is never far."""

from __future__ import annotations

import re

# Kinds of value; each has its own pool, and now and then a value of another kind stands in its place.
# Words stand in clusters of look-alikes: a world draws whole clusters, so that a near miss is never far.
CLUSTERS: tuple[tuple[str, ...], ...] = (
    ("AssumeRole", "assumerole", "AssumeRoleWithSAML", "xAssumeRole"),
    ("GetObject", "s3:GetObject", "GetObjectAcl"),
    ("ConsoleLogin", "consolelogin", "CONSOLELOGIN"),
    ("arn:aws:iam::123456789012:user/Alice", "arn:aws:iam::123456789012:user/alice", "arn:aws:sts::123456789012:assumed-role/deploy/x"),
    ("bedrock.amazonaws.com", "bedrockXamazonaws.com", "bedrock.amazonaws.com.example.org"),
    ("012345678901", "12345678901"),
    ("aws-cli/2.15 Python/3.11", "AWS-CLI/2.15", "YXdzLWNsaS8y", "python-requests/2.31"),
    ("cmd.exe /c whoami -all", "cmd.exe -c whoami /all", "whoami \u2013all", "whoami-all"),
    ("Straße", "STRASSE", "straẞe", "strasse"),
    ("İstanbul", "istanbul", "i\u0307stanbul", "ISTANBUL", "ıstanbul"),
    ("ſecret", "secret", "SECRET"),
    ("\u212aelvin", "kelvin", "Kelvin"),
    ("\u212bngström", "ångström", "ÅNGSTRÖM", "A\u030angstro\u0308m"),
    ("\u2126hm", "ωhm", "Ωhm"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"),
    ("\u01c5ungla", "\u01c6ungla", "\u01c4UNGLA"),
    ("ДОМЕН", "домен", "Ꭰ\u13f0", "\uab70\u13f8"),
    ("\U00010400deseret", "\U00010428DESERET", "😀 smile"),
    ("e\u0301t\u00e9", "ét\u00e9", "ÉTÉ"),
    ("x' OR 1=1 --", "x", "x\\' OR 1=1 --"),
    ('"; drop table events; --', "; drop table events", "a | where 1 == 1 //"),
    ("100%_done", "100 is done", "100%xdone"),
    ("my_app", "myXapp", "my-app", "MY_APP"),
    ("C:\\Windows\\System32\\*.exe", "C:\\Windows\\System32\\cmd.exe", "c:/windows/system32/x.exe"),
    ("\\\\server\\share\\", "\\server\\share", "what?", "what!"),
    ("line\nbreak", "line break", "linebreak", "break\nline"),
    ("tab\there", "nul\u0000ctl\u001f", "del\u007f"),
    ("a/b/c", "a\\/b", "a,b", "\u2028sep"),
    ("null", "true", "TRUE", "yes", "{}", "[]", '""'),
    (" 5", "5 ", "5", "[a-z]+", "{not json"),
)
WORDS = tuple(word for cluster in CLUSTERS for word in cluster)
NUMBER_CLUSTERS: tuple[tuple[str, ...], ...] = (
    ("5", "5.0", "5.00", "5e0", "5.0000000", "05", "+5", "-5"),
    ("0", "-0", "-0.0", "0.5", "0.50", ".5", "false"),
    ("16", "22", "16.5", "1,6", "0x10"),
    ("1000", "1e3", "1E2", "100", "1000000000000000", "999999999999999"),
    ("123456789012345.123456", "123456789012345.123457", "123456789012345"),
    ("0.1234567", "0.123456", "0.1", "0.10", "5."),
    ("443", "444", "٤٤٣", "443 "),
)
NUMBER_TEXTS = tuple(text for cluster in NUMBER_CLUSTERS for text in cluster)
NUMBERS = tuple(text for text in NUMBER_TEXTS if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][0-9]+)?", text))
ADDRESSES = (
    *("192.0.2.7", "192.0.2.07", "192.0.2.256", "192.0.2.0/24", "192.0.2.7:443", "198.51.100.23", "::ffff:192.0.2.7"),
    *("::FFFF:c000:207", "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::1%eth0", "::192.0.2.7", "fe80::1", "AWS Internal"),
    *("s3.amazonaws.com", "192.0.2.***", "192.0.2", "\uff11\uff19\uff12.0.2.7", "3221225991", " 192.0.2.7"),
)
NETWORKS = ("192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0", "198.51.100.0/25", "2001:db8::/32", "::/0", "::ffff:0:0/96", "192.0.2.7")
TIMES = (
    *("2026-01-05T23:30:00Z", "2026-01-05T23:30:00+02:00", "2026-12-31T23:59:59.5-05:00", "2021-01-03T04:05:06.123456789Z"),
    *("2026-01-05 23:30:00Z", "2026-01-05T23:30:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *("2024-02-29T00:00:00+00:00", "2026-01-05"),
)
NAMES = (
    *("eventName", "userIdentity", "arn", "userAgent", "requestParameters", "resources", "tags", "ARN", "type", "count", "sourceIPAddress"),
    *("eventTime", "a.b", "user-agent", "@ts", "sp ace", "naïve", "K", "items", "x\\y", "group", 'q"q', "sla/sh"),
)
POOLS = {"word": WORDS, "number": NUMBERS, "number text": NUMBER_TEXTS, "address": ADDRESSES, "time": TIMES}
KINDS = ("word", "word", "word", "number", "number text", "address", "time", "bool", "json text", "mixed")
