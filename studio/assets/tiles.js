// Tiles to choose one from; see studio/tiles.py. Favorites are kept in this browser alone.
const FAVORITES = 'pentimento-favorites';
const language = Object.keys(props.texts).find((code) => navigator.language.toLowerCase().startsWith(code.slice(0, 2))) ?? 'en';
const said = (text) => (text && typeof text === 'object' ? text[language] ?? text.en : text ?? '');
const texts = props.texts[language];
const make = (tag, name, more = {}) => Object.assign(document.createElement(tag), { className: name, ...more });
const kept = () => {
  try { return new Set(JSON.parse(localStorage.getItem(FAVORITES) ?? '[]')); } catch { return new Set(); }
};
let category = '', query = '';

const choose = (name) => {
  props.value = props.deselects && props.value === name ? '' : name;
  trigger('input');
  mark();
};

const shownTiles = () => {
  const favorites = kept(), wanted = query.trim().toLowerCase();
  return props.tiles.filter((tile) => {
    if (category === '*' && !favorites.has(tile.name)) return false;
    if (category && category !== '*' && said(tile.category) !== category) return false;
    // English names are found, too, because painters are known by them everywhere.
    const words = [tile.title, tile.line, tile.category, tile.note].flatMap((text) => [said(text), text?.en]).concat(tile.name);
    return !wanted || words.join(' ').toLowerCase().includes(wanted);
  });
};

const tileOf = (tile) => {
  const place = make('div', 'tile'), pick = make('button', 'tile-pick', { type: 'button' });
  pick.dataset.name = tile.name;
  const image = make('img', '', { alt: '', loading: 'lazy', draggable: false });
  image.dataset.url = tile.picture.url;
  pick.append(image);
  pick.append(make('span', 'tile-title', { textContent: said(tile.title) }));
  if (said(tile.line)) pick.append(make('span', 'tile-line', { textContent: said(tile.line) }));
  if (said(tile.note)) pick.title = [said(tile.title), said(tile.line), said(tile.note)].join('\n');
  pick.onclick = () => choose(tile.name);
  place.append(pick);
  if (props.searched) {
    const star = make('button', 'tile-star', { type: 'button', textContent: '♥' });
    star.setAttribute('aria-label', texts.TILES_KEEP.replace('{title}', said(tile.title)));
    star.title = star.getAttribute('aria-label');
    star.setAttribute('aria-pressed', kept().has(tile.name));
    star.onclick = () => {
      const favorites = kept();
      favorites.has(tile.name) ? favorites.delete(tile.name) : favorites.add(tile.name);
      localStorage.setItem(FAVORITES, JSON.stringify([...favorites]));
      star.setAttribute('aria-pressed', favorites.has(tile.name));
      if (category === '*') fill();
    };
    place.append(star);
  }
  return place;
};

const mark = () => {
  for (const pick of element.querySelectorAll('.tile-pick')) pick.setAttribute('aria-pressed', pick.dataset.name === props.value);
};

// Show the chosen tile, or the one to open at, without moving the page.
const reveal = () => {
  const wall = element.querySelector('.tile-wall');
  const pick = wall.querySelector('.tile-pick[aria-pressed=true]') ?? wall.querySelector(`[data-name="${props.opens_at}"]`);
  const tile = pick?.parentElement;
  if (!tile || !wall.clientHeight) return;
  const there = tile.getBoundingClientRect(), around = wall.getBoundingClientRect();
  const down = (there.top + there.bottom) / 2, across = (there.left + there.right) / 2;
  if (down > around.top && down < around.bottom && across > around.left && across < around.right) return;
  // Near the top, because the wall's end may be below the window.
  wall.scrollBy({ top: there.top - around.top - 36, left: across - (around.left + around.right) / 2, behavior: 'instant' });
};

// Browsers fetch pictures far ahead of a wall's edge, which would be most of them.
const AHEAD = '90px';
let near = null;
const fetchNear = (wall) => {
  near?.disconnect();
  near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      target.src = target.dataset.url;
    }
  }, { root: wall, rootMargin: AHEAD });
  for (const image of wall.querySelectorAll('img')) near.observe(image);
};

const fill = () => {
  const wall = element.querySelector('.tile-wall'), shown = shownTiles();
  wall.replaceChildren(...shown.map(tileOf));
  if (!shown.length) {
    const none = category === '*' && !kept().size ? texts.TILES_NO_FAVORITES : texts.TILES_NONE;
    wall.append(make('p', 'tile-none', { textContent: none }));
  }
  for (const chip of element.querySelectorAll('.tile-chip')) chip.setAttribute('aria-pressed', chip.dataset.category === category);
  mark();
  if (near) fetchNear(wall);
};

const chip = (text, value) => {
  const button = make('button', 'tile-chip', { type: 'button', textContent: text });
  button.dataset.category = value;
  button.onclick = () => { category = value; fill(); };
  return button;
};

const build = () => {
  const root = element.querySelector('.tiles');
  root.replaceChildren();
  if (props.searched) {
    const tools = make('div', 'tile-tools');
    const search = make('input', 'tile-search', { type: 'search', placeholder: texts.TILES_SEARCH, value: query });
    search.setAttribute('aria-label', texts.TILES_SEARCH);
    search.oninput = () => { query = search.value; fill(); };
    const surprise = make('button', 'tile-surprise', { type: 'button', textContent: texts.TILES_SURPRISE });
    surprise.onclick = () => {
      const others = shownTiles().filter((tile) => tile.name !== props.value);
      const tile = others[Math.floor(Math.random() * others.length)];
      if (!tile) return;
      choose(tile.name);
      element.querySelector(`[data-name="${tile.name}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    };
    tools.append(search, surprise);
    const chips = make('div', 'tile-chips');
    const categories = [...new Set(props.tiles.map((tile) => said(tile.category)).filter(Boolean))];
    chips.append(chip(texts.TILES_ALL, ''), ...categories.map((one) => chip(one, one)), chip(`♥ ${texts.TILES_FAVORITES}`, '*'));
    root.append(tools, chips);
  }
  const wall = make('div', 'tile-wall');
  wall.setAttribute('role', 'group');
  wall.setAttribute('aria-label', said(props.name));
  root.append(wall);
  fill();
  // A wall in a tab that isn't open has no size yet.
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    reveal();
    fetchNear(wall);
  }).observe(wall);
};

build();
watch('value', () => {
  if (!element.querySelector('.tile-wall')) return build();
  mark();
  reveal();
});
