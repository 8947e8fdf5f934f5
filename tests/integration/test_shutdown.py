"""How a running atlsd ends: stop, drain, quit."""
import signal
import threading
import time

from harness import BIN, PATIENCE, ask, connect, is_listening, read_all, run, wait_until


def slow_echo(connection):
    """Answers when the client has finished, after a moment."""
    data = read_all(connection)
    time.sleep(0.5)
    connection.sendall(data)


def test_a_stop_finishes_what_runs_and_ignores_hangups(running):
    r = running()
    with connect(r.port) as s:
        s.sendall(b"before ")
        assert s.recv(7) == b"before "
        r.atlsd.popen.send_signal(signal.SIGTERM)
        wait_until("drain", lambda: r.admin.status()["message"] == "stopping")
        r.change(lambda c: c.update(nonsense=1))
        r.hang_up()
        wait_until("the hangup", lambda: "reload (SIGHUP) ignored: stopping" in r.atlsd.log())
        assert r.admin.ask("POST", "/reload")[0] == 409
        wait_until("closed listener", lambda: not is_listening(r.pair.ingress_port))
        s.sendall(b"after")
        assert s.recv(5) == b"after"
    assert r.atlsd.popen.wait(PATIENCE) == 0


def test_a_stop_cuts_what_does_not_end_and_says_so(running):
    r = running()
    with connect(r.port) as s:
        s.sendall(b"a")
        assert s.recv(1) == b"a"
        assert r.atlsd.stop() == 1
    assert r.atlsd.connections()[-1]["reason"] == "shutting_down"


def test_a_second_signal_ends_at_once(running):
    r = running(ingress={"shutdown_timeout": "60s"})
    with connect(r.port) as s:
        s.sendall(b"a")
        assert s.recv(1) == b"a"
        r.atlsd.popen.send_signal(signal.SIGTERM)
        wait_until("drain", lambda: r.admin.status()["message"] == "stopping")
        r.atlsd.popen.send_signal(signal.SIGTERM)
        assert r.atlsd.popen.wait(PATIENCE) == 1


def test_drain_keeps_the_process_and_quit_ends_it(running):
    r = running(slow_echo)
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(r.port, b"slow")))
    client.start()
    wait_until("connection", lambda: r.admin.status()["open_connections"] == 1)
    done = run(BIN / "atls", "drain", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 0, done.stderr
    client.join()
    assert answers == [b"slow"]
    assert r.admin.ask("GET", "/readyz") == (503, "stopping\n")
    assert r.atlsd.popen.poll() is None and not is_listening(r.pair.ingress_port)
    assert r.admin.ask("POST", "/quitquitquit")[0] == 202
    assert r.atlsd.popen.wait(PATIENCE) == 0
