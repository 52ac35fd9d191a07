"""What the core says, in Simplified Chinese: each sentence as its code has it, `{}` where a value stands.

The core speaks English, in the shell and to programs. The page passes what it says through `translated`; sentences that
are joined, or that stand inside another, are found too. A test reads the core's code for any that is missing here.
"""

import functools
import re

# As the core has it: in Chinese, with {0}, {1} ... for the values in their order.
SENTENCES: dict[str, str] = {
    # Runs
    "Starting.": "正在开始。",
    "Strength 0 keeps the photo as it is.": "强度为 0 时照片保持原样。",
    "Starting from the generator's picture.": "从生成器的图开始。",
    "Looking for its likeness.": "正在寻找与它相似的图。",
    "The optimizer diverged and was restarted once from the best picture so far.": "优化发散，已从目前最好的图重新开始一次。",
    "The optimization diverged twice and was stopped; the last good picture is kept. Use the adam optimizer, a lower learning rate, or a lower strength.":
        "优化两次发散，已停止；保留最后一张正常的图。请改用 adam 优化器、降低学习率或降低强度。",
    "Ended after {} of {} iterations: the picture had stopped changing.": "已在第 {0} 次（共 {1} 次）迭代后结束：图像不再变化。",
    "Dreamt in {} of {} octaves: the picture is too small for more.": "只用了 {0} 个八度（共 {1} 个）：图像太小，无法更多。",
    "Painting with the compact network: {}": "正用精简网络绘制：{0}",
    # Pictures and clips
    "The picture": "这张图",
    "{} is animated; its first frame is used.": "{0} 是动图；使用它的第一帧。",
    "The color profile of {} is broken and was ignored.": "{0} 的色彩配置文件已损坏，未予采用。",
    "{} is {} MB; pictures up to {} MB can be read. Save it smaller.": "{0} 有 {1} MB；最大可读取 {2} MB 的图片。请另存为较小的文件。",
    "{} is {} x {} px; pictures up to {} megapixels can be read. Save it smaller.": "{0} 为 {1} x {2} px；最多可读取 {3} 百万像素的图片。请另存为较小的尺寸。",
    "{} is {} x {} px; it must be at least {} px on each side.": "{0} 为 {1} x {2} px；每边至少需要 {3} px。",
    "{} is empty; choose another picture.": "{0} 是空文件；请选择另一张图片。",
    "{} is a folder; give one picture.": "{0} 是文件夹；请给出一张图片。",
    "{} is an SVG drawing; export it as PNG first.": "{0} 是 SVG 矢量图；请先导出为 PNG。",
    "{} is damaged ({}); export or download it again.": "{0} 已损坏（{1}）；请重新导出或下载。",
    "{} is damaged or cut off ({}); export or download it again.": "{0} 已损坏或不完整（{1}）；请重新导出或下载。",
    "{} is not a picture that can be read; use JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP.":
        "{0} 不是可读取的图片；请使用 JPEG、PNG、WebP、AVIF、GIF、TIFF 或 BMP。",
    "{} is not a picture that can be read.": "{0} 不是可读取的图片。",
    "{} carries no settings; only pictures saved by Pentimento do, and editors may strip them.":
        "{0} 不含设置；只有 Pentimento 保存的图片才有，编辑软件可能会去掉它们。",
    "There is no file {}; check its name and folder.": "没有文件 {0}；请检查文件名和文件夹。",
    "The folder for {} does not exist; create it first or choose another.": "{0} 所在的文件夹不存在；请先创建，或选择另一个。",
    "{} could not be written ({}); choose another folder.": "无法写入 {0}（{1}）；请选择另一个文件夹。",
    "{} has no suffix that can be written; use .png, .jpg or .webp.": "{0} 的扩展名无法写入；请用 .png、.jpg 或 .webp。",
    "{} has no suffix that frames can be written to; use .mp4 or .gif.": "{0} 的扩展名无法写入影片；请用 .mp4 或 .gif。",
    "{} is not a clip that can be read; choose an MP4, MOV or WebM file.": "{0} 不是可读取的短片；请选择 MP4、MOV 或 WebM 文件。",
    "{} holds no moving picture; choose an MP4, MOV or WebM clip.": "{0} 中没有动态画面；请选择 MP4、MOV 或 WebM 短片。",
    "{} has no frames; choose another clip.": "{0} 没有画面；请选择另一段短片。",
    # Options
    "{} is {}; it must be text.": "{0} 的值是 {1}；应为文本。",
    "{} is {}; it must be true or false.": "{0} 的值是 {1}；应为 true 或 false。",
    "{} is {}; it must be one of {}.": "{0} 的值是 {1}；应为其中之一：{2}。",
    "{} is {}; it must be a number.": "{0} 的值是 {1}；应为数字。",
    "{} is {}; it must be a whole number.": "{0} 的值是 {1}；应为整数。",
    "{} is {}; it must be {}.": "{0} 的值是 {1}；应{2}。",
    "between {} and {}": "在 {0} 与 {1} 之间",
    "There is no option {}; did you mean {}?": "没有选项 {0}；是否想用 {1}？",
    "There is no option {}; the options are {}.": "没有选项 {0}；可用的选项有 {1}。",
    "background is {}; it must be a color name or #rrggbb.": "background 的值是 {0}；应为颜色名或 #rrggbb。",
    # Layers and sizes
    "No layer is named; write it like relu4_2, or relu3_3:0.5 relu4_2[12,40].": "没有指定层；写法如 relu4_2，或 relu3_3:0.5 relu4_2[12,40]。",
    "No layer is named; write them like relu3_1 relu4_1:0.5.": "没有指定层；写法如 relu3_1 relu4_1:0.5。",
    "{} can't be read as a layer; write it like relu4_2, relu4_2:0.5 or relu4_2[12,40]:0.5.":
        "{0} 不能识别为层；写法如 relu4_2、relu4_2:0.5 或 relu4_2[12,40]:0.5。",
    "The channel {} of {} is no whole number; write it like {}[12,40].": "{1} 的通道 {0} 不是整数；写法如 {2}[12,40]。",
    "The weight {} of {} is no positive number; write it like {}:0.5.": "{1} 的权重 {0} 不是正数；写法如 {2}:0.5。",
    "The weight in {} is no positive number; write it like {}:0.5.": "{0} 中的权重不是正数；写法如 {1}:0.5。",
    "There is no layer {}; layers run from {} to {}. Did you mean {}?": "没有层 {0}；层从 {1} 到 {2}。是否想用 {3}？",
    "{} of {} has no channel {}; its channels are 0 to {}.": "{1} 的 {0} 没有通道 {2}；通道为 0 到 {3}。",
    "{} has no layer {}; its deepest is {}.": "{0} 没有层 {1}；最深的层是 {2}。",
    "The picture is {} x {} px, too small for {}, which needs at least {} px a side. Use a larger size or an earlier layer.":
        "图像为 {0} x {1} px，对 {2} 来说太小，每边至少需要 {3} px。请用更大的尺寸或更浅的层。",
    "The picture is too small for this layer: {} x {} positions are left of it. Use a larger size or an earlier layer.":
        "图像对这一层来说太小：只剩 {0} x {1} 个位置。请用更大的尺寸或更浅的层。",
    # Photos, styles, masks
    "There is no photo; give one, or set start to noise.": "没有照片；请给出一张，或把起点设为噪声。",
    "There is no style picture; give at least one.": "没有画作；请至少给出一张。",
    "There is no style; give a style picture or choose one from the gallery.": "没有风格；请给出一张画作，或从风格库中选择。",
    "There is no style {} in the gallery; there are {}.": "风格库中没有 {0}；有 {1}。",
    "There are {} masks for {} styles; give one for each.": "{1} 种风格却有 {0} 个蒙版；请各给一个。",
    "A mask is all black, so its style would appear nowhere; paint where it should go.": "有一个蒙版全黑，它的风格不会出现；请涂出它的位置。",
    "The mask is all black, so nothing would be dreamt; paint where to dream.": "蒙版全黑，什么也不会入梦；请涂出要入梦的位置。",
    "There is a mask but no photo that it could keep; give a photo, or leave the mask out.": "有蒙版却没有照片；请给出照片，或去掉蒙版。",
    "There are {} style weights for {} styles; give one for each.": "{1} 种风格却有 {0} 个权重；请各给一个。",
    "The style weights are {}; they must not be negative, and one must be above 0.": "风格权重为 {0}；不能为负，且至少一个大于 0。",
    "Styles measured by different feature networks can't be mixed; measure them with one.": "由不同特征网络测得的风格不能混合；请用同一个网络测量。",
    "A walk has two ends, and {} pictures were given; give two at most.": "漫步只有两端，却给出了 {0} 张图；最多两张。",
    "A walk of {} frames goes nowhere; it needs 2 or more.": "{0} 帧的漫步走不起来；至少需要 2 帧。",
    # Devices and weights
    "This machine has no {} device that torch can use; choose auto or {}.": "这台机器没有 torch 能用的 {0} 设备；请选 auto 或 {1}。",
    "There are no weights called {}; there are {}.": "没有名为 {0} 的权重；有 {1}。",
    "{} names {}, which is no file; give the path of VGG-19's safetensors.": "{0} 指向的 {1} 不是文件；请给出 VGG-19 的 safetensors 文件路径。",
    "{} is missing from models/; get the project's files again.": "models/ 中缺少 {0}；请重新获取项目文件。",
    "{} in models/ is not the file that ships (its sha256 differs); get it again.": "models/ 中的 {0} 不是随项目发布的文件（sha256 不符）；请重新获取。",
    "{} does not hold the layers of {}: {}": "{0} 中没有 {1} 的层：{2}",
    "{} does not hold the generator: {} is missing or unknown.": "{0} 不是生成器的权重：{1} 缺失或未知。",
    "{} does not hold the generator: {}": "{0} 不是生成器的权重：{1}",
    "{} does not hold the latent space: {}": "{0} 不是潜空间的权重：{1}",
    "The gallery's codes were made for another generator; make them again with style_core.training.gallery.":
        "风格库的编码属于另一个生成器；请用 style_core.training.gallery 重新生成。",
    "{} of {} has no tensor {}; it is not VGG-19's.": "{1} 的 {0} 没有张量 {2}；它不是 VGG-19 的权重。",
    "The weights could not be kept in the cache folder ({}).": "权重无法保存到缓存文件夹（{0}）。",
    "{} is not a whole safetensors file ({}).": "{0} 不是完整的 safetensors 文件（{1}）。",
    "{}: its first layer hardly answers to contrast, as one made for pixels from 0 to 255 would; VGG-19 for normalized input is wanted.":
        "{0}：第一层对对比度几乎没有反应，像是为 0 到 255 的像素训练的；需要使用归一化输入的 VGG-19。",
    "{}: its first layer listens more to blue than to red; its input channels seem to be swapped (BGR).":
        "{0}：第一层对蓝色比对红色更敏感；输入通道似乎颠倒了（BGR）。",
    "{} has no tensor {}; VGG-19's weights in torchvision's layout are wanted.": "{0} 没有张量 {1}；需要 torchvision 布局的 VGG-19 权重。",
    "{}: {} has the shape {} where VGG-19 has {}.": "{0}：{1} 的形状是 {2}，而 VGG-19 是 {3}。",
    "{}: {} holds {} where floating-point numbers are wanted.": "{0}：{1} 的类型是 {2}，需要浮点数。",
    "{}: {} holds values that are no numbers; the file is damaged.": "{0}：{1} 含有非数值；文件已损坏。",
    "{}: {} of the filters of {} are all zero; the file was only partly written.": "{0}：{2} 的滤波器有 {1} 全为零；文件只写了一部分。",
    "{}: activations at {} are about {}, which no trained VGG-19 gives.": "{0}：{1} 的激活约为 {2}，训练好的 VGG-19 不会如此。",
    "{}: {} of the activations at {} are positive, which no trained VGG-19 gives.": "{0}：{2} 的激活有 {1} 为正，训练好的 VGG-19 不会如此。",
    "{}: different textures look {} alike at {}, as to a network that was never trained.":
        "{0}：在 {2}，不同的纹理相似度达 {1}，像是从未训练过的网络。",
    "{} answers {} at {} where it answered {}; get it again.": "{0} 在 {2} 的输出为 {1}，原为 {3}；请重新获取。",
    "given by {}": "由 {0} 指定",
    "shipped": "随项目发布",
    "missing from models/": "models/ 中缺失",
    "cached from the hub": "已从 hub 缓存",
    "on the hub, at {}": "在 hub 上：{0}",
    "VGG-19's convolutions, trained on ImageNet: the reference feature network.": "VGG-19 的卷积层，在 ImageNet 上训练：参考特征网络。",
    "A compact feature network, distilled from VGG-19: a quarter to a ninth of its cost.": "精简特征网络，由 VGG-19 蒸馏而来：耗时为其四分之一到九分之一。",
    "The generator: any painting's style on any photo, in one pass.": "生成器：一次推理，把任意画作的风格带到任意照片上。",
    "The latent space of imagined paintings: a VAE-GAN of 128 px pictures.": "想象画作的潜空间：128 px 图像的 VAE-GAN。",
    # The hub
    "Asking the hub for {}.": "正在向 hub 请求 {0}。",
    "Fetching {} from the hub, once.": "正在从 hub 下载 {0}，只需一次。",
    "Another run is fetching {}; waiting for it.": "另一个任务正在下载 {0}，请稍候。",
    "{} is served without ranges, so the whole file is being read.": "{0} 不支持分段下载，正在读取整个文件。",
    "The hub could not be reached.": "无法连接 hub。",
    "The hub could not be reached in time.": "未能及时连接 hub。",
    "The hub is switched off by HF_HUB_OFFLINE.": "已由 HF_HUB_OFFLINE 关闭 hub。",
    "The hub asks for a valid token for this file; set HF_TOKEN or log in.": "hub 要求此文件的有效令牌；请设置 HF_TOKEN 或登录。",
    "The hub does not let this account read the file.": "hub 不允许此账号读取该文件。",
    "The hub has no such file at this revision.": "hub 上此版本没有该文件。",
    "The hub is answering too many requests from here; try again later.": "从这里向 hub 发出的请求过多；请稍后再试。",
    "The hub answered with status {}; try again later.": "hub 返回状态 {0}；请稍后再试。",
    "The hub sent another part of the file than was asked for; try again later.": "hub 发来的不是所请求的部分；请稍后再试。",
    "The connection to the hub broke off before the file had come; try again.": "文件传完之前与 hub 的连接中断；请重试。",
    "The connection to the hub broke off; what has come is kept, so trying again goes on from there.":
        "与 hub 的连接中断；已收到的部分已保留，重试会接着下载。",
    "{} of {} is not a safetensors file.": "{1} 的 {0} 不是 safetensors 文件。",
    "{} of {} is shorter than it says; it is damaged on the hub or on the way.": "{1} 的 {0} 比标明的短；它在 hub 上或传输中损坏了。",
    "What the hub sent for {} is not what its header promised; try again.": "hub 发来的 {0} 与文件头不符；请重试。",
}  # fmt: skip


def translated(sentence: str) -> str:
    """A sentence of the core, or several in a row, in Chinese; what is unknown stays as it is."""
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(sentence)
        if found:
            return chinese.format(*(translated(value) for value in found.groups()))
    for end in re.finditer(r"(?<=[.?]) ", sentence):
        first = translated(sentence[: end.start()])
        if first != sentence[: end.start()]:
            return first + translated(sentence[end.end() :])
    return sentence


@functools.cache
def _patterns() -> list[tuple[re.Pattern, str]]:
    """What sentences look like, those with most words of their own first: `{} is {}; it must be {}.` fits many."""
    by_length = sorted(SENTENCES, key=lambda english: -len(english.replace("{}", "")))
    return [(re.compile(re.escape(english).replace(r"\{\}", "(.+?)"), re.DOTALL), SENTENCES[english]) for english in by_length]
