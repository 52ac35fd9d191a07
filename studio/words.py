"""Every string that the studio shows, in English and in Simplified Chinese, in one place.

`words.PAINT` is a label that follows the visitor's browser by itself; `say("DONE", request, ...)` fills a sentence in the
visitor's language. Explanations of options are their own, from `style_core`, in English, and stand here in Chinese.
"""

import gradio as gr
from gradio.i18n import I18nData

from studio.sentences import translated
from style_core import RECIPES
from style_core.recipes.dream_zoom import ZoomOptions

LANGUAGES = ("en", "zh-CN")

# Each entry: English, Chinese.
WORDS: dict[str, tuple[str, str]] = {
    # The page
    "TAGLINE": ("Your photo, painted.", "让照片成为一幅画。"),
    "STYLIZE_TAB": ("Stylize", "即时风格"),
    "PAINT_TAB": ("Paint", "精细绘制"),
    "DREAM_TAB": ("Dream", "梦境"),
    "IMAGINE_TAB": ("Imagine", "想象"),
    "FILM_TAB": ("Film", "影片"),
    "ABOUT_TAB": ("About", "关于"),
    # Pictures
    "CONTENT": ("Photo", "照片"),
    "STYLE": ("Painting", "画作"),
    "OWN_STYLE": ("Your own painting", "你自己的画作"),
    "MORE_STYLES": ("More paintings", "更多画作"),
    "STYLE_2": ("Painting 2", "画作 2"),
    "STYLE_3": ("Painting 3", "画作 3"),
    "WEIGHT_2": ("Weight of painting 2", "画作 2 的权重"),
    "WEIGHT_3": ("Weight of painting 3", "画作 3 的权重"),
    "GUIDE": ("Guide (optional)", "引导图（可选）"),
    "INIT_IMAGE": ("Start from (optional)", "起始图（可选）"),
    "GALLERY": ("Gallery: click a style", "风格库：点选一种风格"),
    "GALLERY_STYLE": ("Style of the gallery", "风格库中的风格"),
    "RESULT": ("Result", "结果"),
    "FORMING": ("Forming", "正在成形"),
    "BEFORE_AFTER": ("Before and after", "前后对比"),
    "ADVANCED": ("Advanced", "高级"),
    "MIX": ("Mix", "混合"),
    "MIX_INFO": (
        "With a gallery style and a painting of your own: 0 is the gallery's, 1 is yours.",
        "同时选用风格库和自己的画作时：0 为风格库的风格，1 为你的画作。",
    ),
    # Buttons
    "STYLIZE": ("Stylize", "生成"),
    "PAINT": ("Paint", "绘制"),
    "DREAM": ("Dream", "入梦"),
    "IMAGINE": ("Imagine", "想象"),
    "REFINE": ("Refine with Gatys", "用 Gatys 法精修"),
    "STOP": ("Stop and keep", "停止并保留"),
    "CANCEL": ("Cancel", "取消"),
    "DOWNLOAD": ("Download", "下载"),
    "FILE_KIND": ("File type", "文件格式"),
    "USE_RESULT": ("Use this picture", "使用这张图"),
    "USE_STYLIZE_CONTENT": ("Stylize it", "为它添加风格"),
    "USE_STYLIZE_STYLE": ("Stylize with it", "用它作风格"),
    "USE_PAINT_CONTENT": ("Paint it", "绘制它"),
    "USE_PAINT_STYLE": ("Paint with it", "用它作画风"),
    "USE_DREAM_CONTENT": ("Dream on it", "在它上面入梦"),
    "USE_IMAGINE_CONTENT": ("Imagine near it", "在它附近想象"),
    # Introductions and what is said
    "STYLIZE_INTRO": ("Any painting's style on any photo, in one pass of a network.", "一次网络推理，把任意画作的风格带到任意照片上。"),
    "PAINT_INTRO": (
        "Optimizes the picture itself, after Gatys, Ecker and Bethge. Watch it form; stop it whenever you like it.",
        "直接优化图像本身（Gatys、Ecker、Bethge）。看着它成形，满意时随时停止。",
    ),
    "DREAM_INTRO": (
        "Grows the patterns that a network sees in the photo, after DeepDream.",
        "让网络在照片中看到的图案生长出来（DeepDream）。",
    ),
    "IMAGINE_INTRO": (
        "Abstract paintings that nobody painted, from a latent space learned from many. Use them as photos or as paintings.",
        "从大量画作学得的潜空间里，想象没有人画过的抽象画。可当作照片，也可当作画作使用。",
    ),
    "FILM_INTRO": (
        "A clip in any painting's style, with its sound; or your webcam, live.",
        "把短片变成任意画风并保留声音；或者实时处理摄像头画面。",
    ),
    "STYLIZE_READY": ("Click a style, or drop a painting of your own.", "点选一种风格，或放入你自己的画作。"),
    "READY": ("Choose a photo and a painting, then press Paint.", "选好照片和画作，然后按“绘制”。"),
    "DREAM_READY": ("Choose a photo, then press Dream.", "选好照片，然后按“入梦”。"),
    "IMAGINE_READY": ("Press Imagine; click a picture to choose it.", "按“想象”；点击一张图即可选中它。"),
    "REFINING": ("Your picture is here to start from: press Paint to refine it.", "你的图已放在这里作为起点：按“绘制”进行精修。"),
    "NO_CONTENT": ("Choose a photo first.", "请先选择一张照片。"),
    "NO_STYLE": ("Choose a painting first.", "请先选择一幅画作。"),
    "NO_STYLE_AT_ALL": ("Click a style of the gallery, or give a painting of your own.", "请点选风格库中的一种风格，或提供你自己的画作。"),
    "NO_RESULT": ("There is no picture yet; make one first.", "还没有图，请先生成一张。"),
    "STOPPED": (
        "Stopped after {iteration} of {total}; the picture so far is kept.",
        "已在第 {iteration} 步（共 {total} 步）停止；保留当前的图。",
    ),
    "DONE": ("Done: {width} x {height} px in {seconds}.", "完成：{width} x {height} 像素，用时 {seconds}。"),
    "PROGRESS": ("{iteration} of {total}", "第 {iteration} 步，共 {total} 步"),
    "LEFT": ("{seconds} left", "还需 {seconds}"),
    "NETWORK": ("Network: {names}.", "所用网络：{names}。"),
    "INLINE": ("Pictures written into the address are not accepted; upload a file.", "不接受写在地址里的图片，请上传文件。"),
    "NOT_UPLOADED": ("This file was not uploaded here, or is no longer kept; upload it again.", "这个文件不是上传到这里的，或已不再保留；请重新上传。"),
    "BAD_VALUE": ("A value of this request can't be read; the API page says what each one takes.", "这个请求中有一个值无法读取；API 页面说明了每个值的要求。"),
    # Regions
    "REGIONS": ("Regions: paint where each style goes", "区域：涂出每种风格的位置"),
    "REGIONS_INFO": (
        "Bring the photo here and brush over it; each color is one style. What is left unpainted gets the styles without a color.",
        "把照片放到这里并涂抹；每种颜色代表一种风格。未涂的地方使用没有颜色的风格。",
    ),
    "DREAM_REGIONS": ("Where to dream: paint it", "在哪里入梦：涂出来"),
    "DREAM_REGIONS_INFO": (
        "Bring the photo here and brush over it; the rest stays as it is.",
        "把照片放到这里并涂抹；其余部分保持原样。",
    ),
    "BRUSH": ("Strokes at their true size", "笔触的真实大小"),
    "BRUSH_INFO": (
        "Left the painting, right the photo, pixel for pixel as they meet in the result. Brush size moves the left one.",
        "左为画作，右为照片，与结果中的像素一一对应。“笔触大小”改变左图。",
    ),
    "BRING_PHOTO": ("Bring the photo here", "把照片放到这里"),
    "WHERE_TO_DREAM": ("dream here", "在此入梦"),
    "GALLERY_SHORT": ("gallery style", "风格库"),
    "OWN_SHORT": ("your painting", "你的画作"),
    "STYLE_1": ("Painting 1", "画作 1"),
    # Compare
    "COMPARE": ("Compare", "比较"),
    "COMPARE_WHAT": ("One photo over", "一张照片对比"),
    "COMPARE_STYLES": ("several styles", "多种风格"),
    "COMPARE_STRENGTHS": ("several strengths", "多种强度"),
    "COMPARE_WHICH": ("Styles to compare", "要比较的风格"),
    "COMPARE_RUN": ("Compare", "开始比较"),
    "COMPARED": ("Click one to have it at full size", "点击其中一张以全尺寸生成"),
    "STRENGTH_OF": ("strength {strength:g}", "强度 {strength:g}"),
    # What may have gone wrong with a result
    "DIAGNOSIS_unchanged": (
        "The result is almost the photo: raise Style strength, or choose a painting with bolder strokes.",
        "结果几乎还是照片：请提高风格强度，或换一幅笔触更大胆的画作。",
    ),
    "DIAGNOSIS_gray": (
        "The result is nearly gray where the painting is not: lower Style strength, or set Colors to the photo's.",
        "画作有色而结果几乎是灰的：请降低风格强度，或把色彩设为照片的。",
    ),
    "DIAGNOSIS_saturated": (
        "Much of the result is at the limit of brightness or color: lower Style strength, or set Colors to matched.",
        "结果很多地方的亮度或色彩已到极限：请降低风格强度，或把色彩设为向照片靠拢。",
    ),
    "DIAGNOSIS_grainy": (
        "The result is grainy: raise Smoothness (total variation), give it more iterations, or use VGG-19.",
        "结果颗粒较重：请提高平滑度（全变分）、增加迭代次数，或使用 VGG-19。",
    ),
    # Before the run
    "ESTIMATE": ("About {seconds} and {gigabytes:.1f} GB of memory here.", "在本机约需 {seconds}，内存约 {gigabytes:.1f} GB。"),
    "ESTIMATE_TOO_MUCH": (
        "This needs about {gigabytes:.1f} GB of memory and {free:.1f} GB are free: {size} px would fit.",
        "约需内存 {gigabytes:.1f} GB，可用 {free:.1f} GB：{size} 像素可以放下。",
    ),
    # After the run
    "AFTER": ("After the run", "完成之后"),
    "POSITION": ("Back along the way", "回到途中"),
    "POSITION_INFO": ("1 is the result, 0 the photo; between them, what was seen on the way.", "1 为结果，0 为照片；中间是沿途所见。"),
    "LARGER": ("Larger, from here", "从这里放大再画"),
    "FILM_OF_IT": ("Film of how it formed", "成形过程影片"),
    "GIF_OF_IT": ("The same as a GIF", "同样内容的 GIF"),
    "DOWNLOAD_GIF": ("Download GIF", "下载 GIF"),
    # This visit
    "HISTORY": ("This visit's pictures", "本次的图"),
    "HISTORY_EMPTY": (
        "What you make appears here, and stays when the page is loaded again.",
        "你生成的图会出现在这里，重新载入页面后仍在。",
    ),
    "HISTORY_CHOSEN": ("Chosen: {name}. As a command:\n```\n{command}\n```", "已选中：{name}。对应的命令：\n```\n{command}\n```"),
    "RESTORE": ("Its settings again", "恢复它的设置"),
    "FORGET": ("Forget all", "全部清除"),
    "DROP_RESULT": ("Drop a picture made here: its settings come back", "放入在这里生成的图：恢复它的设置"),
    "RESTORED": ("The settings of {name} are back.", "已恢复 {name} 的设置。"),
    # Plot
    "LOSSES": ("How far the picture is from its photo and its painting", "图与照片、画作之间的距离"),
    "ITERATION": ("iteration", "迭代"),
    "DISTANCE": ("distance", "距离"),
    # Imagine
    "IMAGINE_DONE": ("{count} imagined in {seconds}; click one to choose it.", "用时 {seconds} 想象了 {count} 张；点击选中一张。"),
    "IMAGINED": ("Imagined", "想象之作"),
    "ANOTHER_SEED": ("Another seed", "换一个种子"),
    "SEED": ("seed {seed}", "种子 {seed}"),
    "NEAR_HEAD": ("Around a picture of yours", "围绕你的一张图"),
    "NEAR": ("Near (optional)", "在它附近（可选）"),
    "FAR": ("Walk to (optional)", "漫步到（可选）"),
    "WALK": ("Walk", "漫步"),
    "WALKED": ("The walk as a film", "漫步影片"),
    # Dream
    "LAYERS_HEAD": ("Choose a layer by eye", "凭眼睛选层"),
    "LAYERS_INFO": (
        "What the compact network sees in noise: shallow layers like grain, deep ones like things. The number after a layer is one channel of it.",
        "精简网络在噪声中看到的：浅层偏爱纹理，深层偏爱物体。层名后的数字是其中一个通道。",
    ),
    "LAYERS": ("What layers like to see", "各层喜欢看到的"),
    "ZOOM_HEAD": ("Dream zoom: a film into the dream", "梦境变焦：飞入梦中的影片"),
    "ZOOM_INTRO": ("Each frame is the one before, nearer, turned and dreamt on.", "每一帧都是前一帧放大、旋转并继续入梦。"),
    "ZOOM": ("Fly", "起飞"),
    "NO_FRAME": ("Stopped before the first frame was done.", "第一帧完成前已停止。"),
    # Film
    "CLIP_TAB": ("Clip", "短片"),
    "WEBCAM_TAB": ("Webcam", "摄像头"),
    "CLIP": ("Clip", "短片"),
    "WEBCAM": ("Webcam", "摄像头"),
    "PAINT_CLIP": ("Paint the clip", "绘制短片"),
    "CONTINUE": ("Continue", "继续"),
    "CLIP_ABOUT": (
        "{seconds}, {frames} frames of {width} x {height} px; painted at {painted_width} x {painted_height} px.",
        "{seconds}，{frames} 帧，{width} x {height} 像素；以 {painted_width} x {painted_height} 像素绘制。",
    ),
    "CLIP_STOPPED": (
        "Stopped after {frames} of {total} frames; the film so far is kept. Continue goes on from here.",
        "已在第 {frames} 帧（共 {total} 帧）停止；保留目前的影片。按“继续”可接着绘制。",
    ),
    "NO_CLIP": ("Choose a clip first.", "请先选择一段短片。"),
    "CLIP_DONE": ("Done: {frames} frames in {seconds}.", "完成：{frames} 帧，用时 {seconds}。"),
    # About
    "GET_VGG19": ("Get VGG-19 from the hub", "从 hub 获取 VGG-19"),
    "RIGHTS": (
        "The gallery's painters all died before 1955. No painting is stored here: a style is 256 numbers measured from one, and its thumbnail is "
        "our own landscape, painted with them. The program, its weights and its samples are under the MIT license; your results are yours.",
        "风格库的画家均在 1955 年之前去世。这里没有存放任何画作：一种风格只是由画作测得的 256 个数，缩略图是用它们绘制的我们自己的风景画。"
        "程序、权重和示例图采用 MIT 许可；你的作品归你所有。",
    ),
    "GET_VGG19_INFO": (
        "Paint and Dream use it from then on; until then, and without a hub, the compact network.",
        "之后“精细绘制”和“梦境”都会用它；在此之前，或没有 hub 时，使用精简网络。",
    ),
    "GOT_VGG19": ("VGG-19 is here.", "VGG-19 已就绪。"),
    "RETRY": ("The next run asks the hub again; so does the button in About.", "下一次运行会再次询问 hub；“关于”页的按钮也会。"),
    "ABOUT_HEAD": (
        "| weights | what it is | where it is now | size | license |",
        "| 权重 | 说明 | 现在何处 | 大小 | 许可 |",
    ),
}

# Labels of options by their names; by Options class and name where a recipe means something else by it.
LABELS: dict[str, tuple[str, str]] = {
    "size": ("Size", "尺寸"),
    "iterations": ("Iterations", "迭代次数"),
    "strength": ("Style strength", "风格强度"),
    "DreamOptions.strength": ("Strength", "强度"),
    "color": ("Colors", "色彩"),
    "style_scale": ("Brush size", "笔触大小"),
    "extractor": ("Feature network", "特征网络"),
    "preset": ("Layer preset", "层预设"),
    "optimizer": ("Optimizer", "优化器"),
    "init": ("Start", "起点"),
    "pyramid": ("Coarse to fine", "由粗到细"),
    "seed": ("Seed", "种子"),
    "style_loss": ("Style loss", "风格损失"),
    "pooling": ("Pooling", "池化"),
    "tv_weight": ("Smoothness (total variation)", "平滑度（全变分）"),
    "averaging": ("Averaging of the iterates", "迭代平均"),
    "learning_rate": ("Learning rate (Adam)", "学习率（Adam）"),
    "content_layers": ("Content layers", "内容层"),
    "style_layers": ("Style layers", "风格层"),
    "alpha": ("Alpha (content weight)", "Alpha（内容权重）"),
    "beta": ("Beta (style weight)", "Beta（风格权重）"),
    "layer": ("Layers", "层"),
    "octaves": ("Octaves", "倍频层数"),
    "start": ("Start from", "从何开始"),
    "octave_scale": ("Octave scale", "倍频比例"),
    "smoothing": ("Smoothing of the gradient", "梯度平滑"),
    "decorrelate": ("Keep to the photo's palette", "保持照片的色调"),
    "jitter": ("Jitter", "抖动"),
    "tv": ("Smoothness", "平滑度"),
    "count": ("Pictures", "张数"),
    "truncation": ("Daring (truncation)", "大胆程度（截断）"),
    "variation": ("Variation", "变化"),
    "finish": ("Finish", "收尾"),
    "axis1": ("Direction 1", "方向 1"),
    "axis2": ("Direction 2", "方向 2"),
    "axis3": ("Direction 3", "方向 3"),
    "axis4": ("Direction 4", "方向 4"),
    "frames": ("Frames", "帧数"),
    "zoom_rate": ("Zoom a frame", "每帧放大"),
    "turn": ("Turn a frame", "每帧旋转"),
    "iterations_each": ("Iterations a frame", "每帧迭代次数"),
}

UNITS = {"px": ("px", "像素"), "sd": ("sd", "标准差"), "degrees": ("degrees", "度")}

# Names of choices, where a person needs another one than the shell's.
CHOICES: dict[str, dict[str, tuple[str, str]]] = {
    "color": {
        "style": ("the painting's", "画作的"),
        "keep": ("the photo's", "照片的"),
        "match": ("the painting's, matched to the photo", "画作的，向照片靠拢"),
    },
    "extractor": {"auto": ("automatic", "自动"), "vgg19": ("VGG-19", "VGG-19"), "lite": ("compact", "精简")},
    "finish": {"painted": ("painted", "重绘"), "plain": ("plain", "直接放大")},
    "start": {"photo": ("the photo", "照片"), "noise": ("noise", "噪声")},
    "init": {
        "content": ("the photo", "照片"),
        "style": ("the painting", "画作"),
        "noise": ("noise", "噪声"),
        "generator": ("the generator's picture", "生成器的图"),
    },
    "pooling": {"max": ("max", "最大"), "average": ("average", "平均")},
    "style_loss": {"gram": ("Gram matrices", "Gram 矩阵"), "covariance": ("mean and covariance", "均值与协方差")},
}

# Explanations of options in Chinese, by Options class and name.
HELP_IN_CHINESE: dict[str, str] = {
    "StylizeOptions.size": "结果的长边。",
    "StylizeOptions.strength": "0 完全保留照片，1 完全采用风格。",
    "StylizeOptions.color": "使用画作的色彩、照片自己的色彩，或把画作的色彩向照片靠拢。",
    "StylizeOptions.style_scale": "笔触大小：越大，看画越近。",
    "GatysOptions.size": "结果的长边。",
    "GatysOptions.iterations": "优化步数；每一步都可以停止。",
    "GatysOptions.strength": "0 保留照片，1 只留风格。",
    "GatysOptions.color": "使用画作的色彩、照片自己的色彩，或把画作的色彩向照片靠拢。",
    "GatysOptions.style_scale": "笔触大小：1 表示画作与结果一样大。",
    "GatysOptions.extractor": "特征网络：vgg19 为标准，lite 为随附的精简网络。",
    "GatysOptions.preset": "各层的权重。",
    "GatysOptions.optimizer": "L-BFGS 步数少，Adam 内存少。",
    "GatysOptions.init": "图从哪里开始。",
    "GatysOptions.pyramid": "先小后大：大笔触早早成形，而且省时。",
    "GatysOptions.seed": "起始噪声的种子。",
    "GatysOptions.style_loss": "Gram 矩阵，或均值与协方差（高斯之间的 Wasserstein-2 距离）。",
    "GatysOptions.pooling": "VGG-19 的池化方式；lite 总是取平均。",
    "GatysOptions.tv_weight": "全变分的权重：越高越平滑。",
    "GatysOptions.averaging": "迭代平均的衰减；0 取最好的一步。",
    "GatysOptions.learning_rate": "Adam 的步长，以 0 到 1 的像素值计。",
    "GatysOptions.content_layers": "代替预设的层与权重，例如 relu4_2 或 relu3_2:0.3 relu4_2:1。",
    "GatysOptions.style_layers": "代替预设的层与权重，例如 relu1_1:1 relu2_1:0.75。",
    "GatysOptions.alpha": "内容项的权重；与 beta 一起代替强度。",
    "GatysOptions.beta": "风格项的权重；与 alpha 一起代替强度。",
    "DreamOptions.size": "结果的长边。",
    "DreamOptions.layer": "想多看到什么：层，可带权重和通道，例如 relu3_3:0.5 relu4_2[12,40]。",
    "DreamOptions.strength": "0 保留照片；越大，每步移动越远。",
    "DreamOptions.octaves": "在几种尺寸上入梦，一种比一种大：越多，形状越大。",
    "DreamOptions.iterations": "每个倍频的步数。",
    "DreamOptions.start": "在照片上入梦，或从噪声开始。",
    "DreamOptions.extractor": "特征网络：vgg19 为标准，lite 为随附的精简网络。",
    "DreamOptions.octave_scale": "每个倍频比前一个大多少。",
    "DreamOptions.smoothing": "0 主要移动细纹，1 让大形状与细纹同样移动。",
    "DreamOptions.decorrelate": "用照片自己的色彩入梦，而不是彩虹色。",
    "DreamOptions.jitter": "随机平移的最大值，用来掩盖网络的网格。",
    "DreamOptions.tv": "平滑的权重：越高，颗粒越少。",
    "DreamOptions.seed": "平移和噪声的种子。",
    "ImagineOptions.size": "所得正方形的边长。",
    "ImagineOptions.seed": "哪一张：每个种子各是一张。",
    "ImagineOptions.count": "多少张：从这个种子起依次往后。",
    "ImagineOptions.truncation": "0 是所有图的平均，1 是潜空间能到的最大胆处。",
    "ImagineOptions.variation": "以一张图为起点时：0 最像它，1 忘掉它。",
    "ImagineOptions.finish": "由生成器一笔一笔放大，或直接放大。",
    "ImagineOptions.axis1": "沿着各图差别最大的方向。",
    "ImagineOptions.axis2": "沿着第二个方向。",
    "ImagineOptions.axis3": "沿着第三个方向。",
    "ImagineOptions.axis4": "沿着第四个方向。",
    "ZoomOptions.frames": "影片的帧数；24 帧为一秒。",
    "ZoomOptions.zoom_rate": "每一帧比前一帧近多少。",
    "ZoomOptions.turn": "每一帧转过多少。",
    "ZoomOptions.iterations_each": "首帧之后，每帧每个倍频的步数。",
}

# For the terminal, where no browser tells the language.
SHARE_WARNING = (
    "The share link makes this app public: whoever has the address can use this machine to paint, and the pictures that "
    "they upload come here. Add --auth USER:PASSWORD to ask for a password."
)


def _table() -> dict[str, tuple[str, str]]:
    """All words by key: those above, labels with their units, choices, explanations."""
    table = dict(WORDS)
    for options in (*(recipe.options for recipe in RECIPES.values()), ZoomOptions):
        for field in options.fields():
            for key in filter(LABELS.get, (field.name, f"{options.__name__}.{field.name}")):
                english, chinese = LABELS[key]
                unit = UNITS.get(field.unit, ("", ""))
                shown = (f"{english} ({unit[0]})", f"{chinese}（{unit[1]}）") if field.unit else (english, chinese)
                table[f"LABEL_{key}_{field.unit}"] = shown
            table[f"HELP_{options.__name__}_{field.name}"] = (field.help, HELP_IN_CHINESE[f"{options.__name__}.{field.name}"])
    for name, choices in CHOICES.items():
        table |= {f"CHOICE_{name}_{choice}": texts for choice, texts in choices.items()}
    return table


TABLE = _table()
I18N = gr.I18n(**{language: {key: texts[index] for key, texts in TABLE.items()} for index, language in enumerate(LANGUAGES)})


def __getattr__(key: str) -> I18nData:
    """`words.PAINT`: a label that follows the browser."""
    if key not in TABLE:
        raise AttributeError(f"There are no words called {key}.")
    return I18N(key)


def language_of(request: gr.Request | None) -> str:
    """The visitor's language: Chinese where the browser asks for it first, English for all others and for programs."""
    wanted = request.headers.get("accept-language", "") if request is not None else ""
    return LANGUAGES[1] if wanted.lower().startswith("zh") else LANGUAGES[0]


def say(key: str, visitor: gr.Request | str | None, **values) -> str:
    """A sentence in the language of a visitor, who may be named by the language alone."""
    language = visitor if isinstance(visitor, str) else language_of(visitor)
    return TABLE[key][LANGUAGES.index(language)].format(**values)


def told(sentence: str, visitor: gr.Request | str | None) -> str:
    """What the core says, in the visitor's language."""
    language = visitor if isinstance(visitor, str) else language_of(visitor)
    return sentence if language == LANGUAGES[0] else translated(sentence)


def refusal(error: Exception | str, visitor: gr.Request | None) -> gr.Error:
    """A request that can't be carried out, as the page shows it: `raise words.refusal(error, request) from error`."""
    return gr.Error(told(str(error), visitor), print_exception=False)


def label_of(name: str, unit: str = "", options: type | None = None) -> I18nData:
    """The label of an option, with its unit; in the words of its own Options class where it has some."""
    own = f"LABEL_{options.__name__}.{name}_{unit}" if options else ""
    return I18N(own if own in TABLE else f"LABEL_{name}_{unit}")


def help_of(options: type, name: str) -> I18nData:
    """The explanation of an option."""
    return I18N(f"HELP_{options.__name__}_{name}")


def choices_of(name: str, allowed: tuple[str, ...]) -> list[tuple[I18nData | str, str]]:
    """A choice's names and values."""
    named = CHOICES.get(name, {})
    return [(I18N(f"CHOICE_{name}_{choice}") if choice in named else choice, choice) for choice in allowed]


def duration(seconds: float) -> str:
    """`7 s`, or `2:05 min` from a minute on."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"
