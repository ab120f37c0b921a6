"""A dramatiq actor that counts in Redis, and a program that sends it messages and waits until each of two was counted."""

import sys
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(host="127.0.0.1", port=6379))


@dramatiq.actor
def count():
    redis.Redis().incr("counted")


if __name__ == "__main__":
    until = time.monotonic() + 50
    for _ in range(2):
        count.send()
    while int(redis.Redis().get("counted") or 0) < 2:
        if time.monotonic() > until:
            sys.exit("the messages were not counted")
        time.sleep(0.02)
