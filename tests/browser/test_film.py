"""Films in the browser: a clip, and a webcam."""

import re
import shutil

from networks import picture
from steering import open_tab, ready, unfold

from style_core.media.clip import Clip
from style_core.media.video import FrameWriter


def of_clip(path, frames: int):
    with FrameWriter(path, 12) as writer:
        for index in range(frames):
            writer.add(picture(64, 96, seed=index))
    return str(path)


def painted(page, path) -> Clip:
    """The film that the page shows."""
    page.wait_for_selector("#film-result video")
    path.write_bytes(page.request.get(page.locator("#film-result video").get_attribute("src")).body())
    return Clip.open(path)


def test_a_clip_is_painted(page, tmp_path):
    clip = of_clip(tmp_path / "clip.mp4", 4)
    open_tab(page, "Video", "film")
    page.click("#film-run")
    page.get_by_test_id("toast-body").filter(has_text="Choose a video first.").wait_for()
    page.locator("#film-clip input[type=file]").set_input_files(clip)
    page.locator("#film-about").filter(has_text="4 frames of 96 x 64 px").filter(has_text="Takes about").wait_for()
    assert page.inner_text("#film-status") == "", "what was said of no video is gone"
    page.click("#film-run")
    page.locator("#film-status").filter(has_text=re.compile(r"Done in .*Frames: 4\.")).wait_for()
    assert painted(page, tmp_path / "out.mp4").frames == 4
    unfold(page, "Finer", ".finer")
    page.locator("#film-finer input").check()
    page.click("#film-run")
    page.get_by_test_id("toast-body").filter(has_text="needs a painting of your own").wait_for()
    assert painted(page, tmp_path / "out.mp4").frames == 4, "a refused request loses nothing"


def test_a_stopped_clip_is_kept_and_goes_on(page, tmp_path):
    open_tab(page, "Video", "film")
    page.locator("#film-clip input[type=file]").set_input_files(of_clip(tmp_path / "clip.mp4", 120))
    page.locator("#film-about").filter(has_text="120 frames").wait_for()
    page.click("#film-run")
    page.wait_for_selector("#film-preview img")
    page.click("#film-stop")
    page.locator("#film-status").filter(has_text="The video so far is kept").wait_for()
    done = painted(page, tmp_path / "part.mp4").frames
    assert 0 < done < 120
    page.click("#film-continue")
    page.locator("#film-status").filter(has_text=re.compile(r"Done in .*Frames: 120\.")).wait_for()
    assert painted(page, tmp_path / "out.mp4").frames == 120


def test_a_webcam_is_painted_live(page, address):
    page.context.grant_permissions(["camera"], origin=address)
    open_tab(page, "Video", "film")
    page.get_by_role("tab", name="Camera").click()
    page.locator("#film-camera").get_by_text("Click to Access Webcam").click()
    page.locator("#film-camera").get_by_label("capture photo").click()
    live = page.locator("#film-live img")
    live.wait_for()
    first = live.get_attribute("src")
    page.wait_for_function("first => document.querySelector('#film-live img').src !== first", arg=first)
    # The next frame is on its way all the time: an image that is just being exchanged has no size yet.
    page.wait_for_function(
        "(() => { const i = document.querySelector('#film-live img'); return Math.max(i.naturalWidth, i.naturalHeight) === 384 })()"
    )
    page.click("#film-snap")
    page.wait_for_selector("#film-download", state="visible")
    page.wait_for_selector("#history-strip img", state="attached")
    page.get_by_text("Use this picture").locator("visible=true").first.click()
    page.click("#film-to-paint-content")
    page.wait_for_selector("#paint-content img", state="visible")
    stream = "document.querySelector('#film-camera video').srcObject"
    page.wait_for_function(f"{stream}.getTracks().every((track) => track.readyState === 'ended')")  # nobody sees it any more
    page.get_by_role("tab", name="Video", exact=True).click()
    page.locator("#film-camera").get_by_text("Click to Access Webcam").click()
    page.locator("#film-camera").get_by_label("capture photo").click()
    page.wait_for_function(f"{stream}?.getTracks().some((track) => track.readyState === 'live')")


def test_every_tab_has_the_window_s_width(page):
    for tab in ("Stylize", "Video", "About"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_function("document.querySelector('.gradio-container').offsetWidth === 1400")


def test_a_video_that_cannot_be_read_has_its_sentence_and_nothing_goes_on_waiting(page, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    open_tab(page, "Video", "film")
    page.locator("#film-clip input[type=file]").set_input_files(str(tmp_path / "broken.mp4"))
    page.locator("#film-about").filter(has_text="broken.mp4 is not a readable video").wait_for()
    page.click("#film-run")
    page.locator("#film-status").filter(has_text="broken.mp4 is not a readable video").wait_for()
    page.locator("#film-run:not([disabled])").wait_for()


def test_a_missing_camera_is_reported(chromium, address):
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--use-fake-ui-for-media-stream"]
    )
    page = browser.new_page()
    page.set_default_timeout(90_000)
    page.goto(address)
    ready(page)
    open_tab(page, "Video", "film")
    page.get_by_role("tab", name="Camera").click()
    page.locator("#film-camera").get_by_text("Click to Access Webcam").click()
    page.locator("#no-camera").filter(has_text="No camera was found").wait_for(state="visible")
    browser.close()
