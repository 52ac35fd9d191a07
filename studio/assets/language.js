// The switch of the page's language; see studio/language_choice.py.
const select = element.querySelector('select'), codes = Object.keys(props.texts);
const now = codes.find((code) => navigator.language.toLowerCase().startsWith(code.slice(0, 2))) ?? 'en';
select.setAttribute('aria-label', props.texts[now]);
select.title = props.texts[now];
for (const code of codes) {
  const name = new Intl.DisplayNames([code], { type: 'language' }).of(code.slice(0, 2));
  select.append(new Option(name[0].toUpperCase() + name.slice(1), code, false, code === now));
}
select.onchange = () => {
  const address = new URL(location);
  address.searchParams.set('lang', select.value);
  location.replace(address);
};
