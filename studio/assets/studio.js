// What the page does by itself: keys, dropping and pasting, holding for the photo, sharing, titles, and what is read aloud.
() => {
  const visible = (selector) => [...document.querySelectorAll(selector)].find((node) => node.offsetParent !== null && !node.disabled);

  // Esc may mean something else: to close a large picture or a menu, to empty a search, or to end a composition.
  const meant = (event) => event.defaultPrevented || event.isComposing || document.fullscreenElement
    || document.querySelector('.fullscreen') || event.target.matches?.('input[type=search], [aria-expanded=true]');
  // Ctrl+Enter runs the visible tab, Esc stops it.
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) visible('.run-button')?.click();
    if (event.key === 'Escape' && !meant(event)) visible('.stop-button')?.click();
  });
  // A slider that keys have moved is let go of as one that was dragged, which Gradio takes no notice of by itself.
  document.addEventListener('keyup', ({ target, key }) => {
    if (target.matches?.('input[type=range]') && /^(Arrow|Page|Home|End)/.test(key)) {
      target.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
    }
  });

  // The border between before and after, which Gradio lets only a mouse drag, is a slider for keys as well.
  const border = '.slider-wrap .outer';
  const parted = (handle) => {
    const around = handle.parentElement.getBoundingClientRect(), { left, width } = handle.getBoundingClientRect();
    return (left + width / 2 - around.left) / around.width;
  };
  const offer = (handle) => {
    const label = handle.closest('.block')?.querySelector('[data-testid=block-label]')?.textContent.trim();
    const facts = { role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 };
    for (const [name, value] of Object.entries(facts)) handle.setAttribute(name, value);
    handle.setAttribute('aria-valuenow', Math.round(100 * parted(handle)));
  };
  document.addEventListener('focusin', ({ target }) => target.matches?.(border) && offer(target));
  document.addEventListener('keydown', (event) => {
    const handle = event.target;
    if (!handle.matches?.(border)) return;
    const now = parted(handle), back = now - 0.05, on = now + 0.05;
    const wanted = { ArrowLeft: back, ArrowDown: back, ArrowRight: on, ArrowUp: on, Home: 0, End: 1 }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    const { left, top, width, height } = handle.parentElement.getBoundingClientRect();
    const drag = (kind, where) => {
      const place = { clientX: left + width * Math.min(1, Math.max(0, where)), clientY: top + height / 2 };
      handle.dispatchEvent(new MouseEvent(kind, { ...place, view: window, bubbles: true, cancelable: true }));
    };
    drag('mousedown', now);
    drag('mousemove', wanted);
    drag('mouseup', wanted);
    requestAnimationFrame(() => offer(handle));
  });

  // A menu that the keyboard leaves closes; Gradio's own stays open.
  document.addEventListener('focusout', ({ target }) => {
    if (!target.matches?.('input[role=combobox]')) return;
    const left = () => target !== document.activeElement && target.getAttribute('aria-expanded') === 'true';
    setTimeout(() => left() && target.dispatchEvent(new FocusEvent('blur')), 200);
  });

  // What is unfolded below the window's edge comes into view.
  document.addEventListener('click', ({ target }) => {
    const label = target.closest?.('.label-wrap'), section = label?.parentElement;
    const show = () => label.classList.contains('open') && section.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
    if (section) setTimeout(show, 300);  // once it has its height
  });

  // A picture dropped anywhere, or pasted, becomes the photo.
  const take = (file) => {
    const input = document.querySelector('#choose-photo input[type=file], input#choose-photo, #header input[type=file]');
    if (!input || !file?.type.startsWith('image/')) return false;
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
    return true;
  };
  const own = (target) => target?.closest?.('.image-container, [data-testid=image], .upload-container, .video-container, [aria-dropeffect], .image-frame');
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  window.addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  for (const end of ['dragleave', 'drop', 'dragend']) {
    window.addEventListener(end, (event) => (end !== 'dragleave' || !event.relatedTarget) && document.body.classList.remove('dropping'), true);
  }
  window.addEventListener('drop', (event) => {
    if (!carries(event) || event.defaultPrevented || own(event.target)?.querySelector('input[type=file]')) return;
    event.preventDefault();
    take([...event.dataTransfer.files].find((file) => file.type.startsWith('image/')));
  });
  document.addEventListener('paste', (event) => {
    if (event.target.matches?.('input, textarea, [contenteditable]')) return;
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith('image/'));
    if (file && take(file)) event.preventDefault();
  });

  // A picture that browsers can't show, such as HEIC, was taken all the same: a sign instead of a broken one.
  for (const [came, unseen] of [['error', true], ['load', false]]) {
    document.addEventListener(came, ({ target }) => target.matches?.('.image-frame img') && target.classList.toggle('unseen', unseen), true);
  }

  // Press and hold for the photo; a key held down does the same.
  const holding = (target, on) => {
    const button = target?.closest?.('.hold-button');
    if (!button && on) return;
    for (const stage of document.querySelectorAll('.stage')) stage.classList.toggle('showing-photo', on && stage.contains(button));
  };
  document.addEventListener('pointerdown', ({ target }) => holding(target, true));
  for (const end of ['pointerup', 'pointercancel', 'blur']) window.addEventListener(end, ({ target }) => holding(target, false), true);
  document.addEventListener('keydown', ({ target, key }) => (key === ' ' || key === 'Enter') && holding(target, true));
  document.addEventListener('keyup', ({ target }) => holding(target, false));

  // A result can be handed to other apps, or copied.
  const fetched = async (file) => {
    const url = file?.url ?? file?.path;
    if (!url) return null;
    const blob = await (await fetch(url)).blob();
    return new File([blob], decodeURIComponent(url.split('/').pop()), { type: blob.type });
  };
  const asPng = async (picture) => {
    if (picture.type === 'image/png') return picture;
    const drawn = await createImageBitmap(picture), canvas = new OffscreenCanvas(drawn.width, drawn.height);
    canvas.getContext('2d').drawImage(drawn, 0, 0);
    return canvas.convertToBlob({ type: 'image/png' });
  };
  // Browsers copy PNG alone, and Safari only within the click, so that the picture is promised.
  const copy = (file) => {
    if (file) navigator.clipboard.write([new ClipboardItem({ 'image/png': fetched(file).then(asPng) })]);
  };
  const share = async (file) => {
    const picture = await fetched(file);
    if (picture && navigator.canShare?.({ files: [picture] })) await navigator.share({ files: [picture], title: 'Pentimento' }).catch(() => {});
  };
  window.pentimento = { copy, share, take };
  if (!navigator.canShare) document.documentElement.classList.add('no-share');
  if (!navigator.clipboard) document.documentElement.classList.add('no-copy');

  // A camera that isn't there, or isn't allowed, is told about; Gradio's own component says nothing.
  const missing = () => {
    document.documentElement.classList.add('no-camera');
    setTimeout(() => document.documentElement.classList.remove('no-camera'), 12000);
  };
  const media = navigator.mediaDevices;
  if (media?.getUserMedia) {
    const ask = media.getUserMedia.bind(media);
    media.getUserMedia = (...wanted) => ask(...wanted).catch((error) => { missing(); throw error; });
  } else {
    document.addEventListener('click', ({ target }) => target.closest?.('[aria-label="Capture from camera"], #film-camera') && missing());
  }

  // The title tells how far a run is, and a quiet line tells readers of the screen.
  const title = document.title, said = document.createElement('div');
  said.className = 'for-readers';
  said.setAttribute('role', 'status');
  said.setAttribute('aria-live', 'polite');
  document.body.append(said);
  let quarter = -1, last = '';
  // Gradio's pictures are buttons without a name for those who can't see them; their label is one.
  const name = () => {
    for (const button of document.querySelectorAll('button:has(> .image-frame):not([aria-label])')) {
      button.setAttribute('aria-label', button.closest('.block')?.querySelector('[data-testid=block-label]')?.innerText.trim() || 'Picture');
    }
    for (const handle of document.querySelectorAll(`${border}:not([tabindex])`)) offer(handle);
    // A long caption is cut to two lines.
    for (const caption of document.querySelectorAll('#history-strip .caption-label')) caption.parentElement.title = caption.textContent;
    // Where nothing is shown yet Gradio names a plain div, which has no role that a name may stand on.
    for (const nothing of document.querySelectorAll('div.empty[aria-label]:not([role])')) nothing.setAttribute('role', 'img');
  };
  // A camera that nobody sees any more would go on filming, and its frames being painted.
  const rest = () => {
    const camera = document.querySelector('#film-camera');
    if (camera?.offsetParent !== null) return;
    camera.querySelector('[title="stop recording"]')?.closest('button').click();
    for (const track of camera.querySelector('video')?.srcObject?.getTracks() ?? []) track.stop();
  };
  let lost = false;
  const tell = () => {
    name();
    rest();
    lost ||= [...document.querySelectorAll('[data-testid=toast-body]')].some((toast) => /connection to the server/i.test(toast.textContent));
    const line = visible('.status'), bar = [...document.querySelectorAll('.status progress')].at(-1);
    document.title = bar ? `${Math.round(100 * bar.value / bar.max)} % · ${title}` : title;
    if (!line) return;
    const text = line.innerText.trim(), reached = bar ? Math.floor(4 * bar.value / bar.max) : -1;
    if (text === last || (bar && reached === quarter)) return;
    [last, quarter] = [text, reached];
    said.textContent = text;
  };
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; tell(); }, 250);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });

  // A reload loses what was painted by hand; another photo has lost it already.
  const photo = () => document.querySelector('#stylize-content img')?.src;
  let areas = null;
  document.addEventListener('pointerdown', ({ target }) => {
    if (target.closest?.('[id$=-regions-editor] canvas')) areas = { on: photo() };
  }, true);

  // A reload in the middle of a run asks first, as one that loses areas does; not Gradio's own, once the server can be reached again.
  window.addEventListener('beforeunload', (event) => {
    const losing = document.querySelector('.status progress') || (areas && areas.on === photo());
    if (losing && !lost) event.preventDefault();
  });
}
