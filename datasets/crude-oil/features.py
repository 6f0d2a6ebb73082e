"""Builds a table from daily prices: what the past says, and how much the price moves in the days that follow.

usage: python3 features.py < prices.csv > data.csv
       python3 features.py --every 1 --ahead 21 < prices.csv > daily.csv

Every --every days of trading there is a row. Its columns are made of the prices up to and including its date; its last
column, next_log_volatility, of the --ahead days after it. With --every at least as large as --ahead no day is in the
targets of two rows, so rows before a date know nothing of what a row at that date is asked for.

Volatility is the root mean square of the daily changes of the logarithm of the price, times the root of 252 (days of
trading in a year). Its logarithm is close to normally distributed. The columns of volatility over several horizons are
those of the HAR model (Corsi 2009, https://doi.org/10.1093/jjfinec/nbp001).
"""

import argparse
import csv
import math
import sys

HORIZONS = (5, 21, 63, 252)  # days of trading: a week, a month, a quarter, a year
RETURNS = (1, 5, 21, 63)
LEAST = 0.01  # volatilities below one percent a year count as one percent, so that a still week has a logarithm


def log_volatility(changes):
    square = sum(change * change for change in changes) / len(changes)
    return math.log(max(math.sqrt(252 * square), LEAST))


def features(prices):
    """What is known at the last of these prices."""
    logs = [math.log(price) for price in prices[-max(HORIZONS) - 1 :]]
    changes = [after - before for before, after in zip(logs, logs[1:])]
    row = {f"log_volatility_{days}": log_volatility(changes[-days:]) for days in HORIZONS}
    row |= {f"return_{days}": logs[-1] - logs[-1 - days] for days in RETURNS}
    row["largest_change_5"] = max(abs(change) for change in changes[-5:])
    return row


def target(prices):
    """The volatility from the first of these prices to the last."""
    logs = [math.log(price) for price in prices]
    return log_volatility([after - before for before, after in zip(logs, logs[1:])])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=5, help="days of trading between two rows")
    parser.add_argument("--ahead", type=int, default=5, help="days of trading that the target is made of")
    options = parser.parse_args()
    if options.every < 1 or options.ahead < 1:
        parser.error("--every and --ahead must be at least 1")
    days = list(csv.DictReader(sys.stdin))
    prices = [float(day["dollars"]) for day in days]
    if any(later["date"] <= earlier["date"] for earlier, later in zip(days, days[1:])):
        sys.exit("the dates are not in order")
    moments = range(max(HORIZONS), len(prices) - options.ahead, options.every)
    if not moments:
        sys.exit(f"{len(prices)} prices are too few: the first row needs {max(HORIZONS) + 1}, and its target {options.ahead} more")
    for now in moments:
        row = features(prices[: now + 1]) | {"next_log_volatility": target(prices[now : now + options.ahead + 1])}
        if now == moments[0]:
            print("date", *row, sep=",")
        print(days[now]["date"], *(f"{value:.6f}" for value in row.values()), sep=",")


if __name__ == "__main__":
    main()
