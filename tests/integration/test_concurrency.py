"""Nothing blocks a thread."""
import asyncio
import contextlib
import selectors
import threading
import time

from harness import PATIENCE, RELEASE, connect


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


def seconds_until_all_are_answered(port, count):
    started = time.monotonic()
    with contextlib.ExitStack() as held, selectors.DefaultSelector() as waiting:
        for _ in range(count):
            s = held.enter_context(connect(port))
            s.sendall(b"x")
            waiting.register(s, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(PATIENCE)
            assert ready, f"{len(waiting.get_map())} of {count} are not answered"
            for key, _ in ready:
                assert key.fileobj.recv(1) == b"x"
                waiting.unregister(key.fileobj)
    return time.monotonic() - started


def test_many_handshakes_at_once_on_one_thread(site, pair):
    """What one I/O thread needs for 64 handshakes whose Verifier takes a while for each is what it
    needs for 200 anyway, and that while once."""
    count, late = 64, 2
    work = {}
    for seconds in (0, late):
        with late_verdicts(site.verifier.port, seconds) as port:
            p = pair(egress_verifier={"url": f"http://127.0.0.1:{port}", "timeout": "30s"},
                     ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True},
                                     "timeouts": {"handshake": "60s"}},
                     egress_tunnel={"require_attestation": True, "timeouts": {"handshake": "60s"}},
                     binaries=RELEASE / "bin")
            work[seconds] = seconds_until_all_are_answered(p.egress_port, count) - seconds
            p.__exit__()
    print(f"{count} handshakes: {work[0]:.2f} s, and {work[late]:.2f} s besides waiting {late} s each")
    assert 0 <= work[late] < 3 * work[0] + late
