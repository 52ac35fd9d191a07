"""Every string that the studio shows, in one place.

Labels of options are made from their names here; their explanations are the options' own, from `style_core`.
"""

TITLE = "Pentimento"
TAGLINE = "Your photo, painted."
ABOUT_TAB = "About"

CONTENT = "Photo"
STYLE = "Painting"
MORE_STYLES = "More paintings"
STYLE_N = "Painting {number}"
STYLE_WEIGHT_N = "Weight of painting {number}"
GUIDE = "Guide (optional)"
INIT_IMAGE = "Start from (optional)"
ADVANCED = "Advanced"
RESULT = "Result"
FORMING = "Forming"
BEFORE_AFTER = "Before and after"
LOSSES = "How far the picture is from its photo and its painting"
ITERATION = "iteration"
DISTANCE = "distance"
DOWNLOAD = "Download PNG"
STOP = "Stop and keep"
PAINT = "Paint"
PAINT_TAB = "Paint"
DREAM = "Dream"
DREAM_TAB = "Dream"
STYLIZE_TAB = "Stylize"
STYLIZE = "Stylize"
OWN_STYLE = "Your own painting (optional)"
GALLERY = "Gallery: click a style"
MIX = "Mix"
MIX_INFO = "With a gallery style and a painting of your own: 0 is the gallery's, 1 is yours."
FILM_TAB = "Film"
FILM_INTRO = "A clip in any painting's style, with its sound; or your webcam, live."
GALLERY_STYLE = "Style of the gallery"
CLIP_TAB, WEBCAM_TAB = "Clip", "Webcam"
CLIP, WEBCAM = "Clip", "Webcam"
PAINT_CLIP = "Paint the clip"
CANCEL = "Cancel"
CANCELLED = "Cancelled; no file is left."
NO_CLIP = "Choose a clip first."
CLIP_DONE = "Done: {frames} frames in {seconds}."
IMAGINE = "Imagine"
IMAGINE_TAB = "Imagine"
IMAGINE_INTRO = "Abstract paintings that nobody painted, from a latent space learned from many. Use them as photos or as paintings."
IMAGINE_READY = "Press Imagine; click a picture to choose it."
IMAGINE_DONE = "{count} imagined in {seconds}; click one to choose it."
IMAGINED = "Imagined"
ANOTHER_SEED = "Another seed"
SEED = "seed {seed}"
NEAR_HEAD = "Around a picture of yours"
NEAR = "Near (optional)"
FAR = "Walk to (optional)"
WALK = "Walk"
WALKED = "Walk"
USE_RESULT = "Use this picture"
USES = {
    ("stylize", "content"): "Stylize it",
    ("stylize", "style"): "Stylize with it",
    ("paint", "content"): "Paint it",
    ("paint", "style"): "Paint with it",
    ("dream", "content"): "Dream on it",
    ("imagine", "content"): "Imagine near it",
}
NO_RESULT = "There is no picture yet; make one first."
REFINE = "Refine with Gatys"
STYLIZE_READY = "Click a style, or drop a painting of your own."
NO_STYLE_AT_ALL = "Click a style of the gallery, or give a painting of your own."
REFINING = "Your picture is here to start from: press {button} to refine it."

PAINT_INTRO = "Optimises the picture itself, after Gatys, Ecker and Bethge. Watch it form; stop it whenever you like it."
DREAM_INTRO = "Grows the patterns that a network sees in the photo, after DeepDream."
STYLIZE_INTRO = "Any painting's style on any photo, in one pass of a network."

READY = "Choose a photo and a painting, then press {button}."
NO_CONTENT = "Choose a photo first."
NO_STYLE = "Choose a painting first."
STOPPED = "Stopped after {iteration} of {total}; the picture so far is kept."
DONE = "Done: {width} x {height} px in {seconds}."
UNEXPECTED = "Something went wrong that should not have ({kind}). The picture so far is kept; please try again."
INLINE = "Pictures written into the address are not accepted; upload a file."

LABELS = {
    "size": "Size",
    "iterations": "Iterations",
    "strength": "Style strength",
    "color": "Colours",
    "style_scale": "Brush size",
    "extractor": "Feature network",
    "preset": "Layer preset",
    "optimizer": "Optimiser",
    "init": "Start",
    "pyramid": "Coarse to fine",
    "seed": "Seed",
    "style_loss": "Style loss",
    "pooling": "Pooling",
    "tv_weight": "Smoothness (total variation)",
    "averaging": "Averaging of the iterates",
    "learning_rate": "Learning rate (Adam)",
    "content_layers": "Content layers",
    "style_layers": "Style layers",
    "alpha": "Alpha (content weight)",
    "beta": "Beta (style weight)",
    "layer": "Layers",
    "octaves": "Octaves",
    "start": "Start from",
    "octave_scale": "Octave scale",
    "smoothing": "Smoothing of the gradient",
    "decorrelate": "Keep to the photo's palette",
    "jitter": "Jitter",
    "tv": "Smoothness",
    "tile": "Tile",
    "count": "Pictures",
    "truncation": "Daring (truncation)",
    "variation": "Variation",
    "finish": "Finish",
    "axis1": "Direction 1",
    "axis2": "Direction 2",
    "axis3": "Direction 3",
    "axis4": "Direction 4",
}
CHOICES = {
    "color": {"style": "the painting's", "keep": "the photo's", "match": "the painting's, matched to the photo"},
    "extractor": {"auto": "automatic", "vgg19": "VGG-19", "lite": "compact"},
}


def label_of(name: str, unit: str = "") -> str:
    """The label of an option, with its unit."""
    return LABELS[name] + (f" ({unit})" if unit else "")


def duration(seconds: float) -> str:
    """`7 s`, or `2:05 min` from a minute on."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"

SHARE_WARNING = (
    "The share link makes this app public: whoever has the address can use this machine to paint, and the pictures that "
    "they upload come here. Add --auth USER:PASSWORD to ask for a password."
)
