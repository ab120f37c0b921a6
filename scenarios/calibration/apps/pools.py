"""A pool of two processes with tasks under way; at TERM it is shut down in order, and the results are compared.

The argument names the pool: multiprocessing, futures or loky.
"""

import multiprocessing
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor


def square(number):
    time.sleep(0.02)
    return number * number


def childhood():
    """The pool's processes leave TERM to their parent."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def with_multiprocessing(stop):
    pool = multiprocessing.get_context("fork").Pool(2, childhood)
    first = pool.map(square, range(2))
    results = pool.map_async(square, range(8), chunksize=1)
    stop.ready()
    pool.close()
    pool.join()
    return first + results.get()


def with_executor(pool, stop):
    first = list(pool.map(square, range(2)))
    results = [pool.submit(square, number) for number in range(8)]
    stop.ready()
    pool.shutdown(wait=True)
    return first + [result.result() for result in results]


def with_futures(stop):
    context = multiprocessing.get_context("spawn")
    return with_executor(ProcessPoolExecutor(2, mp_context=context, initializer=childhood), stop)


def with_loky(stop):
    from joblib.externals.loky import ProcessPoolExecutor as LokyExecutor

    return with_executor(LokyExecutor(2, initializer=childhood), stop)


class Stop:
    """What TERM sets. The main thread waits for it after it has said that it is ready."""

    def __init__(self):
        self.event = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self.event.set())

    def ready(self):
        print("ready", flush=True)
        self.event.wait()


if __name__ == "__main__":
    pools = {"multiprocessing": with_multiprocessing, "futures": with_futures, "loky": with_loky}
    results = pools[sys.argv[1]](Stop())
    expected = [number * number for number in [*range(2), *range(8)]]
    sys.exit(0 if results == expected else f"{results} in place of {expected}")
