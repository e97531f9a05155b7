"""Pictures and sound of fake devices (CLIENT.md §11: T-14, T-15)."""

import asyncio

from browsers import play

# A video element that shows a remote stream, and whether its frames change: two of them, read back through a canvas.
WATCH = """(() => {
    const { remote } = peers[0].streams.at(-1);
    window.video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
    document.body.append(video);
    remote.attach(video);
    window.frame = () => new Promise(resolve => video.requestVideoFrameCallback(() => {
        const canvas = new OffscreenCanvas(32, 24);
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0, 32, 24);
        resolve([...context.getImageData(0, 0, 32, 24).data]);
    }));
    window.differ = async () => {
        const first = (await frame()).join();
        for (;;) if ((await frame()).join() !== first) return true;
    };
})()"""

# A track of one colour: nothing of a fake camera looks like it.
RED = """(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const context = canvas.getContext("2d");
    const paint = () => { context.fillStyle = "rgb(255 0 0)"; context.fillRect(0, 0, 320, 240); };
    setInterval(paint, 50);
    return canvas.captureStream(20).getVideoTracks()[0];
})()"""


def test_camera_is_seen_and_replaced_and_gone(cluster):
    """T-15."""

    async def scenario(stage):
        alice, bob = await stage.pair()
        await alice.run("""submergence.getUserMedia({ video: true, audio: true }).then(stream => {
            window.camera = stream;
            peers[0].addStream(stream);
        })""")
        await bob.until("peers[0].streams.length === 1")
        await bob.run(WATCH)
        assert await bob.run("differ()")
        # Another track in its place: seen, without another stream or another offer.
        offers = await alice.run("made.offers.length") + await bob.run("made.offers.length")
        await alice.run(f"peers[0].replaceTrack(camera.getVideoTracks()[0], window.red = {RED})")
        await bob.run("""(async () => {
            for (;;) {
                const [red, green, blue] = await frame();
                if (red > 200 && green < 60 && blue < 60) return;
            }
        })()""")
        assert await bob.run("peers[0].streams.length") == 1
        assert await alice.run("made.offers.length") + await bob.run("made.offers.length") == offers
        await alice.run("peers[0].removeStream(camera)")
        await bob.until("peers[0].said.some(([name]) => name === 'streamend')")
        # A stream that was there before a tab came is there for that tab, too.
        await alice.run("peers[0].addStream(new MediaStream([red.clone()]))")
        await bob.until("peers[0].streams.length === 2")

    play(cluster, scenario)


def test_glare_of_streams(cluster):
    """T-14: a hundred times both sides add a stream at once; both arrive, and the negotiation is at rest."""

    async def scenario(stage):
        tabs = await stage.pair()
        for tab in tabs:
            await tab.run("""navigator.mediaDevices.getUserMedia({ video: true }).then(stream => {
                window.source = stream.getVideoTracks()[0];
                window.add = () => { window.mine = new MediaStream([source.clone()]); peers[0].addStream(mine); };
                window.drop = () => { peers[0].removeStream(mine); mine.getTracks().forEach(track => track.stop()); };
                window.ended = () => peers[0].said.filter(([name]) => name === "streamend").length;
            })""")
        for round in range(100):
            await asyncio.gather(*(tab.run("add()") for tab in tabs))
            await asyncio.gather(*(tab.until(f"peers[0].streams.length === {round + 1}") for tab in tabs))
            await asyncio.gather(*(tab.run("drop()") for tab in tabs))
            await asyncio.gather(*(tab.until(f"ended() === {round + 1}") for tab in tabs))
        for tab in tabs:
            await tab.until("made.connections[0].signalingState === 'stable'")
            assert await tab.run("made.connections.length") == 1
            # What came took the places of what went: descriptions do not grow.
            assert await tab.run("made.connections[0].getTransceivers().length") <= 4
            assert await tab.run("errors") == []
            assert await tab.run("peers[0].said.filter(([name]) => name === 'error')") == []

    play(cluster, scenario)
