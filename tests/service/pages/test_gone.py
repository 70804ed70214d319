"""What is seen on a page where the pixels of one image among many cannot be had any more: its thumbnail."""

import base64
import io
from pathlib import Path

from PIL import Image

_ADDRESS = "image => image.getAttribute('src').includes('/images/{}/crop')"
_FIND = "[...document.querySelectorAll('svg.near img')].find(" + _ADDRESS + ")"
_CENTRE = """
(box => [box.x + box.width / 2, box.y + scrollY + box.height / 2])
("""


def _colour(tab, image):
    """In the middle of the large patch of an image."""
    tab.evaluate(f"{_FIND.format(image)}.scrollIntoView({{block: 'center'}})")
    tab.wait(f"{_FIND.format(image)}.complete")
    x, y = tab.evaluate(f"{_CENTRE}{_FIND.format(image)}.getBoundingClientRect())")
    clip = {"x": x - 2, "y": y - 2, "width": 4, "height": 4, "scale": 1}
    shot = tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as picture:
        return picture.convert("RGB").getpixel((2, 2))


def test_the_thumbnail_is_seen_where_one_image_is_gone(fresh, kit, chromium):
    gone = next(image for _, image, _ in fresh.top(0, 3, 8)[1:] if abs(image * 37 % 256 - 192) > 40)
    (Path(fresh.url).parent / "data" / f"{gone:05d}.png").unlink()
    with (
        kit.answering(fresh.url) as url,
        chromium.open(f"{url}/stores/store/units/features.0/3") as tab,
    ):
        assert tab.evaluate(f"!{_FIND.format(gone)}.naturalWidth")
        assert all(abs(value - gone * 37 % 256) < 5 for value in _colour(tab, gone))
