"""About in a browser: where the weights are, and another try at a hub that is not there."""

from steering import unfold


def test_about_names_the_weights_and_says_why_vgg19_is_not_here(page):
    page.get_by_role("tab", name="About", exact=True).click()
    unfold(page, "Technical details")
    page.locator("#about-weights").filter(has_text="vgg19").wait_for()
    assert all(
        name in page.locator("#about-weights").inner_text() for name in ("lite", "generator", "latent", "on the hub, at timm/vgg19.tv_in1k")
    )
    page.click("#about-get")
    page.locator("#about-status").filter(has_text="Access to the hub is turned off by HF_HUB_OFFLINE.").wait_for()
    assert page.strangers == []
