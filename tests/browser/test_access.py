"""Access: contrast, names for what reads the page aloud, and the keyboard."""

import re
from pathlib import Path

import pytest
from steering import fill, open_tab, ready, unfold

TABS = ("Stylize", "Paint", "Dream", "Imagine", "Video", "About")

# Visible texts whose contrast with what is behind them is below WCAG's AA: 4.5, or 3 for large type.
FAINT = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => a * v + (1 - a) * below[i]);
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!/[\\p{L}\\p{N}]/u.test(walker.currentNode.data) || node.closest('canvas, svg, [disabled], .vega-embed, script, style, .for-readers')) continue;
    if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const chain = [];
    for (let at = node; at; at = at.parentElement) chain.unshift(at);
    if (chain.some((at) => getComputedStyle(at).backgroundImage.includes('url'))) continue;
    let behind = [255, 255, 255], opacity = 1;
    for (const at of chain) {
      const style = getComputedStyle(at);
      opacity *= parseFloat(style.opacity);
      const background = parse(style.backgroundColor);
      behind = over([...background.slice(0, 3), background[3] * opacity], behind);
    }
    const style = getComputedStyle(node), ink = parse(style.color);
    const shown = over([...ink.slice(0, 3), ink[3] * opacity], behind);
    const [light, dark] = [luminance(shown), luminance(behind)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < (large ? 3 : 4.5)) faint.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""

NAMELESS = """() => [...document.querySelectorAll('button, input:not([type=hidden]), textarea, select, [role=slider]')]
  .filter((node) => node.checkVisibility() && node.type !== 'file')
  .filter((node) => !(node.getAttribute('aria-label') || node.getAttribute('aria-labeledby') || node.title || node.innerText?.trim()
    || node.labels?.length || node.querySelector('img[alt], [aria-label], title')))
  .map((node) => node.outerHTML.slice(0, 160))"""


# What axe-core finds that keeps people out: rule, and the first element that breaks it.
BARRED = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
  .filter((found) => ['serious', 'critical'].includes(found.impact))
  .map((found) => `${found.id}: ${found.nodes[0].html.slice(0, 160)}`)"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_every_control_has_a_name_and_axe_finds_nothing_serious(page, address, theme):
    axe = pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, from requirements-dev.txt")
    page.goto(f"{address}/?__theme={theme}")
    ready(page)
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text())
    page.wait_for_timeout(2000)  # the page fades in, text by text
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(700)  # for colors that fade in
        assert page.evaluate(FAINT) == [], tab
        assert page.evaluate(NAMELESS) == [], tab
        assert page.evaluate(BARRED) == [], tab


def test_ctrl_enter_paints_and_escape_stops_and_keeps(page):
    open_tab(page, "Paint", "paint")
    fill(page, "Steps", "3000")
    page.keyboard.press("Control+Enter")
    page.locator("#paint-status").filter(has_text=re.compile(r"\b[1-9]\d* of 3000")).wait_for()
    page.keyboard.press("Escape")
    page.locator("#paint-status").filter(has_text="The picture so far is kept").wait_for()


def test_what_is_unfolded_stands_below_and_pushes_nothing_aside(page):
    for heading in ("Compare styles", "Use this picture", "Print in ink"):
        unfold(page, heading)
        width, seen = page.evaluate(
            "(() => { const { scrollWidth, clientWidth } = document.querySelector('.stage'); return [scrollWidth, clientWidth]; })()"
        )
        assert width <= seen, heading
        assert page.locator("#stylize-run").bounding_box()["x"] < 100


def test_a_menu_that_the_keyboard_leaves_closes(page):
    page.locator("#stylize-download").focus()
    page.keyboard.press("Tab")
    page.wait_for_selector("[role=listbox]")
    page.keyboard.press("Tab")
    page.wait_for_selector("[role=listbox]", state="detached")


def test_keys_move_the_border_between_before_and_after(page):
    border = page.locator("#stylize-slider [role=slider]")
    result = page.locator("#stylize-slider img").last
    for key, hidden in (("ArrowLeft", 45), ("ArrowRight", 50), ("Home", 0), ("End", 100)):
        border.press(key)
        page.wait_for_function(
            "([image, border, wanted]) => [image.style.clipPath.split(' ').at(-1), border.ariaValueNow]"
            ".every((there) => Math.abs(parseFloat(there) - wanted) < 1)",
            arg=[result.element_handle(), border.element_handle(), hidden],
        )


def test_an_enlarged_picture_lies_above_everything_else(page):
    covering = """() => {
      const large = document.querySelector('.fullscreen');
      const at = (x, y) => document.elementFromPoint(innerWidth * x, innerHeight * y);
      return !!large && [0.05, 0.3, 0.6, 0.75, 0.95].every((x) => [0.02, 0.09, 0.2, 0.5, 0.8, 0.97].every((y) => large.contains(at(x, y))));
    }"""
    for name, run_id, picture in (("Stylize", "stylize", "slider"), ("Paint", "paint", "preview"), ("Dream", "dream", "preview")):
        open_tab(page, name, run_id)
        page.locator(f"#{run_id}-{picture}").get_by_role("button", name="Fullscreen").click()
        page.wait_for_function(covering)
        page.keyboard.press("Escape")
        page.wait_for_function("!document.querySelector('.fullscreen')")
