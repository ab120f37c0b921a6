"""A celery application whose broker is a directory, and a program that has it do three tasks."""

import os

from celery import Celery

BROKER = "/tmp/broker"
os.makedirs("/tmp/results", exist_ok=True)
os.makedirs(BROKER + "/control", exist_ok=True)
app = Celery("tasks", broker="filesystem://", backend="file:///tmp/results")
app.conf.broker_transport_options = {
    "data_folder_in": BROKER,
    "data_folder_out": BROKER,
    "control_folder": BROKER + "/control",
}
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_hijack_root_logger = True


@app.task(name="add")
def add(x, y):
    return x + y


if __name__ == "__main__":
    for result in [add.delay(number, number) for number in range(3)]:
        result.get(timeout=50)
