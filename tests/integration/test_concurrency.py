"""Nothing blocks a thread."""
import asyncio
import contextlib
import selectors
import threading
import time

from harness import RELEASE, connect


@contextlib.contextmanager
def late_verdicts(genuine_port, seconds):
    """A port that leads to a Verifier whose second answer on a connection, the verdict, is late."""
    loop = asyncio.new_event_loop()

    async def serve(reader, writer):
        to_verifier = await asyncio.open_connection("127.0.0.1", genuine_port)

        async def forward_requests():
            while data := await reader.read(1 << 16):
                to_verifier[1].write(data)
            to_verifier[1].close()

        asking = asyncio.ensure_future(forward_requests())
        answers = 0
        try:
            while data := await to_verifier[0].read(1 << 16):
                answers += 1
                if answers == 2:
                    await asyncio.sleep(seconds)
                writer.write(data)
        finally:
            asking.cancel()
            writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, backlog=512))
    running = threading.Thread(target=loop.run_forever, daemon=True)
    running.start()
    yield server.sockets[0].getsockname()[1]

    async def end():
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    running.join()
    loop.close()


def test_two_hundred_handshakes_at_once_on_one_thread(site, pair):
    """The Verifier takes a second for each; one I/O thread finishes 200 in under two, not in 200."""
    count = 200
    with late_verdicts(site.verifier.port, 1) as port:
        p = pair(egress_verifier={"url": f"http://127.0.0.1:{port}", "timeout": "10s"},
                 ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                 egress_tunnel={"require_attestation": True}, binaries=RELEASE / "bin")
        started = time.monotonic()
        sockets = [connect(p.egress_port) for _ in range(count)]
        waiting = selectors.DefaultSelector()
        for s in sockets:
            s.sendall(b"x")
            waiting.register(s, selectors.EVENT_READ)
        answered = 0
        while answered < count and time.monotonic() - started < 20:
            for key, _ in waiting.select(1):
                assert key.fileobj.recv(1) == b"x"
                waiting.unregister(key.fileobj)
                answered += 1
        elapsed = time.monotonic() - started
        for s in sockets:
            s.close()
        assert answered == count
        print(f"{count} handshakes in {elapsed:.2f} s")
        assert 1 <= elapsed < 2
