"""Numbers, spans, dates and counts as nobody writes them but by accident or with intent, each as text."""

#: limits of C's types and of floating point, what is no number, digits of other scripts, and more digits than Python
#: converts (4300)
NUMBERS = (
    "0", "-1", "1", "0.5", "-0", "+1", "1_0", "0x10", str(2**31 - 1), str(2**31), str(2**53), str(2**63 - 1),
    str(2**63), str(2**64), "9999999999", "9" * 400, "9" * 4301, "0" * 4301 + "1", "000000001999999999999",
    "1e3", "1e308", "1e309", "-1e308",
    "1e-320", "nan", "-nan", "inf", "-inf", "", " ", " 1", "\u0661", "\xb2", "\u2460", "none", "\udcff", "1\n2",
)  # fmt: skip
SPANS = (
    "30-0", "3650000-0", "100000000000-0", f"{2**63}s", f"{'9' * 4301}m", "0:0:0", "1-", "-1:00", "9" * 400 + ":00",
    "1w" * 1000, "999999999999999w", "unlimited", "\u0663h", "1:\xb2",
)  # fmt: skip
MOMENTS = (
    "9999-12-31T23:59:59", "0001-01-01", "0000-01-01", "10000-01-01", "1969-12-31T23:59:59",
    "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-02-30", "2026-01-01T25:00", "now+3000000days",
    "now-9999999999", "now+99999999999999999999weeks", "now+nan", "12/31/9999", "24:00", f"now+{'9' * 4301}",
    "\u0661\u0662:00",
)  # fmt: skip
ALL = NUMBERS + SPANS + MOMENTS
