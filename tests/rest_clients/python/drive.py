"""Drives a worker with the client kafka-connect-py: one connector through its life.

    drive.py URL DIR    the worker's REST API; a folder for the connector's files
"""

import pathlib
import sys
import time

import requests
from kafka_connect import KafkaConnect

NAME = "py-source"


def wait_for(what, condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"waited 30 s for {what}")
        time.sleep(0.05)


def main(url, folder):
    client = KafkaConnect(url=url)
    lines = pathlib.Path(folder) / "py.txt"
    lines.write_text("one\ntwo\n")
    config = {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "topic": "py-topic",
        "file": str(lines),
    }

    assert client.get_cluster_info()["version"], "a version"
    classes = [plugin["class"] for plugin in client.list_connector_plugins()]
    assert config["connector.class"] in classes, classes

    checked = client.validate_connector_config("FileStreamSourceConnector", {"name": NAME, **config})
    assert checked["error_count"] == 0, checked
    wrong = {"name": NAME, **config, "tasks.max": "none"}
    checked = client.validate_connector_config("FileStreamSourceConnector", wrong)
    # As Connect: it is no number, and so there is none.
    assert checked["error_count"] == 2, checked

    created = client.create_connector({"name": NAME, "config": config})
    assert created["name"] == NAME and created["config"]["topic"] == "py-topic", created
    try:
        client.create_connector({"name": NAME, "config": config})
        sys.exit("a connector was created twice")
    except requests.HTTPError as error:
        assert error.response.status_code == 409, error

    def state():
        status = client.get_connector_status(NAME)
        return [status["connector"]["state"]] + [task["state"] for task in status["tasks"]]

    wait_for("RUNNING", lambda: state() == ["RUNNING", "RUNNING"])
    assert client.list_connectors() == [NAME]
    assert client.list_connectors(expand="status", state="RUNNING").keys() == {NAME}
    assert client.get_connector(NAME)["type"] == "source"
    assert client.get_connector_config(NAME)["file"] == str(lines)
    assert client.list_connector_tasks(NAME)[0]["id"] == {"connector": NAME, "task": 0}
    wait_for("the topic", lambda: client.list_connector_topics(NAME)[NAME]["topics"] == ["py-topic"])
    client.reset_connector_topics(NAME)

    client.pause_connector(NAME)
    wait_for("PAUSED", lambda: state() == ["PAUSED", "PAUSED"])
    client.resume_connector(NAME)
    wait_for("RUNNING", lambda: state() == ["RUNNING", "RUNNING"])
    assert client.restart_connector(NAME) is None
    restarted = client.restart_connector(NAME, include_tasks=True)
    assert restarted["connector"]["state"] == "RESTARTING", restarted
    wait_for("RUNNING", lambda: state() == ["RUNNING", "RUNNING"])
    client.restart_connector_task(NAME, 0)
    wait_for("RUNNING", lambda: client.get_connector_task_status(NAME, 0)["state"] == "RUNNING")

    updated = client.update_connector(NAME, {**config, "batch.size": "7"})
    assert updated["config"]["batch.size"] == "7", updated
    client.stop_connector(NAME)
    wait_for("STOPPED", lambda: state() == ["STOPPED"])

    # The client knows no offsets; what it is built on does.
    offsets = requests.get(f"{url}/connectors/{NAME}/offsets").json()["offsets"]
    assert offsets[0]["offset"]["position"] == 8, offsets
    changed = {"offsets": [{"partition": offsets[0]["partition"], "offset": {"position": 4}}]}
    requests.patch(f"{url}/connectors/{NAME}/offsets", json=changed).raise_for_status()
    offsets = requests.get(f"{url}/connectors/{NAME}/offsets").json()["offsets"]
    assert offsets[0]["offset"]["position"] == 4, offsets
    requests.delete(f"{url}/connectors/{NAME}/offsets").raise_for_status()

    client.delete_connector(NAME)
    wait_for("no connector", lambda: client.list_connectors() == [])
    print("kafka-connect-py: passed")


main(*sys.argv[1:])
