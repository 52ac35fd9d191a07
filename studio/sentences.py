"""What the core says, in Simplified Chinese, by the template of each sentence.

The core speaks English, in the shell and to programs, in Messages that keep their templates and values. The page passes
what it says through `translated`. A test reads the core's code for templates that are missing here.
"""

from style_core.messages import Message

# The template, as the core has it: in Chinese, with the same values.
SENTENCES: dict[str, str] = {
    # Runs
    "Starting.": "正在开始。",
    "Strength 0 keeps the photo as it is.": "强度为 0 时照片保持原样。",
    "Starting from the generator's picture.": "从生成器的图开始。",
    "Encoding the picture.": "正在寻找与它相似的图。",
    "The optimizer diverged and was restarted once from the best picture so far.": "优化发散，已从目前最好的图重新开始一次。",
    "The optimization diverged twice and was stopped; the last good picture is kept. Use the adam optimizer, a lower learning rate, or a lower strength.":
        "优化两次发散，已停止；保留最后一张正常的图。请改用 adam 优化器、降低学习率或降低强度。",
    "Stopped after {done} of {total} iterations; the picture no longer changed.": "已在第 {done} 次（共 {total} 次）迭代后结束：图像不再变化。",
    "Used {octaves} of {wanted} octaves; the picture is too small for more.": "只用了 {octaves} 个八度（共 {wanted} 个）：图像太小，无法更多。",
    "The result is {times:.2g} times as large as the photo ({width} x {height} px), which is enlarged first.":
        "结果是照片（{width} x {height} px）的 {times:.2g} 倍大；照片会先放大。",
    "The picture of {width} x {height} px is painted in tiles of {side} px with Adam, in about {gigabytes:.1f} GB of memory.":
        "{width} x {height} px 的图以 {side} px 的分块用 Adam 绘制，约需 {gigabytes:.1f} GB 内存。",
    "The picture of {width} x {height} px is painted with {pairs} L-BFGS pairs, in about {gigabytes:.1f} GB of memory.":
        "{width} x {height} px 的图用 {pairs} 对 L-BFGS 向量绘制，约需 {gigabytes:.1f} GB 内存。",
    "The picture of {width} x {height} px is painted in tiles of {side} px with {pairs} L-BFGS pairs, in about {gigabytes:.1f} GB of memory.":
        "{width} x {height} px 的图以 {side} px 的分块、用 {pairs} 对 L-BFGS 向量绘制，约需 {gigabytes:.1f} GB 内存。",
    "A picture of {width} x {height} px needs at least {needed:.1f} GB of memory, and {free:.1f} GB can be used here; choose a size of at most {fitting} px.":
        "{width} x {height} px 的图至少需要 {needed:.1f} GB 内存，而此处可用 {free:.1f} GB；请选择不超过 {fitting} px 的尺寸。",
    "Painting with the compact network: {reason}": "正用精简网络绘制：{reason}",
    # Pictures and clips
    "The picture": "这张图",
    "{file} is animated; its first frame is used.": "{file} 是动图；使用它的第一帧。",
    "The color profile of {file} is broken and was ignored.": "{file} 的色彩配置文件已损坏，未予采用。",
    "{file} is {size:.0f} MB; pictures up to {most} MB can be read. Save it smaller.": "{file} 有 {size:.0f} MB；最大可读取 {most} MB 的图片。请另存为较小的文件。",
    "{file} is {width} x {height} px; pictures up to {most} megapixels can be read. Save it smaller.": "{file} 为 {width} x {height} px；最多可读取 {most} 百万像素的图片。请另存为较小的尺寸。",
    "{file} is {width} x {height} px; it must be at least {least} px on each side.": "{file} 为 {width} x {height} px；每边至少需要 {least} px。",
    "{file} is empty; choose another picture.": "{file} 是空文件；请选择另一张图片。",
    "{file} is a folder; give one picture.": "{file} 是文件夹；请给出一张图片。",
    "{file} is an SVG drawing; export it as PNG first.": "{file} 是 SVG 矢量图；请先导出为 PNG。",
    "{file} is damaged ({reason}); export or download it again.": "{file} 已损坏（{reason}）；请重新导出或下载。",
    "{file} is damaged or cut off ({reason}); export or download it again.": "{file} 已损坏或不完整（{reason}）；请重新导出或下载。",
    "{file} is not a readable picture; use JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF, BMP, TGA or PSD.":
        "{file} 不是可读取的图片；请使用 JPEG、PNG、WebP、AVIF、HEIC、GIF、TIFF、BMP、TGA 或 PSD。",
    "{file} has more than {most} megapixels, the most that can be read. Save it smaller.": "{file} 超过了可读取的上限 {most} 百万像素。请另存为较小的尺寸。",
    "{file} takes {needed:.1f} GB to read, and {free:.1f} GB are free; save it smaller.": "读取 {file} 需要 {needed:.1f} GB，而空闲内存只有 {free:.1f} GB；请另存为较小的尺寸。",
    "There is not enough memory to read {file}; save it smaller.": "内存不足，无法读取 {file}；请另存为较小的尺寸。",
    "{file} can't be opened ({reason}).": "无法打开 {file}（{reason}）。",
    "{file} has several pages; its first is used.": "{file} 有多页；使用第一页。",
    "{file} is not a readable picture.": "{file} 不是可读取的图片。",
    "{file} contains no settings; only pictures saved by Pentimento do, and editors may remove them.":
        "{file} 不含设置；只有 Pentimento 保存的图片才有，编辑软件可能会去掉它们。",
    "There is no file {file}; check its name and folder.": "没有文件 {file}；请检查文件名和文件夹。",
    "The folder for {file} does not exist; create it first or choose another.": "{file} 所在的文件夹不存在；请先创建，或选择另一个。",
    "{file} could not be written ({reason}); choose another folder.": "无法写入 {file}（{reason}）；请选择另一个文件夹。",
    "{file} does not end in a suffix that can be written; use .png, .jpg or .webp.": "{file} 的扩展名无法写入；请用 .png、.jpg 或 .webp。",
    "{file} does not end in a suffix for films; use .mp4 or .gif.": "{file} 的扩展名无法写入影片；请用 .mp4 或 .gif。",
    "{file} is not a readable clip; choose an MP4, MOV or WebM file.": "{file} 不是可读取的短片；请选择 MP4、MOV 或 WebM 文件。",
    "{file} contains no video; choose an MP4, MOV or WebM clip.": "{file} 中没有动态画面；请选择 MP4、MOV 或 WebM 短片。",
    "{file} has no frames; choose another clip.": "{file} 没有画面；请选择另一段短片。",
    "{file} is the clip itself; give the film another name.": "{file} 就是原短片；请给影片另起一个名字。",
    "{file} is {seconds:.1f} s long: {frames} frames of {width} x {height} px, painted at {across} x {down} px.":
        "{file} 长 {seconds:.1f} 秒：{frames} 帧，{width} x {height} px，以 {across} x {down} px 绘制。",
    "Continuing after {frames} frames.": "从第 {frames} 帧之后继续。",
    # Options
    "{option} is {value}; it must be text.": "{option} 的值是 {value}；应为文本。",
    "{option} is {value}; it must be true or false.": "{option} 的值是 {value}；应为 true 或 false。",
    "{option} is {value}; it must be one of {allowed}.": "{option} 的值是 {value}；应为其中之一：{allowed}。",
    "{option} is {value}; it must be a number.": "{option} 的值是 {value}；应为数字。",
    "{option} is {value}; it must be a whole number.": "{option} 的值是 {value}；应为整数。",
    "{option} is {value}; it must be {allowed}.": "{option} 的值是 {value}；应{allowed}。",
    "between {low:g} and {high:g}": "在 {low:g} 与 {high:g} 之间",
    "between {low:g} and {high:g} {unit}": "在 {low:g} 与 {high:g} {unit} 之间",
    "{first} {second}": "{first}{second}",  # sentences in a row
    "There is no option {option}; did you mean {near}?": "没有选项 {option}；是否想用 {near}？",
    "There is no option {option}; the options are {known}.": "没有选项 {option}；可用的选项有 {known}。",
    "background is {background}; it must be a color name or #rrggbb.": "background 的值是 {background}；应为颜色名或 #rrggbb。",
    # Layers and sizes
    "No layer is given; write it like relu4_2, or relu3_3:0.5 relu4_2[12,40].": "没有指定层；写法如 relu4_2，或 relu3_3:0.5 relu4_2[12,40]。",
    "No layer is given; write them like relu3_1 relu4_1:0.5.": "没有指定层；写法如 relu3_1 relu4_1:0.5。",
    "{text} can't be read as a layer; write it like relu4_2, relu4_2:0.5 or relu4_2[12,40]:0.5.":
        "{text} 不能识别为层；写法如 relu4_2、relu4_2:0.5 或 relu4_2[12,40]:0.5。",
    "The channel of {layer} is {channel}; it must be a whole number. Write it like {layer}[12,40].": "{layer} 的通道 {channel} 不是整数；写法如 {layer}[12,40]。",
    "The weight of {layer} is {weight}; it must be positive. Write it like {layer}:0.5.": "{layer} 的权重 {weight} 不是正数；写法如 {layer}:0.5。",
    "The weight in {item} must be positive; write it like {layer}:0.5.": "{item} 中的权重不是正数；写法如 {layer}:0.5。",
    "There is no layer {layer}; layers run from {first} to {last}. Did you mean {near}?": "没有层 {layer}；层从 {first} 到 {last}。是否想用 {near}？",
    "{layer} of {network} has no channel {channel}; its channels are 0 to {last}.": "{network} 的 {layer} 没有通道 {channel}；通道为 0 到 {last}。",
    "{network} has no layer {missing}; its deepest is {deepest}.": "{network} 没有层 {missing}；最深的层是 {deepest}。",
    "The picture is {width} x {height} px, too small for {layer}, which needs at least {least} px a side. Use a larger size or an earlier layer.":
        "图像为 {width} x {height} px，对 {layer} 来说太小，每边至少需要 {least} px。请用更大的尺寸或更浅的层。",
    "The picture is too small for this layer, which sees only {width} x {height} positions of it. Use a larger size or an earlier layer.":
        "图像对这一层来说太小：只剩 {width} x {height} 个位置。请用更大的尺寸或更浅的层。",
    # Photos, styles, masks
    "There is no photo; give one, or set start to noise.": "没有照片；请给出一张，或把起点设为噪声。",
    "There is no style picture; give at least one.": "没有画作；请至少给出一张。",
    "There is no style; give a style picture or choose one from the gallery.": "没有风格；请给出一张画作，或从风格库中选择。",
    "There is no style {style} in the gallery; there are {known}.": "风格库中没有 {style}；有 {known}。",
    "There are {masks} masks for {styles} styles; give one for each.": "{styles} 种风格却有 {masks} 个蒙版；请各给一个。",
    "A mask is all black, so its style would not appear; paint where it should go.": "有一个蒙版全黑，它的风格不会出现；请涂出它的位置。",
    "The mask is all black, so nothing would change; paint where to dream.": "蒙版全黑，什么也不会入梦；请涂出要入梦的位置。",
    "There is a mask but no photo to keep; give a photo, or leave out the mask.": "有蒙版却没有照片；请给出照片，或去掉蒙版。",
    "There are {weights} style weights for {styles} styles; give one for each.": "{styles} 种风格却有 {weights} 个权重；请各给一个。",
    "The style weights are {weights}; they must not be negative, and one must be above 0.": "风格权重为 {weights}；不能为负，且至少一个大于 0。",
    "Styles measured by different feature networks can't be mixed; measure them with the same one.": "由不同特征网络测得的风格不能混合；请用同一个网络测量。",
    "A walk has two ends, but {given} pictures were given; give at most two.": "漫步只有两端，却给出了 {given} 张图；最多两张。",
    "A walk has {frames} frames; it needs at least 2.": "{frames} 帧的漫步走不起来；至少需要 2 帧。",
    # Devices and weights
    "This machine has no {device} device that torch can use; choose auto or {present}.": "这台机器没有 torch 能用的 {device} 设备；请选 auto 或 {present}。",
    "There are no weights called {weights}; there are {known}.": "没有名为 {weights} 的权重；有 {known}。",
    "{variable} points to {file}, which is not a file; give the path of VGG-19's safetensors file.": "{variable} 指向的 {file} 不是文件；请给出 VGG-19 的 safetensors 文件路径。",
    "{file} is missing from models/; get the project's files again.": "models/ 中缺少 {file}；请重新获取项目文件。",
    "{file} in models/ is not the shipped file (its sha256 differs); get it again.": "models/ 中的 {file} 不是随项目发布的文件（sha256 不符）；请重新获取。",
    "{file} does not contain the layers of {network}: {reason}": "{file} 中没有 {network} 的层：{reason}",
    "{file} does not contain the generator: {wrong} is missing or unknown.": "{file} 不是生成器的权重：{wrong} 缺失或未知。",
    "{file} does not contain the generator: {reason}": "{file} 不是生成器的权重：{reason}",
    "{file} does not contain the latent space: {reason}": "{file} 不是潜空间的权重：{reason}",
    "The gallery's codes belong to another generator; make them again with style_core.training.gallery.":
        "风格库的编码属于另一个生成器；请用 style_core.training.gallery 重新生成。",
    "{file} of {repo} has no tensor {missing}; it is not VGG-19.": "{repo} 的 {file} 没有张量 {missing}；它不是 VGG-19 的权重。",
    "The weights could not be saved to the cache folder ({reason}).": "权重无法保存到缓存文件夹（{reason}）。",
    "{file} is not a complete safetensors file ({reason}).": "{file} 不是完整的 safetensors 文件（{reason}）。",
    "{file}: its first layer hardly responds to contrast, as if made for pixels from 0 to 255; use a VGG-19 for normalized input.":
        "{file}：第一层对对比度几乎没有反应，像是为 0 到 255 的像素训练的；需要使用归一化输入的 VGG-19。",
    "{file}: its first layer responds more to blue than to red; its input channels seem to be swapped (BGR).":
        "{file}：第一层对蓝色比对红色更敏感；输入通道似乎颠倒了（BGR）。",
    "{file} has no tensor {tensor}; use VGG-19's weights in torchvision's layout.": "{file} 没有张量 {tensor}；需要 torchvision 布局的 VGG-19 权重。",
    "{file}: {tensor} has the shape {shape}; VGG-19 has {wanted}.": "{file}：{tensor} 的形状是 {shape}，而 VGG-19 是 {wanted}。",
    "{file}: {tensor} holds {dtype}; it must hold floating-point numbers.": "{file}：{tensor} 的类型是 {dtype}，需要浮点数。",
    "{file}: {tensor} holds values that are not finite; the file is damaged.": "{file}：{tensor} 含有非数值；文件已损坏。",
    "{file}: {share:.0%} of the filters of {tensor} are all zero; the file was only partly written.": "{file}：{tensor} 的滤波器有 {share:.0%} 全为零；文件只写了一部分。",
    "{file}: activations at {layer} are about {size:.2g}; no trained VGG-19 gives that.": "{file}：{layer} 的激活约为 {size:.2g}，训练好的 VGG-19 不会如此。",
    "{file}: {share:.1%} of the activations at {layer} are positive; no trained VGG-19 gives that.": "{file}：{layer} 的激活有 {share:.1%} 为正，训练好的 VGG-19 不会如此。",
    "{file}: different textures look {share:.0%} alike at {layer}; the network seems untrained.":
        "{file}：在 {layer}，不同的纹理相似度达 {share:.0%}，像是从未训练过的网络。",
    "{file} gives {found} at {figure} instead of {wanted}; get it again.": "{file} 在 {figure} 的输出为 {found}，原为 {wanted}；请重新获取。",
    "given by {variable}": "由 {variable} 指定",
    "shipped": "随项目发布",
    "missing from models/": "models/ 中缺失",
    "cached from the hub": "已从 hub 缓存",
    "on the hub, at {repo}": "在 hub 上：{repo}",
    "VGG-19's convolutions, trained on ImageNet: the reference feature network.": "VGG-19 的卷积层，在 ImageNet 上训练：参考特征网络。",
    "A compact feature network, distilled from VGG-19: a quarter to a ninth of its cost.": "精简特征网络，由 VGG-19 蒸馏而来：耗时为其四分之一到九分之一。",
    "The generator: any painting's style on any photo, in one pass.": "生成器：一次推理，把任意画作的风格带到任意照片上。",
    "The latent space of imagined paintings: a VAE-GAN of 128 px pictures.": "想象画作的潜空间：128 px 图像的 VAE-GAN。",
    # The hub
    "Asking the hub for {weights}.": "正在向 hub 请求 {weights}。",
    "Downloading {weights} from the hub; this happens once.": "正在从 hub 下载 {weights}，只需一次。",
    "Another run is downloading {weights}; waiting for it.": "另一个任务正在下载 {weights}，请稍候。",
    "{repo} is served without range requests, so the whole file is downloaded.": "{repo} 不支持分段下载，正在读取整个文件。",
    "The hub could not be reached.": "无法连接 hub。",
    "The hub could not be reached in time.": "未能及时连接 hub。",
    "The hub is switched off by HF_HUB_OFFLINE.": "已由 HF_HUB_OFFLINE 关闭 hub。",
    "The hub wants a valid token for this file; set HF_TOKEN or log in.": "hub 要求此文件的有效令牌；请设置 HF_TOKEN 或登录。",
    "This account may not read the file on the hub.": "hub 不允许此账号读取该文件。",
    "The hub has no such file at this revision.": "hub 上此版本没有该文件。",
    "The hub has had too many requests from here; try again later.": "从这里向 hub 发出的请求过多；请稍后再试。",
    "The hub answered with status {status}; try again later.": "hub 返回状态 {status}；请稍后再试。",
    "The hub sent a different part of the file than requested; try again later.": "hub 发来的不是所请求的部分；请稍后再试。",
    "The connection to the hub was lost before the download was complete; try again.": "文件传完之前与 hub 的连接中断；请重试。",
    "The connection to the hub was lost; try again to resume the download.":
        "与 hub 的连接中断；已收到的部分已保留，重试会接着下载。",
    "{file} of {repo} is not a safetensors file.": "{repo} 的 {file} 不是 safetensors 文件。",
    "{file} of {repo} is shorter than its header says; it is damaged on the hub or in transit.": "{repo} 的 {file} 比标明的短；它在 hub 上或传输中损坏了。",
    "The hub's data for {weights} does not match its header; try again.": "hub 发来的 {weights} 与文件头不符；请重试。",
}  # fmt: skip


def translated(sentence: str) -> str:
    """A sentence of the core in Chinese, with the sentences that it holds; one that is unknown stays as it is."""
    if not isinstance(sentence, Message) or not sentence.values:
        return SENTENCES.get(sentence, sentence)
    values = {name: translated(value) if isinstance(value, str) else value for name, value in sentence.values.items()}
    return SENTENCES.get(sentence.template, sentence.template).format(**values)
